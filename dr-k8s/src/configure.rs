//! What workloads are told: environment, config maps and secrets, switched and switched back.
//!
//! What stood there before is never written into a journal: it is copied beside, into a Secret that is named after the
//! step, and the journal holds its name and a salted hash. The copy goes when the change is undone, or when a later run
//! configures the same workloads: its claim is the proof that the earlier run has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dr_core::resource::{Before, Configure, Cx, Diff, Effect, Prepared, Settled};
use dr_core::{Error, ErrorKind, Result, async_trait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::await_ready::Wait;
use crate::cluster::{Cluster, Whatever, Write};
use crate::config::Selection;
use crate::discovery::Kind;
use crate::fleet::{Fleet, Member, Name};
use crate::kept::{Kept, digest, made_secret};
use crate::note::RESTARTED;
use crate::owners::{self, Field, Paused};
use crate::pods::pods;
use crate::ready::{Far, Wanted, far};
use crate::scale::dry;
use crate::setting::{Place, Target, Told};
use crate::side::Sides;

const CONFLICTS: u32 = 8;

/// What was there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Was {
    /// The Secret with what stood there.
    kept: String,
    /// Each place that is set.
    places: Vec<Stood>,
    /// The workloads that are restarted, and what stood on their templates: of an earlier restart, or nothing.
    restarted: BTreeMap<String, Option<String>>,
    /// The Secrets that are made for it: they were not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    made: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    paused: Vec<Paused>,
}

/// One place, what stood there and what shall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stood {
    place: Place,
    /// The hash of what stood there; `None`: nothing did.
    was: Option<String>,
    /// The hash of what shall.
    to: String,
}

impl Was {
    fn reads(&self, place: &Place) -> Option<&Stood> {
        self.places.iter().find(|stood| stood.place == *place)
    }
}

/// A side's workloads and the objects that settings stand in.
struct Look {
    fleet: Fleet,
    /// Workloads, config maps and secrets as they are, by path.
    objects: BTreeMap<String, Value>,
    /// Each setting at each of its places, with what it shall be.
    targets: Vec<Target>,
    /// The workloads that have to run with it.
    runs: BTreeSet<Name>,
    /// Those of them whose template does not change by itself.
    restarted: BTreeSet<Name>,
}

impl Sides {
    async fn look(&self, cx: &Cx, cluster: &Cluster, call: &Configure) -> Result<Look> {
        let fleet = self.fleet(cx, cluster).await?;
        let of: BTreeSet<Name> = if call.of.is_empty() {
            fleet.members.keys().cloned().collect()
        } else {
            call.of.iter().map(|written| fleet.one(written, cluster)).collect::<Result<_>>()?
        };
        if call.set.is_empty() {
            return Err(Error::invalid("nothing is to be set"));
        }
        let mut look = Look {
            objects: BTreeMap::new(),
            targets: Vec::new(),
            runs: BTreeSet::new(),
            restarted: BTreeSet::new(),
            fleet,
        };
        for name in &of {
            let Some(member) = look.fleet.members.get(name) else { continue };
            let path = member.path(cluster);
            let object: Value = cluster.get(cx, &path).await?;
            look.objects.insert(path, object);
        }
        for (written, setting) in &call.set {
            let told = Told::read(written, setting, &self.secrets)?;
            match &told.place {
                Place::Env { .. } => look.environment(cluster, &of, &told, written)?,
                Place::Key { .. } => look.key(cx, cluster, &of, &told, call.of.is_empty()).await?,
            }
        }
        Ok(look)
    }
}

impl Look {
    /// An environment variable: at every container that has it, or at the one that is named.
    fn environment(
        &mut self,
        cluster: &Cluster,
        of: &BTreeSet<Name>,
        told: &Told,
        written: &str,
    ) -> Result<()> {
        let mut found = false;
        for name in of {
            let Some(member) = self.fleet.members.get(name) else { continue };
            let path = member.path(cluster);
            let Some(object) = self.objects.get(&path) else { continue };
            for place in told.places_in(&path, object) {
                found = true;
                self.runs.insert(name.clone());
                self.targets.push(Target { place, value: told.value.clone() });
            }
        }
        if found {
            return Ok(());
        }
        let text = match told.container() {
            None => format!(
                "no container has `{written}`: if it is new, name the container (env/CONTAINER/{})",
                written.trim_start_matches("env/")
            ),
            Some(container) => format!("no container is called {container}"),
        };
        Err(Error::new(ErrorKind::NotFound, text).not_happened().on(cluster.side.as_str()))
    }

    /// A key of a config map or a secret: whoever reads it is restarted.
    async fn key(
        &mut self,
        cx: &Cx,
        cluster: &Cluster,
        of: &BTreeSet<Name>,
        told: &Told,
        only_readers: bool,
    ) -> Result<()> {
        let Place::Key { path, kind, object, .. } = told.at(&cluster.namespace) else { return Ok(()) };
        if !self.objects.contains_key(&path) {
            let found: Value = cluster.get(cx, &path).await?;
            if found.get("immutable") == Some(&Value::Bool(true)) {
                let text = format!("{kind}/{object} is immutable: name the new one in the workloads instead");
                return Err(Error::refused(text).on(cluster.side.as_str()));
            }
            self.objects.insert(path.clone(), found);
        }
        for name in of {
            let Some(member) = self.fleet.members.get(name) else { continue };
            let reads = self
                .objects
                .get(&member.path(cluster))
                .is_some_and(|workload| crate::setting::reads(workload, &kind, &object));
            if reads || !only_readers {
                self.runs.insert(name.clone());
                self.restarted.insert(name.clone());
            }
        }
        self.targets.push(Target { place: told.at(&cluster.namespace), value: told.value.clone() });
        Ok(())
    }

    fn now(&self, place: &Place) -> Option<Value> {
        place.get(self.objects.get(place.path())?)
    }

    fn was(&self, cx: &Cx) -> Was {
        let kept = Kept::name(cx);
        let places = self.targets.iter().map(|target| Stood {
            place: target.place.clone(),
            was: self.now(&target.place).map(|value| digest(&kept, &value)),
            to: digest(&kept, &target.value.shown(&target.place)),
        });
        let restarted = self.restarted.iter().filter_map(|name| {
            let note = self.fleet.members.get(name)?.object.template_note();
            Some((name.to_string(), note))
        });
        let (places, restarted) = (places.collect(), restarted.collect());
        Was { places, restarted, made: Vec::new(), paused: Vec::new(), kept }
    }

    /// The workloads that are not yet as they shall be.
    fn is_done(&self, name: &Name) -> bool {
        let Some(member) = self.fleet.members.get(name) else { return false };
        let wanted = Wanted { rolled: true, ..Wanted::exactly(member.desired()) };
        far(member, &wanted, member.desired()) == Far::Done
    }
}

#[async_trait]
impl Effect<Configure> for Sides {
    async fn prepare(&self, cx: &Cx, call: &Configure) -> Result<Prepared> {
        let cluster = self.at(&call.side)?;
        let look = self.look(cx, cluster, call).await.map_err(Error::not_happened)?;
        let mut was = look.was(cx);
        let mut diff = Diff::default();
        for (target, stood) in look.targets.iter().zip(&was.places) {
            if stood.was.as_ref() != Some(&stood.to) {
                let from = if stood.was.is_some() { "another value" } else { "absent" };
                diff = diff.and(format!("{} {}", cluster.side, target.place), from, target.value.to_string());
            }
        }
        let changes = !diff.0.is_empty();
        for name in look.runs.iter().filter(|name| !changes && !look.is_done(name)) {
            diff = diff.and(format!("{} {name}", cluster.side), "rolling out", "running with it");
        }
        // What is set already was read when its readers started, unless it was this step that set it.
        if !changes && !was.restarted.is_empty() && Kept::read(cx, cluster, &was.kept).await?.is_some() {
            for (name, _) in was.restarted.iter().filter(|(_, note)| note.as_ref() != Some(&cx.token)) {
                diff = diff.and(format!("{} {name}", cluster.side), "started before", "restarted");
            }
        }
        if changes {
            let changed: Vec<&Member> =
                look.runs.iter().filter_map(|name| look.fleet.members.get(name)).collect();
            was.paused = owners::of(self, cx, cluster, &changed, &[], Field::Template).await?;
            for paused in &was.paused {
                diff = diff.and(format!("{} {paused}", cluster.side), "acting", "paused");
            }
            self.try_out(cx, cluster, &look, &was).await?;
            for name in look.made_secrets().into_keys() {
                if Kept::read(cx, cluster, &name).await?.is_none() {
                    was.made.push(name);
                }
            }
        }
        let before = Before::of(&was)?;
        Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
    }

    async fn apply(&self, cx: &Cx, call: &Configure, was: &Prepared) -> Result<Settled> {
        let cluster = self.at(&call.side)?;
        let was: Was = was.before.read()?;
        let look = self.look(cx, cluster, call).await.map_err(Error::not_happened)?;
        unmeddled(&look, &was, cluster)?;
        let old: BTreeSet<String> =
            pods(cx, cluster).await?.into_iter().map(|pod| pod.metadata.uid).collect();
        let changes = look.targets.iter().any(|target| {
            let now = look.now(&target.place).map(|value| digest(&was.kept, &value));
            was.reads(&target.place).is_some_and(|stood| now.as_ref() != Some(&stood.to))
        });
        if changes {
            self.keep(cx, cluster, &look, &was).await?;
            owners::pause(cx, cluster, &was.paused).await?;
            self.give_secrets(cx, cluster, &look).await?;
        }
        let begun = changes || Kept::read(cx, cluster, &was.kept).await?.is_some();
        let set = |target: &Target| Some(target.value.shown(&target.place));
        // The same for every attempt of a step: a repeat restarts nothing twice.
        let note = |name: &Name| {
            let restarted = begun && was.restarted.contains_key(&name.to_string());
            restarted.then(|| Some(cx.token.clone()))
        };
        change_all(cx, cluster, &look, &was, &set, note).await?;
        self.await_rolled(cx, cluster, &look, old).await?;
        let workloads = look.runs.iter().map(ToString::to_string).collect();
        Ok(Settled::new(cluster.side.clone(), call.set.keys().cloned().collect(), workloads))
    }

    async fn undo(&self, cx: &Cx, call: &Configure, was: &Before) -> Result<()> {
        let cluster = self.at(&call.side)?;
        let was: Was = was.read()?;
        let look = self.look(cx, cluster, call).await.map_err(Error::not_happened)?;
        unmeddled(&look, &was, cluster)?;
        let old: BTreeSet<String> =
            pods(cx, cluster).await?.into_iter().map(|pod| pod.metadata.uid).collect();
        let kept = Kept::read(cx, cluster, &was.kept).await?;
        let mut back = BTreeMap::new();
        for (index, stood) in was.places.iter().enumerate() {
            let now = look.now(&stood.place).map(|value| digest(&was.kept, &value));
            if now == stood.was {
                continue;
            }
            let value = match &stood.was {
                None => None,
                Some(_) => Some(kept.as_ref().and_then(|kept| kept.value(index)).ok_or_else(|| {
                    let text = format!(
                        "what stood at {} was kept in secret/{}, which is gone",
                        stood.place, was.kept
                    );
                    Error::new(ErrorKind::Conflict, text).on(cluster.side.as_str()).not_happened()
                })?),
            };
            back.insert(stood.place.to_string(), value);
        }
        let set = |target: &Target| match back.get(&target.place.to_string()) {
            Some(value) => value.clone(),
            None => look.now(&target.place),
        };
        change_all(cx, cluster, &look, &was, &set, |name| was.restarted.get(&name.to_string()).cloned())
            .await?;
        self.await_rolled(cx, cluster, &look, old).await?;
        owners::resume(cx, cluster, &was.paused).await?;
        self.take_secrets(cx, cluster, &was).await?;
        Kept::drop(cx, cluster, &was.kept).await
    }
}

/// Whether every place is as this step found it or left it.
fn unmeddled(look: &Look, was: &Was, cluster: &Cluster) -> Result<()> {
    for stood in &was.places {
        let now = look.now(&stood.place).map(|value| digest(&was.kept, &value));
        if now != stood.was && now.as_ref() != Some(&stood.to) {
            let text = format!("somebody changed {} meanwhile", stood.place);
            return Err(Error::new(ErrorKind::Conflict, text).on(cluster.side.as_str()).not_happened());
        }
    }
    Ok(())
}

/// Sets all places, object by object, each over the version that was read.
async fn change_all(
    cx: &Cx,
    cluster: &Cluster,
    look: &Look,
    was: &Was,
    to: &(dyn Fn(&Target) -> Option<Value> + Sync),
    note: impl Fn(&Name) -> Option<Option<String>>,
) -> Result<()> {
    let workloads: BTreeMap<String, &Name> =
        look.fleet.members.iter().map(|(name, member)| (member.path(cluster), name)).collect();
    // What is read is changed before those who read it start again.
    let (readers, read): (Vec<_>, Vec<_>) =
        look.objects.iter().partition(|(path, _)| workloads.contains_key(*path));
    for (path, object) in read.into_iter().chain(readers) {
        let targets: Vec<&Target> =
            look.targets.iter().filter(|target| target.place.path() == path).collect();
        let note = workloads.get(path).and_then(|name| note(name));
        if targets.is_empty() && note.is_none() {
            continue;
        }
        let mut object = object.clone();
        let mut tries = 0;
        loop {
            let mut changed = object.clone();
            for target in &targets {
                let now = target.place.get(&object).map(|value| digest(&was.kept, &value));
                let stood = was.reads(&target.place);
                if !stood.is_some_and(|stood| now == stood.was || now.as_ref() == Some(&stood.to)) {
                    let text = format!("somebody changed {} meanwhile", target.place);
                    return Err(Error::new(ErrorKind::Conflict, text).on(cluster.side.as_str()));
                }
                target.place.set(&mut changed, to(target));
            }
            if let Some(note) = &note {
                set_note(&mut changed, note.as_deref());
            }
            if changed == object {
                break;
            }
            match cluster.write::<Whatever>(cx, &Write::put(path, &changed)).await {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Conflict && tries < CONFLICTS => tries += 1,
                Err(error) => return Err(error),
            }
            object = cluster.get(cx, path).await?;
        }
    }
    Ok(())
}

fn set_note(workload: &mut Value, note: Option<&str>) {
    let Some(metadata) = workload.pointer_mut("/spec/template") else { return };
    let Some(template) = metadata.as_object_mut() else { return };
    let metadata = template.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    match note {
        Some(note) => {
            let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.insert(RESTARTED.to_owned(), json!(note));
            }
        }
        None => {
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove(RESTARTED);
                if annotations.is_empty() {
                    metadata.remove("annotations");
                }
            }
        }
    }
}

impl Sides {
    /// Asks the server what it would say to the new objects.
    async fn try_out(&self, cx: &Cx, cluster: &Cluster, look: &Look, was: &Was) -> Result<()> {
        for (path, object) in &look.objects {
            let mut changed = object.clone();
            for target in look.targets.iter().filter(|target| target.place.path() == path) {
                target.place.set(&mut changed, Some(target.value.shown(&target.place)));
            }
            if changed != *object {
                dry(cx, cluster, Write::put(path, &changed)).await?;
            }
        }
        let body = Kept::object(cx, &cluster.namespace, &was.kept, &[]);
        dry(cx, cluster, Write::post(Kind::core("secrets", "Secret").path(&cluster.namespace), &body)).await
    }

    /// Copies beside what stands there now, unless an earlier attempt did: that one saw the state before.
    async fn keep(&self, cx: &Cx, cluster: &Cluster, look: &Look, was: &Was) -> Result<()> {
        Kept::forget_others(cx, cluster).await?;
        if let Some(kept) = Kept::read(cx, cluster, &was.kept).await? {
            return kept.covers(was.places.len()).then_some(()).ok_or_else(|| {
                Error::refused(format!("secret/{} is there and is not this step's", was.kept))
            });
        }
        let values: Vec<Option<Value>> = was.places.iter().map(|stood| look.now(&stood.place)).collect();
        // A copy of what is there already would be undone to the wrong thing.
        for (stood, value) in was.places.iter().zip(&values) {
            if value.as_ref().map(|value| digest(&was.kept, value)) != stood.was {
                let text =
                    format!("what stood at {} before was not kept, and is changed already", stood.place);
                return Err(Error::refused(text).on(cluster.side.as_str()));
            }
        }
        Kept::write(cx, cluster, &was.kept, &values).await
    }

    /// Puts secrets that environments refer to into the cluster.
    async fn give_secrets(&self, cx: &Cx, cluster: &Cluster, look: &Look) -> Result<()> {
        for (name, value) in look.made_secrets() {
            let path = Kind::core("secrets", "Secret").path(&cluster.namespace);
            let body = made_secret(&cluster.namespace, &name, &value);
            match cluster.write::<Whatever>(cx, &Write::post(&path, &body)).await {
                Ok(_) => {}
                // Its name holds the hash of its content.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes away the Secrets that were made for it, unless somebody refers to them since.
    async fn take_secrets(&self, cx: &Cx, cluster: &Cluster, was: &Was) -> Result<()> {
        if was.made.is_empty() {
            return Ok(());
        }
        let all = Fleet::look(cx, cluster, &self.config.kinds, &Selection::All).await?;
        let mut objects = Vec::new();
        for member in all.members.values() {
            objects.push(cluster.get::<Value>(cx, &member.path(cluster)).await?);
        }
        for name in &was.made {
            if !objects.iter().any(|object| crate::setting::reads(object, "secret", name)) {
                Kept::drop(cx, cluster, name).await?;
            }
        }
        Ok(())
    }

    async fn await_rolled(
        &self,
        cx: &Cx,
        cluster: &Arc<Cluster>,
        look: &Look,
        old: BTreeSet<String>,
    ) -> Result<()> {
        let wanted: BTreeMap<Name, Wanted> = look
            .runs
            .iter()
            .filter_map(|name| {
                let desired = look.fleet.members.get(name)?.desired();
                // An autoscaler may move it meanwhile; that is no matter here.
                Some((
                    name.clone(),
                    Wanted { at_most: u32::MAX, rolled: true, ..Wanted::exactly(desired.min(1)) },
                ))
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wait = Wait {
            cx,
            cluster,
            kinds: &look.fleet.kinds,
            labels: self.labels(),
            wanted: &wanted,
            unschedulable_after: self.config.unschedulable_after,
            old,
        };
        wait.ready().await.map(drop)
    }
}

impl Look {
    fn made_secrets(&self) -> BTreeMap<String, String> {
        let secret = |target: &Target| match (&target.place, &target.value) {
            (Place::Env { .. }, crate::setting::Content::Secret { name, value }) => {
                Some((name.clone(), value.expose().to_owned()))
            }
            _ => None,
        };
        self.targets.iter().filter_map(secret).collect()
    }
}
