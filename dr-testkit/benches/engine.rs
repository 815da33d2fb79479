//! What the engine adds to a step: an intent, an outcome and a decision, with and without a disk.
//!
//! The durable journal is measured beside what the disk takes by itself for the same pattern of writes, in the same
//! run: one `write` and one `fdatasync` for each step of a chain.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot run says so at once")]

mod support;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dr_core::journal::{Filesystem, LocalJournal, MemoryJournal};
use support::{Bound, Shape, actor, runtime};

/// About what an intent and an outcome are as lines.
const BYTES_A_STEP: usize = 800;

fn in_memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory");
    for shape in Shape::ALL {
        let steps = 1_000;
        let bound = Bound::new(shape, steps);
        let runtime = runtime();
        group.sample_size(20).throughput(Throughput::Elements(steps as u64));
        group.bench_function(BenchmarkId::new(shape.name(), steps), |bencher| {
            bencher.iter(|| runtime.block_on(bound.run(Box::new(MemoryJournal::new()))));
        });
    }
    group.finish();
}

fn durable(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("durable");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (shape, steps) in [(Shape::Chain, 100), (Shape::Wide, 1_000)] {
        group.throughput(Throughput::Elements(steps as u64));
        let bound = Bound::new(shape, steps);
        let runtime = runtime();
        let mut number = 0;
        group.bench_function(BenchmarkId::new(shape.name(), steps), |bencher| {
            bencher.iter_custom(|times| {
                (0..times)
                    .map(|_| {
                        number += 1;
                        let run = folder.path().join(format!("{}-{number}", shape.name()));
                        let journal = LocalJournal::create(&run, &actor(), Filesystem::Local).unwrap();
                        let begun = Instant::now();
                        runtime.block_on(bound.run(Box::new(journal)));
                        begun.elapsed()
                    })
                    .sum()
            });
        });
    }
    group.throughput(Throughput::Elements(100));
    group.bench_function("bare write and fdatasync/100", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| bare_syncs(folder.path(), 100)).sum());
    });
    group.finish();
}

/// The floor: the disk's own time for so many durable appends.
fn bare_syncs(folder: &Path, count: usize) -> Duration {
    let path = folder.join("bare");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
    let line = [b'x'; BYTES_A_STEP];
    let begun = Instant::now();
    for _ in 0..count {
        file.write_all(&line).unwrap();
        file.sync_data().unwrap();
    }
    let took = begun.elapsed();
    std::fs::remove_file(&path).unwrap();
    took
}

criterion_group!(benches, in_memory, durable);
criterion_main!(benches);
