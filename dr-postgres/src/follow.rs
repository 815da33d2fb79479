//! Making a side a copy of the writer again: attach, rewind or copy anew; the old data kept, what it alone had counted.
//!
//! A marker beside the data directory stands from before the first change until the node may start: whatever dies in
//! between leaves a node that no start gate starts, and a repeat that finds the marker copies anew from the writer.

use std::collections::BTreeSet;
use std::time::Duration;

use dr_core::resource::{
    Before, Cx, Diff, Divergence, Effect, Follow, FollowHow, Following, LedgerRow, Position, Prepared,
};
use dr_core::{Error, ErrorKind, Result, async_trait};
use tokio::time::sleep;

use crate::config::TlsMode;
use crate::control::{Control, Stop};
use crate::control_data::{ControlData, Files, ServerState};
use crate::error::Trouble;
use crate::fence::await_answer;
use crate::lsn::{History, Lsn};
use crate::node::Node;
use crate::observe::Look;
use crate::session::literal;
use crate::store::{Servers, Store};

const POLL: Duration = Duration::from_millis(10);

/// The writer that is followed.
struct Writer<'s> {
    node: &'s Node,
    look: Look,
}

/// What has to be done with a node.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// It follows already.
    Already,
    /// Nothing diverged: it is started as a standby.
    Attach,
    /// It has log behind the fork.
    Rewind { fork: Lsn },
    /// It cannot be rewound, or a rewind died half-way.
    Reseed { fork: Option<Lsn> },
}

#[async_trait]
impl Effect<Follow> for Store {
    async fn prepare(&self, cx: &Cx, call: &Follow) -> Result<Prepared> {
        let (side, writer) = self.both(cx, call).await?;
        let mut diff = Diff::default();
        for node in &side.nodes {
            let to = match way(cx, node, &writer).await? {
                Way::Already => continue,
                Way::Attach => "started as a standby".to_owned(),
                Way::Rewind { fork } => format!("rewound to {fork}, old data kept"),
                Way::Reseed { .. } => "copied anew, old data kept".to_owned(),
            };
            diff = diff.and(
                node.name.clone(),
                "does not follow",
                format!("{to}, following {}", writer.node.name),
            );
        }
        Ok(if diff.0.is_empty() {
            Prepared::already(Before::nothing())
        } else {
            Prepared::would(diff, Before::nothing())
        })
    }

    async fn apply(&self, cx: &Cx, call: &Follow, _: &Prepared) -> Result<Following> {
        let (side, writer) = self.both(cx, call).await?;
        let mut left: Option<Following> = None;
        for node in &side.nodes {
            let following = self.follow_node(cx, node, &writer).await?;
            left = Some(match left {
                Some(earlier) if earlier.how != FollowHow::Already => earlier,
                Some(_) | None => following,
            });
        }
        left.ok_or_else(|| Error::invalid("it has no nodes").on(side.side.to_string()))
    }
}

/// The name of a node's replication slot on its writer.
pub(crate) fn slot(node: &str) -> String {
    let plain: String = node
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_lowercase() || letter.is_ascii_digit() { letter } else { '_' })
        .collect();
    // A slot's name has at most 63 bytes; the end of a host and port tells nodes apart.
    let tail: String = plain.chars().rev().take(59).collect();
    format!("dr_{}", tail.chars().rev().collect::<String>())
}

impl Store {
    async fn both<'s>(&'s self, cx: &Cx, call: &Follow) -> Result<(&'s Servers, Writer<'s>)> {
        let side = self.side(call.side.side()?)?;
        let of = self.side(call.of.side()?)?;
        if side.side == of.side {
            return Err(Error::invalid("a side cannot follow itself").on(side.side.to_string()));
        }
        side.unmanaged()?;
        let node = of.primary(cx.deadline).await.map_err(Error::not_happened)?.ok_or_else(|| {
            Error::new(ErrorKind::NotReady, "it has no primary to follow")
                .not_happened()
                .on(of.side.to_string())
        })?;
        let look = node.look(cx.deadline).await.map_err(|trouble| node.failed(trouble).not_happened())?;
        Ok((side, Writer { node, look }))
    }

    async fn follow_node(&self, cx: &Cx, node: &Node, writer: &Writer<'_>) -> Result<Following> {
        let failed = |trouble| node.failed(trouble);
        let mut todo = way(cx, node, writer).await?;
        let following = |how| Following::new(node.side.clone(), how);
        if todo == Way::Already {
            return Ok(following(FollowHow::Already));
        }
        let control = controlled(node)?;
        let files = control.files(cx.deadline).await.map_err(failed)?;
        let slot = slot(&node.name);
        make_slot(cx, writer, &slot).await?;
        if files.servers > 0 {
            // Only a standby runs here: `way` refuses a primary.
            control.stop(Stop::Fast, cx.left() / 4, cx.deadline).await.map_err(failed)?;
            todo = way(cx, node, writer).await?;
        }
        let result = match &todo {
            Way::Already => following(FollowHow::Already),
            Way::Attach => following(FollowHow::Attached),
            Way::Rewind { fork } => self.rewind(cx, node, control, writer, *fork, &slot).await?,
            Way::Reseed { fork } => self.reseed(cx, node, control, writer, *fork, &slot, &files).await?,
        };
        let conninfo = self.conninfo(writer, true).replace('\'', "''");
        control.attach(&conninfo, &slot, cx.deadline).await.map_err(failed)?;
        control.done(cx.deadline).await.map_err(failed)?;
        cx.progress.say(format!("starting {}", node.name));
        control.start(cx.deadline).await.map_err(failed)?;
        await_answer(cx, node).await?;
        cx.progress.say(format!("waiting for {} to stream", node.name));
        await_streaming(cx, node, writer).await?;
        cx.progress.say(format!("{} streams", node.name));
        Ok(result)
    }

    async fn rewind(
        &self,
        cx: &Cx,
        node: &Node,
        control: &Control,
        writer: &Writer<'_>,
        fork: Lsn,
        slot: &str,
    ) -> Result<Following> {
        let failed = |trouble| node.failed(trouble);
        let kept = kept(cx, control);
        cx.progress.say(format!("keeping the old data of {} in {kept}", node.name));
        control.keep_copy(&kept, cx.deadline).await.map_err(failed)?;
        let half_way = |stage: &str, divergence: &str| {
            vec![format!("stage={stage}"), format!("kept={kept}"), format!("divergence={divergence}")]
        };
        control.mark(&half_way("recover", ""), cx.deadline).await.map_err(failed)?;
        let divergence = self.diverged(cx, node, control, writer, fork).await?;
        let recorded = serde_json::to_string(&divergence).unwrap_or_default();
        control.mark(&half_way("rewind", &recorded), cx.deadline).await.map_err(failed)?;
        // pg_rewind reads the source's control file: before its first checkpoint that names the old timeline.
        writer.node.rows("checkpoint", cx.deadline).await.map_err(|trouble| writer.node.failed(trouble))?;
        cx.progress.say(format!("rewinding {} to {fork}", node.name));
        let source = self.conninfo(writer, false);
        let how = match control.rewind(&source, &self.password(writer), cx.deadline).await {
            Ok(_) => FollowHow::Rewound,
            Err(Trouble::Command { code, said, .. }) if code == "70" => {
                cx.progress.say(format!("{} cannot be rewound ({said}); copying it anew", node.name));
                control.reseed(&source, &self.password(writer), slot, cx.deadline).await.map_err(failed)?;
                FollowHow::Reseeded
            }
            Err(trouble) => return Err(failed(trouble)),
        };
        Ok(Following::new(node.side.clone(), how).keeping(Some(kept), Some(divergence)))
    }

    #[expect(clippy::too_many_arguments, reason = "one step of follow_node, with all that it knows")]
    async fn reseed(
        &self,
        cx: &Cx,
        node: &Node,
        control: &Control,
        writer: &Writer<'_>,
        fork: Option<Lsn>,
        slot: &str,
        files: &Files,
    ) -> Result<Following> {
        let failed = |trouble| node.failed(trouble);
        let mut kept = None;
        let mut divergence = None;
        match &files.following {
            // An earlier attempt has the old data already, or kept nothing; what stands here now is half-way.
            Some(unfinished) => {
                kept = Some(unfinished.kept.clone()).filter(|kept| !kept.is_empty());
                divergence = serde_json::from_str(&unfinished.divergence).ok();
            }
            None if files.exists => {
                let place = self::kept(cx, control);
                control.keep_copy(&place, cx.deadline).await.map_err(failed)?;
                kept = Some(place);
            }
            None => {}
        }
        let half_way = |divergence: &Option<Divergence>| {
            let divergence =
                divergence.as_ref().and_then(|divergence| serde_json::to_string(divergence).ok());
            vec![
                "stage=reseed".to_owned(),
                format!("kept={}", kept.clone().unwrap_or_default()),
                format!("divergence={}", divergence.unwrap_or_default()),
            ]
        };
        control.mark(&half_way(&divergence), cx.deadline).await.map_err(failed)?;
        if files.following.is_none() && files.exists {
            divergence = match fork {
                Some(fork) => Some(self.diverged(cx, node, control, writer, fork).await?),
                None => None,
            };
            control.mark(&half_way(&divergence), cx.deadline).await.map_err(failed)?;
        }
        cx.progress.say(format!("copying {} anew", node.name));
        let source = self.conninfo(writer, false);
        control.reseed(&source, &self.password(writer), slot, cx.deadline).await.map_err(failed)?;
        Ok(Following::new(node.side.clone(), FollowHow::Reseeded).keeping(kept, divergence))
    }

    /// What the old data has and the writer has not. It recovers the old data alone, without network, and leaves it
    /// cleanly stopped, as a rewind needs it.
    async fn diverged(
        &self,
        cx: &Cx,
        node: &Node,
        control: &Control,
        writer: &Writer<'_>,
        fork: Lsn,
    ) -> Result<Divergence> {
        let failed = |trouble| node.failed(trouble);
        let end_before = control.files(cx.deadline).await.map_err(failed)?;
        let query = "copy (select 'dr-row', book, row from public.dr_ledger) to stdout";
        let database = &writer.node.admin.database;
        cx.progress.say(format!("reading what only {} has", node.name));
        let old = match control.recover(database, query, cx.deadline).await {
            Ok(text) => rows_of(&text),
            // There is no ledger, or it does not recover: what it had cannot be read. The kept copy is there to look.
            Err(Trouble::Command { .. }) => None,
            Err(trouble) => return Err(failed(trouble)),
        };
        let end_after = control.files(cx.deadline).await.map_err(failed)?;
        let ended = |files: &Files| files.control.as_ref().map(|control| control.checkpoint);
        let clean = end_before.control.as_ref().is_some_and(|control| control.state == ServerState::ShutDown);
        let end = if clean { ended(&end_before) } else { ended(&end_after) };
        let only_old = match old {
            None => None,
            Some(old) => self.missing(cx, writer, old).await,
        };
        let bytes = end.map(|end| end.0.saturating_sub(fork.0));
        Ok(Divergence::new(Some(Position::from(fork)), bytes, only_old))
    }

    async fn missing(
        &self,
        cx: &Cx,
        writer: &Writer<'_>,
        old: BTreeSet<(String, LedgerRow)>,
    ) -> Option<Vec<LedgerRow>> {
        let mut books: BTreeSet<&str> = old.iter().map(|(book, _)| book.as_str()).collect();
        books.insert("");
        let books: Vec<String> = books.iter().map(|book| literal(book)).collect();
        let sql = format!("select book, row from public.dr_ledger where book in ({})", books.join(", "));
        let rows = writer.node.rows(&sql, cx.deadline).await.ok()?;
        let new: BTreeSet<(String, LedgerRow)> = rows
            .iter()
            .map(|row| Some((row.text("book")?.to_owned(), row.value("row")?)))
            .collect::<Option<_>>()?;
        Some(old.difference(&new).map(|(_, row)| *row).collect())
    }

    /// How a server reaches the writer. `lasting`: as it stands in its configuration, with the password.
    fn conninfo(&self, writer: &Writer<'_>, lasting: bool) -> String {
        let login = &writer.node.admin;
        let mut parts = vec![
            ("host", writer.node.endpoint.host.clone()),
            ("port", writer.node.endpoint.port.to_string()),
            ("user", login.user.clone()),
        ];
        let mode = match self.config.tls {
            TlsMode::Disable => "prefer",
            TlsMode::Require => "require",
            TlsMode::VerifyFull => "verify-full",
        };
        parts.push(("sslmode", mode.to_owned()));
        if lasting {
            if let Some(password) = &login.password {
                parts.push(("password", password.expose().to_owned()));
            }
        } else {
            parts.push(("dbname", login.database.clone()));
            parts.push(("application_name", "dr".to_owned()));
        }
        parts
            .iter()
            .map(|(name, value)| format!("{name}='{}'", value.replace('\\', r"\\").replace('\'', r"\'")))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn password(&self, writer: &Writer<'_>) -> String {
        writer.node.admin.password.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default()
    }
}

fn controlled(node: &Node) -> Result<&Control> {
    node.control.as_ref().ok_or_else(|| {
        Error::refused(
            "to make it a copy again its server must be stopped, changed and started: give `control`",
        )
        .on(node.name.clone())
    })
}

fn kept(cx: &Cx, control: &Control) -> String {
    format!("{}.kept-{}", control.at.data, cx.run)
}

/// Decides. Only reads.
async fn way(cx: &Cx, node: &Node, writer: &Writer<'_>) -> Result<Way> {
    match node.look(cx.deadline).await {
        Ok(look) => {
            same_system(node, look.system.as_deref(), writer)?;
            if !look.recovering {
                return Err(Error::refused("it runs as a primary: fence it first").on(node.name.clone()));
            }
            if follows(cx, node, &look, writer).await {
                return Ok(Way::Already);
            }
        }
        Err(Trouble::Closed(_) | Trouble::Denied(..) | Trouble::Hung(_) | Trouble::Broken(_)) => {}
        Err(trouble) if node.control.is_none() => return Err(node.failed(trouble).not_happened()),
        Err(_) => {}
    }
    let control = controlled(node)?;
    let files = control.files(cx.deadline).await.map_err(|trouble| node.failed(trouble).not_happened())?;
    if files.following.is_some() || !files.exists {
        return Ok(Way::Reseed { fork: None });
    }
    let Some(data) = &files.control else {
        return Err(Error::new(ErrorKind::Unknown, "its control file could not be read")
            .not_happened()
            .on(node.name.clone()));
    };
    same_system(node, Some(&data.system), writer)?;
    if files.servers > 0 && !files.standby_signal {
        return Err(
            Error::refused("its server runs, and not as a standby: fence it first").on(node.name.clone())
        );
    }
    let (Some(ours), Some(theirs)) = (files.history(), writer.look.history.as_ref()) else {
        return Err(Error::new(
            ErrorKind::Unknown,
            "the histories of the two could not be read, so nothing tells where they fork",
        )
        .not_happened()
        .on(node.name.clone()));
    };
    decide(&ours, theirs, data).map_err(|error| error.on(node.name.clone()))
}

/// Where its log stands to the writer's history. Pure.
fn decide(ours: &History, theirs: &History, data: &ControlData) -> Result<Way> {
    let was_writer =
        matches!(data.state, ServerState::ShutDown | ServerState::InProduction | ServerState::Other);
    if ours.timeline == theirs.timeline && (was_writer || ours.switches != theirs.switches) {
        // Two writers made a timeline of the same number: a rewind would take them for one.
        let fork = match ours.fork(theirs) {
            Some((timeline, Some(at))) => format!("on timeline {timeline}, at {at} or before"),
            Some((timeline, None)) => format!("somewhere on timeline {timeline}"),
            None => "nowhere: they share no timeline".to_owned(),
        };
        return Err(Error::refused(format!(
            "both were writers on timeline {}: equal numbers, different histories; they fork {fork}. Decide which one \
             stands, and remove the other's data directory: it is copied anew then",
            ours.timeline
        )));
    }
    let Some((timeline, fork)) = ours.fork(theirs) else {
        return Err(Error::refused("their histories share no timeline"));
    };
    let Some(fork) = fork else { return Ok(Way::Attach) };
    let ends_before = match data.state {
        ServerState::ShutDown => ours.timeline == timeline && data.checkpoint < fork,
        // Of one that runs this is a forecast: it is stopped and looked at again.
        ServerState::ShutDownInRecovery | ServerState::InArchiveRecovery => {
            let end = data.min_recovery_end.unwrap_or(data.checkpoint).max(data.checkpoint);
            ours.timeline == timeline && end <= fork
        }
        ServerState::InProduction | ServerState::Other => false,
    };
    Ok(if ends_before {
        Way::Attach
    } else if data.can_be_rewound() {
        Way::Rewind { fork }
    } else {
        Way::Reseed { fork: Some(fork) }
    })
}

fn same_system(node: &Node, system: Option<&str>, writer: &Writer<'_>) -> Result<()> {
    if system.is_some() && system == writer.look.system.as_deref() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "it is no copy of {}: their system identifiers differ or could not be read",
        writer.node.name
    ))
    .on(node.name.clone()))
}

/// Whether it streams from the writer, on the writer's timeline: a copy that was just started streams the old one to its
/// end, and then begins anew.
async fn follows(cx: &Cx, node: &Node, look: &Look, writer: &Writer<'_>) -> bool {
    look.receiving == Some(true)
        && look.timeline.is_some()
        && look.timeline == writer.look.timeline
        && receives_from(cx, node, writer).await
}

/// Whether the writer sends its own timeline to this very node. Log files of that timeline are no sign of it: a rewind
/// brings them along.
async fn receives_from(cx: &Cx, node: &Node, writer: &Writer<'_>) -> bool {
    let sql = "select sender_host as host, sender_port as port, received_tli as timeline \
               from pg_stat_wal_receiver";
    let Ok(row) = node.row(sql, cx.deadline).await else { return false };
    let timeline = row.value::<u64>("timeline");
    row.value::<u16>("port") == Some(writer.node.endpoint.port)
        && timeline.is_some()
        && timeline == writer.look.timeline
}

async fn make_slot(cx: &Cx, writer: &Writer<'_>, slot: &str) -> Result<()> {
    let sql = format!(
        "select pg_create_physical_replication_slot({0}, true) where not exists \
         (select from pg_replication_slots where slot_name = {0})",
        literal(slot)
    );
    writer.node.rows(&sql, cx.deadline).await.map(drop).map_err(|trouble| writer.node.failed(trouble))
}

async fn await_streaming(cx: &Cx, node: &Node, writer: &Writer<'_>) -> Result<()> {
    loop {
        let look = node.look(cx.deadline).await;
        if let Ok(look) = &look
            && look.recovering
            && follows(cx, node, look, writer).await
        {
            return Ok(());
        }
        if cx.left() <= POLL * 2 {
            let error = Error::new(
                ErrorKind::NotReady,
                "it was started as a standby and does not receive: its log says why",
            )
            .on(node.name.clone());
            return Err(match look {
                Ok(_) => error,
                Err(trouble) => error.because(Error::from(trouble)),
            });
        }
        sleep(POLL).await;
    }
}

fn rows_of(text: &str) -> Option<BTreeSet<(String, LedgerRow)>> {
    text.lines()
        .filter_map(|line| line.split_once("dr-row\t").map(|(_, rest)| rest))
        .map(|line| {
            let (book, row) = line.split_once('\t')?;
            Some((book.to_owned(), row.trim().parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(timeline: u64, text: &str) -> History {
        History::parse(timeline, text).unwrap()
    }

    fn data(state: ServerState, checkpoint: &str) -> ControlData {
        ControlData {
            state,
            state_text: String::new(),
            system: "1".to_owned(),
            checkpoint: checkpoint.parse().unwrap(),
            timeline: 1,
            min_recovery_end: None,
            checksums: true,
            wal_log_hints: false,
        }
    }

    #[test]
    fn a_clean_end_before_the_fork_is_attached_and_one_behind_it_is_rewound() {
        let old = history(1, "");
        let new = history(2, "1\t0/3000148\tx");
        assert_eq!(decide(&old, &new, &data(ServerState::ShutDown, "0/30000D0")).unwrap(), Way::Attach);
        let fork = "0/3000148".parse().unwrap();
        assert_eq!(
            decide(&old, &new, &data(ServerState::ShutDown, "0/3000148")).unwrap(),
            Way::Rewind { fork }
        );
        assert_eq!(
            decide(&old, &new, &data(ServerState::InProduction, "0/1")).unwrap(),
            Way::Rewind { fork }
        );
    }

    #[test]
    fn equal_numbers_of_two_writers_are_refused_with_the_fork() {
        let one = history(2, "1\t0/3000148\tx");
        let other = history(2, "1\t0/3000500\tx");
        for theirs in [&other, &one] {
            let error = decide(&one, theirs, &data(ServerState::ShutDown, "0/4000000")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
        }
        let error = decide(&one, &other, &data(ServerState::ShutDown, "0/4000000")).unwrap_err();
        assert!(error.message().contains("0/3000148"));
    }

    #[test]
    fn a_slot_has_a_name_that_postgresql_takes() {
        assert_eq!(slot("db1.us:5432"), "dr_db1_us_5432");
        assert!(slot(&"x".repeat(200)).len() <= 63);
    }
}
