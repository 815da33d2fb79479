//! `dr sandbox aws`: the strict simulator of the AWS APIs, with a service to carry over and a plan for it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgMatches, Args, FromArgMatches};
use dr_testkit_aws::{Aws, Options};

/// The subcommand's name.
pub(crate) const NAME: &str = "aws";

/// `dr sandbox aws`.
#[derive(Debug, Args)]
struct Simulated {
    /// Where the plan goes.
    #[arg(long, value_name = "FILE", default_value = "aws-rehearsal.yaml")]
    plan: PathBuf,
    /// The endpoint's port on 127.0.0.1. Default: a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many times faster than AWS documents it things happen.
    #[arg(long, default_value_t = 60.0)]
    pace: f64,
}

/// Its arguments.
pub(crate) fn command() -> clap::Command {
    Simulated::augment_args(clap::Command::new(NAME))
        .about("Simulates AWS strictly on this machine, with a service to carry over and a plan for it, until Ctrl-C")
        .long_about(None)
}

/// Serves until it is interrupted.
pub(crate) fn run(matches: &ArgMatches) -> ExitCode {
    let arguments = match Simulated::from_arg_matches(matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(serve(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            anstream::eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &Simulated) -> Result<(), String> {
    if !(arguments.pace.is_finite() && arguments.pace > 0.0) {
        return Err(format!(
            "{} is no pace: write 1 for AWS's own, 60 for an hour in a minute",
            arguments.pace
        ));
    }
    let options = Options::new().port(arguments.port).pace(arguments.pace);
    let aws = Aws::start(options).await.map_err(|error| error.chain())?;
    let demo = aws.seed_demo().await.map_err(|error| error.chain())?;
    write_new(&arguments.plan, &demo.plan)?;
    anstream::println!("{}", demo.guide);
    anstream::println!(
        "In another terminal:\n\n  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n  dr plan {plan}\n  dr switchover {plan}\n\nCtrl-C ends it.",
        plan = arguments.plan.display()
    );
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}

/// A plan that somebody wrote is never overwritten; one of an earlier rehearsal, which begins alike, is.
fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let first = |text: &str| text.lines().next().map(str::to_owned);
    match std::fs::read_to_string(path) {
        Ok(there) if first(&there) != first(text) => {
            return Err(format!("{} is there and is not ours: name another with --plan", path.display()));
        }
        Ok(_) | Err(_) => {}
    }
    std::fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
