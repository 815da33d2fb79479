//! The state of one step: one function decides what follows on what.

use std::fmt;

use serde::Serialize;

use super::kinds::Found;
use crate::error::{Failure, Happened};
use crate::resource::{Applied, Prepared, Standing};
use crate::time::Timestamp;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing was done.
    Pending,
    /// Its intent is durable; nothing more is known.
    Started,
    /// An attempt failed; another follows.
    Retrying,
    /// It failed for good and may have acted.
    InDoubt,
    /// It is so.
    Succeeded,
    /// It failed for good, and its last attempt did nothing.
    Failed,
    /// Left out.
    Skipped,
    /// A dry run has looked at it.
    Previewed,
    /// It is being put back.
    Undoing,
    /// What was before is there again.
    Undone,
    /// It could not be put back.
    UndoFailed,
}

impl Status {
    /// Whether steps that wait for this one may start.
    pub fn is_over(self) -> bool {
        match self {
            Self::Succeeded | Self::Skipped | Self::Previewed => true,
            Self::Pending
            | Self::Started
            | Self::Retrying
            | Self::InDoubt
            | Self::Failed
            | Self::Undoing
            | Self::Undone
            | Self::UndoFailed => false,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Retrying => "retrying",
            Self::InDoubt => "in doubt",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Previewed => "previewed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed => "undo failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What can happen to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Start,
    Succeed,
    Fail { again: bool, happened: Happened },
    Settle(Found),
    Skip,
    Preview,
    StartUndo,
    Undo,
    FailUndo,
}

fn next(status: Status, edge: Edge) -> Option<Status> {
    use Status::{
        Failed, InDoubt, Pending, Previewed, Retrying, Skipped, Started, Succeeded, UndoFailed, Undoing,
        Undone,
    };
    match (edge, status) {
        (Edge::Start, Pending | Retrying | Started | Failed | InDoubt) => Some(Started),
        (Edge::Succeed, Started) => Some(Succeeded),
        (Edge::Fail { again: true, .. }, Pending) => Some(Pending),
        (Edge::Fail { again: true, .. }, Started | Retrying | Failed | InDoubt) => Some(Retrying),
        (Edge::Fail { again: false, happened: Happened::No }, Pending | Started | Retrying | Failed) => {
            Some(Failed)
        }
        (Edge::Fail { again: false, happened: Happened::Maybe }, Pending | Started | Retrying) => {
            Some(InDoubt)
        }
        // It could not even be looked at again: what was in doubt stays so.
        (Edge::Fail { again: false, .. }, InDoubt) => Some(InDoubt),
        // One that failed may be in doubt as well: not done is no proof that it never will be.
        (Edge::Settle(Found::Done), Started | Retrying | InDoubt | Failed) => Some(Retrying),
        (Edge::Settle(Found::NotDone | Found::Cancelled), Started | Retrying | InDoubt | Failed) => {
            Some(Failed)
        }
        (Edge::Settle(Found::Unknown), Started | Retrying | InDoubt | Failed) => Some(InDoubt),
        (Edge::Skip, Pending | Started | Retrying | Failed | InDoubt) => Some(Skipped),
        (Edge::Preview, Pending) => Some(Previewed),
        // An optional step that failed is skipped, and may have acted all the same.
        (
            Edge::StartUndo,
            Started | Retrying | InDoubt | Succeeded | Failed | Skipped | Undoing | UndoFailed,
        ) => Some(Undoing),
        (Edge::Undo, Undoing) => Some(Undone),
        (Edge::FailUndo, Undoing) => Some(UndoFailed),
        (
            Edge::Start
            | Edge::Succeed
            | Edge::Fail { .. }
            | Edge::Settle(_)
            | Edge::Skip
            | Edge::Preview
            | Edge::StartUndo
            | Edge::Undo
            | Edge::FailUndo,
            _,
        ) => None,
    }
}

/// What is known of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// Where it stands.
    pub status: Status,
    /// How many attempts were begun.
    pub attempts: u32,
    /// What was found before the step ([`StepState::found_before`]). Kept for ever: it is what undo puts back.
    pub was: Option<Prepared>,
    /// What it left.
    pub applied: Option<Applied>,
    /// Why its last attempt failed.
    pub failure: Option<Failure>,
    /// Why it was skipped.
    pub skipped: Option<String>,
    /// Whether an effect of it may be in the world.
    pub may_have_acted: bool,
    /// Whether a look after a doubt found it done, and no later one said otherwise.
    pub found_done: bool,
    /// When its first attempt began; a [`super::Steady`] moment.
    pub started: Option<Timestamp>,
    /// When it was over; a [`super::Steady`] moment.
    pub over: Option<Timestamp>,
    /// What it last said it waits for.
    pub progress: Option<String>,
    /// Whether it was in doubt before the attempt that runs.
    pub(super) doubt_before: bool,
}

impl StepState {
    pub(super) fn new() -> Self {
        Self {
            status: Status::Pending,
            attempts: 0,
            was: None,
            applied: None,
            failure: None,
            skipped: None,
            may_have_acted: false,
            found_done: false,
            started: None,
            over: None,
            progress: None,
            doubt_before: false,
        }
    }

    /// What counts as found before the step, now that an attempt has found this: what the first attempt found. Where that
    /// could not read anything (a side was silent), the first that finds something to change tells; one that finds it done
    /// tells nothing, for it may have been done by an attempt before.
    pub fn found_before(&self, now: &Prepared) -> Prepared {
        let tells = matches!(now.standing, Standing::Would { .. }) && !now.before.data.is_null();
        match &self.was {
            Some(first) => {
                let unread =
                    matches!(first.standing, Standing::Unknown { .. }) && first.before.data.is_null();
                if unread && tells { now.clone() } else { first.clone() }
            }
            None => now.clone(),
        }
    }

    /// Whether the first attempt found that there was nothing to do.
    pub fn was_already(&self) -> bool {
        self.was.as_ref().is_some_and(Prepared::is_already)
    }

    pub(super) fn take(&mut self, edge: Edge) -> Result<(), Status> {
        let was = self.status;
        self.status = next(was, edge).ok_or(was)?;
        match edge {
            Edge::Start => {
                self.doubt_before = self.may_have_acted;
                self.may_have_acted = true;
            }
            // The proof is about this attempt. A failure before its intent proves nothing of an earlier one.
            Edge::Fail { happened: Happened::No, .. } if was == Status::Started => {
                self.may_have_acted = self.doubt_before;
            }
            Edge::Undo | Edge::Settle(Found::Cancelled) => {
                self.may_have_acted = false;
                self.found_done = false;
            }
            Edge::Settle(found @ (Found::Done | Found::NotDone | Found::Unknown)) => {
                self.found_done = found == Found::Done;
            }
            Edge::Fail { .. }
            | Edge::Succeed
            | Edge::Skip
            | Edge::Preview
            | Edge::StartUndo
            | Edge::FailUndo => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [Status; 11] = [
        Status::Pending,
        Status::Started,
        Status::Retrying,
        Status::InDoubt,
        Status::Succeeded,
        Status::Failed,
        Status::Skipped,
        Status::Previewed,
        Status::Undoing,
        Status::Undone,
        Status::UndoFailed,
    ];

    #[test]
    fn nothing_succeeds_without_an_intent() {
        for status in STATUSES {
            assert_eq!(next(status, Edge::Succeed).is_some(), status == Status::Started, "{status}");
        }
    }

    #[test]
    fn nothing_starts_again_once_it_is_being_put_back() {
        for status in [Status::Undoing, Status::Undone, Status::UndoFailed, Status::Succeeded] {
            assert_eq!(next(status, Edge::Start), None, "{status}");
        }
    }

    #[test]
    fn a_failure_that_may_have_acted_leaves_a_doubt_that_a_later_proof_does_not_remove() {
        let mut step = StepState::new();
        step.take(Edge::Start).unwrap();
        step.take(Edge::Fail { again: true, happened: Happened::Maybe }).unwrap();
        step.take(Edge::Start).unwrap();
        step.take(Edge::Fail { again: false, happened: Happened::No }).unwrap();
        assert!(step.may_have_acted, "the first attempt may still have acted");
    }

    #[test]
    fn a_failed_look_proves_nothing_of_the_attempt_before_it() {
        let mut step = StepState::new();
        step.take(Edge::Start).unwrap();
        step.take(Edge::Fail { again: true, happened: Happened::Maybe }).unwrap();
        step.take(Edge::Fail { again: false, happened: Happened::No }).unwrap();
        assert!(step.may_have_acted, "the first attempt may still have acted");
    }
}
