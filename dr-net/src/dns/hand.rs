//! The same by hand: what a person types when `dr` cannot run.

use dr_core::resource::{At, Route};
use serde_json::Value;

use super::config::DnsPlan;
use crate::wire::plain;

/// `route` as commands; none for anything else, or while its side is not known.
pub(super) fn by_hand(plan: &DnsPlan, verb: &str, call: &Value) -> Vec<String> {
    let route: Option<Route> = (verb == "route").then(|| serde_json::from_value(call.clone()).ok()).flatten();
    let (Some(Route { to: At::Named(side), .. }), Some(update)) = (route, &plan.update) else {
        return Vec::new();
    };
    let record = &plan.record;
    let Ok(wanted) = record.wanted(&side) else { return Vec::new() };
    let name = plain(&record.name);
    let adds: String = wanted
        .values
        .iter()
        .map(|value| format!("update add {name} {} {} {value}\\n", wanted.ttl, record.kind))
        .collect();
    let key = match &update.key {
        Some(key) => format!(" -y '{}:{}:{}'", key.algorithm.to_name(), plain(&key.name), key.secret),
        None => String::new(),
    };
    let port = |port: Option<u16>| port.unwrap_or(53);
    let change = format!(
        "printf 'server {} {}\\nzone {}\\nupdate delete {name} {}\\n{adds}send\\n' | nsupdate{key}",
        update.server.host,
        port(update.server.port),
        plain(&record.zone),
        record.kind,
    );
    let look = plan.servers.iter().map(|server| {
        format!(
            "dig +norecurse +noall +answer @{} -p {} {name} {}",
            server.host,
            port(server.port),
            record.kind
        )
    });
    std::iter::once(change).chain(look).collect()
}
