//! `restore` as an effect.

use std::collections::BTreeMap;

use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Restore, Restored};
use dr_core::{Error, ErrorKind, Result, Timestamp, async_trait};
use serde::{Deserialize, Serialize};

use super::carry::Way;
use super::changes::{Change, Held, Stands, change, present, wanted};
use super::list::{List, fetch, forget, keep};
use super::point;
use crate::s3::buckets::{Buckets, Place};
use crate::s3::listing;

/// S3 copies up to five gigabytes in one piece.
const ONE_PIECE: u64 = 5 * 1024 * 1024 * 1024;
/// How many keys a message names.
const NAMED: usize = 5;

/// What the journal holds: which list, and its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Was {
    list: String,
    hash: String,
    moment: Timestamp,
    copied: usize,
    covered: usize,
}

/// A call, with everything looked up that needs no asking.
struct Job<'a> {
    from: Place<'a>,
    moment: Timestamp,
    to: Place<'a>,
    from_prefix: String,
    to_prefix: String,
    /// Whether it is restored over what is there.
    over: bool,
    list: String,
    own: String,
    at_once: usize,
}

impl Buckets {
    fn job(&self, cx: &Cx, call: &Restore, moment: Option<Timestamp>) -> Result<Job<'_>> {
        let point = point::read(self, call, cx.now())?;
        let from_prefix = call.only.clone().unwrap_or_else(|| self.plan.prefix.clone());
        if !from_prefix.starts_with(&self.plan.prefix) {
            return Err(Error::invalid(format!("`{from_prefix}` is not below `{}`", self.plan.prefix)));
        }
        let to_prefix = call.into.clone().unwrap_or_else(|| from_prefix.clone());
        let token: String = cx
            .token
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_/".contains(c) { c } else { '-' })
            .collect();
        Ok(Job {
            from: point.place,
            moment: moment.unwrap_or(point.moment),
            to: self.place(call.side.side()?)?,
            over: to_prefix == from_prefix,
            from_prefix,
            to_prefix,
            list: format!("{}restores/{token}", self.plan.own()),
            own: self.plan.own(),
            at_once: self.plan.at_once,
        })
    }
}

impl Job<'_> {
    fn way(&self) -> Way<'_> {
        Way {
            from: self.from,
            from_prefix: &self.from_prefix,
            to: self.to,
            to_prefix: &self.to_prefix,
            at_once: self.at_once,
        }
    }

    /// The way back: old versions lie in the bucket itself.
    fn back(&self) -> Way<'_> {
        Way { from: self.to, from_prefix: &self.to_prefix, ..self.way() }
    }

    /// Refuses where the versions do not tell what was there.
    async fn tells(&self, cx: &Cx) -> Result<()> {
        for place in [self.from, self.to] {
            if !place.keeps_versions(cx).await? {
                let text = "it keeps no versions: nothing could be restored from it, nor put back";
                return Err(Error::refused(text).on(place.shown()));
            }
        }
        let Some(days) = self.from.forgets_after(cx, &self.from_prefix).await? else { return Ok(()) };
        let reaches =
            cx.now().minus(std::time::Duration::from_secs(u64::try_from(days).unwrap_or(0) * 86_400));
        if self.moment < reaches {
            return Err(Error::refused(format!(
                "its lifecycle removes versions {days} days after they were replaced: what was there at {} is not \
                 known any more",
                self.moment
            ))
            .on(self.from.shown()));
        }
        Ok(())
    }

    /// Every key that is not as it was at the moment.
    async fn changes(&self, cx: &Cx) -> Result<Vec<Change>> {
        let mut keys: BTreeMap<String, (Option<Held>, Option<Held>)> = BTreeMap::new();
        let ours = |key: &str| key.starts_with(&self.own);
        let same = self.over && self.from.side == self.to.side;
        listing::versions(cx, &self.from, &self.from_prefix, |versions| {
            if ours(&versions.key) {
                return;
            }
            let rest = versions.key.strip_prefix(&self.from_prefix).unwrap_or(&versions.key);
            let entry = keys.entry(format!("{}{rest}", self.to_prefix)).or_default();
            entry.0 = wanted(&versions, self.moment);
            if same {
                entry.1 = present(&versions);
            }
        })
        .await?;
        if !same {
            listing::versions(cx, &self.to, &self.to_prefix, |versions| {
                if !ours(&versions.key) {
                    keys.entry(versions.key.clone()).or_default().1 = present(&versions);
                }
            })
            .await?;
        }
        let changes: Vec<Change> = keys
            .into_iter()
            .filter_map(|(key, (wanted, before))| change(&key, wanted, before, self.over))
            .collect();
        self.copyable(&changes)?;
        Ok(changes)
    }

    /// Refuses what S3 does not copy in one piece.
    fn copyable(&self, changes: &[Change]) -> Result<()> {
        let with = |is: &dyn Fn(&crate::s3::versions::Content) -> bool| {
            let of_it = changes.iter().filter(|change| {
                Held::object(change.wanted.as_ref()).is_some_and(|(_, content)| is(content))
            });
            of_it.map(|change| change.key.as_str()).collect::<Vec<_>>()
        };
        let large = with(&|content| content.size > ONE_PIECE);
        if !large.is_empty() {
            return Err(Error::unsupported(format!(
                "{} objects are larger than 5 GB, which S3 copies only in parts ({}): restore those by hand",
                large.len(),
                named(&large)
            ))
            .on(self.from.shown()));
        }
        let archived = with(&|content| content.archived);
        if !archived.is_empty() {
            return Err(Error::refused(format!(
                "{} objects lie in an archive and have to be brought back first ({})",
                archived.len(),
                named(&archived)
            ))
            .on(self.from.shown()));
        }
        Ok(())
    }

    fn restored(&self, was: &Was) -> Restored {
        let what = format!(
            "{} objects, and {} covered that did not exist, below {}",
            was.copied,
            was.covered,
            self.to.object(&self.to_prefix)
        );
        let from = format!("the versions of {}", self.from.object(&self.from_prefix));
        Restored::new(self.to.side.clone(), what, from, Some(was.moment))
    }
}

fn named(keys: &[&str]) -> String {
    let more = if keys.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", keys.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}

#[async_trait]
impl Effect<Restore> for Buckets {
    async fn prepare(&self, cx: &Cx, call: &Restore) -> Result<Prepared> {
        let job = self.job(cx, call, None)?;
        job.tells(cx).await.map_err(Error::not_happened)?;
        let list = List::new(job.changes(cx).await.map_err(Error::not_happened)?)?;
        let covered = list.changes.iter().filter(|change| change.wanted.is_none()).count();
        let was = Was {
            list: job.list.clone(),
            hash: list.hash(),
            moment: job.moment,
            copied: list.changes.len() - covered,
            covered,
        };
        let before = Before::of(&was)?;
        if list.changes.is_empty() {
            return Ok(Prepared::already(before));
        }
        let copies: Vec<&str> = list
            .changes
            .iter()
            .filter(|change| change.wanted.is_some())
            .map(|change| change.key.as_str())
            .collect();
        let covers: Vec<&str> = list
            .changes
            .iter()
            .filter(|change| change.wanted.is_none())
            .map(|change| change.key.as_str())
            .collect();
        let mut diff = Diff::default();
        if !copies.is_empty() {
            let to = format!("as in {} at {}", job.from.shown(), job.moment);
            diff = diff.and(
                job.to.object(&job.to_prefix),
                format!("{} objects ({})", copies.len(), named(&copies)),
                to,
            );
        }
        if !covers.is_empty() {
            let from = format!("{} objects ({})", covers.len(), named(&covers));
            diff = diff.and(
                job.to.object(&job.to_prefix),
                from,
                "covered by delete markers: they did not exist then",
            );
        }
        Ok(Prepared::would(diff, before))
    }

    async fn apply(&self, cx: &Cx, call: &Restore, was: &Prepared) -> Result<Restored> {
        let was: Was = was.before.read()?;
        let job = self.job(cx, call, Some(was.moment))?;
        if was.copied + was.covered == 0 {
            return Ok(job.restored(&was));
        }
        let begun = fetch(cx, job.to, &was.list, &was.hash).await?;
        let (list, repeated) = match begun {
            Some(list) => (list, true),
            None => {
                let list = List::new(job.changes(cx).await.map_err(Error::not_happened)?)?;
                if list.hash() != was.hash {
                    let text =
                        "its objects changed since they were looked at: nothing was restored; begin anew";
                    return Err(Error::new(ErrorKind::Conflict, text).on(job.to.shown()).not_happened());
                }
                keep(cx, job.to, &was.list, &list).await?;
                (list, false)
            }
        };
        let way = job.way();
        let open: Vec<Change> = if repeated {
            let stands = way.stand(cx, &list.changes).await?;
            let open = list.changes.iter().zip(&stands).filter(|(_, stands)| **stands != Stands::Changed);
            open.map(|(change, _)| change.clone()).collect()
        } else {
            list.changes.clone()
        };
        way.carry(cx, &open).await?;
        let stands = way.stand(cx, &list.changes).await?;
        let not: Vec<&str> = list
            .changes
            .iter()
            .zip(&stands)
            .filter(|(_, stands)| **stands != Stands::Changed)
            .map(|(change, _)| change.key.as_str())
            .collect();
        if !not.is_empty() {
            let text = format!("{} objects are not as they were restored ({})", not.len(), named(&not));
            return Err(Error::new(ErrorKind::Conflict, text).on(job.to.shown()));
        }
        Ok(job.restored(&was))
    }

    async fn undo(&self, cx: &Cx, call: &Restore, was: &Before) -> Result<()> {
        let was: Was = was.read()?;
        let job = self.job(cx, call, Some(was.moment))?;
        // No list: nothing was ever changed, or all of it is put back.
        let Some(list) = fetch(cx, job.to, &was.list, &was.hash).await? else { return Ok(()) };
        let stands = job.way().stand(cx, &list.changes).await?;
        let theirs: Vec<&str> = list
            .changes
            .iter()
            .zip(&stands)
            .filter(|(_, stands)| matches!(stands, Stands::Otherwise | Stands::Perhaps))
            .map(|(change, _)| change.key.as_str())
            .collect();
        if !theirs.is_empty() {
            let text =
                format!("somebody changed {} of its objects meanwhile ({})", theirs.len(), named(&theirs));
            return Err(Error::new(ErrorKind::Conflict, text).on(job.to.shown()).not_happened());
        }
        let ours: Vec<Change> = list
            .changes
            .iter()
            .zip(&stands)
            .filter(|(_, stands)| **stands == Stands::Changed)
            .map(|(change, _)| change.backwards())
            .collect();
        job.back().carry(cx, &ours).await?;
        forget(cx, job.to, &was.list).await
    }
}
