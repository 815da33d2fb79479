//! Bytes from outside: what the fuzz targets assert (`fuzz/bodies/`), on mutants of the same seeds, the same ones at every
//! run; and what fuzzing found, by name.

#![expect(clippy::panic, clippy::expect_used, reason = "a body says what is wrong by failing")]

#[path = "../../../fuzz/bodies/journal.rs"]
mod journal;
#[path = "../../../fuzz/bodies/mutants.rs"]
mod mutants;
#[path = "../../../fuzz/bodies/objects.rs"]
mod objects;
#[path = "../../../fuzz/bodies/plan.rs"]
mod plan;
#[path = "../../../fuzz/bodies/samples.rs"]
mod samples;

mod documents;
mod numbers;
mod printing;

use std::path::Path;

#[test]
fn no_mutant_of_a_plan_brings_down_reading_printing_or_checking() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plans");
    let seeds = [mutants::seeds("plan"), mutants::files(&examples)].concat();
    mutants::each(&seeds, 400, plan::run);
}

#[test]
fn no_mutant_of_a_journal_brings_down_reading_or_folding() {
    mutants::each(&mutants::seeds("journal"), 600, journal::run);
}

#[test]
fn no_mutant_of_a_file_of_samples_brings_down_reading_or_measuring() {
    mutants::each(&mutants::seeds("samples"), 3_000, samples::run);
}

#[test]
fn no_mutant_of_an_object_brings_down_who_reads_the_store() {
    mutants::each(&mutants::seeds("objects"), 2_000, objects::run);
}
