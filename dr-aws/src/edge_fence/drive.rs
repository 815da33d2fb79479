//! Doing what is next, one thing after another, until it is so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dr_core::resource::{Before, Cx, Diff, Fencing, Prepared};
use dr_core::{Error, ErrorKind, Result, Side, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Edge;
use super::mark::{KEYS, Mark};
use super::next::{Step, to_before, to_fence, to_open};
use super::view::{EdgeView, Proven};
use crate::database::reach::{is_silence, reached, soon};
use crate::waiting::{Look, Pace, until};

/// After how long a restart that no event told of is asked for again.
const RESTART_AGAIN: Duration = Duration::from_secs(120);

/// What there was before a fence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closing {
    groups: Vec<String>,
    mark: Option<Mark>,
}

impl Closing {
    fn of(view: &EdgeView) -> Self {
        Self {
            groups: view.attached().into_iter().map(str::to_owned).collect(),
            mark: view.mark.clone().ok().flatten(),
        }
    }
}

/// How an edge stands to being fenced.
pub(crate) async fn stands(cx: &Cx, edge: &dyn Edge) -> Result<Prepared> {
    let group = named(edge)?;
    let view = edge.look(&soon(cx)).await.map_err(|error| reached(edge.name(), error))?;
    let before = Before::of(&Closing::of(&view))?;
    Ok(match view.proves(group) {
        Proven::Fenced { .. } => Prepared::already(before),
        Proven::Open { .. } => Prepared::would(
            Diff::one(
                edge.name(),
                format!("security groups {}", view.told_groups()),
                format!("security group {group} alone, started anew"),
            ),
            before,
        ),
        Proven::Unknown { why } => Prepared::unknown(why, before),
    })
}

/// Cuts it off, and returns since when it is.
pub(crate) async fn fence(cx: &Cx, side: &Side, edge: &dyn Edge) -> Result<dr_core::resource::FenceProof> {
    let group = named(edge)?;
    first_look(cx, edge).await?;
    let since = walk(cx, "fence", edge, |view, _| to_fence(view, group, cx.run.as_str(), cx.now())).await?;
    Ok(super::proof(side, since))
}

/// Whether a side is cut off at its edge, looked at now.
pub(crate) async fn fencing(cx: &Cx, side: &Side, edge: &dyn Edge) -> Fencing {
    let Some(group) = edge.fence_group() else {
        return Fencing::Open { why: "the plan names no security group to fence it with".to_owned() };
    };
    match edge.look(&soon(cx)).await {
        Ok(view) => view.proves(group).to_fencing(side),
        Err(error) if is_silence(&error) => Fencing::Unreachable,
        Err(error) => Fencing::Unknown { why: error.chain() },
    }
}

/// Puts back what was there before this run's fence.
pub(crate) async fn put_back(cx: &Cx, edge: &dyn Edge, was: &Before) -> Result<()> {
    let group = named(edge)?;
    if was.data.is_null() {
        return Err(Error::refused("what was there before is not known").on(edge.name()));
    }
    let was: Closing = was.read()?;
    first_look(cx, edge).await?;
    let run = cx.run.as_str();
    walk(cx, "lift the fence", edge, |view, asked| {
        to_before(view, group, run, &was.groups, was.mark.as_ref(), asked)
    })
    .await?;
    Ok(())
}

/// Opens it, whoever closed it.
pub(crate) async fn open(cx: &Cx, edge: &dyn Edge) -> Result<()> {
    let group = named(edge)?;
    first_look(cx, edge).await?;
    walk(cx, "unfence", edge, |view, _| to_open(view, group)).await?;
    Ok(())
}

/// Silence is told soon: whoever waits for it asks again.
async fn first_look(cx: &Cx, edge: &dyn Edge) -> Result<()> {
    let looked = edge.look(&soon(cx)).await;
    looked.map(|_| ()).map_err(|error| reached(edge.name(), error).not_happened())
}

fn named(edge: &dyn Edge) -> Result<&str> {
    edge.fence_group().ok_or_else(|| {
        Error::unsupported(
            "the plan names no security group to fence it with: `fence: { security_group: sg-… }`",
        )
        .on(edge.name())
    })
}

/// Asks what is next, does it, and looks again. `next` is told whether groups were attached in this walk already.
async fn walk(
    cx: &Cx,
    what: &str,
    edge: &dyn Edge,
    next: impl Fn(&EdgeView, bool) -> Result<Step>,
) -> Result<Timestamp> {
    let attached = AtomicBool::new(false);
    let restarted: Mutex<Option<Instant>> = Mutex::new(None);
    until(cx, what, Pace::QUICK, async || {
        let view = edge.look(cx).await.map_err(|error| error.on(edge.name()))?;
        let on = |error: Error| error.on(edge.name());
        Ok(match next(&view, attached.load(Ordering::Relaxed)).map_err(on)? {
            Step::Done(since) => Look::Done(since),
            Step::Wait(why) => Look::Not(why),
            Step::Mark(mark) => {
                let tags = mark.to_tags()?;
                let gone: Vec<&str> = KEYS.into_iter().filter(|key| tags.get(key).is_none()).collect();
                let had =
                    view.mark.as_ref().is_ok_and(|mark| mark.as_ref().is_some_and(|mark| mark.cut.is_some()));
                // A moment that another fence noted is none of this one's: it goes first.
                if had && !gone.is_empty() {
                    edge.untag(cx, &gone).await.map_err(on)?;
                }
                edge.tag(cx, &tags).await.map_err(on)?;
                Look::Not("its security groups are noted on it".to_owned())
            }
            Step::Attach(groups) => {
                changed(edge.attach(cx, &groups).await).map_err(on)?;
                attached.store(true, Ordering::Relaxed);
                Look::Not(format!("security groups {} are attached", groups.join(" and ")))
            }
            Step::Restart(members) => {
                let before = *restarted.lock().unwrap_or_else(PoisonError::into_inner);
                if before.is_none_or(|at| at.elapsed() > RESTART_AGAIN) {
                    for member in &members {
                        changed(edge.restart(cx, member).await).map_err(on)?;
                    }
                    *restarted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
                Look::Not(format!("{} starts anew", members.join(" and ")))
            }
            Step::Unmark => {
                edge.untag(cx, &KEYS).await.map_err(on)?;
                Look::Not("the note of its security groups is taken off".to_owned())
            }
        })
    })
    .await
}

/// Every request here may be repeated: a state that does not take it now, or a lost reply, is looked at again.
fn changed(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotReady => Err(error.transient(None)),
        other => other,
    }
}
