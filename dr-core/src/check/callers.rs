//! Callers go where the writer is, when it is ready, and somebody looks whether they are served.

use super::codes;
use super::view::{Taken, View};
use crate::ids::Side;
use crate::plan::Finding;
use crate::resource::{At, Call, Probe, Route, Scale, Share};
use crate::runbook::{Approve, Look, Wait};
use crate::time::show_duration;

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    let routes = view.calls::<Route>();
    let probes = view.calls::<Probe>();
    let promotions = view.promotions();
    let sights = Sights { probes: &probes, looks: view.calls(), scales: view.calls() };
    for (probe, call) in &probes {
        if call.write && view.configured(probe).and_then(|it| it.takes_writes()) == Some(false) {
            out.push(Finding::error(
                codes::CANNOT_VERIFY,
                probe.place,
                format!(
                    "`{}` is to write, and there is no way to write through it: it can only fail",
                    probe.says()
                ),
                "configure its write path, or take `write` away",
            ));
        }
    }
    for (route, call) in &routes {
        let Ok(to) = call.to.side() else { continue };
        // Callers who only read, or whose writes go to the one writer, may come before it.
        if call.serving.is_none() {
            before_promotion(view, route, to, &promotions, out);
        }
        unseen(view, route, to, &sights, out);
        // A share is verified by its own gate.
        if call.share == Share::ALL {
            unverified(view, route, to, &probes, out);
        }
    }
    let away: Vec<Taken<'_>> = routes
        .iter()
        .filter(|(_, call)| call.to.side().is_ok_and(|to| *to != view.subject.roles.source))
        .map(|(route, _)| *route)
        .collect();
    for (scale, call) in &sights.scales {
        if is(&call.side, &view.subject.roles.source) {
            unverified_capacity(view, scale, &away, &probes, out);
        }
    }
    window(view, &away, out);
}

/// The steps by which a run sees whether a side is ready.
struct Sights<'a> {
    probes: &'a [(Taken<'a>, Probe)],
    looks: Vec<(Taken<'a>, Look)>,
    scales: Vec<(Taken<'a>, Scale)>,
}

fn is(at: &At, side: &Side) -> bool {
    at.side().is_ok_and(|at| at == side)
}

fn before_promotion(
    view: &View<'_>,
    route: &Taken<'_>,
    to: &Side,
    promotions: &[Taken<'_>],
    out: &mut Vec<Finding>,
) {
    let late = promotions
        .iter()
        .find(|promotion| promotion.side().as_ref() == Some(to) && !view.before(promotion, route));
    if let Some(late) = late {
        out.push(Finding::error(
            codes::ROUTE_BEFORE_PROMOTION,
            route.place,
            format!("`{}` sends callers to {to} before `{}` at {}", route.says(), late.says(), late.place),
            "put it into a later phase, or let it wait with `after`",
        ));
    }
}

/// The side was seen ready: by a probe that it answered, by expecting its workloads ready, or by scaling them, which
/// awaits it.
fn unseen(view: &View<'_>, route: &Taken<'_>, to: &Side, sights: &Sights<'_>, out: &mut Vec<Finding>) {
    let counts = |seen: &Taken<'_>| !seen.step.optional && view.before(seen, route);
    let probed = sights.probes.iter().any(|(probe, call)| {
        let only = view.configured(probe).is_some_and(|it| it.sides().keys().eq([to]));
        counts(probe) && (only || call.served_by.as_ref().is_some_and(|by| is(by, to)))
    });
    let observed = sights.looks.iter().any(|(look, call)| {
        let whole = call.side.is_none() && call.expect.contains_key("ready");
        counts(look) && (whole || call.side.as_ref().is_some_and(|side| is(side, to)))
    });
    let scaled = sights.scales.iter().any(|(scale, call)| counts(scale) && is(&call.side, to));
    if !(probed || observed || scaled) {
        out.push(Finding::warning(
            codes::TARGET_NOT_SEEN_READY,
            route.place,
            format!("`{}` sends callers to {to}, which nothing in this run has seen ready", route.says()),
            format!("before it: `{{ observe: …, in: {to}, expect: {{ ready: all }} }}`, or a probe with `served_by: {to}`"),
        ));
    }
}

fn unverified(
    view: &View<'_>,
    route: &Taken<'_>,
    to: &Side,
    probes: &[(Taken<'_>, Probe)],
    out: &mut Vec<Finding>,
) {
    let after: Vec<&(Taken<'_>, Probe)> =
        probes.iter().filter(|(probe, _)| !probe.step.optional && view.before(route, probe)).collect();
    let strong = |call: &Probe| call.write && call.served_by.as_ref().is_some_and(|by| is(by, to));
    if after.iter().any(|(_, call)| strong(call)) {
        return;
    }
    let Some((probe, call)) = after.last() else {
        out.push(Finding::warning(
            codes::NO_VERIFICATION,
            route.place,
            format!("nobody looks whether callers are served after `{}`", route.says()),
            format!("after it: `{{ probe: …, served_by: {to}, write: true }}`"),
        ));
        return;
    };
    let passes = match (&call.served_by, call.write) {
        (None, _) => "the old side would pass it".to_owned(),
        (Some(by), _) if !is(by, to) => format!("it asks {by}, not {to}"),
        (Some(_), _) => "a service that cannot write would pass it".to_owned(),
    };
    out.push(Finding::warning(
        codes::WEAK_VERIFICATION,
        probe.place,
        format!("`{}` verifies little: {passes}", probe.says()),
        format!("`served_by: {to}, write: true`"),
    ));
}

fn unverified_capacity(
    view: &View<'_>,
    scale: &Taken<'_>,
    routes: &[Taken<'_>],
    probes: &[(Taken<'_>, Probe)],
    out: &mut Vec<Finding>,
) {
    let verified = probes.iter().any(|(probe, _)| {
        !probe.step.optional
            && view.before(probe, scale)
            && routes.iter().all(|route| view.before(route, probe))
    });
    if !routes.is_empty() && !verified {
        out.push(Finding::error(
            codes::SCALE_DOWN_BEFORE_VERIFICATION,
            scale.place,
            format!("`{}` takes capacity from the source before the target is verified", scale.says()),
            "put it behind a probe that comes after the callers were moved",
        ));
    }
}

/// What stands between the first fence and the callers' move although it need not.
fn window(view: &View<'_>, routes: &[Taken<'_>], out: &mut Vec<Finding>) {
    let fences = view.fences();
    let idle = |step: &Taken<'_>| {
        let verb = step.step.verb.as_str();
        verb == Wait::VERB
            || verb == Approve::VERB
            || (verb == Scale::VERB && step.side().as_ref() == Some(&view.subject.roles.target))
    };
    let inside: Vec<&Taken<'_>> = view
        .steps
        .iter()
        .filter(|step| idle(step))
        .filter(|step| fences.iter().any(|fence| view.before(fence, step)))
        .filter(|step| routes.iter().any(|route| view.before(step, route)))
        .collect();
    let Some(first) = inside.first() else { return };
    let sum = inside.iter().map(|step| step.step.within).sum();
    let names: Vec<String> = inside
        .iter()
        .map(|step| format!("`{}` ({})", step.says(), show_duration(step.step.within)))
        .collect();
    out.push(Finding::note(
        codes::LONG_OUTAGE_WINDOW,
        first.place,
        format!("while nobody can write the run may spend {} on {}", show_duration(sum), names.join(", ")),
        "put it before the fence, or beside it in a phase of its own",
    ));
}
