//! Autoscalers: their bounds are moved so that they do not undo a change, and put back.

use std::collections::BTreeMap;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Whatever, Write};
use crate::fleet::Name;
use crate::note::{BEFORE, Note};
use crate::objects::Autoscaler;
use crate::scale::dry;
use crate::side::all_at_once;

const CONFLICTS: u32 = 8;

/// An autoscaler's bounds before, and as they shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// The new ones.
    pub(crate) to: (u32, u32),
    /// The note of an earlier run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Bounds {
    /// For a workload that shall have `wanted`. `back`: to what was noted, if anything was.
    pub(crate) fn of(one: &Autoscaler, wanted: u32, back: bool) -> Self {
        let (min, max) = (one.spec.min_replicas.unwrap_or(1), one.spec.max_replicas);
        let noted = Note::read(&one.metadata.annotations, BEFORE).and_then(|note| note.bounds);
        let to = match (wanted, noted.filter(|_| back)) {
            (_, Some(noted)) => noted,
            // At zero an autoscaler does nothing by itself: its bounds need not be touched, and cannot be zero.
            (0, None) => (min, max),
            (wanted, None) => (wanted, max.max(wanted)),
        };
        Self { min, max, to, note: one.metadata.annotations.get(BEFORE).cloned() }
    }

    /// Whether anything is to be changed.
    pub(crate) fn changes(&self) -> bool {
        (self.min, self.max) != self.to
    }

    /// Whether these are bounds that this step found or left.
    fn are_ours(&self, one: &Autoscaler) -> bool {
        let now = (one.spec.min_replicas.unwrap_or(1), one.spec.max_replicas);
        [(self.min, self.max), self.to].contains(&now)
    }
}

fn patch(version: &str, (min, max): (u32, u32), note: Option<Option<String>>) -> Value {
    let mut patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "minReplicas": min, "maxReplicas": max } });
    if let (Some(note), Some(metadata)) = (note, patch.get_mut("metadata").and_then(Value::as_object_mut)) {
        metadata.insert("annotations".to_owned(), json!({ BEFORE: note }));
    }
    patch
}

async fn path(cx: &Cx, cluster: &Cluster, name: &str) -> Result<String> {
    match cluster.autoscalers(cx).await? {
        Some(kind) => Ok(kind.at(&cluster.namespace, name)),
        None => Err(Error::new(ErrorKind::Conflict, "the server offers no autoscalers any more")),
    }
}

/// Moves the bounds, and notes the old ones for a run that goes back.
pub(crate) async fn set(
    cx: &Cx,
    cluster: &Cluster,
    all: &BTreeMap<String, Bounds>,
    run: Option<&str>,
) -> Result<()> {
    let changed = all.iter().filter(|(_, bounds)| bounds.changes());
    let work = changed.map(|(name, bounds)| {
        let note = move |one: &Autoscaler| {
            let noted = Note::read(&one.metadata.annotations, BEFORE);
            let run = run.filter(|run| noted.is_none_or(|noted| noted.run != *run))?;
            Some(Some(Note::bounds(run, bounds.min, bounds.max).text()))
        };
        change(cx, cluster, name, bounds, bounds.to, note).boxed()
    });
    all_at_once(work.collect()).await.map(drop)
}

/// Puts the bounds back, and the note of an earlier run.
pub(crate) async fn put_back(cx: &Cx, cluster: &Cluster, all: &BTreeMap<String, Bounds>) -> Result<()> {
    let changed = all.iter().filter(|(_, bounds)| bounds.changes());
    let work = changed.map(|(name, bounds)| {
        let note = |one: &Autoscaler| {
            let differs = one.metadata.annotations.get(BEFORE) != bounds.note.as_ref();
            differs.then(|| bounds.note.clone())
        };
        change(cx, cluster, name, bounds, (bounds.min, bounds.max), note).boxed()
    });
    all_at_once(work.collect()).await.map(drop)
}

async fn change(
    cx: &Cx,
    cluster: &Cluster,
    name: &str,
    bounds: &Bounds,
    to: (u32, u32),
    note: impl Fn(&Autoscaler) -> Option<Option<String>> + Send + Sync,
) -> Result<()> {
    let path = path(cx, cluster, name).await?;
    for _ in 0..CONFLICTS {
        let one: Autoscaler = cluster.get(cx, &path).await?;
        if !bounds.are_ours(&one) {
            return Err(meddled(cluster, name));
        }
        let note = note(&one);
        if (one.spec.min_replicas.unwrap_or(1), one.spec.max_replicas) == to && note.is_none() {
            return Ok(());
        }
        let body = patch(&one.metadata.resource_version, to, note);
        match cluster.write::<Whatever>(cx, &Write::patch(&path, &body)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    let text = format!("horizontalpodautoscaler/{name} changes faster than its bounds can be moved");
    Err(Error::new(ErrorKind::Conflict, text).transient(None).on(cluster.side.as_str()))
}

fn meddled(cluster: &Cluster, name: &str) -> Error {
    let text = format!("somebody moved the bounds of horizontalpodautoscaler/{name} meanwhile");
    Error::new(ErrorKind::Conflict, text).on(cluster.side.as_str())
}

/// Whether all bounds are still as this step found or left them.
pub(crate) fn unmeddled(
    now: &BTreeMap<Name, Autoscaler>,
    was: &BTreeMap<String, Bounds>,
    cluster: &Cluster,
) -> Result<()> {
    for (name, bounds) in was {
        let found = now.values().find(|one| one.metadata.name == *name);
        if !found.is_some_and(|one| bounds.are_ours(one)) {
            return Err(meddled(cluster, name).not_happened());
        }
    }
    Ok(())
}

/// Asks the server what it would say.
pub(crate) async fn try_out(cx: &Cx, cluster: &Cluster, all: &BTreeMap<String, Bounds>) -> Result<()> {
    for (name, bounds) in all.iter().filter(|(_, bounds)| bounds.changes()) {
        let path = path(cx, cluster, name).await?;
        let one: Autoscaler = cluster.get(cx, &path).await?;
        let body = patch(&one.metadata.resource_version, bounds.to, None);
        dry(cx, cluster, Write::patch(path, &body)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn autoscaler(min: u32, max: u32, note: Option<&str>) -> Autoscaler {
        let mut one = Autoscaler::default();
        one.spec.min_replicas = Some(min);
        one.spec.max_replicas = max;
        if let Some(note) = note {
            one.metadata.annotations.insert(BEFORE.to_owned(), note.to_owned());
        }
        one
    }

    #[test]
    fn the_minimum_is_raised_and_the_maximum_if_it_is_below() {
        assert_eq!(Bounds::of(&autoscaler(1, 10, None), 3, false).to, (3, 10));
        assert_eq!(Bounds::of(&autoscaler(1, 2, None), 3, false).to, (3, 3));
    }

    #[test]
    fn the_minimum_is_lowered_for_less() {
        assert_eq!(Bounds::of(&autoscaler(5, 10, None), 2, false).to, (2, 10));
    }

    #[test]
    fn zero_leaves_the_bounds_alone() {
        assert!(!Bounds::of(&autoscaler(2, 10, None), 0, false).changes());
    }

    #[test]
    fn going_back_takes_what_was_noted() {
        let noted = autoscaler(3, 10, Some("{\"run\":\"r\",\"bounds\":[1,6]}"));
        assert_eq!(Bounds::of(&noted, 2, true).to, (1, 6));
    }
}
