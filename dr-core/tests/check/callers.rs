//! Who is moved, when, and whether somebody looks.

use super::*;

#[test]
fn callers_are_not_moved_before_the_promotion() {
    only(&changed("after: [promote, scale_up]", "after: [scale_up]"), Error, codes::ROUTE_BEFORE_PROMOTION);
}

#[test]
fn callers_are_moved_to_a_side_that_was_seen_ready() {
    let from = "steps: [ { observe: app, in: target, expect: { ready: all } } ]";
    let unseen = |sight: &str| {
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
            .replace("{ scale: app, in: target, replicas: 3 }", "{ wait: 1s }")
            .replace(from, &format!("steps: [ {sight} ]"));
        findings_of(&text, Urgency::Unplanned)
    };
    only(&unseen("{ observe: orders }"), Warning, codes::TARGET_NOT_SEEN_READY);
    only(&unseen("{ observe: app, in: source }"), Warning, codes::TARGET_NOT_SEEN_READY);
    for may_fail in ["observe: app, in: target", "scale: app, in: target, replicas: 3"] {
        let found = unseen(&format!("{{ {may_fail}, optional: true }}"));
        only(&found, Warning, codes::TARGET_NOT_SEEN_READY);
    }
    assert!(unseen("{ probe: shop, served_by: target }").is_empty());
    assert!(unseen("{ scale: app, in: target, replicas: 3 }").is_empty());
    assert!(unseen("{ observe: app, expect: { ready: all } }").is_empty());
}

#[test]
fn somebody_looks_whether_callers_are_served() {
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}");
    let head = text.split("  - { name: health_check").next().unwrap();
    only(&findings_of(head, Urgency::Unplanned), Warning, codes::NO_VERIFICATION);
}

#[test]
fn a_look_that_may_fail_verifies_nothing() {
    let found = changed("healthy_for: 10s }", "healthy_for: 10s, optional: true }");
    finds(&found, Warning, codes::NO_VERIFICATION);
    finds(&found, Error, codes::SCALE_DOWN_BEFORE_VERIFICATION);
}

#[test]
fn a_verification_that_the_old_side_would_pass_is_weak() {
    let found = only(&changed("served_by: target, ", ""), Warning, codes::WEAK_VERIFICATION);
    assert!(found.message.contains("the old side"));
    let found = only(&changed("write: true, ", ""), Warning, codes::WEAK_VERIFICATION);
    assert!(found.message.contains("cannot write"));
    let found = only(&changed("served_by: target", "served_by: source"), Warning, codes::WEAK_VERIFICATION);
    assert!(found.message.contains("it asks us, not eu"));
}

#[test]
fn the_source_keeps_its_capacity_until_the_target_is_verified() {
    let found =
        changed("name: scale_down, within: 2m,", "name: scale_down, within: 2m, after: [dns_update],");
    only(&found, Error, codes::SCALE_DOWN_BEFORE_VERIFICATION);
}

#[test]
fn work_that_could_come_before_the_fence_is_noted() {
    finds(&changed("after: [preflight]", "after: [promote]"), Error, codes::OVER_RTO);
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
        .replace("after: [preflight]", "after: [promote]")
        .replace("rto: 15m", "rto: 30m");
    let found = only(&findings_of(&text, Urgency::Planned), Note, codes::LONG_OUTAGE_WINDOW);
    assert!(found.message.contains("3m on `scale app` (3m)"), "{}", found.message);
}

#[test]
fn waiting_and_asking_while_nobody_can_write_is_noted() {
    let from = "{ promote: orders, accept_loss: 10s }";
    let idle = "{ wait: 5s, after: [fence:orders] }, { approve: go on, after: [fence:orders] }";
    let found = only(&changed(from, &format!("{from}, {idle}")), Note, codes::LONG_OUTAGE_WINDOW);
    assert!(found.message.ends_with("4m on `wait` (2m), `approve` (2m)"), "{}", found.message);
}
