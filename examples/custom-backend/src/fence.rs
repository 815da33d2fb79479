//! Keeping a side from writing, with proof: nobody can come in, tried as callers do, and nobody is left.
//!
//! No setting is part of it. `CLIENT PAUSE` ends by itself; `min-replicas-to-write` and `replica-read-only` are undone by one
//! command of any session that may administer; a server that was only made a replica is a primary again after
//! `REPLICAOF NO ONE`. Accounts that are off let nobody in to say so. A session that is in already stays in when its account
//! is shut, so each is ended, and the list of clients is read until none is left. What is shut is written to the server's
//! file before it counts: a restart would open it again else.

use dr_core::resource::{
    Before, Cx, Diff, Effect, Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Holds, Prepared, Unfence,
    Unfenced,
};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use serde::{Deserialize, Serialize};

use crate::error::Trouble;
use crate::look::{Look, place};
use crate::note::{ACCOUNT, Kept, Note, Stage};
use crate::pair::{Pair, Server, end};
use crate::wire::{Reply, Session, command};

const POLL: std::time::Duration = std::time::Duration::from_millis(5);

/// What undo puts back.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    fenced: bool,
    /// The accounts that could write.
    users: Vec<String>,
}

#[async_trait]
impl Effect<Fence> for Pair {
    async fn prepare(&self, cx: &Cx, call: &Fence) -> Result<Prepared> {
        let server = self.server(call.side.side()?)?;
        let look = server.first_look(cx).await?;
        let open = look.why_open(&self.ours);
        let was = Was { fenced: open.is_none(), users: look.open_accounts(&self.ours) };
        let before = Before::of(&was)?;
        if open.is_none() && look.primary {
            return Ok(Prepared::already(before));
        }
        self.can_be_fenced(cx, server, &look).await?;
        let diff = Diff::one(server.address.clone(), "open to callers", "no login possible, none left");
        Ok(Prepared::would(diff, before))
    }

    async fn apply(&self, cx: &Cx, call: &Fence, _: &Prepared) -> Result<FenceOutcome> {
        let server = self.server(call.side.side()?)?;
        self.shut(cx, server).await.map(FenceOutcome::Confirmed)
    }

    async fn undo(&self, cx: &Cx, call: &Fence, was: &Before) -> Result<()> {
        let server = self.server(call.side.side()?)?;
        let was: Was = was.read()?;
        if was.fenced {
            return Ok(());
        }
        let failed = |trouble| server.failed(trouble);
        let mut session = server.alone(cx).await.map_err(failed)?;
        let look = Look::at(&mut session).await.map_err(failed)?;
        let theirs = |what: String| Err(Error::new(ErrorKind::Conflict, what).on(server.address.clone()));
        let open = look.open_accounts(&self.ours);
        match &look.note {
            None if was.users.iter().all(|user| open.contains(user)) => Ok(()),
            None => theirs("somebody else has shut accounts since".to_owned()),
            Some(note) if note.run != cx.run.as_str() => {
                theirs(format!("the run {} has fenced it since", note.run))
            }
            Some(note)
                if note.stage != Stage::Lifted && note.users.iter().any(|user| open.contains(user)) =>
            {
                theirs("somebody has let callers in again by hand".to_owned())
            }
            Some(note) => lift(&mut session, &look, note).await.map_err(failed),
        }
    }
}

#[async_trait]
impl Holds for Pair {
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        let server = self.server(side)?;
        let look = match server.look(cx).await {
            Ok(look) => look,
            Err(trouble) => return Ok(silent(&trouble)),
        };
        if !look.primary {
            return Ok(Fencing::Open { why: "it is a replica, and has no fence of its own".to_owned() });
        }
        match look.manager() {
            "none" => self.proof(cx, server, &look).await,
            manager => Ok(Fencing::Open { why: format!("`{manager}` could promote it again") }),
        }
    }
}

#[async_trait]
impl Effect<Unfence> for Pair {
    async fn prepare(&self, cx: &Cx, call: &Unfence) -> Result<Prepared> {
        let server = self.server(call.side.side()?)?;
        let look = server.first_look(cx).await?;
        Ok(match look.primary && look.note.is_none() {
            true => Prepared::already(Before::nothing()),
            false => {
                let diff = Diff::one(server.address.clone(), "fenced", "open to callers");
                Prepared::would(diff, Before::nothing())
            }
        })
    }

    async fn apply(&self, cx: &Cx, call: &Unfence, _: &Prepared) -> Result<Unfenced> {
        let side = call.side.side()?;
        let server = self.server(side)?;
        let look = server.first_look(cx).await?;
        if !look.primary {
            return Err(Error::refused("it is a replica: promote it instead").on(server.address.clone()));
        }
        if let Some(note) = &look.note {
            self.nobody_else_writes(cx, server, true).await?;
            let mut session = server.admin(cx).await.map_err(|trouble| server.failed(trouble))?;
            lift(&mut session, &look, note).await.map_err(|trouble| server.failed(trouble))?;
        }
        server.caller(cx.deadline).await.map_err(|trouble| server.failed(trouble))?;
        Ok(Unfenced { side: side.clone() })
    }

    /// Cancels: the fence holds, and nothing that was sent before can lift it any more.
    async fn undo(&self, cx: &Cx, call: &Unfence, _: &Before) -> Result<()> {
        let side = call.side.side()?;
        let server = self.server(side)?;
        server.alone(cx).await.map_err(|trouble| server.failed(trouble))?;
        match self.holds(cx, side).await? {
            Fencing::Confirmed(_) => Ok(()),
            other => Err(Error::new(ErrorKind::Conflict, format!("it takes writes, or could: {other:?}"))
                .on(server.address.clone())),
        }
    }
}

impl Pair {
    /// Shuts a primary. Convergent: each part looks whether it has been done.
    pub(crate) async fn shut(&self, cx: &Cx, server: &Server) -> Result<FenceProof> {
        let look = server.first_look(cx).await?;
        if look.why_open(&self.ours).is_some() || !look.primary {
            self.can_be_fenced(cx, server, &look).await?;
            self.shut_and_end(cx, server, look).await.map_err(|error| error.on(server.address.clone()))?;
        }
        let look = server.look(cx).await.map_err(|trouble| server.failed(trouble))?;
        match self.proof(cx, server, &look).await? {
            Fencing::Confirmed(proof) => Ok(proof),
            Fencing::Open { why } | Fencing::Unknown { why } => {
                Err(Error::new(ErrorKind::Refused, why).on(server.address.clone()))
            }
            Fencing::Hung => Err(server.failed(Trouble::Hung)),
            Fencing::Unreachable => Err(server.failed(Trouble::Silent)),
        }
    }

    async fn can_be_fenced(&self, cx: &Cx, server: &Server, look: &Look) -> Result<()> {
        let refused = |why: &str| Err(Error::refused(why).on(server.address.clone()));
        server.unmanaged(look)?;
        if !look.primary {
            return refused("it is a replica: there is nothing to keep from writing");
        }
        if look.users.iter().any(|user| user.name == self.ours && user.anybody) {
            return refused("our own account asks for no password: anybody could come in as us");
        }
        if !look.can_keep() {
            return refused("it runs without a configuration file: a restart would let callers in again");
        }
        // A fence that was begun has shut them already.
        if look.note.is_none()
            && let Err(trouble) = server.caller(cx.deadline).await
        {
            return Err(Error::refused(format!(
                "`{}` cannot come in before the fence: a trial after it would prove nothing",
                self.theirs
            ))
            .because(Error::from(trouble))
            .on(server.address.clone()));
        }
        Ok(())
    }

    async fn shut_and_end(&self, cx: &Cx, server: &Server, look: Look) -> Result<()> {
        let mut users = look.open_accounts(&self.ours);
        let known = look.note.iter().filter(|note| note.stage != Stage::Lifted).flat_map(|note| &note.users);
        users.extend(known.cloned());
        users.sort();
        users.dedup();
        let note = Note {
            run: cx.run.as_str().to_owned(),
            since: cx.now(),
            users: users.clone(),
            stage: Stage::Set,
        };
        let mut shutting = vec![note.set()];
        shutting.extend(users.iter().map(|user| account(user, "off")));
        shutting.push(look.keep_accounts());
        cx.progress.say(format!("shutting {}", server.address));
        let mut session = server.admin(cx).await?;
        server.can_be_written(&mut session, look.keep_accounts()).await?;
        session.at_once(&shutting).await?;

        // A session that comes in from here on has another number than any that came in before.
        let mut session = server.admin(cx).await?;
        let Reply::Number(number) = session.ask("CLIENT ID").await? else {
            return Err(Trouble::Nonsense("no number of our session".to_owned()).into());
        };
        let before = number.unsigned_abs();
        let look = loop {
            let look = Look::at(&mut session).await?;
            let left = look.left(&self.ours, before);
            if left.is_empty() {
                break look;
            }
            for id in &left {
                end(&mut session, *id).await?;
            }
            if cx.left() <= POLL {
                return Err(Error::new(ErrorKind::Timeout, format!("{} sessions do not end", left.len())));
            }
            tokio::time::sleep(POLL).await;
        };
        let kept = Kept { life: look.life.clone(), before, replid: look.replid.clone(), end: look.offset };
        let note = Note { stage: Stage::Kept(kept), ..note };
        Ok(session.at_once(&[note.set(), look.keep_accounts()]).await?)
    }

    /// The proof, taken now: the accounts, the sessions, and a trial as callers come in.
    async fn proof(&self, cx: &Cx, server: &Server, look: &Look) -> Result<Fencing> {
        if let Some(why) = look.why_open(&self.ours) {
            return Ok(Fencing::Open { why });
        }
        let Some((note, kept)) = look.note.as_ref().and_then(|note| Some((note, note.kept()?))) else {
            return Ok(Fencing::Unknown { why: "it bears no note of a fence".to_owned() });
        };
        Ok(match server.caller(cx.deadline).await {
            Ok(_) => Fencing::Open { why: format!("`{}` can come in", self.theirs) },
            Err(Trouble::Denied(said)) if said.starts_with("WRONGPASS") || said.starts_with("NOAUTH") => {
                let proof = FenceProof::new(server.side.clone(), FenceHow::NoLogin, note.since);
                Fencing::Confirmed(proof.at(Some(place(kept.end))).surviving(true, true))
            }
            Err(Trouble::Denied(said)) => {
                Fencing::Unknown { why: format!("the trial as `{}` proves nothing: {said}", self.theirs) }
            }
            Err(trouble) => silent(&trouble),
        })
    }

    /// Refuses unless the other server is proven not to take writes. Unless `strictly`, silence may pass: then a fence or
    /// an accepted risk stands for it.
    pub(crate) async fn nobody_else_writes(&self, cx: &Cx, server: &Server, strictly: bool) -> Result<()> {
        let other = self.other(&server.side)?;
        match other.look(cx).await {
            Ok(look) if !self.takes_writes(&look) => Ok(()),
            Ok(_) => {
                Err(Error::new(ErrorKind::Conflict, "it takes writes too: two sides would").not_happened())
            }
            Err(_) if !strictly => Ok(()),
            Err(trouble) => Err(other.failed(trouble).not_happened()),
        }
        .map_err(|error| error.on(other.address.clone()))
    }
}

/// Lets everybody in again who was shut out. The note goes last: until then a repeat knows what is to be done.
pub(crate) async fn lift(session: &mut Session, look: &Look, note: &Note) -> Result<(), Trouble> {
    let mut lifting: Vec<_> = note.users.iter().map(|user| account(user, "on")).collect();
    lifting.push(Note { stage: Stage::Lifted, ..note.clone() }.set());
    lifting.push(look.keep_accounts());
    session.at_once(&lifting).await?;
    session.at_once(&[command(&format!("ACL DELUSER {ACCOUNT}")), look.keep_accounts()]).await
}

fn account(user: &str, how: &str) -> crate::wire::Command {
    command(&format!("ACL SETUSER {user} {how}"))
}

fn silent(trouble: &Trouble) -> Fencing {
    match trouble {
        Trouble::Hung => Fencing::Hung,
        Trouble::Silent | Trouble::Closed | Trouble::Broken => Fencing::Unreachable,
        Trouble::Denied(_) | Trouble::Said(_) | Trouble::Nonsense(_) => {
            Fencing::Unknown { why: trouble.to_string() }
        }
    }
}
