//! From the arguments to the command, and from its end to the exit code.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{CommandFactory, FromArgMatches};
use dr_core::Backends;
use dr_core::event::{Ending, Mode};
use dr_core::resource::Urgency;

use crate::args::{Cli, Command, DrillArgs, RunArgs};
use crate::command;
use crate::command::run::Kind;
use crate::exit::Exit;
use crate::extra::Extra;
use crate::problem::{Outcome, Problem};
use crate::secrets::masked;

/// The whole command.
pub fn main(backends: Backends, extras: Vec<Extra>) -> ExitCode {
    let mut parser = Cli::command();
    for extra in &extras {
        parser = parser.subcommand(extra.command.clone());
    }
    let matches = parser.clone().get_matches();
    if let Some((name, matches)) = matches.subcommand()
        && let Some(extra) = extras.iter().find(|extra| extra.command.get_name() == name)
    {
        return (extra.run)(matches);
    }
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let json = cli.command.tells_a_run().is_some_and(|tell| tell.json);
    match dispatch(&backends, cli.command, &mut parser) {
        Ok(exit) => exit.into(),
        Err(problem) => {
            if json {
                crate::view::summary_of(&problem);
            }
            tell(&problem);
            problem.exit.into()
        }
    }
}

fn dispatch(backends: &Backends, command: Command, parser: &mut clap::Command) -> Outcome {
    match command {
        Command::Check(args) => command::check::run(backends, &args),
        Command::Runbook(args) => command::runbook::run(backends, &args),
        Command::Evidence(args) => command::evidence::run(&args),
        Command::Schema => {
            let schema = dr_core::plan::schema(backends);
            anstream::println!("{}", serde_json::to_string_pretty(&schema).map_err(anyhow::Error::from)?);
            Ok(Exit::Success)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, parser, "dr", &mut std::io::stdout());
            Ok(Exit::Success)
        }
        other => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
                    Problem::new(Exit::Failure, format!("no runtime can be started: {error}"))
                })?;
            let outcome = runtime.block_on(live(backends, other));
            // What still hangs in a blocking call is not waited for.
            runtime.shutdown_background();
            outcome
        }
    }
}

async fn live(backends: &Backends, command: Command) -> Outcome {
    let planned = |mode| Kind { mode, urgency: Urgency::Planned, back: false };
    match command {
        Command::Plan(args) => command::plan::run(backends, &args).await,
        Command::Failover(args) => failover(backends, &args).await,
        Command::Switchover(args) => command::run::run(backends, &args, planned(Mode::Switchover)).await,
        Command::Failback(args) => {
            command::run::run(backends, &args, Kind { back: true, ..planned(Mode::Failback) }).await
        }
        Command::Drill(DrillArgs { run, hard }) => {
            let urgency = if hard { Urgency::Unplanned } else { Urgency::Planned };
            command::run::run(backends, &run, Kind { urgency, ..planned(Mode::Drill) }).await
        }
        Command::Resume(args) => command::resume::run(backends, &args).await,
        Command::Abort(args) => command::abort::run(backends, &args).await,
        Command::Approve(args) => command::approve::run(backends, &args).await,
        Command::Ready(args) => command::ready::run(backends, &args).await,
        Command::Status(args) => command::status::run(backends, &args).await,
        Command::History(args) => command::history::run(backends, &args).await,
        Command::Protect(args) => command::protect::run(backends, &args).await,
        Command::Guard(args) => command::guard::run(backends, &args).await,
        Command::Measure(args) => command::measure::run(backends, &args).await,
        Command::Claims(args) => command::claims::run(backends, &args).await,
        Command::Check(_)
        | Command::Runbook(_)
        | Command::Evidence(_)
        | Command::Schema
        | Command::Completions { .. } => Ok(Exit::Success),
    }
}

/// A failover, and with `--stay` the guard after it where one is owed.
async fn failover(backends: &Backends, args: &RunArgs) -> Outcome {
    let kind = Kind { mode: Mode::Failover, urgency: Urgency::Unplanned, back: false };
    let exit = command::run::run(backends, args, kind).await?;
    if args.stay && !args.dry_run && exit == Exit::from(dr_core::engine::DriveEnd::Ended(Ending::Recovered)) {
        command::guard::guard(backends, args, std::time::Duration::from_secs(90 * 86_400)).await?;
    }
    Ok(exit)
}

fn tell(problem: &Problem) {
    const ERROR: Style = AnsiColor::Red.on_default().bold();
    const HELP: Style = AnsiColor::Cyan.on_default().bold();
    if !problem.message.is_empty() {
        anstream::eprintln!("{ERROR}error{ERROR:#}: {}", masked(&problem.message));
    }
    if let Some(help) = &problem.help {
        anstream::eprintln!("{HELP} help{HELP:#}: {}", masked(help));
    }
}
