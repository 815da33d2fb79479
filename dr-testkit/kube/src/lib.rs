//! Real Kubernetes API servers on loopback for tests, and a stand-in for the kubelet.
//!
//! - [`KubeRegion`]: etcd, kube-apiserver and kube-controller-manager of one region, with TLS that clients verify, RBAC,
//!   service accounts and an audit log. It can be paused, killed, restarted and made to forget its history.
//! - [`SharedRegion`]: one of them for all tests of a run, each in a [namespace](Access::namespace) of its own.
//! - [`Kubelet`]: nodes on which nothing runs and pods that become ready, or fail as real ones do.
//! - [`Relay`]: latency and black holes in front of a server.
//! - [`Access`], [`Rights`], [`Contexts`]: who asks, what they may, and the kubeconfig that says so.
//!
//! The servers are those of the machine: `scripts/kube.sh` finds or builds them. Where there are none, a start is an error
//! that says so. Nothing listens beyond loopback, and nothing outlives the process that started it. Next door are
//! `dr-testkit`, with the suites for backends, and `dr-k8s`, the backend that is tested on this. It knows neither.

mod access;
mod audit;
mod bring_up;
mod chance;
mod command_line;
mod error;
mod etcd;
mod janitor;
mod kubeconfig;
mod kubelet;
mod namespace;
mod options;
mod own;
mod pki;
mod process;
mod region;
mod relay;
mod servers;
mod shared;
mod user;

pub use access::Access;
pub use audit::{Audit, Request};
pub use kubeconfig::Contexts;
pub use kubelet::{Allocatable, Behaviour, Kubelet, KubeletOptions, Start, Stop};
pub use options::RegionOptions;
pub use region::KubeRegion;
pub use relay::{Passage, Relay};
pub use servers::Servers;
pub use shared::SharedRegion;
pub use user::Rights;
