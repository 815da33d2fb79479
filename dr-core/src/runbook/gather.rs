//! A step between two large phases, so that not every step of one waits for every step of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::compile::DEFAULT_WITHIN;
use super::pausing::Wait;
use super::script::ScriptStep;
use crate::ids::{PhaseName, StepId};
use crate::resource::{Call, Class};

/// Between two phases, as many edges as this are written out.
const MANY_EDGES: usize = 1_000;

/// Where every step of a large phase would wait for every step of a large one before it, a step between them that only
/// gathers: five thousand and five thousand make ten thousand edges with it, and twenty-five million without.
pub(super) fn gather(phases: &BTreeMap<PhaseName, Vec<PhaseName>>, steps: &mut Vec<ScriptStep>) {
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
pub(super) fn gathering(phase: &PhaseName) -> StepId {
    StepId::new(format!("{phase}/*"))
}

pub(super) fn members(steps: &[ScriptStep]) -> BTreeMap<PhaseName, Vec<StepId>> {
    let mut members: BTreeMap<PhaseName, Vec<StepId>> = BTreeMap::new();
    for step in steps {
        members.entry(step.phase.clone()).or_default().push(step.id.clone());
    }
    members
}

/// The phases with steps that stand before one; a phase without any is looked through to those before it.
pub(super) fn effective(
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
