//! Does a bundle still say what it said when it was sealed? Nothing in it is trusted.

mod chain;
mod check;
mod contents;
mod report;

pub use chain::{Before, verify_after, verify_chain};
pub use check::verify;
pub use report::{Check, Outcome, Report};
