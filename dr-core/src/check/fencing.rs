//! No side becomes the writer while another may still write.

use super::codes;
use super::view::{Taken, View};
use crate::plan::Finding;
use crate::resource::{AcceptLoss, Call, Fence, Promote, Urgency};

/// One prober can be cut off by itself; the second stands outside both sides.
const VANTAGE_POINTS: u32 = 2;

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    let (fences, promotions) = (view.fences(), view.promotions());
    for promotion in promotions.iter().filter(|promotion| !fences_itself(view, promotion)) {
        unfenced(view, promotion, &fences, out);
    }
    for fence in &fences {
        late(view, fence, &promotions, out);
        if fence.step.optional && !promotions.is_empty() {
            out.push(Finding::error(
                codes::OPTIONAL_FENCE,
                fence.place,
                format!("`{}` is optional, and a promotion rests on it", fence.says()),
                "take `optional` away; where silence is to be accepted say so with `when_unreachable`",
            ));
        }
    }
    for promotion in promotions.iter().filter(|promotion| promotion.step.optional) {
        out.push(Finding::error(
            codes::OPTIONAL_FENCE,
            promotion.place,
            format!("`{}` is optional: where it fails nobody can write", promotion.says()),
            "take `optional` away: past a fence there is no going on without it",
        ));
    }
    left_out(view, &fences, &promotions, out);
    silence(view, out);
    loss(view, out);
}

/// A store is fenced in this run, and its promotion is for the other kind of run.
fn left_out(view: &View<'_>, fences: &[Taken<'_>], promotions: &[Taken<'_>], out: &mut Vec<Finding>) {
    for fence in fences {
        let of_it = |step: &crate::runbook::ScriptStep| {
            step.verb == Promote::VERB && step.resource == fence.step.resource
        };
        let meant = view.subject.script.steps.iter().any(of_it);
        if meant && !promotions.iter().any(|promotion| of_it(promotion.step)) {
            out.push(Finding::error(
                codes::FENCE_WITHOUT_PROMOTION,
                fence.place,
                format!(
                    "after `{}` nobody can write: its promotion is left out of this run by `when`",
                    fence.says()
                ),
                "give fence and promotion the same `when`",
            ));
        }
    }
}

/// Whether the old writer is fenced by the promotion itself, in this run.
fn fences_itself(view: &View<'_>, promotion: &Taken<'_>) -> bool {
    view.subject.urgency == Urgency::Planned
        && view.configured(promotion).is_some_and(|configured| configured.fences_itself_when_planned())
}

/// Whether a fence keeps the writer that a promotion replaces from writing.
fn concerns(fence: &Taken<'_>, promotion: &Taken<'_>) -> bool {
    fence.side().is_none() || fence.side() != promotion.side()
}

fn unfenced(view: &View<'_>, promotion: &Taken<'_>, fences: &[Taken<'_>], out: &mut Vec<Finding>) {
    let fenced = fences.iter().any(|fence| concerns(fence, promotion) && view.before(fence, promotion));
    // A fence that comes too late has a finding of its own.
    let too_late = fences
        .iter()
        .any(|fence| concerns(fence, promotion) && fence.step.resource == promotion.step.resource);
    if !fenced && !too_late {
        let resource = promotion.step.resource.as_ref().map_or("the old writer", |name| name.as_str());
        out.push(Finding::error(
            codes::UNFENCED_PROMOTION,
            promotion.place,
            format!("`{}`: nothing keeps the old side from writing", promotion.says()),
            format!("put `{{ fence: {resource} }}` before it, in its phase or an earlier one"),
        ));
    }
}

fn late(view: &View<'_>, fence: &Taken<'_>, promotions: &[Taken<'_>], out: &mut Vec<Finding>) {
    let early =
        promotions.iter().find(|promotion| concerns(fence, promotion) && !view.before(fence, promotion));
    if let Some(early) = early {
        out.push(Finding::error(
            codes::FENCE_AFTER_PROMOTION,
            fence.place,
            format!("`{}` does not come before `{}` at {}", fence.says(), early.says(), early.place),
            "first every fence, then every promotion: put the fences in the phase of the first promotion, or before it",
        ));
    }
}

fn silence(view: &View<'_>, out: &mut Vec<Finding>) {
    let promotes = view.calls::<Promote>();
    for (fence, call) in view.calls::<Fence>() {
        let Some(policy) = call.when_unreachable else { continue };
        if policy.vantage_points < VANTAGE_POINTS {
            out.push(Finding::error(
                codes::TOO_FEW_VANTAGE_POINTS,
                fence.place,
                format!("`{}` believes a silence that {} prober hears", fence.says(), policy.vantage_points),
                "ask for two: one on the target and one outside both sides",
            ));
        }
        for (promote, call) in &promotes {
            if call.accept_loss.is_none() && fence.step.resource == promote.step.resource {
                out.push(Finding::error(
                    codes::SILENCE_WITHOUT_ACCEPTED_LOSS,
                    promote.place,
                    format!("`{}` may follow on accepted silence, and accepts no loss", promote.says()),
                    "say what may be lost: `accept_loss: 10s`, or `accept_loss: unknown`",
                ));
            }
        }
    }
}

fn loss(view: &View<'_>, out: &mut Vec<Finding>) {
    let rpo = view.subject.plan.budget.rpo;
    for (promote, call) in view.calls::<Promote>() {
        match (call.accept_loss, rpo) {
            (None, _) if view.subject.urgency == Urgency::Unplanned => out.push(Finding::note(
                codes::NO_ACCEPTED_LOSS,
                promote.place,
                format!(
                    "`{}` accepts no loss: a run with a silent source will stop before it",
                    promote.says()
                ),
                "say what may be lost: `accept_loss: 10s`",
            )),
            (Some(AcceptLoss::AtMost(time)), Some(rpo)) if !rpo.is_met_by(time) => out.push(over_rpo(
                &promote,
                format!("accepts a loss of {}, which is not {rpo}", crate::time::show_duration(time)),
            )),
            (Some(AcceptLoss::Unknown), Some(rpo)) => {
                out.push(over_rpo(&promote, format!("accepts any loss, and the RPO is {rpo}")));
            }
            (None | Some(_), _) => {}
        }
    }
}

fn over_rpo(promote: &Taken<'_>, what: String) -> Finding {
    Finding::warning(
        codes::LOSS_OVER_RPO,
        promote.place,
        format!("`{}` {what}", promote.says()),
        "accept less, or acknowledge that a run may end over its budget",
    )
}
