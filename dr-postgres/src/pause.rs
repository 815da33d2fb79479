//! Stopping a copy from applying, and letting it go on.

use std::time::Duration;

use dr_core::resource::{Before, Cx, Diff, Effect, Pause, Paused, Prepared, Unpause};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use tokio::time::sleep;

use crate::lsn::Lsn;
use crate::node::Node;
use crate::store::{Servers, Store};

const STATE: &str = "select pg_is_in_recovery() as recovering,
  case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() end as state,
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end as replayed";

#[async_trait]
impl Effect<Pause> for Store {
    async fn prepare(&self, cx: &Cx, call: &Pause) -> Result<Prepared> {
        prepare(cx, self.side(call.side.side()?)?, true).await
    }

    async fn apply(&self, cx: &Cx, call: &Pause, _: &Prepared) -> Result<Paused> {
        set(cx, self.side(call.side.side()?)?, true).await
    }

    async fn undo(&self, cx: &Cx, call: &Pause, was: &Before) -> Result<()> {
        undo(cx, self.side(call.side.side()?)?, was, true).await
    }
}

#[async_trait]
impl Effect<Unpause> for Store {
    async fn prepare(&self, cx: &Cx, call: &Unpause) -> Result<Prepared> {
        prepare(cx, self.side(call.side.side()?)?, false).await
    }

    async fn apply(&self, cx: &Cx, call: &Unpause, _: &Prepared) -> Result<Paused> {
        set(cx, self.side(call.side.side()?)?, false).await
    }

    async fn undo(&self, cx: &Cx, call: &Unpause, was: &Before) -> Result<()> {
        undo(cx, self.side(call.side.side()?)?, was, false).await
    }
}

/// How a copy applies what it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replay {
    Applies,
    /// It will stand still, and no more is known.
    AskedToStop,
    StandsStill,
}

impl Replay {
    /// Whether it is so for certain.
    fn is(self, paused: bool) -> bool {
        match self {
            Self::Applies => !paused,
            Self::StandsStill => paused,
            Self::AskedToStop => false,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Applies => "applies",
            Self::AskedToStop => "is asked to stand still",
            Self::StandsStill => "stands still",
        }
    }
}

async fn prepare(cx: &Cx, side: &Servers, paused: bool) -> Result<Prepared> {
    let mut was = Vec::new();
    let mut diff = Diff::default();
    let wanted = if paused { Replay::StandsStill } else { Replay::Applies };
    for node in &side.nodes {
        let (replay, _) = read(cx, node).await?;
        was.push(replay != Replay::Applies);
        if !replay.is(paused) {
            diff = diff.and(node.name.clone(), replay.word(), wanted.word());
        }
    }
    let before = Before::of(&was)?;
    Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
}

async fn set(cx: &Cx, side: &Servers, paused: bool) -> Result<Paused> {
    let mut position = None;
    for node in &side.nodes {
        position = position.max(set_node(cx, node, paused).await?);
    }
    Ok(Paused { side: Side::clone(&side.side), paused, position: position.map(Into::into) })
}

async fn set_node(cx: &Cx, node: &Node, paused: bool) -> Result<Option<Lsn>> {
    let (replay, position) = read(cx, node).await?;
    if replay.is(paused) {
        return Ok(position);
    }
    let sql = if paused { "select pg_wal_replay_pause()" } else { "select pg_wal_replay_resume()" };
    node.rows(sql, cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
    loop {
        let (replay, position) = read(cx, node).await?;
        if replay.is(paused) {
            return Ok(position);
        }
        if cx.left() < Duration::from_millis(10) {
            return Err(Error::new(ErrorKind::Timeout, "asked for, and not so yet").on(node.name.clone()));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn undo(cx: &Cx, side: &Servers, was: &Before, did: bool) -> Result<()> {
    let was: Vec<bool> = was.read()?;
    for (node, was) in side.nodes.iter().zip(was) {
        if was != did {
            still_a_copy(cx, node).await?;
            set_node(cx, node, was).await?;
        }
    }
    Ok(())
}

/// A promotion since is somebody else's change.
async fn still_a_copy(cx: &Cx, node: &Node) -> Result<()> {
    let row = node.row(STATE, cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
    if row.flag("recovering") == Some(false) {
        return Err(Error::new(ErrorKind::Conflict, "it was promoted since: there is nothing to put back")
            .not_happened()
            .on(node.name.clone()));
    }
    Ok(())
}

/// Whether it applies, and up to where it has. A primary does not.
async fn read(cx: &Cx, node: &Node) -> Result<(Replay, Option<Lsn>)> {
    let row = node.row(STATE, cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
    match (row.flag("recovering"), row.text("state")) {
        (Some(true), Some("not paused")) => Ok((Replay::Applies, row.value("replayed"))),
        (Some(true), Some("pause requested")) => Ok((Replay::AskedToStop, row.value("replayed"))),
        (Some(true), Some("paused")) => Ok((Replay::StandsStill, row.value("replayed"))),
        (Some(false), _) => {
            Err(Error::refused("it is a primary: there is nothing to pause").on(node.name.clone()))
        }
        _ => Err(Error::new(ErrorKind::Unknown, "whether it is paused could not be read")
            .not_happened()
            .on(node.name.clone())),
    }
}
