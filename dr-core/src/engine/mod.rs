//! Carries out a runbook: what may run now, attempt by attempt, durable intent first; back where that is allowed,
//! forward where it is not. A resume is the same loop over a folded journal.

mod attempt;
mod drive;
mod ending;
mod hooks;
mod preview;
mod retry;
mod schedule;

pub use drive::{Drive, DriveEnd, Driven};
pub use hooks::{Finish, Hooks, Means, Message, News};
