//! Kind `sandbox-app` keeps every sentence of its contract, on real processes.

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{At, Cx, Effect, Replicas, Scale};
use dr_core::{Resource, Result, Side, async_trait};
use dr_sandbox::{Command, Up};
use dr_testkit::suite::{Fixture, Lever, Levers, Subject, observe, workloads};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::support::Sandbox;
use crate::workloads::connect;

const SIDES: [(&str, u32); 2] = [("us-east-1", 3), ("eu-central-1", 1)];

/// One sandbox for all cases; each begins with everything as it was.
#[derive(Debug, Clone)]
struct Regions(Arc<Sandbox>);

impl Regions {
    fn supervisor(&self, side: &str, signal: Signal) {
        let recorded = std::fs::read_to_string(self.0.dir().join(format!("pids/region-{side}"))).unwrap();
        let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
        let pid = i32::try_from(recorded["pid"].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// What every new process of the service needs, away or back again.
    fn password(&self, there: bool) {
        let (here, away) = (self.0.dir().join("secrets/app"), self.0.dir().join("secrets/away"));
        let _ = if there { std::fs::rename(away, here) } else { std::fs::rename(here, away) };
    }

    async fn scale(&self, resource: &Resource, side: &str, count: u32) -> Result<()> {
        let effect: Arc<dyn Effect<Scale>> = resource.effect().unwrap();
        let call =
            Scale { side: At::Named(Side::new(side)), replicas: Replicas::Count(count), after_drain: false };
        let cx = Cx::new("run".into(), "step".into(), Duration::from_secs(30));
        let was = effect.prepare(&cx, &call).await?;
        effect.apply(&cx, &call, &was).await.map(drop)
    }
}

#[async_trait]
impl Fixture for Regions {
    async fn fresh(&self) -> Result<Subject> {
        self.password(true);
        for (side, _) in SIDES {
            self.supervisor(side, Signal::CONT);
        }
        self.0.try_run(Command::Heal).await?;
        let resource = connect(&self.0).await;
        for (side, count) in SIDES {
            self.scale(&resource, side, count).await?;
        }
        Ok(Subject::new(resource, "us-east-1", "eu-central-1", self.clone()))
    }
}

#[async_trait]
impl Levers for Regions {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) if geteuid().is_root() => {
                self.0.run(Command::Partition { side: side.to_string() }).await;
                true
            }
            Lever::Hang(side) => {
                self.supervisor(side.as_str(), Signal::STOP);
                true
            }
            Lever::Heal(side) => {
                self.supervisor(side.as_str(), Signal::CONT);
                self.0.run(Command::Heal).await;
                true
            }
            Lever::Meddle(_) => {
                let resource = connect(&self.0).await;
                self.scale(&resource, "eu-central-1", 5).await.is_ok()
            }
            Lever::BreakRollouts(_) => {
                self.password(false);
                true
            }
            _ => false,
        }
    }
}

#[tokio::test]
async fn the_workloads_keep_their_contract() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let regions = Regions(Arc::new(sandbox));
    let report = workloads(&regions).await;
    println!("{report}");
    report.assert(8);
    let report = observe(&regions).await;
    println!("{report}");
    report.assert(2);
}
