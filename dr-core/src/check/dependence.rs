//! A way out that does not lead through the burning house.

use std::collections::BTreeSet;

use super::codes;
use super::view::View;
use crate::ids::Region;
use crate::plan::{Finding, Place};
use crate::resource::{Call, Class, Needs, Plane, Replicas, Scale, Urgency};

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    let roles = view.subject.roles;
    let target = view.regions(&roles.target);
    let lost: BTreeSet<Region> = view.regions(&roles.source).difference(&target).cloned().collect();
    state(view, &lost, out);
    if view.subject.urgency == Urgency::Unplanned {
        connecting(view, &lost, out);
        steps(view, &lost, out);
    }
}

fn state(view: &View<'_>, lost: &BTreeSet<Region>, out: &mut Vec<Finding>) {
    let plan = view.subject.plan;
    let state = &plan.state;
    match &state.region {
        Some(region) if lost.contains(region) => out.push(Finding::error(
            codes::DEPENDS_ON_SOURCE,
            plan.place("/state/region"),
            format!("the state store is in {region}, which is the source; while it is down no run can begin"),
            "put it into a third region, or into the target's",
        )),
        Some(_) => {}
        None if state.local => {}
        None if state.at.contains("://") => out.push(Finding::note(
            codes::STATE_REGION_UNKNOWN,
            plan.place("/state"),
            format!("nobody says in which region the state store `{}` is", state.at),
            "say it: `state: { at: s3://…, region: eu-west-1 }`; in the source it would be an error",
        )),
        None => out.push(Finding::warning(
            codes::STATE_ON_ONE_MACHINE,
            plan.place("/state"),
            format!("only this machine sees the state store `{}`", state.at),
            "name a shared one (`state: s3://…`, or a folder with its `region`), or say `state: { local: true }`",
        )),
    }
}

/// What a resource needs before any verb: credentials, secrets.
fn connecting(view: &View<'_>, lost: &BTreeSet<Region>, out: &mut Vec<Finding>) {
    for (name, configured) in view.subject.configured {
        let place = view.subject.plan.resources.get(name).map(|spec| spec.place).unwrap_or_default();
        planes(&format!("connecting to `{name}`"), &configured.connecting(), place, lost, out);
    }
}

fn steps(view: &View<'_>, lost: &BTreeSet<Region>, out: &mut Vec<Finding>) {
    let source = &view.subject.roles.source;
    // Whatever is done to the source itself needs the source, and is bounded and accepted by name.
    for taken in view.steps.iter().filter(|taken| taken.side().as_ref() != Some(source)) {
        let Some(configured) = view.configured(taken) else { continue };
        let sides = configured.sides();
        let mut needs = configured.needs(&taken.step.verb, taken.side().as_ref());
        if taken.step.class == Class::Read && taken.side().is_none() {
            // A look at all sides bears the silence of one of them.
            let own = |plane: &Plane| sides.values().any(|region| *region == plane.region);
            needs.control_planes.retain(|plane| !own(plane));
            needs.data_planes.retain(|plane| !own(plane));
        }
        planes(&format!("`{}`", taken.says()), &needs, taken.place, lost, out);
        let only_there = !sides.is_empty() && sides.values().all(|region| lost.contains(region));
        let asks_source =
            serde_json::from_value::<Scale>(taken.step.call.clone()).is_ok_and(|call| match call.replicas {
                Replicas::SameAs(of) | Replicas::Percent { of, .. } => of.side().is_ok_and(|of| of == source),
                Replicas::Count(_) | Replicas::Before => false,
            });
        if taken.step.verb == Scale::VERB && asks_source {
            out.push(Finding::warning(
                codes::DEPENDS_ON_SOURCE,
                taken.place,
                format!("`{}` asks {source} how many there are; while it is down nobody knows", taken.says()),
                "instead: write the number, or limit the step with `when: planned`",
            ));
        }
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

fn planes(who: &str, needs: &Needs, place: Place, lost: &BTreeSet<Region>, out: &mut Vec<Finding>) {
    let control = needs.control_planes.iter().map(|plane| ("the control plane of ", plane));
    let data = needs.data_planes.iter().map(|plane| ("", plane));
    for (what, plane) in control.chain(data).filter(|(_, plane)| lost.contains(&plane.region)) {
        let Plane { service, region, without, instead } = plane;
        let without =
            without.as_ref().map_or(String::new(), |without| format!("; while it is down {without}"));
        out.push(Finding::warning(
            codes::DEPENDS_ON_SOURCE,
            place,
            format!("{who} needs {what}{service} in {region}, which is the source{without}"),
            match instead {
                Some(instead) => format!("instead: {instead}"),
                None => {
                    "use a data plane (routing controls, a standby that takes over), or prepare it beforehand"
                        .to_owned()
                }
            },
        ));
    }
}
