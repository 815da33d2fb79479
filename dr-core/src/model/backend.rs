//! The backend whose resources are a world's: `{ kind: model, name: orders }`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::world::World;
use crate::error::{Error, Result};
use crate::ids::{Identity, Region, ResourceName, Side};
use crate::resource::{Backend, ConfigError, Configured, Connect, Resource};

/// Lets a plan name what is in a [`World`]. The world is made first; the plan finds it there.
#[derive(Debug, Clone)]
pub struct ModelBackend(World);

impl ModelBackend {
    /// For a world.
    pub fn new(world: &World) -> Self {
        Self(world.clone())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: ResourceName,
}

impl Backend for ModelBackend {
    fn kind(&self) -> &str {
        "model"
    }

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "name": { "type": "string", "description": "what it is called in the world" } },
            "required": ["name"],
            "additionalProperties": false
        })
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        let config: Config =
            serde_json::from_value(config).map_err(|error| vec![ConfigError::new("", error.to_string())])?;
        let resource = self.0.resources().remove(&config.name).ok_or_else(|| {
            vec![ConfigError::new("/name", format!("the world has nothing called `{}`", config.name))]
        })?;
        let mut verbs: Vec<&'static str> = resource.verbs().collect();
        verbs.sort_unstable();
        Ok(Box::new(ConfiguredModel { world: self.0.clone(), name: config.name, verbs }))
    }
}

#[derive(Debug)]
struct ConfiguredModel {
    world: World,
    name: ResourceName,
    verbs: Vec<&'static str>,
}

#[async_trait]
impl Configured for ConfiguredModel {
    fn identities(&self) -> Vec<Identity> {
        vec![Identity::new(format!("model:{}", self.name))]
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.world
            .with(|world| world.sides.keys().map(|side| (side.clone(), Region::new(side.as_str()))).collect())
    }

    fn verbs(&self) -> Vec<&str> {
        self.verbs.clone()
    }

    fn fences_itself_when_planned(&self) -> bool {
        self.world.with(|world| world.stores.get(&self.name).is_some_and(|store| store.fences_itself))
    }

    fn splits_traffic(&self) -> bool {
        self.world.with(|world| world.zones.get(&self.name).is_some_and(|zone| zone.shared))
    }

    fn knows_addresses(&self) -> bool {
        self.world.with(|world| world.fleets.contains_key(&self.name))
    }

    fn measures_room(&self) -> bool {
        self.knows_addresses()
    }

    fn ttl(&self) -> Option<std::time::Duration> {
        self.world.with(|world| world.zones.get(&self.name).map(|zone| zone.ttl))
    }

    async fn connect(&self, _connect: &Connect<'_>) -> Result<Resource> {
        self.world
            .resources()
            .remove(&self.name)
            .ok_or_else(|| Error::invalid(format!("the world has nothing called `{}`", self.name)))
    }
}
