//! One region: etcd, an API server and the controllers, each a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dr_core::Result;
use hyper::Request;
use kube::Client;
use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout};

use crate::access::Access;
use crate::audit::Audit;
use crate::error::KubeFault;
use crate::janitor::Janitor;
use crate::kubeconfig::Contexts;
use crate::options::RegionOptions;
use crate::pki::Authority;
use crate::process::{Owner, Server};
use crate::relay::Relay;
use crate::servers::Servers;
use crate::{command_line, etcd, own};

/// A region that is this process's own: its servers end with it, however it ends, and at the latest when this is dropped.
///
/// ```no_run
/// # async fn one() -> dr_core::Result<()> {
/// use dr_testkit_kube::{KubeRegion, Kubelet, KubeletOptions, RegionOptions};
///
/// let region = KubeRegion::start(RegionOptions::new("east")).await?;
/// let kubelet = Kubelet::start(region.warden(), KubeletOptions::new()).await?;
/// let client = region.access().client().await?;
/// region.restart_api().await?; // every watch breaks, nothing is lost
/// # drop((client, kubelet));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct KubeRegion {
    pub(crate) options: RegionOptions,
    pub(crate) programs: Servers,
    pub(crate) access: Access,
    pub(crate) warden: Access,
    pub(crate) authority: Authority,
    pub(crate) etcd_address: SocketAddr,
    pub(crate) owner: Owner,
    pub(crate) controllers: Server,
    pub(crate) api: Arc<Mutex<Server>>,
    pub(crate) etcd: Server,
    pub(crate) janitor: Janitor,
    pub(crate) folder: PathBuf,
    pub(crate) left: bool,
}

impl KubeRegion {
    /// Starts the servers and returns when deployments can be made. Two regions start side by side with `try_join!`.
    ///
    /// It is an error, and never a skipped test, if the servers are not installed.
    pub async fn start(options: RegionOptions) -> Result<Self> {
        Ok(own::alone("start", move || Self::bring_up(options, std::env::temp_dir(), Owner::Us)).await?)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The administrator's access.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The access of the region's own machinery, the kubelets among it: it may do everything too, and the audit log does
    /// not speak of it.
    pub fn warden(&self) -> &Access {
        &self.warden
    }

    /// A user whom the server knew once: a certificate that has expired.
    pub fn expired(&self) -> Result<Access> {
        Ok(self.access.with_certificate(self.authority.user("late", true)?))
    }

    /// A user who is logged in by a certificate, and has no rights unless a binding gives some to that name.
    pub fn certified(&self, user: &str) -> Result<Access> {
        Ok(self.access.with_certificate(self.authority.user(user, false)?))
    }

    /// A kubeconfig file of both regions, each a context of its region's name, the first one current.
    pub fn kubeconfig_two(first: &Self, second: &Self, path: &Path) -> Result<()> {
        Contexts::new().with(first.name(), first.access()).with(second.name(), second.access()).write_to(path)
    }

    /// A relay in front of the API server. Reach the region by it with [`Access::via`].
    pub fn relay(&self) -> Result<Relay> {
        Relay::start(self.access.address())
    }

    /// What was asked of the API server.
    pub fn audit(&self) -> Audit {
        Audit::new(self.folder.join(command_line::AUDIT_LOG), self.access.clone())
    }

    /// The process numbers of etcd, the API server and the controllers.
    pub fn processes(&self) -> [u32; 3] {
        [self.etcd.pid(), guard(&self.api).pid(), self.controllers.pid()]
    }

    /// Where the servers keep their data and logs, while they run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the API server where it stands: it accepts connections and never answers.
    pub fn pause_api(&self) -> Result<()> {
        Ok(guard(&self.api).signal(Signal::STOP)?)
    }

    /// Has a paused API server go on.
    pub fn resume_api(&self) -> Result<()> {
        Ok(guard(&self.api).signal(Signal::CONT)?)
    }

    /// Kills the API server: connections break, new ones are refused.
    pub fn kill_api(&self) {
        guard(&self.api).kill();
    }

    /// Starts a killed API server again, on the same port and the same data, and returns when it is ready.
    pub async fn start_api(&self) -> Result<()> {
        let arguments = command_line::api(&self.options, self.access.address(), self.etcd_address);
        {
            let mut api = guard(&self.api);
            if api.is_alive().is_ok() {
                return Ok(());
            }
            *api = Server::start("kube-apiserver", &self.programs.api, &arguments, &self.folder, self.owner)?;
        }
        let (warden, api, within) = (self.warden.clone(), self.api.clone(), self.options.within);
        let back = move || async move { ready(&warden, &api, Instant::now() + within, within).await };
        Ok(own::alone("restart", back).await?)
    }

    /// Kills the API server and starts it again.
    pub async fn restart_api(&self) -> Result<()> {
        self.kill_api();
        self.start_api().await
    }

    /// Has etcd forget every revision but the last, which is returned. A watch or a paged list that is resumed from an
    /// older one is answered with 410 Gone: at once in a region [without a watch
    /// cache](RegionOptions::without_watch_cache); else the API server still remembers, until it is started again.
    pub async fn compact(&self) -> Result<u64> {
        let etcd = self.etcd_address;
        Ok(own::alone("compact", move || etcd::compact(etcd)).await?)
    }

    /// Restarts the API server and has etcd forget every revision while it is down: whoever resumes a watch from before
    /// gets 410 Gone, with or without a watch cache.
    pub async fn forget_history(&self) -> Result<()> {
        self.kill_api();
        let compacted = self.compact().await;
        self.start_api().await?;
        compacted.map(drop)
    }

    /// Leaves the servers and their folder to their owner.
    pub(crate) fn leave(mut self) {
        self.left = true;
        self.controllers.leave();
        guard(&self.api).leave();
        self.etcd.leave();
    }
}

impl Drop for KubeRegion {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        self.controllers.kill();
        guard(&self.api).kill();
        self.etcd.kill();
        self.janitor.clean_up();
    }
}

pub(crate) fn guard(server: &Mutex<Server>) -> MutexGuard<'_, Server> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) async fn client_of(access: &Access) -> Result<Client, KubeFault> {
    let garbled = |error: dr_core::Error| KubeFault::Garbled(error.to_string());
    let mut config = access.config().await.map_err(garbled)?;
    config.default_retry = false;
    Client::try_from(config).map_err(KubeFault::asked("make a client"))
}

/// Returns when the server answers anything at all.
pub(crate) async fn listening(
    access: &Access,
    api: &Mutex<Server>,
    until: Instant,
    within: Duration,
) -> Result<(), KubeFault> {
    asked(
        access,
        api,
        until,
        within,
        |answer| !matches!(answer, Err(error) if !matches!(error, kube::Error::Api(_))),
    )
    .await
}

/// Returns when the server says that it is ready.
pub(crate) async fn ready(
    access: &Access,
    api: &Mutex<Server>,
    until: Instant,
    within: Duration,
) -> Result<(), KubeFault> {
    asked(access, api, until, within, |answer| answer.is_ok()).await
}

/// There is no event for a server's readiness: it is asked until its answer will do.
async fn asked(
    access: &Access,
    api: &Mutex<Server>,
    until: Instant,
    within: Duration,
    will_do: impl Fn(&kube::Result<String>) -> bool,
) -> Result<(), KubeFault> {
    let client = client_of(access).await?;
    loop {
        guard(api).is_alive()?;
        let request = Request::get("/readyz").body(Vec::new());
        let request = request.map_err(|error| KubeFault::Garbled(format!("not a request: {error}")))?;
        let answer = timeout(Duration::from_secs(2), client.request_text(request)).await;
        if answer.is_ok_and(|answer| will_do(&answer)) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(KubeFault::Late { what: format!("the API server of {}", access.region()), within });
        }
        sleep(Duration::from_millis(20)).await;
    }
}
