//! What a suite is run on: a fresh pair for each case, and the levers on it.

use std::fmt;
use std::sync::Arc;

use custom_backend::RedisPair;
use dr_core::resource::{Backend, Connect, Redactor, Resource, Secret, SecretRef, SecretSource};
use dr_core::{Clock, Result, Side, SystemClock, async_trait};
use dr_testkit::suite::{Fixture, Lever, Levers, Subject};
use serde_json::{Value, json};

use crate::servers::{Server, Servers, eventually};

/// A fresh pair for each case, with something done to the resource.
pub(crate) struct Redis(pub(crate) Box<dyn Fn(Resource) -> Resource + Send + Sync>);

impl Redis {
    /// As it is.
    pub(crate) fn as_it_is() -> Self {
        Self(Box::new(|resource| resource))
    }

    /// Made wrong in some way.
    pub(crate) fn wrong(how: impl Fn(Resource) -> Resource + Send + Sync + 'static) -> Self {
        Self(Box::new(how))
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis")
    }
}

#[async_trait]
impl Fixture for Redis {
    async fn fresh(&self) -> Result<Subject> {
        let servers = Servers::start().await;
        let resource = (self.0)(connect(&servers).await);
        Ok(Subject::new(resource, "east", "west", Hands(servers)))
    }
}

/// A plan's `resources.*` for a pair.
pub(crate) fn config(servers: &Servers) -> Value {
    let side = |server: &Server| json!({ "address": format!("127.0.0.1:{}", server.port) });
    json!({
        "user": "dr",
        "password": "${env:DR_REDIS_PASSWORD}",
        "application": { "user": "app", "password": "${env:APP_REDIS_PASSWORD}" },
        "patience": "1s",
        "sides": { "east": side(&servers.east), "west": side(&servers.west) },
    })
}

pub(crate) async fn connect(servers: &Servers) -> Resource {
    let configured = RedisPair.configure(config(servers)).unwrap();
    let (redactor, clock) = (Redactor::default(), Arc::new(SystemClock) as Arc<dyn Clock>);
    configured.connect(&Connect::new(&Secrets, &redactor, &clock)).await.unwrap()
}

#[derive(Debug)]
struct Secrets;

#[async_trait]
impl SecretSource for Secrets {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret> {
        let ours = reference.name() == "DR_REDIS_PASSWORD";
        Ok(Secret::new(if ours { "dr-secret" } else { "app-secret" }))
    }
}

#[derive(Debug)]
struct Hands(Servers);

impl Hands {
    fn at(&self, side: &Side) -> &Server {
        if side.as_str() == "east" { &self.0.east } else { &self.0.west }
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        let Servers { east, west } = &self.0;
        match lever {
            Lever::Silence(side) => self.at(side).silence(),
            Lever::Hang(side) => self.at(side).hang(),
            Lever::Heal(side) => self.at(side).heal().await,
            // Another run fences it too.
            Lever::Meddle("fence") => {
                east.ask("ACL SETUSER dr-fence resetkeys ~run=another ~since=1 ~user=app ~stage=set");
            }
            Lever::LiftFence(side) => {
                self.at(side).ask("ACL SETUSER app on");
            }
            // The replica's password is not the primary's any more.
            Lever::CutReplication => {
                west.ask("CONFIG SET masterauth stale");
                east.ask("CLIENT KILL TYPE replica");
                eventually("the link is down", || west.replication("master_link_status") == "down").await;
            }
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        Some(format!("east: {}\nwest: {}", self.0.east.state(), self.0.west.state()))
    }
}
