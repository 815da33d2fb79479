//! What a run notes on the objects that it changes, so that a later one, or a person, can put it back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many replicas there were before a run last scaled it.
pub(crate) const BEFORE: &str = "dr.dev/before";
/// What was there before a run fenced it.
pub(crate) const FENCED: &str = "dr.dev/fenced";

/// Which step last restarted the pods, on their template.
pub(crate) const RESTARTED: &str = "dr.dev/restarted";

/// The note itself, as JSON in an annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Whose it is.
    pub(crate) run: String,
    /// How many replicas a workload had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<u32>,
    /// The bounds that an autoscaler had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bounds: Option<(u32, u32)>,
    /// Whether a CronJob was suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) suspended: Option<bool>,
    /// The step that wrote it anew so that an older one's request, should it still be under way, finds another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) touched: Option<String>,
}

impl Note {
    pub(crate) fn replicas(run: &str, replicas: u32) -> Self {
        Self { run: run.to_owned(), replicas: Some(replicas), bounds: None, suspended: None, touched: None }
    }

    pub(crate) fn bounds(run: &str, min: u32, max: u32) -> Self {
        Self { run: run.to_owned(), replicas: None, bounds: Some((min, max)), suspended: None, touched: None }
    }

    pub(crate) fn suspended(run: &str, suspended: bool) -> Self {
        Self { run: run.to_owned(), replicas: None, bounds: None, suspended: Some(suspended), touched: None }
    }

    /// The note on an object, if there is one that can be read.
    pub(crate) fn read(annotations: &BTreeMap<String, String>, name: &str) -> Option<Self> {
        serde_json::from_str(annotations.get(name)?).ok()
    }

    /// As it stands in an annotation.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A merge patch that puts an annotation, or takes it away, over the version that was read.
pub(crate) fn annotate(version: &str, name: &str, text: Option<&str>) -> Value {
    json!({ "metadata": { "resourceVersion": version, "annotations": { name: text } } })
}
