//! The whole world as text: equal when nothing changed.

use crate::aws::Aws;
use crate::rds;
use crate::wire::Node;
use crate::world::World;

impl Aws {
    /// What is configured and what runs, without rows, moments that pass by themselves, or calls. Two of them are equal
    /// when nothing was changed in between.
    pub fn snapshot(&self) -> String {
        self.shared.with(|world| text(world))
    }
}

/// One line for each thing.
pub(crate) fn text(world: &World) -> String {
    let mut text = lines(world).join("\n");
    text.push('\n');
    text
}

fn lines(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |kind: &str, owner: &str, node: &Node| {
        lines.push(format!("{kind} {owner} {}", node.json()));
    };
    for (account, route53) in &world.route53 {
        for zone in route53.zones.values() {
            line("zone", account, &crate::route53::zone_node(zone));
            for record in zone.records.values() {
                line("record", &format!("{account}/{}", zone.id), &record.node());
            }
        }
        for check in route53.checks.values() {
            line("health-check", account, &crate::route53::check_node(check));
        }
        for ((kind, id), tags) in &route53.tags {
            line("tags", &format!("{account}/{kind}/{id}"), &rds::tags_node(tags));
        }
    }
    for (place, rds) in &world.rds {
        let owner = format!("{}/{}", place.account, place.region);
        for instance in rds.instances.values() {
            line("db", &owner, &instance.node(None, None));
        }
        for cluster in rds.clusters.values() {
            line("cluster", &owner, &cluster.node(world));
        }
        for snapshot in rds.snapshots.values() {
            line("snapshot", &owner, &snapshot.node(world));
        }
    }
    for ((account, _), global) in &world.globals {
        line("global-cluster", account, &global.node(world));
    }
    for bucket in world.s3.buckets.values() {
        let versioning = Node::map().put("Versioning", format!("{:?}", bucket.versioning));
        line("bucket", &bucket.name, &versioning);
        if let Some(replication) = &bucket.replication {
            line("replication", &bucket.name, &crate::s3::replication_node(replication));
        }
        for (key, versions) in &bucket.objects {
            let ids = Node::list("member", versions.iter().map(|version| version.id.as_str()));
            line("object", &bucket.name, &Node::map().put("Key", key).put("Versions", ids));
        }
    }
    for (place, eks) in &world.eks {
        for nodegroup in eks.clusters.values().flat_map(|cluster| cluster.nodegroups.values()) {
            line("nodegroup", &format!("{}/{}", place.account, place.region), &nodegroup.node(place));
        }
    }
    for (place, cloudwatch) in &world.cloudwatch {
        for alarm in cloudwatch.alarms.values() {
            line("alarm", &format!("{}/{}", place.account, place.region), &alarm.settings(place));
        }
    }
    for (region, app) in &world.apps {
        line(
            "service",
            region,
            &Node::map().put("Database", app.database.to_string()).put("Replicas", app.replicas),
        );
    }
    lines
}
