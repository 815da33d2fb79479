//! What must hold of every simulated history.

use std::time::Duration;

use dr_core::event::{Ending, Event, Status};
use dr_core::model::Snapshot;
use dr_core::resource::{AcceptLoss, Basis, LossBound, Promote, Promotion};

use super::chaos::Chaos;
use super::plan::Chosen;
use super::shop::{BOOK, Shop, WEST};
use crate::decorate::{Strike, Trouble};
use crate::promises::{Broken, History};

/// A history that is over.
#[derive(Debug)]
pub(super) struct Lived<'a> {
    pub(super) chosen: &'a Chosen,
    pub(super) chaos: &'a Chaos,
    pub(super) shop: &'a Shop,
    pub(super) before: &'a Snapshot,
    pub(super) after: &'a Snapshot,
    pub(super) history: History<'a>,
    /// Customers wrote meanwhile.
    pub(super) loaded: bool,
    /// Somebody mended the world between two drives.
    pub(super) mended: bool,
}

const PROMOTE: &str = "promote/promote:orders";

/// The first promise that was broken, and how: those of any plan, and those that only this world can judge.
pub(super) fn broken(lived: &Lived<'_>) -> Option<Broken> {
    let promises: [(&'static str, Option<String>); 4] = [
        ("undo restores what was observed before", lived.not_as_before()),
        ("a planned promotion loses nothing", lived.lost_in_a_planned_promotion()),
        ("unknown is never taken for good", lived.loss_that_nobody_accepted()),
        ("what is reported as done is so", lived.success_that_is_none()),
    ];
    let of_any_plan = lived.history.broken();
    of_any_plan.or_else(|| promises.into_iter().find_map(|(promise, how)| Some((promise, how?))))
}

impl Lived<'_> {
    fn ending(&self) -> Option<Ending> {
        self.history.state.ended.as_ref().map(|(ending, _)| *ending)
    }

    /// Every outcome that a step ever recorded.
    fn outcomes<T: serde::de::DeserializeOwned>(&self, step: &str) -> Vec<T> {
        let recorded = self.history.entries.iter().filter_map(|entry| match &entry.event {
            Event::Succeeded { step: of, applied, .. } if of.as_str() == step => Some(&applied.data),
            _ => None,
        });
        recorded.filter_map(|data| serde_json::from_value(data.clone()).ok()).collect()
    }

    fn not_as_before(&self) -> Option<String> {
        let untouched = match self.ending()? {
            Ending::Refused | Ending::RolledBack => true,
            Ending::Aborted => !self.history.state.is_past_no_return(),
            Ending::Succeeded | Ending::OverBudget | Ending::Recovered | Ending::NothingToDo => false,
        };
        let alone = self.chaos.leaves_the_world_alone() && !self.loaded && !self.mended;
        (untouched && alone && self.before != self.after)
            .then(|| format!("before:\n{}\nafter:\n{}", self.before, self.after))
    }

    fn lost_in_a_planned_promotion(&self) -> Option<String> {
        let planned = self
            .outcomes::<Promotion>(PROMOTE)
            .iter()
            .any(|promotion| matches!(promotion.basis, Basis::Planned { .. }));
        let serves = self.shop.orders.writable().iter().any(|side| side.as_str() == WEST);
        if !planned || !serves || !self.loaded {
            return None;
        }
        let lost = self.shop.orders.lost(BOOK);
        (!lost.is_empty()).then(|| format!("acknowledged, and nowhere: {lost:?}"))
    }

    fn loss_that_nobody_accepted(&self) -> Option<String> {
        let step = self.history.state.script_step(&PROMOTE.into())?;
        let call: Promote = serde_json::from_value(step.call.clone()).ok()?;
        for promotion in self.outcomes::<Promotion>(PROMOTE) {
            let Basis::Forced { loss, .. } = &promotion.basis else { continue };
            let accepted = match (call.accept_loss, loss) {
                (Some(AcceptLoss::Unknown), _) => true,
                (Some(AcceptLoss::AtMost(most)), LossBound::AtMost { time, .. }) => *time <= most,
                // An earlier attempt promoted it, on a proof or a bound of its own, and nobody heard its outcome.
                (_, LossBound::Unknown { .. }) => self.was_asked_for_again(),
                (None, LossBound::AtMost { .. }) => false,
            };
            if !accepted {
                return Some(format!("{:?} was accepted, and {loss:?} was risked", call.accept_loss));
            }
        }
        None
    }

    /// Whether the promotion had more than one call.
    fn was_asked_for_again(&self) -> bool {
        let twice = |strike: &Strike| strike.step.as_str() == PROMOTE && strike.trouble == Trouble::Twice;
        self.history.state.steps.get(PROMOTE).is_some_and(|step| step.attempts > 1)
            || self.chaos.troubles.struck().iter().any(twice)
    }

    fn success_that_is_none(&self) -> Option<String> {
        let done = matches!(self.ending()?, Ending::Succeeded | Ending::OverBudget | Ending::Recovered);
        // What happens to the world afterwards is not the run's word.
        if !done || !self.chaos.leaves_the_world_alone() {
            return None;
        }
        let promoted =
            self.history.state.steps.get(PROMOTE).is_some_and(|step| step.status == Status::Succeeded);
        let writable = self.shop.orders.writable();
        let serves = writable.iter().any(|side| side.as_str() == WEST);
        let alone = writable.len() == 1 || self.history.silence_was_accepted();
        if self.chosen.promotes && (!promoted || !serves || !alone) {
            return Some(format!("the promotion: {promoted}; who takes writes: {writable:?}"));
        }
        let routed = self.shop.entry.side().is_some_and(|side| side.as_str() == WEST);
        (self.chosen.routes && !routed).then(|| format!("callers go to {:?}", self.shop.entry.answers()))
    }
}

/// How long a drive may take, whatever happens: far more than all deadlines of a plan together.
pub(super) const AT_MOST: Duration = Duration::from_secs(6 * 3_600);
