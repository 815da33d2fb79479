//! A service as its callers see it: behind a name, run by a fleet, on a store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::fault::Fault;
use super::world::{Inner, World};
use crate::ids::{Identity, ResourceName, Side};
use crate::resource::{Answer, Ask, Prober, Resource, Seat, SeatKind};

#[derive(Debug, Clone)]
pub(super) struct ServiceState {
    pub(super) zone: ResourceName,
    pub(super) fleet: Option<ResourceName>,
    pub(super) store: Option<ResourceName>,
}

/// A service behind a name. What it answers follows from the name, the fleet and the store.
#[derive(Debug, Clone)]
pub struct ModelService {
    pub(super) world: World,
    pub(super) name: ResourceName,
}

impl ModelService {
    /// The resource, with everything that it can do.
    pub fn resource(&self) -> Resource {
        Resource::new(Identity::new(format!("model:{}", self.name))).answering(Arc::new(self.clone()))
    }
}

impl Prober for ModelService {
    fn seat(&self, kind: SeatKind) -> Box<dyn Seat> {
        Box::new(ModelSeat { service: self.clone(), kind, known: None })
    }
}

#[derive(Debug)]
struct ModelSeat {
    service: ModelService,
    kind: SeatKind,
    /// The side that it remembers, and until when.
    known: Option<(Option<Side>, Instant)>,
}

#[derive(Debug)]
enum Said {
    Good(Side),
    Bad(String, Side),
    Nothing(String),
    Silence,
}

impl Inner {
    fn look_up(&mut self, service: &ServiceState) -> Option<(Option<Side>, Duration)> {
        let zone = self.zones.get_mut(&service.zone)?;
        let (values, ttl) = (zone.next_caller().unwrap_or_default(), zone.ttl);
        let side = zone.side_of(&values).cloned();
        Some((side.or_else(|| self.entered_at(&values)), ttl))
    }

    /// The side whose load balancer has all these addresses.
    fn entered_at(&self, values: &[String]) -> Option<Side> {
        let sides = self.fleets.values().flat_map(|fleet| &fleet.addresses);
        let mut there =
            sides.filter(|(_, of)| !values.is_empty() && values.iter().all(|one| of.contains(one)));
        there.next().map(|(side, _)| side.clone())
    }

    fn serve(&mut self, service: &ServiceState, side: &Side, write: bool) -> Said {
        match self.sides.get(side).copied().flatten() {
            Some(Fault::BlackHole | Fault::Hung) => return Said::Silence,
            Some(Fault::Closed | Fault::Denied) => return Said::Nothing("refused".to_owned()),
            None => {}
        }
        let states =
            service.fleet.as_ref().and_then(|fleet| self.fleets.get(fleet)).map(|fleet| &fleet.sides);
        if let Some(states) = states
            && !states.get(side).is_some_and(|states| states.values().all(|state| state.ready > 0))
        {
            return Said::Nothing("nothing listens".to_owned());
        }
        let Some(store) = &service.store else { return Said::Good(side.clone()) };
        let open = |side: &Side| matches!(self.fault(store, side), Ok(None));
        let Some(state) = self.stores.get(store) else { return Said::Good(side.clone()) };
        let up = |side: &Side| state.nodes.get(side).is_some_and(super::node::Node::is_up) && open(side);
        let writer = state.nodes.iter().any(|(name, node)| node.is_writable() && open(name));
        match (write, writer) {
            (true, false) => Said::Bad("HTTP 503: nobody takes writes".to_owned(), side.clone()),
            (true, true) => Said::Good(side.clone()),
            (false, true) => Said::Good(side.clone()),
            (false, false) if up(side) => Said::Good(side.clone()),
            (false, false) => Said::Bad("HTTP 503: no database".to_owned(), side.clone()),
        }
    }
}

#[async_trait]
impl Seat for ModelSeat {
    async fn ask(&mut self, ask: Ask, within: Duration) -> Answer {
        let began = Instant::now();
        let now = began;
        let world = &self.service.world;
        let look = world.with(|world| world.pace.look).min(within);
        tokio::time::sleep(look).await;
        let Some(state) = world.with(|world| world.services.get(&self.service.name).cloned()) else {
            return Answer::none("there is no such service", began.elapsed());
        };
        let fresh = self.known.as_ref().filter(|(_, until)| now < *until || self.kind == SeatKind::Kept);
        let side = match fresh {
            Some((side, _)) => side.clone(),
            None => {
                let Some((side, ttl)) = world.with(|world| world.look_up(&state)) else {
                    return Answer::none("its name does not resolve", began.elapsed());
                };
                self.known = Some((side.clone(), now + ttl));
                side
            }
        };
        let Some(side) = side else {
            return Answer::none("its address is nobody's", began.elapsed());
        };
        let said = world.with(|world| world.serve(&state, &side, ask.write));
        let answer = match said {
            Said::Good(side) => return Answer::good(Some(side), ask.write, began.elapsed()),
            Said::Bad(why, side) => return Answer::bad(why, Some(side), began.elapsed()),
            Said::Nothing(why) => why,
            Said::Silence => {
                tokio::time::sleep(within.saturating_sub(began.elapsed())).await;
                "nothing in time".to_owned()
            }
        };
        // A kept connection is broken now: the next question opens another, as the cache allows.
        if let Some((_, until)) = &self.known
            && self.kind == SeatKind::Kept
            && *until <= Instant::now()
        {
            self.known = None;
        }
        Answer::none(answer, began.elapsed())
    }
}
