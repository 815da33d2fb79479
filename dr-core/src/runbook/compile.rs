//! From a plan to a script: names bound, verbs understood, sides aimed, order found. Pure: no credentials, no network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::first::looks_first;
use super::gather::{effective, gather, gathering, members};
use super::looking::Look;
use super::order::{circle, circle_finding, phase_edges, rule_edges};
use super::pausing::{Approve, Wait};
use super::script::{Script, ScriptPhase, ScriptStep};
use crate::ids::{PhaseName, ResourceName, StepId};
use crate::plan::{Finding, Phase, Plan, Step, closest};
use crate::resource::{
    Backup, Call, Class, Configure, Configured, Fence, Follow, Pause, Probe, Promote, Restore, Roles, Route,
    Scale, Trigger, Unfence, Unpause, understood,
};

pub(super) const DEFAULT_WITHIN: Duration = Duration::from_secs(300);

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
    looks_first(plan, configured, roles, &mut script);
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
        let own = step.verb.contains('.');
        if !own && !VERBS.contains(&step.verb.as_str()) {
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
            "approve" => self.typed::<Approve>(step),
            _ => self.own(step)?,
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
        understood::<C>(step.call.clone(), self.roles)
    }

    /// A verb of the resource's own kind.
    fn own(&mut self, step: &Step) -> Option<Result<(Value, Class), serde_json::Error>> {
        let configured = step.resource.as_ref().and_then(|name| self.configured.get(name))?;
        let understood = configured.own_call(&step.verb, step.call.clone(), self.roles);
        if understood.is_none() {
            self.findings.push(Finding::error(
                "unknown-verb",
                step.place,
                format!("there is no verb `{}`", step.verb),
                format!("it can: {}", configured.verbs().join(", ")),
            ));
        }
        understood
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
        for key in ["in", "to", "of", "from", "served_by", "copy_to"] {
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
}
