//! What machines read: a golden file for the format's version.

mod common;

use dr_core::event::{Event, Mode};
use dr_core::resource::{Applied, Divergence, FollowHow, Following};
use dr_evidence::Metrics;

#[test]
fn the_format_is_the_golden_file() {
    let metrics = Metrics::of(&common::succeeded().lines()).unwrap();
    let golden = include_str!("golden/metrics.v1.json");
    let text = serde_json::to_string_pretty(&metrics).unwrap() + "\n";
    assert_eq!(text, golden, "\nthe format has changed:\n{text}");
    assert_eq!(serde_json::from_str::<Metrics>(golden).unwrap(), metrics);
}

#[test]
fn the_first_fields_are_those_of_the_runbooks_in_their_order() {
    let metrics = Metrics::of(&common::succeeded().lines()).unwrap();
    let value = serde_json::to_value(metrics).unwrap();
    let names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).take(13).collect();
    let wanted = "failover_start failover_end source_region target_region dry_run rto_seconds rto_target_seconds \
                  rto_met rpo_seconds rpo_target_seconds rpo_met timings schema_version";
    assert_eq!(names.join(" "), wanted);
}

/// P49: `null` and no verdict in metrics.json.
#[test]
fn what_was_not_measured_is_null_and_judged_by_nobody() {
    let metrics = Metrics::of(&common::refused().lines()).unwrap();
    let value = serde_json::to_value(&metrics).unwrap();
    for field in [
        "rto_seconds",
        "rto_met",
        "rto_basis",
        "rpo_seconds",
        "rpo_met",
        "rpo_basis",
        "client_outage_seconds",
        "detection_seconds",
        "acknowledged_writes",
        "lost_writes",
        "stray_writes",
    ] {
        assert!(value[field].is_null(), "{field} is {}", value[field]);
    }
    assert_eq!(value["rto_target_seconds"], 900);
}

#[test]
fn a_hair_over_the_target_is_over_it() {
    let metrics = Metrics::of(&common::over_budget().lines()).unwrap();
    assert_eq!(metrics.rto_met, Some(false));
    assert_eq!(metrics.rto_seconds.unwrap().to_string(), "900.001");
}

#[test]
fn a_figure_that_is_no_length_of_time_is_no_measurement() {
    let mut measurement = common::measurement(765.0, &[]);
    if let Some(rto) = &mut measurement.rto {
        rto.at_most = -1.0;
    }
    let mut tape = common::Tape::begin(common::began(Mode::Failover));
    tape.measured(measurement);
    let metrics = Metrics::of(&tape.lines()).unwrap();
    assert_eq!((metrics.rto_seconds, metrics.rto_met, metrics.rto_basis), (None, None, None));
}

#[test]
fn an_outage_that_lasts_has_no_length() {
    let mut measurement = common::measurement(765.0, &[]);
    measurement.outages[0].gaps[0].to = None;
    measurement.outages[0].gaps[0].at_most = None;
    let mut tape = common::Tape::begin(common::began(Mode::Failover));
    tape.measured(measurement);
    assert_eq!(Metrics::of(&tape.lines()).unwrap().client_outage_seconds, None);
}

#[test]
fn an_outage_that_was_over_before_the_run_is_not_its_own() {
    let mut measurement = common::measurement(765.0, &[]);
    let mut earlier = measurement.outages[0].gaps[0].clone();
    let hour = std::time::Duration::from_secs(3600);
    earlier.from = earlier.from.minus(hour);
    earlier.to = earlier.to.map(|to| to.minus(hour));
    earlier.at_most = Some(1234.0);
    measurement.outages[0].gaps.insert(0, earlier);
    let mut tape = common::Tape::begin(common::began(Mode::Failover));
    tape.measured(measurement);
    assert_eq!(Metrics::of(&tape.lines()).unwrap().client_outage_seconds.unwrap().to_string(), "765");
}

#[test]
fn stray_writes_are_counted_where_an_old_writer_is_made_a_copy() {
    let stray_of = |rows: Option<Vec<i64>>| {
        let mut began = common::began(Mode::Protect);
        began.script.steps[0].verb = "follow".to_owned();
        let divergence = Divergence::new(None, None, rows);
        let following =
            Following::new("us-east-1".into(), FollowHow::Rewound).keeping(None, Some(divergence));
        let applied = Applied::of(&following).unwrap();
        let mut tape = common::Tape::begin(began);
        tape.intent("preflight/observe:orders", 1);
        tape.say(1, Event::Succeeded { step: "preflight/observe:orders".into(), attempt: 1, applied });
        Metrics::of(&tape.lines()).unwrap().stray_writes
    };
    assert_eq!(stray_of(Some(vec![7, 8, 9])), Some(3));
    assert_eq!(stray_of(None), None, "unknown is not zero");
}
