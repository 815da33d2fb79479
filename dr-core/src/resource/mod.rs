//! What a backend hands over: traits for backend authors, and the values that they speak in.
//!
//! The unit is a **verb**: `impl Effect<Scale> for MyWorkloads`. What is registered on a [`Resource`] is what it can
//! do; "cannot" is data and known before anything runs. The capabilities are groups of an observation and its verbs:
//!
//! | group | observation | verbs | also |
//! |---|---|---|---|
//! | replicated store | [`Replication`] | [`Promote`] [`Follow`] [`Pause`] [`Unpause`] | [`Ledger`] |
//! | fence | [`Fencing`] by [`Holds`] | [`Fence`] [`Unfence`] | |
//! | workloads | [`Staffing`] | [`Scale`] [`Configure`] | [`Room`], [`Addresses`] |
//! | traffic | [`Routing`] | [`Route`] | |
//! | backups | [`Copies`] | [`Backup`] [`Restore`] | |
//! | alarm | [`Alarms`] | [`Trigger`] | |
//! | probe | – | [`Probe`], made by the core from [`Prober`] | |
//!
//! Any of them may also say what it needs and prove it from where it stands: [`Configured::needs`], [`Proves`].

mod action;
mod addresses;
mod alarm;
mod at;
mod backend;
mod backups;
mod call;
mod configure;
mod cx;
mod effect;
mod fence;
mod follow;
mod ledger;
mod observe;
mod pause;
mod position;
mod probe;
mod promote;
mod prove;
mod redactor;
mod registered;
mod replication;
mod room;
mod secret;
mod traffic;
mod undone;
mod workloads;

pub use action::{Action, Applied, Bound};
pub use addresses::Addresses;
pub use alarm::{AlarmStands, AlarmState, Alarms, Trigger, Triggered};
pub use at::{At, Roles};
pub use backend::{Backend, Backends, ConfigError, Configured, Connect, Needs, Plane};
pub use backups::{BackedUp, Backup, Copies, CopyState, Point, Restore, Restored};
pub use call::{Call, Class, Outcome, understood};
pub use configure::{Configure, Setting, Settled};
pub use cx::{Cancel, Canceller, Cx, Earlier, Progress, Urgency};
pub use effect::{Before, Change, Diff, Effect, Prepared, Standing, cannot_be_undone};
pub use fence::{
    Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Holds, Risk, SilencePolicy, Unfence, Unfenced,
};
pub use follow::{Divergence, Follow, FollowHow, Following};
pub use ledger::{Ledger, LedgerRow, Survivors, Written};
pub use observe::{Fact, Facts, Observation, Observe, Seen, Watch};
pub use pause::{Pause, Paused, Unpause};
pub use position::{Position, TimelineSwitch};
pub use probe::{Answer, Ask, Health, Probe, Probed, Prober, Seat, SeatKind};
pub use promote::{AcceptLoss, Basis, LossBound, Promote, Promotion};
pub use prove::{Proof, Proves, Verdict, Wanted};
pub use redactor::Redactor;
pub use registered::Resource;
pub use replication::{Hazard, NodeState, Reach, Replication, Role, SideState};
pub use room::Room;
pub use secret::{Secret, SecretRef, SecretSource};
pub use traffic::{Propagation, Route, Routed, Routing, ServerAnswer, Serving, Share};
pub use workloads::{Replicas, Scale, Scaled, Staffing, WorkloadState};
