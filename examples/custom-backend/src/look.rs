//! One look at a server: everything that decides anything here, read in one round trip.

use std::collections::BTreeMap;

use dr_core::resource::Position;

use crate::error::Trouble;
use crate::note::{ACCOUNT, Note};
use crate::wire::{Command, Reply, Session, command};

/// What a user may do who only feeds a replica.
const REPLICATES: [&str; 4] = ["+psync", "+sync", "+replconf", "+ping"];

#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) primary: bool,
    /// The history it is on. A copy has its primary's.
    pub(crate) replid: String,
    /// Where it stands in it: a primary's end, or what a replica has applied.
    pub(crate) offset: u64,
    /// What a replica has received.
    pub(crate) received: Option<u64>,
    /// The history before this one, and its last place that is part of this one too.
    pub(crate) parent: Option<(String, u64)>,
    /// Whom a replica follows, and whether it does so now.
    pub(crate) follows: Option<String>,
    pub(crate) streams: bool,
    pub(crate) read_only: bool,
    /// The replicas of a primary, as it names them.
    pub(crate) copies: Vec<String>,
    /// The server's run: each start is another.
    pub(crate) life: String,
    /// Whether there is a file from which a restart would read what is so now.
    pub(crate) has_file: bool,
    pub(crate) accounts_have_file: bool,
    pub(crate) least_copies: u64,
    pub(crate) is_empty: bool,
    pub(crate) users: Vec<User>,
    pub(crate) clients: Vec<Client>,
    /// A fence's note.
    pub(crate) note: Option<Note>,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) on: bool,
    /// Whether it asks for no password.
    pub(crate) anybody: bool,
    /// Whether it could do more than feed a replica.
    pub(crate) could_write: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) name: String,
}

impl Look {
    /// Looks. The order counts: who may come in, who is in, and then where the log ends. If nobody was left in it, nothing
    /// acknowledged is behind that end.
    pub(crate) async fn at(session: &mut Session) -> Result<Self, Trouble> {
        let questions = [
            "ACL LIST",
            "CLIENT LIST",
            "INFO replication",
            "INFO server",
            "INFO keyspace",
            "CONFIG GET aclfile",
            "CONFIG GET min-replicas-to-write",
        ];
        let answers = session.ask_all(&questions.map(command)).await?;
        let [accounts, clients, replication, server, keys, file, least] =
            <[Reply; 7]>::try_from(answers).map_err(|_| Trouble::Broken)?;
        let (replication, server) = (info(&replication)?, info(&server)?);
        let lines = accounts.texts();
        let setting = |reply: &Reply| reply.texts().get(1).map(|value| (*value).to_owned());
        let primary = match replication.get("role").map(String::as_str) {
            Some("master") => true,
            Some("slave") => false,
            other => return Err(Trouble::Nonsense(format!("the role {other:?}"))),
        };
        let number = |key: &str| replication.get(key).and_then(|value| value.parse::<u64>().ok());
        let is = |key: &str, value: &str| replication.get(key).is_some_and(|it| it == value);
        let needed = |key: &str| number(key).ok_or_else(|| Trouble::Nonsense(format!("no `{key}`")));
        let word = |from: &BTreeMap<String, String>, key: &str| {
            from.get(key).cloned().ok_or_else(|| Trouble::Nonsense(format!("no `{key}`")))
        };
        let parent = number("second_repl_offset").filter(|from| *from > 0);
        Ok(Self {
            primary,
            replid: word(&replication, "master_replid")?,
            offset: needed(if primary { "master_repl_offset" } else { "slave_repl_offset" })?,
            received: number("slave_read_repl_offset").filter(|_| !primary),
            parent: replication.get("master_replid2").cloned().zip(parent.map(|from| from - 1)),
            follows: replication
                .get("master_host")
                .zip(replication.get("master_port"))
                .map(|(host, port)| format!("{host}:{port}")),
            streams: is("master_link_status", "up") && !is("master_sync_in_progress", "1"),
            read_only: is("slave_read_only", "1"),
            copies: (0..number("connected_slaves").unwrap_or_default())
                .filter_map(|index| replication.get(&format!("slave{index}")))
                .filter_map(|line| Some(format!("{}:{}", field(line, ',', "ip")?, field(line, ',', "port")?)))
                .collect(),
            life: word(&server, "run_id")?,
            has_file: server.get("config_file").is_some_and(|path| !path.is_empty()),
            accounts_have_file: setting(&file).is_some_and(|path| !path.is_empty()),
            least_copies: setting(&least).and_then(|value| value.parse().ok()).unwrap_or_default(),
            is_empty: !keys.text().unwrap_or("db").lines().any(|line| line.starts_with("db")),
            note: lines.iter().find_map(|line| match words(line).as_slice() {
                ["user", ACCOUNT, rules @ ..] => Note::read(rules),
                _ => None,
            }),
            users: lines.iter().filter_map(|line| User::read(line)).collect(),
            clients: clients
                .text()
                .unwrap_or_default()
                .lines()
                .map(|line| Client::read(line).ok_or_else(|| Trouble::Nonsense(line.to_owned())))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The accounts that can come in and write, but ours.
    pub(crate) fn open_accounts(&self, ours: &str) -> Vec<String> {
        let open = self.users.iter().filter(|user| user.on && user.could_write && user.name != ours);
        open.map(|user| user.name.clone()).collect()
    }

    /// The sessions that are left of those that could write. A session without an account counts as `default`'s: one that
    /// came after that account was shut cannot be its.
    pub(crate) fn left(&self, ours: &str, before: u64) -> Vec<u64> {
        let harmless = |client: &&Client| {
            client.user == ours
                || client.user == "default" && client.id > before
                || self.users.iter().any(|user| user.name == client.user && !user.could_write)
        };
        self.clients.iter().filter(|client| !harmless(client)).map(|client| client.id).collect()
    }

    /// Why somebody could write to it, or could again after a restart; `None`: nobody can.
    pub(crate) fn why_open(&self, ours: &str) -> Option<String> {
        if self.users.iter().any(|user| user.name == ours && user.anybody) {
            return Some(format!("our own account `{ours}` asks for no password: anybody can be us"));
        }
        let open = self.open_accounts(ours);
        if !open.is_empty() {
            return Some(format!("`{}` can come in and write", open.join("`, `")));
        }
        let Some(kept) = self.note.as_ref().and_then(Note::kept) else {
            return Some("whether a restart would let callers in again is not known".to_owned());
        };
        let before = if kept.life == self.life { kept.before } else { 0 };
        let left = self.left(ours, before).len();
        (left > 0).then(|| format!("{left} sessions are left that came in before"))
    }

    /// Sentinel promotes by itself, and takes a fenced server for a dead one.
    pub(crate) fn manager(&self) -> &'static str {
        let sentinel = self.clients.iter().any(|client| client.name.starts_with("sentinel-"));
        if sentinel { "sentinel" } else { "none" }
    }

    pub(crate) fn position(&self) -> Position {
        place(self.offset)
    }

    /// The command that keeps its accounts over a restart.
    pub(crate) fn keep_accounts(&self) -> Command {
        command(if self.accounts_have_file { "ACL SAVE" } else { "CONFIG REWRITE" })
    }

    /// Whether what is so now can be kept over a restart.
    pub(crate) fn can_keep(&self) -> bool {
        self.has_file
    }
}

/// A place in a log.
pub(crate) fn place(offset: u64) -> Position {
    Position { ordinal: offset, text: offset.to_string() }
}

impl User {
    fn read(line: &str) -> Option<Self> {
        let words = words(line);
        let ["user", name, rules @ ..] = words.as_slice() else { return None };
        let allowed = rules.iter().filter(|rule| rule.starts_with('+') || **rule == "allcommands");
        let selectors = rules.iter().any(|rule| rule.starts_with('('));
        Some(Self {
            name: (*name).to_owned(),
            on: rules.contains(&"on"),
            anybody: rules.contains(&"nopass"),
            could_write: selectors || allowed.into_iter().any(|rule| !REPLICATES.contains(rule)),
        })
    }
}

impl Client {
    fn read(line: &str) -> Option<Self> {
        Some(Self {
            id: field(line, ' ', "id")?.parse().ok()?,
            user: field(line, ' ', "user")?.to_owned(),
            name: field(line, ' ', "name")?.to_owned(),
        })
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}

fn field<'l>(line: &'l str, between: char, key: &str) -> Option<&'l str> {
    line.split(between).find_map(|part| part.split_once('=').filter(|(name, _)| *name == key)).map(|(_, v)| v)
}

fn info(reply: &Reply) -> Result<BTreeMap<String, String>, Trouble> {
    let text = reply.text().ok_or_else(|| Trouble::Nonsense(format!("{reply:?} to INFO")))?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Ok(pairs.map(|(key, value)| (key.to_owned(), value.trim_end().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_only_feeds_a_replica_cannot_write_and_any_other_could() {
        let could_write = |line: &str| User::read(line).unwrap().could_write;
        assert!(!could_write("user replica on #ab resetchannels -@all +psync +replconf +ping -psync|x"));
        assert!(could_write("user app on #ab ~* resetchannels -@all +get +set"));
        assert!(could_write("user default on nopass ~* &* +@all"));
        assert!(could_write("user sly on #ab resetchannels -@all +psync (~* -@all +set)"));
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let kept = crate::note::Kept { life: "ab".into(), before: 7, replid: "cd".into(), end: 42 };
        let note = Note {
            run: "20270115T080000Z-a".into(),
            since: dr_core::Timestamp::from_micros(5),
            users: vec!["app".into(), "default".into()],
            stage: crate::note::Stage::Kept(kept),
        };
        let words = note.set();
        let rules: Vec<&str> = words.iter().skip(4).map(String::as_str).collect();
        assert_eq!(Note::read(&rules), Some(note));
    }
}
