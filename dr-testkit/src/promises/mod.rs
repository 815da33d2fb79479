//! What must hold of every history of any plan, whatever went wrong.

mod order;
mod witness;

use dr_core::event::{Ending, Entry, Event, RunState};
use dr_core::model::World;
use dr_core::resource::{Class, FenceOutcome};

pub(crate) use witness::Witness;

use order::Order;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct History<'a> {
    pub(crate) world: &'a World,
    pub(crate) entries: &'a [Entry],
    pub(crate) state: &'a RunState,
    /// Calls without a durable intent.
    pub(crate) unannounced: &'a [String],
}

/// A promise, and how it was broken.
pub(crate) type Broken = (&'static str, String);

impl History<'_> {
    /// The first promise that was broken.
    pub(crate) fn broken(&self) -> Option<Broken> {
        let order = Order::of(self.state, self.entries);
        let promises: [(&'static str, Option<String>); 6] = [
            ("never two writable sides by our act", self.two_writable()),
            ("no effect without a durable intent before it", self.effect_without_intent()),
            ("a run ends once, and nothing follows", self.after_the_end()),
            ("past the point of no return nothing is rolled back", self.rolled_back_data()),
            ("a fence stands before each promotion", order.promotion_without_fence()),
            ("undone is what was done or maybe done, in reverse", order.undone_otherwise()),
        ];
        promises.into_iter().find_map(|(promise, how)| Some((promise, how?)))
    }

    /// Every outcome that a step of this class ever recorded.
    fn outcomes<T: serde::de::DeserializeOwned>(&self, class: Class) -> impl Iterator<Item = T> {
        self.entries.iter().filter_map(move |entry| match &entry.event {
            Event::Succeeded { step, applied, .. }
                if self.state.script_step(step).is_some_and(|step| step.class == class) =>
            {
                serde_json::from_value(applied.data.clone()).ok()
            }
            _ => None,
        })
    }

    /// Whether a silence stands for a fence: the one case in which a side may come back and write.
    pub(crate) fn silence_was_accepted(&self) -> bool {
        self.outcomes(Class::Fence).any(|outcome| matches!(outcome, FenceOutcome::Accepted(_)))
    }

    fn two_writable(&self) -> Option<String> {
        let violation = self.world.violations().into_iter().next()?;
        (!self.silence_was_accepted()).then(|| violation.to_string())
    }

    fn effect_without_intent(&self) -> Option<String> {
        (!self.unannounced.is_empty()).then(|| self.unannounced.join("\n"))
    }

    fn after_the_end(&self) -> Option<String> {
        let ends = self.entries.iter().filter(|entry| matches!(entry.event, Event::Ended { .. })).count();
        let last = self.entries.last().map(|entry| &entry.event);
        let wrong = ends > 1 || (ends == 1 && !matches!(last, Some(Event::Ended { .. })));
        wrong.then(|| format!("{ends} ends; the last event is {last:?}"))
    }

    fn rolled_back_data(&self) -> Option<String> {
        let of_no_return =
            |step| self.state.script_step(step).is_some_and(|step| step.class == Class::PointOfNoReturn);
        let mut promoted = Vec::new();
        for entry in self.entries {
            match &entry.event {
                Event::Succeeded { step, .. } if of_no_return(step) => promoted.push(step),
                Event::UndoStarted { step } if promoted.contains(&step) => {
                    return Some(format!("{step} had succeeded, and is undone"));
                }
                Event::Ended { ending: Ending::RolledBack | Ending::Refused, .. } if !promoted.is_empty() => {
                    return Some(format!("{promoted:?} had succeeded, and the run says that it went back"));
                }
                _ => {}
            }
        }
        None
    }
}
