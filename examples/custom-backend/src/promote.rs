//! Making a side the writer, and the proof that nothing acknowledged is missing there.

use dr_core::resource::{Basis, Before, Cx, Diff, Effect, Prepared, Promote, Promotion};
use dr_core::{Error, ErrorKind, Result, async_trait};
use serde::{Deserialize, Serialize};

use crate::error::Trouble;
use crate::fence::lift;
use crate::look::{Look, place};
use crate::note::Note;
use crate::pair::{Pair, Server};
use crate::wire::{Reply, command};

/// Nothing that moves by itself: a saved plan is held against it.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    primary: bool,
}

#[async_trait]
impl Effect<Promote> for Pair {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        let server = self.server(call.side.side()?)?;
        let look = server.first_look(cx).await?;
        let before = Before::of(&Was { primary: look.primary })?;
        let from = match (look.primary, self.takes_writes(&look)) {
            (true, true) => {
                self.nobody_else_writes(cx, server, false).await?;
                return Ok(Prepared::already(before));
            }
            (true, false) => "primary, fenced",
            (false, _) => "replica",
        };
        Ok(Prepared::would(Diff::one(server.address.clone(), from, "primary"), before))
    }

    async fn apply(&self, cx: &Cx, call: &Promote, _: &Prepared) -> Result<Promotion> {
        let server = self.server(call.side.side()?)?;
        let basis = grounded(call)?;
        let look = server.first_look(cx).await?;
        server.unmanaged(&look)?;
        if look.primary {
            self.nobody_else_writes(cx, server, false).await?;
            return self.finish(cx, server, basis.of_an_earlier_attempt(cx)).await;
        }
        if let Basis::Planned { .. } = &basis {
            self.nothing_is_missing(cx, server, &look).await?;
        }
        cx.progress.say(format!("promoting {}", server.address));
        // One moment: no write is acknowledged to a primary that a restart would make a replica again.
        let failed = |trouble| server.failed(trouble);
        let mut session = server.admin(cx).await.map_err(failed)?;
        server.can_be_written(&mut session, command("CONFIG REWRITE")).await?;
        session.at_once(&[command("REPLICAOF NO ONE"), command("CONFIG REWRITE")]).await.map_err(failed)?;
        self.finish(cx, server, basis).await
    }

    /// Cancels: what this step sent before and the server has not read dies with its session. A replica that is one
    /// after that will not be promoted by us any more.
    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        let server = self.server(call.side.side()?)?;
        let was: Was = was.read()?;
        let failed = |trouble| server.failed(trouble);
        let look = Look::at(&mut server.alone(cx).await.map_err(failed)?).await.map_err(failed)?;
        if look.primary || was.primary {
            return Err(Error::new(ErrorKind::Conflict, "too late: it is a primary")
                .permanent()
                .on(server.address.clone()));
        }
        Ok(())
    }
}

fn grounded(call: &Promote) -> Result<Basis> {
    match &call.basis {
        Some(Basis::Planned { fences }) if fences.is_empty() => None,
        Some(Basis::Forced { fences, risk, .. }) if fences.is_empty() && risk.is_none() => None,
        basis => basis.clone(),
    }
    .ok_or_else(|| Error::refused("a promotion without a confirmed fence or an accepted risk"))
}

impl Pair {
    /// The planned proof. Nobody can write to the old primary, since a place in its log that is known; and the replica, in
    /// the same history, has applied as much.
    async fn nothing_is_missing(&self, cx: &Cx, server: &Server, look: &Look) -> Result<()> {
        let not_yet = |why: String| Error::new(ErrorKind::NotReady, why).not_happened();
        let other = self.other(&server.side)?;
        let source = other.look(cx).await;
        let source = source.map_err(|trouble| not_yet(format!("{}: {trouble}", other.address)))?;
        if let Some(why) = source.why_open(&self.ours) {
            return Err(not_yet(format!("{} still takes writes: {why}", other.address)));
        }
        let Some(kept) = source.note.as_ref().and_then(Note::kept) else {
            return Err(not_yet(format!("{} does not say where its log ended", other.address)));
        };
        if kept.replid != look.replid {
            let why = format!("{} is on another history than {}", server.address, other.address);
            return Err(not_yet(why).permanent());
        }
        if look.offset < kept.end {
            let missing = kept.end - look.offset;
            return Err(not_yet(format!("{missing} bytes of the log of {} are missing", other.address)));
        }
        Ok(())
    }

    /// Opens it to callers, and proves that they can write.
    async fn finish(&self, cx: &Cx, server: &Server, basis: Basis) -> Result<Promotion> {
        let failed = |trouble| server.failed(trouble);
        let mut session = server.admin(cx).await.map_err(failed)?;
        let look = Look::at(&mut session).await.map_err(failed)?;
        if let Some(note) = &look.note {
            lift(&mut session, &look, note).await.map_err(failed)?;
        }
        session.ask("CONFIG REWRITE").await.map_err(failed)?;
        write_and_read_back(cx, server).await.map_err(failed)?;
        let began = look.parent.map(|(_, end)| place(end));
        Ok(Promotion::new(server.side.clone(), cx.now(), basis).on(None, began))
    }
}

/// A row that one session of a caller's wrote and another reads. A drill leaves nothing behind.
async fn write_and_read_back(cx: &Cx, server: &Server) -> Result<(), Trouble> {
    let (mut writer, mut reader) = tokio::try_join!(server.caller(cx.deadline), server.caller(cx.deadline))?;
    let key = format!("dr:promoted:{}", cx.run);
    let row = cx.attempt.to_string();
    writer.ask(&format!("SET {key} {row}")).await?;
    if reader.ask(&format!("GET {key}")).await? != Reply::Text(row) {
        return Err(Trouble::Nonsense("a row was written and cannot be read back".to_owned()));
    }
    writer.ask(&format!("DEL {key}")).await.map(drop)
}
