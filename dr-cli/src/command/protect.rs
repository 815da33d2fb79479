//! `dr protect`: pays the debts of a failover. Every side that does not follow the primary is made its copy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::event::Mode;
use dr_core::plan::{Measure, Phase, Place, Plan, Step};
use dr_core::resource::{Cx, Replication, Roles, Urgency};
use dr_core::runbook::compile;
use dr_core::{Backends, Env, ResourceName, RunId, Side, StepId};
use serde_json::json;

use super::run::{Kind, begin, unbound};
use crate::args::RunArgs;
use crate::bound::{Loaded, load};
use crate::problem::{Outcome, Problem};
use crate::secrets;

const FOLLOW_WITHIN: Duration = Duration::from_secs(3600);
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// Finds the primary of each store, and makes a run that attaches the others to it.
pub(crate) async fn run(backends: &Backends, args: &RunArgs) -> Outcome {
    let mut loaded = load(backends, &args.plan.plan)?;
    let pairs = pairs(&loaded).await?;
    let Some(first) = pairs.first() else {
        return Err(Problem::refused("the plan has no store with two sides: there is nothing to protect"));
    };
    let roles = Roles { source: first.copy.clone(), target: first.primary.clone() };
    loaded.plan = protecting(&loaded.plan, &pairs);
    let script = compile(&loaded.plan, &loaded.configured, &roles).map_err(|findings| unbound(&findings))?;
    if args.dry_run {
        return super::plan::preview(loaded, script, &roles, Urgency::Planned, args).await;
    }
    let kind = Kind { mode: Mode::Protect, urgency: Urgency::Planned, back: false };
    begin(Arc::new(loaded), script, roles, args, kind, None).await
}

/// The stores that can be made copies.
fn stores(loaded: &Loaded) -> Vec<ResourceName> {
    let follows = |name: &&ResourceName| {
        loaded.configured.get(*name).is_some_and(|one| one.verbs().contains(&"follow"))
    };
    loaded.plan.resources.keys().filter(follows).cloned().collect()
}

/// A side that has to follow a store's primary.
#[derive(Debug)]
struct Pair {
    store: ResourceName,
    copy: Side,
    primary: Side,
}

/// Every side that is to follow, of every store. Primaries are observed, not declared.
async fn pairs(loaded: &Loaded) -> Outcome<Vec<Pair>> {
    let resources = loaded.connect(&Env::system(), secrets::redactor()).await?;
    let cx = Cx::new(RunId::new("protect"), StepId::new("protect"), LOOK_WITHIN);
    let mut pairs = Vec::new();
    for store in stores(loaded) {
        let observer = resources.get(&store).and_then(|resource| resource.observer::<Replication>());
        let Some(observer) = observer else { continue };
        let seen = observer.observe(&cx).await?;
        let writable = seen.writable_sides();
        let [primary] = writable.as_slice() else {
            let told: Vec<&str> = writable.iter().map(|side| side.as_str()).collect();
            return Err(Problem::refused(match told.as_slice() {
                [] => format!("nobody takes writes for {store}: there is no primary to follow"),
                many => format!("TWO WRITABLE SIDES of {store}: {}", many.join(", ")),
            })
            .help("`dr guard` fences a side that returned; `dr status` shows both"));
        };
        for copy in seen.sides.keys().filter(|side| side != primary) {
            pairs.push(Pair { store: store.clone(), copy: copy.clone(), primary: (*primary).clone() });
        }
    }
    Ok(pairs)
}

/// The same plan with one phase: follow, and wait until it does.
fn protecting(plan: &Plan, pairs: &[Pair]) -> Plan {
    let mut steps = Vec::new();
    for pair in pairs {
        let several = pairs.iter().filter(|other| other.store == pair.store).count() > 1;
        let named = |verb: &str| several.then(|| format!("{verb}:{}:{}", pair.store, pair.copy));
        let follow = json!({ "in": pair.copy, "of": pair.primary });
        let expect = json!({ "in": pair.copy, "expect": { "receiving": "yes" }, "wait": true });
        let before = named("follow").unwrap_or_else(|| format!("follow:{}", pair.store));
        steps.push(Step { id: named("follow"), ..step("follow", &pair.store, follow, Vec::new()) });
        steps.push(Step { id: named("observe"), ..step("observe", &pair.store, expect, vec![before]) });
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
