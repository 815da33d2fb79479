//! What a primary still lacks after a promotion: a replica, an archive that works, slots that hold what replicas need.

use std::collections::BTreeMap;
use std::fmt;

use dr_core::resource::{Cx, Fact, Facts, Observation, Observe};
use dr_core::time::Timestamp;
use dr_core::{Result, Side, async_trait};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::error::Trouble;
use crate::node::Node;
use crate::store::Store;

const READ: &str = "select pg_is_in_recovery() as recovering,
  (select count(*) from pg_stat_replication where state = 'streaming'
    and application_name not in ('pg_receivewal', 'pg_basebackup')) as replicas,
  current_setting('archive_mode') as archive_mode,
  a.last_archived_time is not null as archived, a.last_failed_time is not null as failed,
  a.last_failed_time > coalesce(a.last_archived_time, '-infinity') as failing,
  (select count(*) from pg_replication_slots where slot_type = 'physical' and wal_status = 'lost') as lost,
  (select count(*) from pg_replication_slots where slot_type = 'physical' and active) as active
from pg_stat_archiver a";

/// The protection of whoever is the primary, by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Protection {
    /// When the looking ended.
    pub at: Timestamp,
    /// Each side that has a primary. Empty: none was found.
    pub sides: BTreeMap<Side, SideProtection>,
}

/// The protection of one primary. `None` is unknown, and counts as a debt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SideProtection {
    /// The primary.
    pub node: String,
    /// Whether a replica receives from it now.
    pub replica: Option<bool>,
    /// Whether archiving keeps its promise; true where the server is not configured to archive.
    pub archive: Option<bool>,
    /// Whether a replica's slot is in use and none has lost its log.
    pub slots: Option<bool>,
    /// How archiving is: `off`, `works`, `fails`, `has not archived yet`.
    pub archiving: String,
}

impl SideProtection {
    /// What is missing, by name: `replica`, `archive`, `slots`.
    pub fn debts(&self) -> Vec<&'static str> {
        [("replica", self.replica), ("archive", self.archive), ("slots", self.slots)]
            .into_iter()
            .filter(|(_, well)| *well != Some(true))
            .map(|(name, _)| name)
            .collect()
    }

    fn facts(&self) -> Facts {
        Facts::from([
            ("replica".to_owned(), Fact::from(self.replica)),
            ("archive".to_owned(), Fact::from(self.archive)),
            ("slots".to_owned(), Fact::from(self.slots)),
        ])
    }
}

impl Observation for Protection {
    const GROUP: &'static str = "protection";

    /// Of the one primary; unknown if there is none, or more than one.
    fn facts(&self) -> Facts {
        let mut sides = self.sides.values();
        match (sides.next(), sides.next()) {
            (Some(side), None) => side.facts(),
            _ => ["replica", "archive", "slots"].map(|name| (name.to_owned(), Fact::Unknown)).into(),
        }
    }

    fn facts_by_side(&self) -> BTreeMap<Side, Facts> {
        self.sides.iter().map(|(side, protection)| (side.clone(), protection.facts())).collect()
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:<24} {:<8} {:<8} {:<22} DEBTS",
            "SIDE", "PRIMARY", "REPLICA", "SLOTS", "ARCHIVING"
        )?;
        for (side, state) in &self.sides {
            let debts = state.debts();
            writeln!(
                f,
                "{side:<16} {:<24} {:<8} {:<8} {:<22} {}",
                state.node,
                Fact::from(state.replica).to_string(),
                Fact::from(state.slots).to_string(),
                state.archiving,
                if debts.is_empty() { "none".to_owned() } else { debts.join(", ") }
            )?;
        }
        Ok(())
    }
}

#[async_trait]
impl Observe<Protection> for Store {
    async fn observe(&self, cx: &Cx) -> Result<Protection> {
        let looks = join_all(self.nodes().map(|node| async move { (node, read(node, cx).await) })).await;
        let mut sides = BTreeMap::new();
        let mut answered = false;
        let mut silence = None;
        for (node, look) in looks {
            match look {
                Ok(found) => {
                    answered = true;
                    sides.extend(found.map(|found| (node.side.clone(), found)));
                }
                Err(trouble) => silence = Some(node.failed(trouble)),
            }
        }
        if let Some(error) = silence.filter(|_| !answered) {
            return Err(error);
        }
        Ok(Protection { at: cx.now(), sides })
    }
}

async fn read(node: &Node, cx: &Cx) -> Result<Option<SideProtection>, Trouble> {
    let row = node.row(READ, cx.deadline).await?;
    if row.flag("recovering") != Some(false) {
        return Ok(None);
    }
    let (archive, archiving) = match row.text("archive_mode") {
        Some("off") => (Some(true), "off"),
        Some(_) => match (row.flag("archived"), row.flag("failing"), row.flag("failed")) {
            (_, Some(true), Some(true)) => (Some(false), "fails"),
            (Some(true), _, _) => (Some(true), "works"),
            (Some(false), _, _) => (None, "has not archived yet"),
            (None, _, _) => (None, "unknown"),
        },
        None => (None, "unknown"),
    };
    let slots = match (row.value::<u64>("active"), row.value::<u64>("lost")) {
        (Some(active), Some(lost)) => Some(active > 0 && lost == 0),
        _ => None,
    };
    Ok(Some(SideProtection {
        node: node.name.clone(),
        replica: row.value::<u64>("replicas").map(|replicas| replicas > 0),
        archive,
        slots,
        archiving: archiving.to_owned(),
    }))
}
