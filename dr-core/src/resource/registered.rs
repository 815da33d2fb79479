//! What a backend connects to: a value that holds every verb and observation it can do.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::action::{Action, Bound};
use super::addresses::Addresses;
use super::at::Roles;
use super::call::Call;
use super::cx::Cx;
use super::effect::Effect;
use super::fence::Holds;
use super::ledger::Ledger;
use super::observe::{Observation, Observe, Seen, Watch};
use super::probe::Prober;
use super::prove::Proves;
use super::room::Room;
use crate::error::Result;
use crate::ids::{Identity, Side};

type Bind = dyn Fn(Value, &Roles) -> Result<Arc<dyn Action>, serde_json::Error> + Send + Sync;

/// A connected resource. What is registered on it is what it can do.
#[derive(Clone)]
pub struct Resource {
    identity: Identity,
    effects: BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>,
    verbs: BTreeMap<&'static str, Arc<Bind>>,
    observers: BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>,
    watches: Vec<Arc<dyn Watch>>,
    holds: Option<Arc<dyn Holds>>,
    ledger: Option<Arc<dyn Ledger>>,
    prober: Option<Arc<dyn Prober>>,
    room: Option<Arc<dyn Room>>,
    addresses: Option<Arc<dyn Addresses>>,
    proves: Option<Arc<dyn Proves>>,
    fences_itself: bool,
}

impl Resource {
    /// A resource that can do nothing yet.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            effects: BTreeMap::new(),
            verbs: BTreeMap::new(),
            observers: BTreeMap::new(),
            watches: Vec::new(),
            holds: None,
            ledger: None,
            prober: None,
            room: None,
            addresses: None,
            proves: None,
            fences_itself: false,
        }
    }

    /// What it is, for people; claims are on [`super::Configured::identities`].
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Adds a verb. A second registration of the same verb replaces the first: that is how decorators are put on.
    #[must_use]
    pub fn with<C: Call>(mut self, effect: Arc<dyn Effect<C>>) -> Self {
        let bound = Arc::clone(&effect);
        self.effects.insert(TypeId::of::<C>(), Arc::new(effect));
        self.verbs.insert(
            C::VERB,
            Arc::new(move |value, roles| {
                let mut call: C = serde_json::from_value(value)?;
                call.aim(roles);
                Ok(Arc::new(Bound::new(Arc::clone(&bound), call)))
            }),
        );
        self
    }

    /// Adds an observation.
    #[must_use]
    pub fn observing<O: Observation>(mut self, observer: Arc<dyn Observe<O>>) -> Self {
        self.observers.insert(TypeId::of::<O>(), Arc::new(Arc::clone(&observer)));
        self.watches.push(Arc::new(Erased(observer)));
        self
    }

    /// Adds the word on whether a fence holds.
    #[must_use]
    pub fn fencing(mut self, holds: Arc<dyn Holds>) -> Self {
        self.holds = Some(holds);
        self
    }

    /// Adds the way to write numbered rows through it.
    #[must_use]
    pub fn keeping(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Adds the way to ask it as a caller would. The verb `probe` comes with it.
    #[must_use]
    pub fn answering(mut self, prober: Arc<dyn Prober>) -> Self {
        let effect = Arc::new(super::probe::ProbeEffect::new(Arc::clone(&prober)));
        self.prober = Some(prober);
        self.with::<super::probe::Probe>(effect)
    }

    /// Adds the word on whether there is room for a scale.
    #[must_use]
    pub fn measuring_room(mut self, room: Arc<dyn Room>) -> Self {
        self.room = Some(room);
        self
    }

    /// Adds the word on where a side is entered.
    #[must_use]
    pub fn addressed(mut self, addresses: Arc<dyn Addresses>) -> Self {
        self.addresses = Some(addresses);
        self
    }

    /// Adds the way to prove what a run will need.
    #[must_use]
    pub fn proving(mut self, proves: Arc<dyn Proves>) -> Self {
        self.proves = Some(proves);
        self
    }

    /// Says that its planned promotion fences the old writer by itself, in one step with it, and loses nothing: an
    /// Aurora switchover. Says nothing about unplanned promotions.
    #[must_use]
    pub fn fencing_itself_when_planned(mut self) -> Self {
        self.fences_itself = true;
        self
    }

    /// The effect of a verb.
    pub fn effect<C: Call>(&self) -> Option<Arc<dyn Effect<C>>> {
        self.effects.get(&TypeId::of::<C>())?.downcast_ref::<Arc<dyn Effect<C>>>().cloned()
    }

    /// The observer of a kind.
    pub fn observer<O: Observation>(&self) -> Option<Arc<dyn Observe<O>>> {
        self.observers.get(&TypeId::of::<O>())?.downcast_ref::<Arc<dyn Observe<O>>>().cloned()
    }

    /// Every observation it offers, in the order of registration.
    pub fn watches(&self) -> &[Arc<dyn Watch>] {
        &self.watches
    }

    /// The word on whether a fence holds.
    pub fn holds(&self) -> Option<Arc<dyn Holds>> {
        self.holds.clone()
    }

    /// The way to write numbered rows through it.
    pub fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        self.ledger.clone()
    }

    /// The way to ask it as a caller would.
    pub fn prober(&self) -> Option<Arc<dyn Prober>> {
        self.prober.clone()
    }

    /// The word on whether there is room for a scale.
    pub fn room(&self) -> Option<Arc<dyn Room>> {
        self.room.clone()
    }

    /// The word on where a side is entered.
    pub fn addresses(&self) -> Option<Arc<dyn Addresses>> {
        self.addresses.clone()
    }

    /// The way to prove what a run will need.
    pub fn proves(&self) -> Option<Arc<dyn Proves>> {
        self.proves.clone()
    }

    /// Whether its planned promotion fences the old writer by itself.
    pub fn fences_itself_when_planned(&self) -> bool {
        self.fences_itself
    }

    /// Binds a call from a plan or a journal to its effect; `None` if the resource cannot do the verb.
    ///
    /// # Errors
    /// If the call's JSON is not what the verb takes.
    pub fn bind(
        &self,
        verb: &str,
        call: Value,
        roles: &Roles,
    ) -> Option<Result<Arc<dyn Action>, serde_json::Error>> {
        self.verbs.get(verb).map(|bind| bind(call, roles))
    }

    /// The verbs that it can do.
    pub fn verbs(&self) -> impl Iterator<Item = &'static str> {
        self.verbs.keys().copied()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("identity", &self.identity)
            .field("verbs", &self.verbs.keys())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Erased<O: Observation>(Arc<dyn Observe<O>>);

#[async_trait]
impl<O: Observation> Watch for Erased<O> {
    fn group(&self) -> &'static str {
        O::GROUP
    }

    async fn watch(&self, cx: &Cx) -> Result<Seen> {
        Seen::of(&self.0.observe(cx).await?)
    }

    async fn watch_side(&self, cx: &Cx, side: &Side) -> Result<Seen> {
        Seen::of(&self.0.observe_side(cx, side).await?)
    }
}
