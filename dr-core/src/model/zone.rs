//! What a name's record says, and what each server that answers for it says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::Side;
use crate::resource::{Route, Share};
use crate::time::Timestamp;

/// Which of the callers are told what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Whose it is, where there is one for each side.
    pub(super) side: Option<Side>,
    pub(super) values: Vec<String>,
    pub(super) share: Share,
}

/// A record's whole content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) entries: Vec<Entry>,
    /// Whether what could move callers by itself is kept from it.
    pub(super) pinned: bool,
}

impl Word {
    fn plain(values: Vec<String>) -> Self {
        Self { entries: vec![Entry { side: None, values, share: Share::ALL }], pinned: false }
    }

    /// What somebody is told, and how many of the callers.
    pub(super) fn told(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.share != Share::NONE)
    }

    pub(super) fn values(&self) -> Vec<String> {
        self.told().flat_map(|entry| entry.values.iter().cloned()).collect()
    }
}

#[derive(Debug)]
pub(super) struct Zone {
    pub(super) ttl: Duration,
    /// What the record holds: the primary server's word. The others follow.
    pub(super) record: Word,
    /// What each server answers.
    pub(super) servers: Vec<Word>,
    pub(super) silent: Vec<bool>,
    values: BTreeMap<Side, Vec<String>>,
    pub(super) moved: Option<(Word, Timestamp)>,
    /// Whether it has an entry for each side, so that callers can be shared out.
    pub(super) shared: bool,
    /// What would move callers by itself, and to which side.
    pub(super) automatism: Option<(String, Side)>,
    /// How many callers have looked it up: they are shared out in turn.
    asked: u64,
}

impl Zone {
    pub(super) fn new<'a>(sides: impl Iterator<Item = &'a Side>, ttl: Duration) -> Self {
        let values: Vec<(Side, Vec<String>)> = sides
            .enumerate()
            .map(|(index, side)| (side.clone(), vec![format!("192.0.2.{}", index + 1)]))
            .collect();
        let first = values.first().map(|(_, values)| values.clone()).unwrap_or_default();
        let record = Word::plain(first);
        Self {
            ttl,
            servers: vec![record.clone(); 2],
            record,
            silent: vec![false; 2],
            values: values.into_iter().collect(),
            moved: None,
            shared: false,
            automatism: None,
            asked: 0,
        }
    }

    /// An entry for each side from now on; the one that is served keeps all callers.
    pub(super) fn share_out(&mut self) {
        let served = self.side_of(&self.record.values()).cloned();
        let share = |side: &Side| if served.as_ref() == Some(side) { Share::ALL } else { Share::NONE };
        let entry = |(side, values): (&Side, &Vec<String>)| Entry {
            side: Some(side.clone()),
            values: values.clone(),
            share: share(side),
        };
        self.record = Word { entries: self.values.iter().map(entry).collect(), pinned: self.record.pinned };
        self.servers = vec![self.record.clone(); self.servers.len()];
        self.shared = true;
    }

    /// All callers to one value, as somebody else would write it.
    pub(super) fn overwrite(&mut self, values: Vec<String>) {
        self.record = Word { pinned: self.record.pinned, ..Word::plain(values) };
        self.servers = vec![self.record.clone(); self.servers.len()];
    }

    pub(super) fn side_of(&self, values: &[String]) -> Option<&Side> {
        self.values.iter().find(|(_, of)| of.as_slice() == values).map(|(side, _)| side)
    }

    /// The side that all callers are sent to by a server's word.
    pub(super) fn side_in(&self, word: &Word) -> Option<Side> {
        let mut told = word.told();
        match (told.next(), told.next()) {
            (Some(Entry { side: Some(side), .. }), None) => Some(side.clone()),
            (Some(entry), None) => self.side_of(&entry.values).cloned(),
            (_, _) => None,
        }
    }

    /// What a resolver is told.
    pub(super) fn answer(&self) -> Option<&Word> {
        self.servers.iter().zip(&self.silent).find(|(_, silent)| !**silent).map(|(word, _)| word)
    }

    /// What the next caller is told: shares are kept exactly over a hundred callers, in an order that is always the
    /// same and does not send all of one side's in a row.
    pub(super) fn next_caller(&mut self) -> Option<Vec<String>> {
        let at = (self.asked * 37) % 100;
        self.asked += 1;
        let mut until = 0;
        let entries = self.answer()?.told();
        entries.map(|entry| (entry, u64::from(entry.share.percent()))).find_map(|(entry, share)| {
            until += share;
            (at < until).then(|| entry.values.clone())
        })
    }

    /// Whether every server that answers says so, and there is one.
    pub(super) fn says(&self, wanted: &Word) -> bool {
        let mut answers = self.servers.iter().zip(&self.silent).filter(|(_, silent)| !**silent).peekable();
        answers.peek().is_some() && answers.all(|(word, _)| word == wanted)
    }

    /// What the record has to say after a call that found `found` there.
    pub(super) fn wanted(&self, call: &Route, found: &Word) -> Result<Word> {
        let side = call.to.side()?;
        let own = side.of(&self.values)?;
        let values = match &call.values {
            Some(values) if values.is_empty() => return Err(Error::invalid("an empty address was given")),
            Some(values) => values.clone(),
            None => own.clone(),
        };
        let pinned = found.pinned || self.automatism.is_some();
        if !self.shared {
            if call.share != Share::ALL {
                return Err(Error::unsupported(format!(
                    "it sends all callers or none, and cannot send {} of them",
                    call.share
                )));
            }
            return Ok(Word { pinned, ..Word::plain(values) });
        }
        let before = |of: &Side| found.entries.iter().find(|entry| entry.side.as_ref() == Some(of));
        let others: Vec<(&Side, u32)> = self
            .values
            .keys()
            .filter(|other| *other != side)
            .map(|other| (other, before(other).map_or(0, |entry| u32::from(entry.share.percent()))))
            .collect();
        let mut shares = rest(&others, u32::from(call.share.rest().percent()));
        shares.insert(side, call.share);
        let entries = self.values.iter().map(|(of, own)| Entry {
            side: Some(of.clone()),
            values: match before(of) {
                _ if of == side => values.clone(),
                Some(entry) => entry.values.clone(),
                None => own.clone(),
            },
            share: shares.get(of).copied().unwrap_or(Share::NONE),
        });
        Ok(Word { entries: entries.collect(), pinned })
    }
}

/// Shares what is left among the others as they had it; where none had any, the first gets it.
fn rest<'a>(others: &[(&'a Side, u32)], left: u32) -> BTreeMap<&'a Side, Share> {
    let whole: u32 = others.iter().map(|(_, had)| had).sum();
    let mut shares: BTreeMap<&Side, u32> =
        others.iter().map(|(side, had)| (*side, (had * left).checked_div(whole).unwrap_or(0))).collect();
    let given: u32 = shares.values().sum();
    if let Some(first) = others.iter().find(|(_, had)| *had > 0).or(others.first())
        && let Some(share) = shares.get_mut(first.0)
    {
        *share += left - given;
    }
    let percent = |share: u32| u8::try_from(share).ok().and_then(Share::of_percent).unwrap_or(Share::NONE);
    shares.into_iter().map(|(side, share)| (side, percent(share))).collect()
}
