//! How a region comes up.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::access::{Access, Identity};
use crate::error::KubeFault;
use crate::janitor::Janitor;
use crate::kubeconfig::keep;
use crate::options::RegionOptions;
use crate::pki::Authority;
use crate::process::{Owner, Server};
use crate::region::{KubeRegion, client_of, guard, listening, ready};
use crate::servers::Servers;
use crate::{chance, command_line, namespace};

impl KubeRegion {
    /// The same, in a folder given and for an owner given.
    pub(crate) async fn bring_up(
        options: RegionOptions,
        parent: PathBuf,
        owner: Owner,
    ) -> Result<Self, KubeFault> {
        const ATTEMPTS: u32 = 3;
        let mut attempt = 1;
        loop {
            match Self::try_once(&options, &parent, owner).await {
                Err(fault) if fault.port_was_taken() && attempt < ATTEMPTS => attempt += 1,
                done => return done,
            }
        }
    }

    async fn try_once(options: &RegionOptions, parent: &Path, owner: Owner) -> Result<Self, KubeFault> {
        let programs = Servers::locate()?;
        let until = Instant::now() + options.within;
        let folder = tempfile::Builder::new().prefix("dr-kube-").tempdir_in(parent);
        let folder = folder.map_err(KubeFault::io("make a folder"))?;
        let authority = Authority::new(&options.name)?;
        authority.write(folder.path())?;

        let held = || chance::port().map_err(KubeFault::io("find a free port"));
        let (etcd_port, api_port) = (held()?, held()?);
        let address =
            |held: &std::net::TcpListener| held.local_addr().map_err(KubeFault::io("find a free port"));
        let (etcd_address, api_address) = (address(&etcd_port)?, address(&api_port)?);
        let (admin, warden) = (token(), token());
        let access = Access::new(&options.name, api_address, authority.pem(), Identity::Token(admin.clone()));
        let machinery = access.with_token(warden.clone());
        let tokens = format!(
            "{admin},admin,1,\"system:masters\"\n{warden},{},2,\"system:masters\"\n",
            command_line::WARDEN
        );
        for (name, text) in [
            (command_line::TOKENS, tokens),
            (command_line::AUDIT_POLICY, command_line::audit_policy()),
            (command_line::CONTROLLERS, machinery.kubeconfig()),
        ] {
            keep(&folder.path().join(name), &text)?;
        }

        let (folder, janitor) = leave(folder, owner)?;
        let run = |name, program: &Path, arguments: Vec<_>| {
            Server::start(name, program, &arguments, &folder, owner)
        };
        drop(etcd_port);
        let etcd = run("etcd", &programs.etcd, command_line::etcd(etcd_address))?;
        drop(api_port);
        let api =
            run("kube-apiserver", &programs.api, command_line::api(options, api_address, etcd_address))?;
        let api = Arc::new(Mutex::new(api));
        listening(&machinery, &api, until, options.within).await?;
        // Not sooner: it gives up on a server that takes more than ten seconds.
        let controllers = run(
            "kube-controller-manager",
            &programs.controllers,
            command_line::controllers(programs.version()),
        )?;
        let mut region = Self {
            options: options.clone(),
            programs,
            access,
            warden: machinery,
            authority,
            etcd_address,
            owner,
            controllers,
            api,
            etcd,
            janitor,
            folder,
            left: false,
        };
        ready(&region.warden, &region.api, until, options.within).await?;
        region.controllers_work().await?;
        Ok(region)
    }

    /// Returns when the controllers do: the first thing that they make is an account for the default namespace.
    async fn controllers_work(&mut self) -> Result<(), KubeFault> {
        let client = client_of(&self.warden).await?;
        let works = namespace::accepts_pods(&client, "default");
        let mut works = std::pin::pin!(works);
        loop {
            tokio::select! {
                biased;
                done = &mut works => return done,
                () = sleep(Duration::from_millis(100)) => {
                    self.controllers.is_alive()?;
                    self.etcd.is_alive()?;
                    guard(&self.api).is_alive()?;
                }
            }
        }
    }
}

/// From here on the folder is removed by the janitor.
fn leave(folder: TempDir, owner: Owner) -> Result<(PathBuf, Janitor), KubeFault> {
    let all = match owner {
        Owner::Us => folder.path(),
        // Its owner has made the folder around it for the regions alone.
        Owner::Process(_) => folder.path().parent().unwrap_or(folder.path()),
    };
    let janitor = Janitor::wait_for(owner, all)?;
    Ok((folder.keep(), janitor))
}

/// Enough for a test.
fn token() -> String {
    format!("{:016x}{:016x}", chance::number(), chance::number())
}
