//! An alarm on each side, that somebody hears or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::change::Change;
use super::world::{Inner, World};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Identity, ResourceName, Side};
use crate::resource::{
    AlarmStands, AlarmState, Alarms, Before, Cx, Diff, Effect, Observe, Prepared, Resource, Trigger,
    Triggered,
};

/// A side's alarm.
#[derive(Debug)]
pub(super) struct Bell {
    pub(super) stands: AlarmStands,
    /// The step that set it off, while it rings.
    pub(super) rung_by: Option<String>,
    pub(super) starved: bool,
    pub(super) reaches: Vec<String>,
    pub(super) armed: bool,
    /// Each rehearsal that it remembers, and whom it reached.
    pub(super) rang: BTreeMap<String, Vec<String>>,
    /// How often somebody was called.
    pub(super) calls: u64,
}

impl Bell {
    pub(super) fn reaching(reaches: &[&str]) -> Self {
        Self {
            stands: AlarmStands::Quiet,
            rung_by: None,
            starved: false,
            reaches: reaches.iter().map(|who| (*who).to_owned()).collect(),
            armed: true,
            rang: BTreeMap::new(),
            calls: 0,
        }
    }
}

/// An alarm on each side. It remembers who was called by which step, as a real one's history does.
#[derive(Debug, Clone)]
pub struct ModelAlarm {
    pub(super) world: World,
    pub(super) name: ResourceName,
}

impl ModelAlarm {
    /// The resource, with everything that it can do.
    pub fn resource(&self) -> Resource {
        let this = Arc::new(self.clone());
        Resource::new(Identity::new(format!("model:{}", self.name)))
            .observing::<Alarms>(this.clone())
            .with::<Trigger>(this)
    }

    fn at<T>(&self, side: &Side, change: impl FnOnce(&mut Bell) -> T) -> Option<T> {
        self.world.with(|world| world.alarms.get_mut(&self.name)?.get_mut(side).map(change))
    }

    /// Nobody hears a side's alarm any more.
    pub fn deafen(&self, side: impl Into<Side>) {
        self.at(&side.into(), |bell| bell.reaches.clear());
    }

    /// A side's alarm does not act any more.
    pub fn disarm(&self, side: impl Into<Side>) {
        self.at(&side.into(), |bell| bell.armed = false);
    }

    /// A side's alarm gets no data any more.
    pub fn starve(&self, side: impl Into<Side>) {
        self.at(&side.into(), |bell| {
            bell.starved = true;
            bell.stands = AlarmStands::NoData;
        });
    }

    /// How often somebody was called by a side's alarm.
    pub fn calls(&self, side: impl Into<Side>) -> u64 {
        self.at(&side.into(), |bell| bell.calls).unwrap_or_default()
    }
}

impl Inner {
    fn bell(&mut self, alarm: &ResourceName, side: &Side) -> Result<&mut Bell> {
        self.alarms
            .get_mut(alarm)
            .and_then(|sides| sides.get_mut(side))
            .ok_or_else(|| Error::invalid(format!("{alarm} has no side {side}")))
    }

    /// It went off, and whoever it reaches was called.
    pub(super) fn rang(&mut self, alarm: &ResourceName, side: &Side) {
        let Ok(bell) = self.bell(alarm, side) else { return };
        if let Some(step) = bell.rung_by.take() {
            bell.calls += 1;
            bell.rang.insert(step, bell.reaches.clone());
            bell.stands = if bell.starved { AlarmStands::NoData } else { AlarmStands::Quiet };
        }
    }
}

#[async_trait]
impl Observe<Alarms> for ModelAlarm {
    async fn observe(&self, cx: &Cx) -> Result<Alarms> {
        self.world.look_everywhere(cx, &self.name).await;
        self.world.with(|world| {
            let mut sides = BTreeMap::new();
            let all: Vec<Side> = world.sides.keys().cloned().collect();
            for side in all {
                let seen = match world.fault(&self.name, &side)? {
                    Some(_) => None,
                    None => {
                        let bell = world.bell(&self.name, &side)?;
                        let why = match bell.stands {
                            AlarmStands::Quiet => "within its bounds",
                            AlarmStands::Alarm => "set off by a rehearsal",
                            AlarmStands::NoData => "no data",
                        };
                        let state = AlarmState::new(format!("unwell-{side}"), bell.stands, why);
                        Some(vec![state.reaching(bell.reaches.clone(), bell.armed)])
                    }
                };
                sides.insert(side, seen);
            }
            Ok(Alarms::new(world.wall(Instant::now()), sides))
        })
    }
}

#[async_trait]
impl Effect<Trigger> for ModelAlarm {
    async fn prepare(&self, cx: &Cx, call: &Trigger) -> Result<Prepared> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let bell = world.bell(&self.name, side)?;
            let done = bell.rang.contains_key(&cx.token) && bell.stands == AlarmStands::Quiet;
            Ok(if done {
                Prepared::already(Before::nothing())
            } else {
                let to = format!("goes off, reaches {} and is quiet again", bell.reaches.join(", "));
                Prepared::would(Diff::one(side.as_str(), bell.stands.to_string(), to), Before::nothing())
            })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Trigger, _was: &Prepared) -> Result<Triggered> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let takes = world.pace.alarm;
            let bell = world.bell(&self.name, side)?;
            if bell.rang.contains_key(&cx.token) || bell.rung_by.as_ref() == Some(&cx.token) {
                return Ok(());
            }
            if !bell.armed {
                return Err(
                    Error::refused("its actions are switched off: nobody would hear it").on(side.as_str())
                );
            }
            if bell.reaches.is_empty() {
                return Err(Error::refused("it reaches nobody").on(side.as_str()));
            }
            if bell.stands != AlarmStands::Quiet {
                // A rehearsal would hide the real thing, or could not be seen to end.
                let text = format!("it is not quiet before the rehearsal: {}", bell.stands);
                return Err(Error::refused(text).on(side.as_str()));
            }
            bell.stands = AlarmStands::Alarm;
            bell.rung_by = Some(cx.token.clone());
            world.ask(Change::Rang { alarm: self.name.clone(), side: side.clone() }, takes);
            Ok(())
        })?;
        self.world
            .until(cx, "trigger", |world| {
                let bell = world.bell(&self.name, side)?;
                if bell.rung_by.is_some() {
                    return Ok(None);
                }
                match (bell.rang.get(&cx.token), bell.stands) {
                    (Some(reached), AlarmStands::Quiet) => {
                        Ok(Some(Triggered::new(side.clone(), reached.clone())))
                    }
                    (_, stands) => {
                        let text = format!("it is not seen to be quiet again: {stands}");
                        Err(Error::new(ErrorKind::NotReady, text).on(side.as_str()))
                    }
                }
            })
            .await
    }

    /// Quiets what this step set off, and calls nobody any more.
    async fn undo(&self, cx: &Cx, call: &Trigger, _was: &Before) -> Result<()> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            let bell = world.bell(&self.name, side)?;
            if bell.rung_by.as_ref() != Some(&cx.token) {
                return Ok(());
            }
            bell.rung_by = None;
            bell.stands = if bell.starved { AlarmStands::NoData } else { AlarmStands::Quiet };
            world.requests += 1;
            world.pending.retain(|_, change| {
                !matches!(change, Change::Rang { alarm, side: on } if *alarm == self.name && on == side)
            });
            Ok(())
        })
    }
}
