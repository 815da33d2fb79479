//! Time and peak memory of a whole process that reads, binds and runs a plan of ten thousand steps.
//!
//! Each shape runs in a process of its own, for a peak is the process's. `cargo bench -p dr-testkit --bench footprint`,
//! optionally with `-- --steps 1000`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot run says so at once"
)]

mod support;

use std::process::Command;
use std::time::Instant;

use dr_core::journal::{Filesystem, LocalJournal};
use support::{Bound, Shape, actor, runtime};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1);
    let steps = value("--steps").map_or(10_000, |steps| steps.parse().unwrap());
    match value("--shape") {
        Some(name) => one(Shape::ALL.into_iter().find(|shape| shape.name() == name).unwrap(), steps),
        None => all(steps),
    }
}

fn all(steps: usize) {
    println!(
        "{:<8} {:>7} {:>9} {:>9} {:>9} {:>12} {:>10} {:>10}",
        "shape", "steps", "bind", "run", "a step", "bound, peak", "peak", "journal"
    );
    for shape in Shape::ALL {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--shape", shape.name(), "--steps", &steps.to_string()])
            .status()
            .unwrap();
        if !status.success() {
            println!("{:<8} {steps:>7} failed: {status}", shape.name());
        }
    }
}

fn one(shape: Shape, steps: usize) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let begun = Instant::now();
    let bound = Bound::new(shape, steps);
    let bind = begun.elapsed();
    let bound_peak = peak_mib();
    let run = folder.path().join("run");
    let journal = LocalJournal::create(&run, &actor(), Filesystem::Local).unwrap();
    let begun = Instant::now();
    runtime().block_on(bound.run(Box::new(journal)));
    let took = begun.elapsed();
    let journal = std::fs::metadata(run.join("journal.ndjson")).unwrap().len() >> 10;
    println!(
        "{:<8} {steps:>7} {:>7.2} s {:>7.2} s {:>6.0} µs {bound_peak:>8.0} MiB {:>6.0} MiB {journal:>6} KiB",
        shape.name(),
        bind.as_secs_f64(),
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / steps as f64,
        peak_mib(),
    );
}

/// The most memory that this process ever had at once, as the kernel says.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
