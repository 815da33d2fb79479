//! An entry with everything that is asked about it: the zone's API and the servers that callers reach.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Cx, Proof, Routing, ServerAnswer};
use dr_core::{Error, ErrorKind, Result, Side, Timestamp};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::entry::Entry;
use super::record::{RecordSet, Target};
use super::sides::Sides;
use super::zone::Zone;
use crate::asking::latest;
use crate::dns::{Authority, Endpoint, Heard, Reading, nobody_answers};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// An entry and the two ways of looking at it.
#[derive(Debug)]
pub(crate) struct Road {
    pub(crate) entry: Arc<Entry>,
    pub(crate) zone: Zone,
    pub(crate) authority: Authority,
    pub(crate) resolvers: Vec<Endpoint>,
}

/// What the servers are waited for to answer.
#[derive(Debug)]
pub(crate) enum Expect {
    /// These values; none: no such record.
    Values(BTreeSet<String>),
    /// One of these sides.
    OneOf(BTreeSet<Side>),
    /// Each of these sides, now one and now another.
    Each(BTreeSet<Side>),
}

impl Road {
    /// What every server that answers for the zone says.
    pub(crate) async fn readings(&self, cx: &Cx) -> Result<Vec<Reading>> {
        let servers = self.zone.name_servers(cx).await?;
        let readings = self.authority.read_all(cx, servers).await;
        if readings.iter().all(|reading| reading.found.is_err()) {
            return Err(nobody_answers(&self.entry.to_string(), &readings));
        }
        Ok(readings)
    }

    /// What each of those servers says, as proof that it can be asked from here.
    pub(crate) async fn answering(&self, cx: &Cx) -> Vec<Proof> {
        let servers = match self.zone.name_servers(cx).await {
            Ok(servers) => servers,
            Err(error) => return vec![Proof::failed("name servers of the zone", &error)],
        };
        let readings = self.authority.read_all(cx, servers).await;
        readings
            .into_iter()
            .map(|reading| {
                let what = format!("{} at {}", self.entry, reading.server);
                match reading.found {
                    Ok(heard) => Proof::proven(what, shown(&heard)),
                    Err(error) => Proof::unknown(what, error.to_string()),
                }
            })
            .collect()
    }

    /// The servers' answers as an observation.
    pub(crate) fn routing(&self, cx: &Cx, readings: &[Reading], sides: &Sides) -> Routing {
        let ttl = readings
            .iter()
            .filter_map(|reading| reading.heard())
            .filter(|heard| !heard.values.is_empty())
            // The longest: a caller may have asked any of them.
            .map(|heard| Duration::from_secs(heard.ttl.into()))
            .max();
        let answers = readings
            .iter()
            .map(|reading| ServerAnswer {
                server: reading.server.to_string(),
                values: reading.heard().map(|heard| heard.values.iter().cloned().collect()),
                side: reading.heard().and_then(|heard| sides.side(&heard.values)).cloned(),
            })
            .collect();
        Routing::new(cx.now(), self.entry.name.clone(), ttl, answers)
    }

    /// What each side's answers look like.
    pub(crate) async fn sides(&self, found: Option<&[RecordSet]>, sent: Option<(&Side, &Target)>) -> Sides {
        Sides::of(&self.entry, found, sent, &self.authority, &self.resolvers).await
    }

    /// Waits until every server answers as expected; returns the last moment at which one did not. A server that falls
    /// silent meanwhile gives nobody an answer and is not waited for, as long as others speak.
    pub(crate) async fn followed(&self, cx: &Cx, expect: &Expect, sides: &Sides) -> Result<Timestamp> {
        let servers = self.zone.name_servers(cx).await?;
        let outcomes = cx
            .bound("waiting for the authoritative servers", async {
                Ok(join_all(servers.iter().map(|server| self.follows(cx, server, expect, sides))).await)
            })
            .await?;
        let mut last: Option<Timestamp> = None;
        let (mut behind, mut silent) = (Vec::new(), Vec::new());
        let mut last_silent: Option<Timestamp> = None;
        for outcome in outcomes {
            match outcome {
                Followed::Since(at) => last = last.max(Some(at)),
                Followed::Silent(server, since) => {
                    silent.push(server.to_string());
                    // Whoever still reaches it may have had the old answer from it until now.
                    last_silent = last_silent.max(Some(since));
                }
                Followed::Behind(server, says) => behind.push(format!("{server} says {says}")),
            }
        }
        if !silent.is_empty() {
            cx.progress.say(format!("not answering, not waited for: {}", silent.join(", ")));
        }
        let error = |message: String| {
            Error::new(ErrorKind::NotReady, message).during("route").on(self.entry.to_string())
        };
        match (last, behind.is_empty()) {
            (Some(last), true) => Ok(last_silent.map_or(last, |silent| last.max(silent))),
            (None, true) => Err(error("no authoritative server answers".to_owned())),
            (_, false) => {
                Err(error(format!("not every authoritative server follows: {}", behind.join("; "))))
            }
        }
    }

    async fn follows(&self, cx: &Cx, server: &Endpoint, expect: &Expect, sides: &Sides) -> Followed {
        let end = latest(cx);
        let silent_after = self.authority.silent_after;
        let mut seen: BTreeSet<Side> = BTreeSet::new();
        let mut says = "nothing yet".to_owned();
        let mut said = String::new();
        let mut heard_at = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let asked =
                tokio::time::timeout_at(end.min(heard_at + silent_after), self.authority.read(server));
            match asked.await {
                Ok(Ok(heard)) => {
                    heard_at = Instant::now();
                    if expect.met(&heard, sides, &mut seen) {
                        return Followed::Since(cx.now());
                    }
                    says = shown(&heard);
                }
                Ok(Err(error)) => says = error.to_string(),
                Err(_) => {}
            }
            let now = Instant::now();
            if now + pause >= end {
                return Followed::Behind(server.clone(), says);
            }
            if now >= heard_at + silent_after {
                return Followed::Silent(server.clone(), cx.now());
            }
            if says != said {
                cx.progress.say(format!("waiting for {server}, which says {says}"));
                said.clone_from(&says);
            }
            tokio::time::sleep(pause).await;
            // A share is seen by asking often, not by waiting long.
            let longest = if matches!(expect, Expect::Each(_)) { FIRST_PAUSE } else { LONGEST_PAUSE };
            pause = (pause * 2).min(longest);
        }
    }
}

impl Expect {
    /// Whether an answer is as expected; for several sides, whether each has been seen by now.
    pub(crate) fn met(&self, heard: &Heard, sides: &Sides, seen: &mut BTreeSet<Side>) -> bool {
        match self {
            Self::Values(values) => heard.values == *values,
            Self::OneOf(expected) => sides.side(&heard.values).is_some_and(|side| expected.contains(side)),
            Self::Each(expected) => {
                seen.extend(sides.side(&heard.values).cloned());
                expected.is_subset(seen)
            }
        }
    }
}

enum Followed {
    /// It answers so; until this moment it may have answered otherwise.
    Since(Timestamp),
    /// It has not answered for a while, at this moment.
    Silent(Endpoint, Timestamp),
    Behind(Endpoint, String),
}

/// An answer for people.
pub(crate) fn shown(heard: &Heard) -> String {
    if heard.values.is_empty() {
        return "no record".to_owned();
    }
    let values: Vec<&str> = heard.values.iter().map(String::as_str).collect();
    format!("{} (TTL {} s)", values.join(", "), heard.ttl)
}
