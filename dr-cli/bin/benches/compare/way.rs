//! The two ways to fail over.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::args::Loss;
use crate::clusters::SERVICES;
use crate::support::{SOURCE, TARGET};
use crate::world::{NAME, World, app};

/// In what the plan differs from the example.
pub(crate) const FITTED: &str = "addresses, credentials, the zone's and the namespace's names, the state store's place (a folder) and the \
     way to a server's control; its TTL of 60 s, its waits and its budgets as they are";
/// The record's, in seconds: the example's and the runbook's.
pub(crate) const TTL: u32 = 60;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `dr failover` with the example plan.
    Dr,
    /// The runbook's script.
    Script,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dr => "dr",
            Self::Script => "script",
        })
    }
}

impl Way {
    /// The exit codes that say that callers are served.
    pub(crate) fn good(self) -> &'static [i32] {
        match self {
            // Recovered, with something left to be done: the lost region's database follows nobody.
            Self::Dr => &[0, 11],
            Self::Script => &[0],
        }
    }

    pub(crate) fn command(self, world: &World, ask_source: bool) -> Command {
        match self {
            Self::Dr => {
                let plan = world.plan("region-failover.yaml");
                world.command(&["failover", plan.to_str().unwrap(), "--yes"])
            }
            Self::Script => script(world, ask_source),
        }
    }

    /// What has to run when the lost region comes back: the run's ending asks for it where silence stood for a fence. The
    /// script knows of nothing.
    pub(crate) fn guard(self, world: &World, loss: Loss) -> Option<Command> {
        let plan = world.plan("region-failover.yaml");
        (self == Self::Dr && loss == Loss::CutOff)
            .then(|| world.command(&["guard", plan.to_str().unwrap(), "--for", "1m"]))
    }
}

fn script(world: &World, ask_source: bool) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/compare/failover.sh");
    let door = app(&world.state, TARGET);
    let database = world.state["regions"][TARGET]["postgres"].as_str().unwrap();
    let mut command = Command::new(path);
    world
        .at_home(&mut command)
        .env("AWS_PROFILE", "dr")
        .env("AWS_DEFAULT_REGION", SOURCE)
        .env("AWS_ENDPOINT", world.aws.endpoint())
        .env("PGPASSWORD", world.secret("dr"))
        .env("TARGET_DATABASE", format!("postgres://dr@{database}/orders"))
        .env("SOURCE_CONTEXT", format!("teei-{SOURCE}"))
        .env("TARGET_CONTEXT", format!("teei-{TARGET}"))
        .env("NAMESPACE", world.with_cluster(TARGET, async |cluster| cluster.namespace.clone()))
        .env("DEPLOYMENTS", SERVICES.join(" "))
        .env("INGRESS", "ingress-nginx-controller")
        .env("ZONE_ID", &world.zone)
        .env("RECORD", NAME)
        .env("TTL", TTL.to_string())
        .env("NAME_SERVER", world.aws.name_servers()[0].to_string())
        .env("HEALTH_URLS", format!("http://{NAME}:{}/health", door.port()))
        .env("KUBECTL_TIMEOUT", "3s")
        .env("ASK_SOURCE", if ask_source { "yes" } else { "no" })
        .env("EVIDENCE", world.sandbox.beside("notes"));
    command
}
