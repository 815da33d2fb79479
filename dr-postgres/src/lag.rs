//! How far a standby is behind: honest, or unknown.
//!
//! - Receiving, and at its primary's end: zero. An idle pair is not behind.
//! - Receiving, and not there yet: it is given a moment to arrive; the time that takes bounds the lag. Else the age of
//!   the last commit that it replayed, on the primary's clock.
//! - Not receiving: that same age, never zero, even where nothing seems to be missing.
//! - Its primary silent: what it has of what it was told, plus the time since it was told; without a receiver, unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::lsn::Lsn;
use crate::node::Node;
use crate::observe::{Look, View};

const MOMENT: Duration = Duration::from_millis(250);
const STEP: Duration = Duration::from_millis(5);

/// The lag of every standby where it is known, by node.
pub(crate) async fn measure(seen: &mut [(&Node, View)], deadline: Instant) -> BTreeMap<String, Duration> {
    let begun = Instant::now();
    let until = deadline.min(begun + MOMENT);
    let arrivals = join_all(seen.iter().map(|(node, view)| {
        let target = match view {
            View::Answered(look) if look.recovering && look.receiving == Some(true) => {
                source_of(look, seen).and_then(|source| source.written)
            }
            View::Answered(_) | View::Silent(..) => None,
        };
        async move {
            match target {
                None => None,
                Some(target) => arrive(node, view, target, begun, until).await,
            }
        }
    }))
    .await;
    seen.iter()
        .zip(arrivals)
        .filter_map(|((node, view), arrival)| match view {
            View::Answered(look) if look.recovering => {
                Some((node.name.clone(), arrival.or_else(|| estimate(look, source_of(look, seen)))?))
            }
            View::Answered(_) | View::Silent(..) => None,
        })
        .collect()
}

/// The primary whose history a standby is in. `None` also if there are two: then nobody can say.
pub(crate) fn source_of<'s>(look: &Look, seen: &'s [(&Node, View)]) -> Option<&'s Look> {
    let mut sources = seen.iter().filter_map(|(_, view)| match view {
        View::Answered(other) if !other.recovering => Some(other.as_ref()),
        View::Answered(_) | View::Silent(..) => None,
    });
    let source = sources.next()?;
    if sources.next().is_some() || look.system.is_none() || look.system != source.system {
        return None;
    }
    let same_line = match (&source.history, look.timeline) {
        (Some(history), Some(timeline)) => history.contains(timeline),
        (None, timeline) => timeline.is_some() && timeline == source.timeline,
        (Some(_), None) => false,
    };
    same_line.then_some(source)
}

/// How long after the look the standby had all of what its primary had then; zero if it had it already.
async fn arrive(node: &Node, view: &View, target: Lsn, begun: Instant, until: Instant) -> Option<Duration> {
    if let View::Answered(look) = view
        && look.replayed.is_some_and(|replayed| replayed >= target)
    {
        return Some(Duration::ZERO);
    }
    while Instant::now() < until {
        sleep(STEP).await;
        let row = node.row("select pg_last_wal_replay_lsn() as replayed", until).await.ok()?;
        if row.value::<Lsn>("replayed")? >= target {
            return Some(begun.elapsed());
        }
    }
    None
}

fn estimate(look: &Look, source: Option<&Look>) -> Option<Duration> {
    match (source, look.receiving) {
        (Some(source), _) => {
            let age = source.now?.saturating_sub(look.last_commit?);
            Some(Duration::from_micros(u64::try_from(age).unwrap_or(0)).max(Duration::from_millis(1)))
        }
        (None, Some(true)) => (look.replayed? >= look.source_end?).then_some(look.heard).flatten(),
        (None, Some(false) | None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standby(receiving: Option<bool>) -> Look {
        Look {
            recovering: true,
            replayed: Some(Lsn(100)),
            received: Some(Lsn(100)),
            source_end: Some(Lsn(100)),
            heard: Some(Duration::from_secs(2)),
            last_commit: Some(1_000_000),
            receiving,
            ..Look::default()
        }
    }

    #[test]
    fn without_a_primary_the_age_of_its_last_word_is_the_lag_and_without_a_receiver_nothing_is() {
        assert_eq!(estimate(&standby(Some(true)), None), Some(Duration::from_secs(2)));
        assert_eq!(estimate(&standby(Some(false)), None), None);
        assert_eq!(estimate(&standby(None), None), None);
        let behind = Look { source_end: Some(Lsn(101)), ..standby(Some(true)) };
        assert_eq!(estimate(&behind, None), None);
    }

    #[test]
    fn each_missing_part_makes_the_lag_unknown() {
        let source = Look { now: Some(5_000_000), ..Look::default() };
        assert_eq!(estimate(&standby(Some(false)), Some(&source)), Some(Duration::from_secs(4)));
        assert_eq!(estimate(&standby(Some(false)), Some(&Look::default())), None);
        let uncommitted = Look { last_commit: None, ..standby(Some(false)) };
        assert_eq!(estimate(&uncommitted, Some(&source)), None);
        let unheard = Look { heard: None, ..standby(Some(true)) };
        assert_eq!(estimate(&unheard, None), None);
    }
}
