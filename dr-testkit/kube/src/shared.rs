//! One region for many tests: starting one takes seconds, a namespace milliseconds.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use dr_core::Result;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::access::Access;
use crate::audit::Audit;
use crate::error::KubeFault;
use crate::kubeconfig::keep;
use crate::options::RegionOptions;
use crate::process::Owner;
use crate::region::KubeRegion;
use crate::relay::Relay;
use crate::{command_line, own};

/// A region that all tests of a run use, each in namespaces of its own. What would disturb the others is not offered
/// here: a test that stops servers starts a [`KubeRegion`] for itself. Relays are a test's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SharedRegion {
    access: Access,
    warden: Access,
    folder: PathBuf,
}

impl SharedRegion {
    /// The region of that name, started by whichever test asks first. It ends with the test run: with this process, or,
    /// where cargo-nextest gives each test a process of its own, with cargo-nextest.
    pub async fn named(name: &str) -> Result<Self> {
        let name = name.to_owned();
        match Runner::find() {
            Some(runner) => Ok(own::alone("share", move || async move { runner.region(&name).await }).await?),
            None => Ok(own::alone("share", move || async move { of_this_process(&name).await }).await?),
        }
    }

    /// The regions `east` and `west`, started side by side.
    pub async fn pair() -> Result<(Self, Self)> {
        tokio::try_join!(Self::named("east"), Self::named("west"))
    }

    /// The administrator's access.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The access of the region's own machinery, of which the audit log does not speak.
    pub fn warden(&self) -> &Access {
        &self.warden
    }

    /// A relay in front of the API server, for this test alone.
    pub fn relay(&self) -> Result<Relay> {
        Relay::start(self.access.address())
    }

    /// What was asked of the API server, by all tests.
    pub fn audit(&self) -> Audit {
        Audit::new(self.folder.join(command_line::AUDIT_LOG), self.access.clone())
    }

    fn of(region: &KubeRegion) -> Self {
        Self {
            access: region.access().clone(),
            warden: region.warden().clone(),
            folder: region.folder().to_owned(),
        }
    }
}

/// The regions of a process that runs all its tests. They end with the process.
async fn of_this_process(name: &str) -> Result<SharedRegion, KubeFault> {
    type Regions = BTreeMap<String, Arc<OnceCell<KubeRegion>>>;
    static REGIONS: LazyLock<Mutex<Regions>> = LazyLock::new(Mutex::default);
    let cell = {
        let mut regions = REGIONS.lock().unwrap_or_else(PoisonError::into_inner);
        regions.entry(name.to_owned()).or_default().clone()
    };
    let start = || KubeRegion::bring_up(RegionOptions::new(name), env::temp_dir(), Owner::Us);
    Ok(SharedRegion::of(cell.get_or_try_init(start).await?))
}

/// A test runner with a process for each test.
#[derive(Debug)]
struct Runner {
    pid: u32,
    folder: PathBuf,
}

impl Runner {
    /// cargo-nextest, if it is what started this process.
    fn find() -> Option<Self> {
        let run = env::var("NEXTEST_RUN_ID").ok()?;
        let pid = std::os::unix::process::parent_id();
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let folder = env::temp_dir().join(format!("dr-kube-run-{run}"));
        name.contains("nextest").then_some(Self { pid, folder })
    }

    async fn region(&self, name: &str) -> Result<SharedRegion, KubeFault> {
        let doing = || format!("share the region {name}");
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(KubeFault::io(doing()))?;
        let lock = File::create(self.folder.join(format!("{name}.lock"))).map_err(KubeFault::io(doing()))?;
        // Whoever is second waits until the first has started it. This is a thread of its own.
        lock.lock().map_err(KubeFault::io(doing()))?;
        let record = self.folder.join(format!("{name}.json"));
        if let Ok(text) = fs::read(&record) {
            return serde_json::from_slice(&text)
                .map_err(|error| KubeFault::Garbled(format!("{} is no region: {error}", record.display())));
        }
        let owner = Owner::Process(self.pid);
        let region = KubeRegion::bring_up(RegionOptions::new(name), self.folder.clone(), owner).await?;
        let shared = SharedRegion::of(&region);
        let text = serde_json::to_string(&shared)
            .map_err(|error| KubeFault::Garbled(format!("cannot write a region down: {error}")))?;
        keep(&record, &text)?;
        region.leave();
        Ok(shared)
    }
}
