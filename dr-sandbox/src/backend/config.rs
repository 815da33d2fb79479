//! The configuration of kind `sandbox-app`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use dr_core::Side;
use dr_core::resource::{ConfigError, SecretRef};
use serde_json::{Map, Value};

/// A configuration that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) workload: String,
    pub(super) token: SecretRef,
    pub(super) sides: BTreeMap<Side, Addresses>,
}

/// Where a side is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) agent: SocketAddr,
    pub(super) service: SocketAddr,
}

impl Config {
    /// Reads it, with everything that is wrong.
    pub(super) fn read(value: &Value) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let empty = Map::new();
        let fields = object(value, "", &["workload", "token", "sides"], &mut errors).unwrap_or(&empty);
        let workload = text(fields, "", "workload", &mut errors).map(str::to_owned);
        let token = text(fields, "", "token", &mut errors).and_then(|text| {
            SecretRef::new(text).map_err(|message| errors.push(ConfigError::new("/token", message))).ok()
        });
        let sides = sides(fields.get("sides"), &mut errors);
        match (workload, token) {
            (Some(workload), Some(token)) if errors.is_empty() => Ok(Self { workload, token, sides }),
            _ => Err(errors),
        }
    }
}

fn sides(value: Option<&Value>, errors: &mut Vec<ConfigError>) -> BTreeMap<Side, Addresses> {
    let Some(Value::Object(entries)) = value else {
        errors.push(ConfigError::new("/sides", "expected each side with its `agent` and `service`"));
        return BTreeMap::new();
    };
    if entries.is_empty() {
        errors.push(ConfigError::new("/sides", "expected at least one side"));
    }
    let mut sides = BTreeMap::new();
    for (name, value) in entries {
        let at = format!("/sides/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(fields) = object(value, &at, &["agent", "service"], errors) else { continue };
        let (agent, service) =
            (address(fields, &at, "agent", errors), address(fields, &at, "service", errors));
        if let (Some(agent), Some(service)) = (agent, service) {
            sides.insert(Side::new(name), Addresses { agent, service });
        }
    }
    sides
}

fn object<'v>(
    value: &'v Value,
    at: &str,
    known: &[&str],
    errors: &mut Vec<ConfigError>,
) -> Option<&'v Map<String, Value>> {
    let Some(fields) = value.as_object() else {
        errors.push(ConfigError::new(at, format!("expected the fields {}", known.join(", "))));
        return None;
    };
    for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
        let message = format!("unknown field `{name}`: {} are known", known.join(", "));
        errors.push(ConfigError::new(format!("{at}/{name}"), message));
    }
    Some(fields)
}

fn text<'v>(
    fields: &'v Map<String, Value>,
    at: &str,
    name: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<&'v str> {
    match fields.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        Some(_) => {
            errors.push(ConfigError::new(format!("{at}/{name}"), "expected a text"));
            None
        }
        None => {
            errors.push(ConfigError::new(at, format!("missing field `{name}`")));
            None
        }
    }
}

fn address(
    fields: &Map<String, Value>,
    at: &str,
    name: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<SocketAddr> {
    let text = text(fields, at, name, errors)?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            let message = format!("`{text}` is no address with a port: 127.20.1.1:20001");
            errors.push(ConfigError::new(format!("{at}/{name}"), message));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_mistake_is_found_with_its_place() {
        let wrong = json!({
            "workload": 3,
            "token": "hunter2",
            "sides": { "us": { "agent": "nowhere", "service": "127.0.0.1:80", "colour": "red" } }
        });
        let errors = Config::read(&wrong).unwrap_err();
        let places: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(places, ["/workload", "/token", "/sides/us/colour", "/sides/us/agent"]);
        assert!(errors.iter().all(|error| !error.message.contains("hunter2")));
    }
}
