//! The steps that the core puts before all others: who is what, and whether there is room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::roles::CheckRoles;
use super::room::CheckRoom;
use super::script::{Script, ScriptPhase, ScriptStep};
use crate::ids::{PhaseName, ResourceName, StepId};
use crate::plan::Plan;
use crate::resource::{Call, Class, Configured, Promote, Roles, Scale, Urgency};

/// The phase that the core puts before all others where something is promoted.
pub const ROLES_PHASE: &str = "roles";

/// Enough to look past a blip, and not so long that a person wonders.
const ROLES_WITHIN: Duration = Duration::from_secs(10);
/// Quotas and capacity come from control planes that are slower than a database.
const ROOM_WITHIN: Duration = Duration::from_secs(30);

/// A first phase that looks at the roles of everything that is going to be promoted, and whether there is room for
/// what is going to be scaled. All else waits for it.
pub(super) fn looks_first(
    plan: &Plan,
    configured: &BTreeMap<ResourceName, Arc<dyn Configured>>,
    roles: &Roles,
    script: &mut Script,
) {
    let mut first = check_roles(plan, roles, script);
    first.extend(check_room(plan, configured, roles, script));
    if first.is_empty() {
        return;
    }
    let ids: Vec<StepId> = first.iter().map(|step| step.id.clone()).collect();
    for step in script.steps.iter_mut().filter(|step| step.after.is_empty()) {
        step.after.clone_from(&ids);
    }
    script.phases.insert(0, ScriptPhase { name: PhaseName::new(ROLES_PHASE), within: None });
    script.steps.splice(0..0, first);
}

fn looking(
    plan: &Plan,
    name: &ResourceName,
    verb: &str,
    call: Value,
    within: Duration,
    when: Option<Urgency>,
) -> ScriptStep {
    ScriptStep {
        id: StepId::new(format!("{ROLES_PHASE}/{verb}:{name}")),
        phase: PhaseName::new(ROLES_PHASE),
        verb: verb.to_owned(),
        resource: Some(name.clone()),
        kind: plan.resources.get(name).map(|spec| spec.kind.clone()),
        call,
        class: Class::Read,
        after: Vec::new(),
        within,
        when,
        optional: false,
    }
}

/// For each resource that can tell: whether there is room for its scales of the target.
fn check_room(
    plan: &Plan,
    configured: &BTreeMap<ResourceName, Arc<dyn Configured>>,
    roles: &Roles,
    script: &Script,
) -> Vec<ScriptStep> {
    let mut scales: BTreeMap<&ResourceName, (Vec<Scale>, Option<Urgency>)> = BTreeMap::new();
    for step in script.steps.iter().filter(|step| step.verb == Scale::VERB) {
        let Some(name) = &step.resource else { continue };
        let Ok(scale) = serde_json::from_value::<Scale>(step.call.clone()) else { continue };
        let tells = configured.get(name).is_some_and(|it| it.measures_room());
        if !tells || scale.side.side().ok() != Some(&roles.target) {
            continue;
        }
        let (all, when) = scales.entry(name).or_insert_with(|| (Vec::new(), step.when));
        all.push(scale);
        if *when != step.when {
            *when = None;
        }
    }
    scales
        .into_iter()
        .filter_map(|(name, (scales, when))| {
            let call = serde_json::to_value(CheckRoom { scales }).ok()?;
            Some(looking(plan, name, CheckRoom::VERB, call, ROOM_WITHIN, when))
        })
        .collect()
}

fn check_roles(plan: &Plan, roles: &Roles, script: &Script) -> Vec<ScriptStep> {
    let promoted: BTreeSet<ResourceName> = script
        .steps
        .iter()
        .filter(|step| step.verb == Promote::VERB)
        .filter_map(|step| step.resource.clone())
        .collect();
    let call =
        CheckRoles { source: roles.source.clone(), target: roles.target.clone(), overrides: BTreeSet::new() };
    let Ok(call) = serde_json::to_value(call) else { return Vec::new() };
    promoted
        .iter()
        .map(|name| looking(plan, name, CheckRoles::VERB, call.clone(), ROLES_WITHIN, None))
        .collect()
}
