//! The kind `redis-pair`: two Redis servers, one the primary and one its replica, carried over with proof.
//!
//! It is written as a third party writes a backend: on the public API of `dr-core` alone, tried by the suites of
//! `dr-testkit` on two real servers, and added to the command by `dr_cli::main` in `main.rs`. The order to read it in is
//! the order in which it was written: [`RedisPair`] and its configuration, the wire, one look at a server, and then a
//! file for each capability.
//!
//! What is proof and what is not stands where it is used: a fence in `fence.rs`, a promotion in `promote.rs`. What Redis
//! cannot do honestly is not offered; the README lists it.
//!
//! ```
//! use dr_core::Backend;
//! let config = serde_json::json!({
//!     "user": "dr", "password": "${env:DR_REDIS_PASSWORD}",
//!     "application": { "user": "app", "password": "${env:APP_REDIS_PASSWORD}" },
//!     "sides": { "east": { "address": "10.1.0.5:6379" }, "west": { "address": "10.2.0.5:6379" } },
//! });
//! let pair = custom_backend::RedisPair.configure(config).unwrap();
//! assert!(pair.verbs().contains(&"promote"));
//! assert!(!pair.verbs().contains(&"pause"), "a replica of Redis cannot be paused");
//! ```

mod backend;
mod by_hand;
mod config;
mod error;
mod fence;
mod follow;
mod ledger;
mod look;
mod note;
mod observe;
mod pair;
mod promote;
mod wire;

pub use backend::RedisPair;
