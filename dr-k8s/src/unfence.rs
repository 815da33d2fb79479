//! A fenced side's writers let go again: as the fence noted that they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Unfence, Unfenced};
use dr_core::{Error, ErrorKind, Result, async_trait};
use futures_util::FutureExt;
use serde_json::Value;

use crate::cluster::{Cluster, Whatever, Write};
use crate::fence::{drop_policy, path_of, suspend};
use crate::fleet::{Member, Name};
use crate::note::{FENCED, Note, annotate};
use crate::ready::Wanted;
use crate::scale::{Change, One, Was};
use crate::side::{Sides, all_at_once};
use crate::writers::Writers;

/// What a fence noted.
struct Noted {
    workloads: BTreeMap<Name, u32>,
    cronjobs: BTreeMap<String, bool>,
}

impl Noted {
    fn on(writers: &Writers) -> Self {
        let workloads = writers.fleet.members.iter().filter_map(|(name, member)| {
            Some((name.clone(), Note::read(&member.object.metadata.annotations, FENCED)?.replicas?))
        });
        let cronjobs = writers.cronjobs.iter().filter_map(|(name, one)| {
            Some((name.clone(), Note::read(&one.metadata.annotations, FENCED)?.suspended?))
        });
        Self { workloads: workloads.collect(), cronjobs: cronjobs.collect() }
    }

    fn is_nothing(&self) -> bool {
        self.workloads.is_empty() && self.cronjobs.is_empty()
    }
}

#[async_trait]
impl Effect<Unfence> for Sides {
    async fn prepare(&self, cx: &Cx, call: &Unfence) -> Result<Prepared> {
        let cluster = self.at(&call.side)?;
        let writers = self.writers(cx, cluster).await.map_err(Error::not_happened)?;
        let noted = Noted::on(&writers);
        if noted.is_nothing() {
            if !writers.left().is_empty() {
                return Ok(Prepared::already(Before::nothing()));
            }
            let text = format!(
                "nothing runs in {}, and no fence noted how many there were: scale them by hand",
                cluster.namespace
            );
            return Err(Error::refused(text).on(cluster.side.as_str()));
        }
        let mut diff = Diff::default();
        for (name, replicas) in &noted.workloads {
            diff = diff.and(format!("{} {name}", cluster.side), "fenced", replicas.to_string());
        }
        for (name, suspended) in &noted.cronjobs {
            let to = if *suspended { "suspended, as before" } else { "scheduled" };
            diff = diff.and(format!("{} cronjob/{name}", cluster.side), "fenced", to);
        }
        Ok(Prepared::would(diff, Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &Unfence, _: &Prepared) -> Result<Unfenced> {
        let cluster = self.at(&call.side)?;
        let writers = self.writers(cx, cluster).await.map_err(Error::not_happened)?;
        let noted = Noted::on(&writers);
        drop_policy_if(self, cx, cluster).await?;
        let was = Was { workloads: BTreeMap::new(), autoscalers: BTreeMap::new(), paused: Vec::new() };
        let ones: Vec<(&Member, One)> = noted
            .workloads
            .iter()
            .filter_map(|(name, replicas)| {
                let member = writers.fleet.members.get(name)?;
                let wanted = member.desired();
                Some((member, One { replicas: *replicas, ready: 0, wanted, note: None, autoscaler: None }))
            })
            .collect();
        let work = ones.iter().map(|(member, one)| {
            let change = Change { cx, cluster, was: &was, one, to: one.replicas, key: FENCED, note: None };
            async move { change.make(member).await }.boxed()
        });
        all_at_once(work.collect()).await?;
        let wanted = |name: &Name| noted.workloads.get(name).map(|replicas| Wanted::exactly(*replicas));
        self.await_all(cx, cluster, &writers.fleet, wanted).await?;
        // The notes go last: until then a repeat knows what there was.
        for (name, suspended) in &noted.cronjobs {
            suspend(cx, cluster, &writers, name, *suspended, None).await?;
        }
        for name in noted.workloads.keys() {
            let Some(member) = writers.fleet.members.get(name) else { continue };
            unnote(cx, cluster, &member.path(cluster), None).await?;
        }
        Ok(Unfenced { side: cluster.side.clone() })
    }

    /// The proof that nothing was let go, and that no request of ours under way can do so any more: every object gets
    /// a new version.
    async fn undo(&self, cx: &Cx, call: &Unfence, _: &Before) -> Result<()> {
        let cluster = self.at(&call.side)?;
        let writers = self.still_fenced(cx, cluster).await?;
        let touched = |annotations: &BTreeMap<String, String>| {
            let mut note = Note::read(annotations, FENCED)?;
            note.touched = Some(cx.token.clone());
            Some(note.text())
        };
        for member in writers.fleet.members.values() {
            let note = touched(&member.object.metadata.annotations).ok_or_else(|| not_ours(cluster))?;
            unnote(cx, cluster, &member.path(cluster), Some(&note)).await?;
        }
        for (name, one) in &writers.cronjobs {
            let note = touched(&one.metadata.annotations).ok_or_else(|| not_ours(cluster))?;
            if let Some(path) = path_of(&writers, cluster, name) {
                unnote(cx, cluster, &path, Some(&note)).await?;
            }
        }
        self.still_fenced(cx, cluster).await.map(drop)
    }
}

async fn drop_policy_if(sides: &Sides, cx: &Cx, cluster: &Arc<Cluster>) -> Result<()> {
    if sides.config.fence.network_policy { drop_policy(cx, cluster).await } else { Ok(()) }
}

fn not_ours(cluster: &Cluster) -> Error {
    Error::refused("it is fenced by somebody else, or let go in part").on(cluster.side.as_str())
}

impl Sides {
    async fn still_fenced(&self, cx: &Cx, cluster: &Cluster) -> Result<Writers> {
        let writers = self.writers(cx, cluster).await?;
        match writers.left().as_slice() {
            [] => Ok(writers),
            [first, ..] => {
                let text = format!("it was let go already: {first}");
                Err(Error::new(ErrorKind::Refused, text).on(cluster.side.as_str()))
            }
        }
    }
}

/// Puts the note of a fence anew, or takes it away.
async fn unnote(cx: &Cx, cluster: &Cluster, path: &str, note: Option<&str>) -> Result<()> {
    for _ in 0..8 {
        let object: Value = cluster.get(cx, path).await?;
        let metadata = object.get("metadata");
        let now = metadata.and_then(|metadata| metadata.get("annotations")?.get(FENCED)?.as_str());
        if now == note {
            return Ok(());
        }
        let version =
            metadata.and_then(|metadata| metadata.get("resourceVersion")?.as_str()).unwrap_or_default();
        match cluster.write::<Whatever>(cx, &Write::patch(path, &annotate(version, FENCED, note))).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    let text = "it changes faster than its note can be changed";
    Err(Error::new(ErrorKind::Conflict, text).transient(None).on(cluster.side.as_str()))
}
