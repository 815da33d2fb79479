//! Times and their sums.

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
    let debts = "  - { name: reprotect, within: 1h, after: [health_check], steps: [ { follow: orders } ] }\n";
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
    assert!(found.message.starts_with("`fence orders` 1m 30s + `promote orders` 1m"), "{}", found.message);
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
