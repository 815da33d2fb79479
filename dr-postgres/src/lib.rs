//! PostgreSQL for `dr`: streaming replication between sides, seen honestly, fenced with proof, promoted and rejoined.
//!
//! This room holds everything that knows PostgreSQL (14 and newer). It decides nothing: whether and when to fence or to
//! promote is the engine's business in `dr-core`, which is the room next door. It is *not* a connection pool, a proxy
//! or a local high-availability manager; where one of those runs, `dr` refuses rather than fights it.
//!
//! ```
//! use dr_core::Backends;
//! use serde_json::json;
//!
//! let backends = Backends::new().with(dr_postgres::backend());
//! let orders = backends.get("postgres").unwrap().configure(json!({
//!     "application": { "user": "app", "password": "${env:APP_PW}" },
//!     "sides": {
//!         "us-east-1":    { "url": "postgres://dr@db.us.internal/orders", "password": "${env:DR_DB_PASSWORD}" },
//!         "eu-central-1": { "url": "postgres://dr@db.eu.internal/orders", "password": "${env:DR_DB_PASSWORD}" },
//!     },
//! })).unwrap();
//! assert_eq!(orders.sides().len(), 2);
//! ```
//!
//! The configuration's fields are described by the backend's JSON schema. A side's `control` says how its servers are
//! started, stopped and rewound: on this machine (`local`) or by a command (`ssh`, `kubectl exec`). Without it a side
//! can be fenced by its logins only, and nothing can be rewound.
//!
//! Child processes run in a process group of their own, are killed with the call that started them and, where
//! `setpriv` exists, die with this process. A PostgreSQL server that was started on purpose is the one exception.

mod backend;
mod by_hand;
mod config;
mod control;
mod control_data;
mod error;
mod fence;
mod follow;
mod hazards;
mod lag;
mod ledger;
mod login_fence;
mod lsn;
mod node;
mod observe;
mod pause;
mod promote;
mod proof;
mod protection;
mod prove;
mod runner;
mod schema;
mod session;
mod store;
mod strangers;
mod tls;
mod url;

pub use backend::{Postgres, backend};
pub use protection::{Protection, SideProtection};

/// The start gate: a shell script that says whether PostgreSQL may start on a data directory now. Install it as an
/// `ExecStartPre` or an init container; `dr` obeys it too.
pub const START_GATE: &str = include_str!("shell/start-gate.sh");
