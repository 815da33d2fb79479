//! The sandbox alone, without the rest of `dr`: `dr-sandbox sandbox up`. Its arguments are those of `dr sandbox`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use dr_sandbox::{Sandbox, run};

/// Two real regions on one machine.
#[derive(Debug, Parser)]
enum Cli {
    /// Make, break and heal two regions on this machine.
    Sandbox(Sandbox),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli::Sandbox(sandbox) = Cli::parse();
    match run(&sandbox.dir, sandbox.command).await {
        Ok(report) => {
            if !report.text.is_empty() {
                // A reader that is gone has read what it wanted.
                let _ = writeln!(std::io::stdout(), "{}", report.text);
            }
            ExitCode::from(report.code)
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "dr-sandbox: {}", error.chain());
            ExitCode::from(255)
        }
    }
}
