//! From samples to outages.

use std::time::Duration;

use dr_core::measure::{Acceptance, OutageMeasured, ProbeLog, Sample, SampleLog, Sitting, measure_outage};
use dr_core::resource::{Answer, SeatKind};
use dr_core::{Side, Timestamp};
use proptest::prelude::*;

const EVERY: u64 = 100;

fn wall(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000).plus(Duration::from_millis(millis))
}

fn sitting(begun: u64) -> Sitting {
    Sitting { begun: wall(begun), of: "shop".into(), every: Duration::from_millis(EVERY) }
}

fn sample(begun: u64, due_ms: u64, seat: SeatKind, answer: Answer) -> Sample {
    Sample::new(wall(begun + due_ms), due_ms, seat, answer)
}

/// One letter a question: `s` good from the source, `t` good from the target, `x` none, `r` good but without a
/// write, ` ` not asked.
fn letters(begun: u64, seat: SeatKind, text: &str) -> Vec<Sample> {
    let took = Duration::from_millis(4);
    text.chars()
        .zip(0..)
        .filter(|(letter, _)| *letter != ' ')
        .map(|(letter, slot)| {
            let answer = match letter {
                's' => Answer::good(Some("us".into()), true, took),
                't' => Answer::good(Some("eu".into()), true, took),
                'r' => Answer::good(Some("eu".into()), false, took),
                _ => Answer::none("refused", took),
            };
            sample(begun, slot * EVERY, seat, answer)
        })
        .collect()
}

fn log(seats: &[(SeatKind, &str)]) -> ProbeLog {
    let samples = seats.iter().flat_map(|(seat, text)| letters(0, *seat, text)).collect();
    SampleLog { sittings: vec![(sitting(0), samples)] }
}

fn accept(recovered_after: u32) -> Acceptance {
    Acceptance { recovered_after, served_by: None, write: true, binds_from: None }
}

fn to_target_from(millis: u64) -> Acceptance {
    accept(2).served_by(Side::new("eu"), wall(millis))
}

fn one_seat(text: &str, accept: &Acceptance) -> OutageMeasured {
    measure_outage(&"shop".into(), &log(&[(SeatKind::Caching, text)]), accept).unwrap()
}

fn bounds(measured: &OutageMeasured) -> Vec<(f64, Option<f64>)> {
    measured.gaps.iter().map(|gap| (gap.at_least, gap.at_most)).collect()
}

/// P49: no question, no figure.
#[test]
fn nothing_asked_measures_nothing() {
    assert_eq!(measure_outage(&"shop".into(), &SampleLog::default(), &accept(3)), None);
    assert_eq!(measure_outage(&"shop".into(), &log(&[]), &accept(3)), None);
}

#[test]
fn an_outage_is_an_interval_between_due_times() {
    let measured = one_seat("sssxxxxsss", &accept(3));
    assert_eq!(bounds(&measured), [(0.3, Some(0.504))]);
    assert_eq!((measured.gaps[0].from, measured.gaps[0].to), (wall(300), Some(wall(700))));
    assert_eq!((measured.asked, measured.failed), (10, 4));
    assert_eq!((measured.latency_before_ms, measured.latency_after_ms), (Some(4.0), Some(4.0)));
}

#[test]
fn too_few_good_answers_do_not_end_an_outage() {
    assert_eq!(bounds(&one_seat("sxssxsssx", &accept(3)))[0], (0.3, Some(0.504)));
    assert_eq!(one_seat("sxssxss", &accept(3)).gaps[0].to, None);
}

#[test]
fn an_outage_whose_beginning_nobody_saw_has_no_upper_end() {
    assert_eq!(bounds(&one_seat("xxxsss", &accept(2))), [(0.2, None)]);
}

#[test]
fn an_outage_that_lasts_has_no_upper_end() {
    let measured = one_seat("ssxxxx", &accept(2));
    assert_eq!(bounds(&measured), [(0.3, None)]);
    assert_eq!((measured.recovered, measured.latency_after_ms), (None, None));
}

#[test]
fn a_hole_between_good_answers_may_hide_an_outage() {
    let measured = one_seat("sss      sss", &accept(2));
    assert_eq!(bounds(&measured), [(0.0, Some(0.704))]);
    assert_eq!(measured.failed, 0);
}

#[test]
fn a_single_missed_question_is_no_hole() {
    assert!(one_seat("sss sss", &accept(2)).gaps.is_empty());
}

#[test]
fn a_hole_widens_the_outage_beside_it() {
    assert_eq!(bounds(&one_seat("sss    xxsss", &accept(2))), [(0.1, Some(0.704))]);
    assert_eq!(bounds(&one_seat("sssxx    sss", &accept(2))), [(0.1, Some(0.704))]);
}

#[test]
fn good_answers_on_both_sides_of_a_hole_are_not_in_a_row() {
    assert_eq!(one_seat("sxs     ss", &accept(2)).gaps[0].to, Some(wall(800)));
}

/// P47: the new region answers and takes no writes.
#[test]
fn a_good_answer_without_the_write_that_was_asked_for_is_not_good() {
    let measured = one_seat("ssxrrrtt", &accept(2));
    assert_eq!(measured.gaps[0].to, Some(wall(600)));
    assert_eq!(measured.failed, 4);
}

/// P47: the old region answers for a while.
#[test]
fn in_a_run_only_the_target_ends_an_outage() {
    let measured = one_seat("ssxxsssstt", &to_target_from(0));
    assert_eq!(measured.gaps[0].to, Some(wall(800)));
    assert_eq!(measured.recovered, Some(wall(800)));
}

#[test]
fn before_a_run_anybody_ends_an_outage() {
    let measured = one_seat("sxssssxxtt", &to_target_from(600));
    assert_eq!(measured.gaps.len(), 2);
    assert_eq!(measured.gaps[0].to, Some(wall(200)));
}

#[test]
fn a_seat_that_stays_with_the_source_is_not_out_but_has_not_recovered() {
    let measured = one_seat("ssssssss", &to_target_from(200));
    assert!(measured.gaps.is_empty());
    assert_eq!(measured.recovered, None);
}

#[test]
fn a_seat_that_falls_back_to_the_source_is_out_again() {
    let measured = one_seat("ssxxttttsssstt", &to_target_from(200));
    assert_eq!(measured.gaps.len(), 2);
    assert_eq!(measured.gaps[1].to, Some(wall(1_200)));
    assert_eq!(measured.recovered, Some(wall(1_200)));
}

#[test]
fn the_tail_is_the_worse_of_the_two_seats() {
    let seats = [(SeatKind::Caching, "ssxxxxxxtttt"), (SeatKind::Kept, "sssxxttttttt")];
    let measured = measure_outage(&"shop".into(), &log(&seats), &to_target_from(200)).unwrap();
    assert_eq!(bounds(&measured), [(0.5, Some(0.704))]);
    assert_eq!(measured.recovered, Some(wall(800)));
}

#[test]
fn one_seat_that_never_came_back_is_no_recovery() {
    let seats = [(SeatKind::Caching, "ssxxtttt"), (SeatKind::Kept, "ssxxxxxx")];
    let measured = measure_outage(&"shop".into(), &log(&seats), &to_target_from(200)).unwrap();
    assert_eq!(measured.recovered, None);
    assert_eq!(bounds(&measured), [(0.5, None)]);
}

#[test]
fn a_prober_that_was_started_again_leaves_a_hole_by_the_wall_clock() {
    let log = SampleLog {
        sittings: vec![
            (sitting(0), letters(0, SeatKind::Caching, "sss")),
            (sitting(5_000), letters(5_000, SeatKind::Caching, "ttt")),
        ],
    };
    let measured = measure_outage(&"shop".into(), &log, &to_target_from(0)).unwrap();
    assert_eq!(bounds(&measured), [(0.0, Some(4.804))]);
    assert_eq!(measured.recovered, Some(wall(5_000)));
}

#[test]
fn a_clock_that_was_set_back_between_sittings_does_not_mix_them() {
    let log = SampleLog {
        sittings: vec![
            (sitting(5_000), letters(5_000, SeatKind::Caching, "sssxx")),
            (sitting(0), letters(0, SeatKind::Caching, "xxtt")),
        ],
    };
    assert_eq!(measure_outage(&"shop".into(), &log, &accept(2)).unwrap().gaps.len(), 1);
}

proptest! {
    /// The truth: down from `down` for `length`. Some questions are never asked.
    #[test]
    fn the_interval_holds_the_truth(
        down in 500_u64..3_000, length in 1_u64..4_000, after in 1_u32..4,
        asked in prop::collection::vec(prop::bool::weighted(0.8), 90), seed in 0_u64..EVERY,
    ) {
        let samples: Vec<Sample> = asked.iter().zip(0_u64..).filter(|(asked, _)| **asked).map(|(_, slot)| {
            let due = slot * EVERY + seed;
            let out = (down..down + length).contains(&due);
            let answer = if out { Answer::none("silence", Duration::ZERO) } else { Answer::good(None, true, Duration::ZERO) };
            sample(0, due, SeatKind::Caching, answer)
        }).collect();
        let log = SampleLog { sittings: vec![(sitting(0), samples)] };
        let Some(measured) = measure_outage(&"shop".into(), &log, &accept(after)) else { return Ok(()) };
        let truth = Duration::from_millis(length).as_secs_f64();
        let end = wall(down + length);
        let holding: Vec<_> = measured.gaps.iter()
            .filter(|gap| gap.from <= end && gap.to.is_none_or(|to| to >= wall(down)))
            .collect();
        prop_assert!(holding.iter().all(|gap| gap.at_least <= truth), "{:?}", holding);
        if holding.is_empty() {
            prop_assert!(length <= 2 * EVERY, "{length} ms were missed");
        } else {
            let most: Option<f64> = holding.iter().map(|gap| gap.at_most).sum();
            prop_assert!(most.is_none_or(|most| most >= truth - 1e-9), "{:?} is less than {truth}", holding);
        }
    }

    #[test]
    fn one_more_failure_never_makes_it_better(text in "[stx]{30}", at in 0_usize..30, after in 1_u32..4) {
        let mut worse = text.clone();
        worse.replace_range(at..=at, "x");
        let total = |text| one_seat(text, &accept(after)).gaps.iter().map(|gap| gap.at_least).sum::<f64>();
        prop_assert!(total(&worse) >= total(&text) - 1e-9);
    }

    #[test]
    fn the_least_is_never_more_than_the_most(one in "[stxr ]{40}", two in "[stxr ]{40}", from in 0_u64..4_000) {
        let log = log(&[(SeatKind::Caching, &one), (SeatKind::Kept, &two)]);
        if let Some(measured) = measure_outage(&"shop".into(), &log, &to_target_from(from)) {
            for gap in &measured.gaps {
                prop_assert!(gap.at_most.is_none_or(|most| most >= gap.at_least), "{gap:?}");
                prop_assert!(gap.to.is_none_or(|to| to > gap.from), "{gap:?}");
            }
        }
    }
}
