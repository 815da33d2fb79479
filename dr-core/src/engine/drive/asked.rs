//! What is said to a running run: requests of people, news from probers and ledgers.

use super::{Drive, broken_fence, is_never_left_out};
use crate::engine::hooks::{Message, News};
use crate::event::{Actor, Event, Request, Status};
use crate::ids::StepId;
use crate::journal::{Durability, JournalError};

impl Drive {
    pub(super) async fn heard(&mut self, message: Message) -> Result<(), JournalError> {
        let Message { request, actor, reason } = message;
        let mut events = Vec::new();
        match &request {
            Request::Approve { plan_hash, .. } if *plan_hash != self.state.began.plan_hash => return Ok(()),
            Request::Approve { step, .. } => self.runbook.approvals().give(step.clone(), actor.clone()),
            Request::Skip { step } => events.extend(self.left_out(step, &actor, &reason)),
            Request::Done { .. } | Request::Abort | Request::GoUnplanned => {}
        }
        events.insert(0, Event::Requested { request, actor, reason });
        self.record(events, Durability::Barrier).await
    }

    /// A person's word leaves a step out; never a fence, a promotion, or something in flight.
    pub(super) fn left_out(&self, id: &StepId, actor: &Actor, reason: &str) -> Option<Event> {
        let step = self.state.script_step(id)?;
        let status = self.state.steps.get(id)?.status;
        let in_flight = self.schedule.index(id).is_some_and(|at| self.busy.contains(&at));
        let never = is_never_left_out(step) || in_flight;
        let open = matches!(status, Status::Pending | Status::Retrying | Status::Failed | Status::InDoubt);
        (open && !never)
            .then(|| Event::Skipped { step: id.clone(), why: format!("left out by {actor}: {reason}") })
    }

    pub(super) async fn learnt(&mut self, news: News) -> Result<(), JournalError> {
        match news {
            News::Seen(event) => self.record(vec![event], Durability::Lazy).await,
            // A run that turns back lifts its fences itself.
            News::BrokenFence(_) if self.state.turned_back.is_some() => Ok(()),
            News::BrokenFence(why) => {
                self.broken.get_or_insert_with(|| broken_fence(&why));
                self.record(vec![Event::FenceBroken { why }], Durability::Barrier).await
            }
        }
    }
}
