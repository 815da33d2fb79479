//! What is in flight: futures that the drive polls by itself, never spawned, so that dropping the drive drops them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::retry::pause_after;
use super::schedule::Index;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ids::ResourceName;
use crate::resource::{Action, Applied, Before, Cx, Prepared, Resource, Seen};

/// Something in flight came to rest.
#[derive(Debug)]
pub(super) enum Rested {
    /// A step was looked at, for an attempt.
    Prepared { at: Index, attempt: u32, result: Result<Prepared> },
    /// An attempt came to its end.
    Applied { at: Index, attempt: u32, result: Result<Applied> },
    /// A step in doubt was looked at again.
    Settled { at: Index, result: Result<Prepared> },
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

/// Looks at a step in doubt until it can be read or the time is up.
pub(super) fn settle(at: Index, action: Arc<dyn Action>, cx: Cx, env: Env) -> Flight {
    async move {
        let mut attempt = 1;
        loop {
            let result = cx.bound("look again", action.prepare(&cx)).await;
            let Err(error) = &result else { return Rested::Settled { at, result } };
            match pause_after(error, attempt, &env) {
                Some(pause) if pause < cx.left() => tokio::time::sleep(pause).await,
                Some(_) | None => return Rested::Settled { at, result },
            }
            attempt += 1;
        }
    }
    .boxed()
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
                Ok(sight) => seen.push(sight),
                Err(error) => why = Some(error.chain()),
            }
        }
        Rested::Observed { when, resource: name, seen, why }
    }
    .boxed()
}

/// How long an observation for the evidence may take.
pub(super) const OBSERVE_WITHIN: Duration = Duration::from_secs(5);
