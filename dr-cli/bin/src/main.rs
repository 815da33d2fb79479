//! The command with the backends that come with it, and the sandbox.

use std::process::ExitCode;

use dr_core::Backends;

fn main() -> ExitCode {
    let backends = Backends::new()
        .with(dr_postgres::backend())
        .with(dr_net::HttpBackend)
        .with(dr_net::TcpBackend)
        .with(dr_net::DnsBackend)
        .with(dr_sandbox::backend());
    dr_cli::main(backends, vec![sandbox::extra()])
}

mod sandbox;
