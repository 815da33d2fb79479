//! A pair of servers, each behind a road on which packets can vanish and a control that can fall silent with it.

use std::fs;
use std::path::PathBuf;

use dr_core::{Result, Side, async_trait};
use dr_testkit::suite::{Fixture, Lever, Levers, Subject};
use serde_json::{Value, json};

use crate::road::Road;
use crate::support::{EAST, Pair, Server, Store, WEST, eventually, one, sql};

/// Waits while a file exists, and then does as it is told: a control behind a broken road.
const CONTROL: &str = r#"while [ -e "$0" ]; do sleep 0.05; done; exec "$@""#;

#[derive(Debug)]
pub(crate) struct Postgres;

/// Awaits what cannot move to another thread.
fn here<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

#[async_trait]
impl Fixture for Postgres {
    async fn fresh(&self) -> Result<Subject> {
        let (resource, hands) = here(async {
            let pair = Pair::start().await;
            let roads = [Road::to(pair.east.port), Road::to(pair.west.port)];
            let hands = Hands { pair, roads };
            hands.replay_a_commit().await;
            (Store::connect(hands.config()).await.resource, hands)
        });
        Ok(Subject::new(resource, EAST, WEST, hands))
    }
}

#[derive(Debug)]
struct Hands {
    pair: Pair,
    roads: [Road; 2],
}

impl Hands {
    fn server(&self, side: &Side) -> (&Server, &Road) {
        let [east, west] = &self.roads;
        if side.as_str() == EAST { (&self.pair.east, east) } else { (&self.pair.west, west) }
    }

    /// Its control waits while this exists.
    fn silent(server: &Server) -> PathBuf {
        server.data.with_file_name("silent")
    }

    /// The pair's configuration, by our roads and our controls.
    fn config(&self) -> Value {
        let mut config = self.pair.config_by_command();
        for side in [EAST, WEST] {
            let (server, road) = self.server(&Side::new(side));
            let side = &mut config["sides"][side];
            side["url"] = json!(format!("postgres://dr@127.0.0.1:{}/postgres", road.port));
            let mut prefix = vec![json!("sh"), json!("-c"), json!(CONTROL), json!(Self::silent(server))];
            // The pair's own prefix ends with a shell.
            let drop = side["control"]["command"]["prefix"].as_array().cloned().unwrap_or_default();
            prefix.extend(drop.iter().take(drop.len().saturating_sub(2)).cloned());
            side["control"]["command"]["prefix"] = Value::Array(prefix);
            side["control"]["command"]["shell"] = json!(false);
        }
        config
    }

    /// Lag is measured from the last commit that a copy replayed: there has to be one.
    async fn replay_a_commit(&self) {
        sql(self.pair.east.port, "postgres", "insert into t values (0)").await.unwrap();
        let replayed = "select pg_last_xact_replay_timestamp() is not null";
        let west = self.pair.west.port;
        eventually("a commit is replayed", async || one(west, replayed).await.as_deref() == Ok("t")).await;
    }

    /// What matters of a server: asked directly, beside the roads.
    async fn state(&self, server: &Server) -> String {
        let there = |name: &str| server.data.join(name).exists();
        let bar = server.data.with_file_name(".data.dr-barred");
        let files = format!(
            "standby.signal: {}, promote.signal: {}, barred: {:?}",
            there("standby.signal"),
            there("promote.signal"),
            fs::read_to_string(bar).ok(),
        );
        if !there("postmaster.pid") {
            return format!("stopped, {files}");
        }
        let question = "select concat_ws(' ', 'recovering:', pg_is_in_recovery(), 'timeline:', \
             case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_lsn()), 8) end, 'paused:', \
             case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() end, 'rows:', \
             (select count(*) from t), 'logins:', (select count(*) from pg_roles where rolcanlogin))";
        let mut said = one(server.port, question).await;
        for _ in 0..200 {
            // It is starting, or on its way down.
            if said.is_ok() || !there("postmaster.pid") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            said = one(server.port, question).await;
        }
        match said {
            Ok(said) => format!("{said}, {files}"),
            Err(_) if !there("postmaster.pid") => format!("stopped, {files}"),
            Err(error) => format!("{error}, {files}"),
        }
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) => {
                let (server, road) = self.server(side);
                let flag = fs::write(Self::silent(server), "");
                tokio::task::block_in_place(|| road.silence());
                flag.is_ok()
            }
            Lever::Hang(side) => {
                self.server(side).0.signal("STOP");
                true
            }
            Lever::Heal(side) => {
                let (server, road) = self.server(side);
                let _ = fs::remove_file(Self::silent(server));
                road.heal();
                server.signal("CONT");
                true
            }
            Lever::CutReplication => here(self.cut_replication()),
            // Another run has barred it since.
            Lever::Meddle("fence") => {
                let bar = self.pair.east.data.with_file_name(".data.dr-barred");
                let Ok(text) = fs::read_to_string(&bar) else { return false };
                let theirs: String =
                    text.lines()
                        .map(|line| {
                            if line.starts_with("run=") {
                                "run=another\n".into()
                            } else {
                                format!("{line}\n")
                            }
                        })
                        .collect();
                fs::write(bar, theirs).is_ok()
            }
            // The copy is a primary now.
            Lever::Meddle("pause" | "unpause") => {
                one(self.pair.west.port, "select pg_promote(true, 20)").await.as_deref() == Ok("t")
            }
            _ => false,
        }
    }

    async fn look(&self) -> Option<String> {
        let [east, west] = [&self.pair.east, &self.pair.west];
        Some(format!("east: {}\nwest: {}", self.state(east).await, self.state(west).await))
    }
}

impl Hands {
    async fn cut_replication(&self) -> bool {
        let west = self.pair.west.port;
        for text in ["alter system set primary_conninfo = ''", "select pg_reload_conf()"] {
            if sql(west, "postgres", text).await.is_err() {
                return false;
            }
        }
        // Until the receiver is gone: a row written before that would still arrive.
        eventually("replication is cut", async || {
            one(west, "select count(*) from pg_stat_wal_receiver").await.as_deref() == Ok("0")
        })
        .await;
        true
    }
}
