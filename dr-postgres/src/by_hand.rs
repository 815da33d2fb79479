//! The verbs as commands that a person would type when `dr` itself cannot run.

use serde_json::Value;

use crate::config::{Config, ControlConfig, NodeConfig, SideConfig, Through};

/// The commands for a call; empty for a verb that has none. Secrets stand as their references.
pub(crate) fn commands(config: &Config, verb: &str, call: &Value) -> Vec<String> {
    let named = |key: &str, default: &str| {
        let name = call.get(key).and_then(Value::as_str).unwrap_or(default);
        config.sides.iter().find(|(side, _)| side.as_str() == name).map(|(_, side)| side)
    };
    let side = match verb {
        "fence" | "unfence" | "follow" => named("in", "source"),
        _ => named("in", "target"),
    };
    let Some(side) = side else { return Vec::new() };
    side.nodes
        .iter()
        .flat_map(|node| match verb {
            "fence" => fence(side, node),
            "unfence" => unfence(side, node),
            "promote" => promote(side, node),
            "follow" => named("of", "target").map_or_else(Vec::new, |of| follow(side, node, of)),
            "pause" => vec![psql(side, node, "select pg_wal_replay_pause()")],
            "unpause" => vec![psql(side, node, "select pg_wal_replay_resume()")],
            _ => Vec::new(),
        })
        .collect()
}

fn psql(side: &SideConfig, node: &NodeConfig, sql: &str) -> String {
    let password =
        side.password.as_ref().map(|reference| format!("PGPASSWORD={reference} ")).unwrap_or_default();
    format!(
        "{password}psql -h {} -p {} -U {} -d {} -c \"{sql}\"",
        node.host, node.port, side.user, side.database
    )
}

fn on_node(control: &ControlConfig, command: &str) -> String {
    match &control.through {
        Through::Local { user: None } => command.to_owned(),
        Through::Local { user: Some(user) } => format!("sudo -u {user} {command}"),
        Through::Command { prefix, .. } => format!("{} {command}", prefix.join(" ")),
    }
}

fn fence(side: &SideConfig, node: &NodeConfig) -> Vec<String> {
    match &node.control {
        Some(control) => vec![
            on_node(control, &format!("touch {}/standby.signal", control.data)),
            on_node(control, &format!("{}/pg_ctl stop -m fast -D {}", control.bin, control.data)),
            on_node(control, &format!("{}/pg_controldata -D {} | grep state", control.bin, control.data)),
        ],
        None => vec![
            psql(side, node, &format!("alter database {} connection limit 0", side.database)),
            "# for each role that can log in, but yours: alter role … nologin".to_owned(),
            psql(
                side,
                node,
                "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
            ),
            psql(side, node, "select gid from pg_prepared_xacts"),
        ],
    }
}

fn unfence(side: &SideConfig, node: &NodeConfig) -> Vec<String> {
    match &node.control {
        Some(control) => {
            let (parent, name) = control.data.rsplit_once('/').unwrap_or(("", &control.data));
            vec![
                "# only after proof that no other side is or will become a primary".to_owned(),
                on_node(
                    control,
                    &format!("rm -f {}/standby.signal {parent}/.{name}.dr-barred", control.data),
                ),
                on_node(control, &format!("{}/pg_ctl start -D {}", control.bin, control.data)),
            ]
        }
        None => vec![
            psql(side, node, "select kind, name, was from public.dr_fence"),
            psql(side, node, &format!("alter database {} connection limit -1", side.database)),
            "# for each role in dr_fence: alter role … login; then: delete from public.dr_fence".to_owned(),
        ],
    }
}

fn promote(side: &SideConfig, node: &NodeConfig) -> Vec<String> {
    vec![
        psql(side, node, "select pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()"),
        psql(side, node, "select pg_promote(true, 60)"),
        psql(side, node, "select pg_is_in_recovery()"),
    ]
}

fn follow(side: &SideConfig, node: &NodeConfig, of: &SideConfig) -> Vec<String> {
    let (Some(control), Some(primary)) = (&node.control, of.nodes.first()) else { return Vec::new() };
    let source =
        format!("host={} port={} user={} dbname={}", primary.host, primary.port, of.user, of.database);
    vec![
        on_node(control, &format!("{}/pg_ctl stop -m fast -D {}", control.bin, control.data)),
        on_node(control, &format!("cp -a {0} {0}.kept", control.data)),
        psql(of, primary, "checkpoint"),
        psql(
            of,
            primary,
            &format!(
                "select pg_create_physical_replication_slot('{}', true)",
                crate::follow::slot(&node.name())
            ),
        ),
        on_node(
            control,
            &format!("{}/pg_rewind --target-pgdata={} --source-server='{source}'", control.bin, control.data),
        ),
        format!(
            "# put back {0}/*.conf from {0}.kept; set primary_conninfo and primary_slot_name ({1})",
            control.data, side.region
        ),
        on_node(control, &format!("touch {}/standby.signal", control.data)),
        on_node(control, &format!("{}/pg_ctl start -D {}", control.bin, control.data)),
    ]
}
