//! The verb `backup` of a model, and how its copies look.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::change::Change;
use super::store::ModelStore;
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{BackedUp, Backup, Before, Copies, CopyState, Cx, Diff, Effect, Observe, Prepared};

/// A copy of a store on one side.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    pub(super) id: String,
    /// The moment that it holds.
    pub(super) taken: Instant,
    pub(super) usable: bool,
    spoilt: bool,
    /// Who wants it to stay, beside whoever took it.
    kept_by: Option<String>,
}

impl Copy {
    fn state(&self) -> &'static str {
        match (self.usable, self.spoilt) {
            (true, _) => "available",
            (false, true) => "damaged",
            (false, false) => "creating",
        }
    }

    /// For a snapshot of the world.
    pub(super) fn stands(&self) -> String {
        let kept = self.kept_by.as_ref().map(|by| format!(" kept by {by}"));
        format!("{}{}", self.state(), kept.unwrap_or_default())
    }
}

/// The name of the copy that a step takes.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    id: String,
}

impl ModelStore {
    /// A copy that somebody's schedule takes, at once.
    pub fn copied(&self, side: impl Into<Side>) {
        let side = side.into();
        self.world.with(|world| {
            let id = format!("scheduled-{}", world.next_id());
            let copy = Copy { id, taken: Instant::now(), usable: true, spoilt: false, kept_by: None };
            if let Some(state) = world.stores.get_mut(&self.name) {
                state.copies.entry(side).or_default().push(copy);
            }
        });
    }

    /// The copies that a side has now cannot be restored any more.
    pub fn spoil_copies(&self, side: impl Into<Side>) {
        self.change(|state| {
            for copy in state.copies.get_mut(&side.into()).into_iter().flatten() {
                (copy.usable, copy.spoilt) = (false, true);
            }
        });
    }

    /// Somebody else marks a side's copies as theirs to keep.
    pub fn keep_copies(&self, side: impl Into<Side>, by: &str) {
        self.change(|state| {
            for copy in state.copies.get_mut(&side.into()).into_iter().flatten() {
                copy.kept_by = Some(by.to_owned());
            }
        });
    }

    /// Where a call wants its copy.
    fn places(call: &Backup) -> Result<Vec<Side>> {
        let mut places = vec![call.side.side()?.clone()];
        if let Some(other) = &call.copy_to {
            let other = other.side()?;
            if places.contains(other) {
                return Err(Error::invalid(format!("a copy of {other} is on {other} already")));
            }
            places.push(other.clone());
        }
        Ok(places)
    }

    /// Has it made on one side, and waits until it can be restored there.
    async fn make_copy(&self, cx: &Cx, side: &Side, id: &str, taken: Option<Instant>) -> Result<Instant> {
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            if world.copy_mut(&self.name, side, id).is_some() {
                return;
            }
            let taken = taken.unwrap_or_else(Instant::now);
            let copy = Copy { id: id.to_owned(), taken, usable: false, spoilt: false, kept_by: None };
            let takes = world.pace.backup;
            if let Some(state) = world.stores.get_mut(&self.name) {
                state.copies.entry(side.clone()).or_default().push(copy);
            }
            let (store, side, id) = (self.name.clone(), side.clone(), id.to_owned());
            world.ask(Change::Copied { store, side, id }, takes);
        });
        self.world
            .until(cx, "backup", |world| match world.copy_mut(&self.name, side, id) {
                Some(copy) if copy.usable => Ok(Some(copy.taken)),
                Some(copy) if copy.spoilt => {
                    Err(Error::new(ErrorKind::Refused, format!("{id} is damaged")).on(side.as_str()))
                }
                Some(_) => Ok(None),
                None => {
                    Err(Error::new(ErrorKind::Conflict, format!("somebody removed {id}")).on(side.as_str()))
                }
            })
            .await
    }
}

impl Inner {
    pub(super) fn copy_mut(&mut self, store: &ResourceName, side: &Side, id: &str) -> Option<&mut Copy> {
        self.stores.get_mut(store)?.copies.get_mut(side)?.iter_mut().find(|copy| copy.id == id)
    }

    pub(super) fn copies(&self, store: &ResourceName, side: &Side) -> Vec<Copy> {
        let copies = self.stores.get(store).and_then(|state| state.copies.get(side));
        let mut copies = copies.cloned().unwrap_or_default();
        copies.sort_by_key(|copy| std::cmp::Reverse(copy.taken));
        copies
    }
}

#[async_trait]
impl Observe<Copies> for ModelStore {
    async fn observe(&self, cx: &Cx) -> Result<Copies> {
        self.world.look_everywhere(cx, &self.name).await;
        self.world.with(|world| {
            let mut sides = BTreeMap::new();
            for side in world.sides.keys() {
                let seen = match world.fault(&self.name, side)? {
                    Some(_) => None,
                    None => Some(
                        world
                            .copies(&self.name, side)
                            .into_iter()
                            .map(|copy| {
                                CopyState::new(&copy.id, self.name.as_str(), Some(world.wall(copy.taken)))
                                    .in_state(copy.state(), copy.usable)
                            })
                            .collect(),
                    ),
                };
                sides.insert(side.clone(), seen);
            }
            Ok(Copies::new(world.wall(Instant::now()), sides))
        })
    }
}

#[async_trait]
impl Effect<Backup> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Backup) -> Result<Prepared> {
        let places = Self::places(call)?;
        let id = format!("{}-{}", self.name, cx.token.replace('/', "-"));
        let mut diff = Diff::default();
        for side in &places {
            self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
            let there = self.world.with(|world| {
                let copy = world.copy_mut(&self.name, side, &id);
                copy.map(|copy| (copy.usable, copy.state()))
            });
            if let Some((false, state)) = there {
                diff = diff.and(format!("{side} {id}"), state, "available");
            } else if there.is_none() {
                diff = diff.and(format!("{side} {id}"), "none", "available");
            }
        }
        let before = Before::of(&Was { id })?;
        Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
    }

    async fn apply(&self, cx: &Cx, call: &Backup, was: &Prepared) -> Result<BackedUp> {
        let places = Self::places(call)?;
        let Was { id } = was.before.read()?;
        for side in &places {
            self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        }
        let mut taken = None;
        for side in &places {
            taken = Some(self.make_copy(cx, side, &id, taken).await?);
        }
        let taken = self.world.with(|world| world.wall(taken.unwrap_or(world.begun)));
        let copies = places.into_iter().map(|side| (side, id.clone())).collect();
        Ok(BackedUp::new(call.side.side()?.clone(), copies, taken))
    }

    /// Removes what the step took, everywhere or nowhere.
    async fn undo(&self, cx: &Cx, call: &Backup, was: &Before) -> Result<()> {
        let places = Self::places(call)?;
        let Was { id } = was.read()?;
        for side in &places {
            self.world.reach(cx, &self.name, side).await?;
        }
        self.world.with(|world| {
            for side in &places {
                if let Some(by) = world.copy_mut(&self.name, side, &id).and_then(|copy| copy.kept_by.clone())
                {
                    let text = format!("{by} keeps {id} meanwhile");
                    return Err(Error::new(ErrorKind::Conflict, text).on(side.as_str()).not_happened());
                }
            }
            world.requests += 1;
            world.pending.retain(|_, change| {
                !matches!(change, Change::Copied { store, id: of, .. } if *store == self.name && *of == id)
            });
            if let Some(state) = world.stores.get_mut(&self.name) {
                for side in &places {
                    state.copies.entry(side.clone()).or_default().retain(|copy| copy.id != id);
                }
            }
            Ok(())
        })
    }
}
