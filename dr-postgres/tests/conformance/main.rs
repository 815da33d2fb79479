//! Real PostgreSQL through the suites that the models pass too.

#[cfg(test)]
#[expect(dead_code, reason = "shared with tests that use the rest of it")]
#[path = "../servers/support.rs"]
mod support;

use dr_core::{Result, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use support::{EAST, Pair, Server, WEST, sql};

#[derive(Debug)]
struct Postgres;

/// Awaits what cannot move to another thread.
fn here<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

#[async_trait]
impl Fixture for Postgres {
    async fn fresh(&self) -> Result<Subject> {
        let (resource, pair) = here(async {
            let pair = Pair::start().await;
            (pair.store().await.resource, pair)
        });
        Ok(Subject::new(resource, EAST, WEST, Hands(pair)))
    }
}

#[derive(Debug)]
struct Hands(Pair);

impl Hands {
    fn server(&self, side: &str) -> &Server {
        if side == EAST { &self.0.east } else { &self.0.west }
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Hang(side) => self.server(side.as_str()).signal("STOP"),
            Lever::Heal(side) => self.server(side.as_str()).signal("CONT"),
            Lever::CutReplication => {
                let west = self.0.west.port;
                for text in ["alter system set primary_conninfo = ''", "select pg_reload_conf()"] {
                    if sql(west, "postgres", text).await.is_err() {
                        return false;
                    }
                }
                // Until the receiver is gone: a row written before that would still arrive.
                here(support::eventually("replication is cut", async || {
                    let receivers = "select count(*) from pg_stat_wal_receiver";
                    support::one(west, receivers).await.as_deref() == Ok("0")
                }));
            }
            Lever::Silence(_) | Lever::Meddle(_) | Lever::BreakRollouts(_) => return false,
        }
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_a_ledger() {
    suite::ledger(&Postgres).await.assert(5);
}
