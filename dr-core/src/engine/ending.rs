//! How a run that came to its end is judged: what it still owes, how long its phases took, and its ending.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::{Debt, DebtKind, Ending, Event, Mode, RunState, Status};
use crate::ids::{PhaseName, ResourceName, Side};
use crate::measure::{Figure, judge};
use crate::plan::Limit;
use crate::resource::{
    Call, Class, Fact, FenceHow, FenceOutcome, Follow, Following, Prepared, Promote, Promotion, Role, Seen,
};
use crate::time::{Timestamp, show_duration};

/// What a dry run says.
pub(super) fn of_dry_run(state: &RunState, failures: &[String]) -> (Ending, String) {
    if let [first, rest @ ..] = failures {
        let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
        return (Ending::Refused, format!("the run would be refused: {first}{more}"));
    }
    let changes = state
        .steps
        .values()
        .filter(|step| step.status == Status::Previewed)
        .filter(|step| !step.was.as_ref().is_some_and(Prepared::is_already))
        .count();
    if changes == 0 && state.steps.values().any(|step| step.status == Status::Previewed) {
        return (Ending::NothingToDo, "everything is so already".to_owned());
    }
    (Ending::Succeeded, format!("{changes} changes would be made"))
}

/// What a live run whose steps are all over says.
pub(super) fn of_live_run(state: &RunState) -> (Ending, String) {
    if state.found_nothing_to_do() {
        return (Ending::NothingToDo, "everything was so already".to_owned());
    }
    if !state.debts.is_empty() {
        let owed: Vec<String> =
            state.debts.iter().map(|debt| format!("{} ({})", debt.kind, debt.why)).collect();
        return (Ending::Recovered, format!("the service is back; still owed: {}", owed.join(", ")));
    }
    let over = over_budget(state);
    if over.is_empty() { (Ending::Succeeded, achieved(state)) } else { (Ending::OverBudget, over.join(", ")) }
}

fn achieved(state: &RunState) -> String {
    let roles = &state.began.roles;
    match state.began.mode {
        Mode::Guard => format!("{} is fenced", roles.source),
        Mode::Protect => format!("{} follows {}", roles.source, roles.target),
        Mode::DryRun | Mode::Drill | Mode::Failover | Mode::Switchover | Mode::Failback => {
            format!("{} serves", roles.target)
        }
    }
}

/// Each target that was measured and not kept.
fn over_budget(state: &RunState) -> Vec<String> {
    let Some(measurement) = &state.measurement else { return Vec::new() };
    let budget = &state.began.budget;
    let judgement = judge(budget, measurement);
    let told = |name: &str, met: Option<bool>, limit: Option<Limit>, figure: Option<&Figure>| {
        let limit = limit.filter(|_| met == Some(false))?;
        let figure =
            figure.map_or("has no upper end".to_owned(), |figure| show_duration(seconds(figure.at_most)));
        Some(format!("{name} {figure} ({limit})"))
    };
    let rto = told("RTO", judgement.rto_met, budget.rto, measurement.rto.as_ref());
    let rpo = told("RPO", judgement.rpo_met, budget.rpo, measurement.rpo.as_ref());
    rto.into_iter().chain(rpo).collect()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// From the first start to the last end of each phase's steps, in seconds, by `<phase>_seconds`.
pub(super) fn timings(state: &RunState) -> BTreeMap<String, f64> {
    // One pass over the steps: a plan may have as many phases as steps.
    let mut spans: BTreeMap<&PhaseName, (Option<Timestamp>, Option<Timestamp>)> = BTreeMap::new();
    for (step, stood) in state.in_order() {
        let (began, over) = spans.entry(&step.phase).or_default();
        *began = [*began, stood.started].into_iter().flatten().min();
        *over = (*over).max(stood.over);
    }
    let mut timings = BTreeMap::new();
    for (phase, span) in spans {
        if let (Some(began), Some(over)) = span {
            timings.insert(format!("{phase}_seconds"), over.since(began).as_secs_f64());
        }
    }
    timings
}

/// What the service still lacks, as events, and what was paid.
pub(super) fn debts(state: &RunState, after: &BTreeMap<ResourceName, Vec<Seen>>) -> Vec<Event> {
    let mut events = Vec::new();
    for (step, stood) in state.in_order() {
        let Some(resource) = &step.resource else { continue };
        if step.verb == Promote::VERB && stood.applied.is_none() && stood.found_done {
            events.extend(unheard(state, resource, &events));
        }
        let Some(applied) = &stood.applied else { continue };
        if step.verb == Promote::VERB
            && let Ok(promotion) = serde_json::from_value::<Promotion>(applied.data.clone())
        {
            let seen = after.get(resource).map_or(&[][..], Vec::as_slice);
            events.extend(owed_after(state, resource, &promotion, seen));
            events.extend(beside(state, resource, &promotion, seen));
        }
        if step.class == Class::Fence
            && let Ok(FenceOutcome::Accepted(risk)) = serde_json::from_value(applied.data.clone())
        {
            events.push(Event::DebtOpened(Debt {
                kind: DebtKind::Guard,
                resource: resource.clone(),
                side: risk.side.clone(),
                why: format!("{} was silent and is not fenced: it may return and write", risk.side),
            }));
        }
        if step.class == Class::Fence
            && state.began.mode == Mode::Guard
            && let Ok(FenceOutcome::Confirmed(proof)) = serde_json::from_value(applied.data.clone())
        {
            events.push(Event::DebtPaid(Debt {
                kind: DebtKind::Guard,
                resource: resource.clone(),
                side: proof.side.clone(),
                why: format!("{} is fenced: {}", proof.side, proof.how),
            }));
        }
        if step.verb == Follow::VERB
            && state.began.mode == Mode::Protect
            && let Ok(following) = serde_json::from_value::<Following>(applied.data.clone())
        {
            for kind in [DebtKind::Replica, DebtKind::Guard] {
                let why = format!("{} follows", following.side);
                events.push(Event::DebtPaid(Debt {
                    kind,
                    resource: resource.clone(),
                    side: following.side.clone(),
                    why,
                }));
            }
        }
    }
    events
}

/// What a promotion leaves that has happened and was not heard: a source of which nobody knows, where no fence has said so
/// already.
fn unheard(state: &RunState, resource: &ResourceName, told: &[Event]) -> Option<Event> {
    let roles = &state.began.roles;
    let guard = (DebtKind::Guard, resource, &roles.source);
    let is_told = told.iter().any(|event| match event {
        Event::DebtOpened(debt) => (debt.kind, &debt.resource, &debt.side) == guard,
        _ => false,
    });
    let why = format!("another side was promoted, and nobody knows whether {} is fenced", roles.source);
    let (resource, side) = (resource.clone(), roles.source.clone());
    (!is_told).then_some(Event::DebtOpened(Debt { kind: DebtKind::Guard, resource, side, why }))
}

/// Every other side that was seen to take writes at the end, and is not kept from it by a fence that leaves it running.
fn beside(
    state: &RunState,
    resource: &ResourceName,
    promotion: &Promotion,
    seen: &[Seen],
) -> impl Iterator<Item = Event> {
    let of_it = || {
        let steps = state.in_order().filter(|(step, _)| step.resource.as_ref() == Some(resource));
        steps.filter_map(|(step, stood)| Some((step, stood.applied.as_ref()?)))
    };
    let last = of_it().filter(|(step, _)| step.verb == Promote::VERB).last();
    let last = last.and_then(|(_, applied)| serde_json::from_value::<Promotion>(applied.data.clone()).ok());
    let shut = |side: &Side| {
        of_it().any(|(_, applied)| match serde_json::from_value(applied.data.clone()) {
            Ok(FenceOutcome::Confirmed(proof)) => {
                proof.side == *side && proof.how != FenceHow::StoppedAndBarred
            }
            Ok(FenceOutcome::Accepted(_)) | Err(_) => false,
        })
    };
    let is_last = last.is_some_and(|last| last.side == promotion.side);
    let written: Vec<&Side> = seen
        .iter()
        .flat_map(|seen| &seen.sides)
        .filter(|(side, facts)| {
            *side != &promotion.side && facts.get("writable") == Some(&Fact::Flag(true)) && !shut(side)
        })
        .map(|(side, _)| side)
        .filter(|_| is_last)
        .collect();
    let owed: Vec<Event> = written
        .into_iter()
        .map(|side| {
            Event::DebtOpened(Debt {
                kind: DebtKind::Guard,
                resource: resource.clone(),
                side: side.clone(),
                why: format!("TWO WRITABLE SIDES: {side} takes writes beside {}", promotion.side),
            })
        })
        .collect();
    owed.into_iter()
}

/// The sides that this run made copies of the new writer, once that was one.
fn followers(state: &RunState, resource: &ResourceName) -> BTreeSet<Side> {
    let steps = state.intents.iter().filter_map(|id| Some((state.script_step(id)?, state.steps.get(id)?)));
    steps
        .filter(|(step, stood)| step.resource.as_ref() == Some(resource) && stood.status == Status::Succeeded)
        .skip_while(|(step, _)| step.verb != Promote::VERB)
        .filter(|(step, _)| step.verb == Follow::VERB)
        .filter_map(|(_, stood)| {
            serde_json::from_value::<Following>(stood.applied.as_ref()?.data.clone()).ok()
        })
        .map(|following| following.side)
        .collect()
}

fn owed_after(state: &RunState, resource: &ResourceName, promotion: &Promotion, seen: &[Seen]) -> Vec<Event> {
    let fact = |name: &str| seen.iter().find_map(|seen| seen.facts.get(name));
    let followers = followers(state, resource);
    let copied = seen.iter().flat_map(|seen| &seen.sides).filter(|(side, _)| **side != promotion.side).any(
        |(side, facts)| match facts.get("receiving") {
            Some(Fact::Flag(receiving)) => *receiving,
            // Some stores tell of a new copy minutes later: the run's own `follow` saw it follow, and it is a copy now.
            _ => {
                followers.contains(side) && facts.get("role") == Some(&Fact::Word(Role::Standby.to_string()))
            }
        },
    );
    let old = state.began.roles.source.clone();
    let mut owed = Vec::new();
    if !copied {
        let why = format!("no copy follows {}", promotion.side);
        owed.push(Debt { kind: DebtKind::Replica, resource: resource.clone(), side: old, why });
    }
    if fact("archive") == Some(&Fact::Flag(false)) {
        let why = format!("the log of {} is not archived", promotion.side);
        owed.push(Debt {
            kind: DebtKind::Archive,
            resource: resource.clone(),
            side: promotion.side.clone(),
            why,
        });
    }
    owed.into_iter().map(Event::DebtOpened).collect()
}
