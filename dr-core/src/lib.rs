//! The core of `dr`: what a disaster-recovery plan is, how it is checked, carried out, recorded and measured.
//!
//! It knows no vendor, no terminal and no environment: it returns values and emits events. What a resource can do is
//! told by the traits in [`resource`]; backends live in crates of their own (`dr-postgres`, `dr-net`, yours), and the
//! test kit for them is `dr-testkit`.

pub mod check;
pub mod engine;
mod env;
mod error;
pub mod event;
mod ids;
pub mod journal;
pub mod measure;
pub mod model;
pub mod plan;
pub mod resource;
pub mod runbook;
pub mod time;

pub use async_trait::async_trait;
pub use env::{Clock, Env, SystemClock, TokioClock};
pub use error::{Error, ErrorKind, Failure, Happened, Result, Retry};
pub use ids::{Identity, PhaseName, Region, ResourceName, RunId, Side, StepId};
pub use resource::{Backend, Backends, Configured, Resource};
pub use time::Timestamp;
