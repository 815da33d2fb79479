//! A name that callers use, and the servers that answer for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::change::Change;
use super::world::{Inner, World};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Identity, ResourceName, Side};
use crate::resource::{
    Before, Cx, Diff, Effect, Observe, Prepared, Propagation, Resource, Route, Routed, Routing, ServerAnswer,
};
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Zone {
    pub(super) ttl: Duration,
    /// What the record holds: the primary server's word. The others follow.
    pub(super) record: Vec<String>,
    /// What each server answers.
    pub(super) servers: Vec<Vec<String>>,
    silent: Vec<bool>,
    values: BTreeMap<Side, Vec<String>>,
    moved: Option<(Vec<String>, Timestamp)>,
}

impl Zone {
    pub(super) fn new<'a>(sides: impl Iterator<Item = &'a Side>, ttl: Duration) -> Self {
        let values: Vec<(Side, Vec<String>)> = sides
            .enumerate()
            .map(|(index, side)| (side.clone(), vec![format!("192.0.2.{}", index + 1)]))
            .collect();
        let record = values.first().map(|(_, values)| values.clone()).unwrap_or_default();
        Self {
            ttl,
            servers: vec![record.clone(); 2],
            record,
            silent: vec![false; 2],
            values: values.into_iter().collect(),
            moved: None,
        }
    }

    pub(super) fn side_of(&self, values: &[String]) -> Option<&Side> {
        self.values.iter().find(|(_, of)| of.as_slice() == values).map(|(side, _)| side)
    }

    /// What a resolver is told.
    pub(super) fn answer(&self) -> Option<&[String]> {
        self.servers
            .iter()
            .zip(&self.silent)
            .find(|(_, silent)| !**silent)
            .map(|(values, _)| values.as_slice())
    }

    /// Whether every server that answers says so, and there is one.
    fn says(&self, wanted: &[String]) -> bool {
        let mut answers = self.servers.iter().zip(&self.silent).filter(|(_, silent)| !**silent).peekable();
        answers.peek().is_some() && answers.all(|(values, _)| values == wanted)
    }

    fn of(&self, side: &Side) -> Result<Vec<String>> {
        self.values.get(side).cloned().ok_or_else(|| Error::invalid(format!("there is no side {side}")))
    }
}

/// A record in a zone with two authoritative servers; the second answers a little later.
#[derive(Debug, Clone)]
pub struct ModelTraffic {
    pub(super) world: World,
    pub(super) name: ResourceName,
}

#[derive(Debug, Serialize, Deserialize)]
struct Was {
    values: Vec<String>,
}

impl ModelTraffic {
    /// The resource, with everything that it can do.
    pub fn resource(&self) -> Resource {
        let this = Arc::new(self.clone());
        Resource::new(Identity::new(format!("model:{}", self.name)))
            .observing::<Routing>(this.clone())
            .with::<Route>(this)
    }

    /// One of its two servers does not answer any more, or answers again.
    pub fn silence(&self, server: usize, silent: bool) {
        self.zone(|zone| {
            if let Some(of) = zone.silent.get_mut(server) {
                *of = silent;
            }
        });
    }

    /// Somebody else changes the record, at once and everywhere.
    pub fn point_at(&self, value: &str) {
        self.zone(|zone| {
            zone.record = vec![value.to_owned()];
            zone.servers = vec![zone.record.clone(); zone.servers.len()];
        });
    }

    /// The side that callers are sent to, if every server agrees.
    pub fn side(&self) -> Option<Side> {
        self.zone(|zone| {
            let values = zone.answer()?.to_vec();
            zone.says(&values).then(|| zone.side_of(&values).cloned()).flatten()
        })
        .flatten()
    }

    pub(super) fn zone<T>(&self, look: impl FnOnce(&mut Zone) -> T) -> Option<T> {
        self.world.with(|world| world.zones.get_mut(&self.name).map(look))
    }

    async fn look(&self, cx: &Cx) -> Result<()> {
        let pace = self.world.with(|world| world.pace);
        cx.bound("ask the servers", async {
            tokio::time::sleep(pace.look).await;
            Ok(())
        })
        .await?;
        match self.zone(|zone| zone.answer().is_some()) {
            Some(true) => Ok(()),
            Some(false) | None => Err(Error::new(ErrorKind::Unreachable, "no authoritative server answers")),
        }
    }

    /// Puts a value into the record, if it holds one of the values that are expected, and waits until all say so.
    async fn put(&self, cx: &Cx, wanted: &[String], expected: &[&[String]]) -> Result<()> {
        self.world.with(|world| {
            let propagate = world.pace.propagate;
            let now = world.wall(Instant::now());
            let Some(zone) = world.zones.get_mut(&self.name) else {
                return Err(Error::invalid("there is no such zone"));
            };
            if zone.record == wanted {
                return Ok(());
            }
            if !expected.contains(&zone.record.as_slice()) {
                let text = format!("somebody else set it to {}", zone.record.join(","));
                return Err(Error::new(ErrorKind::Conflict, text).on(self.name.as_str()).not_happened());
            }
            let servers = u32::try_from(zone.servers.len()).unwrap_or(1);
            zone.record = wanted.to_vec();
            zone.moved = Some((wanted.to_vec(), now.plus(propagate * servers)));
            // The newest word wins on every server.
            world.pending.retain(|_, change| !change.answers_for(&self.name));
            for server in 0..servers {
                let (zone, values) = (self.name.clone(), wanted.to_vec());
                world.ask(Change::Answer { zone, server: server as usize, values }, propagate * (server + 1));
            }
            Ok(())
        })?;
        self.world
            .until(cx, "route", |world| {
                let under_way = world.pending.values().any(|change| change.answers_for(&self.name));
                let zone = world.zones.get(&self.name);
                Ok((!under_way && zone.is_some_and(|zone| zone.says(wanted))).then_some(()))
            })
            .await
    }
}

#[async_trait]
impl Observe<Routing> for ModelTraffic {
    async fn observe(&self, cx: &Cx) -> Result<Routing> {
        self.look(cx).await?;
        self.world.with(|world| world.routing(&self.name))
    }
}

impl Inner {
    fn routing(&self, name: &ResourceName) -> Result<Routing> {
        let zone = self.zones.get(name).ok_or_else(|| Error::invalid("there is no such zone"))?;
        let answers = zone
            .servers
            .iter()
            .zip(&zone.silent)
            .enumerate()
            .map(|(index, (values, silent))| ServerAnswer {
                server: format!("ns{}", index + 1),
                values: (!silent).then(|| values.clone()),
                side: if *silent { None } else { zone.side_of(values).cloned() },
            })
            .collect();
        Ok(Routing::new(self.wall(Instant::now()), name.as_str(), Some(zone.ttl), answers))
    }
}

#[async_trait]
impl Effect<Route> for ModelTraffic {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        let side = call.to.side()?;
        self.look(cx).await.map_err(Error::not_happened)?;
        self.zone(|zone| {
            let wanted = zone.of(side)?;
            let before = Before::of(&Was { values: zone.record.clone() })?;
            Ok(if zone.says(&wanted) && zone.record == wanted {
                Prepared::already(before)
            } else {
                Prepared::would(Diff::one("callers", zone.record.join(","), wanted.join(",")), before)
            })
        })
        .unwrap_or_else(|| Err(Error::invalid("there is no such zone")))
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        let side = call.to.side()?;
        let found: Was = was.before.read()?;
        self.look(cx).await.map_err(Error::not_happened)?;
        let wanted = self
            .zone(|zone| zone.of(side))
            .unwrap_or_else(|| Err(Error::invalid("there is no such zone")))?;
        self.put(cx, &wanted, &[&found.values]).await?;
        let now = cx.now();
        let seen = self.zone(|zone| (zone.ttl, zone.moved.clone()));
        let (ttl, moved) = seen.unwrap_or((Duration::ZERO, None));
        let last_old = moved.filter(|(to, _)| *to == wanted).map_or(now, |(_, at)| at);
        Ok(Routed::new(side.clone(), Propagation::Answers, last_old, ttl))
    }

    async fn undo(&self, cx: &Cx, call: &Route, was: &Before) -> Result<()> {
        let side = call.to.side()?;
        let was: Was = was.read()?;
        self.look(cx).await?;
        let left = self
            .zone(|zone| zone.of(side))
            .unwrap_or_else(|| Err(Error::invalid("there is no such zone")))?;
        self.put(cx, &was.values, &[&left]).await
    }
}
