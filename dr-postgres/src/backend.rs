//! The kind `postgres`, and a configuration of it that makes sense.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{
    Backend, ConfigError, Configured, Connect, Fence, Follow, Needs, Pause, Promote, Replication, Resource,
    Unfence, Unpause,
};
use dr_core::{Identity, Region, Result, Side, async_trait};
use serde_json::Value;

use crate::by_hand;
use crate::config::Config;
use crate::ledger::Book;
use crate::protection::Protection;
use crate::schema::schema;
use crate::store::Store;

const VERBS: [&str; 6] = ["fence", "unfence", "promote", "follow", "pause", "unpause"];

/// The backend for `kind: postgres`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Postgres;

/// The backend for `kind: postgres`.
pub fn backend() -> Postgres {
    Postgres
}

impl Backend for Postgres {
    fn kind(&self) -> &str {
        "postgres"
    }

    fn schema(&self) -> Value {
        schema()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(Plan { config: Config::read(&config)? }))
    }
}

#[derive(Debug)]
struct Plan {
    config: Config,
}

#[async_trait]
impl Configured for Plan {
    fn identities(&self) -> Vec<Identity> {
        let mut all: Vec<Identity> = self
            .config
            .sides
            .values()
            .flat_map(|side| {
                side.nodes
                    .iter()
                    .map(|node| Identity::new(format!("postgres://{}/{}", node.name(), side.database)))
            })
            .collect();
        all.sort();
        all
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.config.sides.iter().map(|(side, config)| (side.clone(), config.region.clone())).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        VERBS.to_vec()
    }

    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let controlled =
            self.config.sides.values().flat_map(|side| &side.nodes).all(|node| node.control.is_some());
        let permissions: &[&str] = match verb {
            "observe" => &["LOGIN", "pg_monitor", "EXECUTE ON pg_read_file(text, bigint, bigint, boolean)"],
            "fence" | "unfence" if controlled => &["the data directory's owner on each node (control)"],
            "fence" | "unfence" => {
                &["SUPERUSER (or control of every node)", "LOGIN as the application's role"]
            }
            "promote" => &[
                "pg_monitor",
                "EXECUTE ON pg_promote(boolean, integer)",
                "CREATE ON SCHEMA public",
                "LOGIN as the application's role",
            ],
            "follow" => &[
                "the data directory's owner on each node (control)",
                "REPLICATION",
                "EXECUTE ON pg_ls_dir, pg_stat_file, pg_read_binary_file (pg_rewind)",
                "pg_checkpoint or SUPERUSER",
            ],
            "pause" | "unpause" => &["EXECUTE ON pg_wal_replay_pause(), pg_wal_replay_resume()"],
            _ => &[],
        };
        let needs = Needs::permissions(permissions.iter().copied());
        let there = self.config.sides.iter().filter(|(name, _)| on.is_none_or(|on| on == *name));
        there.fold(needs, |needs, (_, side)| needs.and_data("PostgreSQL", side.region.clone()))
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        by_hand::commands(&self.config, verb, call)
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let store = Arc::new(Store::new(&self.config, connect).await?);
        let identity = self.identities().into_iter().next().unwrap_or_else(|| Identity::new("postgres"));
        Ok(Resource::new(identity)
            .observing::<Replication>(store.clone())
            .observing::<Protection>(store.clone())
            .with::<Fence>(store.clone())
            .with::<Unfence>(store.clone())
            .with::<Promote>(store.clone())
            .with::<Follow>(store.clone())
            .with::<Pause>(store.clone())
            .with::<Unpause>(store.clone())
            .fencing(store.clone())
            .proving(store.clone())
            .keeping(Arc::new(Book::new(store))))
    }
}
