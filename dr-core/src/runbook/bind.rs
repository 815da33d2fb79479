//! From a script to a runbook: each step gets its action. A resume does just this with the script in the journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draining::Drainer;
use super::fencing::Fencer;
use super::looking::{Look, Looking};
use super::pausing::{Approvals, Approve, Approving, Wait, Waiting};
use super::promotion::{Guarding, Promoter};
use super::roles::{CheckRoles, RolesCheck};
use super::room::{CheckRoom, RoomCheck};
use super::routing::Router;
use super::script::{Script, ScriptStep};
use super::watchers::{Watchers, nobody};
use crate::ids::{ResourceName, Side, StepId};
use crate::plan::{Finding, Place};
use crate::resource::{
    Action, Bound, Call, Class, Fence, Promote, Replication, Resource, Roles, Route, Scale, SilencePolicy,
};
use crate::time::Timestamp;

/// A script with its actions, ready to execute. Executing consumes it.
#[derive(Debug)]
pub struct Runbook {
    script: Script,
    actions: BTreeMap<StepId, Arc<dyn Action>>,
    resources: BTreeMap<ResourceName, Resource>,
    approvals: Approvals,
}

/// What binding needs beside script and resources.
#[derive(Debug, Clone)]
pub struct Binding {
    pub(super) roles: Roles,
    pub(super) watchers: Arc<dyn Watchers>,
    pub(super) outage_since: Option<Timestamp>,
}

impl Binding {
    /// For these roles; nobody watches, nothing is known of an outage.
    pub fn new(roles: Roles) -> Self {
        Self { roles, watchers: nobody(), outage_since: None }
    }

    /// Who else hears whether a side is silent.
    #[must_use]
    pub fn watched_by(mut self, watchers: Arc<dyn Watchers>) -> Self {
        self.watchers = watchers;
        self
    }

    /// When the outage began.
    #[must_use]
    pub fn since(mut self, outage_since: Option<Timestamp>) -> Self {
        self.outage_since = outage_since;
        self
    }
}

impl Runbook {
    /// Gives each step its action.
    ///
    /// # Errors
    /// Every step that cannot be bound: its resource is missing, cannot do the verb, does not understand the call, or
    /// says that the call is of another class than the script recorded.
    pub fn bind(
        script: Script,
        resources: BTreeMap<ResourceName, Resource>,
        binding: &Binding,
    ) -> Result<Self, Vec<Finding>> {
        let approvals = Approvals::default();
        let mut actions = BTreeMap::new();
        let mut findings = Vec::new();
        for step in &script.steps {
            match action(step, &script, &resources, binding, &approvals) {
                Ok(action) if action.class() == step.class => {
                    actions.insert(step.id.clone(), action);
                }
                Ok(action) => findings.push(unbound(
                    step,
                    &format!(
                        "it is {:?} now and was {:?} when the script was made",
                        action.class(),
                        step.class
                    ),
                )),
                Err(why) => findings.push(unbound(step, &why)),
            }
        }
        if findings.is_empty() { Ok(Self { script, actions, resources, approvals }) } else { Err(findings) }
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// The action of a step.
    pub fn action(&self, step: &StepId) -> Option<&Arc<dyn Action>> {
        self.actions.get(step)
    }

    /// The resources.
    pub fn resources(&self) -> &BTreeMap<ResourceName, Resource> {
        &self.resources
    }

    /// Where approvals go.
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// The same runbook with every action wrapped: how test kits put chaos, recorders and crashes on a whole run.
    #[must_use]
    pub fn wrapped(mut self, wrap: impl Fn(&StepId, Arc<dyn Action>) -> Arc<dyn Action>) -> Self {
        self.actions = self
            .actions
            .into_iter()
            .map(|(id, action)| {
                let wrapped = wrap(&id, action);
                (id, wrapped)
            })
            .collect();
        self
    }
}

fn unbound(step: &ScriptStep, why: &str) -> Finding {
    Finding::error(
        "unbound-step",
        Place::default(),
        format!("step {} cannot be carried out here: {why}", step.id),
        "use the release and the backends that began the run",
    )
}

fn action(
    step: &ScriptStep,
    script: &Script,
    resources: &BTreeMap<ResourceName, Resource>,
    binding: &Binding,
    approvals: &Approvals,
) -> Result<Arc<dyn Action>, String> {
    let resource = match &step.resource {
        None => None,
        Some(name) => Some(resources.get(name).ok_or_else(|| format!("there is no resource `{name}`"))?),
    };
    let cannot = || format!("its resource cannot `{}`", step.verb);
    match (step.verb.as_str(), resource) {
        (Wait::VERB, None) => bound::<Wait>(step, Arc::new(Waiting)),
        (Approve::VERB, None) => bound::<Approve>(step, Arc::new(Approving(approvals.clone()))),
        (_, None) => Err("it names no resource".to_owned()),
        (Look::VERB, Some(resource)) => bound::<Look>(step, Arc::new(Looking(resource.clone()))),
        (CheckRoles::VERB, Some(resource)) => bound::<CheckRoles>(
            step,
            Arc::new(RolesCheck(resource.observer::<Replication>().ok_or_else(cannot)?)),
        ),
        (CheckRoom::VERB, Some(resource)) => {
            bound::<CheckRoom>(step, Arc::new(RoomCheck(resource.room().ok_or_else(cannot)?)))
        }
        (Route::VERB, Some(resource)) => bound::<Route>(step, Arc::new(router(step, resource, resources)?)),
        (Fence::VERB, Some(resource)) => bound::<Fence>(
            step,
            Arc::new(Fencer {
                resource: step.resource.clone().unwrap_or_else(|| "".into()),
                inner: resource.effect::<Fence>().ok_or_else(cannot)?,
                observer: resource.observer::<Replication>(),
                watchers: Arc::clone(&binding.watchers),
            }),
        ),
        (Promote::VERB, Some(resource)) => {
            bound::<Promote>(step, Arc::new(promoter(step, script, resource, resources, binding)?))
        }
        (Scale::VERB, Some(resource)) => {
            bound::<Scale>(step, Arc::new(Drainer(resource.effect::<Scale>().ok_or_else(cannot)?)))
        }
        (verb, Some(resource)) => resource
            .bind(verb, step.call.clone(), &binding.roles)
            .ok_or_else(cannot)?
            .map_err(|error| format!("its call cannot be read: {error}")),
    }
}

fn bound<C: Call>(
    step: &ScriptStep,
    effect: Arc<dyn crate::resource::Effect<C>>,
) -> Result<Arc<dyn Action>, String> {
    let call: C = serde_json::from_value(step.call.clone())
        .map_err(|error| format!("its call cannot be read: {error}"))?;
    Ok(Arc::new(Bound::new(effect, call)))
}

/// A promotion with the fences that guard it. A store that can be fenced itself and does not fence by its own switch is
/// refused here already, before anything was touched, where no fence of its own stands before it.
fn promoter(
    step: &ScriptStep,
    script: &Script,
    resource: &Resource,
    resources: &BTreeMap<ResourceName, Resource>,
    binding: &Binding,
) -> Result<Promoter, String> {
    let cannot = || format!("its resource cannot `{}`", step.verb);
    let guarding = guarding(step, script, resources)?;
    let own = own_fence(step, resource, &binding.roles)?;
    let fences_itself = resource.fences_itself_when_planned();
    if let Some((store, side)) = own.as_ref().filter(|_| !fences_itself)
        && !guarding.iter().any(|fence| fence.resource == *store && fence.side == *side)
    {
        return Err(format!("no fence of the very store on {side} stands before it"));
    }
    Ok(Promoter {
        inner: resource.effect::<Promote>().ok_or_else(cannot)?,
        observer: resource.observer::<Replication>().ok_or_else(cannot)?,
        guarding,
        own,
        fences_itself,
        watchers: Arc::clone(&binding.watchers),
        outage_since: binding.outage_since,
    })
}

/// Every fence of another side that stands before a promotion, through all the steps between.
fn guarding(
    step: &ScriptStep,
    script: &Script,
    resources: &BTreeMap<ResourceName, Resource>,
) -> Result<Vec<Guarding>, String> {
    let by_id: BTreeMap<&StepId, &ScriptStep> = script.steps.iter().map(|step| (&step.id, step)).collect();
    let mut open: Vec<&StepId> = step.after.iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut fences: Vec<Guarding> = Vec::new();
    let promoted: Promote = serde_json::from_value(step.call.clone()).map_err(|error| error.to_string())?;
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Some(before) = by_id.get(id) else { continue };
        open.extend(before.after.iter());
        if before.class != Class::Fence {
            continue;
        }
        let name = before.resource.clone().ok_or("a fence before it names no resource")?;
        let holds = resources.get(&name).and_then(Resource::holds);
        let call: Fence = serde_json::from_value(before.call.clone()).map_err(|error| error.to_string())?;
        if call.side.side().ok() == promoted.side.side().ok() {
            continue;
        }
        fences.push(Guarding {
            side: fenced_side(&call).ok_or("a fence before it names no side")?,
            policy: policy(call),
            holds: holds.ok_or_else(|| format!("`{name}` cannot say whether its fence holds"))?,
            resource: name,
            step: before.id.clone(),
            when: before.when,
        });
    }
    Ok(fences)
}

/// The fence that a store which can be fenced itself has to have before its promotion: its own, on the side that the
/// promoted one replaces. Others' fences only add to it.
fn own_fence(
    step: &ScriptStep,
    resource: &Resource,
    roles: &Roles,
) -> Result<Option<(ResourceName, Side)>, String> {
    let (Some(name), Some(_)) = (&step.resource, resource.holds()) else { return Ok(None) };
    let promoted: Promote = serde_json::from_value(step.call.clone()).map_err(|error| error.to_string())?;
    let back = promoted.side.side().ok() == Some(&roles.source);
    let replaced = if back { &roles.target } else { &roles.source };
    Ok(Some((name.clone(), replaced.clone())))
}

fn router(
    step: &ScriptStep,
    resource: &Resource,
    resources: &BTreeMap<ResourceName, Resource>,
) -> Result<Router, String> {
    let call: Route = serde_json::from_value(step.call.clone()).map_err(|error| error.to_string())?;
    let of =
        |name: &ResourceName| resources.get(name).ok_or_else(|| format!("there is no resource `{name}`"));
    let gate = match call.gate {
        None => None,
        Some(name) => {
            let prober = of(&name)?.prober().ok_or_else(|| format!("`{name}` cannot be asked as a gate"))?;
            Some((name, prober))
        }
    };
    let addresses = match call.address_from {
        None => None,
        Some(name) => {
            let known = of(&name)?.addresses();
            let known = known.ok_or_else(|| format!("`{name}` does not know where its sides are entered"))?;
            Some((name, known))
        }
    };
    let inner = resource.effect::<Route>().ok_or_else(|| "its resource cannot `route`".to_owned())?;
    Ok(Router { inner, gate, addresses })
}

fn fenced_side(call: &Fence) -> Option<Side> {
    call.side.side().ok().cloned()
}

fn policy(call: Fence) -> Option<SilencePolicy> {
    call.when_unreachable
}
