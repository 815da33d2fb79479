//! What one prober hears of each side, look after look. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::heartbeat::{SideHeard, SignOfLife};
use crate::ids::{ResourceName, Side};
use crate::resource::{Reach, Replication, Role, SideState};
use crate::time::Timestamp;

/// What one look brought.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Each store's observation; `None`: it could not be had.
    pub(super) stores: Vec<(ResourceName, Option<Replication>)>,
    /// Which probe's callers were answered by whom, well or not.
    pub(super) answered: Vec<(ResourceName, Side)>,
}

/// Folds looks.
///
/// A side is silent in a look if every one of its nodes was silent, in every store, and nothing else told of its life,
/// *and* another side was heard in the same look: a prober that hears nobody has lost its own network. Silence is
/// unbroken only while every look finds it: a look that failed, or came too late, begins it anew.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    sides: BTreeMap<Side, SideHeard>,
    answered_by: BTreeMap<Side, Timestamp>,
    last: Option<Timestamp>,
}

impl Hearing {
    pub(super) fn sides(&self) -> &BTreeMap<Side, SideHeard> {
        &self.sides
    }

    pub(super) fn answered_by(&self) -> &BTreeMap<Side, Timestamp> {
        &self.answered_by
    }

    /// Takes a look that ended at `at`. `patience` is how long after the one before it is still unbroken.
    pub(super) fn take(&mut self, at: Timestamp, patience: Duration, look: &Look) {
        let unbroken = self.last.is_some_and(|last| last <= at && at.since(last) <= patience);
        self.last = Some(at);
        for (_, side) in &look.answered {
            self.answered_by.insert(side.clone(), at);
        }
        let signs = signs_of_life(look);
        let seen =
            look.stores.iter().filter_map(|(_, seen)| seen.as_ref()).flat_map(|seen| seen.sides.keys());
        let known: BTreeSet<Side> = self.sides.keys().chain(signs.keys()).chain(seen).cloned().collect();
        for side in known {
            let heard = self.sides.entry(side.clone()).or_default();
            heard.reach = reach(look, &side);
            let somebody_else = signs.keys().any(|other| *other != side);
            match signs.get(&side) {
                Some(what) => {
                    heard.silent_since = None;
                    heard.last_sign_of_life = Some(SignOfLife { at, what: what.clone() });
                }
                None if somebody_else && heard.reach == Some(Reach::Unreachable) => {
                    let since = heard.silent_since.filter(|_| unbroken);
                    heard.silent_since = Some(since.unwrap_or(at));
                }
                None => heard.silent_since = None,
            }
        }
    }
}

/// The most alive of a side's nodes over all stores; `None` if any store could not be looked at or lists no node.
fn reach(look: &Look, side: &Side) -> Option<Reach> {
    let stores: Option<Vec<&Replication>> = look.stores.iter().map(|(_, seen)| seen.as_ref()).collect();
    let states: Vec<&SideState> = stores?.into_iter().filter_map(|seen| seen.sides.get(side)).collect();
    if states.iter().any(|state| state.nodes.is_empty()) {
        return None;
    }
    states
        .into_iter()
        .flat_map(|state| &state.nodes)
        .map(|node| node.reach)
        .max_by_key(|reach| liveliness(*reach))
}

fn liveliness(reach: Reach) -> u8 {
    match reach {
        Reach::Unreachable => 0,
        Reach::Closed => 1,
        Reach::Hung => 2,
        Reach::Denied => 3,
        Reach::Answers => 4,
    }
}

fn is_sign_of_life(reach: Reach) -> bool {
    match reach {
        Reach::Answers | Reach::Closed | Reach::Hung | Reach::Denied => true,
        Reach::Unreachable => false,
    }
}

/// One sign of life for each side that gave any.
fn signs_of_life(look: &Look) -> BTreeMap<Side, String> {
    let mut signs = BTreeMap::new();
    for (probe, side) in &look.answered {
        signs.entry(side.clone()).or_insert_with(|| format!("callers of {probe} were answered by {side}"));
    }
    for (store, seen) in look.stores.iter().filter_map(|(store, seen)| Some((store, seen.as_ref()?))) {
        for (side, state) in &seen.sides {
            if let Some(node) = state.nodes.iter().find(|node| is_sign_of_life(node.reach)) {
                signs
                    .entry(side.clone())
                    .or_insert_with(|| format!("{store}: {} {}", node.node, reach_in_words(node.reach)));
            }
        }
    }
    for (store, seen) in look.stores.iter().filter_map(|(store, seen)| Some((store, seen.as_ref()?))) {
        for side in seen.sides.keys() {
            if let Some(node) = receiver_from(seen, side) {
                signs.entry(side.clone()).or_insert_with(|| format!("{store}: {node} receives from it"));
            }
        }
    }
    signs
}

/// A standby on another side that receives, where nobody but `side` can be the one who sends. A standby that receives
/// from a neighbour counts as well: better a silence that is not accepted than one that is none.
fn receiver_from<'a>(seen: &'a Replication, side: &Side) -> Option<&'a str> {
    let others = || seen.sides.iter().filter(|(other, _)| *other != side).flat_map(|(_, state)| &state.nodes);
    if others().any(|node| node.role == Role::Primary) {
        return None;
    }
    others().find(|node| node.receiving == Some(true)).map(|node| node.node.as_str())
}

fn reach_in_words(reach: Reach) -> &'static str {
    match reach {
        Reach::Answers => "answers",
        Reach::Closed => "refuses connections",
        Reach::Hung => "accepts connections",
        Reach::Denied => "answers, and lets nobody in",
        Reach::Unreachable => "is silent",
    }
}
