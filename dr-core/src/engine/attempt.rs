//! What is in flight: futures that the drive polls by itself, never spawned, so that dropping the drive drops them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::retry::pause_after;
use super::schedule::Index;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::event::Found;
use crate::ids::ResourceName;
use crate::journal::MAX_LINE;
use crate::resource::{Action, Applied, Before, Cx, Prepared, Resource, Seen, Standing};

/// Something in flight came to rest.
#[derive(Debug)]
pub(super) enum Rested {
    /// A step was looked at, for an attempt.
    Prepared { at: Index, attempt: u32, result: Result<Prepared> },
    /// An attempt came to its end.
    Applied { at: Index, attempt: u32, result: Result<Applied> },
    /// A step in doubt was looked at again.
    Settled { at: Index, found: Found },
    /// An undo came to its end.
    Undone { at: Index, result: Result<()> },
    /// A resource was observed for the evidence.
    Observed { when: &'static str, resource: ResourceName, seen: Vec<Seen>, why: Option<String> },
}

pub(super) type Flight = BoxFuture<'static, Rested>;

pub(super) fn prepare(at: Index, attempt: u32, action: Arc<dyn Action>, cx: Cx) -> Flight {
    async move {
        let result = cx.bound("look", action.prepare(&cx)).await.map_err(Error::not_happened);
        Rested::Prepared { at, attempt, result }
    }
    .boxed()
}

pub(super) fn apply(at: Index, attempt: u32, action: Arc<dyn Action>, cx: Cx, was: Prepared) -> Flight {
    async move {
        let result = cx.bound(action.verb(), action.apply(&cx, &was)).await;
        Rested::Applied { at, attempt, result }
    }
    .boxed()
}

/// Looks at a step in doubt until it can be read or the time is up. A point of no return that did not happen is
/// cancelled, where `cancel` says what was before it: only then it is sure that it never will.
pub(super) fn settle(at: Index, action: Arc<dyn Action>, cx: Cx, cancel: Option<Before>, env: Env) -> Flight {
    async move {
        let found = look_again(&action, &cx, &env).await;
        let found = match (found, cancel) {
            (Found::NotDone | Found::Unknown, Some(was)) => {
                match cx.bound("cancel", action.undo(&cx, &was)).await {
                    Ok(()) => Found::Cancelled,
                    // What could not be cancelled may have happened meanwhile.
                    Err(_) => look_again(&action, &cx, &env).await,
                }
            }
            (found, _) => found,
        };
        Rested::Settled { at, found }
    }
    .boxed()
}

async fn look_again(action: &Arc<dyn Action>, cx: &Cx, env: &Env) -> Found {
    let mut attempt = 1;
    loop {
        let error = match cx.bound("look again", action.prepare(cx)).await {
            Ok(prepared) => {
                return match prepared.standing {
                    Standing::Already => Found::Done,
                    Standing::Would { .. } => Found::NotDone,
                    Standing::Unknown { .. } => Found::Unknown,
                };
            }
            Err(error) => error,
        };
        match pause_after(&error, attempt, env) {
            Some(pause) if pause < cx.left() => tokio::time::sleep(pause).await,
            Some(_) | None => return Found::Unknown,
        }
        attempt += 1;
    }
}

pub(super) fn undo(at: Index, action: Arc<dyn Action>, cx: Cx, was: Before, env: Env) -> Flight {
    async move {
        let mut attempt = 1;
        loop {
            let result = cx.bound("undo", action.undo(&cx, &was)).await;
            let Err(error) = &result else { return Rested::Undone { at, result } };
            match pause_after(error, attempt, &env) {
                Some(pause) if pause < cx.left() => tokio::time::sleep(pause).await,
                Some(_) | None => return Rested::Undone { at, result },
            }
            attempt += 1;
        }
    }
    .boxed()
}

pub(super) fn observe(when: &'static str, name: ResourceName, resource: Resource, cx: Cx) -> Flight {
    async move {
        let mut seen = Vec::new();
        let mut why = None;
        for watch in resource.watches() {
            match cx.bound(watch.group(), watch.watch(&cx)).await {
                Ok(sight) => match too_large(&sight) {
                    None => seen.push(sight),
                    Some(told) => why = Some(told),
                },
                Err(error) => why = Some(error.chain()),
            }
        }
        Rested::Observed { when, resource: name, seen, why }
    }
    .boxed()
}

/// An observation that would not fit on a line of the journal must not end the run that it is the evidence of.
fn too_large(sight: &Seen) -> Option<String> {
    let bytes = serde_json::to_vec(sight).map_or(usize::MAX, |json| json.len());
    (bytes > LARGEST_SIGHT)
        .then(|| format!("its {} is too large for the journal ({bytes} bytes)", sight.group))
}

/// Several of them share a line with a resource's others.
const LARGEST_SIGHT: usize = MAX_LINE / 4;

/// How long an observation for the evidence may take.
pub(super) const OBSERVE_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_left_out_and_told_where_it_is_larger_than_its_share_of_a_line() {
        let sight = |letters: usize| Seen {
            group: "replication".to_owned(),
            data: "x".repeat(letters).into(),
            text: String::new(),
            facts: Default::default(),
            sides: Default::default(),
            tables: Default::default(),
        };
        let around = serde_json::to_vec(&sight(0)).unwrap().len();
        assert_eq!(too_large(&sight(LARGEST_SIGHT - around)), None);
        let told = too_large(&sight(LARGEST_SIGHT - around + 1)).unwrap();
        assert_eq!(
            told,
            format!("its replication is too large for the journal ({} bytes)", LARGEST_SIGHT + 1)
        );
    }
}
