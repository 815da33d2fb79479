//! `dr protect`: pays the debts of a failover. Every side that does not follow the primary is made its copy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::event::Mode;
use dr_core::plan::{Measure, Phase, Place, Plan, Step};
use dr_core::resource::{Cx, Redactor, Replication, Roles, Urgency};
use dr_core::runbook::compile;
use dr_core::{Backends, Env, ResourceName, RunId, Side, StepId};
use serde_json::json;

use super::run::{Kind, begin, unbound};
use crate::args::RunArgs;
use crate::bound::{Loaded, load};
use crate::problem::{Outcome, Problem};

const FOLLOW_WITHIN: Duration = Duration::from_secs(3600);
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// Finds the primary of each store, and makes a run that attaches the others to it.
pub(crate) async fn run(backends: &Backends, args: &RunArgs) -> Outcome {
    let mut loaded = load(backends, &args.plan.plan)?;
    let stores = stores(&loaded);
    let roles = roles(&loaded, &stores).await?;
    loaded.plan = protecting(&loaded.plan, &stores);
    let script = compile(&loaded.plan, &loaded.configured, &roles).map_err(|findings| unbound(&findings))?;
    if args.dry_run {
        return super::plan::preview(loaded, script, &roles, Urgency::Planned, args).await;
    }
    let kind = Kind { mode: Mode::Protect, urgency: Urgency::Planned, back: false };
    begin(Arc::new(loaded), script, roles, args, kind, None).await
}

fn stores(loaded: &Loaded) -> Vec<ResourceName> {
    let follows = |name: &&ResourceName| {
        loaded.configured.get(*name).is_some_and(|one| one.verbs().contains(&"follow"))
    };
    loaded.plan.resources.keys().filter(follows).cloned().collect()
}

/// The primary is the target, the side that has to follow it the source. Observed, not declared.
async fn roles(loaded: &Loaded, stores: &[ResourceName]) -> Outcome<Roles> {
    let resources = loaded.connect(&Env::system(), &Redactor::default()).await?;
    let cx = Cx::new(RunId::new("protect"), StepId::new("protect"), LOOK_WITHIN);
    let mut found: BTreeMap<Side, Side> = BTreeMap::new();
    for name in stores {
        let Some(observer) = resources.get(name).and_then(|resource| resource.observer::<Replication>())
        else {
            continue;
        };
        let seen = observer.observe(&cx).await?;
        let writable = seen.writable_sides();
        let [primary] = writable.as_slice() else {
            let told: Vec<&str> = writable.iter().map(|side| side.as_str()).collect();
            return Err(Problem::refused(match told.as_slice() {
                [] => format!("nobody takes writes for {name}: there is no primary to follow"),
                many => format!("TWO WRITABLE SIDES of {name}: {}", many.join(", ")),
            })
            .help("`dr guard` fences a side that returned; `dr status` shows both"));
        };
        for side in seen.sides.keys().filter(|side| side != primary) {
            found.insert(side.clone(), (*primary).clone());
        }
    }
    match found.into_iter().next() {
        Some((source, target)) => Ok(Roles { source, target }),
        None => Err(Problem::refused("the plan has no store with two sides: there is nothing to protect")),
    }
}

/// The same plan with one phase: follow, and wait until it does.
fn protecting(plan: &Plan, stores: &[ResourceName]) -> Plan {
    let mut steps = Vec::new();
    for name in stores {
        steps.push(step("follow", name, json!({ "in": "source", "of": "target" }), Vec::new()));
        let expect = json!({ "in": "source", "expect": { "receiving": "yes" }, "wait": true });
        steps.push(step("observe", name, expect, vec![format!("follow:{name}")]));
    }
    let phase = Phase {
        name: "protect".into(),
        within: None,
        after: None,
        when: None,
        steps,
        place: Place::default(),
    };
    Plan { phases: vec![phase], measure: Measure::default(), ..plan.clone() }
}

fn step(verb: &str, resource: &ResourceName, call: serde_json::Value, after: Vec<String>) -> Step {
    Step {
        id: None,
        verb: verb.to_owned(),
        resource: Some(resource.clone()),
        call,
        within: Some(FOLLOW_WITHIN),
        after,
        when: None,
        optional: false,
        place: Place::default(),
        places: BTreeMap::new(),
    }
}
