//! The verb `scale`.

use std::collections::BTreeMap;

use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Replicas, Scale, Scaled, WorkloadState};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use serde::{Deserialize, Serialize};

use super::group::{Group, Seen};
use super::nodes::Nodes;
use super::note;
use super::sizes::Sizes;
use super::update::{Goal, is_somebody_elses};
use crate::together::all;

/// The groups as they were, by what the plan calls them.
type Was = BTreeMap<String, GroupWas>;

/// One group before the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct GroupWas {
    /// What it had.
    sizes: Sizes,
    /// What the step leaves it with: reckoned once, so that a repeat does not need the other region.
    left: Sizes,
    /// What stood in its note.
    note: Option<String>,
}

impl Nodes {
    /// What a call makes of each group's sizes.
    pub(super) async fn wanted(
        &self,
        cx: &Cx,
        side: &Side,
        seen: &[(Group, Seen)],
        replicas: &Replicas,
    ) -> Result<BTreeMap<String, Sizes>> {
        let (percent, other) = match replicas {
            Replicas::Count(_) | Replicas::Before => (100, None),
            Replicas::SameAs(at) => (100, Some(at.side()?)),
            Replicas::Percent { percent, of } => (*percent, Some(of.side()?)),
        };
        let others: BTreeMap<String, u32> = match other {
            None => BTreeMap::new(),
            Some(other) => {
                let seen = self.look(cx, other).await?;
                seen.into_iter().map(|(group, seen)| (group.called, seen.sizes.desired)).collect()
            }
        };
        let mut wanted = BTreeMap::new();
        for (group, seen) in seen {
            let scaled = |count| {
                let sizes = seen.sizes.scaled(count, group.cluster.ceiling);
                sizes.map_err(|error| error.on(group.shown()))
            };
            let sizes = match (replicas, other) {
                (Replicas::Count(count), _) => scaled(*count)?,
                (Replicas::Before, _) => {
                    seen.tags.get(note::TAG).and_then(|value| note::read(value)).ok_or_else(|| {
                        let text = format!("nobody noted its sizes before (in its tag `{}`)", note::TAG);
                        Error::refused(text).on(group.shown())
                    })?
                }
                (Replicas::SameAs(_) | Replicas::Percent { .. }, other) => {
                    let there = others.get(&group.called).ok_or_else(|| {
                        let other = other.map_or("the other side", Side::as_str);
                        Error::invalid(format!(
                            "{other} has no node group that the plan calls `{}`: call those of {side} alike, \
                             as `nodegroups: {{ app: its-name }}`",
                            group.called
                        ))
                    })?;
                    scaled(Replicas::part_of(percent, *there))?
                }
            };
            wanted.insert(group.called.clone(), sizes);
        }
        Ok(wanted)
    }
}

#[async_trait]
impl Effect<Scale> for Nodes {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        let side = call.side.side()?;
        let seen = self.look(cx, side).await?;
        let wanted = self.wanted(cx, side, &seen, &call.replicas).await?;
        let mut diff = Diff::default();
        let mut was = Was::new();
        for (group, seen) in &seen {
            let Some(left) = wanted.get(&group.called).copied() else { continue };
            if !(seen.sizes.meet(left, seen.owner) && seen.is_settled()) {
                let state = seen.workload(&group.called);
                let mut from = format!("{} of {}", state.ready, seen.sizes);
                if !state.problems.is_empty() {
                    from.push_str(&format!(", {}", state.problems.join("; ")));
                }
                diff = diff.and(format!("{side} {}", group.called), from, left.to_string());
            }
            let note = seen.tags.get(note::TAG).cloned();
            was.insert(group.called.clone(), GroupWas { sizes: seen.sizes, left, note });
        }
        let before = Before::of(&was)?;
        Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
    }

    async fn apply(&self, cx: &Cx, call: &Scale, was: &Prepared) -> Result<Scaled> {
        let side = call.side.side()?;
        let was: Was = was.before.read()?;
        let notes = call.replicas != Replicas::Before;
        let groups = self.groups(side)?;
        let scaling = groups.iter().map(|group| scaled(group, cx, was.get(&group.called), notes)).collect();
        let workloads = all(scaling).await?;
        Ok(Scaled { side: side.clone(), workloads })
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        let was: Was = was.read()?;
        let groups = self.groups(call.side.side()?)?;
        let ours: Vec<(&Group, &GroupWas)> =
            groups.iter().filter_map(|group| Some((group, was.get(&group.called)?))).collect();
        // First all of them come to rest and are looked at; nothing is put back where somebody else has been.
        let looking = ours.iter().map(|(group, was)| nobody_elses(group, cx, was)).collect();
        all(looking).await.map_err(Error::not_happened)?;
        let putting_back = ours.iter().map(|(group, was)| put_back(group, cx, was)).collect();
        all(putting_back).await.map(drop)
    }
}

async fn scaled(group: &Group, cx: &Cx, was: Option<&GroupWas>, notes: bool) -> Result<WorkloadState> {
    let Some(GroupWas { sizes, left, .. }) = was else {
        let text = format!("the plan did not name `{}` when this step was begun", group.called);
        return Err(Error::refused(text));
    };
    if notes {
        let seen = group.look(cx).await.map_err(Error::not_happened)?;
        if !seen.sizes.meet(*left, seen.owner) {
            group.note(cx, &seen, *sizes).await?;
        }
    }
    let seen = group.settle(cx, Goal::Wanted(*left)).await?;
    Ok(seen.workload(&group.called))
}

async fn nobody_elses(group: &Group, cx: &Cx, was: &GroupWas) -> Result<()> {
    let seen = group.at_rest(cx).await?;
    if is_somebody_elses(seen.sizes, was.sizes, was.left, seen.owner) {
        let text = format!("somebody set its sizes to {} meanwhile", seen.sizes);
        return Err(Error::new(ErrorKind::Conflict, text).on(group.shown()).not_happened());
    }
    Ok(())
}

async fn put_back(group: &Group, cx: &Cx, was: &GroupWas) -> Result<()> {
    let seen = group.settle(cx, Goal::Back(was.sizes)).await?;
    group.unnote(cx, &seen, was.note.as_ref()).await
}
