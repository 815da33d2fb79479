//! What a fence remembers, kept in the server that it fences.
//!
//! It is an account of the server, `dr-fence`, that is off and may do nothing: its key patterns are the note. An account
//! is kept where the others are, in the same file and by the same command, is never replicated, and outlives a restart
//! exactly if the shut accounts do. So the note says, without a word from a run's journal, who was shut, by which run,
//! and where the server's log ended.

use dr_core::Timestamp;

use crate::wire::Command;

/// The account that is the note.
pub(crate) const ACCOUNT: &str = "dr-fence";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) run: String,
    pub(crate) since: Timestamp,
    /// The accounts that were shut.
    pub(crate) users: Vec<String>,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The accounts are shut; whether the server's file says so too is not known, and sessions may be left.
    Set,
    /// The file says so too, and nobody is left.
    Kept(Kept),
    /// It is being taken away.
    Lifted,
}

/// What was so when nobody was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The server's run: a restart makes another, and no session outlives it.
    pub(crate) life: String,
    /// Sessions with lower numbers were there before the accounts were shut.
    pub(crate) before: u64,
    /// The history, and the place in it behind which no acknowledged write can be.
    pub(crate) replid: String,
    pub(crate) end: u64,
}

impl Note {
    /// Writes it.
    pub(crate) fn set(&self) -> Command {
        let mut words: Vec<String> = ["ACL", "SETUSER", ACCOUNT, "reset"].map(str::to_owned).into();
        words.push(format!("~run={}", self.run));
        words.push(format!("~since={}", self.since.as_micros()));
        words.extend(self.users.iter().map(|user| format!("~user={user}")));
        words.push(match &self.stage {
            Stage::Set => "~stage=set".to_owned(),
            Stage::Lifted => "~stage=lifted".to_owned(),
            Stage::Kept(Kept { life, before, replid, end }) => {
                format!("~kept={life}/{before}/{replid}/{end}")
            }
        });
        words
    }

    /// Reads it from the rules of its account; `None` if that is no note of ours.
    pub(crate) fn read(rules: &[&str]) -> Option<Self> {
        let all = |key: &str| {
            let prefix = format!("~{key}=");
            rules.iter().filter_map(move |rule| rule.strip_prefix(prefix.as_str())).collect::<Vec<_>>()
        };
        let one = |key: &str| all(key).first().copied();
        let stage = match (one("kept"), one("stage")) {
            (Some(kept), _) => {
                let [life, before, replid, end] = kept.split('/').collect::<Vec<_>>().try_into().ok()?;
                Stage::Kept(Kept {
                    life: life.to_owned(),
                    before: before.parse().ok()?,
                    replid: replid.to_owned(),
                    end: end.parse().ok()?,
                })
            }
            (None, Some("lifted")) => Stage::Lifted,
            (None, _) => Stage::Set,
        };
        Some(Self {
            run: one("run")?.to_owned(),
            since: Timestamp::from_micros(one("since")?.parse().ok()?),
            users: all("user").into_iter().map(str::to_owned).collect(),
            stage,
        })
    }

    pub(crate) fn kept(&self) -> Option<&Kept> {
        match &self.stage {
            Stage::Kept(kept) => Some(kept),
            Stage::Set | Stage::Lifted => None,
        }
    }
}
