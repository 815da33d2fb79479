//! What makes resources: one backend for each kind in a plan.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::at::Roles;
use super::call::Class;
use super::redactor::Redactor;
use super::registered::Resource;
use super::secret::{Secret, SecretRef, SecretSource};
use crate::env::Clock;
use crate::error::Result;
use crate::ids::{Identity, Region, Side};

/// The code for one kind of resource.
pub trait Backend: fmt::Debug + Send + Sync {
    /// The word in the plan: `postgres`.
    fn kind(&self) -> &str;

    /// The JSON schema of the configuration: an object, without `kind`, which the core adds.
    fn schema(&self) -> Value;

    /// Reads a configuration. Pure: no I/O, no environment.
    ///
    /// # Errors
    /// Everything that is wrong with it, not only the first thing.
    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>>;
}

/// Something wrong with a configuration. The core adds line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The place: a JSON pointer, `/sides/us-east-1/url`.
    pub pointer: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl ConfigError {
    /// From its parts.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// A configuration that makes sense. Everything but `connect` is pure: `dr check` needs no credentials.
#[async_trait]
pub trait Configured: fmt::Debug + Send + Sync {
    /// The keys under which two plans that touch the same thing meet, sorted. Claims are held on all of them.
    fn identities(&self) -> Vec<Identity>;

    /// The sides it lives on, and the region of each.
    fn sides(&self) -> BTreeMap<Side, Region>;

    /// The verbs it can do.
    fn verbs(&self) -> Vec<&str>;

    /// A call of a verb that is this backend's own (`vendor.verb`), understood: [`understood`](super::understood) for the
    /// type behind the name. `None`: there is no such verb.
    fn own_call(
        &self,
        verb: &str,
        call: Value,
        roles: &Roles,
    ) -> Option<Result<(Value, Class), serde_json::Error>> {
        let _ = (verb, call, roles);
        None
    }

    /// What a verb needs on a side, or wherever it acts if the call names none. What lives on another side does not
    /// belong here: a promotion of the target that works without the source needs nothing of the source's region.
    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let _ = (verb, on);
        Needs::default()
    }

    /// What connecting needs, whatever the verb: where credentials and secrets are to be had.
    fn connecting(&self) -> Needs {
        Needs::default()
    }

    /// Whether a planned promotion fences the old writer by itself and loses nothing.
    fn fences_itself_when_planned(&self) -> bool {
        false
    }

    /// Whether the names in its configuration are meant within each side's region, so that two sides in two regions may
    /// well use the same ones.
    fn names_are_regional(&self) -> bool {
        false
    }

    /// Whether it can send a share of the callers to a side, not only all of them.
    fn splits_traffic(&self) -> bool {
        false
    }

    /// Whether it can say where a side is entered, so that a route can take the address from it.
    fn knows_addresses(&self) -> bool {
        false
    }

    /// Whether it can say if there is room for a scale; then the core asks before anything is touched.
    fn measures_room(&self) -> bool {
        false
    }

    /// What of it is emulated, if the plan points it at something that is not the real system: `the AWS API at
    /// http://127.0.0.1:4566`. The evidence lists it.
    fn emulated(&self) -> Option<String> {
        None
    }

    /// How long callers may remember an old answer, where this kind routes them.
    fn ttl(&self) -> Option<std::time::Duration> {
        None
    }

    /// Whether it can be asked with a write, where it answers as callers see it. `None`: it does not say.
    fn takes_writes(&self) -> Option<bool> {
        None
    }

    /// The call as commands that a person would type when `dr` itself cannot run, one a line; empty if there are
    /// none. Secrets stand as their references.
    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        let _ = (verb, call);
        Vec::new()
    }

    /// Connects, lazily side by side: it succeeds with any one region black-holed, and says what is unreachable when
    /// asked for it.
    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource>;
}

/// What connecting is given.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Connect<'a> {
    /// Where secrets are to be had.
    secrets: &'a dyn SecretSource,
    redactor: &'a Redactor,
    clock: &'a Arc<dyn Clock>,
}

impl<'a> Connect<'a> {
    /// From its parts.
    pub fn new(secrets: &'a dyn SecretSource, redactor: &'a Redactor, clock: &'a Arc<dyn Clock>) -> Self {
        Self { secrets, redactor, clock }
    }

    /// The value behind a reference; from then on it is masked in everything that is written.
    ///
    /// # Errors
    /// As the embedder's [`SecretSource`] says.
    pub async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        let secret = self.secrets.fetch(reference).await?;
        self.redactor.hide(&secret);
        Ok(secret)
    }

    /// What masks secrets: for those that come from elsewhere than the plan says, a login's or a file's of the system.
    pub fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }

    /// The run's wall clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(self.clock)
    }
}

/// What a verb needs to work at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Needs {
    /// Permissions, as the system names them.
    pub permissions: Vec<String>,
    /// Control planes: they may be down with their region.
    pub control_planes: Vec<Plane>,
    /// Data planes.
    pub data_planes: Vec<Plane>,
}

/// A service in a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plane {
    /// The service: `Route 53 records`.
    pub service: String,
    /// Where it lives.
    pub region: Region,
    /// What the run does while it is down: `callers stay where they are`.
    pub without: Option<String>,
    /// What to use instead: `a standby that takes over by itself (kind route53-health-check)`.
    pub instead: Option<String>,
}

impl Plane {
    /// A service in a region.
    pub fn new(service: impl Into<String>, region: impl Into<Region>) -> Self {
        Self { service: service.into(), region: region.into(), without: None, instead: None }
    }

    /// What the run does while it is down.
    #[must_use]
    pub fn without(mut self, what: impl Into<String>) -> Self {
        self.without = Some(what.into());
        self
    }

    /// What to use instead.
    #[must_use]
    pub fn instead(mut self, what: impl Into<String>) -> Self {
        self.instead = Some(what.into());
        self
    }
}

impl Needs {
    /// Permissions alone.
    pub fn permissions(permissions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { permissions: permissions.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// And a control plane.
    #[must_use]
    pub fn and_control(self, service: impl Into<String>, region: impl Into<Region>) -> Self {
        self.and_control_plane(Plane::new(service, region))
    }

    /// And a control plane, with what happens while it is down.
    #[must_use]
    pub fn and_control_plane(mut self, plane: Plane) -> Self {
        self.control_planes.push(plane);
        self
    }

    /// And a data plane.
    #[must_use]
    pub fn and_data(mut self, service: impl Into<String>, region: impl Into<Region>) -> Self {
        self.data_planes.push(Plane::new(service, region));
        self
    }
}

/// The backends that a program knows: a value that the embedder builds.
///
/// ```
/// use dr_core::Backends;
/// let backends = Backends::new();
/// assert_eq!(backends.kinds().count(), 0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Backends(BTreeMap<String, Arc<dyn Backend>>);

impl Backends {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. A second of the same kind replaces the first.
    #[must_use]
    pub fn with(mut self, backend: impl Backend + 'static) -> Self {
        self.0.insert(backend.kind().to_owned(), Arc::new(backend));
        self
    }

    /// The backend of a kind.
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Backend>> {
        self.0.get(kind)
    }

    /// The kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All of them, sorted by kind.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Backend>> {
        self.0.values()
    }
}
