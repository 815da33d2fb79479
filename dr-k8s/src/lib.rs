//! Kubernetes for `dr`: what runs on each side, given more or less room, told other things, and kept from writing.
//!
//! This room holds everything that knows Kubernetes (1.20 and newer; what a server offers is asked). It decides nothing:
//! whether and when to scale or to fence is the engine's business in `dr-core`, which is the room next door. It is *not*
//! an operator and deploys nothing: what shall run where is in the clusters already.
//!
//! ```
//! use dr_core::Backends;
//! use serde_json::json;
//!
//! let backends = Backends::new().with(dr_k8s::backend());
//! let services = backends.get("kubernetes").unwrap().configure(json!({
//!     "namespace": "production",
//!     "contexts": { "us-east-1": "prod-us", "eu-central-1": "prod-eu" },
//!     "workloads": { "selector": "app=shop" },
//! })).unwrap();
//! assert_eq!(services.sides().len(), 2);
//! ```
//!
//! The configuration's fields are described by the backend's JSON schema. A kubeconfig is read as kubectl reads it, when a
//! side is first asked: several files in `KUBECONFIG`, credential plug-ins, tokens, client certificates. A proxy
//! (`proxy-url`, `HTTPS_PROXY`) is refused with a sentence that says so.
//!
//! A workload is called `deployment/web`; a plan may leave the kind out where that is unmistakable.
//!
//! What a run changes it notes on the object, in annotations that begin with `dr.dev/`, so that a later run, or a person,
//! can put it back. Every change names the version of the object that it was decided on.
//!
//! A credential plug-in runs on a thread of its own, and may outlive a call that was dropped; it changes nothing. TLS is
//! rustls with aws-lc-rs, which is made the process's provider if it has none; a process with another one keeps it.

mod access;
mod addresses;
mod autoscale;
mod await_ready;
mod backend;
mod by_hand;
mod cluster;
mod config;
mod configure;
mod discovery;
mod error;
mod feed;
mod fence;
mod fleet;
mod kept;
mod login;
mod note;
mod objects;
mod owners;
mod permissions;
mod pods;
mod prove;
mod quantity;
mod reader;
mod ready;
mod room;
mod scale;
mod setting;
mod side;
mod staffing;
mod state;
mod tables;
mod trouble;
mod unfence;
mod writers;

pub use backend::{Kubernetes, backend};
pub use state::{ClusterState, DeploymentRow, NodeRow, PodRow, SideCluster};
