//! What there is, as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::resource::{Cx, Hazard, NodeState, Observe, Reach, Replication, Role, SideState};
use dr_core::{Result, Side, async_trait};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::error::Trouble;
use crate::look::Look;
use crate::pair::{Pair, Server};

/// How long a copy that is behind is watched while it catches up.
const WATCHED: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(10);

type Seen<'p> = (&'p Server, Result<Look, Trouble>);

#[async_trait]
impl Observe<Replication> for Pair {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        let began = Instant::now();
        let seen: Vec<Seen<'_>> =
            join_all(self.sides.values().map(|server| async move { (server, server.look(cx).await) })).await;
        let mut sides = BTreeMap::new();
        for (server, look) in &seen {
            let other = seen.iter().find(|(other, _)| other.side != server.side);
            let other = other.and_then(|(_, look)| look.as_ref().ok());
            let state = match look {
                Ok(look) => self.state(cx, server, look, other, began).await,
                Err(trouble) => SideState::new(vec![NodeState::new(server.address.clone(), trouble.reach())]),
            };
            sides.insert(server.side.clone(), state);
        }
        Ok(Replication::new(cx.now(), sides))
    }

    async fn observe_side(&self, cx: &Cx, side: &Side) -> Result<Replication> {
        // How far a copy lags only both of them tell.
        let _ = side;
        self.observe(cx).await
    }
}

impl Pair {
    async fn state(
        &self,
        cx: &Cx,
        server: &Server,
        look: &Look,
        other: Option<&Look>,
        began: Instant,
    ) -> SideState {
        let mut node = NodeState::new(server.address.clone(), Reach::Answers);
        node.role = if look.primary { Role::Primary } else { Role::Standby };
        node.writable = Some(self.takes_writes(look));
        node.system = Some(look.replid.clone());
        node.position = Some(look.position());
        if !look.primary {
            node.received = look.received.map(crate::look::place);
            node.receiving = Some(look.streams);
            node.lag = lag(cx, server, look, other, began).await;
            node.hazards = self.hazards(cx, server, look).await;
        }
        SideState::new(vec![node]).managed_by(look.manager()).with_strangers(strangers(server, look, other))
    }

    /// Whether a plain session could write now.
    pub(crate) fn takes_writes(&self, look: &Look) -> bool {
        let shut = look.note.is_some() && look.open_accounts(&self.ours).is_empty();
        if look.primary { !shut } else { !look.read_only }
    }

    async fn hazards(&self, cx: &Cx, server: &Server, look: &Look) -> Vec<Hazard> {
        let mut all = Vec::new();
        let mut hazard = |code: &str, message: String| {
            all.push(Hazard { code: code.to_owned(), message, blocks: true });
        };
        if look.least_copies > 0 {
            let text = "min-replicas-to-write is not 0: promoted, it has no replica and takes no write";
            hazard("min-replicas-to-write", text.to_owned());
        }
        if !look.can_keep() {
            let text = "it runs without a configuration file: a restart would make it a replica again";
            hazard("no-configuration-file", text.to_owned());
        }
        if look.note.is_none()
            && let Err(trouble) = server.caller(cx.deadline).await
        {
            let text = format!("`{}` cannot come in ({trouble}): accounts are not replicated", self.theirs);
            hazard("application-account", text);
        }
        all
    }
}

/// How far behind its primary a copy is. Redis counts bytes, not time: what can be said honestly is that a copy that has all
/// that its primary had a moment ago is at most that moment behind. A copy without a link, or without a primary that
/// answers, is behind by an unknown time, and equal numbers in different histories are not equal.
async fn lag(
    cx: &Cx,
    server: &Server,
    look: &Look,
    other: Option<&Look>,
    began: Instant,
) -> Option<Duration> {
    let primary = other.filter(|other| other.primary && other.replid == look.replid)?;
    let until = (Instant::now() + WATCHED).min(cx.deadline);
    let mut now = look.clone();
    loop {
        if !now.streams || now.replid != primary.replid {
            return None;
        }
        if now.offset >= primary.offset {
            // One that has more was read later than its primary.
            let same = now.offset == primary.offset && now.offset == look.offset;
            return Some(if same { Duration::ZERO } else { began.elapsed() });
        }
        if Instant::now() + POLL >= until {
            return None;
        }
        tokio::time::sleep(POLL).await;
        now = server.look(cx).await.ok()?;
    }
}

/// Replicas that the plan does not list: a pair has one.
fn strangers(server: &Server, look: &Look, other: Option<&Look>) -> Vec<String> {
    let ours = other.is_none_or(|other| !other.primary && other.streams);
    if look.copies.len() <= usize::from(ours) {
        return Vec::new();
    }
    // A primary knows a replica by the address that it came from: only the count is sure.
    look.copies
        .iter()
        .map(|copy| format!("{copy} (one of {} replicas of {})", look.copies.len(), server.address))
        .collect()
}
