//! The command with the backends that come with it, and the sandbox.

use std::process::ExitCode;

use dr_core::Backends;

fn main() -> ExitCode {
    let backends = Backends::new()
        .with(dr_postgres::backend())
        .with(dr_net::HttpBackend)
        .with(dr_net::TcpBackend)
        .with(dr_net::DnsBackend)
        .with(dr_k8s::backend())
        .with(dr_aws::Route53Backend)
        .with(dr_aws::HealthCheckBackend)
        .with(dr_aws::RdsBackend)
        .with(dr_aws::AuroraGlobalBackend)
        .with(dr_aws::S3ReplicationBackend)
        .with(dr_aws::EksNodegroupBackend)
        .with(dr_aws::CloudwatchAlarmBackend)
        .with(dr_sandbox::backend());
    dr_cli::main(backends, vec![sandbox::extra()])
}

mod sandbox;
mod simulated;
