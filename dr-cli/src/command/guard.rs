//! `dr guard`: a run of its own that waits for a silent side and fences it the moment it returns.

use std::sync::Arc;
use std::time::Duration;

use dr_core::event::{DebtKind, Mode};
use dr_core::plan::{Measure, Phase, Place, Plan, Step};
use dr_core::resource::{Roles, Urgency};
use dr_core::runbook::compile;
use dr_core::{Backends, ResourceName, Side};
use serde_json::json;

use super::run::{Kind, begin, unbound};
use crate::args::{GuardArgs, RunArgs};
use crate::bound::load;
use crate::exit::Exit;
use crate::problem::Outcome;
use crate::state;

const FOR_EVER: Duration = Duration::from_secs(90 * 86_400);

/// `dr guard`.
pub(crate) async fn run(backends: &Backends, args: &GuardArgs) -> Outcome {
    guard(backends, &args.run, args.time.map_or(FOR_EVER, Into::into)).await
}

/// Guards every side that an open debt names, for so long.
pub(crate) async fn guard(backends: &Backends, args: &RunArgs, time: Duration) -> Outcome {
    let mut loaded = load(backends, &args.plan.plan)?;
    let state = state::open(&loaded, &args.plan).await?;
    let owed: Vec<(ResourceName, Side)> = state
        .store
        .debts()
        .list()
        .await?
        .into_iter()
        .map(|open| open.debt)
        .filter(|debt| debt.kind == DebtKind::Guard && loaded.plan.resources.contains_key(&debt.resource))
        .map(|debt| (debt.resource, debt.side))
        .collect();
    let Some((_, side)) = owed.first().cloned() else {
        anstream::println!("nothing to guard: no side's silence was accepted");
        return Ok(Exit::Success);
    };
    let others =
        loaded.configured.values().flat_map(|one| one.sides().into_keys()).find(|other| *other != side);
    let roles = Roles { source: side.clone(), target: others.unwrap_or(side) };
    loaded.plan = guarding(&loaded.plan, &owed, time);
    let script = compile(&loaded.plan, &loaded.configured, &roles).map_err(|findings| unbound(&findings))?;
    let kind = Kind { mode: Mode::Guard, urgency: Urgency::Unplanned, back: false };
    let args = RunArgs { yes: true, stay: false, ..args.clone() };
    begin(Arc::new(loaded), script, roles, &args, kind, None).await
}

fn guarding(plan: &Plan, owed: &[(ResourceName, Side)], time: Duration) -> Plan {
    let steps = owed
        .iter()
        .map(|(resource, side)| Step {
            id: None,
            verb: "fence".to_owned(),
            resource: Some(resource.clone()),
            call: json!({ "in": side, "await_return": true }),
            within: Some(time),
            after: Vec::new(),
            when: None,
            optional: false,
            place: Place::default(),
            places: std::collections::BTreeMap::new(),
        })
        .collect();
    let phase =
        Phase { name: "guard".into(), within: None, after: None, when: None, steps, place: Place::default() };
    Plan { phases: vec![phase], measure: Measure::default(), ..plan.clone() }
}
