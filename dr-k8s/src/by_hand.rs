//! The verbs as commands that a person would type when `dr` itself cannot run.

use serde_json::Value;

use crate::access::Access;
use crate::config::{Config, CronJobs, Selection, SideConfig};

/// The commands for a call; empty for a verb that has none. Secrets stand as their references.
pub(crate) fn commands(config: &Config, verb: &str, call: &Value) -> Vec<String> {
    let default = if matches!(verb, "fence" | "unfence") { "source" } else { "target" };
    let name = call.get("in").and_then(Value::as_str).unwrap_or(default);
    let Some((_, side)) = config.sides.iter().find(|(side, _)| side.as_str() == name) else {
        return Vec::new();
    };
    let kubectl = kubectl(side);
    match verb {
        "scale" => scale(config, &kubectl, call),
        "configure" => configure(config, &kubectl, call),
        "fence" => fence(config, &kubectl),
        "unfence" => unfence(config, &kubectl),
        _ => Vec::new(),
    }
}

fn kubectl(side: &SideConfig) -> String {
    let context = match &side.access {
        Access::Context { context, file } => {
            let file =
                file.as_ref().map(|file| format!(" --kubeconfig {}", quoted(&file.display().to_string())));
            format!("{} --context {}", file.unwrap_or_default(), quoted(context))
        }
        Access::InCluster => String::new(),
    };
    format!("kubectl{context} -n {}", side.namespace)
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// `deployments,statefulsets -l app=shop`, or the names.
fn which(config: &Config) -> String {
    let kinds = config.kinds.join(",");
    match &config.workloads {
        Selection::All => format!("{kinds} --all"),
        Selection::Labels(labels) => format!("{kinds} -l {}", quoted(labels)),
        Selection::Names(names) => {
            let named = |name: &String| {
                let kind = config.kinds.first().map_or("deployment", String::as_str);
                if name.contains('/') { name.clone() } else { format!("{kind}/{name}") }
            };
            names.iter().map(named).collect::<Vec<_>>().join(" ")
        }
    }
}

fn each(config: &Config, kubectl: &str) -> Vec<String> {
    match &config.workloads {
        Selection::Names(_) => which(config).split(' ').map(str::to_owned).collect(),
        Selection::All | Selection::Labels(_) => {
            let which = which(config).replace(" --all", "");
            vec![format!("$({kubectl} get {which} -o name)")]
        }
    }
}

fn scale(config: &Config, kubectl: &str, call: &Value) -> Vec<String> {
    let which = which(config);
    let replicas = match call.get("replicas") {
        Some(Value::Number(count)) => count.to_string(),
        Some(Value::String(text)) if text == "before" => {
            let shown =
                "-o custom-columns='NAME:.metadata.name,BEFORE:.metadata.annotations.dr\\.dev/before'";
            return vec![
                format!("{kubectl} get {} {shown}", which.replace(" --all", "")),
                format!("{kubectl} scale KIND/NAME --replicas NUMBER    # for each of them, as BEFORE says"),
            ];
        }
        Some(Value::String(text)) => {
            return vec![
                format!("{kubectl} get {}    # on the other side: {text}", which.replace(" --all", "")),
                format!("{kubectl} scale KIND/NAME --replicas NUMBER    # for each of them"),
            ];
        }
        _ => return Vec::new(),
    };
    let mut commands = vec![
        format!(
            "{kubectl} get hpa    # an autoscaler's minimum goes first: kubectl patch hpa NAME -p '{{\"spec\":{{\"minReplicas\":{replicas}}}}}'"
        ),
        format!("{kubectl} scale {which} --replicas {replicas}"),
    ];
    commands.extend(
        each(config, kubectl)
            .into_iter()
            .map(|of| format!("for w in {of}; do {kubectl} rollout status $w; done")),
    );
    commands
}

fn configure(config: &Config, kubectl: &str, call: &Value) -> Vec<String> {
    let of: Vec<String> = call
        .get("of")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| if name.contains('/') { name.to_owned() } else { format!("deployment/{name}") })
        .collect();
    let of = if of.is_empty() { which(config) } else { of.join(" ") };
    let mut commands = Vec::new();
    let mut restart = false;
    for (name, value) in call.get("set").and_then(Value::as_object).into_iter().flatten() {
        let value = match value {
            Value::String(text) => quoted(text),
            value => {
                let secret = value.get("secret").and_then(Value::as_str).unwrap_or_default();
                config.secrets.get(secret).map(ToString::to_string).unwrap_or_default()
            }
        };
        let parts: Vec<&str> = name.split('/').collect();
        match parts.as_slice() {
            ["env", variable] => commands.push(format!("{kubectl} set env {of} {variable}={value}")),
            ["env", container, variable] => {
                commands.push(format!("{kubectl} set env {of} -c {container} {variable}={value}"));
            }
            ["configmap", object, key] => {
                restart = true;
                commands.push(format!("{kubectl} patch configmap {object} -p \"{{\\\"data\\\":{{\\\"{key}\\\":\\\"{value}\\\"}}}}\""));
            }
            ["secret", object, key] => {
                restart = true;
                commands.push(format!("{kubectl} patch secret {object} -p \"{{\\\"stringData\\\":{{\\\"{key}\\\":\\\"{value}\\\"}}}}\""));
            }
            _ => {}
        }
    }
    if restart {
        commands.push(format!("{kubectl} rollout restart {}", of.replace(" --all", "")));
    }
    commands.extend(
        each(config, kubectl)
            .into_iter()
            .map(|of| format!("for w in {of}; do {kubectl} rollout status $w; done")),
    );
    commands
}

fn fence(config: &Config, kubectl: &str) -> Vec<String> {
    let suspend =
        |name: &str| format!("{kubectl} patch cronjob {name} -p '{{\"spec\":{{\"suspend\":true}}}}'");
    let mut commands = match &config.fence.cronjobs {
        CronJobs::None => Vec::new(),
        CronJobs::Names(names) => names.iter().map(|name| suspend(name)).collect(),
        CronJobs::Covered => {
            vec![format!(
                "for j in $({kubectl} get cronjobs -o name); do {kubectl} patch $j -p '{{\"spec\":{{\"suspend\":true}}}}'; done"
            )]
        }
    };
    commands.push(format!("{kubectl} scale {} --replicas 0", which(config)));
    commands.push(format!("{kubectl} get jobs    # wait until none is active"));
    commands
        .push(format!("{kubectl} get pods    # wait until none of theirs is listed, Terminating included"));
    commands
}

fn unfence(config: &Config, kubectl: &str) -> Vec<String> {
    let shown = "-o custom-columns='NAME:.metadata.name,BEFORE:.metadata.annotations.dr\\.dev/fenced'";
    vec![
        "# only after proof that no other side takes writes".to_owned(),
        format!("{kubectl} get {},cronjobs {shown}", config.kinds.join(",")),
        format!("{kubectl} scale KIND/NAME --replicas NUMBER    # for each of them, as BEFORE says"),
        format!(
            "{kubectl} patch cronjob NAME -p '{{\"spec\":{{\"suspend\":false}}}}'    # for each that was not suspended"
        ),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config() -> Config {
        Config::read(&json!({
            "namespace": "production", "contexts": { "east": "prod us", "west": "prod-eu" },
            "workloads": { "selector": "app=shop" }, "secrets": { "db": "${env:DB_URL}" },
        }))
        .unwrap()
    }

    #[test]
    fn scaling_by_hand_names_context_and_namespace() {
        let commands = commands(&config(), "scale", &json!({ "in": "west", "replicas": 3 }));
        let wanted =
            "kubectl --context prod-eu -n production scale deployments,statefulsets -l app=shop --replicas 3";
        assert!(commands.contains(&wanted.to_owned()), "{commands:#?}");
    }

    #[test]
    fn a_secret_stands_as_its_reference() {
        let call = json!({ "in": "west", "of": ["web"], "set": { "env/DATABASE_URL": { "secret": "db" } } });
        let commands = commands(&config(), "configure", &call);
        assert!(commands[0].ends_with("set env deployment/web DATABASE_URL=${env:DB_URL}"), "{commands:#?}");
    }

    #[test]
    fn a_name_that_a_shell_would_cut_is_quoted() {
        let commands = commands(&config(), "fence", &json!({ "in": "east" }));
        assert!(commands[0].contains("--context 'prod us'"), "{commands:#?}");
    }
}
