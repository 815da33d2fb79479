//! Each check finds what it looks for, and only that.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod fake;
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

mod configuring {
    use super::*;

    #[test]
    fn a_kind_without_a_backend_is_an_error() {
        let found =
            only(&changed("kind: store }\n  users", "kind: stor }\n  users"), Error, codes::UNKNOWN_KIND);
        assert_eq!(
            (found.place.to_string().as_str(), found.help.as_str()),
            ("8:13", "did you mean `store`?")
        );
    }

    #[test]
    fn what_a_backend_finds_wrong_stands_where_the_plan_has_it() {
        let found = only(
            &changed("entry: { kind: traffic,", "entry: { kind: traffic, identity: [x],"),
            Error,
            codes::BAD_CONFIG,
        );
        assert_eq!(found.place.to_string(), "11:27");
    }

    #[test]
    fn where_a_backend_does_not_know_a_field_the_one_that_was_meant_is_named() {
        let found = changed("entry: { kind: traffic,", "entry: { kind: traffic, limits: { rot: 1m },");
        assert_eq!(only(&found, Error, codes::BAD_CONFIG).help, "did you mean `rto`?");
    }

    #[test]
    fn a_number_is_given_as_text_where_the_schema_wants_text() {
        let found = changed("entry: { kind: traffic,", "entry: { kind: traffic, identity: 123456789012,");
        assert_eq!(shown(&found), "");
    }
}

mod budget {
    use super::*;

    /// Phases in a row, each with its share.
    fn row(budget: &str, shares: &[(&str, &str)]) -> Vec<Finding> {
        let mut text = format!("budget: {{ {budget} }}\nphases:\n");
        for (name, rest) in shares {
            let _ = writeln!(text, "  - {{ name: {name}, {rest}, steps: [ {{ observe: app }} ] }}");
        }
        phases(&text)
    }

    const SEVEN: [(&str, &str); 7] = [
        ("assessment", "within: 60s"),
        ("database", "within: 60s"),
        ("clickhouse", "within: 30s"),
        ("nats", "within: 30s"),
        ("scale_up", "within: 60s"),
        ("dns", "within: 60s"),
        ("verification", "within: 60s"),
    ];

    #[test]
    fn seven_phases_of_six_minutes_do_not_fit_five() {
        let found = only(&row("rto: < 5m", &SEVEN), Error, codes::OVER_RTO);
        assert!(found.message.ends_with("= 6m, which is not < 5m"), "{}", found.message);
        assert_eq!(found.place.to_string(), "14:11");
    }

    #[test]
    fn beside_each_other_they_take_five_minutes_which_is_still_not_below_five() {
        let mut shares = SEVEN;
        shares[2].1 = "within: 30s, after: [assessment]";
        shares[3].1 = "within: 30s, after: [assessment]";
        shares[4].1 = "within: 60s, after: [database, clickhouse, nats]";
        let found = only(&row("rto: < 5m", &shares), Error, codes::OVER_RTO);
        assert!(found.message.ends_with("= 5m, which is not < 5m"), "{}", found.message);
        assert!(row("rto: 5m", &shares).is_empty());
    }

    const SIX: [(&str, &str); 6] = [
        ("preflight", "within: 2m"),
        ("scale_up", "within: 3m"),
        ("dns_update", "within: 1m"),
        ("verify", "within: 4m"),
        ("scale_down", "within: 2m"),
        ("measure", "within: 3m"),
    ];

    #[test]
    fn six_phases_of_fifteen_minutes_fit_fifteen_exactly() {
        assert!(row("rto: 15m", &SIX).is_empty());
        only(&row("rto: < 15m", &SIX), Error, codes::OVER_RTO);
    }

    #[test]
    fn detection_and_decision_count() {
        let found = only(&row("rto: 15m, detection: 2m, decision: 1m", &SIX), Error, codes::OVER_RTO);
        assert!(found.message.starts_with("detection 2m + decision 1m + preflight 2m"), "{}", found.message);
        assert!(found.message.ends_with("= 18m, which is not <= 15m"), "{}", found.message);
    }

    #[test]
    fn five_phases_of_thirty_minutes_fit_thirty_exactly() {
        let shares = ["5m", "5m", "10m", "5m", "5m"].map(|share| format!("within: {share}"));
        let names = ["assess", "dns", "scale", "promote", "verify"];
        let shares: Vec<(&str, &str)> = names.into_iter().zip(shares.iter().map(String::as_str)).collect();
        assert!(row("rto: 30m", &shares).is_empty());
        only(&row("rto: 29m", &shares), Error, codes::OVER_RTO);
    }

    #[test]
    fn a_health_check_and_a_ttl_do_not_fit_ninety_seconds() {
        let text = "budget: { rto: < 90s, detection: 90s }\n\
                    phases: [ { name: dns, steps: [ { route: entry, to: target } ] } ]\n";
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{text}").replace("ttl: 30s", "ttl: 60s");
        let found = finds(&findings_of(&text, Urgency::Unplanned), Error, codes::OVER_RTO);
        assert_eq!(found.message, "detection 1m 30s + dns and its TTL 1m = 2m 30s, which is not < 1m 30s");
    }

    #[test]
    fn a_ttl_runs_from_the_beginning_of_its_phase_and_is_named_where_it_outlasts_it() {
        let told = |ttl: &str| {
            let text = "budget: { rto: 1s }\n\
                        phases: [ { name: look, within: 2m, steps: [ { observe: app } ] }, \
                                  { name: dns, within: 1m, steps: [ { route: entry } ] } ]\n";
            let text = format!("{HEAD}{RESOURCES}{MEASURE}{text}").replace("ttl: 30s", ttl);
            finds(&findings_of(&text, Urgency::Unplanned), Error, codes::OVER_RTO).message
        };
        assert_eq!(told("ttl: 61s"), "look 2m + dns and its TTL 1m 1s = 3m 1s, which is not <= 1s");
        for covered in ["ttl: 60s", "ttl: 59s"] {
            assert_eq!(told(covered), "look 2m + dns 1m = 3m, which is not <= 1s");
        }
    }

    #[test]
    fn a_phase_of_another_kind_of_run_does_not_count() {
        let mut shares = SIX;
        shares[5].1 = "within: 3m, when: planned";
        assert!(row("rto: 12m", &shares).is_empty());
    }

    #[test]
    fn paying_debts_after_the_recovery_does_not_count() {
        let sound = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}");
        let debts =
            "  - { name: reprotect, within: 1h, after: [health_check], steps: [ { follow: orders } ] }\n";
        let found = findings_of(&format!("{sound}{debts}"), Urgency::Planned);
        assert_eq!(shown(&found), "");
        let early = debts.replace("[health_check]", "[promote]");
        only(&findings_of(&format!("{sound}{early}"), Urgency::Planned), Error, codes::OVER_RTO);
    }

    #[test]
    fn a_phase_without_a_share_is_noted() {
        let found = changed("name: scale_down, within: 2m,", "name: scale_down,");
        only(&found, Note, codes::NO_ALLOCATION);
    }

    #[test]
    fn a_ttl_longer_than_its_phase_is_found() {
        only(&changed("ttl: 30s", "ttl: 61s"), Warning, codes::TTL_TOO_LONG);
        assert!(changed("ttl: 30s", "ttl: 60s").is_empty());
    }

    #[test]
    fn deadlines_behind_each_other_must_fit_their_phase() {
        let found = changed(
            "{ fence: orders }, { promote: orders, accept_loss: 10s }",
            "{ fence: orders, within: 90s }, { promote: orders, accept_loss: 10s, within: 1m }",
        );
        let found = only(&found, Warning, codes::DEADLINE_OVER_PHASE);
        assert!(
            found.message.starts_with("`fence orders` 1m 30s + `promote orders` 1m"),
            "{}",
            found.message
        );
    }

    #[test]
    fn deadlines_that_fill_their_phase_exactly_fit_it() {
        let found = changed(
            "{ fence: orders }, { promote: orders, accept_loss: 10s }",
            "{ fence: orders, within: 1m }, { promote: orders, accept_loss: 10s, within: 1m }",
        );
        assert_eq!(shown(&found), "");
    }

    #[test]
    fn a_step_that_cannot_end_in_time_is_an_error() {
        only(&changed("healthy_for: 10s", "healthy_for: 4m"), Error, codes::DEADLINE_TOO_SHORT);
        only(
            &changed("{ fence: orders }", "{ fence: orders, when_unreachable: { accept_after: 5m } }"),
            Error,
            codes::DEADLINE_TOO_SHORT,
        );
    }

    #[test]
    fn an_accepted_loss_over_the_rpo_is_found() {
        only(&changed("accept_loss: 10s", "accept_loss: 11s"), Warning, codes::LOSS_OVER_RPO);
        only(&changed("accept_loss: 10s", "accept_loss: unknown"), Warning, codes::LOSS_OVER_RPO);
        only(&changed("rpo: 10s", "rpo: < 10s"), Warning, codes::LOSS_OVER_RPO);
    }
}

mod fencing {
    use super::*;

    #[test]
    fn a_promotion_without_a_fence_is_an_error() {
        only(&changed("{ fence: orders }, ", ""), Error, codes::UNFENCED_PROMOTION);
    }

    #[test]
    fn a_fence_of_the_promoted_side_is_none() {
        only(
            &changed("{ fence: orders }", "{ fence: orders, in: target }"),
            Error,
            codes::UNFENCED_PROMOTION,
        );
    }

    #[test]
    fn a_fence_of_unplanned_runs_does_not_help_a_planned_one() {
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
            .replace("{ fence: orders }", "{ fence: orders, when: unplanned }");
        finds(&findings_of(&text, Urgency::Planned), Error, codes::UNFENCED_PROMOTION);
    }

    #[test]
    fn a_store_may_be_fenced_by_what_writes_to_it() {
        assert!(changed("{ fence: orders }", "{ fence: app }").is_empty());
    }

    #[test]
    fn every_fence_comes_before_every_promotion() {
        let found = changed(
            "  - { name: scale_up,",
            "  - { name: second, within: 1s, steps: [ { fence: users }, { promote: users, accept_loss: 1s } ] }\n  - { name: scale_up,",
        );
        let found = finds(&found, Error, codes::FENCE_AFTER_PROMOTION);
        assert!(
            found.message.starts_with("`fence users` does not come before `promote orders`"),
            "{}",
            found.message
        );
    }

    #[test]
    fn the_own_fence_behind_its_promotion_is_found_once() {
        let found = changed(
            "{ name: promote, within: 2m, steps: [ { fence: orders }, { promote: orders, accept_loss: 10s } ] }",
            "{ name: promote, within: 1m, steps: [ { promote: orders, accept_loss: 10s } ] }\n  \
             - { name: fence, within: 1m, after: [promote], steps: [ { fence: orders } ] }",
        );
        only(&found, Error, codes::FENCE_AFTER_PROMOTION);
    }

    #[test]
    fn a_fence_is_not_optional() {
        only(
            &changed("{ fence: orders }", "{ fence: orders, optional: true }"),
            Error,
            codes::OPTIONAL_FENCE,
        );
    }

    #[test]
    fn a_promotion_is_not_optional_either() {
        let from = "{ promote: orders, accept_loss: 10s }";
        let found = changed(from, "{ promote: orders, accept_loss: 10s, optional: true }");
        finds(&found, Error, codes::OPTIONAL_FENCE);
    }

    #[test]
    fn a_fence_goes_with_its_promotion() {
        let from = "{ promote: orders, accept_loss: 10s }";
        let with = |when: &str| changed(from, &from.replace(" }", &format!(", when: {when} }}")));
        finds(&with("planned"), Error, codes::FENCE_WITHOUT_PROMOTION);
        assert!(with("unplanned").is_empty());
    }

    #[test]
    fn the_promotion_of_another_store_does_not_make_up_for_one_that_is_left_out() {
        let from = "{ promote: orders, accept_loss: 10s }";
        let left_out = "{ fence: users }, { promote: users, accept_loss: 10s, when: planned }";
        let found = changed(from, &format!("{from}, {left_out}"));
        let found = only(&found, Error, codes::FENCE_WITHOUT_PROMOTION);
        assert!(found.message.starts_with("after `fence users` nobody can write"), "{}", found.message);
    }

    const SILENT: &str = "{ fence: orders, when_unreachable: { accept_after: 30s } }";

    #[test]
    fn accepted_silence_wants_an_accepted_loss() {
        assert!(changed("{ fence: orders }", SILENT).is_empty());
        let from = "{ fence: orders }, { promote: orders, accept_loss: 10s }";
        let found = changed(from, &format!("{SILENT}, {{ promote: orders }}"));
        finds(&found, Error, codes::SILENCE_WITHOUT_ACCEPTED_LOSS);
    }

    #[test]
    fn one_prober_is_not_enough_for_silence() {
        let one = SILENT.replace("30s", "30s, vantage_points: 1");
        only(&changed("{ fence: orders }", &one), Error, codes::TOO_FEW_VANTAGE_POINTS);
    }

    #[test]
    fn an_unplanned_run_without_an_accepted_loss_is_noted() {
        only(&changed(", accept_loss: 10s", ""), Note, codes::NO_ACCEPTED_LOSS);
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}").replace(", accept_loss: 10s", "");
        assert!(findings_of(&text, Urgency::Planned).is_empty());
    }
}

mod callers {
    use super::*;

    #[test]
    fn callers_are_not_moved_before_the_promotion() {
        only(
            &changed("after: [promote, scale_up]", "after: [scale_up]"),
            Error,
            codes::ROUTE_BEFORE_PROMOTION,
        );
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
        let found =
            only(&changed("served_by: target", "served_by: source"), Warning, codes::WEAK_VERIFICATION);
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
}

mod measuring {
    use super::*;

    #[test]
    fn nothing_measured_is_found() {
        only(&changed(MEASURE, ""), Warning, codes::NOTHING_MEASURED);
    }

    #[test]
    fn a_target_wants_its_measurement() {
        only(&changed(", loss: { store: orders }", ""), Warning, codes::NO_LEDGER);
        only(&changed("outage: { probe: shop }, ", ""), Warning, codes::NO_PROBER);
    }

    #[test]
    fn what_cannot_be_asked_cannot_measure() {
        only(&changed("outage: { probe: shop }", "outage: { probe: shopp }"), Error, codes::CANNOT_MEASURE);
        let found = only(
            &changed("outage: { probe: shop }", "outage: [ { probe: entry } ]"),
            Error,
            codes::CANNOT_MEASURE,
        );
        assert_eq!(found.place.to_string(), "13:24");
        only(
            &changed("loss: { store: orders }", "loss: { store: orders, via: nobody }"),
            Error,
            codes::CANNOT_MEASURE,
        );
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
            .replace("outage: { probe: shop }", "outage: { probe: shop, write: true }")
            .replace("shop: { kind: door }", "shop: { kind: door, writes: false }");
        finds(&findings_of(&text, Urgency::Planned), Error, codes::CANNOT_MEASURE);
    }

    #[test]
    fn a_probe_step_may_write_only_where_there_is_a_way_to() {
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
            .replace("outage: { probe: shop }", "outage: { probe: other }");
        let text = text
            .replace("shop: { kind: door }", "shop: { kind: door, writes: false }\n  other: { kind: door }");
        let found = only(&findings_of(&text, Urgency::Planned), Error, codes::CANNOT_VERIFY);
        assert!(found.message.contains("no way to write"), "{}", found.message);
        let read_only = text.replace("write: true", "write: false");
        assert!(
            findings_of(&read_only, Urgency::Planned)
                .iter()
                .all(|finding| finding.code != codes::CANNOT_VERIFY)
        );
    }

    #[test]
    fn a_door_that_takes_writes_or_does_not_say_may_be_asked_with_one() {
        let writing = "outage: { probe: shop, write: true }";
        for door in ["{ kind: door, writes: true }", "{ kind: door }"] {
            let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
                .replace("outage: { probe: shop }", writing)
                .replace("{ kind: door }", door);
            assert_eq!(shown(&findings_of(&text, Urgency::Planned)), "");
        }
    }
}

mod names {
    use super::*;

    /// P31: one thing under two names, with both places.
    #[test]
    fn one_thing_has_one_name() {
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
            .replace("orders: { kind: store }", "orders: { kind: store, identity: db }")
            .replace("users: { kind: store }", "users: { kind: store, identity: db }");
        let found = only(&findings_of(&text, Urgency::Unplanned), Error, codes::ONE_THING_TWO_NAMES);
        assert_eq!(found.message, "`users` is the same thing as `orders` at 8:3: db");
        assert_eq!(found.place.to_string(), "9:3");
    }

    #[test]
    fn what_is_only_asked_may_have_two_names_and_what_is_changed_in_any_way_may_not() {
        let twice = |kind: &str| {
            let thing = format!("{{ kind: {kind}, identity: db }}");
            changed("shop: { kind: door }", &format!("shop: {{ kind: door }}\n  a: {thing}\n  b: {thing}"))
        };
        assert_eq!(shown(&twice("door")), "");
        only(&twice("cache"), Error, codes::ONE_THING_TWO_NAMES);
    }

    #[test]
    fn a_resource_that_names_one_thing_twice_is_one_resource() {
        let found = changed("orders: { kind: store }", "orders: { kind: store, identity: db db }");
        assert_eq!(shown(&found), "");
    }

    /// P31: one thing on two sides.
    #[test]
    fn one_thing_is_one_side() {
        let found = changed(
            "orders: { kind: store }",
            "orders: { kind: store, sides: { us: { url: a, x: 1 }, eu: { url: a, x: 2 } } }",
        );
        let found = only(&found, Error, codes::ONE_THING_TWO_SIDES);
        assert_eq!(found.message, "`orders` has the same `sides` for eu and, at 8:35, for us");
        let found = changed("ttl: 30s", "ttl: 30s, values: { us: 10.0.0.1, eu: 10.0.0.1 }");
        only(&found, Error, codes::ONE_THING_TWO_SIDES);
    }

    #[test]
    fn two_addresses_are_two_sides() {
        let sides =
            "sides: { us: { url: a, x: 1 }, eu: { url: b, x: 1 } }, values: { us: 10.0.0.1, eu: 10.0.0.2 }";
        let found = changed("orders: { kind: store }", &format!("orders: {{ kind: store, {sides} }}"));
        assert_eq!(shown(&found), "");
    }

    #[test]
    fn two_regions_may_use_one_name_where_names_are_meant_within_a_region() {
        let sides = "sides: { us: { cluster: a }, eu: { cluster: a } }";
        let found = changed(
            "app: { kind: workloads }",
            &format!("app: {{ kind: workloads, regional: true, {sides} }}"),
        );
        assert_eq!(shown(&found), "");
        let found = changed("app: { kind: workloads }", &format!("app: {{ kind: workloads, {sides} }}"));
        only(&found, Error, codes::ONE_THING_TWO_SIDES);
    }

    #[test]
    fn timings_have_names_of_their_own() {
        only(&changed("name: scale_down", "name: Scale-up"), Error, codes::PHASE_NAMES_COLLIDE);
        only(&changed("name: scale_down", "name: roles"), Error, codes::PHASE_NAMES_COLLIDE);
    }

    /// Found: `roles` was refused where `dr` puts no phase of that name first, and `Roles` was not.
    #[test]
    fn where_nothing_is_promoted_the_name_of_the_phase_that_dr_puts_first_is_free() {
        for name in ["roles", "Roles"] {
            let found = phases(&format!("phases: [ {{ name: {name}, steps: [ {{ observe: app }} ] }} ]\n"));
            assert_eq!(shown(&found), "");
        }
    }

    #[test]
    fn the_source_is_not_the_target() {
        finds(&changed("target: eu", "target: us"), Error, codes::SOURCE_IS_TARGET);
    }

    #[test]
    fn source_and_target_are_sides_of_something() {
        let text =
            format!("{HEAD}{RESOURCES}{MEASURE}phases: [ {{ name: p, steps: [ {{ observe: app }} ] }} ]\n");
        let found = findings_of(&text.replace("source: us", "source: uss"), Urgency::Unplanned);
        only(&found, Error, codes::SIDE_OF_NOTHING);
    }
}

mod dependence {
    use super::*;

    #[test]
    fn a_state_store_in_the_source_is_an_error() {
        let found = only(
            &changed("state: { at: s3://third/dr, region: third }", "state: { at: s3://b, region: us }"),
            Error,
            codes::DEPENDS_ON_SOURCE,
        );
        assert_eq!(found.place.to_string(), "5:22");
        assert!(
            changed("state: { at: s3://third/dr, region: third }", "state: { at: s3://b, region: eu }")
                .is_empty()
        );
    }

    #[test]
    fn a_control_plane_in_the_source_is_found() {
        let found = only(&changed("ttl: 30s", "ttl: 30s, control: us"), Warning, codes::DEPENDS_ON_SOURCE);
        assert_eq!(found.message, "`route entry` needs the control plane of dns in us, which is the source");
        assert!(changed("ttl: 30s", "ttl: 30s, control: eu").is_empty());
    }

    #[test]
    fn what_lives_in_the_source_alone_is_found() {
        let found = changed(
            "{ route: entry, to: target }",
            "{ route: entry, to: target }, { follow: users, in: eu, of: eu }",
        );
        assert!(found.is_empty(), "{}", shown(&found));
        let found = findings_of(
            &format!("{HEAD}{RESOURCES}{MEASURE}phases: [ {{ name: p, steps: [ {{ probe: shop, write: true }} ] }} ]\n")
                .replace("shop: { kind: door }", "shop: { kind: door, sides: { us: us } }"),
            Urgency::Unplanned,
        );
        only(&found, Warning, codes::DEPENDS_ON_SOURCE);
    }

    #[test]
    fn a_state_that_only_this_machine_sees_is_found() {
        only(
            &changed("state: { at: s3://third/dr, region: third }\n", ""),
            Warning,
            codes::STATE_ON_ONE_MACHINE,
        );
        assert!(changed("state: { at: s3://third/dr, region: third }", "state: { local: true }").is_empty());
        assert!(
            changed("state: { at: s3://third/dr, region: third }", "state: { at: /mnt/dr, region: third }")
                .is_empty()
        );
    }
}

mod acknowledging {
    use super::*;

    fn acknowledged(code: &str, from: &str, to: &str) -> Vec<Finding> {
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}").replace(from, to);
        findings_of(
            &format!("{text}acknowledge: [ {{ code: {code}, reason: we know }} ]\n"),
            Urgency::Unplanned,
        )
    }

    #[test]
    fn a_warning_with_a_reason_does_not_block() {
        let found = only(&acknowledged("ttl-too-long", "ttl: 30s", "ttl: 61s"), Warning, codes::TTL_TOO_LONG);
        assert_eq!((found.acknowledged.as_deref(), found.blocks()), (Some("we know"), false));
        assert!(only(&changed("ttl: 30s", "ttl: 61s"), Warning, codes::TTL_TOO_LONG).blocks());
    }

    #[test]
    fn an_error_cannot_be_acknowledged() {
        let found = acknowledged("unfenced-promotion", "{ fence: orders }, ", "");
        assert!(finds(&found, Error, codes::UNFENCED_PROMOTION).blocks());
        finds(&found, Error, codes::NOT_ACKNOWLEDGEABLE);
    }

    #[test]
    fn an_acknowledgement_of_nothing_is_found() {
        only(&acknowledged("ttl-too-long", "ttl", "ttl"), Note, codes::IDLE_ACKNOWLEDGEMENT);
        only(&acknowledged("ttl-too-lang", "ttl", "ttl"), Warning, codes::IDLE_ACKNOWLEDGEMENT);
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
    let tests = concat!(
        include_str!("main.rs"),
        include_str!("planted.rs"),
        include_str!("shares.rs"),
        include_str!("../plan.rs")
    );
    let snapshots = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots")).unwrap();
    let snapshots: String =
        snapshots.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
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
