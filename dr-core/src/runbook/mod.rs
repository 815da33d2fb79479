//! A plan bound to live resources, ready to execute.
//!
//! `compile` turns a plan into a [`Script`], purely; [`Runbook::bind`] gives each of its steps an action. The rules
//! that hold for every backend alike stand here, around the backend's effect: what counts as a met expectation
//! (`looking`), which roles a run needs (`roles`), when silence stands for a fence (`fencing`), on what ground a
//! promotion is made (`promotion`), whether there is room for a scale (`room`), whom a route is kept for (`routing`), when the
//! callers are gone (`draining`).

mod bind;
mod compile;
mod draining;
mod expectation;
mod fencing;
mod first;
mod gather;
mod looking;
mod order;
mod pausing;
mod promotion;
mod roles;
mod room;
mod routing;
mod script;
mod watchers;

pub use bind::{Binding, Runbook};
pub use compile::compile;
pub use expectation::Expectation;
pub use first::ROLES_PHASE;
pub use looking::{Look, Looked};
pub use pausing::{Approvals, Approve, Approved, Wait, Waited};
pub use roles::{CheckRoles, RolesFound};
pub use room::{CheckRoom, RoomFound};
pub use script::{Script, ScriptPhase, ScriptStep};
pub use watchers::Watchers;
