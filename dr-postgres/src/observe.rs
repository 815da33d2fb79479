//! What there is: every node of every side, as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::resource::{Cx, NodeState, Observe, Position, Reach, Replication, Role, SideState};
use dr_core::time::Timestamp;
use dr_core::{Result, async_trait};
use futures_util::future::{Either, join_all, select};
use futures_util::pin_mut;
use tokio::time::Instant;

use crate::control_data::{Files, ServerState};
use crate::error::Trouble;
use crate::hazards::{self, Settings};
use crate::lag;
use crate::login_fence;
use crate::lsn::{History, Lsn};
use crate::node::Node;
use crate::session::Row;
use crate::store::Store;
use crate::strangers::{self, Sender};

const LOOK: &str = "select pg_is_in_recovery() as recovering,
  (select system_identifier from pg_control_system()) as system,
  (select timeline_id from pg_control_checkpoint()) as checkpoint_timeline,
  (select min_recovery_end_timeline from pg_control_recovery()) as recovery_timeline,
  case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end as walfile,
  case when not pg_is_in_recovery() then pg_current_wal_insert_lsn() end as written,
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end as replayed,
  case when pg_is_in_recovery() then pg_last_wal_receive_lsn() end as received,
  case when pg_is_in_recovery() then (extract(epoch from pg_last_xact_replay_timestamp()) * 1000000)::bigint end as last_commit,
  (extract(epoch from clock_timestamp()) * 1000000)::bigint as now,
  case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() end as paused,
  r.pid as receiver, r.status as receiver_status, r.received_tli as received_timeline, r.latest_end_lsn as source_end,
  (extract(epoch from clock_timestamp() - r.last_msg_receipt_time) * 1000)::bigint as heard_ms, r.slot_name as slot,
  coalesce((regexp_match(r.conninfo, '(?<!fallback_)application_name=(\\S+)'))[1],
    (regexp_match(r.conninfo, 'fallback_application_name=(\\S+)'))[1]) as sender_name,
  current_setting('cluster_name') as cluster
from (select 1) one left join pg_stat_wal_receiver r on true";

/// One node as it answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    pub(crate) recovering: bool,
    pub(crate) system: Option<String>,
    pub(crate) timeline: Option<u64>,
    pub(crate) history: Option<History>,
    pub(crate) written: Option<Lsn>,
    pub(crate) replayed: Option<Lsn>,
    pub(crate) received: Option<Lsn>,
    pub(crate) last_commit: Option<i64>,
    pub(crate) now: Option<i64>,
    /// Whether its receiver streams; `None`: not visible to our role.
    pub(crate) receiving: Option<bool>,
    pub(crate) source_end: Option<Lsn>,
    pub(crate) heard: Option<Duration>,
    pub(crate) slot: Option<String>,
    pub(crate) sender_name: Option<String>,
    pub(crate) paused: Option<bool>,
    /// Whether a fence by logins stands at it.
    pub(crate) shut: bool,
    pub(crate) settings: Settings,
    pub(crate) senders: Option<Vec<Sender>>,
}

/// What was seen of one node.
#[derive(Debug)]
pub(crate) enum View {
    /// It answered.
    Answered(Box<Look>),
    /// It did not, and this is what its files say, if there is a control.
    Silent(Trouble, Option<Box<Files>>),
}

impl Look {
    fn read(row: &Row) -> Result<Self, Trouble> {
        let recovering = row
            .flag("recovering")
            .ok_or_else(|| Trouble::Nonsense("it does not say whether it is in recovery".to_owned()))?;
        let timeline = if let Some(timeline) = row.value("timeline") {
            Some(timeline)
        } else if recovering {
            ["checkpoint_timeline", "recovery_timeline", "received_timeline"]
                .iter()
                .filter_map(|column| row.value::<u64>(column))
                .max()
                .filter(|timeline| *timeline > 0)
        } else {
            row.text("walfile").and_then(|file| u64::from_str_radix(file.get(..8)?, 16).ok())
        };
        let receiving = match (row.text("receiver"), row.text("receiver_status")) {
            (None, _) => Some(false),
            (Some(_), Some(status)) => Some(status == "streaming"),
            (Some(_), None) => None,
        };
        Ok(Self {
            recovering,
            system: row.text("system").map(str::to_owned),
            timeline,
            history: match (timeline, row.text("history")) {
                (Some(1), _) => Some(History { timeline: 1, switches: Vec::new() }),
                (Some(timeline), Some(text)) => History::parse(timeline, text),
                _ => None,
            },
            written: row.value::<Lsn>("written").map(Lsn::end_of_last_record),
            replayed: row.value("replayed"),
            received: row.value("received"),
            last_commit: row.value("last_commit"),
            now: row.value("now"),
            receiving: recovering.then_some(receiving).flatten(),
            source_end: row.value("source_end"),
            heard: row.value::<i64>("heard_ms").map(|ms| Duration::from_millis(ms.unsigned_abs())),
            slot: row.text("slot").map(str::to_owned),
            sender_name: row
                .text("sender_name")
                .or_else(|| row.text("cluster").filter(|name| !name.is_empty()))
                .map(str::to_owned),
            paused: row.text("paused").map(|state| state != "not paused"),
            shut: false,
            settings: Settings::default(),
            senders: None,
        })
    }
}

/// The same with the timeline's history, in the same round trip, where our role may read files. Once a standby's receiver
/// has gone, only its log files tell the newest timeline that it has.
fn with_history() -> String {
    format!(
        "select look.*, line.newest as timeline, case when line.newest > 1 then
           pg_read_file('pg_wal/' || lpad(upper(to_hex(line.newest)), 8, '0') || '.history', 0, 1000000, true) end as history
         from ({LOOK}) look, lateral (select case
           when look.recovering then greatest(checkpoint_timeline, recovery_timeline, received_timeline,
             (select ('x' || max(substr(name, 1, 8)))::bit(32)::int from pg_ls_waldir() where name ~ '^[0-9A-F]{{24}}$'))
           else ('x' || substr(walfile, 1, 8))::bit(32)::int end as newest) line"
    )
}

impl Node {
    /// Looks at the server itself: its place and history, nothing more.
    pub(crate) async fn look(&self, deadline: Instant) -> Result<Look, Trouble> {
        match self.row(&with_history(), deadline).await {
            Ok(row) => Look::read(&row),
            // The right to read files is missing: the history is not known, which proves nothing and hides nothing.
            Err(Trouble::Said(..)) => Look::read(&self.row(LOOK, deadline).await?),
            Err(trouble) => Err(trouble),
        }
    }

    async fn look_closely(&self, deadline: Instant) -> Result<Look, Trouble> {
        let mut look = self.look(deadline).await?;
        look.shut = !look.recovering && login_fence::stands(self, deadline).await?;
        look.settings = hazards::read(self, deadline).await?;
        look.senders = strangers::read(self, deadline).await?;
        Ok(look)
    }

    /// What its files say, unless they take as long as a connection may.
    async fn files_in_time(&self, deadline: Instant) -> Option<Box<Files>> {
        let control = self.control.as_ref()?;
        let deadline = deadline.min(Instant::now() + self.endpoint.connect_timeout);
        control.files(deadline).await.ok().map(Box::new)
    }

    async fn view(&self, deadline: Instant) -> View {
        let asked = self.look_closely(deadline);
        pin_mut!(asked);
        let patience = tokio::time::sleep(Duration::from_millis(250));
        pin_mut!(patience);
        match select(asked, patience).await {
            Either::Left((Ok(look), _)) => View::Answered(Box::new(look)),
            Either::Left((Err(trouble), _)) => View::Silent(trouble, self.files_in_time(deadline).await),
            // Slow: its files are read meanwhile, so that two silences do not add up.
            Either::Right(((), asked)) => match tokio::join!(asked, self.files_in_time(deadline)) {
                (Ok(look), _) => View::Answered(Box::new(look)),
                (Err(trouble), files) => View::Silent(trouble, files),
            },
        }
    }
}

#[async_trait]
impl Observe<Replication> for Store {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        let nodes: Vec<&Node> = self.nodes().collect();
        let views = join_all(nodes.iter().map(|node| node.view(cx.deadline))).await;
        let mut seen: Vec<(&Node, View)> = nodes.into_iter().zip(views).collect();
        let lags = lag::measure(&mut seen, cx.deadline).await;
        let strangers = strangers::find(&seen).await;
        let mut sides = BTreeMap::new();
        for (side, servers) in &self.sides {
            let nodes = seen
                .iter()
                .filter(|(node, _)| node.side == *side)
                .map(|(node, view)| state(node, view, &seen, lags.get(&node.name).copied(), self))
                .collect();
            let strangers = strangers.get(side).cloned().unwrap_or_default();
            let state =
                SideState::new(nodes).managed_by(servers.config.manager.clone()).with_strangers(strangers);
            sides.insert(side.clone(), state);
        }
        Ok(Replication::new(cx.now(), sides))
    }
}

fn state(
    node: &Node,
    view: &View,
    seen: &[(&Node, View)],
    lag: Option<Duration>,
    store: &Store,
) -> NodeState {
    match view {
        View::Silent(trouble, files) => stopped(node, trouble, files.as_deref()),
        View::Answered(look) => {
            let mut state = NodeState::new(node.name.clone(), Reach::Answers);
            state.role = if look.recovering { Role::Standby } else { Role::Primary };
            state.writable = Some(!look.recovering && !look.shut);
            state.system = look.system.clone();
            state.timeline = look.timeline;
            state.history = look.history.as_ref().map(History::to_switches).unwrap_or_default();
            state.position = if look.recovering { look.replayed } else { look.written }.map(Position::from);
            state.received = look.received.map(Position::from);
            state.receiving = look.receiving;
            state.lag = lag;
            state.last_commit = look.last_commit.map(Timestamp::from_micros);
            state.hazards = hazards::find(node, look, seen, store);
            state
        }
    }
}

fn stopped(node: &Node, trouble: &Trouble, files: Option<&Files>) -> NodeState {
    let mut state = NodeState::new(node.name.clone(), trouble.reach());
    let Some((files, control)) = files.and_then(|files| Some((files, files.control.as_ref()?))) else {
        return state;
    };
    state.system = Some(control.system.clone());
    let history = files.history();
    state.timeline = history.as_ref().map(|history| history.timeline);
    state.history = history.as_ref().map(History::to_switches).unwrap_or_default();
    if files.servers > 0 || files.postmaster {
        // It runs and does not answer us: its files are not its last word, and neither its role nor its position is known.
        return state;
    }
    state.role = Role::Stopped;
    state.writable = Some(false);
    state.position = match control.state {
        ServerState::ShutDown => Some(control.checkpoint.into()),
        ServerState::ShutDownInRecovery => control.min_recovery_end.map(Position::from),
        ServerState::InProduction | ServerState::InArchiveRecovery | ServerState::Other => None,
    };
    state
}
