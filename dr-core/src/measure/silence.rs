//! Whether everybody who listens agrees that a side is silent. Pure. Silence is no fence; a plan may accept it.

use super::heartbeat::{Heartbeat, Vantage};
use crate::ids::Side;
use crate::resource::{Risk, SilencePolicy};
use crate::time::{Timestamp, show_duration};

/// What the vantage points say of a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// Enough of them hear nothing, and nobody hears anything.
    Agreed {
        /// The latest of their beginnings: since then all of them hear nothing.
        since: Timestamp,
        /// Who: the probers' names, sorted.
        vantage_points: Vec<String>,
    },
    /// Somebody saw a sign of life.
    Vetoed {
        /// Who.
        by: String,
        /// What.
        why: String,
        /// When.
        at: Timestamp,
    },
    /// Nobody saw a sign of life, but too few listen.
    NotAgreed {
        /// What is missing.
        why: String,
    },
}

/// Holds the heartbeats of everybody who listens against a plan's conditions.
///
/// A heartbeat that is not fresh at `now` counts for nothing, neither for silence nor against it. A prober in the
/// silent side's own place may veto, but is no vantage point. Of the others at least the policy's `vantage_points` have to
/// agree, one of them seated on the target and one outside both; of one name only the latest heartbeat counts.
pub fn silence(
    heartbeats: &[Heartbeat],
    side: &Side,
    target: &Side,
    policy: &SilencePolicy,
    now: Timestamp,
) -> Silence {
    let vantage_points = policy.vantage_points;
    let mut fresh: Vec<&Heartbeat> = heartbeats.iter().filter(|beat| beat.is_fresh(now)).collect();
    fresh.sort_by(|one, two| one.name.cmp(&two.name).then(two.at.cmp(&one.at)));
    fresh.dedup_by(|later, kept| later.name == kept.name);

    let agreeing: Vec<(&Heartbeat, Timestamp)> = fresh
        .iter()
        .filter(|beat| beat.seat != Vantage::At(side.clone()))
        .filter_map(|beat| Some((*beat, beat.sides.get(side)?.silent_since?)))
        .collect();
    let since = agreeing.iter().map(|(_, since)| *since).max();

    if let Some(veto) = fresh.iter().find_map(|beat| veto(beat, side, since)) {
        return veto;
    }
    let seated = |wanted: &dyn Fn(&Vantage) -> bool| agreeing.iter().any(|(beat, _)| wanted(&beat.seat));
    let count = agreeing.len();
    let why = match since {
        _ if count < usize::try_from(vantage_points).unwrap_or(usize::MAX) => {
            format!("{count} of {vantage_points} vantage points hear nothing of {side}")
        }
        _ if !seated(&|seat| *seat == Vantage::At(target.clone())) => {
            format!("no vantage point on {target} says that {side} is silent")
        }
        _ if !seated(&|seat| *seat == Vantage::Outside) => {
            format!("no vantage point outside both sides says that {side} is silent")
        }
        Some(since) => {
            let vantage_points: Vec<String> = agreeing.iter().map(|(beat, _)| beat.name.clone()).collect();
            return Silence::Agreed { since, vantage_points };
        }
        None => format!("nobody says that {side} is silent"),
    };
    Silence::NotAgreed { why }
}

/// What one prober says against the silence that the others agree on since `since`: a sign of life after it, or one
/// that is as fresh as the prober's own word.
fn veto(beat: &Heartbeat, side: &Side, since: Option<Timestamp>) -> Option<Silence> {
    let alive = |at: Timestamp| since.is_some_and(|since| at >= since);
    let vetoed = |why: String, at| Silence::Vetoed { by: beat.name.clone(), why, at };
    if let Some(at) = beat.answered_by.get(side).filter(|at| alive(**at) || beat.is_recent(**at)) {
        return Some(vetoed(format!("callers were answered by {side}"), *at));
    }
    let heard = beat.sides.get(side)?;
    let sign = heard.last_sign_of_life.as_ref()?;
    let alive = alive(sign.at) || (heard.silent_since.is_none() && beat.is_recent(sign.at));
    alive.then(|| vetoed(sign.what.clone(), sign.at))
}

impl Silence {
    /// The risk that a plan accepts with it, if it has lasted as long as the policy wants.
    ///
    /// # Errors
    /// In words, what is against it.
    pub fn risk(self, side: &Side, policy: &SilencePolicy, now: Timestamp) -> Result<Risk, String> {
        match self {
            Self::Agreed { since, vantage_points } if now.since(since) >= policy.accept_after => {
                Ok(Risk { side: side.clone(), silent_since: since, accepted: now, vantage_points })
            }
            Self::Agreed { since, .. } => Err(format!(
                "{side} has been silent for {}, the plan accepts it after {}",
                show_duration(now.since(since)),
                show_duration(policy.accept_after)
            )),
            Self::Vetoed { by, why, at } => Err(format!("{side} is alive: {by} saw at {at} that {why}")),
            Self::NotAgreed { why } => Err(why),
        }
    }
}
