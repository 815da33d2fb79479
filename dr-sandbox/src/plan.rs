//! The plan that fits the sandbox.

use crate::state::{DATABASE, KEY, Layout, RECORD, RegionState, SOURCE, State, TARGET, WORKLOAD, ZONE};

/// The plan as a document.
pub(crate) fn text(layout: &Layout, state: &State) -> String {
    let secret = |name: &str| format!("\"${{file:{}}}\"", layout.secret(name).display());
    let (dr, app, agent, tsig) = (secret("dr"), secret("app"), secret("agent"), secret("tsig"));
    let dns = state.dns;
    let port = state.regions.values().next().map_or(80, |region| region.app.port());
    let each = |write: &dyn Fn(&str, &RegionState) -> String| {
        [SOURCE, TARGET]
            .iter()
            .filter_map(|name| Some(write(name, state.regions.get(*name)?)))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let stores = each(&|name, region| {
        let prefix = [
            state.program.to_string_lossy().as_ref(),
            "sandbox",
            "--dir",
            layout.dir().to_string_lossy().as_ref(),
            "exec",
            "--side",
            name,
            "--",
        ]
        .map(quoted)
        .join(", ");
        format!(
            "      {name}:\n        url: \"postgres://dr@{}/{DATABASE}\"\n        password: {dr}\n        control:\n          command:\n            prefix: [{prefix}]\n            data: {}\n            bin: {}",
            region.postgres,
            quoted(&region.data().to_string_lossy()),
            quoted(&state.bin.to_string_lossy()),
        )
    });
    let agents = each(&|name, region| {
        format!("      {name}: {{ agent: \"{}\", service: \"{}\" }}", region.agent, region.app)
    });
    let values = each(&|name, region| format!("      {name}: {}", region.app.ip()));
    // A source that is not fenced goes on acknowledging: what may be lost then grows until the promotion.
    let (fence, promote, rpo) = if state.hard {
        (
            "{ fence: orders, when_unreachable: { accept_after: 3s, vantage_points: 2 } }",
            "{ promote: orders, accept_loss: 1m }",
            "1m",
        )
    } else {
        ("{ fence: orders }", "{ promote: orders, accept_loss: 10s }", "10s")
    };
    format!(
        "# Written by `dr sandbox up` for the two regions that it has made.
schema: dr/v1
name: sandbox
source: {SOURCE}
target: {TARGET}
budget: {{ rto: 1m, rpo: {rpo} }}
state: {{ at: {runs}, local: true }}

resources:
  orders:
    kind: postgres
    application: {{ user: app, password: {app} }}
    connect_timeout: 1s
    sides:
{stores}
  services:
    kind: sandbox-app
    workload: {WORKLOAD}
    token: {agent}
    sides:
{agents}
  entry:
    kind: dns
    zone: {ZONE}
    record: {RECORD}
    type: A
    ttl: 1s
    values:
{values}
    servers: [\"{dns}\"]
    update: {{ server: \"{dns}\", key: {{ name: {KEY}, algorithm: hmac-sha256, secret: {tsig} }} }}
  shop:
    kind: http
    url: \"http://{RECORD}:{port}/health\"
    served_by: {{ header: x-region }}
    write: {{ method: POST, url: \"http://{RECORD}:{port}/touch\" }}
    ledger: {{ method: POST, url: \"http://{RECORD}:{port}/ledger/{{book}}/{{row}}\" }}
    resolver: {{ servers: [\"{dns}\"] }}
    sides: {{ {SOURCE}: {SOURCE}, {TARGET}: {TARGET} }}

measure:
  outage: {{ probe: shop, every: 50ms, recovered_after: 3, write: true }}
  loss: {{ store: orders, via: shop, every: 50ms }}

phases:
  - name: preflight
    within: 10s
    steps:
      - {{ observe: orders, expect: {{ lag: \"<= 10s\" }}, when: planned }}
      - {{ observe: services, in: target, expect: {{ ready: all }} }}
  - name: promote
    within: 15s
    steps:
      - {fence}
      - {promote}
  - name: scale_up
    within: 10s
    after: [preflight]
    steps:
      - {{ scale: services, in: target, replicas: 3 }}
  - name: dns_update
    within: 5s
    after: [promote, scale_up]
    steps:
      - {{ route: entry, to: target }}
  - name: health_check
    within: 10s
    steps:
      - {{ probe: shop, served_by: target, write: true, healthy_for: 1s }}
  - name: scale_down
    within: 10s
    steps:
      - {{ scale: services, in: source, replicas: 1, after_drain: true, optional: true, when: planned }}
  - name: reprotect
    within: 2m
    after: [health_check]
    when: planned
    steps:
      - {{ follow: orders }}
      - {{ observe: orders, in: source, expect: {{ receiving: yes }}, wait: true, after: [\"follow:orders\"] }}
",
        runs = quoted(&layout.dir().join("runs").to_string_lossy()),
    )
}

/// A YAML string that JSON's rules make: YAML reads every one of them.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
