//! Places in PostgreSQL's log, and the histories that they belong to.

use std::fmt;
use std::str::FromStr;

use dr_core::resource::{Position, TimelineSwitch};

/// A log sequence number: `0/3000148`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lsn(pub(crate) u64);

impl FromStr for Lsn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (high, low) = text.trim().split_once('/').ok_or(())?;
        let high = u32::from_str_radix(high, 16).map_err(|_| ())?;
        let low = u32::from_str_radix(low, 16).map_err(|_| ())?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl From<Lsn> for Position {
    fn from(lsn: Lsn) -> Self {
        Self { ordinal: lsn.0, text: lsn.to_string() }
    }
}

impl Lsn {
    /// Where the last record ended, when this is where the next one begins: at the top of a page the two differ by the
    /// page's header (24 bytes, 40 in a segment's first page), and an idle standby never reaches the latter.
    pub(crate) fn end_of_last_record(self) -> Self {
        match self.0 % 8192 {
            24 | 40 => Self(self.0 - self.0 % 8192),
            _ => self,
        }
    }
}

/// A timeline and where it came from, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    /// The timeline itself.
    pub(crate) timeline: u64,
    /// Its ancestors and where each ended.
    pub(crate) switches: Vec<(u64, Lsn)>,
}

impl History {
    /// Reads a history file's text. `None`: it makes no sense.
    pub(crate) fn parse(timeline: u64, text: &str) -> Option<Self> {
        let mut switches = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let ancestor = words.next()?.parse().ok()?;
            switches.push((ancestor, words.next()?.parse().ok()?));
        }
        Some(Self { timeline, switches })
    }

    /// As the observation shows it.
    pub(crate) fn to_switches(&self) -> Vec<TimelineSwitch> {
        self.switches
            .iter()
            .map(|(timeline, at)| TimelineSwitch { timeline: *timeline, at: (*at).into() })
            .collect()
    }

    /// Where a timeline of this history ended; `None` if it is the current one or not in it.
    pub(crate) fn end_of(&self, timeline: u64) -> Option<Lsn> {
        self.switches.iter().find(|(ancestor, _)| *ancestor == timeline).map(|(_, end)| *end)
    }

    /// Whether it is the current timeline or an ancestor.
    pub(crate) fn contains(&self, timeline: u64) -> bool {
        self.timeline == timeline || self.end_of(timeline).is_some()
    }

    /// The last timeline that both histories share from the beginning, and where they part on it. `None`: they share
    /// nothing. `Some((timeline, None))`: one is the other.
    pub(crate) fn fork(&self, other: &Self) -> Option<(u64, Option<Lsn>)> {
        let ours = self.spans();
        let theirs = other.spans();
        let mut fork = None;
        for ((mine, my_end), (its, its_end)) in ours.iter().zip(&theirs) {
            if mine != its {
                break;
            }
            fork = Some((
                *mine,
                match (my_end, its_end) {
                    (Some(mine), Some(its)) => Some(*mine.min(its)),
                    (end, None) | (None, end) => *end,
                },
            ));
            if my_end != its_end {
                break;
            }
        }
        fork
    }

    fn spans(&self) -> Vec<(u64, Option<Lsn>)> {
        self.switches
            .iter()
            .map(|(timeline, end)| (*timeline, Some(*end)))
            .chain([(self.timeline, None)])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        let lsn: Lsn = "16/B374D848".parse().unwrap();
        assert_eq!(lsn.to_string(), "16/B374D848");
        assert!("B374D848".parse::<Lsn>().is_err());
    }

    #[test]
    fn a_page_header_is_no_lag() {
        let at = |text: &str| text.parse::<Lsn>().unwrap().end_of_last_record().to_string();
        assert_eq!(at("0/3000028"), "0/3000000");
        assert_eq!(at("0/3002018"), "0/3002000");
        assert_eq!(at("0/3002118"), "0/3002118");
    }

    #[test]
    fn two_promotions_from_one_timeline_fork_where_the_earlier_left() {
        let one = History::parse(2, "1\t0/3000148\tno recovery target specified\n").unwrap();
        let other = History::parse(2, "1\t0/3000500\tno recovery target specified\n").unwrap();
        assert_eq!(one.fork(&other), Some((1, "0/3000148".parse().ok())));
        let child = History::parse(3, "1\t0/3000148\tx\n2\t0/5000000\tx\n").unwrap();
        assert_eq!(one.fork(&child), Some((2, "0/5000000".parse().ok())));
        assert_eq!(one.fork(&one), Some((2, None)));
    }
}
