//! The command with one backend more.

use std::process::ExitCode;

use custom_backend::RedisPair;
use dr_core::Backends;

fn main() -> ExitCode {
    dr_cli::main(Backends::new().with(RedisPair), Vec::new())
}
