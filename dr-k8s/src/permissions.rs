//! What each verb may do in a namespace, in one place: the plan's needs, the proof before a run, and the commands for
//! whoever grants it.

use std::fmt;

use crate::config::{Config, CronJobs, Owners};

/// One right, as an access review asks for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: Option<&'static str>,
    /// Whether it is about the cluster and not about the namespace.
    pub(crate) cluster_wide: bool,
    /// Whether the verb works without it, and knows less.
    pub(crate) optional: bool,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = self.subresource {
            write!(f, "/{subresource}")?;
        }
        Ok(())
    }
}

fn may(verb: &'static str, group: &str, resource: &str) -> Permission {
    Permission {
        verb,
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: None,
        cluster_wide: false,
        optional: false,
    }
}

impl Permission {
    fn sub(mut self, subresource: &'static str) -> Self {
        self.subresource = Some(subresource);
        self
    }

    fn cluster_wide(mut self) -> Self {
        self.cluster_wide = true;
        self
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// The group and the plural name of a kind as a plan writes it.
fn of_kind(kind: &str) -> (&str, &str) {
    match kind.split_once('.') {
        Some((plural, group)) => (group, plural),
        None if kind == "replicationcontrollers" => ("", kind),
        None => ("apps", kind),
    }
}

/// What a verb needs, sorted.
pub(crate) fn of(config: &Config, verb: &str) -> Vec<Permission> {
    let kinds = || config.kinds.iter().map(|kind| of_kind(kind));
    let look = |all: &mut Vec<Permission>| {
        for (group, plural) in kinds() {
            all.push(may("list", group, plural));
        }
        all.push(may("list", "", "pods"));
    };
    let scale = |all: &mut Vec<Permission>| {
        look(all);
        all.push(may("watch", "", "pods"));
        all.push(may("list", "autoscaling", "horizontalpodautoscalers"));
        all.push(may("get", "autoscaling", "horizontalpodautoscalers"));
        all.push(may("patch", "autoscaling", "horizontalpodautoscalers"));
        for (group, plural) in kinds() {
            all.push(may("get", group, plural));
            all.push(may("watch", group, plural));
            all.push(may("patch", group, plural));
            all.push(may("patch", group, plural).sub("scale"));
        }
    };
    let mut all = Vec::new();
    match verb {
        "observe" => {
            look(&mut all);
            all.push(may("list", "", "nodes").cluster_wide().optional());
            all.push(may("list", "autoscaling", "horizontalpodautoscalers").optional());
            all.push(may("list", "policy", "poddisruptionbudgets").optional());
            if let Some(service) = &config.address {
                // Of the side's own namespace, or of one that is named: then only the cluster's word will do.
                let get = may("get", "", "services");
                all.push(if service.namespace.is_some() { get.cluster_wide() } else { get });
            }
        }
        "scale" => {
            scale(&mut all);
            all.push(may("list", "", "resourcequotas"));
            all.push(may("list", "", "nodes").cluster_wide().optional());
            all.push(may("list", "", "pods").cluster_wide().optional());
        }
        "configure" => {
            look(&mut all);
            all.push(may("watch", "", "pods"));
            for (group, plural) in kinds() {
                all.extend(["get", "watch", "update"].map(|verb| may(verb, group, plural)));
            }
            all.push(may("get", "", "configmaps"));
            all.push(may("update", "", "configmaps"));
            all.extend(["get", "list", "create", "update", "delete"].map(|verb| may(verb, "", "secrets")));
        }
        "fence" | "unfence" => {
            scale(&mut all);
            all.push(may("list", "batch", "jobs"));
            if config.fence.cronjobs != CronJobs::None {
                all.extend(["get", "list", "patch"].map(|verb| may(verb, "batch", "cronjobs")));
            }
            if config.fence.network_policy {
                let policies = ["get", "create", "delete"];
                all.extend(policies.map(|verb| may(verb, "networking.k8s.io", "networkpolicies")));
            }
        }
        _ => {}
    }
    if config.owners == Owners::Pause && ["scale", "configure", "fence"].contains(&verb) {
        for (group, plural) in [
            ("argoproj.io", "applications"),
            ("kustomize.toolkit.fluxcd.io", "kustomizations"),
            ("helm.toolkit.fluxcd.io", "helmreleases"),
            ("keda.sh", "scaledobjects"),
        ] {
            all.push(may("patch", group, plural).cluster_wide().optional());
        }
    }
    all.sort();
    all.dedup_by(|next, kept| {
        let same = (next.verb, &next.group, &next.resource, next.subresource, next.cluster_wide)
            == (kept.verb, &kept.group, &kept.resource, kept.subresource, kept.cluster_wide);
        // Needed by one of them, it is needed.
        kept.optional &= next.optional || !same;
        same
    });
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(verb: &str) -> Vec<String> {
        let config = Config::read(&json!({ "namespace": "p", "contexts": { "e": "a" } })).unwrap();
        of(&config, verb).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn scaling_needs_the_scale_subresource_of_every_kind() {
        let said = said("scale");
        assert!(said.contains(&"patch deployments.apps/scale".to_owned()), "{said:?}");
        assert!(said.contains(&"patch statefulsets.apps/scale".to_owned()), "{said:?}");
    }

    #[test]
    fn a_right_without_which_it_goes_on_stays_one() {
        let config = Config::read(&json!({ "namespace": "p", "contexts": { "e": "a" } })).unwrap();
        let all = of(&config, "scale");
        let nodes = all.iter().find(|right| right.resource == "nodes").unwrap();
        assert!(nodes.optional && nodes.cluster_wide);
        assert!(all.iter().any(|right| right.resource == "pods" && !right.cluster_wide && !right.optional));
    }

    #[test]
    fn observing_changes_nothing() {
        for right in said("observe") {
            assert!(right.starts_with("list "), "{right}");
        }
    }
}
