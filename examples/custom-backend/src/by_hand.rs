//! The verbs as commands that a person would type when `dr` itself cannot run.

use dr_core::resource::SecretRef;
use serde_json::Value;

use crate::config::{Config, SideConfig, parts};

/// The commands for a call; none for a verb that has none. Secrets stand as their references.
pub(crate) fn commands(config: &Config, verb: &str, call: &Value) -> Vec<String> {
    let side = |key: &str| {
        let name = call.get(key).and_then(Value::as_str)?;
        config.sides.iter().find(|(side, _)| side.as_str() == name).map(|(_, side)| side)
    };
    let Some(on) = side("in") else { return Vec::new() };
    let at = |words: &str| cli(config, on, words);
    let app = &config.application.user;
    match verb {
        "fence" => vec![
            at(&format!("ACL SETUSER {app} off    # and every other account that may write: ACL LIST")),
            at("CONFIG REWRITE    # with an aclfile: ACL SAVE"),
            at(&format!("CLIENT KILL USER {app}")),
            at("CLIENT LIST    # nobody is left but replicas and ours"),
        ],
        "unfence" => vec![
            at(&format!("ACL SETUSER {app} on    # and whoever else the key patterns of `dr-fence` name")),
            at("ACL DELUSER dr-fence"),
            at("CONFIG REWRITE"),
        ],
        "promote" => vec![
            at(
                "INFO replication    # slave_repl_offset is no less than the fenced side's master_repl_offset",
            ),
            at("REPLICAOF NO ONE"),
            at("CONFIG REWRITE"),
        ],
        "follow" => {
            let Some((host, port)) =
                side("of").and_then(|of| parts(of.replicates_at.as_ref().unwrap_or(&of.address)))
            else {
                return Vec::new();
            };
            vec![
                format!("{}    # the old data: a replica that copies anew throws it away", save(config, on)),
                at(&format!("REPLICAOF {host} {port}")),
                at("CONFIG REWRITE"),
            ]
        }
        _ => Vec::new(),
    }
}

fn cli(config: &Config, on: &SideConfig, words: &str) -> String {
    let (host, port) = parts(&on.address).unwrap_or(("", 0));
    let password = config.password.as_ref().map(SecretRef::to_string).unwrap_or_default();
    format!("REDISCLI_AUTH={password} redis-cli -h {host} -p {port} --user {} {words}", config.user)
}

fn save(config: &Config, on: &SideConfig) -> String {
    cli(config, on, "--rdb kept.rdb")
}
