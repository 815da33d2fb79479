//! What a suite is run on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Call, Cx, Effect, Fact, Resource, Roles};
use dr_core::{Result, Side, async_trait};

use super::report::Stop;

/// Makes what a suite is run on.
#[async_trait]
pub trait Fixture: fmt::Debug + Send + Sync {
    /// A fresh subject: the source serves, the target is its copy, everything answers.
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
    /// What can be done to it.
    pub levers: Box<dyn Levers>,
}

/// What can be done to a subject beside its own verbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lever {
    /// A side falls silent: packets vanish.
    Silence(Side),
    /// A side accepts connections and never answers.
    Hang(Side),
    /// A side answers again.
    Heal(Side),
    /// Somebody else changes what the verb of that name acts on, to something that nobody asked for.
    Meddle(&'static str),
    /// What the workloads of a side start with is broken.
    BreakRollouts(Side),
    /// Replication to the copies is cut.
    CutReplication,
}

/// Pulls levers, and looks beside the resource's own observations.
#[async_trait]
pub trait Levers: fmt::Debug + Send + Sync {
    /// Pulls a lever; `false` if there is no such lever here.
    async fn pull(&self, lever: &Lever) -> bool;

    /// What matters of the world, as a text that is equal when nothing changed. `None`: the resource's own
    /// observations, without times, have to do.
    async fn look(&self) -> Option<String> {
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
        let (source, target) = (source.into(), target.into());
        Self { resource, source, target, patience: Duration::from_secs(10), levers: Box::new(levers) }
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
}
