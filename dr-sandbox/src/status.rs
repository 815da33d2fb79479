//! What a sandbox looks like now, each part asked side by side and within a bound.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use dr_core::{Result, Side, Timestamp};
use serde::Serialize;
use tokio::time::timeout;

use crate::agent::{Ask, Staff};
use crate::dns::lookup;
use crate::inside::InsideStats;
use crate::load::LoadStats;
use crate::postgres::ADMIN;
use crate::state::{DATABASE, Layout, RECORD, State};
use crate::wire::Database;
use crate::{agent_of, partition};

/// How long one part may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// What there is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    dir: String,
    until: Timestamp,
    plan: String,
    /// Where callers are sent: a side, an address that is nobody's, or why it is not known.
    name: String,
    routed: String,
    dns: String,
    sides: BTreeMap<Side, SideStatus>,
    load: Option<LoadStats>,
}

#[derive(Debug, Clone, Serialize)]
struct SideStatus {
    postgres: String,
    role: String,
    service: String,
    staff: Option<Staff>,
    agent: String,
    cut_off: Option<bool>,
    inside: Option<InsideStats>,
}

/// Looks.
pub(crate) async fn look(layout: &Layout, state: &State) -> Result<Status> {
    let [first, second] = [crate::state::SOURCE, crate::state::TARGET].map(Side::new);
    let (cut_off, routed, one, two) = tokio::join!(
        partition::sides(state),
        lookup(state.dns, RECORD, ANSWER),
        look_at(layout, state, &first),
        look_at(layout, state, &second)
    );
    let routed = match routed {
        Ok((addresses, _)) => addresses
            .iter()
            .map(|address| {
                let side = state.regions.iter().find(|(_, region)| region.app.ip() == *address);
                side.map_or(address.to_string(), |(side, _)| side.to_string())
            })
            .collect::<Vec<_>>()
            .join(", "),
        Err(error) => format!("unknown ({})", error.chain()),
    };
    let mut sides = BTreeMap::from([(first, one?), (second, two?)]);
    for (side, status) in &mut sides {
        status.cut_off = cut_off.as_ref().map(|cut_off| cut_off.contains(side));
    }
    Ok(Status {
        dir: layout.dir().display().to_string(),
        until: state.until,
        plan: layout.plan().display().to_string(),
        name: RECORD.to_owned(),
        routed,
        dns: state.dns.to_string(),
        sides,
        load: LoadStats::read(layout),
    })
}

async fn look_at(layout: &Layout, state: &State, side: &Side) -> Result<SideStatus> {
    let region = state.region(side)?;
    let agent = agent_of(layout, state, side)?;
    let database = Database::new(region.postgres, None, ADMIN, &layout.read_secret("dr")?, DATABASE);
    let (staff, role) = tokio::join!(agent.ask(Ask::Observe, ANSWER), role(&database));
    Ok(SideStatus {
        postgres: region.postgres.to_string(),
        role,
        service: region.app.to_string(),
        agent: staff.as_ref().map_or_else(dr_core::Error::chain, |_| region.agent.to_string()),
        staff: staff.ok(),
        cut_off: None,
        inside: InsideStats::read(layout, side),
    })
}

async fn role(database: &Database) -> String {
    let ask = async {
        let client = database.connect().await.map_err(|error| error.kind().to_string())?;
        let row =
            client.query_one("select pg_is_in_recovery()", &[]).await.map_err(|error| error.to_string())?;
        row.try_get::<_, bool>(0).map_err(|error| error.to_string())
    };
    match timeout(ANSWER, ask).await {
        Ok(Ok(true)) => "standby".to_owned(),
        Ok(Ok(false)) => "primary".to_owned(),
        Ok(Err(why)) => format!("unknown ({why})"),
        Err(_) => "unknown (no answer)".to_owned(),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} → {}   (name server {})", self.name, self.routed, self.dns)?;
        writeln!(
            f,
            "{:<14} {:<22} {:<24} {:<8} {:<10} NETWORK",
            "SIDE", "POSTGRES", "ROLE", "SERVICE", "INSIDE"
        )?;
        for (side, status) in &self.sides {
            let service = status
                .staff
                .as_ref()
                .map_or("?".to_owned(), |staff| format!("{}/{}", staff.ready, staff.desired));
            let inside = status.inside.as_ref().map_or("-".to_owned(), |inside| inside.acked.to_string());
            let network = match status.cut_off {
                Some(true) => "cut off",
                Some(false) => "open",
                None => "unknown",
            };
            writeln!(
                f,
                "{side:<14} {:<22} {:<24} {service:<8} {inside:<10} {network}",
                status.postgres, status.role
            )?;
            for problem in status.staff.iter().flat_map(|staff| &staff.problems) {
                writeln!(f, "{:<14} {problem}", "")?;
            }
        }
        match &self.load {
            Some(load) => writeln!(
                f,
                "load: {} sent, {} acknowledged, {} refused, {} unknown{}",
                load.sent,
                load.acked,
                load.refused,
                load.unknown,
                load.last_problem
                    .as_ref()
                    .map_or(String::new(), |problem| format!("; last problem: {problem}"))
            )?,
            None => writeln!(f, "load: none")?,
        }
        writeln!(f, "plan: {}", self.plan)?;
        write!(f, "ends by itself at {}", self.until)
    }
}
