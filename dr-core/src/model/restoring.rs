//! The verb `restore` of a model: beside what is there, never over it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::backups::Copy;
use super::change::Change;
use super::store::ModelStore;
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{Before, Cx, Diff, Effect, Point, Prepared, Restore, Restored};

/// Something that was restored, beside the store's own nodes.
#[derive(Debug, Clone)]
pub(super) struct Restoration {
    /// The step that did it.
    token: String,
    from: String,
    holds: Instant,
    pub(super) usable: bool,
    used_by: Option<String>,
}

impl Restoration {
    /// For a snapshot of the world.
    pub(super) fn stands(&self) -> String {
        let ready = if self.usable { "ready" } else { "being restored" };
        let used = self.used_by.as_ref().map(|by| format!(" used by {by}"));
        format!("from {} {ready}{}", self.from, used.unwrap_or_default())
    }
}

/// What the restored thing is called, and which step may discard it.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    into: String,
    token: String,
}

impl ModelStore {
    /// Somebody else uses what was restored on a side.
    pub fn use_restored(&self, side: impl Into<Side>, by: &str) {
        self.change(|state| {
            for (_, restored) in state.restored.get_mut(&side.into()).into_iter().flatten() {
                restored.used_by = Some(by.to_owned());
            }
        });
    }

    /// What is restored on a side, by name.
    pub fn restored(&self, side: impl Into<Side>) -> Vec<String> {
        let restored = self.change(|state| {
            let there = state.restored.get(&side.into()).into_iter().flatten();
            there.map(|(name, _)| name.clone()).collect()
        });
        restored.unwrap_or_default()
    }

    fn name_of(&self, cx: &Cx, call: &Restore) -> Result<String> {
        if call.only.is_some() {
            return Err(Error::unsupported("a store is restored as a whole"));
        }
        let made_up = || format!("{}-restored-{}", self.name, cx.token.replace('/', "-"));
        Ok(call.into.clone().unwrap_or_else(made_up))
    }
}

impl Inner {
    pub(super) fn restored_mut(
        &mut self,
        store: &ResourceName,
        side: &Side,
        into: &str,
    ) -> Option<&mut Restoration> {
        self.stores.get_mut(store)?.restored.get_mut(side)?.get_mut(into)
    }

    /// What is there under that name by this very step; an error if it is somebody else's.
    fn ours(
        &self,
        store: &ResourceName,
        side: &Side,
        into: &str,
        token: &str,
    ) -> Result<Option<Restoration>> {
        let taken = || {
            let text = format!("there is something called {into} already, and nothing is restored over it");
            Error::new(ErrorKind::Conflict, text).on(side.as_str()).not_happened()
        };
        let state = self.stores.get(store);
        if state.is_some_and(|state| state.nodes.values().any(|node| node.name == into)) {
            return Err(taken());
        }
        match state.and_then(|state| state.restored.get(side)?.get(into)) {
            None => Ok(None),
            Some(restored) if restored.token == token => Ok(Some(restored.clone())),
            Some(_) => Err(taken()),
        }
    }

    fn pick(&self, store: &ResourceName, side: &Side, point: &Point) -> Result<Copy> {
        let copies = self.copies(store, side);
        let missing = |text: String| Error::new(ErrorKind::NotFound, text).on(side.as_str()).not_happened();
        let mut usable = copies.iter().filter(|copy| copy.usable);
        match point {
            Point::Latest => {
                usable.next().cloned().ok_or_else(|| missing("no copy there can be restored".to_owned()))
            }
            Point::At(at) => {
                let found = usable.find(|copy| self.wall(copy.taken) <= *at).cloned();
                found.ok_or_else(|| missing(format!("no copy there is as old as {at}")))
            }
            Point::Copy(id) => match copies.iter().find(|copy| copy.id == *id) {
                None => Err(missing(format!("there is no copy called {id}"))),
                Some(copy) if copy.usable => Ok(copy.clone()),
                Some(_) => {
                    let text = format!("{id} cannot be restored");
                    Err(Error::new(ErrorKind::NotReady, text).on(side.as_str()).not_happened())
                }
            },
        }
    }
}

#[async_trait]
impl Effect<Restore> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Restore) -> Result<Prepared> {
        let (side, into) = (call.side.side()?, self.name_of(cx, call)?);
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let before = Before::of(&Was { into: into.clone(), token: cx.token.clone() })?;
            let what = format!("{side} {into}");
            Ok(match world.ours(&self.name, side, &into, &cx.token)? {
                Some(restored) if restored.usable => Prepared::already(before),
                Some(restored) => Prepared::would(
                    Diff::one(what, "being restored", format!("from {}", restored.from)),
                    before,
                ),
                None => {
                    let copy = world.pick(&self.name, side, &call.point)?;
                    Prepared::would(Diff::one(what, "none", format!("from {}", copy.id)), before)
                }
            })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Restore, was: &Prepared) -> Result<Restored> {
        let side = call.side.side()?;
        let Was { into, token } = was.before.read()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            if world.ours(&self.name, side, &into, &token)?.is_some() {
                return Ok(());
            }
            let copy = world.pick(&self.name, side, &call.point)?;
            let (from, holds) = (copy.id, copy.taken);
            let restored = Restoration { token: token.clone(), from, holds, usable: false, used_by: None };
            let takes = world.pace.restore;
            if let Some(state) = world.stores.get_mut(&self.name) {
                state.restored.entry(side.clone()).or_default().insert(into.clone(), restored);
            }
            let (store, side, into) = (self.name.clone(), side.clone(), into.clone());
            world.ask(Change::Restored { store, side, into }, takes);
            Ok::<_, Error>(())
        })?;
        self.world
            .until(cx, "restore", |world| match world.ours(&self.name, side, &into, &token)? {
                Some(is) if is.usable => {
                    let holds = world.wall(is.holds);
                    Ok(Some(Restored::new(side.clone(), into.clone(), is.from, Some(holds))))
                }
                Some(_) => Ok(None),
                None => Err(Error::new(ErrorKind::Conflict, format!("somebody removed {into}"))),
            })
            .await
    }

    async fn undo(&self, cx: &Cx, call: &Restore, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        let Was { into, token } = was.read()?;
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            let Some(there) = world.restored_mut(&self.name, side, &into) else { return Ok(()) };
            if there.token != token {
                // This step was refused because of it, and restored nothing.
                return Ok(());
            }
            if let Some(by) = &there.used_by {
                let text = format!("{by} uses {into} meanwhile");
                return Err(Error::new(ErrorKind::Conflict, text).on(side.as_str()).not_happened());
            }
            world.requests += 1;
            let change =
                Change::Restored { store: self.name.clone(), side: side.clone(), into: into.clone() };
            world.pending.retain(|_, other| *other != change);
            let state = world.stores.get_mut(&self.name);
            if let Some(there) = state.and_then(|state| state.restored.get_mut(side)) {
                there.remove(&into);
            }
            Ok(())
        })
    }
}
