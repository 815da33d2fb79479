//! Who else decides about what is to be changed, and would put it back: found, and paused or refused.
//!
//! Found are Argo CD, Flux, KEDA, Argo Rollouts, an operator whose resource owns the workload, and a roll-out that is
//! under way. A plain HorizontalPodAutoscaler is no obstacle: its bounds are moved with the change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Whatever, Write};
use crate::config::Owners;
use crate::fleet::Member;
use crate::objects::{Autoscaler, Meta};
use crate::ready::is_rolling;
use crate::side::Sides;

/// The gate that an override names.
pub(crate) const GATE: &str = "owners";
/// How many Argo CD applications may stand above one another.
const DEEP: usize = 5;
const TRACKING: &str = "argocd.argoproj.io/tracking-id";
const INSTANCE: &str = "argocd.argoproj.io/instance";
const HELM_INSTANCE: &str = "app.kubernetes.io/instance";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";
const KEDA_PAUSED: &str = "autoscaling.keda.sh/paused";

/// What would be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// How many there are.
    Replicas,
    /// What they are told.
    Template,
}

impl Field {
    fn path(self) -> &'static [&'static str] {
        match self {
            Self::Replicas => &["spec", "replicas"],
            Self::Template => &["spec", "template"],
        }
    }
}

/// Something that was paused, or is to be, and how it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Paused {
    what: String,
    path: String,
    how: How,
    was: Value,
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// How something is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// Argo CD: no automated sync.
    NoAutomatedSync,
    /// Flux: suspended.
    Suspend,
    /// KEDA: paused by its annotation.
    Annotate,
    /// A Deployment's roll-out: paused.
    PauseRollOut,
}

impl How {
    fn field(self) -> &'static [&'static str] {
        match self {
            Self::NoAutomatedSync => &["spec", "syncPolicy", "automated"],
            Self::Suspend => &["spec", "suspend"],
            Self::Annotate => &["metadata", "annotations", KEDA_PAUSED],
            Self::PauseRollOut => &["spec", "paused"],
        }
    }

    fn paused(self) -> Value {
        match self {
            Self::NoAutomatedSync => Value::Null,
            Self::Suspend | Self::PauseRollOut => Value::Bool(true),
            Self::Annotate => json!("true"),
        }
    }

    fn now(self, object: &Value) -> Value {
        self.field().iter().try_fold(object, |at, name| at.get(*name)).cloned().unwrap_or_default()
    }

    fn patch(self, version: &Value, to: &Value) -> Value {
        // A merge patch adds to an object and takes nothing from it: from nothing to something is all that is done here.
        let mut patch = to.clone();
        for name in self.field().iter().rev() {
            patch = json!({ *name: patch });
        }
        let metadata =
            patch.as_object_mut().map(|patch| patch.entry("metadata").or_insert_with(|| json!({})));
        if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), version.clone());
        }
        patch
    }
}

/// Somebody else who decides.
struct Owner {
    /// `Argo CD application argocd/shop (automated sync)`.
    who: String,
    /// How a person pauses it.
    by_hand: String,
    pause: Option<Paused>,
}

/// What has to be paused before the workloads, and those autoscalers' bounds, are changed.
///
/// # Errors
/// `Refused`, naming every owner and the way on, if the plan does not say `owners: pause`, or for one that cannot be.
pub(crate) async fn of(
    sides: &Sides,
    cx: &Cx,
    cluster: &Cluster,
    changed: &[&Member],
    bounds: &[&Autoscaler],
    field: Field,
) -> Result<Vec<Paused>> {
    if changed.is_empty() && bounds.is_empty() {
        return Ok(Vec::new());
    }
    let mut look = Look { cx, cluster, owners: BTreeMap::new(), seen: BTreeSet::new(), sync: None };
    look.all(changed, bounds, field).await.map_err(Error::not_happened)?;
    if look.owners.is_empty() {
        return Ok(Vec::new());
    }
    if cx.overrides.contains(GATE) {
        for (owner, of) in look.owners.values() {
            cx.progress.say(format!("overridden: {} owns {}", owner.who, list(of)));
        }
        return Ok(Vec::new());
    }
    let pause = sides.config.owners == Owners::Pause;
    let refused: Vec<String> = look
        .owners
        .values()
        .filter(|(owner, _)| !pause || owner.pause.is_none())
        .map(|(owner, of)| {
            let plan = if owner.pause.is_some() { ", or say `owners: pause` in the plan" } else { "" };
            format!("{} owns {} and would change it back: {}{plan}", owner.who, list(of), owner.by_hand)
        })
        .collect();
    if !refused.is_empty() {
        let text = format!("{}; or go on all the same with --override {GATE}", refused.join("; "));
        return Err(Error::refused(text).on(cluster.side.as_str()));
    }
    Ok(look.owners.into_values().filter_map(|(owner, _)| owner.pause).collect())
}

fn list(of: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = of.iter().take(3).map(String::as_str).collect();
    match of.len().checked_sub(3) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

struct Look<'a> {
    cx: &'a Cx,
    cluster: &'a Cluster,
    /// Each owner once, with what it owns.
    owners: BTreeMap<String, (Owner, BTreeSet<String>)>,
    /// Owners that were looked at and do not act.
    seen: BTreeSet<String>,
    /// Argo CD's applications, read once.
    sync: Option<Vec<Value>>,
}

impl Look<'_> {
    async fn all(&mut self, changed: &[&Member], bounds: &[&Autoscaler], field: Field) -> Result<()> {
        let scaled = match field {
            Field::Replicas => self.keda().await?,
            Field::Template => BTreeMap::new(),
        };
        let rollouts = self.rollouts().await?;
        for member in changed {
            let (name, meta) = (member.name().to_string(), &member.object.metadata);
            self.operator(meta, &name);
            self.gitops(meta, field.path(), &name).await?;
            if let Some(object) = scaled.get(&name) {
                self.keda_object(object, &name);
            }
            if let Some(rollout) = rollouts.get(&name) {
                let who = format!("Argo Rollouts' rollout {rollout}");
                let by_hand =
                    format!("name it in the plan (kinds: [rollouts.argoproj.io]) instead of {name}");
                self.add(Owner { who, by_hand, pause: None }, &name);
            }
            if is_rolling(member) && !is_told_by(&member.object.template_note(), self.cx) {
                self.rolling(member, &name, field);
            }
        }
        for one in bounds {
            let name = format!("horizontalpodautoscaler/{}", one.metadata.name);
            self.gitops(&one.metadata, &["spec", "minReplicas"], &name).await?;
        }
        Ok(())
    }

    fn add(&mut self, owner: Owner, of: &str) {
        let entry = self.owners.entry(owner.who.clone());
        entry.or_insert_with(|| (owner, BTreeSet::new())).1.insert(of.to_owned());
    }

    fn operator(&mut self, meta: &Meta, name: &str) {
        if let Some(owner) = meta.owner_references.iter().find(|owner| owner.controller) {
            let who = format!("{} {} ({})", owner.kind, owner.name, owner.api_version);
            let by_hand = format!("change {} {} instead", owner.kind, owner.name);
            self.add(Owner { who, by_hand, pause: None }, name);
        }
    }

    fn rolling(&mut self, member: &Member, name: &str, field: Field) {
        let path = member.path(self.cluster);
        // A paused roll-out would not carry a new template either.
        let can = member.kind.name == "Deployment" && field == Field::Replicas;
        let pause = can.then(|| Paused {
            what: format!("the roll-out of {name}"),
            path,
            how: How::PauseRollOut,
            was: Value::Null,
        });
        let by_hand = format!("let it end (kubectl -n {} rollout status {name})", self.cluster.namespace);
        self.add(Owner { who: format!("a roll-out of {name} that is under way"), by_hand, pause }, name);
    }

    async fn gitops(&mut self, meta: &Meta, field: &[&str], name: &str) -> Result<()> {
        let labels = &meta.labels;
        if let Some(app) = argo_app(meta)
            && applies(meta, &["argocd"], field)
        {
            self.argo(&app, name).await?;
        }
        for (group, plural, kind, manager) in [
            (KUSTOMIZE, "kustomizations", "kustomization", "kustomize-controller"),
            (HELM, "helmreleases", "helmrelease", "helm-controller"),
        ] {
            let at = labels.get(&format!("{group}/name")).zip(labels.get(&format!("{group}/namespace")));
            if let Some((object, namespace)) = at
                && applies(meta, &[manager], field)
            {
                self.flux(group, plural, kind, (namespace, object), name).await?;
            }
        }
        Ok(())
    }

    async fn flux(
        &mut self,
        group: &str,
        plural: &str,
        kind: &str,
        (namespace, object): (&str, &str),
        of: &str,
    ) -> Result<()> {
        let who = format!("Flux {kind} {namespace}/{object}");
        if self.seen.contains(&who) {
            return Ok(());
        }
        let by_hand = format!("flux suspend {kind} {object} -n {namespace}");
        let Some(served) = self.cluster.kind(self.cx, group, plural, &[]).await? else {
            let who = format!("{who} (of another cluster)");
            self.add(Owner { who, by_hand, pause: None }, of);
            return Ok(());
        };
        let path = served.at(namespace, object);
        let Some(found) = self.cluster.find::<Value>(self.cx, &path).await? else {
            // Its labels stayed behind; it is gone.
            self.seen.insert(who);
            return Ok(());
        };
        let was = How::Suspend.now(&found);
        if was == Value::Bool(true) {
            self.seen.insert(who);
            return Ok(());
        }
        let pause = Paused { what: who.clone(), path, how: How::Suspend, was };
        self.add(Owner { who, by_hand, pause: Some(pause) }, of);
        Ok(())
    }

    async fn argo(&mut self, app: &str, of: &str) -> Result<()> {
        let Some(kind) = self.cluster.kind(self.cx, "argoproj.io", "applications", &[]).await? else {
            let who = format!("Argo CD application {app} (of another cluster)");
            let by_hand = format!("argocd app set {app} --sync-policy none");
            self.add(Owner { who, by_hand, pause: None }, of);
            return Ok(());
        };
        if self.sync.is_none() {
            let (all, _) = self.cluster.list::<Value>(self.cx, &kind.everywhere(), None).await?;
            self.sync = Some(all);
        }
        let mut app = app.to_owned();
        for _ in 0..DEEP {
            let all = self.sync.as_deref().unwrap_or_default();
            let Some(found) = all.iter().find(|object| is_app(object, &app)).cloned() else {
                if self.owners.is_empty() {
                    let who = format!("Argo CD application {app} (not found in this cluster)");
                    let by_hand = format!("argocd app set {app} --sync-policy none");
                    self.add(Owner { who, by_hand, pause: None }, of);
                }
                return Ok(());
            };
            let meta: Meta = found
                .get("metadata")
                .cloned()
                .map(serde_json::from_value)
                .transpose()
                .ok()
                .flatten()
                .unwrap_or_default();
            let namespace = meta.namespace.clone().unwrap_or_default();
            if acts(&found) {
                let who = format!("Argo CD application {namespace}/{} (automated sync)", meta.name);
                let pause = Paused {
                    what: format!("the automated sync of Argo CD application {namespace}/{}", meta.name),
                    path: kind.at(&namespace, &meta.name),
                    how: How::NoAutomatedSync,
                    was: How::NoAutomatedSync.now(&found),
                };
                let by_hand = format!("argocd app set {} --sync-policy none", meta.name);
                self.add(Owner { who, by_hand, pause: Some(pause) }, of);
            }
            // An application of applications would put the automated sync of this one back.
            match argo_app(&meta) {
                Some(above) if acts(&found) => app = above,
                Some(_) | None => return Ok(()),
            }
        }
        Ok(())
    }

    async fn keda(&self) -> Result<BTreeMap<String, Value>> {
        let Some(kind) = self.cluster.kind(self.cx, "keda.sh", "scaledobjects", &[]).await? else {
            return Ok(BTreeMap::new());
        };
        let (all, _) = self.cluster.list::<Value>(self.cx, &kind.path(&self.cluster.namespace), None).await?;
        let by_target = all.into_iter().filter_map(|mut object| {
            let target = object.pointer("/spec/scaleTargetRef")?;
            let kind_of = target.get("kind").and_then(Value::as_str).unwrap_or("Deployment").to_lowercase();
            let name = format!("{kind_of}/{}", target.get("name")?.as_str()?);
            let at = kind.at(&self.cluster.namespace, object.pointer("/metadata/name")?.as_str()?);
            object.as_object_mut()?.insert("path".to_owned(), json!(at));
            Some((name, object))
        });
        Ok(by_target.collect())
    }

    fn keda_object(&mut self, object: &Value, of: &str) {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let was = How::Annotate.now(object);
        if was == json!("true") {
            return;
        }
        let who = format!("KEDA's scaledobject/{name}");
        let pause = Paused {
            what: who.clone(),
            path: object.get("path").and_then(Value::as_str).unwrap_or_default().to_owned(),
            how: How::Annotate,
            was,
        };
        let namespace = &self.cluster.namespace;
        let by_hand = format!("kubectl -n {namespace} annotate scaledobject {name} {KEDA_PAUSED}=true");
        self.add(Owner { who, by_hand, pause: Some(pause) }, of);
    }

    async fn rollouts(&self) -> Result<BTreeMap<String, String>> {
        let Some(kind) = self.cluster.kind(self.cx, "argoproj.io", "rollouts", &[]).await? else {
            return Ok(BTreeMap::new());
        };
        let path = kind.path(&self.cluster.namespace);
        let (all, _) = self.cluster.list::<crate::objects::Workload>(self.cx, &path, None).await?;
        let by_target = all.into_iter().filter_map(|rollout| {
            let target = rollout.spec.workload_ref?;
            Some((format!("{}/{}", target.kind.to_lowercase(), target.name), rollout.metadata.name))
        });
        Ok(by_target.collect())
    }
}

/// Which Argo CD application says that an object is its own.
fn argo_app(meta: &Meta) -> Option<String> {
    let tracking = meta.annotations.get(TRACKING).and_then(|id| id.split(':').next());
    let by_manager = || {
        let is_argo = meta.managed_fields.iter().any(|managed| managed.manager.starts_with("argocd"));
        meta.labels.get(HELM_INSTANCE).filter(|_| is_argo)
    };
    let app = tracking.or_else(|| meta.labels.get(INSTANCE).map(String::as_str));
    app.map(str::to_owned).or_else(|| by_manager().cloned())
}

fn is_app(object: &Value, app: &str) -> bool {
    let of = |name: &str| object.pointer(name).and_then(Value::as_str).unwrap_or_default();
    let (name, namespace) = (of("/metadata/name"), of("/metadata/namespace"));
    // Outside Argo CD's own namespace the tracking carries the application's namespace too.
    name == app || app.split_once('_') == Some((namespace, name))
}

/// Whether an application puts things back by itself.
fn acts(app: &Value) -> bool {
    let automated = app.pointer("/spec/syncPolicy/automated").filter(|automated| !automated.is_null());
    let enabled = automated.map(|automated| automated.get("enabled").and_then(Value::as_bool) != Some(false));
    let skipped = app.pointer("/metadata/annotations/argocd.argoproj.io~1skip-reconcile");
    enabled == Some(true) && skipped.and_then(Value::as_str) != Some("true")
}

/// Whether a manager has set that field. An object that does not say who set what is taken to be all its owner's.
fn applies(meta: &Meta, managers: &[&str], field: &[&str]) -> bool {
    let says = meta.managed_fields.iter().any(|managed| managed.fields_v1.is_object());
    let is =
        |managed: &&crate::objects::Managed| managers.iter().any(|name| managed.manager.starts_with(name));
    !says || meta.managed_fields.iter().filter(is).any(|managed| managed.owns(field))
}

fn is_told_by(note: &Option<String>, cx: &Cx) -> bool {
    note.as_deref().is_some_and(|note| note.starts_with(cx.run.as_str()))
}

impl crate::objects::Workload {
    /// What a run left on the template.
    pub(crate) fn template_note(&self) -> Option<String> {
        self.spec.template.metadata.annotations.get(crate::note::RESTARTED).cloned()
    }
}

/// Pauses them.
pub(crate) async fn pause(cx: &Cx, cluster: &Cluster, all: &[Paused]) -> Result<()> {
    for one in all {
        set(cx, cluster, one, &one.how.paused(), &one.was).await?;
        cx.progress.say(format!("paused {one}"));
    }
    Ok(())
}

/// Lets them go on as they did, in the opposite order: what stands above would have acted on what stands below.
pub(crate) async fn resume(cx: &Cx, cluster: &Cluster, all: &[Paused]) -> Result<()> {
    for one in all.iter().rev() {
        set(cx, cluster, one, &one.was, &one.how.paused()).await?;
        cx.progress.say(format!("{one} goes on"));
    }
    Ok(())
}

async fn set(cx: &Cx, cluster: &Cluster, one: &Paused, to: &Value, from: &Value) -> Result<()> {
    for _ in 0..8 {
        let object: Value = cluster.get(cx, &one.path).await?;
        let now = one.how.now(&object);
        if now == *to || (is_nothing(&now) && is_nothing(to)) {
            return Ok(());
        }
        if now != *from && !(is_nothing(&now) && is_nothing(from)) {
            let text = format!("somebody changed {one} meanwhile");
            return Err(Error::new(ErrorKind::Conflict, text).on(cluster.side.as_str()));
        }
        let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
        let body = one.how.patch(&version, to);
        match cluster.write::<Whatever>(cx, &Write::patch(&one.path, &body)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    let text = format!("{one} changes faster than it can be paused");
    Err(Error::new(ErrorKind::Conflict, text).transient(None).on(cluster.side.as_str()))
}

/// Absent, null and false are the same to all of these switches.
fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(value: Value) -> Meta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_application_is_known_by_its_tracking_or_by_its_manager() {
        let tracked = meta(json!({ "annotations": { TRACKING: "shop:apps/Deployment:p/web" } }));
        assert_eq!(argo_app(&tracked).as_deref(), Some("shop"));
        let labels = json!({ HELM_INSTANCE: "shop" });
        assert_eq!(argo_app(&meta(json!({ "labels": labels.clone() }))), None);
        let managed = json!({ "labels": labels, "managedFields": [{ "manager": "argocd-controller" }] });
        assert_eq!(argo_app(&meta(managed)).as_deref(), Some("shop"));
    }

    #[test]
    fn who_did_not_set_the_field_does_not_put_it_back() {
        let owned = |fields: Value| {
            meta(json!({ "managedFields": [{ "manager": "argocd-controller", "fieldsV1": fields }] }))
        };
        let field = Field::Replicas.path();
        assert!(applies(&owned(json!({ "f:spec": { "f:replicas": {} } })), &["argocd"], field));
        assert!(!applies(&owned(json!({ "f:spec": { "f:template": {} } })), &["argocd"], field));
        assert!(applies(&meta(json!({})), &["argocd"], field), "nothing is said: it may have");
    }

    #[test]
    fn an_application_without_automated_sync_leaves_things_alone() {
        let app = |policy: Value| json!({ "spec": { "syncPolicy": policy } });
        assert!(acts(&app(json!({ "automated": { "selfHeal": true } }))));
        assert!(acts(&app(json!({ "automated": {} }))));
        assert!(!acts(&app(json!({ "automated": { "enabled": false } }))));
        assert!(!acts(&app(json!({}))));
    }

    #[test]
    fn pausing_touches_one_field_over_the_version_that_was_read() {
        assert_eq!(
            How::Suspend.patch(&json!("7"), &json!(true)),
            json!({ "spec": { "suspend": true }, "metadata": { "resourceVersion": "7" } })
        );
        assert_eq!(
            How::Annotate.patch(&json!("7"), &Value::Null),
            json!({ "metadata": { "annotations": { KEDA_PAUSED: null }, "resourceVersion": "7" } })
        );
    }
}
