//! The arithmetic of budgets: limits, units, sums and verdicts, for every value that a plan can hold.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "check/fake.rs"]
mod fake;

use std::time::Duration;

use dr_core::check::{Subject, check, codes, configure};
use dr_core::measure::{Basis, Figure, Measurement, judge};
use dr_core::plan::{Finding, Format, Limit, Plan, RtoRpoBudget, Strictness};
use dr_core::resource::{Roles, Urgency};
use dr_core::runbook::compile;
use dr_core::time::{parse_duration, show_duration};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// As long as a plan may say.
const LONGEST: u64 = 100 * 366 * 86_400;

fn duration() -> impl Strategy<Value = Duration> {
    let seconds = prop_oneof![0..LONGEST, 0..100_u64, Just(LONGEST)];
    (seconds, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| Duration::new(seconds, nanos).min(Duration::from_secs(LONGEST)))
}

fn limit() -> impl Strategy<Value = Limit> {
    (select(vec![Strictness::AtMost, Strictness::Below]), duration())
        .prop_map(|(strictness, time)| Limit { strictness, time })
}

fn measured(seconds: f64) -> Measurement {
    let figure = Figure { at_least: 0.0, at_most: seconds, basis: Basis::Client };
    Measurement { rto: Some(figure.clone()), rpo: Some(figure), ..Measurement::default() }
}

/// A plan whose phases follow each other, each so long.
fn found(budget: &str, phases: &[Duration]) -> Vec<Finding> {
    let mut text = format!(
        "schema: dr/v1\nname: p\nsource: us\ntarget: eu\nbudget: {{ {budget} }}\n\
         resources: {{ orders: {{ kind: store }} }}\nphases:\n"
    );
    for (index, within) in phases.iter().enumerate() {
        let within = humantime(*within);
        text.push_str(&format!(
            "  - {{ name: p{index}, within: {within}, steps: [ {{ observe: orders }} ] }}\n"
        ));
    }
    let plan = Plan::parse(&text, Format::Yaml).unwrap_or_else(|found| panic!("{found:#?}\n{text}"));
    let configured = configure(&plan, &fake::backends()).unwrap();
    let roles = Roles { source: "us".into(), target: "eu".into() };
    let script = compile(&plan, &configured, &roles).unwrap_or_else(|found| panic!("{found:#?}"));
    check(&Subject {
        plan: &plan,
        script: &script,
        configured: &configured,
        roles: &roles,
        urgency: Urgency::Planned,
    })
}

/// A duration as a plan writes it.
fn humantime(time: Duration) -> String {
    serde_json::to_value(Limit::at_most(time)).unwrap().as_str().unwrap().trim_start_matches("<= ").to_owned()
}

fn is_over(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.code == codes::OVER_RTO)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_limit_survives_its_text(limit in limit()) {
        let text = serde_json::to_string(&limit).unwrap();
        prop_assert_eq!(serde_json::from_str::<Limit>(&text).unwrap(), limit, "{}", text);
    }

    #[test]
    fn a_limit_that_is_kept_is_kept_by_whatever_is_less(limit in limit(), one in duration(), two in duration()) {
        let (less, more) = (one.min(two), one.max(two));
        prop_assert!(!limit.is_met_by(more) || limit.is_met_by(less));
        prop_assert_eq!(limit.is_met_by(limit.time), limit.strictness == Strictness::AtMost);
        prop_assert!(!limit.is_met_by(limit.time + Duration::from_nanos(1)));
    }

    #[test]
    fn a_unit_is_what_it_says(count in 0..1_000_000_u64, unit in select(vec![
        ("ns", 1_u64), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ])) {
        let nanos = u128::from(count) * u128::from(unit.1);
        let read = parse_duration(&format!("{count}{}", unit.0));
        if nanos > u128::from(LONGEST) * 1_000_000_000 {
            prop_assert!(read.is_err());
        } else {
            prop_assert_eq!(read.map(|time| time.as_nanos()), Ok(nanos));
        }
    }

    #[test]
    fn no_text_makes_a_duration_or_a_limit_panic(text in "[<≤= ]{0,3}[0-9]{0,25}[a-zµ. -]{0,8}[0-9]{0,3}[a-z]{0,3}") {
        let _ = parse_duration(&text).map(show_duration);
        let _ = text.parse::<Limit>();
    }

    #[test]
    fn a_longer_figure_never_meets_what_a_shorter_one_broke(
        limit in limit(),
        one in any::<f64>(),
        two in 0.0..1e10_f64,
    ) {
        let budget = RtoRpoBudget { rto: Some(limit), rpo: Some(limit), ..RtoRpoBudget::default() };
        let (one, two) = (judge(&budget, &measured(one.abs().min(two))), judge(&budget, &measured(two)));
        prop_assert!(one.rto_met != Some(false) || two.rto_met != Some(true));
        prop_assert!(one.rpo_met != Some(false) || two.rpo_met != Some(true));
    }

    /// P49: any number at all in the place of a figure.
    #[test]
    fn what_is_no_length_of_time_meets_nothing(limit in limit(), figure in any::<f64>()) {
        let budget = RtoRpoBudget { rto: Some(limit), ..RtoRpoBudget::default() };
        let met = judge(&budget, &measured(figure)).rto_met;
        prop_assert!(met != Some(true) || (figure >= 0.0 && figure.is_finite()));
        prop_assert_eq!(judge(&budget, &Measurement::default()).rto_met, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_phases_of_a_plan_are_summed_to_the_nanosecond_and_never_overflow(
        rto in duration(),
        ahead in proptest::option::of(duration()),
        phases in vec(duration(), 1..8),
    ) {
        let positive = |time: Duration| time.max(Duration::from_nanos(1));
        let phases: Vec<Duration> = phases.into_iter().map(positive).collect();
        let (rto, ahead) = (positive(rto), ahead.map(positive));
        let detection = ahead.map(|ahead| format!(", detection: {}", humantime(ahead))).unwrap_or_default();
        let budget = format!("rto: {}{detection}", humantime(rto));
        let total = phases.iter().chain(&ahead).sum::<Duration>();
        prop_assert_eq!(is_over(&found(&budget, &phases)), total > rto, "{:?} against {:?}", total, rto);
    }
}

#[test]
fn a_hundred_years_a_hundred_times_are_more_than_any_budget() {
    let phases = vec![Duration::from_secs(LONGEST); 100];
    assert!(is_over(&found("rto: 90years, detection: 90years, decision: 90years", &phases)));
}
