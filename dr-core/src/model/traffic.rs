//! A name that callers use, and the servers that answer for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::change::Change;
use super::world::{Inner, World};
use super::zone::{Word, Zone};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Identity, ResourceName, Side};
use crate::resource::{
    Before, Cx, Diff, Effect, Observe, Prepared, Propagation, Resource, Route, Routed, Routing, ServerAnswer,
    Share,
};

/// A record in a zone with two authoritative servers; the second answers a little later. All callers are sent to one
/// side, unless it is told to [`share`](Self::share).
#[derive(Debug, Clone)]
pub struct ModelTraffic {
    pub(super) world: World,
    pub(super) name: ResourceName,
}

#[derive(Debug, Serialize, Deserialize)]
struct Was {
    found: Word,
    /// What the call was going to leave. An undo is told no address, and the one that was told may be another by then.
    left: Word,
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
        self.zone(|zone| zone.overwrite(vec![value.to_owned()]));
    }

    /// It has an entry for each side from now on, and callers can be shared out.
    pub fn share(&self) {
        self.zone(Zone::share_out);
    }

    /// Something there would send callers to a side by itself, until a route keeps it from that.
    pub fn moves_by_itself(&self, name: &str, to: impl Into<Side>) {
        self.zone(|zone| zone.automatism = Some((name.to_owned(), to.into())));
    }

    /// What would move callers by itself does so now, if nothing keeps it from that. Whether it did.
    pub fn let_it_move(&self) -> bool {
        self.zone(|zone| {
            let Some((_, to)) = zone.automatism.clone().filter(|_| !zone.record.pinned) else { return false };
            let Ok(word) = zone.wanted(&Route::to(to), &zone.record) else { return false };
            zone.record = Word { pinned: false, ..word };
            zone.servers = vec![zone.record.clone(); zone.servers.len()];
            true
        })
        .unwrap_or(false)
    }

    /// Which share of the callers a side gets by the record.
    pub fn share_of(&self, side: impl Into<Side>) -> Share {
        let side = side.into();
        self.zone(|zone| {
            let all = zone.side_in(&zone.record) == Some(side.clone());
            let kept = zone.record.entries.iter().find(|entry| entry.side.as_ref() == Some(&side));
            kept.map_or(if all { Share::ALL } else { Share::NONE }, |entry| entry.share)
        })
        .unwrap_or(Share::NONE)
    }

    /// What the record tells callers now.
    pub fn answers(&self) -> Vec<String> {
        self.zone(|zone| zone.record.values()).unwrap_or_default()
    }

    /// The side that callers are sent to, if every server agrees.
    pub fn side(&self) -> Option<Side> {
        self.zone(|zone| {
            let word = zone.answer()?.clone();
            zone.says(&word).then(|| zone.side_in(&word)).flatten()
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
    async fn put(&self, cx: &Cx, wanted: &Word, expected: &[&Word]) -> Result<()> {
        self.world.with(|world| {
            let propagate = world.pace.propagate;
            let now = world.wall(Instant::now());
            let Some(zone) = world.zones.get_mut(&self.name) else {
                return Err(Error::invalid("there is no such zone"));
            };
            if zone.record == *wanted {
                return Ok(());
            }
            if !expected.contains(&&zone.record) {
                let text = format!("somebody else set it to {}", zone.record.values().join(","));
                return Err(Error::new(ErrorKind::Conflict, text).on(self.name.as_str()).not_happened());
            }
            let servers = u32::try_from(zone.servers.len()).unwrap_or(1);
            zone.record = wanted.clone();
            zone.moved = Some((wanted.clone(), now.plus(propagate * servers)));
            // The newest word wins on every server.
            world.pending.retain(|_, change| !change.answers_for(&self.name));
            for server in 0..servers {
                let (zone, word) = (self.name.clone(), wanted.clone());
                world.ask(Change::Answer { zone, server: server as usize, word }, propagate * (server + 1));
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
            .map(|(index, (word, silent))| ServerAnswer {
                server: format!("ns{}", index + 1),
                values: (!silent).then(|| word.values()),
                side: if *silent { None } else { zone.side_in(word) },
            })
            .collect();
        let shares = zone.shared.then(|| {
            let entries = zone.record.entries.iter();
            entries.filter_map(|entry| Some((entry.side.clone()?, entry.share))).collect()
        });
        let loose = zone.automatism.iter().filter(|_| !zone.record.pinned).map(|(name, _)| name.clone());
        Ok(Routing::new(self.wall(Instant::now()), name.as_str(), Some(zone.ttl), answers)
            .sharing(shares.unwrap_or_default())
            .with_automatisms(loose.collect()))
    }
}

#[async_trait]
impl Effect<Route> for ModelTraffic {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        self.look(cx).await.map_err(Error::not_happened)?;
        self.zone(|zone| {
            let found = zone.record.clone();
            let left = zone.wanted(call, &found)?;
            let is_so = zone.says(&left) && found == left;
            let mut diff = Diff::one("callers", shown(&found), shown(&left));
            if left.pinned != found.pinned {
                diff = diff.and("what moves them by itself", "free", "kept from it");
            }
            let before = Before::of(&Was { found, left })?;
            Ok(if is_so { Prepared::already(before) } else { Prepared::would(diff, before) })
        })
        .unwrap_or_else(|| Err(Error::invalid("there is no such zone")))
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        let side = call.to.side()?;
        let was: Was = was.before.read()?;
        self.look(cx).await.map_err(Error::not_happened)?;
        let wanted = self
            .zone(|zone| zone.wanted(call, &was.found))
            .unwrap_or_else(|| Err(Error::invalid("there is no such zone")))?;
        self.put(cx, &wanted, &[&was.found, &was.left]).await?;
        let now = cx.now();
        let seen = self.zone(|zone| (zone.ttl, zone.moved.clone()));
        let (ttl, moved) = seen.unwrap_or((Duration::ZERO, None));
        let last_old = moved.filter(|(to, _)| *to == wanted).map_or(now, |(_, at)| at);
        Ok(Routed::new(side.clone(), Propagation::Answers, last_old, ttl).sharing(call.share))
    }

    async fn undo(&self, cx: &Cx, _call: &Route, was: &Before) -> Result<()> {
        let was: Was = was.read()?;
        self.look(cx).await?;
        self.put(cx, &was.found, &[&was.left]).await
    }
}

/// Who is told what, for people.
fn shown(word: &Word) -> String {
    let one = |entry: &super::zone::Entry| match (entry.share, &entry.side) {
        (Share::ALL, _) | (_, None) => entry.values.join(","),
        (share, Some(side)) => format!("{share} to {side} ({})", entry.values.join(",")),
    };
    word.told().map(one).collect::<Vec<_>>().join(", ")
}
