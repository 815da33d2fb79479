//! In which order steps may run: phases one after the other unless they say otherwise, steps of a phase side by side
//! unless they say otherwise, and the rules between verbs that no plan can switch off.

use std::collections::{BTreeMap, BTreeSet};

use super::script::ScriptStep;
use crate::ids::{PhaseName, StepId};
use crate::plan::{Finding, Phase, Place};
use crate::resource::Class;

/// For each phase the phases that it waits for.
pub(super) fn phase_edges(
    phases: &[Phase],
    findings: &mut Vec<Finding>,
) -> BTreeMap<PhaseName, Vec<PhaseName>> {
    let names: BTreeSet<&PhaseName> = phases.iter().map(|phase| &phase.name).collect();
    let mut edges = BTreeMap::new();
    for (index, phase) in phases.iter().enumerate() {
        let after = match &phase.after {
            None => phases[..index].last().map(|before| before.name.clone()).into_iter().collect(),
            Some(after) => after.clone(),
        };
        for name in after.iter().filter(|name| !names.contains(name)) {
            findings.push(Finding::error(
                "unknown-phase",
                phase.place,
                format!("phase `{}` waits for a phase `{name}` that is not there", phase.name),
                format!(
                    "the phases are: {}",
                    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
                ),
            ));
        }
        edges.insert(phase.name.clone(), after);
    }
    edges
}

/// Within a phase: whatever fences comes before whatever may make another side writable.
pub(super) fn rule_edges(steps: &[ScriptStep]) -> Vec<(StepId, StepId)> {
    let of = |class: Class| steps.iter().filter(move |step| step.class == class);
    of(Class::PointOfNoReturn)
        .flat_map(|after| {
            of(Class::Fence)
                .filter(|before| before.phase == after.phase)
                .map(|before| (before.id.clone(), after.id.clone()))
        })
        .collect()
}

/// A circle among the steps, if there is one, as the names along it.
pub(super) fn circle(steps: &[ScriptStep]) -> Option<Vec<StepId>> {
    let after: BTreeMap<&StepId, &[StepId]> =
        steps.iter().map(|step| (&step.id, step.after.as_slice())).collect();
    let mut done: BTreeSet<&StepId> = BTreeSet::new();
    for start in after.keys() {
        // Depth first with an explicit stack: plans may hold ten thousand steps in a row.
        let mut path: Vec<(&StepId, usize)> = vec![(start, 0)];
        let mut on_path: BTreeSet<&StepId> = BTreeSet::from([*start]);
        while let Some((id, child)) = path.pop() {
            let children = after.get(id).copied().unwrap_or_default();
            let Some(next) = children.get(child) else {
                on_path.remove(id);
                done.insert(id);
                continue;
            };
            path.push((id, child + 1));
            if on_path.contains(next) {
                let from = path.iter().position(|(id, _)| *id == next).unwrap_or(0);
                let mut names: Vec<StepId> = path[from..].iter().map(|(id, _)| (*id).clone()).collect();
                names.push(next.clone());
                names.reverse();
                return Some(names);
            }
            if !done.contains(next) {
                on_path.insert(next);
                path.push((next, 0));
            }
        }
    }
    None
}

/// The finding for a circle.
pub(super) fn circle_finding(names: &[StepId], place: Place) -> Finding {
    let told: Vec<&str> = names.iter().map(StepId::as_str).collect();
    Finding::error(
        "cycle",
        place,
        format!("steps wait for each other: {}", told.join(" → ")),
        "take one `after` away: something has to be first",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn around(steps: &[(&str, &[&str])]) -> Option<Vec<String>> {
        let step = |(id, after): &(&str, &[&str])| ScriptStep {
            id: StepId::new(*id),
            phase: PhaseName::new("all"),
            verb: "wait".to_owned(),
            resource: None,
            kind: None,
            call: serde_json::Value::Null,
            class: Class::Read,
            after: after.iter().map(|id| StepId::new(*id)).collect(),
            within: Duration::ZERO,
            when: None,
            optional: false,
        };
        let steps: Vec<ScriptStep> = steps.iter().map(step).collect();
        circle(&steps).map(|names| names.iter().map(StepId::to_string).collect())
    }

    #[test]
    fn a_circle_is_told_in_the_order_of_its_steps_without_those_that_only_lead_to_it() {
        let steps: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &["b"])];
        assert_eq!(around(steps).unwrap(), ["b", "d", "c", "b"]);
        assert_eq!(around(&[("a", &["a"])]).unwrap(), ["a", "a"]);
    }

    #[test]
    fn ways_that_meet_again_are_no_circle() {
        let steps: &[(&str, &[&str])] = &[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])];
        assert_eq!(around(steps), None);
    }
}
