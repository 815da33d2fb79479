//! The writer inside a region: it writes straight to the region's own database, past every name and proxy.
//!
//! When a region is cut off, nobody outside can stop it: what it writes then are the stray writes of a returning side.

use std::time::Duration;

use dr_core::{Result, Side, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::leash::Leash;
use crate::postgres::APP;
use crate::state::{self, DATABASE, Layout, State};
use crate::wire::Database;

const EVERY: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(2);

/// What it has done since it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InsideStats {
    /// The ledger book that its rows stand under.
    pub(crate) book: String,
    /// Rows whose commit was acknowledged.
    pub(crate) acked: u64,
    /// Tries that failed.
    pub(crate) failed: u64,
    /// When the last was acknowledged.
    pub(crate) last_acked: Option<Timestamp>,
}

impl InsideStats {
    /// What the writer of a side has written down.
    pub(crate) fn read(layout: &Layout, side: &Side) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(layout.inside(side)).ok()?).ok()
    }
}

/// Writes until its supervisor is gone.
pub(crate) async fn run(layout: &Layout, side: &Side) -> Result<()> {
    let leash = Leash::take()?;
    let state = State::read(layout)?;
    let region = state.region(side)?;
    let password = layout.read_secret("app")?;
    let database = Database::new(region.postgres, Some(region.app.ip()), APP, &password, DATABASE);
    leash.say_ready()?;
    tokio::select! {
        biased;
        () = leash.cut() => Ok(()),
        result = write(layout, side, &database) => result,
    }
}

async fn write(layout: &Layout, side: &Side, database: &Database) -> Result<()> {
    let mut stats = InsideStats::read(layout, side).unwrap_or_default();
    stats.book = format!("inside-{side}");
    let mut session: Option<Client> = None;
    let mut due = interval(EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        due.tick().await;
        let client = match session.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => match database.connect().await {
                Ok(client) => client,
                Err(_) => {
                    stats.failed += 1;
                    state::write(&layout.inside(side), &stats)?;
                    continue;
                }
            },
        };
        // The moment in microseconds: a number that no earlier row has, also after a restart.
        let row = Timestamp::system().as_micros();
        let values: [&(dyn ToSql + Sync); 2] = [&stats.book, &row];
        let insert = client
            .execute("insert into dr_ledger (book, row) values ($1, $2) on conflict do nothing", &values);
        if let Ok(Ok(_)) = timeout(ANSWER, insert).await {
            stats.acked += 1;
            stats.last_acked = Some(Timestamp::system());
            session = Some(client);
        } else {
            stats.failed += 1;
        }
        state::write(&layout.inside(side), &stats)?;
    }
}
