//! Breaking the world and mending it.

use crate::aws::Aws;
use crate::fault::{Failure, FailureId, Fault};
use crate::recorder::Call;

impl Aws {
    /// Lets calls fail until they are healed.
    pub fn fail(&self, failure: Failure) -> FailureId {
        self.shared.with(|world| {
            world.changed();
            world.faults.arm(failure)
        })
    }

    /// Ends a failure.
    pub fn heal(&self, failure: FailureId) {
        self.shared.with(|world| {
            world.changed();
            world.faults.heal(failure);
        });
    }

    /// Ends every failure, brings every region back and gives every permission back.
    pub fn heal_all(&self) {
        self.shared.with(|world| {
            world.changed();
            world.faults.heal_all();
            world.lost.clear();
            world.denied.clear();
        });
    }

    /// A whole region is gone: its control planes, its databases, its service. Route 53's control plane and the global
    /// STS endpoint go with us-east-1; its name servers stay.
    ///
    /// `how` is [`Fault::BlackHole`] or [`Fault::Refused`]; anything else is taken for a black hole.
    pub fn lose_region(&self, region: &str, how: Fault) {
        self.shared.with(|world| {
            world.changed();
            world.lost.insert(region.to_owned(), how);
        });
    }

    /// The region is back, as it was when it went.
    pub fn restore_region(&self, region: &str) {
        self.shared.with(|world| {
            world.changed();
            world.lost.remove(region);
        });
    }

    /// Takes a permission away: `rds:PromoteReadReplica`, or `rds:*`.
    pub fn deny(&self, permission: &str) {
        self.shared.with(|world| world.denied.insert(permission.to_owned()));
    }

    /// Gives a permission back.
    pub fn allow(&self, permission: &str) {
        self.shared.with(|world| world.denied.remove(permission));
    }

    /// How many times faster than documented things happen from now on. What is under way keeps its time.
    pub fn set_clock_pace(&self, pace: f64) {
        self.shared.with(|world| {
            world.clock.set_pace(pace);
            world.changed();
        });
    }

    /// How many Route 53 requests a second an account may make; `None` is any number.
    pub fn set_route53_rate(&self, rate: Option<f64>) {
        self.shared.with(|world| world.route53_rate = rate);
    }

    /// Every call since the start, or since they were forgotten.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.with(|world| world.recorder.calls().to_vec())
    }

    /// The calls that change something.
    pub fn mutations(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.mutates).collect()
    }

    /// Begins a new list of calls.
    pub fn forget_calls(&self) {
        self.shared.with(|world| world.recorder.clear());
    }
}
