//! The verb `route`: compare-and-set at the primary, then wait until every server says so.

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Propagation, Route, Routed};
use dr_core::{Error, ErrorKind, Result, Timestamp, async_trait};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::authority::{Authority, Reading, Server, latest, nobody_answers};
use super::rrset::RrSet;
use super::update::{Swap, Updater};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Sends callers to a side.
#[derive(Debug)]
pub(super) struct RouteEffect {
    authority: Arc<Authority>,
    updater: Updater,
}

/// What was there before: version 1 of this verb's [`Before`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Was {
    /// The record.
    set: RrSet,
    /// How long callers may still use it, in seconds.
    remembered: u32,
    /// What the step makes of it: an address that was read from elsewhere may be another one by the time of an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<RrSet>,
}

impl RouteEffect {
    pub(super) fn new(authority: Arc<Authority>, updater: Updater) -> Self {
        Self { authority, updater }
    }

    /// Makes the record `to`, but only from `from`; returns the last moment at which somebody could still get the
    /// old answer.
    async fn change(&self, cx: &Cx, from: &RrSet, to: &RrSet) -> Result<Timestamp> {
        let record = self.authority.record();
        let readings = self.authority.read_all(cx).await?;
        if all_say(&readings, to) {
            return Ok(cx.now());
        }
        let (primary, now) = primary_says(&readings).map_err(|error| error.on(record.to_string()))?;
        if now != to {
            if now != from {
                return Err(changed(now, from).on(record.to_string()).not_happened());
            }
            cx.progress.say(format!("asking {} to change {record} to {to}", primary.at));
            let swapped = cx.bound("update", async {
                let at = self.authority.address(&primary.at).await.map_err(Error::from)?;
                let swap = self.updater.swap(cx, at, record, from, to).await?;
                // A repeat of our own message finds its work done.
                let found = match swap {
                    Swap::Done => None,
                    Swap::Otherwise => Some(self.authority.read(&primary.at).await?),
                };
                Ok(found.filter(|found| found != to))
            });
            match swapped.await.map_err(|error| error.on(record.to_string()))? {
                None => {}
                Some(found) if found == *from => {
                    let message = format!("{} refused the change, and the record is as expected", primary.at);
                    return Err(Error::new(ErrorKind::NotReady, message)
                        .during("route")
                        .on(record.to_string()));
                }
                Some(found) => return Err(changed(&found, from).on(record.to_string())),
            }
        }
        let (answering, silent): (Vec<_>, Vec<_>) =
            readings.into_iter().partition(|reading| reading.found.is_ok());
        for reading in silent {
            cx.progress.say(format!("{} does not answer and is not waited for", reading.server.at));
        }
        self.followed(cx, answering.into_iter().map(|reading| reading.server), to).await
    }

    /// Waits until each of the servers says `to`. One that falls silent meanwhile gives nobody an answer and is not
    /// waited for, as long as others speak.
    async fn followed(
        &self,
        cx: &Cx,
        servers: impl Iterator<Item = Server>,
        to: &RrSet,
    ) -> Result<Timestamp> {
        let waits = servers.map(|server| self.follows(cx, server, to));
        let outcomes =
            cx.bound("waiting for the authoritative servers", async { Ok(join_all(waits).await) }).await?;
        let mut last: Option<Timestamp> = None;
        let mut last_silent: Option<Timestamp> = None;
        let (mut behind, mut silent) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                Followed::Since(at) => last = last.max(Some(at)),
                Followed::Silent(server, since) => {
                    silent.push(server.at.to_string());
                    // Whoever still reaches it may have had the old answer from it until now.
                    last_silent = last_silent.max(Some(since));
                }
                Followed::Behind(server, says) => behind.push(format!("{} says {says}", server.at)),
            }
        }
        let error = |message: String| {
            Error::new(ErrorKind::NotReady, message).during("route").on(self.authority.record().to_string())
        };
        if !silent.is_empty() {
            cx.progress.say(format!("no longer answering, not waited for: {}", silent.join(", ")));
        }
        match (last, behind.is_empty()) {
            (Some(last), true) => Ok(last_silent.map_or(last, |silent| last.max(silent))),
            (None, true) => Err(error("every authoritative server fell silent after the update".to_owned())),
            (_, false) => {
                Err(error(format!("not every authoritative server follows: {}", behind.join("; "))))
            }
        }
    }

    async fn follows(&self, cx: &Cx, server: Server, to: &RrSet) -> Followed {
        let end = latest(cx);
        let silent_after = self.authority.silent_after();
        let mut says = "nothing yet".to_owned();
        let mut said = String::new();
        let mut heard = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match tokio::time::timeout_at(end.min(heard + silent_after), self.authority.read(&server.at))
                .await
            {
                Ok(Ok(found)) if found == *to => return Followed::Since(cx.now()),
                Ok(Ok(found)) => {
                    says = found.to_string();
                    heard = Instant::now();
                }
                Ok(Err(error)) => says = error.to_string(),
                Err(_) => {}
            }
            let now = Instant::now();
            if now + pause >= end {
                return Followed::Behind(server, says);
            }
            if now >= heard + silent_after {
                return Followed::Silent(server, cx.now());
            }
            if says != said {
                cx.progress.say(format!("waiting for {}, which says {says}", server.at));
                said.clone_from(&says);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

enum Followed {
    /// It says so; until this moment it may have said otherwise.
    Since(Timestamp),
    /// It has not answered for a while, at this moment.
    Silent(Server, Timestamp),
    Behind(Server, String),
}

#[async_trait]
impl Effect<Route> for RouteEffect {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        let record = self.authority.record();
        let wanted = record.called(call)?;
        let readings = self.authority.read_all(cx).await?;
        if readings.iter().all(|reading| reading.found.is_err()) {
            return Err(nobody_answers(record, &readings));
        }
        if all_say(&readings, &wanted) {
            return Ok(Prepared::already(was(&wanted, &readings, &wanted)?));
        }
        let (_, now) = primary_says(&readings).map_err(|error| error.on(record.to_string()))?;
        let differing = readings
            .iter()
            .filter_map(|reading| Some((&reading.server, reading.found.as_ref().ok()?)))
            .filter(|(_, found)| **found != wanted);
        let diff = differing.fold(Diff::default(), |diff, (server, found)| {
            diff.and(format!("{record} at {}", server.at), found.to_string(), wanted.to_string())
        });
        Ok(Prepared::would(diff, was(now, &readings, &wanted)?))
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        let side = call.to.side()?;
        let wanted = self.authority.record().called(call)?;
        let before: Was = was.before.read()?;
        let last_old_answer = self.change(cx, &before.set, &wanted).await?;
        let old_ttl = Duration::from_secs(before.remembered.into());
        Ok(Routed::new(side.clone(), Propagation::Answers, last_old_answer, old_ttl))
    }

    async fn undo(&self, cx: &Cx, call: &Route, was: &Before) -> Result<()> {
        let before: Was = was.read()?;
        // The plan's own values are what they were; an address that was read from elsewhere may have changed since.
        let left = match (&call.address_from, &before.to) {
            (Some(_), Some(left)) => left.clone(),
            (_, _) => self.authority.record().wanted(call.to.side()?)?,
        };
        self.change(cx, &left, &before.set).await.map(|_| ())
    }
}

/// Whether every server that answers says `wanted`, and at least one does.
fn all_say(readings: &[Reading], wanted: &RrSet) -> bool {
    let mut found = readings.iter().filter_map(|reading| reading.found.as_ref().ok()).peekable();
    found.peek().is_some() && found.all(|found| found == wanted)
}

/// What the server that takes updates says; the others follow it.
fn primary_says(readings: &[Reading]) -> Result<(&Server, &RrSet)> {
    let primary = readings
        .iter()
        .find(|reading| reading.server.primary)
        .ok_or_else(|| Error::unsupported("no server that takes updates is configured").during("route"))?;
    match &primary.found {
        Ok(found) => Ok((&primary.server, found)),
        Err(error) => Err(Error::new(
            ErrorKind::Unreachable,
            format!("the primary does not say what is there: {error}"),
        )
        .during("route")
        .with("server", primary.server.at.to_string())
        .not_happened()),
    }
}

/// The record, and the longest that any server lets callers remember what it says.
fn was(set: &RrSet, readings: &[Reading], to: &RrSet) -> Result<Before> {
    let remembered = readings.iter().filter_map(|reading| Some(reading.found.as_ref().ok()?.ttl)).max();
    Before::of(&Was { set: set.clone(), remembered: remembered.unwrap_or(set.ttl), to: Some(to.clone()) })
}

fn changed(now: &RrSet, expected: &RrSet) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("someone else changed it: it says {now}, expected was {expected}"),
    )
    .during("route")
}
