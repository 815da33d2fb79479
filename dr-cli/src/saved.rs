//! A saved plan: what a dry run found, to be applied at most once and only to the state it was made for.

use std::path::Path;

use dr_core::event::RunState;
use dr_core::journal::{Application, Digest, StateStore};
use dr_core::plan::Format;
use dr_core::resource::{Class, Prepared, Roles, Urgency};
use dr_core::runbook::Script;
use dr_core::{Backends, RunId, StepId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::bound::{Loaded, load_bytes};
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};

const VERSION: u32 = 1;

/// The document that `dr plan -o` writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    saved_plan: u32,
    made: Timestamp,
    /// Where the plan was read: relative state folders are meant from there.
    path: String,
    text: String,
    /// Which side plays what.
    pub roles: Roles,
    urgency: Urgency,
    script: Script,
    found: BTreeMap<StepId, Prepared>,
}

/// What never ends or has to be waited for is no saved plan.
fn is_regular(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.is_file())
}

impl Saved {
    /// From a dry run.
    pub(crate) fn of(loaded: &Loaded, state: &RunState, now: Timestamp) -> Self {
        let found = state.steps.iter().filter_map(|(id, step)| step.was.clone().map(|was| (id.clone(), was)));
        let path =
            std::path::absolute(&loaded.path).map_or(loaded.path.clone(), |path| path.display().to_string());
        Self {
            saved_plan: VERSION,
            made: now,
            path,
            text: loaded.plan.text.to_string(),
            roles: state.began.roles.clone(),
            urgency: state.urgency,
            script: state.began.script.clone(),
            found: found.collect(),
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let text = serde_json::to_string_pretty(self).map_err(anyhow::Error::from)?;
        std::fs::write(path, text + "\n").map_err(|error| {
            Problem::new(Exit::Failure, format!("{} cannot be written: {error}", path.display()))
        })
    }

    /// Reads it, if the file is one; a plan is none.
    pub(crate) fn read_if_one(path: &Path) -> Outcome<Option<Self>> {
        if !is_regular(path) {
            return Ok(None);
        }
        let Ok(bytes) = std::fs::read(path) else { return Ok(None) };
        if !bytes.starts_with(b"{") || !String::from_utf8_lossy(&bytes).contains("\"saved_plan\"") {
            return Ok(None);
        }
        let saved: Self = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(Exit::Plan, format!("{} is no saved plan of this release: {error}", path.display()))
                .help("make it anew: dr plan PLAN -o FILE")
        })?;
        if saved.saved_plan != VERSION {
            return Err(Problem::new(
                Exit::Plan,
                format!("saved plans of version {} are not read", saved.saved_plan),
            ));
        }
        Ok(Some(saved))
    }

    /// The plan in it.
    pub(crate) fn load(&self, backends: &Backends) -> Outcome<Loaded> {
        let format = Format::of_path(Path::new(&self.path)).unwrap_or(Format::Yaml);
        load_bytes(backends, self.text.as_bytes(), format, self.path.clone())
    }

    /// Whether this run is the one that applies it.
    pub(crate) async fn apply_once(&self, store: &StateStore, run: &RunId) -> Outcome<()> {
        let id = serde_json::to_vec(self)
            .map(|bytes| Digest::of(&bytes).to_string())
            .map_err(anyhow::Error::from)?;
        match store.apply_plan(&id, run).await? {
            Application::Ours => Ok(()),
            Application::Before(before) => Err(Problem::refused(format!(
                "this saved plan was applied by run {} at {}",
                before.run, before.at
            ))
            .help("make a new one: dr plan PLAN -o FILE")),
        }
    }

    /// What the world is like now, where it differs from what the plan was made for. The silence of the source is no
    /// drift in an unplanned run.
    pub(crate) fn drift(&self, now: &RunState, urgency: Urgency) -> Vec<String> {
        let now = |id: &StepId| now.steps.get(id).and_then(|step| step.was.as_ref());
        let class = |id: &StepId| self.script.step(id).map(|step| step.class);
        self.found
            .iter()
            .filter(|(id, _)| class(id) != Some(Class::Read))
            .filter_map(|(id, then)| match now(id) {
                // The silence of a side that is to be fenced anyhow is no drift where the run does without it.
                _ if urgency == Urgency::Unplanned && class(id) == Some(Class::Fence) => None,
                None => Some(format!("{id} cannot be looked at any more")),
                Some(now) if then.before == now.before => None,
                Some(_) => Some(format!("{id} is no longer as it was when the plan was made")),
            })
            .collect()
    }
}
