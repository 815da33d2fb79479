//! Each check finds what it looks for, and only that.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod acknowledging;
mod budget;
mod callers;
mod configuring;
mod dependence;
mod fake;
mod fencing;
mod measuring;
mod names;
mod planted;
mod shares;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use dr_core::Side;
use dr_core::check::{Subject, check, codes, configure};
use dr_core::plan::{Finding, Format, Plan, Severity};
use dr_core::resource::{Roles, Urgency};
use dr_core::runbook::compile;

const RESOURCES: &str = "
resources:
  orders: { kind: store }
  users: { kind: store }
  app: { kind: workloads }
  entry: { kind: traffic, ttl: 30s }
  shop: { kind: door }
";
const MEASURE: &str = "measure: { outage: { probe: shop }, loss: { store: orders } }\n";
const HEAD: &str =
    "schema: dr/v1\nname: orders\nsource: us\ntarget: eu\nstate: { at: s3://third/dr, region: third }\n";

/// The plan that nothing is wrong with.
const SOUND: &str = "
budget: { rto: 15m, rpo: 10s, detection: 2m, decision: 1m }
phases:
  - { name: preflight, within: 2m, steps: [ { observe: app, in: target, expect: { ready: all } } ] }
  - { name: promote, within: 2m, steps: [ { fence: orders }, { promote: orders, accept_loss: 10s } ] }
  - { name: scale_up, within: 3m, after: [preflight], steps: [ { scale: app, in: target, replicas: 3 } ] }
  - { name: dns_update, within: 1m, after: [promote, scale_up], steps: [ { route: entry, to: target } ] }
  - { name: health_check, within: 4m, steps: [ { probe: shop, served_by: target, write: true, healthy_for: 10s } ] }
  - { name: scale_down, within: 2m, steps: [ { scale: app, in: source, replicas: 1, after_drain: true, optional: true } ] }
";

fn findings_of(text: &str, urgency: Urgency) -> Vec<Finding> {
    let plan = Plan::parse(text, Format::Yaml).unwrap_or_else(|found| panic!("{}", shown(&found)));
    let configured = match configure(&plan, &fake::backends()) {
        Ok(configured) => configured,
        Err(found) => return found,
    };
    let side = |side: &Option<Side>| side.clone().unwrap();
    let roles = Roles { source: side(&plan.source), target: side(&plan.target) };
    let script = match compile(&plan, &configured, &roles) {
        Ok(script) => script,
        Err(found) => return found,
    };
    check(&Subject { plan: &plan, script: &script, configured: &configured, roles: &roles, urgency })
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        let _ = writeln!(text, "{:?} {finding}\n    {}", finding.severity, finding.help);
        text
    })
}

/// What is found in the sound plan after a change, for an unplanned run.
fn changed(from: &str, to: &str) -> Vec<Finding> {
    let sound = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}");
    assert!(sound.contains(from), "nothing to change: {from}");
    findings_of(&sound.replace(from, to), Urgency::Unplanned)
}

/// What is found in a plan of these phases.
fn phases(rest: &str) -> Vec<Finding> {
    findings_of(&format!("{HEAD}{RESOURCES}{MEASURE}{rest}"), Urgency::Unplanned)
}

#[track_caller]
fn only(findings: &[Finding], severity: Severity, code: &str) -> Finding {
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, [code], "{}", shown(findings));
    assert_eq!(findings[0].severity, severity);
    assert!(findings[0].place.line > 0 && !findings[0].help.is_empty(), "{}", shown(findings));
    findings[0].clone()
}

#[track_caller]
fn finds(findings: &[Finding], severity: Severity, code: &str) -> Finding {
    let found = findings.iter().find(|finding| finding.code == code);
    let found = found.unwrap_or_else(|| panic!("no {code} in\n{}", shown(findings)));
    assert_eq!(found.severity, severity);
    found.clone()
}

use Severity::{Error, Note, Warning};

#[test]
fn nothing_is_found_in_a_sound_plan() {
    for urgency in [Urgency::Planned, Urgency::Unplanned] {
        let found = findings_of(&format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}"), urgency);
        assert_eq!(shown(&found), "");
    }
}

#[test]
fn the_schema_is_as_released() {
    let schema = dr_core::plan::schema(&fake::backends());
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema).unwrap());
}

#[test]
fn the_documentation_lists_every_code() {
    let text = include_str!("../../../docs/CHECKS.md");
    let told: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let known: BTreeSet<&str> =
        [codes::ALL, codes::COMPILING, dr_core::plan::codes::ALL].concat().into_iter().collect();
    assert_eq!(told, known);
}

#[test]
fn every_code_has_a_test() {
    let all = |folder: &str| -> String {
        let folder = std::fs::read_dir(format!("{}/tests/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let files = folder.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    };
    let tests = all("check") + include_str!("../plan.rs");
    let snapshots = all("snapshots");
    for code in codes::ALL {
        let constant = code.to_uppercase().replace('-', "_");
        let tested = [")", ","].iter().any(|end| tests.contains(&format!("codes::{constant}{end}")));
        assert!(tested, "no test of {code}");
    }
    for code in dr_core::plan::codes::ALL {
        assert!(
            snapshots.contains(&format!("[{code}]")) || tests.contains(&format!("[{code}]")),
            "no test of {code}"
        );
    }
}

#[test]
fn ten_thousand_steps_are_checked_in_seconds() {
    let mut text = format!("{HEAD}{RESOURCES}{MEASURE}phases:\n");
    for phase in 0..100 {
        let _ = writeln!(text, "  - name: p{phase}\n    steps:");
        for step in 0..100 {
            let _ = writeln!(text, "      - {{ route: entry, id: s{step} }}");
        }
    }
    let plan = Plan::parse(&text, Format::Yaml).unwrap();
    let configured = configure(&plan, &fake::backends()).unwrap();
    let roles = Roles { source: Side::new("us"), target: Side::new("eu") };
    let script = compile(&plan, &configured, &roles).unwrap();
    let subject = Subject {
        plan: &plan,
        script: &script,
        configured: &configured,
        roles: &roles,
        urgency: Urgency::Planned,
    };
    let began = std::time::Instant::now();
    assert!(check(&subject).len() > 10_000);
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
}
