//! `dr status`: who is primary, who can write, where callers go; claims, debts, the open run. Bounded, with any one
//! region black-holed.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use dr_core::resource::{Cx, Replication, Routing, Seen};
use dr_core::{Backends, Env, Resource, ResourceName, RunId, StepId};
use serde_json::json;

use crate::args::StatusArgs;
use crate::bound::load;
use crate::exit::Exit;
use crate::problem::Outcome;
use crate::secrets::{self, masked};
use crate::state;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WITHIN: Duration = Duration::from_secs(4);

/// What one resource showed of itself.
#[derive(Debug)]
struct Sight {
    name: ResourceName,
    seen: Vec<Seen>,
    why: Option<String>,
}

/// Looks and tells.
pub(crate) async fn run(backends: &Backends, args: &StatusArgs) -> Outcome {
    let loaded = load(backends, &args.plan.plan)?;
    let env = Env::system();
    let resources = loaded.connect(&env, secrets::redactor()).await?;
    let state = state::open(&loaded, &args.plan).await?;
    let sights = look(&resources).await;
    let writable = writable(&sights);
    let open_run = state.open_run(&loaded.plan.name).await?;
    let claims = state.store.claims().list().await?;
    let debts = state.store.debts().list().await?;
    let twice = writable.values().any(|sides| sides.len() > 1);
    if args.json {
        let mut value = json!({
            "plan": loaded.plan.name,
            "two_writable": twice,
            "writable": writable,
            "resources": sights.iter().map(|sight| json!({
                "name": sight.name, "seen": sight.seen, "unknown": sight.why,
            })).collect::<Vec<_>>(),
            "run": open_run.as_ref().map(|(run, folded)| json!({
                "run": run, "mode": folded.began.mode, "past_no_return": folded.is_past_no_return(),
                "nobody_can_write_since": folded.nobody_can_write_since(), "suspended": folded.suspended,
            })),
            "claims": claims,
            "debts": debts,
        });
        secrets::redactor().redact_json(&mut value);
        anstream::println!("{value}");
        return Ok(if twice { Exit::TwoWritable } else { Exit::Success });
    }
    for (name, sides) in writable.iter().filter(|(_, sides)| sides.len() > 1) {
        anstream::println!(
            "{BAD}TWO WRITABLE SIDES{BAD:#} of {name}: {}. Stop one by hand now.",
            sides.join(", ")
        );
    }
    anstream::println!("{BOLD}{}{BOLD:#}", loaded.plan.name);
    for sight in &sights {
        tell(sight);
    }
    if let Some((run, folded)) = open_run {
        tell_run(&run, &folded);
    }
    for claim in claims {
        anstream::println!("{DIM}claim{DIM:#}  {claim}");
    }
    for debt in debts {
        anstream::println!("{WARN}owed{WARN:#}   {debt}");
    }
    Ok(if twice { Exit::TwoWritable } else { Exit::Success })
}

/// Every resource side by side, each within its time.
async fn look(resources: &BTreeMap<ResourceName, Resource>) -> Vec<Sight> {
    let mut tasks = tokio::task::JoinSet::new();
    for (name, resource) in resources {
        let (name, resource) = (name.clone(), resource.clone());
        tasks.spawn(async move {
            let cx = Cx::new(RunId::new("status"), StepId::new("status"), WITHIN);
            let mut sight = Sight { name, seen: Vec::new(), why: None };
            for watch in resource.watches() {
                match cx.bound(watch.group(), watch.watch(&cx)).await {
                    Ok(seen) => sight.seen.push(seen),
                    Err(error) => sight.why = Some(error.chain()),
                }
            }
            sight
        });
    }
    let mut sights = Vec::new();
    while let Some(sight) = tasks.join_next().await {
        sights.extend(sight.ok());
    }
    sights.sort_by(|one, other| one.name.cmp(&other.name));
    sights
}

/// The writable sides of each store.
fn writable(sights: &[Sight]) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for sight in sights {
        for seen in sight.seen.iter().filter(|seen| seen.group == "replication") {
            if let Ok(replication) = serde_json::from_value::<Replication>(seen.data.clone()) {
                let sides = replication.writable_sides().into_iter().map(ToString::to_string).collect();
                found.insert(sight.name.to_string(), sides);
            }
        }
    }
    found
}

/// Whether every node was read: only then nobody writes where nobody was seen to.
fn all_answer(replication: &Replication) -> bool {
    replication.sides.values().flat_map(|side| &side.nodes).all(|node| node.writable.is_some())
}

fn tell(sight: &Sight) {
    for seen in &sight.seen {
        let headline =
            match seen.group.as_str() {
                "replication" => {
                    serde_json::from_value::<Replication>(seen.data.clone()).ok().map(|replication| {
                        match replication.writable_sides().as_slice() {
                            [] if !all_answer(&replication) => {
                                format!("{BAD}who takes writes is not known{BAD:#}")
                            }
                            [] => format!("{BAD}nobody takes writes{BAD:#}"),
                            [one] => format!("{GOOD}{one} takes writes{GOOD:#}"),
                            _ => format!("{BAD}more than one side takes writes{BAD:#}"),
                        }
                    })
                }
                "routing" => serde_json::from_value::<Routing>(seen.data.clone()).ok().map(|routing| {
                    match routing.side() {
                        Some(side) => format!("{GOOD}callers go to {}{GOOD:#}", masked(side.as_str())),
                        None => format!("{BAD}where callers go is not clear{BAD:#}"),
                    }
                }),
                _ => None,
            };
        anstream::println!(
            "\n{BOLD}{}{BOLD:#}  {}",
            sight.name,
            headline.unwrap_or_else(|| seen.group.clone())
        );
        for line in masked(&seen.text).lines() {
            anstream::println!("  {line}");
        }
    }
    if let Some(why) = &sight.why {
        anstream::println!("\n{BOLD}{}{BOLD:#}  {WARN}unknown{WARN:#}: {}", sight.name, masked(why));
    }
}

fn tell_run(run: &RunId, folded: &dr_core::event::RunState) {
    anstream::println!("\n{BOLD}run {run}{BOLD:#}  {} of {}", folded.began.mode, folded.began.actor);
    if let Some((why, text)) = &folded.suspended {
        anstream::println!("  {WARN}{why}{WARN:#}: {text}");
    }
    for (step, stands) in folded.in_order().filter(|(_, stands)| !stands.status.is_over()) {
        anstream::println!("  {:<32} {}", step.id, stands.status);
    }
    if let Some(since) = folded.nobody_can_write_since() {
        anstream::println!("  {BAD}NOBODY CAN WRITE since {}{BAD:#}: dr resume, or dr abort", since.clock());
    }
}
