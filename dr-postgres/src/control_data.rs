//! What `pg_controldata` and the files of a data directory say about a server that may not run.

use std::collections::BTreeMap;

use crate::lsn::{History, Lsn};

/// The control file's word on the server's last state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerState {
    /// Cleanly stopped as a primary: `shut down`.
    ShutDown,
    /// Cleanly stopped as a standby: `shut down in recovery`.
    ShutDownInRecovery,
    /// `in production`: a primary that runs or crashed.
    InProduction,
    /// `in archive recovery`: a standby that runs or crashed.
    InArchiveRecovery,
    /// Anything else: starting, stopping, in crash recovery.
    Other,
}

/// What is on a node's disk, and which of its processes live.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    /// Whether the data directory is there.
    pub(crate) exists: bool,
    /// Whether the postmaster lives.
    pub(crate) postmaster: bool,
    /// How many processes of the server live, orphans too.
    pub(crate) servers: usize,
    /// Whether it would start as a standby.
    pub(crate) standby_signal: bool,
    /// Whether a promotion was asked for and not begun.
    pub(crate) promote_signal: bool,
    /// The bar, if it is barred.
    pub(crate) barred: Option<Barred>,
    /// The mark of a rewind or copy that has not ended.
    pub(crate) following: Option<Unfinished>,
    /// The control file.
    pub(crate) control: Option<ControlData>,
    /// The newest timeline of the log files.
    pub(crate) newest_timeline: Option<u64>,
    /// The histories whose files are there.
    pub(crate) histories: Vec<History>,
}

/// Who barred a node, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Barred {
    /// The run.
    pub(crate) run: String,
    /// RFC 3339.
    pub(crate) since: String,
}

/// A rewind or copy that has not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// `keep`, `rewind`, `reseed`.
    pub(crate) stage: String,
    /// Where the old data is kept.
    pub(crate) kept: String,
    /// The divergence that was counted before, as JSON.
    pub(crate) divergence: String,
}

/// The control file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ControlData {
    pub(crate) state: ServerState,
    pub(crate) state_text: String,
    pub(crate) system: String,
    pub(crate) checkpoint: Lsn,
    pub(crate) timeline: u64,
    pub(crate) min_recovery_end: Option<Lsn>,
    pub(crate) checksums: bool,
    pub(crate) wal_log_hints: bool,
}

impl Files {
    /// Reads the status operation's output. `None`: it makes no sense.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut files = Self::default();
        let mut barred = Barred::default();
        let mut unfinished = Unfinished::default();
        let mut histories: BTreeMap<&str, String> = BTreeMap::new();
        let mut said_exists = false;
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            match key {
                "exists" => {
                    said_exists = true;
                    files.exists = value == "yes";
                }
                "postmaster" => files.postmaster = !value.is_empty(),
                "servers" => files.servers = value.split_whitespace().count(),
                "standby" => files.standby_signal = value == "yes",
                "promoting" => files.promote_signal = value == "yes",
                "newest" => files.newest_timeline = u64::from_str_radix(value, 16).ok(),
                "history" => {
                    let (file, line) = value.split_once(".history:")?;
                    let text = histories.entry(file).or_default();
                    text.push_str(line);
                    text.push('\n');
                }
                "barred_run" => {
                    barred.run = value.to_owned();
                    files.barred = Some(barred.clone());
                }
                "barred_since" => {
                    barred.since = value.to_owned();
                    files.barred = Some(barred.clone());
                }
                "following_stage" => {
                    unfinished.stage = value.to_owned();
                    files.following = Some(unfinished.clone());
                }
                "following_kept" => {
                    unfinished.kept = value.to_owned();
                    files.following = Some(unfinished.clone());
                }
                "following_divergence" => {
                    unfinished.divergence = value.to_owned();
                    files.following = Some(unfinished.clone());
                }
                _ => {}
            }
        }
        files.histories = histories
            .iter()
            .filter_map(|(file, text)| History::parse(u64::from_str_radix(file, 16).ok()?, text))
            .collect();
        files.control = ControlData::parse(text);
        (said_exists && (!files.exists || files.control.is_some())).then_some(files)
    }

    /// Whether it is down and can only start as a standby.
    pub(crate) fn is_stopped_and_barred(&self) -> bool {
        self.exists && !self.postmaster && self.servers == 0 && self.barred.is_some() && self.standby_signal
    }

    /// The timeline it is on and where that came from. `None`: not known.
    pub(crate) fn history(&self) -> Option<History> {
        let timeline = self.control.as_ref()?.timeline.max(self.newest_timeline.unwrap_or(0));
        if timeline == 1 {
            return Some(History { timeline, switches: Vec::new() });
        }
        self.histories.iter().find(|history| history.timeline == timeline).cloned()
    }
}

impl ControlData {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let state_text = field("Database cluster state")?.to_owned();
        Some(Self {
            state: match state_text.as_str() {
                "shut down" => ServerState::ShutDown,
                "shut down in recovery" => ServerState::ShutDownInRecovery,
                "in production" => ServerState::InProduction,
                "in archive recovery" => ServerState::InArchiveRecovery,
                _ => ServerState::Other,
            },
            state_text,
            system: field("Database system identifier")?.to_owned(),
            checkpoint: field("Latest checkpoint location")?.parse().ok()?,
            timeline: field("Latest checkpoint's TimeLineID")?.parse().ok()?,
            min_recovery_end: field("Minimum recovery ending location")
                .and_then(|text| text.parse::<Lsn>().ok())
                .filter(|lsn| lsn.0 != 0),
            checksums: field("Data page checksum version")?.parse::<u32>().ok()? != 0,
            wal_log_hints: field("wal_log_hints setting")? == "on",
        })
    }

    /// Whether `pg_rewind` can work on it.
    pub(crate) fn can_be_rewound(&self) -> bool {
        self.checksums || self.wal_log_hints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = "Database system identifier:           7446891234567890123\n\
        Database cluster state:               shut down\n\
        Latest checkpoint location:           0/3000028\n\
        Latest checkpoint's TimeLineID:       1\n\
        Minimum recovery ending location:     0/0\n\
        wal_log_hints setting:                on\n\
        Data page checksum version:           0\n";

    #[test]
    fn a_clean_stop_behind_a_bar_is_read_as_such() {
        let text =
            format!("exists=yes\npostmaster=\nservers=\nstandby=yes\nbarred_run=r\nbarred_since=s\n{DATA}");
        let files = Files::parse(&text).unwrap();
        assert!(files.is_stopped_and_barred());
        assert_eq!(files.control.unwrap().state, ServerState::ShutDown);
    }

    #[test]
    fn the_history_is_its_own_timelines_and_not_a_later_one_that_was_fetched() {
        let text = format!(
            "exists=yes\nnewest=00000002\nhistory=00000002.history:1\t0/3000148\tx\n\
             history=00000003.history:1\t0/3000148\tx\nhistory=00000003.history:2\t0/5000000\tx\n{DATA}"
        );
        let history = Files::parse(&text).unwrap().history().unwrap();
        assert_eq!((history.timeline, history.switches.len()), (2, 1));
    }

    #[test]
    fn a_living_process_or_a_missing_control_file_is_no_clean_stop() {
        let text = format!("exists=yes\npostmaster=\nservers=41 42 \nstandby=yes\nbarred_run=r\n{DATA}");
        assert!(!Files::parse(&text).unwrap().is_stopped_and_barred());
        assert!(Files::parse("exists=yes\npostmaster=\nservers=\n").is_none());
        assert!(Files::parse("").is_none());
    }
}
