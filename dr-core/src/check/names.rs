//! One name for one thing, and one thing under one name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
use super::view::View;
use crate::ids::{Identity, ResourceName, Side};
use crate::plan::{Finding, ResourceSpec};
use crate::resource::{Call, Configured, Probe};
use crate::runbook::ROLES_PHASE;

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    roles(view, out);
    phases(view, out);
    things(view, out);
    for (name, configured) in view.subject.configured {
        if let Some(spec) = view.subject.plan.resources.get(name) {
            sides(name, spec, configured.as_ref(), out);
        }
    }
}

fn roles(view: &View<'_>, out: &mut Vec<Finding>) {
    let (plan, roles) = (view.subject.plan, view.subject.roles);
    if roles.source == roles.target {
        out.push(Finding::error(
            codes::SOURCE_IS_TARGET,
            plan.place("/target"),
            format!("source and target are both {}", roles.source),
            "choose another with `--to`, or in the plan",
        ));
        return;
    }
    let mut known: Vec<Side> =
        view.subject.configured.values().flat_map(|it| it.sides().into_keys()).collect();
    known.sort();
    known.dedup();
    for (pointer, side) in [("/source", &roles.source), ("/target", &roles.target)] {
        if !known.is_empty() && !known.contains(side) {
            let names: Vec<&str> = known.iter().map(Side::as_str).collect();
            out.push(Finding::error(
                codes::SIDE_OF_NOTHING,
                plan.place(pointer),
                format!("no resource has a side `{side}`"),
                format!("the sides are: {}", names.join(", ")),
            ));
        }
    }
}

/// The name under which a phase's time stands in `metrics.json`, without `_seconds`.
fn metric(name: &str) -> String {
    name.chars()
        .map(|letter| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' })
        .collect()
}

fn phases(view: &View<'_>, out: &mut Vec<Finding>) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    // The plan's own phase may have its name.
    let own = view.subject.plan.phases.iter().filter(|phase| phase.name.as_str() == ROLES_PHASE).count();
    let all = view.subject.script.phases.iter().filter(|phase| phase.name.as_str() == ROLES_PHASE).count();
    if all > own {
        seen.insert(metric(ROLES_PHASE), "the phase that `dr` puts first".to_owned());
    }
    for phase in &view.subject.plan.phases {
        let told = format!("phase `{}` at {}", phase.name, phase.place);
        if let Some(first) = seen.insert(metric(phase.name.as_str()), told) {
            out.push(Finding::error(
                codes::PHASE_NAMES_COLLIDE,
                phase.place,
                format!(
                    "the timing of phase `{}` is `{}_seconds`, and so is that of {first}",
                    phase.name,
                    metric(phase.name.as_str())
                ),
                "give one of them another name",
            ));
        }
    }
}

/// What is only ever asked, and never changed, may have as many names as it has doors.
fn changes(configured: &dyn Configured) -> bool {
    configured.verbs().iter().any(|verb| *verb != Probe::VERB && *verb != "observe")
}

fn things(view: &View<'_>, out: &mut Vec<Finding>) {
    let mut seen: BTreeMap<Identity, &ResourceName> = BTreeMap::new();
    for (name, configured) in view.subject.configured.iter().filter(|(_, it)| changes(it.as_ref())) {
        for identity in configured.identities() {
            match seen.get(&identity) {
                Some(first) if *first != name => {
                    let place = |name: &ResourceName| {
                        view.subject.plan.resources.get(name).map(|spec| spec.place).unwrap_or_default()
                    };
                    let (early, late) =
                        if place(first) <= place(name) { (*first, name) } else { (name, *first) };
                    out.push(Finding::error(
                        codes::ONE_THING_TWO_NAMES,
                        place(late),
                        format!("`{late}` is the same thing as `{early}` at {}: {identity}", place(early)),
                        "keep one of the two: a fence on one would not be known to the other",
                    ));
                    break;
                }
                Some(_) => {}
                None => {
                    seen.insert(identity, name);
                }
            }
        }
    }
}

/// Wherever the configuration says something for each side, it says something else for each.
fn sides(name: &ResourceName, spec: &ResourceSpec, configured: &dyn Configured, out: &mut Vec<Finding>) {
    let known = configured.sides();
    let Value::Object(config) = &spec.config else { return };
    for (field, value) in config {
        let Value::Object(map) = value else { continue };
        let each: Vec<(&String, &Value)> =
            map.iter().filter(|(key, _)| known.contains_key(key.as_str())).collect();
        for (index, (side, value)) in each.iter().enumerate() {
            // Two sides may well lie in one region.
            let names_region = known.values().any(|region| value.as_str() == Some(region.as_str()));
            let twin = each[..index].iter().find(|(other_side, other)| {
                let apart = known.get(side.as_str()) != known.get(other_side.as_str());
                same(other, value) && !(configured.names_are_regional() && apart)
            });
            if let (false, Some((other, _))) = (names_region, twin) {
                let place = |side: &str| spec.place(&format!("/{field}/{side}"));
                out.push(Finding::error(
                    codes::ONE_THING_TWO_SIDES,
                    place(side),
                    format!(
                        "`{name}` has the same `{field}` for {side} and, at {}, for {other}",
                        place(other)
                    ),
                    "give each side its own address",
                ));
            }
        }
    }
}

/// Two sides with one address are one thing, whatever else is said about them.
fn same(one: &Value, other: &Value) -> bool {
    match (one.get("url"), other.get("url")) {
        (Some(one), Some(other)) => one == other,
        (None | Some(_), None | Some(_)) => one == other,
    }
}
