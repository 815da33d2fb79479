//! Callers on both sides at once, trials, and addresses that another resource knows.

use dr_core::check::codes;
use dr_core::plan::{Finding, Severity::Error};
use dr_core::resource::{Scale, Urgency};
use dr_core::runbook::{CheckRoom, Script, compile};

use super::*;

/// A failback in shares: readers first, then the writer, then everybody.
const GRADUAL: &str = "
phases:
  - name: shift
    steps:
      - { observe: app, in: target, expect: { ready: all } }
      - { route: split, to: target, shares: [10, 50], bake: 1m, gate: shop, serving: reads, after: [observe:app] }
  - { name: promote, steps: [ { fence: orders }, { promote: orders, accept_loss: 10s } ] }
  - { name: all, steps: [ { route: split, to: target } ] }
  - { name: verify, steps: [ { probe: shop, served_by: target, write: true } ] }
";

fn text(from: &str, to: &str) -> String {
    let resources = format!("{RESOURCES}  split: {{ kind: weighted, ttl: 10s }}\n");
    let whole = format!("{HEAD}{resources}{MEASURE}{GRADUAL}");
    assert!(whole.contains(from), "nothing to change: {from}");
    whole.replace(from, to)
}

fn found(from: &str, to: &str) -> Vec<Finding> {
    findings_of(&text(from, to), Urgency::Unplanned)
}

fn script(text: &str) -> Script {
    let plan = Plan::parse(text, Format::Yaml).unwrap_or_else(|found| panic!("{}", shown(&found)));
    let configured = configure(&plan, &fake::backends()).unwrap();
    let roles = Roles { source: Side::new("us"), target: Side::new("eu") };
    compile(&plan, &configured, &roles).unwrap_or_else(|found| panic!("{}", shown(&found)))
}

#[test]
fn readers_may_come_before_the_writer_and_each_share_waits_for_the_one_before() {
    assert_eq!(shown(&found("orders", "orders")), "");
    let script = script(&text("orders", "orders"));
    let step = |id: &str| script.step(&id.into()).unwrap_or_else(|| panic!("no {id}")).clone();
    let (first, second) = (step("shift/split-10"), step("shift/split-50"));
    assert_eq!(second.after, std::slice::from_ref(&first.id));
    assert_eq!((first.call["share"].as_u64(), second.call["share"].as_u64()), (Some(10), Some(50)));
}

#[test]
fn a_share_has_to_say_why_there_is_one_writer() {
    let found = found(", serving: reads", "");
    assert!(found.iter().filter(|one| one.code == codes::SHARE_WITHOUT_ONE_WRITER).count() == 2);
    finds(&found, Error, codes::SHARE_WITHOUT_ONE_WRITER);
    // And without a reason the promotion has to come first as well.
    finds(&found, Error, codes::ROUTE_BEFORE_PROMOTION);
}

#[test]
fn what_sends_all_or_none_takes_no_share() {
    let found = found("split: { kind: weighted, ttl: 10s }", "split: { kind: traffic, ttl: 10s }");
    finds(&found, Error, codes::CANNOT_SPLIT);
}

#[test]
fn a_trial_has_somebody_who_looks_and_a_look_has_a_trial() {
    finds(&found(", gate: shop", ""), Error, codes::BAKE_WITHOUT_GATE);
    finds(&found(", bake: 1m", ""), Error, codes::BAKE_WITHOUT_GATE);
    finds(&found("bake: 1m", "bake: 6m"), Error, codes::DEADLINE_TOO_SHORT);
}

#[test]
fn a_gate_and_an_address_come_from_something_that_has_them() {
    let gate = finds(&found("gate: shop", "gate: shpo"), Error, codes::BAD_REFERENCE);
    assert_eq!(gate.help, "did you mean `shop`?");
    let address =
        |to: &str| found("{ route: split, to: target }", &format!("{{ route: split, address_from: {to} }}"));
    finds(&address("app"), Error, codes::BAD_REFERENCE);
    let known = text("app: { kind: workloads }", "app: { kind: workloads, service: ingress }")
        .replace("{ route: split, to: target }", "{ route: split, address_from: app }");
    assert_eq!(shown(&findings_of(&known, Urgency::Unplanned)), "");
}

/// Callers sent to the target, behind these steps.
fn callers_behind(steps: &str) -> Vec<Finding> {
    let seed = format!(
        "
phases:
  - {{ name: prepare, steps: [ {steps}, {{ observe: app, in: target, expect: {{ ready: all }} }} ] }}
  - {{ name: shift, steps: [ {{ route: split, to: target, share: 10, serving: one-writer }} ] }}
"
    );
    let resources =
        format!("{RESOURCES}  split: {{ kind: weighted, ttl: 10s }}\n  global: {{ kind: global-store }}\n");
    findings_of(&format!("{HEAD}{resources}{MEASURE}{seed}"), Urgency::Planned)
}

#[test]
fn a_restored_copy_gets_no_callers_until_it_follows() {
    let restored = "{ restore: global, in: target }";
    finds(&callers_behind(restored), Error, codes::CALLERS_ON_A_COPY);
    let followed = |what: &str| callers_behind(&format!("{restored}, {{ follow: {what} }}"));
    assert!(
        followed("global, in: target, of: source").iter().all(|one| one.code != codes::CALLERS_ON_A_COPY)
    );
    for other in ["global, in: source, of: target", "orders, in: target, of: source"] {
        finds(&followed(other), Error, codes::CALLERS_ON_A_COPY);
    }
}

#[test]
fn a_copy_on_the_side_that_callers_leave_is_in_nobodys_way() {
    let found = callers_behind("{ restore: global, in: source }");
    assert!(found.iter().all(|one| one.code != codes::CALLERS_ON_A_COPY), "{}", shown(&found));
}

#[test]
fn a_store_that_fences_itself_needs_no_fence_in_a_planned_run_and_one_in_any_other() {
    let plan = format!(
        "{HEAD}{RESOURCES}  global: {{ kind: global-store }}\n{MEASURE}phases: [ {{ name: p, steps: [ {{ promote: global, accept_loss: 10s }} ] }} ]\n"
    );
    assert_eq!(shown(&findings_of(&plan, Urgency::Planned)), "");
    finds(&findings_of(&plan, Urgency::Unplanned), Error, codes::UNFENCED_PROMOTION);
}

#[test]
fn a_kinds_own_verb_is_understood_by_it_and_by_nobody_else() {
    let with = |step: &str| {
        let plan = format!(
            "{HEAD}{RESOURCES}  cache: {{ kind: cache }}\n{MEASURE}phases: [ {{ name: p, steps: [ {step} ] }} ]\n"
        );
        findings_of(&plan, Urgency::Planned)
    };
    assert_eq!(shown(&with("{ do: fake.flush, on: cache, with: { in: target, replicas: 3 } }")), "");
    finds(&with("{ do: fake.flush, on: cache, with: { replicas: 3 } }"), Error, "bad-call");
    finds(&with("{ do: fake.gone, on: cache }"), Error, "unknown-verb");
    finds(&with("{ do: fake.flush, on: app }"), Error, "verb-not-offered");
    finds(
        &with("{ do: fake.flush, on: cache, with: { in: elsewhere, replicas: 3 } }"),
        Error,
        "unknown-side",
    );
}

#[test]
fn room_is_asked_for_before_anything_is_touched() {
    let plan = text("app: { kind: workloads }", "app: { kind: workloads, room: true }")
        .replace("{ fence: orders },", "{ fence: orders }, { scale: app, in: target, replicas: 3 }, { scale: app, in: source, replicas: 1, id: down },");
    let script = script(&plan);
    let asked = script.step(&"roles/check-room:app".into()).unwrap().clone();
    let call: CheckRoom = serde_json::from_value(asked.call).unwrap();
    let sides: Vec<String> = call.scales.iter().map(|scale: &Scale| scale.side.to_string()).collect();
    assert_eq!(sides, ["eu"], "only what needs room on the target");
    assert!(
        script
            .steps
            .iter()
            .filter(|step| step.verb == "fence")
            .all(|step| step.after.contains(&asked.id) || !step.after.is_empty())
    );
}
