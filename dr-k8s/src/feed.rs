//! What happens to the objects at a place: listed once, then watched; resumed where it broke off, listed anew where
//! that is too long ago.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use dr_core::Result;
use dr_core::resource::Cx;
use futures_util::stream::{self, BoxStream};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::cluster::{Cluster, encoded};
use crate::error::Fault;
use crate::objects::Status;

/// How long one stream lasts. Short, because a stream that fell silent is told from a quiet one only by its end.
const LASTS: u64 = 30;
/// How long after that its end is waited for.
const GRACE: Duration = Duration::from_secs(5);
/// The longest pause before a place is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Change<T> {
    /// These are there now, and no others.
    Are(Vec<T>),
    /// This one is new or different.
    Is(T),
    /// This one is gone.
    Gone(T),
}

/// An object that says how new it is.
pub(crate) trait Versioned: DeserializeOwned + Send + 'static {
    /// Its resource version.
    fn version(&self) -> &str;
}

impl Versioned for crate::objects::Workload {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Versioned for crate::objects::Pod {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Versioned for crate::objects::Job {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

/// One line of a watch. What failed carries a [`Status`], whose own `status` is a word: it is none of our objects.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Event<T> {
    #[serde(rename = "type")]
    kind: String,
    object: T,
}

/// What happens there, from now on. It ends with an error that asking again would not mend; what passes (a server
/// that restarts, a connection that broke, a version that is too old) it mends by itself, and says so as progress.
pub(crate) fn feed<T: Versioned>(
    cx: &Cx,
    cluster: &Arc<Cluster>,
    path: String,
    labels: Option<String>,
) -> BoxStream<'static, Result<Change<T>>> {
    let feed = Feed {
        cx: cx.clone(),
        cluster: Arc::clone(cluster),
        path,
        labels,
        version: None,
        lines: None,
        pause: Duration::from_millis(50),
    };
    Box::pin(stream::unfold(Some(feed), |feed| async {
        let mut feed = feed?;
        match feed.next().await {
            Ok(change) => Some((Ok(change), Some(feed))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Feed {
    cx: Cx,
    cluster: Arc<Cluster>,
    path: String,
    labels: Option<String>,
    /// Up to where everything was seen; nothing yet, or no longer known: then all is listed.
    version: Option<String>,
    lines: Option<Lines>,
    pause: Duration,
}

impl Feed {
    async fn next<T: Versioned>(&mut self) -> Result<Change<T>> {
        loop {
            let Some(version) = self.version.clone() else {
                let listed = self.cluster.list::<T>(&self.cx, &self.path, self.labels.as_deref()).await;
                match listed {
                    Ok((items, version)) => {
                        self.version = Some(version);
                        self.lines = None;
                        return Ok(Change::Are(items));
                    }
                    Err(error) if is_lasting(&error) => return Err(error),
                    Err(error) => self.pause_for(&error.chain()).await,
                }
                continue;
            };
            let Some(lines) = &mut self.lines else {
                let labels =
                    self.labels.as_deref().map(|labels| format!("&labelSelector={}", encoded(labels)));
                let path = format!(
                    "{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={LASTS}&resourceVersion={}{}",
                    self.path,
                    encoded(&version),
                    labels.unwrap_or_default(),
                );
                match self.cluster.open(&self.cx, &path).await {
                    Ok(answer) => self.lines = Some(Lines::new(answer.into_body())),
                    Err(Fault::Said { code: 410, .. }) => self.version = None,
                    Err(fault) => {
                        let error = self.cluster.tell(&format!("WATCH {}", self.path), fault);
                        if is_lasting(&error) {
                            return Err(error);
                        }
                        self.pause_for(&error.chain()).await;
                    }
                }
                continue;
            };
            match lines.next().await {
                Some(line) => {
                    self.pause = Duration::from_millis(50);
                    if let Some(change) = self.read(&line)? {
                        return Ok(change);
                    }
                }
                None => {
                    self.lines = None;
                    // A server that closes at once must not be asked in a tight loop.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn read<T: Versioned>(&mut self, line: &[u8]) -> Result<Option<Change<T>>> {
        let event: Event<T> = match serde_json::from_slice(line) {
            Ok(event) => event,
            Err(error) => match serde_json::from_slice::<Event<Status>>(line) {
                // Whatever it is, what was missed is not known: all is listed again. 410 is the usual one.
                Ok(failed) if failed.kind == "ERROR" => {
                    let said = failed.object.message;
                    self.cx.progress.say(format!("{}: watched anew: {said}", self.cluster.side));
                    self.version = None;
                    self.lines = None;
                    return Ok(None);
                }
                Ok(_) | Err(_) => {
                    let what = format!("WATCH {}", self.path);
                    return Err(self.cluster.tell(&what, Fault::Garbled(error)));
                }
            },
        };
        if !event.object.version().is_empty() {
            self.version = Some(event.object.version().to_owned());
        }
        Ok(match event.kind.as_str() {
            "ADDED" | "MODIFIED" => Some(Change::Is(event.object)),
            "DELETED" => Some(Change::Gone(event.object)),
            _ => None,
        })
    }

    async fn pause_for(&mut self, why: &str) {
        self.cx.progress.say(format!("{}: {why}; asking again", self.cluster.side));
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether asking again would not mend it.
fn is_lasting(error: &dr_core::Error) -> bool {
    // A server that did not answer in its time may be restarting: its kind says `hung`, and it is asked again.
    error.retry() == dr_core::Retry::Permanent
}

/// The lines of a body, cut as they come.
struct Lines {
    body: Body,
    held: BytesMut,
    until: Instant,
}

impl Lines {
    fn new(body: Body) -> Self {
        Self { body, held: BytesMut::new(), until: Instant::now() + Duration::from_secs(LASTS) + GRACE }
    }

    /// The next line; `None` when the stream is over, however it ended: everything up to the last line was seen.
    async fn next(&mut self) -> Option<BytesMut> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line = self.held.split_to(end);
                self.held.advance(1);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Some(line);
            }
            match tokio::time::timeout_at(self.until, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.held.extend_from_slice(&data);
                    }
                }
                Ok(Some(Err(_)) | None) | Err(_) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Pod, Workload};

    #[test]
    fn an_error_in_a_watch_is_never_taken_for_an_object() {
        let line = br#"{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410,"message":"too old"}}"#;
        assert!(serde_json::from_slice::<Event<Workload>>(line).is_err());
        assert!(serde_json::from_slice::<Event<Pod>>(line).is_err());
        assert_eq!(serde_json::from_slice::<Event<Status>>(line).unwrap().object.code, 410);
    }
}
