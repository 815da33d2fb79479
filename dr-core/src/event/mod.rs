//! What happened: event types, and folding events into the state of a run. No I/O, nothing of the engine: displays,
//! reports and foreign tools read a run with this module alone.

mod began;
mod ending;
mod entry;
mod kinds;
mod state;
mod steady;
mod step;

pub use began::{Actor, Began, Mode, Override};
pub use ending::{Debt, DebtKind, Ending, Suspension};
pub use entry::{Entry, FORMAT, Seq};
pub use kinds::{Event, Found, OutageSeen, Request};
pub use state::{Illegal, RunState};
pub use steady::Steady;
pub use step::{Status, StepState};
