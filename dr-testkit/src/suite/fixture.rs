//! What a suite is run on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Call, Cx, Effect, Fact, Resource, Roles, Setting, Staffing};
use dr_core::{Result, Side, async_trait};

use super::report::Stop;

/// Makes what a suite is run on.
#[async_trait]
pub trait Fixture: fmt::Debug + Send + Sync {
    /// A fresh subject: the source serves, the target is its copy, everything answers, and nothing moves any more: a file
    /// that the system writes anew at its first change is written once before.
    ///
    /// # Errors
    /// If it cannot be made.
    async fn fresh(&self) -> Result<Subject>;
}

/// A resource with its two sides, and the levers on it. What it needs is stopped when it is dropped.
#[derive(Debug)]
pub struct Subject {
    /// The resource.
    pub resource: Resource,
    /// The side that serves.
    pub source: Side,
    /// The other one.
    pub target: Side,
    /// How long one call may take, generously.
    pub patience: Duration,
    /// What the suite of `configure` sets, in every form that the backend documents. The first is of a form that can
    /// differ from workload to workload; at least one is absent in a fresh subject.
    pub settings: Vec<(String, Setting)>,
    /// Texts that may show nowhere: the values of the secrets among the settings, and of those that they replace.
    pub canaries: Vec<String>,
    /// An address of the target that is not the one that the resource knows by itself.
    pub elsewhere: Vec<String>,
    /// The permissions that its verbs need, as [`dr_core::resource::Needs`] names them and [`Lever::Forbid`] takes
    /// them away.
    pub permissions: Vec<String>,
    /// What can be done to it.
    pub levers: Box<dyn Levers>,
}

/// What can be done to a subject beside its own verbs. There will be more: answer `false` to what you do not know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lever {
    /// A side falls silent: packets vanish, and nobody gets a connection. A closed port is not silence. On a real server:
    /// stop its process (`SIGSTOP`) and fill its queue of connections, and the kernel drops what comes after them.
    Silence(Side),
    /// A side accepts connections and never answers. On a real server: stop its process, and no more.
    Hang(Side),
    /// A side answers again. Pulled when it does.
    Heal(Side),
    /// Somebody else changes what the verb of that name acts on, to something that nobody asked for: for a fence, another
    /// run fences the side too.
    Meddle(&'static str),
    /// What the workloads of a side start with is broken.
    BreakRollouts(Side),
    /// Replication to the copies is cut, while every side answers. Pulled when the copies have lost their link.
    CutReplication,
    /// Somebody lets a fenced side write again, by hand and past whatever holds it.
    LiftFence(Side),
    /// A side has room for that many replicas of each workload, and not for one more.
    LimitRoom(Side, u32),
    /// A side has no address yet.
    NoAddress(Side),
    /// A side is entered elsewhere from now on: its addresses change.
    Readdress(Side),
    /// A permission of [`Subject::permissions`] is taken away, everywhere.
    Forbid(String),
    /// The copies that a side has now can be seen still and not be restored any more.
    SpoilCopies(Side),
    /// Nobody hears the alarms of a side.
    Deafen(Side),
    /// The alarms of a side do not act.
    Disarm(Side),
    /// The alarms of a side get no data.
    Starve(Side),
}

/// What each workload of a side runs with under a setting's name; `None` where it has no such setting.
pub type Told = BTreeMap<String, Option<String>>;

/// Pulls levers, and looks beside the resource's own observations.
#[async_trait]
pub trait Levers: fmt::Debug + Send + Sync {
    /// Pulls a lever, and returns when it is so; `false` if there is no such lever here.
    async fn pull(&self, lever: &Lever) -> bool;

    /// What matters of the world, as a text that is equal when nothing changed. `None`: the resource's own
    /// observations, without times, have to do. Best read beside the resource, by the system's own tool, and with what a
    /// restart would read from files; without what moves by itself (positions, sessions). Only asked while all sides answer.
    async fn look(&self) -> Option<String> {
        None
    }

    /// What the running workloads of a side were given under a setting's name, read beside the resource. `None`: it
    /// cannot be read here, and the cases that need it are skipped.
    async fn told(&self, side: &Side, setting: &str) -> Option<Told> {
        let _ = (side, setting);
        None
    }
}

impl Subject {
    /// A subject with ten seconds of patience.
    pub fn new(
        resource: Resource,
        source: impl Into<Side>,
        target: impl Into<Side>,
        levers: impl Levers + 'static,
    ) -> Self {
        Self {
            resource,
            source: source.into(),
            target: target.into(),
            patience: Duration::from_secs(10),
            settings: Vec::new(),
            canaries: Vec::new(),
            elsewhere: Vec::new(),
            permissions: Vec::new(),
            levers: Box::new(levers),
        }
    }

    /// With one more setting for the suite of `configure`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, is: Setting) -> Self {
        self.settings.push((name.into(), is));
        self
    }

    /// With one more text that may show nowhere.
    #[must_use]
    pub fn hiding(mut self, canary: impl Into<String>) -> Self {
        self.canaries.push(canary.into());
        self
    }

    /// With an address of the target that the resource does not know by itself.
    #[must_use]
    pub fn also_at(mut self, address: impl Into<String>) -> Self {
        self.elsewhere.push(address.into());
        self
    }

    /// With one more permission that its verbs need.
    #[must_use]
    pub fn needing(mut self, permission: impl Into<String>) -> Self {
        self.permissions.push(permission.into());
        self
    }

    /// The roles of its sides.
    pub fn roles(&self) -> Roles {
        Roles { source: self.source.clone(), target: self.target.clone() }
    }

    /// A context with its patience.
    pub fn cx(&self) -> Cx {
        self.cx_within(self.patience)
    }

    /// A context with that much time.
    pub fn cx_within(&self, time: Duration) -> Cx {
        Cx::new("20270115T080000Z-suites".into(), "suite/case".into(), time)
    }

    /// The same for another step of the same run.
    pub(super) fn cx_of(&self, step: &str) -> Cx {
        Cx::new("20270115T080000Z-suites".into(), step.into(), self.patience)
    }

    pub(super) async fn pull(&self, lever: Lever) -> Result<(), Stop> {
        if self.levers.pull(&lever).await { Ok(()) } else { Err(Stop::Skip(format!("no lever {lever:?}"))) }
    }

    pub(super) fn effect<C: Call>(&self) -> Result<Arc<dyn Effect<C>>, Stop> {
        self.resource.effect::<C>().ok_or_else(|| Stop::Skip(format!("it cannot `{}`", C::VERB)))
    }

    pub(super) async fn look(&self) -> Result<String, Stop> {
        if let Some(text) = self.levers.look().await {
            return Ok(text);
        }
        let mut text = String::new();
        for watch in self.resource.watches() {
            let seen = watch.watch(&self.cx()).await?;
            let timeless = |facts: BTreeMap<String, Fact>| {
                facts
                    .into_iter()
                    .filter(|(_, fact)| !matches!(fact, Fact::Time(_)))
                    .collect::<BTreeMap<_, _>>()
            };
            let sides: BTreeMap<Side, _> =
                seen.sides.into_iter().map(|(side, facts)| (side, timeless(facts))).collect();
            text.push_str(&format!("{}: {:?} {sides:?}\n", seen.group, timeless(seen.facts)));
        }
        Ok(text)
    }

    /// What runs on a side now.
    pub(super) async fn staff(&self, side: &Side) -> Result<Vec<dr_core::resource::WorkloadState>, Stop> {
        let observer = self.resource.observer::<Staffing>();
        let observer =
            observer.ok_or_else(|| Stop::Broken("workloads that cannot be observed".to_owned()))?;
        let seen = observer.observe(&self.cx()).await?;
        let known = seen.sides.get(side).cloned().flatten();
        known.ok_or_else(|| Stop::Broken(format!("what runs on {side} is unknown")))
    }
}
