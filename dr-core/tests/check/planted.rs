//! Dependences on the source, planted one at a time in a clean plan: each is found at its place, with what happens while
//! it is down and the way around it; the clean plan has none.

use dr_core::check::codes;
use dr_core::plan::Severity::{Error, Note, Warning};
use dr_core::resource::Urgency;

use super::*;

/// (what is planted, where, instead of what, how bad, words that have to be in the finding)
const PLANTED: &[(&str, &str, &str, Severity, &[&str])] = &[
    ("the state store", "region: third", "region: us", Error, &["state store", "no run can begin"]),
    (
        "the records' control plane",
        "ttl: 30s",
        "ttl: 30s, control: us",
        Warning,
        &["route entry", "control plane of dns in us"],
    ),
    (
        "the workloads' API server",
        "app: { kind: workloads",
        "app: { kind: workloads, control: us",
        Warning,
        &["scale app", "in us"],
    ),
    (
        "the image registry",
        "app: { kind: workloads",
        "app: { kind: workloads, data: us",
        Warning,
        &["an image registry in us"],
    ),
    (
        "the global STS endpoint",
        "orders: { kind: store",
        "orders: { kind: store, sts: us",
        Warning,
        &["connecting to `orders`", "no credentials are to be had"],
    ),
    (
        "the number of replicas",
        "in: target, replicas: 3",
        "in: target, replicas: same-as:us",
        Warning,
        &["scale app", "how many there are"],
    ),
    (
        "the store's promotion",
        "orders: { kind: store",
        "orders: { kind: store, control: us",
        Warning,
        &["promote orders"],
    ),
    ("a prober's door", "shop: { kind: door", "shop: { kind: door, data: us", Warning, &["probe shop"]),
];

/// P35: each dependence planted in a table of plans.
#[test]
fn every_planted_dependence_is_found_and_the_clean_plan_has_none() {
    for (what, from, to, severity, words) in PLANTED {
        let found = changed(from, to);
        let of_it: Vec<&Finding> = found.iter().filter(|one| one.code == codes::DEPENDS_ON_SOURCE).collect();
        assert!(!of_it.is_empty(), "{what} is not found in\n{}", shown(&found));
        assert!(of_it.iter().any(|one| one.severity == *severity), "{what}: {}", shown(&found));
        let told = shown(&found);
        assert!(words.iter().all(|word| told.contains(word)), "{what}: {told}");
        assert!(of_it.iter().all(|one| one.place.line > 0), "{what} has no place");
        // The same in the target is no finding.
        let elsewhere = changed(from, &to.replace(":us", ":eu").replace(": us", ": eu"));
        assert!(
            elsewhere.iter().all(|one| one.code != codes::DEPENDS_ON_SOURCE),
            "{what}: {}",
            shown(&elsewhere)
        );
    }
    assert!(changed("orders", "orders").is_empty());
}

#[test]
fn a_planned_run_may_need_its_source() {
    let plan = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}").replace("ttl: 30s", "ttl: 30s, control: us");
    assert_eq!(shown(&findings_of(&plan, Urgency::Planned)), "");
}

#[test]
fn a_look_bears_the_silence_of_one_of_its_sides_and_of_nothing_else() {
    let look = |app: &str, step: &str| {
        let rest = format!("phases: [ {{ name: p, steps: [ {step} ] }} ]\n");
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{rest}")
            .replace("kind: workloads", &format!("kind: workloads, control: us, data: us{app}"));
        findings_of(&text, Urgency::Unplanned)
    };
    assert_eq!(shown(&look("", "{ observe: app }")), "");
    let needs = [
        "`observe app` needs the control plane of dns in us, which is the source",
        "`observe app` needs an image registry in us, which is the source",
    ];
    for (app, step) in
        [("", "{ observe: app, in: target }"), (", sides: { eu: eu, ap: ap }", "{ observe: app }")]
    {
        let told: Vec<String> = look(app, step).into_iter().map(|one| one.message).collect();
        assert_eq!(told, needs, "{app} {step}");
    }
}

#[test]
fn the_alternative_is_named() {
    let found = changed("orders: { kind: store", "orders: { kind: store, sts: us");
    assert_eq!(finds(&found, Warning, codes::DEPENDS_ON_SOURCE).help, "instead: regional STS endpoints");
}

#[test]
fn a_state_store_of_unknown_place_is_noted() {
    let found = changed("state: { at: s3://third/dr, region: third }", "state: s3://third/dr");
    only(&found, Note, codes::STATE_REGION_UNKNOWN);
}
