//! Making the old primary a replica of the new one.

use std::time::Duration;

use dr_core::resource::{Before, Cx, Diff, Effect, Follow, FollowHow, Following, Prepared};
use dr_core::{Error, ErrorKind, Result, async_trait};

use crate::config::parts;
use crate::fence::lift;
use crate::look::Look;
use crate::note::Note;
use crate::pair::{Pair, Server};
use crate::wire::command;

const POLL: Duration = Duration::from_millis(20);

/// How what a server has stands to what another has.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    /// The other has all of it.
    Contained,
    /// It has more, behind the place where they parted.
    Ahead { fork: u64, bytes: u64 },
    /// Nothing says what it has that the other has not.
    Foreign,
}

#[async_trait]
impl Effect<Follow> for Pair {
    async fn prepare(&self, cx: &Cx, call: &Follow) -> Result<Prepared> {
        let (server, of) = (self.server(call.side.side()?)?, self.server(call.of.side()?)?);
        let (look, writer) = (server.first_look(cx).await?, of.first_look(cx).await?);
        if follows(&look, of, &writer) && look.note.is_none() {
            return Ok(Prepared::already(Before::nothing()));
        }
        let from = if look.primary { "a primary" } else { "follows nobody" };
        let diff = Diff::one(server.address.clone(), from, format!("follows {}", of.address));
        Ok(Prepared::would(diff, Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &Follow, _: &Prepared) -> Result<Following> {
        let (server, of) = (self.server(call.side.side()?)?, self.server(call.of.side()?)?);
        if server.side == of.side {
            return Err(Error::invalid("a side cannot follow itself"));
        }
        let (mut look, writer) = (server.first_look(cx).await?, of.first_look(cx).await?);
        let how = FollowHow::Attached;
        if follows(&look, of, &writer) && look.note.is_none() {
            return Ok(Following::new(server.side.clone(), FollowHow::Already));
        }
        server.unmanaged(&look)?;
        of.unmanaged(&writer)?;
        if !writer.primary || !self.takes_writes(&writer) {
            let why = format!("{} is no primary that takes writes", of.address);
            return Err(Error::new(ErrorKind::NotReady, why).not_happened());
        }
        let failed = |trouble| server.failed(trouble);
        if look.primary {
            // Nobody may write to it between the question what it has and its becoming a copy.
            self.shut(cx, server).await?;
            look = server.look(cx).await.map_err(failed)?;
        }
        let how = match relation(&look, &writer) {
            Relation::Contained => how,
            _ if look.is_empty => FollowHow::Reseeded,
            Relation::Ahead { fork, bytes } => return Err(diverged(server, Some((fork, bytes)))),
            Relation::Foreign => return Err(diverged(server, None)),
        };
        if look.primary || look.follows.as_deref() != Some(&of.replicates_at) {
            let (host, port) = parts(&of.replicates_at)
                .ok_or_else(|| Error::invalid(format!("`{}` is no address", of.replicates_at)))?;
            cx.progress.say(format!("{} becomes a replica of {}", server.address, of.address));
            let following = [
                command("CONFIG SET replica-read-only yes"),
                command(&format!("REPLICAOF {host} {port}")),
                command("CONFIG REWRITE"),
            ];
            server.admin(cx).await.map_err(failed)?.at_once(&following).await.map_err(failed)?;
        }
        let look = self.streaming(cx, server, of).await?;
        if let Some(note) = &look.note {
            let mut session = server.admin(cx).await.map_err(failed)?;
            lift(&mut session, &look, note).await.map_err(failed)?;
        }
        Ok(Following::new(server.side.clone(), how))
    }
}

impl Pair {
    async fn streaming(&self, cx: &Cx, server: &Server, of: &Server) -> Result<Look> {
        loop {
            let writer = of.look(cx).await.map_err(|trouble| of.failed(trouble))?;
            let look = server.look(cx).await.map_err(|trouble| server.failed(trouble))?;
            if follows(&look, of, &writer) {
                return Ok(look);
            }
            if cx.left() <= POLL {
                let why =
                    "it was told to follow and has no link: are `masteruser` and `masterauth` right there?";
                return Err(Error::new(ErrorKind::Timeout, why).on(server.address.clone()));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn follows(look: &Look, of: &Server, writer: &Look) -> bool {
    !look.primary
        && look.streams
        && look.read_only
        && look.follows.as_deref() == Some(&of.replicates_at)
        && look.replid == writer.replid
}

/// What a server has that a writer has not. A fenced primary's log goes on behind its fence, by its own pings to replicas:
/// what counts is where it was fenced.
fn relation(look: &Look, writer: &Look) -> Relation {
    let fenced = look.note.as_ref().and_then(Note::kept).filter(|_| look.primary);
    let (replid, end) = fenced.map_or((&look.replid, look.offset), |kept| (&kept.replid, kept.end));
    let fork = match &writer.parent {
        _ if writer.replid == *replid => writer.offset,
        Some((parent, fork)) if parent == replid => *fork,
        _ => return Relation::Foreign,
    };
    match end.checked_sub(fork) {
        None | Some(0) => Relation::Contained,
        Some(bytes) => Relation::Ahead { fork, bytes },
    }
}

/// A replica that copies anew throws its data away, and Redis keeps no copy of it: that is for a person to do.
fn diverged(server: &Server, ahead: Option<(u64, u64)>) -> Error {
    let what = match ahead {
        Some((fork, bytes)) => format!("{bytes} bytes of its log are its own, behind {fork}"),
        None => "it is on another history, and nothing says what it alone has".to_owned(),
    };
    Error::new(
        ErrorKind::Refused,
        format!("{what}: save them (redis-cli --rdb FILE), empty it (FLUSHALL), and it may follow"),
    )
    .on(server.address.clone())
}
