//! The verb `configure` of a model: settings in a workload's environment, text or the name of a secret.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::change::Change;
use super::workloads::ModelWorkloads;
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{Before, Call, Configure, Cx, Diff, Effect, Prepared, Setting, Settled};

/// The one form of a setting's name here.
const ENVIRONMENT: &str = "env/";

/// What the workloads of a side are told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What is written down: a secret stands there by its name.
    pub(super) written: BTreeMap<String, BTreeMap<String, Setting>>,
    /// What the running ones were started with, by workload: secrets in clear.
    running: BTreeMap<String, BTreeMap<String, String>>,
}

/// What was written for each workload under each name that the call sets; `None` where there was nothing.
type Was = BTreeMap<String, BTreeMap<String, Option<Setting>>>;

impl Inner {
    /// The workloads that a call is about.
    fn configured(&self, name: &ResourceName, call: &Configure) -> Result<Vec<String>> {
        let there = self.fleet(name, call.side.side()?)?;
        if let Some(stranger) = call.of.iter().find(|one| !there.contains_key(*one)) {
            let text = format!("there is no workload `{stranger}`");
            return Err(Error::new(ErrorKind::NotFound, text).not_happened());
        }
        if let Some(odd) = call.set.keys().find(|name| !name.starts_with(ENVIRONMENT)) {
            return Err(Error::invalid(format!("`{odd}` is no setting: write `{ENVIRONMENT}NAME`")));
        }
        let secrets = self.fleets.get(name).map(|fleet| &fleet.secrets);
        for is in call.set.values() {
            if let Setting::Secret { secret } = is
                && !secrets.is_some_and(|secrets| secrets.contains_key(secret))
            {
                return Err(Error::invalid(format!("the resource knows no secret `{secret}`")));
            }
        }
        Ok(there.keys().filter(|one| call.of.is_empty() || call.of.contains(*one)).cloned().collect())
    }

    fn written(&self, fleet: &ResourceName, side: &Side, workload: &str, name: &str) -> Option<&Setting> {
        self.fleets.get(fleet)?.told.get(side)?.written.get(workload)?.get(name)
    }

    fn write_setting(
        &mut self,
        fleet: &ResourceName,
        side: &Side,
        workload: &str,
        name: &str,
        is: Option<&Setting>,
    ) {
        let Some(fleet) = self.fleets.get_mut(fleet) else { return };
        let written = fleet.told.entry(side.clone()).or_default().written.entry(workload.to_owned());
        match is {
            Some(is) => written.or_default().insert(name.to_owned(), is.clone()),
            None => written.or_default().remove(name),
        };
    }

    /// What a workload that starts now would run with.
    fn meant(&self, fleet: &ResourceName, side: &Side, workload: &str) -> BTreeMap<String, String> {
        let Some(fleet) = self.fleets.get(fleet) else { return BTreeMap::new() };
        let written = fleet.told.get(side).and_then(|told| told.written.get(workload));
        let value = |is: &Setting| match is {
            Setting::Text(text) => text.clone(),
            Setting::Secret { secret } => fleet.secrets.get(secret).cloned().unwrap_or_default(),
        };
        written.into_iter().flatten().map(|(name, is)| (name.clone(), value(is))).collect()
    }

    fn runs_as_meant(&self, fleet: &ResourceName, side: &Side, workload: &str) -> bool {
        let told = self.fleets.get(fleet).and_then(|fleet| fleet.told.get(side));
        let running = told.and_then(|told| told.running.get(workload)).cloned().unwrap_or_default();
        running == self.meant(fleet, side, workload)
    }

    /// A workload's replicas are new ones.
    pub(super) fn restarted(&mut self, fleet: &ResourceName, side: &Side, workload: &str) {
        let meant = self.meant(fleet, side, workload);
        if let Some(fleet) = self.fleets.get_mut(fleet) {
            fleet.told.entry(side.clone()).or_default().running.insert(workload.to_owned(), meant);
        }
    }

    pub(super) fn set_by_hand(&mut self, fleet: &ResourceName, side: &Side, name: &str, is: &Setting) {
        let there: Vec<String> =
            self.fleet(fleet, side).into_iter().flat_map(BTreeMap::keys).cloned().collect();
        for workload in there {
            self.write_setting(fleet, side, &workload, name, Some(is));
            self.restarted(fleet, side, &workload);
        }
    }

    pub(super) fn runs_with(
        &self,
        fleet: &ResourceName,
        side: &Side,
        name: &str,
    ) -> BTreeMap<String, Option<String>> {
        let told = self.fleets.get(fleet).and_then(|fleet| fleet.told.get(side));
        let there = self.fleet(fleet, side).into_iter().flat_map(BTreeMap::keys);
        let running =
            |workload: &String| told.and_then(|told| told.running.get(workload)?.get(name)).cloned();
        there.map(|workload| (workload.clone(), running(workload))).collect()
    }
}

impl ModelWorkloads {
    /// Starts anew what runs with something else, and waits until nothing does.
    async fn restart(&self, cx: &Cx, side: &Side, workloads: &[String]) -> Result<()> {
        self.world.with(|world| {
            for workload in workloads {
                let (fleet, side, workload) = (self.name.clone(), side.clone(), workload.clone());
                let change = Change::Restart { fleet, side: side.clone(), workload: workload.clone() };
                let under_way = world.pending.values().any(|other| *other == change);
                if !world.runs_as_meant(&self.name, &side, &workload) && !under_way {
                    world.ask(change, world.pace.scale);
                }
            }
        });
        self.world
            .until(cx, "restart", |world| {
                let done = |workload: &String| world.runs_as_meant(&self.name, side, workload);
                if workloads.iter().all(done) {
                    // What was asked for before and is not over yet would come after whoever waits here.
                    let under_way = world.pending.values().any(|change| change.restarts(&self.name, side));
                    return Ok((!under_way).then_some(()));
                }
                let broken = world.fleets.get(&self.name).and_then(|fleet| fleet.broken.get(side));
                match broken {
                    Some(why) => Err(Error::new(ErrorKind::Refused, why.clone()).on(side.as_str())),
                    None => Ok(None),
                }
            })
            .await
    }
}

#[async_trait]
impl Effect<Configure> for ModelWorkloads {
    async fn prepare(&self, cx: &Cx, call: &Configure) -> Result<Prepared> {
        let side = call.side.side()?;
        self.reach(cx, Configure::VERB, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let (mut diff, mut was) = (Diff::default(), Was::new());
            for workload in world.configured(&self.name, call)? {
                for (name, is) in &call.set {
                    let now = world.written(&self.name, side, &workload, name).cloned();
                    if now.as_ref() != Some(is) || !world.runs_as_meant(&self.name, side, &workload) {
                        let from = now.as_ref().map_or("nothing".to_owned(), Setting::to_string);
                        diff = diff.and(format!("{side} {workload} {name}"), from, is.to_string());
                    }
                    was.entry(workload.clone()).or_default().insert(name.clone(), now);
                }
            }
            let before = Before::of(&was)?;
            Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Configure, _was: &Prepared) -> Result<Settled> {
        let side = call.side.side()?;
        self.reach(cx, Configure::VERB, side).await.map_err(Error::not_happened)?;
        let workloads = self.world.with(|world| {
            let workloads = world.configured(&self.name, call)?;
            world.requests += 1;
            for workload in &workloads {
                for (name, is) in &call.set {
                    world.write_setting(&self.name, side, workload, name, Some(is));
                }
            }
            Ok::<_, Error>(workloads)
        })?;
        self.restart(cx, side, &workloads).await?;
        Ok(Settled::new(side.clone(), call.set.keys().cloned().collect(), workloads))
    }

    async fn undo(&self, cx: &Cx, call: &Configure, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        let was: Was = was.read()?;
        self.reach(cx, Configure::VERB, side).await?;
        self.world.with(|world| {
            for (workload, names) in &was {
                for (name, before) in names {
                    let now = world.written(&self.name, side, workload, name);
                    if now != before.as_ref() && now != call.set.get(name) {
                        let text = format!("somebody else set {name} of {workload} meanwhile");
                        return Err(Error::new(ErrorKind::Conflict, text).on(side.as_str()).not_happened());
                    }
                }
            }
            world.requests += 1;
            for (workload, names) in &was {
                for (name, before) in names {
                    world.write_setting(&self.name, side, workload, name, before.as_ref());
                }
            }
            Ok(())
        })?;
        let workloads: Vec<String> = was.into_keys().collect();
        self.restart(cx, side, &workloads).await
    }
}
