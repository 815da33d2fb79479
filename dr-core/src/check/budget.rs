//! Time: whether what is promised can be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::codes;
use super::graph::{Edges, Schedule, edges};
use super::view::{Taken, View};
use crate::ids::PhaseName;
use crate::plan::{Finding, Phase};
use crate::resource::{Call, Fence, Follow, Probe, Route};
use crate::runbook::{ScriptStep, Wait};
use crate::time::show_duration;

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    let ttls = ttls(view, out);
    rto(view, &ttls, out);
    for phase in &view.subject.plan.phases {
        deadlines(view, phase, out);
    }
    too_short(view, out);
}

/// For each phase that moves callers: how long they may remember the old address.
fn ttls(view: &View<'_>, out: &mut Vec<Finding>) -> BTreeMap<PhaseName, Duration> {
    let mut ttls = BTreeMap::<PhaseName, Duration>::new();
    for (route, _) in view.calls::<Route>() {
        let Some(ttl) = view.configured(&route).and_then(|configured| configured.ttl()) else { continue };
        let longest = ttls.entry(route.step.phase.clone()).or_default();
        *longest = ttl.max(*longest);
        let within = view.subject.script.phases.iter().find(|phase| phase.name == route.step.phase);
        if let Some(within) = within.and_then(|phase| phase.within)
            && ttl > within
        {
            out.push(Finding::warning(
                codes::TTL_TOO_LONG,
                route.place,
                format!(
                    "callers may keep the old address for {}, phase `{}` has {}",
                    show_duration(ttl),
                    route.step.phase,
                    show_duration(within)
                ),
                "lower the TTL (one old TTL ahead of a planned run), or give the phase more time",
            ));
        }
    }
    ttls
}

fn rto(view: &View<'_>, ttls: &BTreeMap<PhaseName, Duration>, out: &mut Vec<Finding>) {
    let plan = view.subject.plan;
    let Some(rto) = plan.budget.rto else { return };
    let afterwards: BTreeSet<&PhaseName> =
        plan.phases.iter().map(|phase| &phase.name).filter(|name| rebuilds(view, name)).collect();
    let counts = |phase: &Phase| view.takes(phase) && !afterwards.contains(&phase.name);
    let taken = |phase: &Phase| if counts(phase) { phase.within.unwrap_or_default() } else { Duration::ZERO };
    for phase in plan.phases.iter().filter(|phase| counts(phase) && phase.within.is_none()) {
        out.push(Finding::note(
            codes::NO_ALLOCATION,
            phase.place,
            format!("phase `{}` has no share of the RTO", phase.name),
            "give it one: `within: 1m`",
        ));
    }
    let schedule = Schedule::of(&phase_edges(&plan.phases), plan.phases.iter().map(taken).collect());
    // The last caller follows one TTL after the move, whatever the phases behind it do.
    let served = |(index, phase): (usize, &Phase)| {
        let tail = ttls.get(&phase.name).map(|ttl| schedule.start(index).saturating_add(*ttl));
        let end = schedule.end(index);
        (tail.map_or(end, |tail| tail.max(end)), tail.is_some_and(|tail| tail > end), index)
    };
    let Some((longest, by_ttl, last)) =
        plan.phases.iter().enumerate().map(served).max_by_key(|served| served.0)
    else {
        return;
    };
    let ahead = [("detection", plan.budget.detection), ("decision", plan.budget.decision)];
    let ahead = ahead.into_iter().filter_map(|(name, time)| Some((name.to_owned(), time?)));
    let way = schedule.way(last).into_iter().map(|index| {
        let phase = &plan.phases[index];
        let caches = by_ttl && index == last;
        let ttl = ttls.get(&phase.name).filter(|_| caches);
        let name = if caches { format!("{} and its TTL", phase.name) } else { phase.name.to_string() };
        (name, ttl.copied().unwrap_or_else(|| taken(phase)))
    });
    let parts: Vec<(String, Duration)> = ahead.chain(way).filter(|(_, time)| !time.is_zero()).collect();
    let ahead =
        plan.budget.detection.unwrap_or_default().saturating_add(plan.budget.decision.unwrap_or_default());
    let total = longest.saturating_add(ahead);
    if !rto.is_met_by(total) {
        let parts: Vec<String> =
            parts.iter().map(|(name, time)| format!("{name} {}", show_duration(*time))).collect();
        out.push(Finding::error(
            codes::OVER_RTO,
            plan.place("/budget/rto"),
            format!("{} = {}, which is not {rto}", parts.join(" + "), show_duration(total)),
            "let phases run beside each other (`after`), give them less, or promise more time",
        ));
    }
}

/// Whether a phase pays debts of a service that is back: it makes a side a copy again, when callers have been moved
/// already (or, where none are, when everything is promoted). Callers do not wait for it.
fn rebuilds(view: &View<'_>, phase: &PhaseName) -> bool {
    let own: Vec<&Taken<'_>> = view.steps.iter().filter(|taken| taken.step.phase == *phase).collect();
    if !own.iter().any(|taken| taken.step.verb == Follow::VERB) {
        return false;
    }
    let routes: Vec<Taken<'_>> =
        view.steps.iter().filter(|taken| taken.step.verb == Route::VERB).copied().collect();
    let moved = if routes.is_empty() { view.promotions() } else { routes };
    own.iter().all(|taken| moved.iter().all(|moved| view.before(moved, taken)))
}

/// For each phase those that it waits for: as named, else the one before it.
fn phase_edges(phases: &[Phase]) -> Edges {
    let index: BTreeMap<&PhaseName, usize> =
        phases.iter().enumerate().map(|(index, phase)| (&phase.name, index)).collect();
    phases
        .iter()
        .enumerate()
        .map(|(own, phase)| match &phase.after {
            None => own.checked_sub(1).into_iter().collect(),
            Some(after) => after.iter().filter_map(|name| index.get(name).copied()).collect(),
        })
        .collect()
}

/// The deadlines that steps have of their own fit their phase, one behind the other.
fn deadlines(view: &View<'_>, phase: &Phase, out: &mut Vec<Finding>) {
    let Some(within) = phase.within else { return };
    let own: Vec<&Taken<'_>> = view.steps.iter().filter(|taken| taken.step.phase == phase.name).collect();
    let steps: Vec<ScriptStep> = own.iter().map(|taken| taken.step.clone()).collect();
    let times =
        own.iter().map(|taken| if taken.timed { taken.step.within } else { Duration::ZERO }).collect();
    let schedule = Schedule::of(&edges(&steps), times);
    let Some(last) = (0..own.len()).max_by_key(|index| schedule.end(*index)) else { return };
    if schedule.end(last) > within {
        let way: Vec<String> = schedule
            .way(last)
            .into_iter()
            .filter(|index| own[*index].timed)
            .map(|index| format!("`{}` {}", own[index].says(), show_duration(own[index].step.within)))
            .collect();
        out.push(Finding::warning(
            codes::DEADLINE_OVER_PHASE,
            own[last].place,
            format!(
                "{} may take longer than phase `{}`, which has {}",
                way.join(" + "),
                phase.name,
                show_duration(within)
            ),
            "lower the steps' `within`, or give the phase more",
        ));
    }
}

/// What a step has to wait for by itself ends before its deadline.
fn too_short(view: &View<'_>, out: &mut Vec<Finding>) {
    let waits = view.calls::<Wait>().into_iter().map(|(step, call)| (step, call.time, "lets that time pass"));
    let probes = view
        .calls::<Probe>()
        .into_iter()
        .map(|(step, call)| (step, call.healthy_for, "wants good answers for that long"));
    let bakes =
        view.calls::<Route>().into_iter().map(|(step, call)| (step, call.bake, "is on trial that long"));
    let silences = view.calls::<Fence>().into_iter().filter_map(|(step, call)| {
        Some((step, call.when_unreachable?.accept_after, "accepts silence after that long"))
    });
    for (step, needs, why) in waits.chain(probes).chain(bakes).chain(silences) {
        if !needs.is_zero() && needs >= step.step.within {
            out.push(Finding::error(
                codes::DEADLINE_TOO_SHORT,
                step.place,
                format!(
                    "`{}` {why} ({}), and has to be done within {}",
                    step.says(),
                    show_duration(needs),
                    show_duration(step.step.within)
                ),
                "give the step a `within` that is longer",
            ));
        }
    }
}
