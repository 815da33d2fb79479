//! The proof of a planned promotion: nothing that was acknowledged is missing.

use std::time::Duration;

use dr_core::resource::{Cx, FenceHow, FenceProof, Fencing, Holds};
use dr_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep};

use crate::fence::clean_end;
use crate::lsn::{History, Lsn};
use crate::node::Node;
use crate::observe::Look;
use crate::store::{Servers, Store};

const POLL: Duration = Duration::from_millis(3);

/// Where the source's log ends, and whose it is.
struct End {
    system: String,
    timeline: u64,
    at: Mark,
}

/// How a replayed position must stand to the end.
#[derive(Clone, Copy)]
enum Mark {
    /// Beyond the beginning of the last record.
    Beyond(Lsn),
    /// At the end of the last record.
    At(Lsn),
}

impl Store {
    /// Waits, at most until the deadline, until the target has everything that a fenced source acknowledged.
    pub(crate) async fn prove(
        &self,
        cx: &Cx,
        target: &Node,
        look: &Look,
        fences: &[FenceProof],
    ) -> Result<()> {
        let mut proven = 0;
        for fence in fences.iter().filter(|fence| fence.side != target.side) {
            let Some(source) = self.sides.get(&fence.side) else { continue };
            let end = match fence.how {
                FenceHow::StoppedAndBarred => self.stopped_end(cx, source).await?,
                FenceHow::NoLogin => self.switched_end(cx, source).await?,
                FenceHow::CutOff | FenceHow::Lease | FenceHow::NoWriters => continue,
            };
            same_line(&end, look)?;
            reached(cx, target, end.at).await?;
            proven += 1;
        }
        if proven == 0 {
            return Err(not_ready(
                "no fence of the source fixes the end of its log: stop it, or close its logins",
            ));
        }
        Ok(())
    }

    async fn stopped_end(&self, cx: &Cx, source: &Servers) -> Result<End> {
        let mut ends = Vec::new();
        for (node, _, files) in source.files(cx.deadline).await {
            let files = files.map_err(|trouble| node.failed(trouble).not_happened())?;
            if !files.is_stopped_and_barred() {
                return Err(not_ready("the source is not stopped and barred any more").on(node.name.clone()));
            }
            if let (Some(at), Some(control)) = (clean_end(&files), &files.control) {
                let timeline = files.history().map_or(control.timeline, |history| history.timeline);
                ends.push(End { system: control.system.clone(), timeline, at: Mark::Beyond(at) });
            } else if let Some(control) = files.control
                && !matches!(control.state, crate::control_data::ServerState::ShutDownInRecovery)
            {
                return Err(not_ready(format!(
                    "the source did not stop cleanly: its control file says `{}`",
                    control.state_text
                ))
                .permanent()
                .on(node.name.clone()));
            }
        }
        match ends.len() {
            1 => ends.pop().ok_or_else(|| not_ready("no end")),
            0 => Err(not_ready("no node of the source was a primary that stopped cleanly").permanent()),
            _ => {
                Err(Error::new(ErrorKind::Conflict, "several nodes of the source were primaries")
                    .not_happened())
            }
        }
    }

    /// The end of a fenced log: a record written after everybody had gone. The current position proves nothing: with
    /// asynchronous commits it lags what was acknowledged.
    async fn switched_end(&self, cx: &Cx, source: &Servers) -> Result<End> {
        match self.holds(cx, &source.side).await? {
            Fencing::Confirmed(_) => {}
            Fencing::Open { why } | Fencing::Unknown { why } => {
                return Err(not_ready(format!("its fence does not hold: {why}")));
            }
            Fencing::Hung | Fencing::Unreachable => {
                return Err(not_ready("the fenced source does not answer"));
            }
        }
        let Some(node) = source.primary(cx.deadline).await? else {
            return Err(not_ready("the fenced source is no primary"));
        };
        let failed = |trouble| node.failed(trouble).not_happened();
        let mark = "select pg_logical_emit_message(false, 'dr', 'fenced')";
        node.row(mark, cx.deadline).await.map_err(failed)?;
        let row = node.row("select pg_switch_wal() as at", cx.deadline).await.map_err(failed)?;
        let look = node.look(cx.deadline).await.map_err(failed)?;
        match (look.system, look.timeline, row.value::<Lsn>("at")) {
            (Some(system), Some(timeline), Some(at)) => Ok(End { system, timeline, at: Mark::At(at) }),
            _ => Err(not_ready("the end of its log could not be read").on(node.name.clone())),
        }
    }
}

fn same_line(end: &End, look: &Look) -> Result<()> {
    if look.system.as_ref() != Some(&end.system) {
        return Err(Error::refused(
            "source and target are not copies of one another: their system identifiers differ",
        ));
    }
    let descends = match (&look.history, look.timeline) {
        (Some(history), _) => is_in(history, end),
        (None, timeline) => timeline == Some(end.timeline),
    };
    if descends {
        return Ok(());
    }
    Err(Error::refused(format!(
        "the source's timeline {} is not in the target's history (timeline {})",
        end.timeline,
        look.timeline.map_or("unknown".to_owned(), |timeline| timeline.to_string())
    )))
}

fn is_in(history: &History, end: &End) -> bool {
    let (Mark::Beyond(at) | Mark::At(at)) = end.at;
    history.timeline == end.timeline || history.end_of(end.timeline).is_some_and(|left| left > at)
}

async fn reached(cx: &Cx, target: &Node, end: Mark) -> Result<()> {
    // Some of the deadline is left for the promotion itself.
    let until = Instant::now() + cx.left().mul_f64(0.7);
    loop {
        let row = target
            .row("select pg_last_wal_replay_lsn() as replayed", cx.deadline)
            .await
            .map_err(|trouble| target.failed(trouble).not_happened())?;
        let replayed = row.value::<Lsn>("replayed");
        let there = replayed.is_some_and(|replayed| match end {
            Mark::Beyond(start) => replayed > start,
            Mark::At(end) => replayed >= end,
        });
        if there {
            return Ok(());
        }
        if Instant::now() >= until {
            let (Mark::Beyond(at) | Mark::At(at)) = end;
            let replayed = replayed.map_or("an unknown position".to_owned(), |replayed| replayed.to_string());
            return Err(not_ready(format!(
                "it has replayed up to {replayed}, and the source's log ends after {at}"
            ))
            .on(target.name.clone()));
        }
        sleep(POLL).await;
    }
}

fn not_ready(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::NotReady, message).not_happened()
}
