//! A lost region's failover by `dr` and by the runbook's shell script, on servers of the same kind in the same run, both
//! measured by the same callers.
//!
//! `cargo bench -p dr --bench compare --profile dev`, optionally with `-- --rounds 1`, `-- --only dr` or `-- --only
//! script`, `-- --cut-off` (the region is alive and unreachable instead of killed), `-- --ask-source` (the script looks
//! at the lost region's cluster first and scales it down last, as its runbook has it) and `-- --show` (what both said). A
//! round of both takes four minutes. It needs what `make test-deps` installs and the programs of [`tools`]; `--cut-off` needs root.
//!
//! Each way in each round has a world of its own, with the same load, the same probers and the same TTL. What is compared
//! is told by callers who know neither: see [`crowd`].

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on says so at once"
)]

mod args;
mod crowd;
mod interrupt;
mod round;
mod running;
mod signpost;
mod table;
mod tools;
mod way;

#[path = "../../tests/seeds/callers.rs"]
mod callers;
#[path = "../../tests/seeds/clusters.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod clusters;
#[path = "../../tests/seeds/fitted.rs"]
mod fitted;
#[path = "../../tests/seeds/host.rs"]
mod host;
#[path = "../../tests/e2e/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;
#[path = "../../tests/seeds/world.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod world;

use std::process::ExitCode;

use args::Args;
use table::Table;

fn main() -> ExitCode {
    let args = match Args::read(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let missing = tools::missing();
    if !missing.is_empty() {
        eprintln!("{}", missing.join("\n"));
        return ExitCode::FAILURE;
    }
    interrupt::watch();
    println!("The example plan with: {}.", way::FITTED);
    let mut table = Table::new(&args);
    for number in 1..=args.rounds {
        // Whoever comes first in one round comes last in the next.
        let mut ways = args.ways.clone();
        ways.rotate_left(number % args.ways.len());
        for way in ways {
            let figures = round::run(way, &args);
            println!("{number} of {}, {way}: {figures}", args.rounds);
            table.add(way, figures);
        }
    }
    println!("\n{table}");
    ExitCode::SUCCESS
}
