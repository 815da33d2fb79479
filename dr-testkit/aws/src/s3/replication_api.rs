//! Rules of replication.

use super::bucket::Versioning;
use crate::wire::{Answer, ApiError, Element, Node, Request};
use crate::world::World;

/// A bucket's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replication {
    pub(crate) role: String,
    pub(crate) rules: Vec<Rule>,
}

/// One rule: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) priority: Option<i64>,
    pub(crate) enabled: bool,
    pub(crate) prefix: String,
    /// Whether the prefix stands in a filter: the newer kind of rule.
    filter: bool,
    pub(crate) bucket: String,
    pub(crate) markers: Option<bool>,
    /// Replication time control: fifteen minutes, with an agreement.
    pub(crate) time_control: bool,
    pub(crate) metrics: bool,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html>
pub(super) fn get(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let bucket = super::bucket(world, request)?;
    let replication = bucket.replication.as_ref().ok_or_else(|| {
        ApiError::new(
            404,
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        )
    })?;
    Ok(Answer::tree("ReplicationConfiguration", node(replication)))
}

/// Needs versions on both buckets.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html>
pub(super) fn put(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let (body, _) = super::body(request)?;
    let xml = Element::parse(&body)?;
    let rules = xml
        .children("Rule")
        .enumerate()
        .map(|(index, rule)| Rule::parse(rule, index))
        .collect::<Result<Vec<_>, _>>()?;
    let replication = Replication { role: xml.need("Role")?.to_owned(), rules };
    if replication.rules.is_empty() {
        return Err(malformed());
    }
    let name = super::bucket(world, request)?.name.clone();
    if world.bucket(&name)?.versioning != Versioning::Enabled {
        return Err(invalid(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        ));
    }
    for rule in &replication.rules {
        match world.s3.buckets.get(&rule.bucket) {
            None => return Err(invalid("Destination bucket must exist.")),
            Some(_) if rule.bucket == name => {
                return Err(invalid("Destination bucket must not be the source bucket."));
            }
            Some(bucket) if bucket.versioning != Versioning::Enabled => {
                return Err(invalid("Destination bucket must have versioning enabled."));
            }
            Some(_) => {}
        }
    }
    world.bucket(&name)?.replication = Some(replication);
    Ok(Answer::empty(200))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketReplication.html>
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    super::bucket(world, request)?.replication = None;
    Ok(Answer::empty(204))
}

impl Rule {
    fn parse(xml: &Element, index: usize) -> Result<Self, ApiError> {
        let enabled = |element: Option<&Element>| -> Result<Option<bool>, ApiError> {
            match element.and_then(|element| element.text("Status")) {
                None => Ok(None),
                Some("Enabled") => Ok(Some(true)),
                Some("Disabled") => Ok(Some(false)),
                Some(_) => Err(malformed()),
            }
        };
        let filter = xml.child("Filter");
        if filter.is_some_and(|filter| filter.child("Tag").is_some() || filter.child("And").is_some()) {
            return Err(ApiError::new(501, "NotImplemented", "the simulator does not model filters by tag"));
        }
        let priority = xml.number::<i64>("Priority")?;
        let markers = enabled(xml.child("DeleteMarkerReplication"))?;
        if filter.is_some() && (priority.is_none() || markers.is_none()) {
            // A rule with a filter has to say both.
            return Err(invalid(
                "DeleteMarkerReplication and Priority must be specified for a rule with a Filter",
            ));
        }
        let destination = xml.child("Destination").ok_or_else(malformed)?;
        let arn = destination.need("Bucket")?;
        let bucket =
            arn.strip_prefix("arn:aws:s3:::").ok_or_else(|| invalid("Invalid bucket ARN."))?.to_owned();
        let minutes = |name: &str, inner: &str| {
            destination
                .child(name)
                .and_then(|element| element.child(inner))
                .and_then(|time| time.text("Minutes"))
        };
        let time_control = enabled(destination.child("ReplicationTime"))?.unwrap_or(false);
        let metrics = enabled(destination.child("Metrics"))?.unwrap_or(false);
        if time_control && (minutes("ReplicationTime", "Time") != Some("15") || !metrics) {
            return Err(invalid("Replication time control takes 15 minutes and needs metrics."));
        }
        let prefix = match filter {
            Some(filter) => filter.text("Prefix"),
            None => xml.text("Prefix"),
        };
        Ok(Self {
            id: xml.text("ID").map_or_else(|| format!("rule-{index}"), str::to_owned),
            priority,
            enabled: enabled(Some(xml))?.ok_or_else(malformed)?,
            prefix: prefix.unwrap_or_default().to_owned(),
            filter: filter.is_some(),
            bucket,
            markers,
            time_control,
            metrics,
        })
    }
}

fn status(enabled: bool) -> Node {
    Node::map().put("Status", if enabled { "Enabled" } else { "Disabled" })
}

/// As the API shows it.
pub(crate) fn node(replication: &Replication) -> Node {
    let fifteen = || Node::map().put("Minutes", 15_i64);
    let rules = replication.rules.iter().map(|rule| {
        let mut destination = Node::map().put("Bucket", format!("arn:aws:s3:::{}", rule.bucket));
        if rule.time_control {
            destination = destination.put("ReplicationTime", status(true).put("Time", fifteen()));
        }
        if rule.metrics {
            destination = destination.put("Metrics", status(true).put("EventThreshold", fifteen()));
        }
        let node = Node::map().put("ID", &rule.id).maybe("Priority", rule.priority);
        let node = if rule.filter {
            node.put("Filter", Node::map().put("Prefix", &rule.prefix))
        } else {
            node.put("Prefix", &rule.prefix)
        };
        node.put("Status", if rule.enabled { "Enabled" } else { "Disabled" })
            .put("Destination", destination)
            .maybe("DeleteMarkerReplication", rule.markers.map(status))
    });
    Node::map().put("Role", &replication.role).put("Rule", Node::Flat(rules.collect()))
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(400, "InvalidRequest", message)
}

fn malformed() -> ApiError {
    ApiError::new(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}
