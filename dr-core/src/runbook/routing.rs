//! The verb `route`: a backend's route, to an address that another resource knows, and kept only while a gate sees
//! good answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::ResourceName;
use crate::resource::{
    Addresses, Answer, Ask, Before, Cx, Diff, Effect, Prepared, Prober, Route, Routed, SeatKind, Standing,
};
use crate::time::show_duration;

/// How often the gate is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// So many bad answers in a row take the callers back.
const BAD_IN_A_ROW: u32 = 3;
/// And so many percent of the last answers, once there are enough of them to say so.
const BAD_PERCENT: usize = 5;
const LAST_ANSWERS: usize = 100;
const ENOUGH_ANSWERS: usize = 40;
/// What is kept of the deadline for taking the callers back.
const TO_GO_BACK: Duration = Duration::from_secs(10);

/// Wraps a backend's route. A share is baked only once it has been seen good for its whole time: a crash in between
/// bakes it anew, so `prepare` never calls a step with a bake `already`.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) inner: Arc<dyn Effect<Route>>,
    pub(super) gate: Option<(ResourceName, Arc<dyn Prober>)>,
    pub(super) addresses: Option<(ResourceName, Arc<dyn Addresses>)>,
}

impl Router {
    /// The call with the address that the other resource says now.
    async fn addressed(&self, cx: &Cx, call: &Route) -> Result<Route> {
        let Some((name, addresses)) = &self.addresses else { return Ok(call.clone()) };
        let side = call.to.side()?;
        let values = cx
            .bound("asking for the address", addresses.addresses(cx, side))
            .await
            .map_err(|error| error.not_happened().during("route").with("address_from", name.as_str()))?;
        if values.is_empty() {
            return Err(Error::new(ErrorKind::NotReady, format!("{name} has no address on {side} yet"))
                .not_happened()
                .during("route"));
        }
        Ok(Route { values: Some(values), ..call.clone() })
    }

    /// Asks the gate for the time of the bake. `Err` says what it saw.
    async fn bake(&self, cx: &Cx, call: &Route) -> Result<std::result::Result<(), String>> {
        let Some((name, prober)) = &self.gate else {
            return Err(Error::invalid("a bake needs a gate to ask").during("route"));
        };
        let mut seat = prober.seat(SeatKind::Caching);
        let mut judge = Judge::default();
        let until = Instant::now() + call.bake;
        loop {
            let asked = Instant::now();
            let answer = seat.ask(Ask { write: false }, ANSWER_WITHIN).await;
            if let Some(why) = judge.hears(&answer) {
                return Ok(Err(format!("{name}: {why}")));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(if answer.is_good() { Ok(()) } else { Err(format!("{name}: {answer}")) });
            }
            if cx.cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Cancelled, "the run was told to stop").during("route"));
            }
            if cx.left() < TO_GO_BACK.min(call.bake) {
                return Ok(Err(format!("{} of the bake are left and the time is up", show_duration(left))));
            }
            cx.progress.say(format!("{} on trial for {} more", call.share, show_duration(left)));
            tokio::time::sleep(ASK_EVERY.saturating_sub(asked.elapsed()).min(left)).await;
        }
    }
}

/// When enough is enough.
#[derive(Debug, Default)]
struct Judge {
    bad_in_a_row: u32,
    last: VecDeque<bool>,
}

impl Judge {
    /// Why the callers have to go back, if they have to.
    fn hears(&mut self, answer: &Answer) -> Option<String> {
        if self.last.len() == LAST_ANSWERS {
            self.last.pop_front();
        }
        self.last.push_back(answer.is_good());
        self.bad_in_a_row = if answer.is_good() { 0 } else { self.bad_in_a_row + 1 };
        if self.bad_in_a_row >= BAD_IN_A_ROW {
            return Some(format!("{} bad answers in a row, the last: {answer}", self.bad_in_a_row));
        }
        let bad = self.last.iter().filter(|good| !**good).count();
        let too_many = self.last.len() >= ENOUGH_ANSWERS && bad * 100 > BAD_PERCENT * self.last.len();
        too_many.then(|| format!("{bad} of the last {} answers were bad", self.last.len()))
    }
}

#[async_trait]
impl Effect<Route> for Router {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        let prepared = self.inner.prepare(cx, &self.addressed(cx, call).await?).await?;
        if call.bake.is_zero() || prepared.standing != Standing::Already {
            return Ok(prepared);
        }
        let diff = Diff::one(
            format!("{} of the callers to {}", call.share, call.to),
            "not on trial",
            format!("good answers for {}", show_duration(call.bake)),
        );
        Ok(Prepared::would(diff, prepared.before))
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        let addressed = self.addressed(cx, call).await?;
        let routed = self.inner.apply(cx, &addressed, was).await?;
        if call.bake.is_zero() {
            return Ok(routed);
        }
        let why = match self.bake(cx, call).await? {
            Ok(()) => return Ok(routed),
            Err(why) => why,
        };
        cx.progress.say(format!("{why}: taking the callers back"));
        match cx.bound("taking the callers back", self.inner.undo(cx, &addressed, &was.before)).await {
            Ok(()) => Err(Error::refused(format!(
                "{} of the callers on {} did not go well ({why}); they are back at the step before",
                call.share, call.to
            ))
            .during("route")),
            Err(error) => Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "{} of the callers on {} did not go well ({why}), and they could NOT be taken back",
                    call.share, call.to
                ),
            )
            .because(error)
            .during("route")),
        }
    }

    async fn undo(&self, cx: &Cx, call: &Route, was: &Before) -> Result<()> {
        self.inner.undo(cx, call, was).await
    }

    fn reads(&self) -> std::ops::RangeInclusive<u32> {
        self.inner.reads()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(pattern: &str) -> Option<usize> {
        let mut judge = Judge::default();
        pattern.chars().position(|one| {
            let took = Duration::ZERO;
            let answer =
                if one == '.' { Answer::good(None, false, took) } else { Answer::bad("503", None, took) };
            judge.hears(&answer).is_some()
        })
    }

    #[test]
    fn one_bad_answer_takes_nobody_back_and_three_in_a_row_do() {
        assert_eq!(answers("..x..xx..x.."), None);
        assert_eq!(answers("..xxx"), Some(4));
    }

    #[test]
    fn more_than_five_percent_of_bad_answers_take_the_callers_back() {
        let one_in_ten = "x.........".repeat(10);
        assert_eq!(answers(&one_in_ten), Some(ENOUGH_ANSWERS - 1), "as soon as there are enough to say so");
        let one_in_twenty = "...................x".repeat(10);
        assert_eq!(answers(&one_in_twenty), None);
    }
}
