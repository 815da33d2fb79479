//! Every call that came in.

use dr_core::Timestamp;
use serde::Serialize;

use crate::service::Service;

/// A call that the simulator took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// When it came in.
    pub at: Timestamp,
    /// The service's name in a credential scope.
    pub service: &'static str,
    /// Where it was sent.
    pub region: String,
    /// Whose it was.
    pub account: String,
    /// What was asked: `PromoteReadReplica`.
    pub action: String,
    /// Whether such a call changes anything.
    pub mutates: bool,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It is under way, or was never answered.
    Open,
    /// It was answered with a status below 400.
    Answered,
    /// It was refused with this error code.
    Refused(String),
    /// The connection was cut before anything was done.
    Cut,
    /// It was carried out, and the answer was lost.
    ReplyLost,
}

/// The list of calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder {
    calls: Vec<Call>,
    first: usize,
}

impl Recorder {
    /// Notes a call; the number names it.
    pub(crate) fn begin(
        &mut self,
        at: Timestamp,
        service: Service,
        place: (&str, &str),
        action: &str,
    ) -> usize {
        self.calls.push(Call {
            at,
            service: service.signing_name(),
            region: place.1.to_owned(),
            account: place.0.to_owned(),
            action: action.to_owned(),
            mutates: service.mutates(action),
            outcome: Outcome::Open,
        });
        self.first + self.calls.len() - 1
    }

    pub(crate) fn end(&mut self, number: usize, outcome: Outcome) {
        if let Some(call) = number.checked_sub(self.first).and_then(|index| self.calls.get_mut(index)) {
            call.outcome = outcome;
        }
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Forgets what was; calls under way end unseen.
    pub(crate) fn clear(&mut self) {
        self.first += self.calls.len();
        self.calls.clear();
    }
}
