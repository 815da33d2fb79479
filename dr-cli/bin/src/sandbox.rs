//! `dr sandbox`: the crate next door as a subcommand.

use std::process::ExitCode;

use clap::{ArgMatches, Args, FromArgMatches};
use dr_cli::Extra;
use dr_sandbox::{Command, Sandbox};

use crate::simulated;

/// The subcommand.
pub(crate) fn extra() -> Extra {
    let command = Sandbox::augment_args(clap::Command::new("sandbox"));
    let command = command.subcommand(simulated::command());
    let command = command.about("Makes two real regions on this machine, to see dr work").long_about(None);
    Extra { command, run: Box::new(run) }
}

fn run(matches: &ArgMatches) -> ExitCode {
    if let Some((simulated::NAME, matches)) = matches.subcommand() {
        return simulated::run(matches);
    }
    let mut sandbox = match Sandbox::from_arg_matches(matches) {
        Ok(sandbox) => sandbox,
        Err(error) => error.exit(),
    };
    if let Command::Up(up) = &mut sandbox.command {
        let mut outside = prober("outside", "outside");
        outside.extend(["--samples", "--ledger"].map(str::to_owned));
        up.extra_processes = vec![outside, prober("beside-target", "eu-central-1")];
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(dr_sandbox::run(&sandbox.dir, sandbox.command)) {
        Ok(report) => {
            if !report.text.is_empty() {
                anstream::println!("{}", report.text);
            }
            ExitCode::from(report.code)
        }
        Err(error) => {
            anstream::eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

/// An always-on prober of the sandbox's plan.
fn prober(name: &str, seat: &str) -> Vec<String> {
    ["measure", "{plan}", "--keep", "--name", name, "--seat", seat, "--every", "500ms"]
        .map(str::to_owned)
        .to_vec()
}
