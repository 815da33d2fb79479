//! Conformance suites: one case for each sentence of a trait's documentation, the same for a twin, a decorated twin and
//! the real server.
//!
//! A backend author writes a [`Fixture`]: it makes a fresh [`Subject`] for each case, and pulls [`Lever`]s on it. A lever
//! that it has not is a case that is *skipped and listed*, never one that passed. Then each suite is one call, and
//! [`Report::assert`] says which sentence is broken, in words.
//!
//! | capability | suite |
//! |---|---|
//! | observations | [`observe`] |
//! | a store that can be promoted, made to follow, paused | [`store`] |
//! | a fence | [`fence`] |
//! | workloads | [`workloads`] |
//! | settings of workloads | [`configure`] |
//! | the word on room, on addresses | [`room`], [`addresses`] |
//! | traffic | [`traffic`], and [`all_or_none`] where it cannot be shared out |
//! | backups | [`backups`] |
//! | an alarm | [`alarm`] |
//! | proof of what a run needs | [`proves`] |
//! | a prober | [`probe`] |
//! | a ledger | [`ledger`] |
//! | any verb, a backend's own too | [`effect`] |

mod addresses;
mod alarm;
mod backups;
mod configure;
mod effect;
mod fence;
mod fixture;
mod ledger;
mod observe;
mod probe;
mod proves;
mod report;
mod room;
mod rule;
mod shares;
mod store;
mod traffic;
mod workloads;

pub use addresses::addresses;
pub use alarm::alarm;
pub use backups::{backing_up, backups, copies, restoring};
pub use configure::configure;
pub use effect::effect;
pub use fence::fence;
pub use fixture::{Fixture, Lever, Levers, Subject, Told};
pub use ledger::ledger;
pub use observe::observe;
pub use probe::probe;
pub use proves::proves;
pub use report::{Report, Stop, Verdict};
pub use room::room;
pub use shares::all_or_none;
pub use store::{copying, following, pausing, promotion, store, unpausing};
pub use traffic::traffic;
pub use workloads::workloads;
