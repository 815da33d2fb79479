//! Making a side the writer, with proof that it is one; and the proof that it did not and will not become one.

use std::time::Duration;

use dr_core::resource::{Basis, Before, Cx, Diff, Effect, Prepared, Promote, Promotion};
use dr_core::{Error, ErrorKind, Happened, Result, Retry, async_trait};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::control::Stop;
use crate::control_data::ServerState;
use crate::error::Trouble;
use crate::fence::await_answer;
use crate::ledger;
use crate::login_fence;
use crate::lsn::Lsn;
use crate::node::Node;
use crate::observe::Look;
use crate::session::{Login, Session, literal};
use crate::store::{Servers, Store};

const POLL: Duration = Duration::from_millis(3);
/// A promotion's wake-up can be lost; a repeated request is harmless and wakes again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Nothing that moves by itself: a saved plan is held against it.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    node: String,
    timeline: Option<u64>,
}

#[async_trait]
impl Effect<Promote> for Store {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        let side = self.side(call.side.side()?)?;
        side.unmanaged()?;
        let (node, look) = candidate(cx, side).await?;
        let before = Before::of(&Was { node: node.name.clone(), timeline: look.timeline })?;
        if look.recovering {
            return Ok(Prepared::would(Diff::one(node.name.clone(), "standby", "primary"), before));
        }
        self.nobody_else_writes(cx, side, false).await.map_err(|error| {
            Error::new(ErrorKind::Conflict, "it is a primary already, and it is not the only one")
                .because(error)
        })?;
        let unfinished = "select to_regclass('public.dr_fence') is not null as fenced";
        let row = node.row(unfinished, cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
        let fenced = row.flag("fenced") != Some(false)
            && node
                .row("select count(*) > 0 as fenced from public.dr_fence", cx.deadline)
                .await
                .map_err(|trouble| node.failed(trouble))?
                .flag("fenced")
                != Some(false);
        Ok(if fenced {
            Prepared::would(Diff::one(node.name.clone(), "primary, fenced", "primary"), before)
        } else {
            Prepared::already(before)
        })
    }

    async fn apply(&self, cx: &Cx, call: &Promote, _: &Prepared) -> Result<Promotion> {
        let first = |error: Error| if cx.attempt == 1 { error.not_happened() } else { error };
        let name = call.side.side()?;
        let side = self.side(name)?;
        side.unmanaged()?;
        let Some(basis) = &call.basis else {
            return Err(first(Error::new(
                ErrorKind::Refused,
                "a promotion without a confirmed fence or an accepted risk",
            )));
        };
        let (node, look) = candidate(cx, side).await.map_err(first)?;
        if !look.recovering {
            return self.finish(cx, node, None, basis.clone().of_an_earlier_attempt(cx)).await;
        }
        let prove = async {
            match basis {
                Basis::Planned { fences } => self.prove(cx, node, &look, fences).await,
                Basis::Forced { .. } => Ok(()),
            }
        };
        // Callers' sessions are opened meanwhile; where a replicated fence denies them, they are opened after it is lifted.
        let (proven, callers) = tokio::join!(prove, Callers::open(cx, node));
        proven.map_err(|error| again(cx, error))?;
        request(cx, node).await?;
        self.finish(cx, node, callers.ok(), basis.clone()).await
    }

    /// Only where the server can be controlled: it is stopped after the request, and is in recovery since.
    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        let side = self.side(call.side.side()?)?;
        let was: Was = was.read()?;
        let node = side.nodes.iter().find(|node| node.name == was.node).ok_or_else(|| {
            Error::new(ErrorKind::Conflict, format!("the plan does not list {} any more", was.node))
                .not_happened()
        })?;
        let Some(control) = &node.control else {
            return Err(Error::new(
                ErrorKind::Refused,
                "without `control` nothing proves that a promotion that was asked for can no longer happen",
            )
            .on(node.name.clone()));
        };
        let failed = |trouble| node.failed(trouble);
        let too_late = || {
            Error::new(ErrorKind::Conflict, "too late: it was promoted already")
                .permanent()
                .on(node.name.clone())
        };
        if node.look(cx.deadline).await.is_ok_and(|look| !look.recovering) {
            return Err(too_late());
        }
        let within = Duration::from_secs(3).min(cx.left() / 4);
        let stopped = match control.stop(Stop::Fast, within, cx.deadline).await {
            Err(Trouble::Command { code, .. }) if code == "9" => {
                control.stop(Stop::Immediate, Duration::from_secs(8).min(cx.left() / 2), cx.deadline).await
            }
            stopped => stopped,
        };
        let files = match stopped {
            Err(Trouble::Command { code, .. }) if code == "9" => {
                control.stop(Stop::Kill, Duration::from_secs(2), cx.deadline).await.map_err(failed)?
            }
            stopped => stopped.map_err(failed)?,
        };
        let standby = files.control.as_ref().is_some_and(|control| {
            matches!(control.state, ServerState::ShutDownInRecovery | ServerState::InArchiveRecovery)
                && was.timeline.is_none_or(|timeline| control.timeline <= timeline)
        });
        if files.servers > 0 || !files.standby_signal || !standby {
            control.start(cx.deadline).await.map_err(failed)?;
            return Err(too_late());
        }
        control.forget_promotion(cx.deadline).await.map_err(failed)?;
        control.start(cx.deadline).await.map_err(failed)?;
        await_answer(cx, node).await?;
        let look = node.look(cx.deadline).await.map_err(failed)?;
        if look.recovering && (was.timeline.is_none() || look.timeline == was.timeline) {
            Ok(())
        } else {
            Err(too_late())
        }
    }
}

/// An error before the request of this attempt; only a first attempt proves that nothing was asked for.
fn again(cx: &Cx, error: Error) -> Error {
    if cx.attempt == 1 || error.happened() == Happened::Maybe {
        return error;
    }
    let hopeless = error.retry() == Retry::Permanent;
    let doubtful = Error::new(error.kind(), "the proof could not be taken").because(error);
    if hopeless { doubtful.permanent() } else { doubtful }
}

/// The side's primary, else its most advanced standby.
async fn candidate<'s>(cx: &Cx, side: &'s Servers) -> Result<(&'s Node, Look)> {
    let looks = futures_util::future::join_all(
        side.nodes.iter().map(|node| async move { (node, node.look(cx.deadline).await) }),
    )
    .await;
    let mut best: Option<(&Node, Look)> = None;
    let mut failure = None;
    for (node, look) in looks {
        match look {
            Err(trouble) => failure = Some(node.failed(trouble).not_happened()),
            Ok(look) => {
                let better = best.as_ref().is_none_or(|(_, other)| {
                    (!look.recovering, look.replayed) > (!other.recovering, other.replayed)
                });
                if !look.recovering && best.as_ref().is_some_and(|(_, other)| !other.recovering) {
                    return Err(
                        Error::new(ErrorKind::Conflict, "it has several primaries").on(side.side.to_string())
                    );
                }
                if better {
                    best = Some((node, look));
                }
            }
        }
    }
    match (best, failure) {
        (Some(best), _) => Ok(best),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Error::invalid("it has no nodes").on(side.side.to_string())),
    }
}

/// Asks for the promotion and watches it happen.
async fn request(cx: &Cx, node: &Node) -> Result<()> {
    let failed = |trouble| node.failed(trouble);
    cx.progress.say(format!("promoting {}", node.name));
    let session = node.session(cx.deadline).await.map_err(failed)?;
    let pending = || {
        Error::new(
            ErrorKind::Timeout,
            "it was asked to promote itself and does not say that it has: it may yet do it",
        )
        .on(node.name.clone())
    };
    let mut asked: Option<Instant> = None;
    loop {
        if asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
            match session.rows("select pg_promote(false)", cx.deadline).await {
                Ok(_) => {}
                // It left recovery between the question and the request.
                Err(Trouble::Said(..)) if asked.is_some() => {}
                Err(Trouble::Hung(_)) => return Err(pending()),
                Err(trouble) => return Err(failed(trouble)),
            }
            asked = Some(Instant::now());
        }
        let row = match session.row("select pg_is_in_recovery() as recovering", cx.deadline).await {
            Err(Trouble::Hung(_)) => return Err(pending()),
            row => row.map_err(failed)?,
        };
        match row.flag("recovering") {
            Some(false) => return Ok(()),
            Some(true) if cx.left() <= POLL => return Err(pending()),
            Some(true) => sleep(POLL).await,
            None => {
                return Err(failed(Trouble::Nonsense(
                    "whether it is in recovery could not be read".to_owned(),
                )));
            }
        }
    }
}

impl Store {
    /// Lifts what replicated, and proves that callers can write.
    async fn finish(
        &self,
        cx: &Cx,
        node: &Node,
        callers: Option<Callers>,
        basis: Basis,
    ) -> Result<Promotion> {
        let failed = |trouble| node.failed(trouble);
        login_fence::lift(node, cx.deadline).await.map_err(failed)?;
        ledger::ready(node, cx.deadline).await.map_err(failed)?;
        let callers = match callers {
            Some(callers) => callers,
            None => Callers::open(cx, node).await.map_err(failed)?,
        };
        let unbar = async {
            match &node.control {
                // Only a fence of an earlier run could have left a bar there; a primary must be able to restart.
                Some(control) => {
                    let soon = cx.deadline.min(Instant::now() + node.endpoint.connect_timeout);
                    control.unbar(soon).await.map(drop)
                }
                None => Ok(()),
            }
        };
        let written = async {
            callers.write_and_read_back(cx).await?;
            let first_write = cx.now();
            callers.clean_up(cx).await?;
            Ok(first_write)
        };
        let (written, unbarred, look) = tokio::join!(written, unbar, node.look(cx.deadline));
        let first_write = written.map_err(|trouble| match trouble {
            Trouble::Hung(_) => Error::new(
                ErrorKind::Timeout,
                "it is a primary and the first write does not come back: synchronous_standby_names waits for a standby?",
            )
            .on(node.name.clone()),
            trouble => failed(trouble),
        })?;
        if let Err(trouble) = unbarred {
            cx.progress.say(format!(
                "{}: its control does not answer ({trouble}); no bar was looked for",
                node.name
            ));
        }
        let look = look.map_err(failed)?;
        let began = look.history.as_ref().and_then(|history| history.switches.last()).map(|(_, at)| *at);
        Ok(Promotion::new(node.side.clone(), first_write, basis)
            .on(look.timeline, began.map(|at: Lsn| at.into())))
    }
}

/// Two sessions as callers have them: their role, the address in the plan, the server's own defaults.
struct Callers {
    writer: Session,
    reader: Session,
}

impl Callers {
    async fn open(cx: &Cx, node: &Node) -> Result<Self, Trouble> {
        let login = node.application.as_ref().unwrap_or(&node.admin);
        let plain = Login { options: "", ..login.clone() };
        let open = || node.endpoint.open(&plain, cx.deadline);
        let (writer, reader) = tokio::try_join!(open(), open())?;
        Ok(Self { writer, reader })
    }

    fn book(cx: &Cx) -> String {
        literal(&format!("{}#promoted", cx.run))
    }

    /// A row that one session committed and the other sees.
    async fn write_and_read_back(&self, cx: &Cx) -> Result<(), Trouble> {
        let (book, row) = (Self::book(cx), cx.attempt);
        let insert =
            format!("insert into public.dr_ledger (book, row) values ({book}, {row}) on conflict do nothing");
        self.writer.rows(&insert, cx.deadline).await?;
        let question =
            format!("select count(*) as rows from public.dr_ledger where book = {book} and row = {row}");
        match self.reader.row(&question, cx.deadline).await?.value::<u64>("rows") {
            Some(1) => Ok(()),
            _ => Err(Trouble::Nonsense("a row was committed and cannot be read back".to_owned())),
        }
    }

    /// The row has done its work; a drill leaves nothing behind.
    async fn clean_up(&self, cx: &Cx) -> Result<(), Trouble> {
        let delete = format!("delete from public.dr_ledger where book = {}", Self::book(cx));
        self.writer.rows(&delete, cx.deadline).await.map(drop)
    }
}
