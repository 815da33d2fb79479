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
//! | traffic | [`traffic`] |
//! | a prober | [`probe`] |
//! | a ledger | [`ledger`] |
//! | any verb, a backend's own too | [`effect`] |

mod effect;
mod fence;
mod fixture;
mod ledger;
mod observe;
mod probe;
mod report;
mod store;
mod traffic;
mod workloads;

pub use effect::effect;
pub use fence::fence;
pub use fixture::{Fixture, Lever, Levers, Subject};
pub use ledger::ledger;
pub use observe::observe;
pub use probe::probe;
pub use report::{Report, Stop, Verdict};
pub use store::{copying, following, pausing, promotion, store, unpausing};
pub use traffic::traffic;
pub use workloads::workloads;
