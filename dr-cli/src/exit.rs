//! Exit codes: stable, one for each way in which a command can end.

use dr_core::engine::DriveEnd;
use dr_core::event::{Ending, Suspension};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Succeeded, or there was nothing to do.
    Success,
    /// An error that has no code of its own; the message says what.
    Failure,
    /// The arguments make no sense.
    Usage,
    /// The plan is wrong.
    Plan,
    /// Succeeded, but took or lost more than the budget allows.
    OverBudget,
    /// The service is back; debts are open.
    Recovered,
    /// Refused; nothing was touched.
    Refused,
    /// Failed and put back.
    RolledBack,
    /// Ended by a person.
    Aborted,
    /// Something that a run needs is missing, or could not be proven.
    NotReady,
    /// Failed past the point of no return, or where the plan holds. `dr resume`.
    Held,
    /// An undo failed. The manual steps are printed.
    Stuck,
    /// Interrupted. `dr resume`.
    Interrupted,
    /// Another process drives the run.
    OwnershipLost,
    /// The journal cannot be written.
    JournalLost,
    /// A bundle does not verify.
    Evidence,
    /// Two sides take writes.
    TwoWritable,
}

/// The table for `--help` and the documentation.
pub(crate) const TABLE: &str = "\
Exit codes:
   0  succeeded, or nothing to do      20  held: past the point of no return (dr resume)
   1  failed, the message says how     21  stuck: an undo failed, manual steps printed
   2  wrong arguments                  22  interrupted (dr resume)
   3  wrong plan                       23  another process drives the run
  10  succeeded, over budget           24  the journal cannot be written
  11  recovered, debts open            30  a bundle does not verify
  12  refused, nothing touched         40  two sides take writes
  13  failed and rolled back
  14  aborted by a person
  15  not ready: something that a run needs is missing or unproven";

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Plan => 3,
            Self::OverBudget => 10,
            Self::Recovered => 11,
            Self::Refused => 12,
            Self::RolledBack => 13,
            Self::Aborted => 14,
            Self::NotReady => 15,
            Self::Held => 20,
            Self::Stuck => 21,
            Self::Interrupted => 22,
            Self::OwnershipLost => 23,
            Self::JournalLost => 24,
            Self::Evidence => 30,
            Self::TwoWritable => 40,
        }
    }
}

impl From<DriveEnd> for Exit {
    fn from(end: DriveEnd) -> Self {
        match end {
            DriveEnd::Ended(Ending::Succeeded | Ending::NothingToDo) => Self::Success,
            DriveEnd::Ended(Ending::OverBudget) => Self::OverBudget,
            DriveEnd::Ended(Ending::Recovered) => Self::Recovered,
            DriveEnd::Ended(Ending::Refused) => Self::Refused,
            DriveEnd::Ended(Ending::RolledBack) => Self::RolledBack,
            DriveEnd::Ended(Ending::Aborted) => Self::Aborted,
            DriveEnd::Suspended(Suspension::Interrupted) => Self::Interrupted,
            DriveEnd::Suspended(Suspension::Held) => Self::Held,
            DriveEnd::Suspended(Suspension::Stuck) => Self::Stuck,
            DriveEnd::Suspended(Suspension::JournalLost) => Self::JournalLost,
            DriveEnd::Suspended(Suspension::OwnershipLost) => Self::OwnershipLost,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
