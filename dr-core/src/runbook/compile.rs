//! From a plan to a script: names bound, verbs understood, sides aimed, order found. Pure: no credentials, no network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::looking::Look;
use super::order::{circle, circle_finding, phase_edges, rule_edges};
use super::pausing::{Approve, Wait};
use super::roles::CheckRoles;
use super::room::CheckRoom;
use super::script::{Script, ScriptPhase, ScriptStep};
use crate::ids::{PhaseName, ResourceName, StepId};
use crate::plan::{Finding, Phase, Plan, Step, closest};
use crate::resource::{
    At, Backup, Call, Class, Configure, Configured, Fence, Follow, Pause, Probe, Promote, Restore, Roles,
    Route, Scale, Trigger, Unfence, Unpause, Urgency,
};

/// The phase that the core puts before all others where something is promoted.
pub const ROLES_PHASE: &str = "roles";

const DEFAULT_WITHIN: Duration = Duration::from_secs(300);
/// Enough to look past a blip, and not so long that a person wonders.
const ROLES_WITHIN: Duration = Duration::from_secs(10);
/// Between two phases, as many edges as this are written out.
const MANY_EDGES: usize = 1_000;

/// The verbs that a plan can use, with what each needs after it.
const VERBS: [&str; 16] = [
    "observe",
    "fence",
    "unfence",
    "promote",
    "follow",
    "pause",
    "unpause",
    "scale",
    "configure",
    "route",
    "probe",
    "backup",
    "restore",
    "trigger",
    "wait",
    "approve",
];

/// Binds a plan to its resources' configurations and to the roles of its sides.
///
/// # Errors
/// Everything that does not fit, with its place; `check` has more to say about what does.
pub fn compile(
    plan: &Plan,
    configured: &BTreeMap<ResourceName, Arc<dyn Configured>>,
    roles: &Roles,
) -> Result<Script, Vec<Finding>> {
    let mut compiler = Compiler { configured, roles, findings: Vec::new() };
    let phases = phase_edges(&plan.phases, &mut compiler.findings);
    let mut script = Script::default();
    for phase in &plan.phases {
        script.phases.push(ScriptPhase { name: phase.name.clone(), within: phase.within });
        compiler.phase(plan, phase, &mut script.steps);
    }
    gather(&phases, &mut script.steps);
    compiler.edges(plan, &phases, &mut script.steps);
    compiler.looks_first(plan, &mut script);
    if let Some(names) = circle(&script.steps) {
        let place = plan.phases.first().map(|phase| phase.place).unwrap_or_default();
        compiler.findings.push(circle_finding(&names, place));
    }
    if compiler.findings.is_empty() { Ok(script) } else { Err(compiler.findings) }
}

struct Compiler<'a> {
    configured: &'a BTreeMap<ResourceName, Arc<dyn Configured>>,
    roles: &'a Roles,
    findings: Vec<Finding>,
}

impl Compiler<'_> {
    fn phase(&mut self, plan: &Plan, phase: &Phase, into: &mut Vec<ScriptStep>) {
        let mut seen: BTreeMap<String, &Step> = BTreeMap::new();
        for step in &phase.steps {
            let local = step.local_id();
            if let Some(first) = seen.insert(local.clone(), step) {
                self.findings.push(Finding::error(
                    "duplicate-step",
                    step.place,
                    format!("phase `{}` has two steps `{local}`, the first at {}", phase.name, first.place),
                    "give one of them an `id` of its own",
                ));
                continue;
            }
            if let Some((call, class)) = self.call(plan, step) {
                into.push(ScriptStep {
                    id: StepId::new(format!("{}/{local}", phase.name)),
                    phase: phase.name.clone(),
                    verb: step.verb.clone(),
                    resource: step.resource.clone(),
                    kind: step
                        .resource
                        .as_ref()
                        .and_then(|name| plan.resources.get(name))
                        .map(|spec| spec.kind.clone()),
                    call,
                    class,
                    after: Vec::new(),
                    within: step.within.or(phase.within).unwrap_or(DEFAULT_WITHIN),
                    when: step.when.or(phase.when),
                    optional: step.optional,
                });
            }
        }
    }

    /// The step's options as its verb understands them.
    fn call(&mut self, plan: &Plan, step: &Step) -> Option<(Value, Class)> {
        if !VERBS.contains(&step.verb.as_str()) {
            self.findings.push(Finding::error(
                "unknown-verb",
                step.place,
                format!("there is no verb `{}`", step.verb),
                format!("the verbs are: {}", VERBS.join(", ")),
            ));
            return None;
        }
        if let Some(name) = &step.resource {
            self.offers(plan, step, name)?;
        }
        let parsed = match step.verb.as_str() {
            "observe" => self.typed::<Look>(step),
            "fence" => self.typed::<Fence>(step),
            "unfence" => self.typed::<Unfence>(step),
            "promote" => self.typed::<Promote>(step),
            "follow" => self.typed::<Follow>(step),
            "pause" => self.typed::<Pause>(step),
            "unpause" => self.typed::<Unpause>(step),
            "scale" => self.typed::<Scale>(step),
            "configure" => self.typed::<Configure>(step),
            "backup" => self.typed::<Backup>(step),
            "restore" => self.typed::<Restore>(step),
            "trigger" => self.typed::<Trigger>(step),
            "route" => self.typed::<Route>(step),
            "probe" => self.typed::<Probe>(step),
            "wait" => self.typed::<Wait>(step),
            _ => self.typed::<Approve>(step),
        };
        match parsed {
            Ok(parsed) => self.sides(plan, step, &parsed.0).then_some(parsed),
            Err(error) => {
                self.findings.push(Finding::error(
                    "bad-call",
                    step.place,
                    format!("`{}` does not take that: {error}", step.verb),
                    "see `dr schema` for the options of each verb",
                ));
                None
            }
        }
    }

    fn typed<C: Call>(&self, step: &Step) -> Result<(Value, Class), serde_json::Error> {
        let mut call: C = serde_json::from_value(step.call.clone())?;
        call.aim(self.roles);
        Ok((serde_json::to_value(&call)?, call.class()))
    }

    fn offers(&mut self, plan: &Plan, step: &Step, name: &ResourceName) -> Option<()> {
        let Some(spec) = plan.resources.get(name) else {
            let known: Vec<&str> = plan.resources.keys().map(ResourceName::as_str).collect();
            self.findings.push(Finding::error(
                "unknown-resource",
                step.place,
                format!("there is no resource `{name}`"),
                match closest(name.as_str(), known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the resources are: {}", known.join(", ")),
                },
            ));
            return None;
        };
        // A resource whose configuration is wrong has findings of its own.
        let configured = self.configured.get(name)?;
        let verbs = configured.verbs();
        if step.verb != Look::VERB && !verbs.contains(&step.verb.as_str()) {
            self.findings.push(Finding::error(
                "verb-not-offered",
                step.place,
                format!("`{name}` ({}) cannot `{}`", spec.kind, step.verb),
                format!("it can: {}", verbs.join(", ")),
            ));
            return None;
        }
        Some(())
    }

    /// Every side that the call names is one that the resource lives on.
    fn sides(&mut self, plan: &Plan, step: &Step, call: &Value) -> bool {
        let Some(configured) = step.resource.as_ref().and_then(|name| self.configured.get(name)) else {
            return true;
        };
        let known = configured.sides();
        let mut fits = true;
        if known.is_empty() {
            return fits;
        }
        for key in ["in", "to", "of", "served_by", "copy_to"] {
            let Some(side) = call.get(key).and_then(Value::as_str) else { continue };
            if !known.contains_key(side) {
                fits = false;
                let names: Vec<&str> = known.keys().map(crate::ids::Side::as_str).collect();
                self.findings.push(Finding::error(
                    "unknown-side",
                    step.place,
                    format!(
                        "`{}` has no side `{side}`",
                        step.resource.as_ref().map_or("it", |name| name.as_str())
                    ),
                    format!("plan `{}` gives it: {}", plan.name, names.join(", ")),
                ));
            }
        }
        fits
    }

    fn edges(&mut self, plan: &Plan, phases: &BTreeMap<PhaseName, Vec<PhaseName>>, steps: &mut [ScriptStep]) {
        let members = members(steps);
        let rules = rule_edges(steps);
        for step in steps.iter_mut() {
            let mut after: BTreeSet<StepId> = BTreeSet::new();
            if step.id == gathering(&step.phase) {
                after.extend(members.get(&step.phase).into_iter().flatten().cloned());
                after.remove(&step.id);
            } else {
                let direct = phases.get(&step.phase).map_or(&[][..], Vec::as_slice);
                for before in effective(direct, phases, &members) {
                    match members.get(&before).map(Vec::as_slice) {
                        Some([.., last]) if *last == gathering(&before) => {
                            after.insert(last.clone());
                        }
                        all => after.extend(all.into_iter().flatten().cloned()),
                    }
                }
            }
            after.extend(rules.iter().filter(|(_, late)| *late == step.id).map(|(early, _)| early.clone()));
            step.after = after.into_iter().collect();
        }
        let index: BTreeMap<StepId, usize> =
            steps.iter().enumerate().map(|(index, step)| (step.id.clone(), index)).collect();
        for phase in &plan.phases {
            let locals: BTreeSet<String> = phase.steps.iter().map(Step::local_id).collect();
            for from in &phase.steps {
                self.own_edges(phase, from, &locals, &index, steps);
            }
        }
    }

    fn own_edges(
        &mut self,
        phase: &Phase,
        from: &Step,
        locals: &BTreeSet<String>,
        index: &BTreeMap<StepId, usize>,
        steps: &mut [ScriptStep],
    ) {
        for name in &from.after {
            let before = StepId::new(format!("{}/{name}", phase.name));
            if !locals.contains(name) {
                self.findings.push(Finding::error(
                    "unknown-step",
                    from.place,
                    format!("it waits for a step `{name}` that phase `{}` has not", phase.name),
                    "a step waits for steps of its own phase, by `id` or `verb:resource`",
                ));
                continue;
            }
            let id = StepId::new(format!("{}/{}", phase.name, from.local_id()));
            if let Some(step) = index.get(&id).and_then(|index| steps.get_mut(*index))
                && !step.after.contains(&before)
            {
                step.after.push(before);
            }
        }
    }

    /// A first phase that looks at the roles of everything that is going to be promoted, and whether there is room for
    /// what is going to be scaled. All else waits for it.
    fn looks_first(&mut self, plan: &Plan, script: &mut Script) {
        let mut first = self.roles(plan, script);
        first.extend(self.rooms(plan, script));
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
            within: ROLES_WITHIN,
            when,
            optional: false,
        }
    }

    /// For each resource that can tell: whether there is room for its scales of the target.
    fn rooms(&self, plan: &Plan, script: &Script) -> Vec<ScriptStep> {
        let mut scales: BTreeMap<&ResourceName, (Vec<Scale>, Option<Urgency>)> = BTreeMap::new();
        for step in script.steps.iter().filter(|step| step.verb == Scale::VERB) {
            let Some(name) = &step.resource else { continue };
            let Ok(scale) = serde_json::from_value::<Scale>(step.call.clone()) else { continue };
            let tells = self.configured.get(name).is_some_and(|it| it.measures_room());
            if !tells || scale.side.side().ok() != Some(&self.roles.target) {
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
                Some(Self::looking(plan, name, CheckRoom::VERB, call, when))
            })
            .collect()
    }

    fn roles(&self, plan: &Plan, script: &Script) -> Vec<ScriptStep> {
        let promoted: BTreeSet<ResourceName> = script
            .steps
            .iter()
            .filter(|step| step.verb == Promote::VERB)
            .filter_map(|step| step.resource.clone())
            .collect();
        let call = CheckRoles {
            source: At::Named(self.roles.source.clone()),
            target: At::Named(self.roles.target.clone()),
            overrides: BTreeSet::new(),
        };
        let Ok(call) = serde_json::to_value(call) else { return Vec::new() };
        promoted.iter().map(|name| Self::looking(plan, name, CheckRoles::VERB, call.clone(), None)).collect()
    }
}

/// Where every step of a large phase would wait for every step of a large one before it, a step between them that only
/// gathers: five thousand and five thousand make ten thousand edges with it, and twenty-five million without.
fn gather(phases: &BTreeMap<PhaseName, Vec<PhaseName>>, steps: &mut Vec<ScriptStep>) {
    let counts: BTreeMap<PhaseName, usize> =
        members(steps).into_iter().map(|(phase, members)| (phase, members.len())).collect();
    let waiting = |before: &PhaseName| -> usize {
        let directly = phases.iter().filter(|(_, after)| after.contains(before));
        directly.filter_map(|(phase, _)| counts.get(phase)).sum()
    };
    let Ok(call) = serde_json::to_value(Wait { time: Duration::ZERO }) else { return };
    for phase in counts.keys().filter(|phase| counts[*phase] * waiting(phase) > MANY_EDGES) {
        let id = gathering(phase);
        let Some(last) = steps.iter().rposition(|step| step.phase == *phase) else { continue };
        if steps.iter().any(|step| step.id == id) {
            continue;
        }
        steps.insert(
            last + 1,
            ScriptStep {
                id,
                phase: phase.clone(),
                verb: Wait::VERB.to_owned(),
                resource: None,
                kind: None,
                call: call.clone(),
                class: Class::Read,
                after: Vec::new(),
                within: DEFAULT_WITHIN,
                when: None,
                optional: false,
            },
        );
    }
}

/// The name of the step that gathers a phase.
fn gathering(phase: &PhaseName) -> StepId {
    StepId::new(format!("{phase}/*"))
}

fn members(steps: &[ScriptStep]) -> BTreeMap<PhaseName, Vec<StepId>> {
    let mut members: BTreeMap<PhaseName, Vec<StepId>> = BTreeMap::new();
    for step in steps {
        members.entry(step.phase.clone()).or_default().push(step.id.clone());
    }
    members
}

/// The phases with steps that stand before one; a phase without any is looked through to those before it.
fn effective(
    direct: &[PhaseName],
    phases: &BTreeMap<PhaseName, Vec<PhaseName>>,
    members: &BTreeMap<PhaseName, Vec<StepId>>,
) -> BTreeSet<PhaseName> {
    let mut found = BTreeSet::new();
    let mut looked = BTreeSet::new();
    let mut open: Vec<&PhaseName> = direct.iter().collect();
    while let Some(phase) = open.pop() {
        if !looked.insert(phase) {
            continue;
        }
        if members.contains_key(phase) {
            found.insert(phase.clone());
        } else {
            open.extend(phases.get(phase).into_iter().flatten());
        }
    }
    found
}
