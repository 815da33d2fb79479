//! What a plan says about a pair.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::resource::{ConfigError, SecretRef};
use dr_core::time::human;
use dr_core::{Region, Side};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The account that is this command's alone.
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) password: Option<SecretRef>,
    /// The account that callers have.
    pub(crate) application: Account,
    /// How long one answer may take.
    #[serde(default = "two_seconds", with = "human")]
    pub(crate) patience: Duration,
    pub(crate) sides: BTreeMap<Side, SideConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) password: Option<SecretRef>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SideConfig {
    /// As callers reach it, and we do.
    pub(crate) address: String,
    /// As the other server reaches it, if otherwise.
    #[serde(default)]
    pub(crate) replicates_at: Option<String>,
    /// By default a side is named for its region.
    #[serde(default)]
    pub(crate) region: Option<Region>,
}

impl Config {
    /// Reads it, and says everything that is wrong with it.
    pub(crate) fn read(config: Value) -> Result<Self, Vec<ConfigError>> {
        let config: Self = serde_path_to_error::deserialize(config).map_err(|error| {
            let path = error.path().to_string();
            let pointer = if path == "." { String::new() } else { format!("/{}", path.replace('.', "/")) };
            vec![ConfigError::new(pointer, error.into_inner().to_string())]
        })?;
        let mut wrong = Vec::new();
        if config.sides.len() != 2 {
            let text = format!("a pair has two sides, here are {}", config.sides.len());
            wrong.push(ConfigError::new("/sides", text));
        }
        if config.user == config.application.user {
            wrong.push(ConfigError::new(
                "/application/user",
                "callers need an account of their own: the fence shuts every account but ours",
            ));
        }
        if config.user == "default" {
            wrong.push(ConfigError::new(
                "/user",
                "`default` is whoever has not said who he is: this command needs an account of its own",
            ));
        }
        for (side, one) in &config.sides {
            let addresses = [("address", Some(&one.address)), ("replicates_at", one.replicates_at.as_ref())];
            for (field, address) in addresses {
                if address.is_some_and(|address| parts(address).is_none()) {
                    wrong.push(ConfigError::new(
                        format!("/sides/{side}/{field}"),
                        "expected `host:port`, like `redis.us.internal:6379`",
                    ));
                }
            }
        }
        if wrong.is_empty() { Ok(config) } else { Err(wrong) }
    }
}

/// Host and port.
pub(crate) fn parts(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host, port.parse().ok()?)).filter(|(host, port)| !host.is_empty() && *port > 0)
}

pub(crate) fn schema() -> Value {
    let secret = json!({ "type": "string", "description": "by reference: ${env:NAME} or ${file:/path}" });
    json!({
        "type": "object",
        "properties": {
            "user": { "type": "string", "description": "the account of this command, and of nobody else" },
            "password": secret,
            "application": {
                "type": "object",
                "description": "the account that callers have: the fence is tried as it",
                "properties": { "user": { "type": "string" }, "password": secret },
                "required": ["user"],
                "additionalProperties": false
            },
            "patience": { "type": "string", "description": "how long one answer may take; default 2s" },
            "sides": {
                "type": "object",
                "description": "two of them; a side is named for its region, or says which it is",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "address": { "type": "string", "description": "host:port, as callers reach it" },
                        "replicates_at": { "type": "string", "description": "host:port, as the other server reaches it" },
                        "region": { "type": "string" }
                    },
                    "required": ["address"],
                    "additionalProperties": false
                }
            }
        },
        "required": ["user", "application", "sides"],
        "additionalProperties": false
    })
}

fn two_seconds() -> Duration {
    Duration::from_secs(2)
}
