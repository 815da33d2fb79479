//! Keeping a side from writing, with proof: stopped and barred where its servers can be controlled, else by its logins.

use std::time::Duration;

use dr_core::resource::{
    Before, Cx, Diff, Effect, Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Holds, Prepared, Unfence,
    Unfenced, Urgency,
};
use dr_core::time::Timestamp;
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::control::{Control, Stop};
use crate::control_data::{Files, ServerState};
use crate::error::Trouble;
use crate::lsn::Lsn;
use crate::node::Node;
use crate::store::{Servers, Store};

/// How long an unplanned run waits for a clean stop, and then for an immediate one.
const CLEAN: Duration = Duration::from_secs(5);
const IMMEDIATE: Duration = Duration::from_secs(7);
/// How long an address is asked after its control has said that nothing runs there.
const GLANCE: Duration = Duration::from_millis(300);
const WRONG_CONTROL: &str = "its control says that it is stopped, and its address still takes writes: does `data` belong to that server?";
/// How long an undone fence waits for the other sides' receivers.
const ATTACH: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(5);

#[derive(Debug, Serialize, Deserialize)]
struct Was {
    nodes: Vec<NodeWas>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NodeWas {
    node: String,
    running: bool,
    barred: bool,
}

#[async_trait]
impl Effect<Fence> for Store {
    async fn prepare(&self, cx: &Cx, call: &Fence) -> Result<Prepared> {
        let side = self.side(call.side.side()?)?;
        side.unmanaged()?;
        if !side.is_controlled() {
            return self.prepare_login_fence(cx, side).await;
        }
        let mut was = Was { nodes: Vec::new() };
        let mut diff = Diff::default();
        let mut unknown = None;
        for (node, _, files) in side.files(cx.deadline).await {
            match files {
                Ok(files) => {
                    let barred = files.barred.is_some();
                    was.nodes.push(NodeWas { node: node.name.clone(), running: files.postmaster, barred });
                    if !files.is_stopped_and_barred() {
                        let from = if files.postmaster { "runs" } else { "is down, not barred" };
                        diff = diff.and(node.name.clone(), from, "stopped and barred from starting");
                    }
                }
                Err(trouble) => unknown = Some(format!("{}: {trouble}", node.name)),
            }
        }
        if diff.0.is_empty() && unknown.is_none() && side.answers_as_a_writer(cx).await.is_some() {
            unknown = Some(WRONG_CONTROL.to_owned());
        }
        let before = Before::of(&was)?;
        Ok(match unknown {
            Some(why) => Prepared::unknown(why, before),
            None if diff.0.is_empty() => Prepared::already(before),
            None => Prepared::would(diff, before),
        })
    }

    async fn apply(&self, cx: &Cx, call: &Fence, _: &Prepared) -> Result<FenceOutcome> {
        let side = self.side(call.side.side()?)?;
        side.unmanaged()?;
        if !side.is_controlled() {
            return self.apply_login_fence(cx, side).await.map(FenceOutcome::Confirmed);
        }
        let now = cx.now();
        let stopped = join_all(side.controlled().map(|(node, control)| stop(cx, node, control, now))).await;
        let mut files = Vec::new();
        for stopped in stopped {
            files.push(stopped?);
        }
        if let Some(node) = side.answers_as_a_writer(cx).await {
            return Err(Error::new(ErrorKind::Conflict, WRONG_CONTROL).on(node.name.clone()));
        }
        side.stopped_proof(&files, now).map(FenceOutcome::Confirmed).ok_or_else(|| {
            Error::new(
                ErrorKind::NotReady,
                "a server was started again while it was being fenced: a supervisor restarts it",
            )
            .on(side.side.to_string())
        })
    }

    async fn undo(&self, cx: &Cx, call: &Fence, was: &Before) -> Result<()> {
        let side = self.side(call.side.side()?)?;
        self.nobody_else_writes(cx, side, false).await?;
        if !side.is_controlled() {
            return self.undo_login_fence(cx, side).await;
        }
        let was: Was = was.read()?;
        for (node, control) in side.controlled() {
            let Some(was) = was.nodes.iter().find(|was| was.node == node.name) else { continue };
            let files = control.files(cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
            if let Some(barred) = files.barred.filter(|_| !was.barred) {
                if barred.run != cx.run.as_str() {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!("it was barred by the run {} since", barred.run),
                    )
                    .on(node.name.clone()));
                }
                open_again(cx, node, control, was.running).await?;
            } else if was.running && !files.postmaster && !was.barred {
                open_again(cx, node, control, true).await?;
            }
        }
        self.await_receivers(cx, side).await;
        Ok(())
    }
}

#[async_trait]
impl Holds for Store {
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        let side = self.side(side)?;
        if side.config.manager != "none" {
            return Ok(Fencing::Open {
                why: format!("`{}` could promote one of its nodes", side.config.manager),
            });
        }
        if !side.is_controlled() {
            return self.login_fence_holds(cx, side).await;
        }
        let mut all = Vec::new();
        for (node, _, files) in side.files(cx.deadline).await {
            match files {
                Ok(files) if files.is_stopped_and_barred() => all.push(files),
                Ok(files) if files.postmaster || files.servers > 0 => {
                    return Ok(match node.endpoint.open(&node.admin, cx.deadline).await {
                        Err(Trouble::Hung(_)) => Fencing::Hung,
                        Ok(_) | Err(_) => Fencing::Open { why: format!("{} runs", node.name) },
                    });
                }
                Ok(_) => {
                    return Ok(Fencing::Open {
                        why: format!("{} is down and not barred from starting", node.name),
                    });
                }
                Err(trouble) => return Ok(without_control(cx, node, &trouble).await),
            }
        }
        if let Some(node) = side.answers_as_a_writer(cx).await {
            return Ok(Fencing::Open { why: format!("{}: {WRONG_CONTROL}", node.name) });
        }
        Ok(match side.stopped_proof(&all, cx.now()) {
            Some(proof) => Fencing::Confirmed(proof),
            None => Fencing::Unknown { why: "its files contradict each other".to_owned() },
        })
    }
}

#[async_trait]
impl Effect<Unfence> for Store {
    async fn prepare(&self, cx: &Cx, call: &Unfence) -> Result<Prepared> {
        let name = call.side.side()?;
        let side = self.side(name)?;
        Ok(match self.holds(cx, name).await? {
            Fencing::Confirmed(proof) => Prepared::would(
                Diff::one(name.to_string(), proof.how.to_string(), "accepts writes"),
                Before::nothing(),
            ),
            Fencing::Open { why } => match side.primary(cx.deadline).await {
                Ok(Some(_)) => Prepared::already(Before::nothing()),
                Ok(None) | Err(_) => {
                    Prepared::would(Diff::one(name.to_string(), why, "accepts writes"), Before::nothing())
                }
            },
            Fencing::Hung => Prepared::unknown("it accepts connections and never answers", Before::nothing()),
            Fencing::Unreachable => Prepared::unknown("it does not answer", Before::nothing()),
            Fencing::Unknown { why } => Prepared::unknown(why, Before::nothing()),
        })
    }

    async fn apply(&self, cx: &Cx, call: &Unfence, _: &Prepared) -> Result<Unfenced> {
        let name = call.side.side()?;
        let side = self.side(name)?;
        self.nobody_else_writes(cx, side, true).await?;
        if side.is_controlled() {
            for (node, control) in side.controlled() {
                open_again(cx, node, control, true).await?;
            }
        } else {
            self.lift_login_fence(cx, side).await?;
        }
        match side.primary(cx.deadline).await? {
            Some(_) => Ok(Unfenced { side: name.clone() }),
            None => Err(Error::refused("it was a standby before it was fenced: promote it instead")
                .on(name.to_string())),
        }
    }
}

impl Servers {
    /// Each node that can be controlled, with its control.
    pub(crate) fn controlled(&self) -> impl Iterator<Item = (&Node, &Control)> {
        self.nodes.iter().filter_map(|node| Some((node, node.control.as_ref()?)))
    }

    /// The files of every controlled node, read side by side.
    pub(crate) async fn files(&self, deadline: Instant) -> Vec<(&Node, &Control, Result<Files, Trouble>)> {
        join_all(self.controlled().map(|(node, control)| async move {
            let soon = deadline.min(Instant::now() + node.endpoint.patience());
            (node, control, control.files(soon).await)
        }))
        .await
    }

    /// A node that takes writes at its address although its control says that it is down. Asked briefly: the control is
    /// the proof, and a plan that pairs the wrong two must not pass for one.
    async fn answers_as_a_writer(&self, cx: &Cx) -> Option<&Node> {
        let soon = cx.deadline.min(Instant::now() + GLANCE);
        let glances = self.nodes.iter().map(|node| async move {
            let session = node.endpoint.open(&node.admin, soon).await.ok()?;
            let row = session.row("select pg_is_in_recovery() as recovering", soon).await.ok()?;
            (row.flag("recovering") != Some(true)).then_some(node)
        });
        join_all(glances).await.into_iter().flatten().next()
    }

    /// The proof, dated by the bars themselves.
    fn stopped_proof(&self, files: &[Files], now: Timestamp) -> Option<FenceProof> {
        if files.len() != self.nodes.len() || !files.iter().all(Files::is_stopped_and_barred) {
            return None;
        }
        let ends = files.iter().filter_map(|files| {
            let control = files.control.as_ref()?;
            (control.state == ServerState::ShutDown).then_some(control.checkpoint)
        });
        let bars = files.iter().filter_map(|files| files.barred.as_ref()?.since.parse().ok());
        let since = bars.max().unwrap_or(now);
        let proof = FenceProof::new(self.side.clone(), FenceHow::StoppedAndBarred, since);
        Some(proof.at(ends.max().map(Into::into)).surviving(true, true))
    }
}

/// The end of a cleanly stopped primary's log, if that is what it is.
pub(crate) fn clean_end(files: &Files) -> Option<Lsn> {
    let control = files.control.as_ref()?;
    (control.state == ServerState::ShutDown).then_some(control.checkpoint)
}

async fn stop(cx: &Cx, node: &Node, control: &Control, since: Timestamp) -> Result<Files> {
    let since = since.to_string();
    let bar = [cx.run.as_str(), node.side.as_str(), &since];
    let left = cx.left();
    let stages: &[(Stop, Duration)] = match cx.urgency {
        Urgency::Planned => &[(Stop::Fast, left.mul_f64(0.75))],
        Urgency::Unplanned => &[
            (Stop::Fast, CLEAN.min(left / 3)),
            (Stop::Immediate, IMMEDIATE.min(left / 3)),
            (Stop::Kill, Duration::from_secs(2)),
        ],
    };
    let mut last = None;
    for (how, within) in stages {
        cx.progress.say(format!("stopping {}", node.name));
        let fencing = control.fence(bar, *how, *within, cx.deadline);
        let fenced = tokio::select! {
            biased;
            fenced = fencing => fenced,
            silent = no_answer(node, control) => Err(silent),
        };
        match fenced {
            Ok(files) => return Ok(files),
            Err(trouble) if still_running(&trouble) => last = Some(trouble),
            Err(trouble) => {
                let why = without_control(cx, node, &trouble).await;
                return Err(unfenced(node, &why, trouble));
            }
        }
    }
    let hint = match cx.urgency {
        Urgency::Planned => {
            "it does not stop cleanly in time: a receiver does not confirm what it was sent, or a session holds on"
        }
        Urgency::Unplanned => "its processes cannot be killed",
    };
    Err(match last {
        Some(trouble) => {
            Error::new(ErrorKind::Timeout, hint).because(Error::from(trouble)).on(node.name.clone())
        }
        None => Error::new(ErrorKind::Timeout, hint).on(node.name.clone()),
    })
}

/// Returns when a control has stopped answering: a long stop is waited for, a black hole is not.
async fn no_answer(node: &Node, control: &Control) -> Trouble {
    let patience = node.endpoint.patience();
    loop {
        sleep(patience).await;
        if let Err(trouble @ Trouble::Silent(_)) = control.files(Instant::now() + patience).await {
            return trouble;
        }
    }
}

fn still_running(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Command { code, .. } if code == "9")
}

/// What the server itself says, where its control does not answer.
async fn without_control(cx: &Cx, node: &Node, trouble: &Trouble) -> Fencing {
    match node.endpoint.open(&node.admin, cx.deadline).await {
        Err(Trouble::Hung(_)) => Fencing::Hung,
        Err(Trouble::Silent(_) | Trouble::NoWay(_)) => Fencing::Unreachable,
        Ok(_) => Fencing::Open { why: format!("{} answers, and its control does not: {trouble}", node.name) },
        Err(said) => Fencing::Unknown { why: format!("{}: {said}; its control: {trouble}", node.name) },
    }
}

fn unfenced(node: &Node, found: &Fencing, trouble: Trouble) -> Error {
    let (kind, message) = match found {
        Fencing::Hung => (
            ErrorKind::Hung,
            "it accepts connections and never answers, and its control does not answer".to_owned(),
        ),
        Fencing::Unreachable => (ErrorKind::Unreachable, "neither it nor its control answers".to_owned()),
        Fencing::Open { why } | Fencing::Unknown { why } => (trouble.kind(), why.clone()),
        Fencing::Confirmed(_) => (ErrorKind::Unknown, "it is fenced".to_owned()),
    };
    Error::new(kind, message).because(Error::from(trouble)).on(node.name.clone())
}

/// Unbars a node and, if it should run, starts it and awaits its first answer.
async fn open_again(cx: &Cx, node: &Node, control: &Control, run: bool) -> Result<()> {
    let failed = |trouble| node.failed(trouble);
    let files = control.files(cx.deadline).await.map_err(failed)?;
    if files.following.is_some() {
        return Err(
            Error::refused("a rewind or copy of it is half-way: finish that first").on(node.name.clone())
        );
    }
    let recovering = "select pg_is_in_recovery() as recovering";
    let was_standby = files.barred.is_none() && files.standby_signal;
    if files.postmaster || files.servers > 0 {
        let answers = node.row(recovering, cx.deadline).await.ok().and_then(|row| row.flag("recovering"));
        if answers == Some(was_standby) && files.barred.is_none() {
            return Ok(());
        }
        if answers == Some(false) {
            // It runs as a primary, and the bar was set and its stop never came.
            return control.unbar(cx.deadline).await.map(drop).map_err(failed);
        }
        // It is stopping, or was started behind its bar as a standby.
        control.stop(Stop::Immediate, IMMEDIATE.min(cx.left()), cx.deadline).await.map_err(failed)?;
    }
    control.unbar(cx.deadline).await.map_err(failed)?;
    if !run {
        return Ok(());
    }
    control.start(cx.deadline).await.map_err(failed)?;
    await_answer(cx, node).await
}

/// Waits until a server that was started answers.
pub(crate) async fn await_answer(cx: &Cx, node: &Node) -> Result<()> {
    node.forget();
    loop {
        match node.row("select pg_is_in_recovery() as recovering", cx.deadline).await {
            Ok(_) => return Ok(()),
            Err(trouble) if cx.left() <= POLL => {
                return Err(Error::new(ErrorKind::Timeout, "it was started and does not answer")
                    .because(Error::from(trouble))
                    .on(node.name.clone()));
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

impl Store {
    /// Gives the copies of a side that was opened again a moment to attach: the world is then as it was. Those that stay
    /// away were away before, or show in the next observation.
    async fn await_receivers(&self, cx: &Cx, side: &Servers) {
        let until = cx.deadline.min(Instant::now() + ATTACH);
        let sql = "select pg_is_in_recovery() and not exists \
                   (select from pg_stat_wal_receiver where status = 'streaming') as away";
        let copies =
            self.sides.values().filter(|other| other.side != side.side).flat_map(|other| &other.nodes);
        join_all(copies.map(|node| async move {
            while let Ok(row) = node.row(sql, until).await
                && row.flag("away") == Some(true)
                && Instant::now() + POLL < until
            {
                sleep(POLL).await;
            }
        }))
        .await;
    }

    /// Refuses unless every node of every other side is proven not to be a writer. With `strictly`, silence is no proof.
    pub(crate) async fn nobody_else_writes(&self, cx: &Cx, side: &Servers, strictly: bool) -> Result<()> {
        let others = self.sides.values().filter(|other| other.side != side.side);
        for result in join_all(others.map(|other| self.cannot_write(cx, other, strictly))).await {
            result?;
        }
        Ok(())
    }

    async fn cannot_write(&self, cx: &Cx, other: &Servers, strictly: bool) -> Result<()> {
        if let Ok(Fencing::Confirmed(_)) = self.holds(cx, &other.side).await {
            return Ok(());
        }
        let sql = "select pg_is_in_recovery() as recovering, \
                   (pg_stat_file('promote.signal', true)).modification is not null as promoting";
        for (node, answer) in other.ask_all(sql, cx.deadline).await {
            let row = match answer {
                Ok(rows) => rows.into_iter().next_back(),
                Err(_) if !strictly => continue,
                Err(trouble) => return Err(node.failed(trouble).not_happened()),
            };
            let read = row.as_ref().map(|row| (row.flag("recovering"), row.flag("promoting")));
            if read != Some((Some(true), Some(false))) {
                return Err(Error::refused(match read {
                    Some((Some(false), _)) => "it is a primary: two sides would take writes",
                    Some((_, Some(true))) => "a promotion of it is pending: two sides would take writes",
                    _ => "whether it takes writes could not be read",
                })
                .on(node.name.clone())
                .with("side", other.side.to_string()));
            }
        }
        Ok(())
    }
}
