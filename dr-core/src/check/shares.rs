//! Callers on both sides at once: only where they make no second writer, and only as long as somebody looks.

use super::codes;
use super::view::{Taken, View};
use crate::ids::ResourceName;
use crate::plan::{Finding, closest};
use crate::resource::{Call, Configured, Follow, Probe, Restore, Route, Share};

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    let routes = view.calls::<Route>();
    for (route, call) in &routes {
        if call.share != Share::ALL {
            splits(view, route, call, out);
        }
        trial(view, route, call, out);
        address(view, route, call, out);
    }
    from_a_copy(view, &routes, out);
}

fn splits(view: &View<'_>, route: &Taken<'_>, call: &Route, out: &mut Vec<Finding>) {
    if view.configured(route).is_some_and(|configured| !configured.splits_traffic()) {
        out.push(Finding::error(
            codes::CANNOT_SPLIT,
            route.place,
            format!("`{}` sends all callers or none: it cannot send {} of them", route.says(), call.share),
            "use weighted records, or take `share` away",
        ));
    }
    if call.serving.is_none() {
        out.push(Finding::error(
            codes::SHARE_WITHOUT_ONE_WRITER,
            route.place,
            format!("with {} of the callers on one side and the rest on the other there may be two writers", call.share),
            "say why there are not: `serving: reads` (those callers only read) or `serving: one-writer` (both sides write to the one writer)",
        ));
    }
}

fn trial(view: &View<'_>, route: &Taken<'_>, call: &Route, out: &mut Vec<Finding>) {
    if !call.bake.is_zero() && call.gate.is_none() {
        out.push(Finding::error(
            codes::BAKE_WITHOUT_GATE,
            route.place,
            format!("`{}` is on trial, and nobody is asked how it goes", route.says()),
            "name a resource that can `probe`: `gate: shop`",
        ));
    }
    let Some(gate) = &call.gate else { return };
    if call.bake.is_zero() {
        out.push(Finding::error(
            codes::BAKE_WITHOUT_GATE,
            route.place,
            format!("`{}` has a gate, and no time in which it is asked", route.says()),
            "say for how long: `bake: 10m`",
        ));
    }
    let asks = |configured: &dyn Configured| configured.verbs().contains(&Probe::VERB);
    named(view, route, gate, "gate", "can be asked as a caller would", asks, out);
}

fn address(view: &View<'_>, route: &Taken<'_>, call: &Route, out: &mut Vec<Finding>) {
    let Some(name) = &call.address_from else { return };
    let knows = |configured: &dyn Configured| configured.knows_addresses();
    named(view, route, name, "address_from", "knows where its sides are entered", knows, out);
}

/// The resource that a route names is there and can do what it is named for.
fn named(
    view: &View<'_>,
    route: &Taken<'_>,
    name: &ResourceName,
    field: &str,
    what: &str,
    can: impl Fn(&dyn Configured) -> bool,
    out: &mut Vec<Finding>,
) {
    let all = view.subject.configured;
    if all.get(name).is_some_and(|configured| can(configured.as_ref())) {
        return;
    }
    let able: Vec<&str> =
        all.iter().filter(|(_, one)| can(one.as_ref())).map(|(name, _)| name.as_str()).collect();
    let help = match (closest(name.as_str(), able.iter().copied()), able.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (_, []) => format!("no resource of this plan {what}"),
        (_, able) => format!("these {what}: {}", able.join(", ")),
    };
    out.push(Finding::error(
        codes::BAD_REFERENCE,
        route.place,
        format!("`{field}: {name}` is no resource that {what}"),
        help,
    ));
}

/// Callers sent to a side whose store was restored from a copy in this very plan, and never made to follow: what was
/// written since the copy is missing there, and what they write is missing on the other side.
fn from_a_copy(view: &View<'_>, routes: &[(Taken<'_>, Route)], out: &mut Vec<Finding>) {
    let follows = view.calls::<Follow>();
    for (restore, call) in view.calls::<Restore>() {
        let Ok(side) = call.side.side() else { continue };
        let promotable = view.configured(&restore).is_some_and(|it| it.verbs().contains(&"promote"));
        let mended = follows.iter().any(|(follow, call)| {
            follow.step.resource == restore.step.resource && call.side.side().is_ok_and(|at| at == side)
        });
        let callers = routes
            .iter()
            .find(|(route, call)| call.to.side().is_ok_and(|to| to == side) && view.before(&restore, route));
        if let Some((route, _)) = callers.filter(|_| promotable && !mended) {
            out.push(Finding::error(
                codes::CALLERS_ON_A_COPY,
                route.place,
                format!(
                    "`{}` sends callers to {side}, whose data `{}` took from a copy: a second writer, without what was written since",
                    route.says(),
                    restore.says()
                ),
                "make it a copy that follows (`follow`), wait for zero lag, and switch over; callers come after the writer",
            ));
        }
    }
}
