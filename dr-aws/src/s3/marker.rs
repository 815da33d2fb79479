//! The verb `s3.marker`: an object is written to one bucket and awaited in the other. Replication is timed end to end, by
//! nobody's word but the clock's.
//!
//! It is a verb of its own: `observe` must not write, and `probe` asks a service as its callers do. The plan says within
//! which time it has to arrive: a minute for one, a quarter of an hour for another.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use dr_core::resource::{At, Before, Call, Class, Cx, Diff, Effect, Prepared, Roles};
use dr_core::time::{human, show_duration};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::buckets::{Buckets, Place};
use super::rules::judge;
use crate::together::{all, in_doubt};
use crate::waiting::{Look, Pace, until};

/// The marker's own metadata.
const MARK: &str = "dr-marker";

/// Writes a marker on one side and awaits it on the other; then it is removed from both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// Where it is written. Default: the source.
    #[serde(default = "source")]
    pub from: At,
    /// Where it has to arrive. Default: the target.
    #[serde(default = "target")]
    pub to: At,
    /// Within which time.
    #[serde(with = "human")]
    pub arrives_within: Duration,
}

fn source() -> At {
    At::Source
}

fn target() -> At {
    At::Target
}

/// What a marker showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Marked {
    /// Where it was written.
    pub from: Side,
    /// Where it arrived.
    pub to: Side,
    /// How long that took at most: from the acknowledgement of the write to the look that saw it.
    #[serde(with = "human")]
    pub took: Duration,
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a marker came from {} to {} in {}", self.from, self.to, show_duration(self.took))
    }
}

impl Call for Marker {
    const VERB: &'static str = "s3.marker";
    type Outcome = Marked;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.from.aim(roles);
        self.to.aim(roles);
    }
}

impl Buckets {
    /// Where this step's marker stands: the same for every attempt.
    fn marker_key(&self, cx: &Cx) -> String {
        let token: String = cx
            .token
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_/".contains(c) { c } else { '-' })
            .collect();
        format!("{}markers/{token}", self.plan.own())
    }
}

/// Removes an object of our own with all its versions.
pub(super) async fn remove(cx: &Cx, place: Place<'_>, key: &str) -> Result<()> {
    let mut there = Vec::new();
    super::listing::versions(cx, &place, key, |versions| {
        if versions.key == key {
            there.extend(versions.entries().iter().map(|entry| entry.version.clone()));
        }
    })
    .await?;
    for version in there {
        let s3 = place.s3();
        place
            .changes("s3:DeleteObjectVersion")
            .ask(cx, || s3.delete_object().bucket(&place.bucket.name).key(key).version_id(&version).send())
            .await
            .map_err(|error| Error::from(error).on(place.object(key)))?;
    }
    Ok(())
}

#[async_trait]
impl Effect<Marker> for Buckets {
    async fn prepare(&self, cx: &Cx, call: &Marker) -> Result<Prepared> {
        let (from, to) = (self.place(call.from.side()?)?, self.place(call.to.side()?)?);
        let rules = judge(&self.plan, from.rules(cx).await?.as_ref(), &to.bucket.name);
        if rules.rule.is_none() {
            let why: Vec<&str> = rules.hazards.iter().map(|hazard| hazard.message.as_str()).collect();
            return Err(Error::refused(why.join("; ")).on(from.shown()));
        }
        let key = self.marker_key(cx);
        let within = format!("arrives within {}, and is removed", show_duration(call.arrives_within));
        Ok(Prepared::would(Diff::one(to.object(&key), "absent", within), Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &Marker, _was: &Prepared) -> Result<Marked> {
        let (from, to) = (self.place(call.from.side()?)?, self.place(call.to.side()?)?);
        let key = self.marker_key(cx);
        let arrived = cross(cx, from, to, &key, call.arrives_within).await;
        let removing = all(vec![remove(cx, from, &key), remove(cx, to, &key)]).await;
        let took = arrived?;
        removing.map_err(|error| in_doubt(error.with("and", "the marker has arrived")))?;
        Ok(Marked { from: from.side.clone(), to: to.side.clone(), took })
    }

    async fn undo(&self, cx: &Cx, call: &Marker, _was: &Before) -> Result<()> {
        let (from, to) = (self.place(call.from.side()?)?, self.place(call.to.side()?)?);
        let key = self.marker_key(cx);
        all(vec![remove(cx, from, &key), remove(cx, to, &key)]).await.map(drop)
    }
}

/// How long a marker takes.
async fn cross(cx: &Cx, from: Place<'_>, to: Place<'_>, key: &str, limit: Duration) -> Result<Duration> {
    // What an earlier attempt wrote is not taken for this one's. It stands in the metadata: the ETag of a copy that is
    // encrypted with another key is another.
    let text = format!("{} attempt {} epoch {}", cx.token, cx.attempt, cx.epoch);
    let s3 = from.s3();
    from.changes("s3:PutObject")
        .ask(cx, || {
            s3.put_object()
                .bucket(&from.bucket.name)
                .key(key)
                .metadata(MARK, &text)
                .body(ByteStream::from(text.clone().into_bytes()))
                .send()
        })
        .await
        .map_err(|error| Error::from(error).on(from.object(key)))?;
    let begun = Instant::now();
    let by_the_plan = limit <= cx.left();
    let bounded = cx.within(limit);
    let missed = AtomicBool::new(false);
    let look = async || {
        let look = arrived(&bounded, to, key, &text).await;
        missed.store(matches!(look, Ok(Look::Not(_))), Ordering::Relaxed);
        look
    };
    match until(&bounded, "marker", Pace::QUICK, look).await {
        Ok(()) => Ok(begun.elapsed()),
        Err(error) if by_the_plan && missed.into_inner() && error.kind() == ErrorKind::NotReady => {
            let text = format!("a marker has not arrived within {}", show_duration(limit));
            Err(Error::new(ErrorKind::Refused, text).on(to.object(key)))
        }
        Err(error) => Err(error.on(to.object(key))),
    }
}

async fn arrived(cx: &Cx, to: Place<'_>, key: &str, text: &str) -> Result<Look<()>> {
    let s3 = to.s3();
    let head =
        to.reads("s3:GetObject").ask(cx, || s3.head_object().bucket(&to.bucket.name).key(key).send()).await;
    match head {
        Ok(head) if head.metadata().and_then(|said| said.get(MARK)).is_some_and(|said| said == text) => {
            Ok(Look::Done(()))
        }
        Ok(_) => Ok(Look::Not("an earlier marker is there".to_owned())),
        Err(error) if error.is_not_found() => Ok(Look::Not("the marker has not arrived yet".to_owned())),
        Err(error) => Err(error.into()),
    }
}
