//! Whether there is room for a scale: the namespace's quotas, the nodes' capacity, and where the images come from.

use std::collections::{BTreeMap, BTreeSet};

use dr_core::resource::{Cx, Hazard, Room, Scale, Urgency};
use dr_core::{Error, Region, Result, async_trait};
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::config::{Capacity, Config};
use crate::discovery::Kind;
use crate::fleet::Fleet;
use crate::objects::{Container, Node, PodSpec, Quota};
use crate::quantity::Quantity;
use crate::scale::wanted;
use crate::side::Sides;
use crate::state::{nodes, permitted, selector};

type Amounts = BTreeMap<String, Quantity>;

/// What one pod asks for.
fn asks(spec: &PodSpec, of: fn(&Container) -> &BTreeMap<String, Value>) -> Amounts {
    let amounts = |container: &Container| -> Amounts {
        of(container).iter().filter_map(|(name, value)| Some((name.clone(), Quantity::of(value)?))).collect()
    };
    let mut all = Amounts::new();
    // A sidecar among the first containers runs beside the others.
    let (beside, first): (Vec<_>, Vec<_>) = spec
        .init_containers
        .iter()
        .partition(|container| container.restart_policy.as_deref() == Some("Always"));
    for container in spec.containers.iter().chain(beside) {
        add(&mut all, &amounts(container), 1);
    }
    for container in first {
        for (name, amount) in amounts(container) {
            let largest = all.entry(name).or_default();
            *largest = (*largest).max(amount);
        }
    }
    for (name, amount) in &spec.overhead {
        if let Some(amount) = Quantity::of(amount) {
            let sum = all.entry(name.clone()).or_default();
            *sum = sum.plus(amount);
        }
    }
    all
}

fn add(sum: &mut Amounts, more: &Amounts, times: u32) {
    for (name, amount) in more {
        let so_far = sum.entry(name.clone()).or_default();
        *so_far = so_far.plus(amount.times(times));
    }
}

/// What a scale adds, in the words of a quota: `requests.cpu`, `limits.memory`, `pods`.
#[derive(Debug, Default)]
struct Added {
    requests: Amounts,
    quota: Amounts,
    pods: u32,
}

impl Added {
    fn by(fleet: &Fleet, wanted: &BTreeMap<crate::fleet::Name, u32>) -> Self {
        let mut added = Self::default();
        for (name, member) in &fleet.members {
            let more = wanted.get(name).copied().unwrap_or(0).saturating_sub(member.object.status.replicas);
            if more == 0 {
                continue;
            }
            added.pods += more;
            let spec = &member.object.spec.template.spec;
            let requests = asks(spec, |container| &container.resources.requests);
            let limits = asks(spec, |container| &container.resources.limits);
            add(&mut added.requests, &requests, more);
            for (prefix, amounts) in [("requests", &requests), ("limits", &limits)] {
                let named = amounts.iter().map(|(name, amount)| (format!("{prefix}.{name}"), *amount));
                add(&mut added.quota, &named.collect(), more);
            }
            // A quota may leave the prefix out, and then means requests.
            add(&mut added.quota, &requests, more);
            let one = Quantity(1_000);
            let counted = Amounts::from([("pods".to_owned(), one), ("count/pods".to_owned(), one)]);
            add(&mut added.quota, &counted, more);
        }
        added
    }
}

fn hazard(code: &str, message: String, blocks: bool) -> Hazard {
    Hazard { code: code.to_owned(), message, blocks }
}

/// What of a quota would be passed.
fn beyond(quota: &Quota, added: &Added) -> Vec<String> {
    let mut beyond = Vec::new();
    for (name, hard) in &quota.status.hard {
        let Some(more) = added.quota.get(name).filter(|more| **more > Quantity(0)) else { continue };
        let used = quota.status.used.get(name).and_then(Quantity::of).unwrap_or_default();
        let Some(hard) = Quantity::of(hard) else { continue };
        if used.plus(*more) > hard {
            beyond.push(format!("{name}: {used} of {hard} used, {more} more needed"));
        }
    }
    beyond
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Placed {
    spec: PlacedSpec,
    status: Phase,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PlacedSpec {
    node_name: Option<String>,
    #[serde(flatten)]
    pod: PodSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Phase {
    phase: String,
}

fn serves(node: &Node) -> bool {
    let ready =
        |condition: &crate::objects::Condition| condition.kind == "Ready" && condition.status == "True";
    !node.spec.unschedulable && node.status.conditions.iter().any(ready)
}

/// What the nodes lack for it. A sum over all nodes: pods that fit in sum may still not fit on one of them.
fn lacking(nodes: &[Node], placed: &[Placed], added: &Added) -> Vec<String> {
    let mut free = Amounts::new();
    let serving: BTreeSet<&str> =
        nodes.iter().filter(|node| serves(node)).map(|node| node.metadata.name.as_str()).collect();
    for node in nodes.iter().filter(|node| serving.contains(node.metadata.name.as_str())) {
        let allocatable = &node.status.allocatable;
        let amounts =
            allocatable.iter().filter_map(|(name, value)| Some((name.clone(), Quantity::of(value)?)));
        add(&mut free, &amounts.collect(), 1);
    }
    for pod in placed {
        let here = pod.spec.node_name.as_deref().is_some_and(|node| serving.contains(node));
        if !here || matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            continue;
        }
        let mut taken = asks(&pod.spec.pod, |container| &container.resources.requests);
        taken.insert("pods".to_owned(), Quantity(1_000));
        for (name, amount) in taken {
            if let Some(left) = free.get_mut(&name) {
                *left = left.less(amount);
            }
        }
    }
    let mut needed = added.requests.clone();
    needed.insert("pods".to_owned(), Quantity(1_000).times(added.pods));
    let short = |(name, needed): (&String, &Quantity)| {
        let left = free.get(name).copied().unwrap_or_default();
        (*needed > left).then(|| format!("{name}: {} free, {needed} needed", left.max(Quantity(0))))
    };
    needed.iter().filter_map(short).collect()
}

/// The host of an image's registry: `docker.io` where none is named.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        Some(_) | None => "docker.io",
    }
}

/// In which region a registry lives, as far as the plan or its name says.
fn region_of(host: &str, config: &Config) -> Option<Region> {
    if let Some(region) = config.registries.get(host) {
        return Some(region.clone());
    }
    // 123456789012.dkr.ecr.us-east-1.amazonaws.com
    if let Some((_, rest)) = host.split_once(".dkr.ecr.").or_else(|| host.split_once(".dkr.ecr-fips.")) {
        return rest.split('.').next().map(Region::from);
    }
    // us-east1-docker.pkg.dev; `us-docker.pkg.dev` is of several regions.
    let google = host.strip_suffix("-docker.pkg.dev").filter(|region| region.contains('-'));
    google.map(Region::from)
}

fn images(fleet: &Fleet, wanted: &BTreeMap<crate::fleet::Name, u32>) -> BTreeSet<String> {
    let scaled = fleet.members.iter().filter(|(name, _)| wanted.get(*name).is_some_and(|count| *count > 0));
    let specs = scaled.map(|(_, member)| &member.object.spec.template.spec);
    specs
        .flat_map(|spec| spec.containers.iter().chain(&spec.init_containers))
        .map(|one| one.image.clone())
        .collect()
}

impl Sides {
    fn registries(&self, cx: &Cx, cluster: &Cluster, images: &BTreeSet<String>) -> Option<Hazard> {
        let others: BTreeSet<&Region> = self
            .clusters
            .values()
            .filter(|other| other.side != cluster.side && other.region != cluster.region)
            .map(|other| &other.region)
            .collect();
        let far: BTreeMap<&str, Region> = images
            .iter()
            .filter_map(|image| {
                let host = registry(image);
                let region = region_of(host, &self.config)?;
                others.contains(&region).then_some((host, region))
            })
            .collect();
        let (host, region) = far.into_iter().next()?;
        let text = format!(
            "images come from {host}, which is in {region}: without that region no node can pull them. Copy them to a registry in {}",
            cluster.region
        );
        // While the other region stands they can be had; a run without it cannot wait for them.
        Some(hazard("image-registry", text, cx.urgency == Urgency::Unplanned))
    }

    async fn quotas(&self, cx: &Cx, cluster: &Cluster, added: &Added) -> Result<Vec<Hazard>> {
        let path = Kind::core("resourcequotas", "ResourceQuota").path(&cluster.namespace);
        let (quotas, _) = cluster.list::<Quota>(cx, &path, None).await?;
        let mut hazards = Vec::new();
        for quota in &quotas {
            let beyond = beyond(quota, added);
            if beyond.is_empty() {
                continue;
            }
            // A quota of only some pods may not be about these.
            let scoped = !quota.spec.scopes.is_empty() || quota.spec.scope_selector.is_object();
            let text = format!(
                "resourcequota/{} in {} ({}) has no room: {}. Raise it{}",
                quota.metadata.name,
                cluster.namespace,
                cluster.side,
                beyond.join("; "),
                if scoped { ", if it is about these pods" } else { "" },
            );
            hazards.push(hazard("quota", text, !scoped));
        }
        Ok(hazards)
    }

    async fn capacity(&self, cx: &Cx, cluster: &Cluster, added: &Added) -> Result<Option<Hazard>> {
        if added.pods == 0 {
            return Ok(None);
        }
        let blocks = self.config.capacity == Capacity::Block;
        let everywhere = Kind::core("pods", "Pod").everywhere();
        let nodes = nodes(cx, cluster).await?;
        let placed = permitted(cluster.list::<Placed>(cx, &everywhere, None).await)?;
        let (Some(nodes), Some((placed, _))) = (nodes, placed) else {
            let text = format!(
                "whether the nodes of {} have room is not known: nodes and pods of the cluster may not be listed",
                cluster.side
            );
            return Ok(Some(hazard("capacity", text, blocks)));
        };
        let lacking = lacking(&nodes, &placed, added);
        if lacking.is_empty() {
            return Ok(None);
        }
        let text = format!(
            "the nodes of {} have no room for {} more pods: {}. Add nodes first",
            cluster.side,
            added.pods,
            lacking.join("; ")
        );
        Ok(Some(hazard("capacity", text, blocks)))
    }
}

#[async_trait]
impl Room for Sides {
    async fn room(&self, cx: &Cx, call: &Scale) -> Result<Vec<Hazard>> {
        let cluster = self.at(&call.side)?;
        let look = async {
            let fleet = self.fleet(cx, cluster).await?;
            let wanted = wanted(self, cx, call, &fleet).await?;
            let added = Added::by(&fleet, &wanted);
            let (mut hazards, capacity, budgets) = futures_util::try_join!(
                self.quotas(cx, cluster, &added),
                self.capacity(cx, cluster, &added),
                budgets(cx, cluster, &fleet, &wanted)
            )?;
            hazards.extend(capacity);
            hazards.extend(budgets);
            hazards.extend(self.registries(cx, cluster, &images(&fleet, &wanted)));
            Ok(hazards)
        };
        cx.bound("room", look).await.map_err(Error::not_happened)
    }
}

/// Disruption budgets that want more than there will be: they then let no node be drained.
async fn budgets(
    cx: &Cx,
    cluster: &Cluster,
    fleet: &Fleet,
    wanted: &BTreeMap<crate::fleet::Name, u32>,
) -> Result<Vec<Hazard>> {
    let Some(kind) = cluster.disruption_budgets(cx).await? else { return Ok(Vec::new()) };
    let path = kind.path(&cluster.namespace);
    let listed = permitted(cluster.list::<crate::objects::DisruptionBudget>(cx, &path, None).await)?;
    let mut hazards = Vec::new();
    for budget in listed.map(|(all, _)| all).unwrap_or_default() {
        let Some(least) = budget.spec.min_available.as_ref().and_then(Value::as_u64) else { continue };
        let of = selector(&budget.spec.selector);
        for (name, member) in &fleet.members {
            let count = wanted.get(name).copied().unwrap_or(u32::MAX);
            if !of.is_empty()
                && of == selector(&member.object.spec.selector)
                && u64::from(count) < least
                && count > 0
            {
                let text = format!(
                    "poddisruptionbudget/{} wants at least {least} of {name}, which will be {count}: no node of theirs can be drained",
                    budget.metadata.name
                );
                hazards.push(hazard("disruption-budget", text, false));
            }
        }
    }
    Ok(hazards)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(value: Value) -> PodSpec {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_pod_asks_for_the_sum_of_its_containers_or_for_its_largest_first_one() {
        let one = |cpu: &str| json!({ "name": "c", "resources": { "requests": { "cpu": cpu } } });
        let spec = spec(json!({
            "containers": [one("200m"), one("300m")], "initContainers": [one("2"), one("1")], "overhead": { "cpu": "50m" },
        }));
        let asks = asks(&spec, |container| &container.resources.requests);
        assert_eq!(asks["cpu"].to_string(), "2050m");
    }

    #[test]
    fn a_quota_that_would_be_passed_says_by_how_much() {
        let quota: Quota = serde_json::from_value(json!({
            "status": { "hard": { "pods": "4", "requests.cpu": "2" }, "used": { "pods": "2", "requests.cpu": "500m" } },
        }))
        .unwrap();
        let quota_of = |pods: i128, cpu: &str| Added {
            quota: Amounts::from([
                ("pods".to_owned(), Quantity(pods * 1_000)),
                ("requests.cpu".to_owned(), Quantity::parse(cpu).unwrap()),
            ]),
            ..Added::default()
        };
        assert_eq!(beyond(&quota, &quota_of(2, "1500m")), Vec::<String>::new());
        assert_eq!(beyond(&quota, &quota_of(3, "1")), ["pods: 2 of 4 used, 3 more needed"]);
    }

    #[test]
    fn nodes_that_are_not_ready_have_no_room() {
        let node = |name: &str, ready: &str| -> Node {
            serde_json::from_value(json!({
                "metadata": { "name": name },
                "status": { "allocatable": { "cpu": "2", "pods": "10" }, "conditions": [{ "type": "Ready", "status": ready }] },
            }))
            .unwrap()
        };
        let placed: Placed = serde_json::from_value(json!({
            "spec": { "nodeName": "a", "containers": [{ "name": "c", "resources": { "requests": { "cpu": "1" } } }] },
            "status": { "phase": "Running" },
        }))
        .unwrap();
        let added = Added {
            requests: Amounts::from([("cpu".to_owned(), Quantity(1_500))]),
            pods: 3,
            ..Added::default()
        };
        let nodes = [node("a", "True"), node("b", "Unknown")];
        assert_eq!(lacking(&nodes, std::slice::from_ref(&placed), &added), ["cpu: 1 free, 1500m needed"]);
        let nodes = [node("a", "True"), node("b", "True")];
        assert_eq!(lacking(&nodes, &[placed], &added), Vec::<String>::new());
    }

    #[test]
    fn the_region_of_a_registry_is_in_its_name_or_in_the_plan() {
        let config = Config::read(&json!({
            "namespace": "p", "contexts": { "e": "a" }, "registries": { "registry.shop.example": "us-east-1" },
        }))
        .unwrap();
        let region = |image: &str| region_of(registry(image), &config).map(|region| region.to_string());
        let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:9";
        assert_eq!(region(ecr).as_deref(), Some("us-east-1"));
        assert_eq!(region("europe-west1-docker.pkg.dev/p/web").as_deref(), Some("europe-west1"));
        assert_eq!(region("us-docker.pkg.dev/p/web"), None);
        assert_eq!(region("registry.shop.example/web").as_deref(), Some("us-east-1"));
        assert_eq!(region("nginx"), None);
    }
}
