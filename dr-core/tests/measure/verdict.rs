//! From a run's entries and findings to figures and a verdict.

use std::time::Duration;

use dr_core::Timestamp;
use dr_core::event::{Began, Entry, Event};
use dr_core::measure::{
    Basis, Estimate, Figure, Findings, Gap, Judgement, LagBound, LossMeasured, Measurement, OutageMeasured,
    cut, judge, measure,
};
use dr_core::plan::RtoRpoBudget;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Seconds on the clock; the run begins at 100.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// An event of a drive that began at 100.
fn entry(seq: u64, seconds: i64, event: Event) -> Entry {
    let elapsed_ms = u64::try_from((seconds - 100) * 1_000).unwrap();
    Entry { seq, epoch: 1, at: at(seconds), elapsed_ms, event }
}

fn step(id: &str, verb: &str, class: &str, optional: bool) -> Value {
    json!({ "id": id, "phase": "p", "verb": verb, "call": {}, "class": class, "within": "1m", "optional": optional })
}

fn began(change: impl FnOnce(&mut Value)) -> Began {
    let mut value = json!({
        "run": "r", "format": 1, "tool": "0", "mode": "failover", "urgency": "unplanned", "on_failure": "hold",
        "actor": { "name": "a", "from": "b" }, "plan": "p", "plan_hash": "h",
        "roles": { "source": "us", "target": "eu" }, "budget": { "rto": "60s", "rpo": "10s" },
        "outages": [{ "probe": "shop", "every": "250ms", "recovered_after": 3, "write": true }],
        "losses": [{ "store": "orders", "via": null, "every": "100ms" }],
        "identities": [], "overrides": [], "outage_since": null, "outage_declared": false, "detected": null,
        "script": { "phases": [], "steps": [
            step("p/fence", "fence", "fence", false),
            step("p/promote", "promote", "point_of_no_return", false),
            step("p/probe", "probe", "read", false),
            step("p/scale", "scale", "reversible", true),
        ] },
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

fn entries(began: &Began) -> Vec<Entry> {
    let started = |step: &str| {
        json!({ "event": "started", "step": step, "attempt": 1,
        "was": { "standing": { "standing": "already" }, "before": { "version": 1, "data": null } } })
    };
    let succeeded = |step: &str, data: Value| {
        json!({ "event": "succeeded", "step": step, "attempt": 1,
        "applied": { "said": "", "data": data } })
    };
    let promotion = json!({ "side": "eu", "timeline": 2, "position": null, "first_write": at(110),
        "basis": { "basis": "forced", "fences": [], "risk": null,
            "loss": { "bound": "at_most", "time": "3s", "from": "heartbeat" } } });
    let events = [
        (101, started("p/fence")),
        (103, succeeded("p/fence", Value::Null)),
        (104, started("p/promote")),
        (110, succeeded("p/promote", promotion)),
        (125, succeeded("p/probe", Value::Null)),
    ];
    let first = entry(1, 100, Event::Began(Box::new(began.clone())));
    let rest = events
        .into_iter()
        .zip(2..)
        .map(|((seconds, event), seq)| entry(seq, seconds, serde_json::from_value(event).unwrap()));
    [first].into_iter().chain(rest).collect()
}

fn gap(from: i64, to: i64) -> Gap {
    let length = (to - from) as f64;
    Gap { from: at(from), to: Some(at(to)), at_least: length - 0.25, at_most: Some(length + 0.25) }
}

fn outage(gaps: Vec<Gap>) -> OutageMeasured {
    OutageMeasured {
        probe: "shop".into(),
        asked: 1_000,
        failed: 10,
        since: at(0),
        until: at(200),
        recovered: Some(at(115)),
        latency_before_ms: None,
        latency_after_ms: None,
        gaps,
    }
}

fn loss(lost_span: Option<f64>, lost_span_at_most: Option<f64>) -> LossMeasured {
    LossMeasured {
        store: "orders".into(),
        attempted: 10,
        acknowledged: 10,
        unknown: 0,
        lost: Some(vec![]),
        recovered: Some(0),
        lost_span,
        lost_span_at_most,
    }
}

fn measured(began: &Began, outages: Vec<OutageMeasured>, losses: Vec<LossMeasured>) -> Measurement {
    measure(began, &entries(began), Findings { outages, losses, ..Findings::default() })
}

fn rto(began: &Began, outage: OutageMeasured) -> Option<Figure> {
    measured(began, vec![outage], vec![]).rto
}

fn plain() -> Began {
    began(|_| {})
}

fn figure(at_least: f64, at_most: f64, basis: Basis) -> Option<Figure> {
    Some(Figure { at_least, at_most, basis })
}

#[test]
fn the_rto_is_what_callers_went_through() {
    assert_eq!(rto(&plain(), outage(vec![gap(90, 115)])), figure(24.75, 25.25, Basis::Client));
}

/// P4: one prober's cache has one age; the callers' have all of them.
/// Found: beside sixty callers with caches of every age the figure was up to forty seconds short.
#[test]
fn the_rto_lasts_until_nobody_can_remember_the_old_address() {
    let began = began(|began| {
        let steps = began["script"]["steps"].as_array_mut().unwrap();
        steps.push(step("p/route", "route", "reversible", false));
    });
    let of = |last_old_answer: i64, ttl: &str| {
        let routed = json!({ "side": "eu", "propagation": "answers", "last_old_answer": at(last_old_answer),
            "old_ttl": ttl, "share": 100 });
        let event = json!({ "event": "succeeded", "step": "p/route", "attempt": 1,
            "applied": { "said": "", "data": routed } });
        let mut entries = entries(&began);
        let seq = entries.last().map_or(1, |last| last.seq + 1);
        let event = serde_json::from_value(event).unwrap();
        entries.push(entry(seq, 126, event));
        let findings = Findings { outages: vec![outage(vec![gap(90, 115)])], ..Findings::default() };
        measure(&began, &entries, findings).rto.unwrap()
    };
    assert_eq!((of(112, "60s").at_least, of(112, "60s").at_most), (24.75, 82.0));
    assert_eq!(of(112, "1s").at_most, 25.25, "the prober itself waited longer");
    assert_eq!(of(120, "60s").at_most, 25.25, "it was over before callers were moved");
}

#[test]
fn an_outage_that_was_over_before_the_run_is_not_the_runs() {
    assert_eq!(rto(&plain(), outage(vec![gap(20, 30), gap(90, 115)])), figure(24.75, 25.25, Basis::Client));
}

#[test]
fn an_outage_after_the_first_counts_too() {
    assert_eq!(rto(&plain(), outage(vec![gap(90, 100), gap(110, 115)])), figure(14.5, 15.5, Basis::Client));
}

#[test]
fn without_an_upper_end_there_is_no_figure() {
    let lasts = Gap { to: None, at_most: None, ..gap(90, 115) };
    assert_eq!(rto(&plain(), outage(vec![lasts])), None);
    let unseen = Gap { at_most: None, ..gap(90, 115) };
    assert_eq!(rto(&plain(), outage(vec![unseen])), None);
}

#[test]
fn a_beginning_that_nobody_saw_is_where_somebody_declared_it() {
    let began = began(|value| value["outage_since"] = json!(at(60)));
    let unseen = Gap { at_most: None, ..gap(90, 115) };
    assert_eq!(rto(&began, outage(vec![unseen])), figure(54.75, 55.25, Basis::Client));
}

#[test]
fn an_outage_may_be_as_old_as_the_last_good_answer_before_it() {
    let began = began(|value| value["outage_since"] = json!(at(60)));
    let unseen = Gap { at_most: None, ..gap(90, 115) };
    let good_until = Some(at(58));
    let rto = |outages| {
        measure(&began, &entries(&began), Findings { outages, good_until, ..Findings::default() }).rto
    };
    assert_eq!(rto(vec![outage(vec![unseen])]), figure(54.75, 57.25, Basis::Client));
    assert_eq!(rto(vec![]), figure(65.0, 67.0, Basis::Run));
}

#[test]
fn a_seat_that_never_came_back_is_no_figure() {
    let stayed = OutageMeasured { recovered: None, ..outage(vec![gap(90, 115)]) };
    assert_eq!(rto(&plain(), stayed), None);
}

#[test]
fn no_outage_seen_is_at_most_the_time_between_two_questions() {
    assert_eq!(rto(&plain(), outage(vec![])), figure(0.0, 0.25, Basis::Client));
}

#[test]
fn a_prober_that_came_late_says_nothing_about_an_outage_it_did_not_see() {
    let late = OutageMeasured { since: at(120), ..outage(vec![]) };
    assert_eq!(rto(&plain(), late), figure(25.0, 25.0, Basis::Run));
}

#[test]
fn where_nobody_asked_it_is_the_runs_own_time() {
    assert_eq!(measured(&plain(), vec![], vec![]).rto, figure(25.0, 25.0, Basis::Run));
    let declared = began(|value| value["outage_since"] = json!(at(60)));
    assert_eq!(measured(&declared, vec![], vec![]).rto, figure(65.0, 65.0, Basis::Run));
}

#[test]
fn a_run_that_is_not_over_has_no_time_of_its_own() {
    let began = plain();
    let entries = entries(&began);
    assert_eq!(measure(&began, &entries[..5], Findings::default()).rto, None);
}

#[test]
fn a_dry_run_has_no_figure_but_an_estimate() {
    let began = began(|value| value["mode"] = json!("dry-run"));
    let findings = Findings {
        outages: vec![outage(vec![])],
        losses: vec![loss(Some(0.0), Some(0.0))],
        ..Findings::default()
    };
    let none = measure(&began, &entries(&began), findings.clone());
    assert_eq!((none.rto, none.rpo), (None, None));
    let estimate = Estimate { rto: Some(Duration::from_secs(40)), rpo: None };
    let some = measure(&began, &entries(&began), Findings { estimate, ..findings });
    assert_eq!((some.rto, some.rpo), (figure(40.0, 40.0, Basis::Estimate), None));
}

#[test]
fn the_rpo_is_the_ledgers_word() {
    let rpo = |least, most| measured(&plain(), vec![], vec![loss(least, most)]).rpo;
    assert_eq!(rpo(Some(0.0), Some(0.0)), figure(0.0, 0.0, Basis::Client));
    assert_eq!(rpo(Some(1.5), Some(2.0)), figure(1.5, 2.0, Basis::Client));
    assert_eq!(rpo(None, None), None, "nothing acknowledged before the outage");
    assert_eq!(rpo(Some(1.5), None), None);
}

#[test]
fn a_ledger_that_lost_nothing_is_bounded_by_what_the_promotion_proved_as_well() {
    let rpo = |loss| measured(&plain(), vec![], vec![loss]).rpo;
    assert_eq!(rpo(loss(Some(0.0), Some(5.0))), figure(0.0, 3.0, Basis::Client));
    let lost = LossMeasured { lost: Some(vec![7]), ..loss(Some(0.0), Some(5.0)) };
    assert_eq!(rpo(lost), figure(0.0, 5.0, Basis::Client), "a row that is gone is held against no promise");
}

/// P4: the age of the sample is part of the figure.
#[test]
fn without_a_ledger_the_rpo_is_the_lag_and_its_age() {
    let began = plain();
    assert_eq!(measured(&began, vec![], vec![]).rpo, figure(0.0, 3.0, Basis::Lag), "by the promotion's word");
    let lag = Some(LagBound { lag: Duration::from_secs(4), age: Duration::from_secs(2) });
    let findings = Findings { lag, ..Findings::default() };
    assert_eq!(measure(&began, &entries(&began), findings).rpo, figure(0.0, 6.0, Basis::Lag));
    let unread = LossMeasured { lost: None, ..loss(None, None) };
    assert_eq!(measured(&began, vec![], vec![unread]).rpo, figure(0.0, 3.0, Basis::Lag));
}

#[test]
fn without_anything_there_is_no_rpo() {
    let began = plain();
    assert_eq!(measure(&began, &entries(&began)[..4], Findings::default()).rpo, None);
}

#[test]
fn the_parts_come_each_from_its_own_events() {
    let known = began(|value| {
        value["outage_since"] = json!(at(90));
        value["detected"] = json!(at(92));
    });
    let parts = measured(&known, vec![outage(vec![gap(90, 115)])], vec![]).parts;
    assert_eq!(
        (parts.detection, parts.decision, parts.execution, parts.tail),
        (Some(2.0), Some(8.0), Some(10.0), Some(5.0))
    );
    let parts = measured(&plain(), vec![], vec![]).parts;
    assert_eq!((parts.detection, parts.decision, parts.tail), (None, None, None));
    assert_eq!(parts.execution, Some(10.0));
}

#[test]
fn the_cut_is_the_outage_or_the_first_fence() {
    let began = plain();
    let entries = entries(&began);
    assert_eq!(cut(&began, &entries, &[]), Some(at(101)));
    assert_eq!(cut(&began, &entries, &[outage(vec![gap(90, 115)])]), Some(at(90)));
    assert_eq!(cut(&began, &entries[..1], &[]), None);
}

fn judged(rto: Option<Figure>, limit: &str) -> Option<bool> {
    let budget: RtoRpoBudget = serde_json::from_value(json!({ "rto": limit })).unwrap();
    judge(&budget, &Measurement { rto, ..Measurement::default() }).rto_met
}

#[test]
fn a_target_is_met_only_if_the_upper_end_keeps_it() {
    assert_eq!(judged(figure(9.0, 11.0, Basis::Client), "10s"), Some(false));
    assert_eq!(judged(figure(9.0, 10.0, Basis::Client), "<= 10s"), Some(true));
    assert_eq!(judged(figure(9.0, 10.0, Basis::Client), "< 10s"), Some(false));
    assert_eq!(judged(None, "10s"), None);
}

#[test]
fn without_a_target_or_a_figure_there_is_no_verdict() {
    let measurement = Measurement { rto: figure(1.0, 1.0, Basis::Run), ..Measurement::default() };
    assert_eq!(judge(&RtoRpoBudget::default(), &measurement), Judgement::default());
}

#[test]
fn a_lower_end_that_breaks_the_target_is_enough() {
    let began = plain();
    let lasts = Gap { to: None, at_most: None, at_least: 61.0, ..gap(90, 151) };
    let measurement = measured(&began, vec![outage(vec![lasts])], vec![loss(Some(11.0), None)]);
    assert_eq!(judge(&began.budget, &measurement), Judgement { rto_met: Some(false), rpo_met: Some(false) });
}

proptest! {
    #[test]
    fn nothing_is_met_that_is_not_measured(figure in prop::option::of(0.0..200.0_f64), limit in 1_u64..100) {
        let measured = figure.map(|most| Figure { at_least: 0.0, at_most: most, basis: Basis::Client });
        let verdict = judged(measured, &format!("{limit}s"));
        prop_assert_eq!(verdict, figure.map(|most| most <= limit as f64));
    }
}

/// Durations are told by the drive's monotonic clock: the wall clock leaps by an hour in its middle, and back.
#[test]
fn a_leap_of_the_wall_clock_changes_no_figure() {
    let began = plain();
    let still = measure(&began, &entries(&began), Findings::default());
    let mut leapt = entries(&began);
    for (entry, by) in leapt[2..].iter_mut().zip([3_600, 3_600, -3_600, -3_600]) {
        entry.at = Timestamp::from_millis(entry.at.as_millis() + by * 1_000);
    }
    assert_eq!(measure(&began, &leapt, Findings::default()), still);
    assert_eq!(still.rto, figure(25.0, 25.0, Basis::Run));
}
