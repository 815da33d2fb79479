//! What was asked of an API server: its own audit log.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Request as HttpRequest;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::access::Access;
use crate::chance;
use crate::error::KubeFault;

/// How long the server may take to write down what it has answered.
const WITHIN: Duration = Duration::from_secs(10);

/// One request as the server wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Who asked.
    pub user: String,
    /// As Kubernetes names it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// `pods`, `deployments/scale`; empty for what is no resource.
    pub resource: String,
    /// Empty for what has none.
    pub namespace: String,
    /// Empty for a list or a watch.
    pub name: String,
    /// The status of the answer.
    pub code: u16,
}

impl Request {
    /// Whether it only asked what would be.
    pub fn is_dry_run(&self) -> bool {
        self.uri.split(['?', '&']).any(|part| part.starts_with("dryRun="))
    }

    /// Whether it could change the region. Reviews of rights are created and change nothing.
    pub fn mutates(&self) -> bool {
        !self.is_dry_run()
            && !self.resource.ends_with("accessreviews")
            && !self.resource.ends_with("rulesreviews")
            && !self.resource.ends_with("tokenreviews")
            && !matches!(self.verb.as_str(), "get" | "list" | "watch" | "head" | "options")
    }
}

/// The audit log of a region: every request but those of the region's own machinery, in the order in which the answers
/// began.
#[derive(Debug, Clone)]
pub struct Audit {
    log: PathBuf,
    access: Access,
}

impl Audit {
    pub(crate) fn new(log: PathBuf, access: Access) -> Self {
        Self { log, access }
    }

    /// Everything that was answered up to now. To see what one piece of work asked, give it a user of its own, or skip
    /// the number of requests that there were before.
    pub async fn requests(&self) -> dr_core::Result<Vec<Request>> {
        // An answer may arrive before its line is written: what stands before the line of a later request is complete.
        let mark = format!("/version?mark={:x}", chance::number());
        let request = HttpRequest::get(&mark).body(Vec::new());
        let request = request.map_err(|error| KubeFault::Garbled(format!("not a request: {error}")))?;
        let asked = self.access.client().await?.request_text(request).await;
        asked.map_err(KubeFault::asked("set a mark in the audit log"))?;
        let until = Instant::now() + WITHIN;
        loop {
            let text = read(&self.log)?;
            if text.contains(&mark) {
                return Ok(parse(&text));
            }
            if Instant::now() >= until {
                let what = "the last line of the audit log".to_owned();
                return Err(KubeFault::Late { what, within: WITHIN }.into());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

fn read(log: &Path) -> Result<String, KubeFault> {
    fs::read_to_string(log).map_err(KubeFault::io(format!("read {}", log.display())))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    id: String,
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: u16,
}

/// A watch has two lines, one when it begins and one when it ends; it counts once. A line that is still being written is
/// left for the next look.
fn parse(text: &str) -> Vec<Request> {
    let mut seen = BTreeSet::new();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
        .filter(|line| !line.uri.starts_with("/version?mark="))
        .filter(|line| seen.insert(line.id.clone()))
        .map(|line| Request {
            user: line.user.username,
            verb: line.verb,
            uri: line.uri,
            resource: if line.object_ref.subresource.is_empty() {
                line.object_ref.resource
            } else {
                format!("{}/{}", line.object_ref.resource, line.object_ref.subresource)
            },
            namespace: line.object_ref.namespace,
            name: line.object_ref.name,
            code: line.response_status.code,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &str, resource: &str, uri: &str) -> Request {
        Request {
            user: "u".to_owned(),
            verb: verb.to_owned(),
            uri: uri.to_owned(),
            resource: resource.to_owned(),
            namespace: String::new(),
            name: String::new(),
            code: 200,
        }
    }

    #[test]
    fn what_is_asked_dry_or_of_rights_changes_nothing() {
        assert!(request("patch", "deployments/scale", "/apis?fieldManager=dr").mutates());
        assert!(!request("patch", "deployments/scale", "/apis?fieldManager=dr&dryRun=All").mutates());
        assert!(!request("create", "selfsubjectaccessreviews", "/apis").mutates());
        assert!(!request("watch", "pods", "/api").mutates());
    }

    #[test]
    fn a_watch_counts_once() {
        let line = r#"{"auditID":"1","verb":"watch","requestURI":"/api/v1/pods?watch=1","user":{"username":"dr"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}"#;
        let requests = parse(&format!("{line}\n{line}\n{{\"auditID\":\"2"));
        assert_eq!(requests.len(), 1);
        assert_eq!((requests[0].verb.as_str(), requests[0].code), ("watch", 200));
    }
}
