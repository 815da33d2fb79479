//! Clusters and quotas: putting them there.

use std::collections::BTreeMap;

use dr_core::{Error, Result};

use super::refused;
use crate::aws::Aws;
use crate::eks::{Cluster, Nodegroup, NodegroupStatus, Size};
use crate::place::Place;

impl Aws {
    /// Puts a cluster there that is active.
    pub fn create_cluster(&self, region: &str, name: &str) {
        let place = Place::new(&self.account, region);
        self.shared.with(|world| {
            let created = world.clock.wall();
            let (nodegroups, tags) = (BTreeMap::new(), BTreeMap::new());
            let cluster = Cluster { name: name.to_owned(), created, nodegroups, tags };
            world.eks(&place).clusters.entry(name.to_owned()).or_insert(cluster);
        });
    }

    /// Puts a node group there that is active and as large as desired; a node has so many vCPUs.
    ///
    /// # Errors
    /// When the cluster is not there, or `min`, `max` and `desired` do not fit each other.
    pub fn create_nodegroup(
        &self,
        region: &str,
        cluster: &str,
        name: &str,
        (min, max, desired): (i64, i64, i64),
        vcpus: i64,
    ) -> Result<()> {
        let size = Size { min, max, desired };
        refused(size.check())?;
        if vcpus < 1 {
            return Err(Error::invalid("a node has at least one vCPU"));
        }
        let place = Place::new(&self.account, region);
        self.shared.with(|world| {
            let now = world.clock.wall();
            let nodegroup = Nodegroup {
                name: name.to_owned(),
                cluster: cluster.to_owned(),
                size,
                nodes: desired,
                status: NodegroupStatus::Active,
                issues: Vec::new(),
                instance_type: "m6i.xlarge".to_owned(),
                vcpus,
                created: now,
                modified: now,
                updates: BTreeMap::new(),
                tags: BTreeMap::new(),
            };
            let cluster = refused(world.eks(&place).cluster(cluster))?;
            cluster.nodegroups.insert(name.to_owned(), nodegroup);
            Ok(())
        })
    }

    /// How many nodes of a group run; `None` when it is not there.
    pub fn nodes(&self, region: &str, cluster: &str, name: &str) -> Option<i64> {
        let place = Place::new(&self.account, region);
        self.shared.with(|world| Some(world.eks(&place).cluster(cluster).ok()?.nodegroup(name).ok()?.nodes))
    }

    /// How many vCPUs a region allows (`L-1216C47A`), and how many run there beside its node groups.
    pub fn set_vcpu_quota(&self, region: &str, allowed: i64, used_elsewhere: i64) {
        let place = Place::new(&self.account, region);
        self.shared.with(|world| {
            let quotas = world.quotas.entry(place).or_default();
            quotas.vcpus = allowed;
            quotas.other_vcpus = used_elsewhere;
        });
    }
}
