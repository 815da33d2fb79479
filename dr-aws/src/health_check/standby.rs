//! The verb `route` by an object in the standby's region: data plane only.
//!
//! The primary's check watches the object's address and is inverted: while the object is not there the check fails, so
//! the primary counts as healthy; once it is there the check succeeds, and Route 53 sends callers to the standby. Nobody
//! has to ask a control plane, and nothing of the primary's region: AWS, "Creating Disaster Recovery Mechanisms Using
//! Amazon Route 53" (standby takes over primary).
//!
//! While the object is there callers are held: nothing brings them back but its removal, or the loss of the very region
//! that they were sent to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Propagation, Route, Routed};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use futures_util::future::join;
use serde::{Deserialize, Serialize};

use super::config::{HealthCheckPlan, ObjectPlan};
use super::invert::{served, target};
use crate::asking::Op;
use crate::error::AwsError;
use crate::route53::{Expect, Road, shown};

/// Whose the object is, in its metadata.
const TOKEN: &str = "dr-step";
/// A switch holds a few words; what is larger is something else.
const LARGEST: i64 = 4_096;

/// Sends callers to a side by whether an object is there.
#[derive(Debug)]
pub(super) struct StandbyEffect {
    pub(super) plan: Arc<HealthCheckPlan>,
    pub(super) road: Arc<Road>,
    pub(super) switch: Switch,
}

/// The object.
#[derive(Debug, Clone)]
pub(super) struct Switch {
    pub(super) s3: Client,
    pub(super) object: ObjectPlan,
}

/// The object as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Held {
    etag: String,
    body: String,
    metadata: BTreeMap<String, String>,
}

/// What was there before: version 1 of this verb's [`Before`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Was {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<Held>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    served: Option<Side>,
    /// How long callers may still use an old answer, in seconds.
    remembered: u32,
}

impl Switch {
    fn op(&self, permission: &'static str, changes: bool) -> Op {
        let op = if changes { Op::changes(permission) } else { Op::reads(permission) };
        op.at(&self.object.region)
    }

    fn on(&self, error: Error) -> Error {
        error.during("route").on(self.object.to_string())
    }

    /// The object, if it is there.
    pub(super) async fn found(&self, cx: &Cx) -> Result<Option<Held>> {
        let found = self
            .op("s3:GetObject", false)
            .ask(cx, || self.s3.get_object().bucket(&self.object.bucket).key(&self.object.key).send())
            .await;
        let found = match found {
            Ok(found) => found,
            Err(error) if error.is("NoSuchKey") => return Ok(None),
            Err(error) if error.is_denied() => {
                let text = "it cannot be read; S3 says so too of an object that is not there, unless `s3:ListBucket` \
                            is allowed";
                return Err(self.on(Error::new(ErrorKind::Unauthorized, text).not_happened().because(error)));
            }
            Err(error) => return Err(self.on(Error::from(error))),
        };
        if found.content_length().is_none_or(|length| length > LARGEST) {
            return Err(self.on(Error::refused("it is too large to be a switch: it is not touched")));
        }
        let etag = found.e_tag().unwrap_or_default().to_owned();
        let metadata = found.metadata().cloned().unwrap_or_default().into_iter().collect();
        let body =
            cx.bound("reading the object", async {
                found.body.collect().await.map_err(|error| {
                    Error::new(ErrorKind::Unreachable, "its content breaks off").because(error)
                })
            });
        let bytes = body.await.map_err(|error| self.on(error.not_happened()))?.into_bytes();
        let body = String::from_utf8(bytes.to_vec()).map_err(|_| {
            self.on(Error::refused("it holds no text, so it is no switch: it is not touched"))
        })?;
        Ok(Some(Held { etag, body, metadata }))
    }

    /// Puts the object there, unless there is one.
    async fn put(&self, cx: &Cx, body: &str, metadata: &BTreeMap<String, String>) -> Result<()> {
        let metadata: std::collections::HashMap<String, String> = metadata.clone().into_iter().collect();
        let put = self
            .op("s3:PutObject", true)
            .ask(cx, || {
                self.s3
                    .put_object()
                    .bucket(&self.object.bucket)
                    .key(&self.object.key)
                    .if_none_match("*")
                    .content_type("text/plain")
                    .set_metadata(Some(metadata.clone()))
                    .body(ByteStream::from(body.as_bytes().to_vec()))
                    .send()
            })
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(error) => self.or_so_already(cx, error, true).await,
        }
    }

    /// Takes the object away, if it is the one that was found.
    async fn delete(&self, cx: &Cx, etag: &str) -> Result<()> {
        let deleted = self
            .op("s3:DeleteObject", true)
            .ask(cx, || {
                self.s3
                    .delete_object()
                    .bucket(&self.object.bucket)
                    .key(&self.object.key)
                    .if_match(etag)
                    .send()
            })
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) => self.or_so_already(cx, error, false).await,
        }
    }

    /// After a call that failed or whose reply was lost: it is so all the same, or the error stands.
    async fn or_so_already(&self, cx: &Cx, error: AwsError, there: bool) -> Result<()> {
        if error.did_nothing() && !error.is("PreconditionFailed") && !error.is("ConditionalRequestConflict") {
            return Err(self.on(Error::from(error)));
        }
        match self.found(cx).await {
            Ok(now) if now.is_some() == there => Ok(()),
            Ok(_) | Err(_) => Err(self.on(Error::from(error))),
        }
    }
}

impl StandbyEffect {
    async fn followed(&self, cx: &Cx, side: &Side) -> Result<dr_core::Timestamp> {
        let sides = self.road.sides(None, None).await;
        self.road.followed(cx, &Expect::OneOf(BTreeSet::from([side.clone()])), &sides).await
    }

    fn changed(&self) -> Error {
        self.switch.on(Error::new(ErrorKind::Conflict, "someone else has put another one there: it stays")
            .not_happened())
    }
}

#[async_trait]
impl Effect<Route> for StandbyEffect {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        let side = target(call, &self.road)?;
        let away = *side != self.plan.primary;
        let (object, readings) = join(self.switch.found(cx), self.road.readings(cx)).await;
        let (object, readings) = (object?, readings?);
        let sides = self.road.sides(None, None).await;
        let served = served(&readings, &sides);
        let heard = readings.iter().filter_map(|reading| Some(reading.heard()?.ttl)).max();
        let before = Before::of(&Was {
            object: object.clone(),
            served: served.clone(),
            remembered: heard.unwrap_or(0).max(self.road.entry.ttl),
        })?;
        if object.is_some() == away && served.as_ref() == Some(side) {
            return Ok(Prepared::already(before));
        }
        let text = |there: bool| if there { "there: callers are sent to the standby" } else { "not there" };
        let mut diff = Diff::default();
        if object.is_some() != away {
            diff = diff.and(self.switch.object.to_string(), text(object.is_some()), text(away));
        }
        for reading in &readings {
            let Some(heard) = reading.heard() else { continue };
            if sides.side(&heard.values) != Some(side) {
                diff = diff.and(
                    format!("{} at {}", self.road.entry, reading.server),
                    shown(heard),
                    side.as_str(),
                );
            }
        }
        if diff.0.is_empty() {
            diff = diff.and("callers", "not told by every server", side.as_str());
        }
        Ok(Prepared::would(diff, before))
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        let side = target(call, &self.road)?;
        let before: Was = was.before.read()?;
        let now = self.switch.found(cx).await.map_err(Error::not_happened)?;
        match (*side != self.plan.primary, now) {
            // Whoever has put it there: it holds callers where they are to be.
            (true, Some(_)) | (false, None) => {}
            (true, None) => {
                cx.progress.say(format!("putting {}", self.switch.object));
                let ours = BTreeMap::from([(TOKEN.to_owned(), cx.token.clone())]);
                let body = format!("callers go to {side}: dr, {}, {}\n", cx.token, cx.now());
                self.switch.put(cx, &body, &ours).await?;
            }
            (false, Some(now)) => {
                if before.object.as_ref() != Some(&now) {
                    return Err(self.changed());
                }
                cx.progress.say(format!("taking {} away", self.switch.object));
                self.switch.delete(cx, &now.etag).await?;
            }
        }
        let last = self.followed(cx, side).await?;
        let old_ttl = Duration::from_secs(before.remembered.into());
        Ok(Routed::new(side.clone(), Propagation::Answers, last, old_ttl))
    }

    async fn undo(&self, cx: &Cx, _call: &Route, was: &Before) -> Result<()> {
        let before: Was = was.read()?;
        match (&before.object, self.switch.found(cx).await?) {
            (None, None) => {}
            (None, Some(now)) => {
                if now.metadata.get(TOKEN) != Some(&cx.token) {
                    return Err(self.changed());
                }
                self.switch.delete(cx, &now.etag).await?;
            }
            (Some(held), None) => self.switch.put(cx, &held.body, &held.metadata).await?,
            (Some(held), Some(now)) if held.body == now.body && held.metadata == now.metadata => {}
            (Some(_), Some(_)) => return Err(self.changed()),
        }
        if let Some(served) = before.served {
            let patience = cx.within(cx.left() / 2);
            if let Err(error) = self.followed(&patience, &served).await {
                cx.progress
                    .say(format!("the object is as it was; callers are not back on {served} yet ({error})"));
            }
        }
        Ok(())
    }
}
