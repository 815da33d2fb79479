//! Nodes that replicate and that the plan does not list: a neighbour that promotes itself is a second primary.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use dr_core::Side;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::error::Trouble;
use crate::node::Node;
use crate::observe::View;

const READ: &str =
    "select coalesce(r.application_name, '') as name, host(r.client_addr) as address, s.slot_name as slot
  from pg_stat_replication r left join pg_replication_slots s on s.active_pid = r.pid";

/// One walsender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) name: String,
    pub(crate) address: Option<IpAddr>,
    pub(crate) slot: Option<String>,
}

/// Reads a node's walsenders. `None`: our role may not see them.
pub(crate) async fn read(node: &Node, deadline: Instant) -> Result<Option<Vec<Sender>>, Trouble> {
    match node.rows(READ, deadline).await {
        Ok(rows) => Ok(Some(
            rows.iter()
                .map(|row| Sender {
                    name: row.text("name").unwrap_or_default().to_owned(),
                    address: row.value("address"),
                    slot: row.text("slot").map(str::to_owned),
                })
                .collect(),
        )),
        Err(Trouble::Said(..)) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// The strangers by the side that sees them. Tools that only copy the log cannot be promoted and are none.
pub(crate) async fn find(seen: &[(&Node, View)]) -> BTreeMap<Side, Vec<String>> {
    let mut found: BTreeMap<Side, Vec<String>> = BTreeMap::new();
    for (node, view) in seen {
        let View::Answered(look) = view else { continue };
        let mut left: Vec<Sender> = look.senders.iter().flatten().cloned().collect();
        left.retain(|sender| !["pg_receivewal", "pg_basebackup"].contains(&sender.name.as_str()));
        let mut silent = Vec::new();
        for (other, view) in seen.iter().filter(|(other, _)| other.name != node.name) {
            match view {
                View::Answered(standby) if standby.recovering && standby.receiving != Some(false) => {
                    let by_slot =
                        left.iter().position(|sender| sender.slot.is_some() && sender.slot == standby.slot);
                    let by_name =
                        || left.iter().position(|sender| Some(&sender.name) == standby.sender_name.as_ref());
                    let by_default = || {
                        left.iter()
                            .position(|sender| sender.name == "walreceiver" && standby.sender_name.is_none())
                    };
                    if let Some(index) = by_slot.or_else(by_name).or_else(by_default) {
                        left.remove(index);
                    }
                }
                View::Answered(_) => {}
                View::Silent(..) => silent.push(*other),
            }
        }
        if !left.is_empty() && !silent.is_empty() {
            let known = addresses(&silent).await;
            left.retain(|sender| !sender.address.is_some_and(|address| known.contains(&address)));
        }
        if !left.is_empty() {
            found.entry(node.side.clone()).or_default().extend(left.iter().map(Sender::to_string));
        }
    }
    found
}

impl std::fmt::Display for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.address {
            Some(address) => write!(f, "{} at {address}", self.name),
            None => write!(f, "{} on its own host", self.name),
        }
    }
}

async fn addresses(nodes: &[&Node]) -> BTreeSet<IpAddr> {
    let look_up = |node: &Node| {
        let host = (node.endpoint.host.clone(), node.endpoint.port);
        async move {
            match tokio::time::timeout(Duration::from_millis(500), tokio::net::lookup_host(host)).await {
                Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
                Ok(Err(_)) | Err(_) => Vec::new(),
            }
        }
    };
    join_all(nodes.iter().map(|node| look_up(node))).await.into_iter().flatten().collect()
}
