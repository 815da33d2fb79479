//! The kind `redis-pair`, and a configuration of it that makes sense.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{
    Backend, ConfigError, Configured, Connect, Fence, Follow, Needs, Promote, Replication, Resource, Unfence,
};
use dr_core::{Identity, Region, Result, Side, async_trait};
use serde_json::Value;

use crate::by_hand;
use crate::config::{Config, schema};
use crate::pair::Pair;

/// The backend for `kind: redis-pair`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisPair;

impl Backend for RedisPair {
    fn kind(&self) -> &str {
        "redis-pair"
    }

    fn schema(&self) -> Value {
        schema()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(Plan(Config::read(config)?)))
    }
}

#[derive(Debug)]
struct Plan(Config);

#[async_trait]
impl Configured for Plan {
    fn identities(&self) -> Vec<Identity> {
        let mut all: Vec<Identity> =
            self.0.sides.values().map(|side| Identity::new(format!("redis:{}", side.address))).collect();
        all.sort();
        all
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        let region = |side: &Side| Region::new(side.as_str());
        let sides = self.0.sides.iter();
        sides.map(|(side, it)| (side.clone(), it.region.clone().unwrap_or_else(|| region(side)))).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        vec!["fence", "unfence", "promote", "follow"]
    }

    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let look = ["+info", "+client", "+acl|list", "+config|get"];
        let more: &[&str] = match verb {
            "fence" | "unfence" => &["+acl|setuser", "+acl|deluser", "+multi", "+exec", "+config|rewrite"],
            "promote" | "follow" => {
                &["+acl|setuser", "+acl|deluser", "+multi", "+exec", "+config|rewrite", "+replicaof"]
            }
            _ => &[],
        };
        let needs = Needs::permissions(look.iter().chain(more).copied());
        match on.and_then(|side| self.sides().remove(side)) {
            Some(region) => needs.and_data("Redis", region),
            None => needs,
        }
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        by_hand::commands(&self.0, verb, call)
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let pair = Arc::new(Pair::connect(&self.0, connect).await?);
        let identity = self.identities().into_iter().next().unwrap_or_else(|| Identity::new("redis"));
        Ok(Resource::new(identity)
            .observing::<Replication>(pair.clone())
            .with::<Fence>(pair.clone())
            .with::<Unfence>(pair.clone())
            .with::<Promote>(pair.clone())
            .with::<Follow>(pair.clone())
            .fencing(pair.clone())
            .keeping(pair))
    }
}
