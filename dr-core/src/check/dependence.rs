//! A way out that does not lead through the burning house.

use std::collections::BTreeSet;

use super::codes;
use super::view::View;
use crate::ids::Region;
use crate::plan::Finding;
use crate::resource::{Class, Urgency};

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    let roles = view.subject.roles;
    let target = view.regions(&roles.target);
    let lost: BTreeSet<Region> = view.regions(&roles.source).difference(&target).cloned().collect();
    state(view, &lost, out);
    if view.subject.urgency == Urgency::Unplanned {
        planes(view, &lost, out);
    }
}

fn state(view: &View<'_>, lost: &BTreeSet<Region>, out: &mut Vec<Finding>) {
    let plan = view.subject.plan;
    let state = &plan.state;
    match &state.region {
        Some(region) if lost.contains(region) => out.push(Finding::error(
            codes::DEPENDS_ON_SOURCE,
            plan.place("/state/region"),
            format!("the state store is in {region}, which is the source"),
            "put it into a third region, or into the target's",
        )),
        Some(_) => {}
        None if state.local || state.at.contains("://") => {}
        None => out.push(Finding::warning(
            codes::STATE_ON_ONE_MACHINE,
            plan.place("/state"),
            format!("only this machine sees the state store `{}`", state.at),
            "name a shared one (`state: s3://…`, or a folder with its `region`), or say `state: { local: true }`",
        )),
    }
}

fn planes(view: &View<'_>, lost: &BTreeSet<Region>, out: &mut Vec<Finding>) {
    let source = &view.subject.roles.source;
    // Whatever is done to the source itself needs the source, and is bounded and accepted by name.
    for taken in view.steps.iter().filter(|taken| taken.side().as_ref() != Some(source)) {
        let Some(configured) = view.configured(taken) else { continue };
        for plane in configured.needs(&taken.step.verb).control_planes {
            if lost.contains(&plane.region) {
                out.push(Finding::warning(
                    codes::DEPENDS_ON_SOURCE,
                    taken.place,
                    format!(
                        "`{}` needs the control plane of {} in {}, which is the source",
                        taken.says(),
                        plane.service,
                        plane.region
                    ),
                    "use a data plane (routing controls, a standby that takes over), or prepare it beforehand",
                ));
            }
        }
        let sides = configured.sides();
        let only_there = !sides.is_empty() && sides.values().all(|region| lost.contains(region));
        let changes = match taken.step.class {
            Class::Reversible | Class::Irreversible | Class::PointOfNoReturn => true,
            Class::Read | Class::Fence => false,
        };
        if changes && only_there {
            out.push(Finding::warning(
                codes::DEPENDS_ON_SOURCE,
                taken.place,
                format!("`{}` acts on what lives in the source alone", taken.says()),
                "make the step optional, or limit it with `when: planned`",
            ));
        }
    }
}
