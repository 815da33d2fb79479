//! A plan that somebody else wrote: it is read or refused in each format, what is read survives its own printing, and
//! the checks look at it without falling over.

use std::collections::BTreeMap;

use dr_core::Side;
use dr_core::check::{Subject, check, configure};
use dr_core::plan::{Finding, Format, Place, Plan};
use dr_core::resource::{Roles, Urgency};
use dr_core::runbook::compile;

#[path = "../../dr-core/tests/check/fake.rs"]
mod fake;

pub(crate) fn run(bytes: &[u8]) {
    for format in [Format::Yaml, Format::Toml, Format::Json] {
        match Plan::read(bytes, format) {
            Ok(plan) => {
                survives_printing(&plan);
                checked(&plan);
            }
            Err(findings) => assert!(!findings.is_empty(), "{format:?} is refused without a reason"),
        }
    }
}

fn survives_printing(plan: &Plan) {
    let printed = plan.to_yaml();
    match Plan::parse(&printed, Format::Yaml) {
        Ok(again) => assert_eq!(placeless(again), placeless(plan.clone()), "{printed}"),
        Err(findings) => panic!("{findings:#?}\n{printed}"),
    }
}

/// The plan without where things stand and without its text.
fn placeless(mut plan: Plan) -> Plan {
    plan.places.clear();
    plan.text = "".into();
    plan.hash.clear();
    for spec in plan.resources.values_mut() {
        (spec.place, spec.places) = (Place::default(), BTreeMap::new());
    }
    for phase in &mut plan.phases {
        phase.place = Place::default();
        for step in &mut phase.steps {
            (step.place, step.places) = (Place::default(), BTreeMap::new());
        }
    }
    plan
}

fn checked(plan: &Plan) -> Vec<Finding> {
    let configured = match configure(plan, &fake::backends()) {
        Ok(configured) => configured,
        Err(findings) => return findings,
    };
    let side = |side: &Option<Side>, default: &str| side.clone().unwrap_or_else(|| Side::new(default));
    let roles = Roles { source: side(&plan.source, "us"), target: side(&plan.target, "eu") };
    let script = match compile(plan, &configured, &roles) {
        Ok(script) => script,
        Err(findings) => return findings,
    };
    let both = [Urgency::Planned, Urgency::Unplanned].map(|urgency| {
        check(&Subject { plan, script: &script, configured: &configured, roles: &roles, urgency })
    });
    both.concat()
}
