//! `failover.log`: every event as a line that a person reads and `grep` finds.

use std::fmt::Write as _;

use dr_core::event::{Event, Found, OutageSeen, Request};
use dr_core::journal::Line;
use dr_core::resource::{Prepared, Standing};
use dr_core::time::show_duration;

use crate::seconds::Seconds;

/// The whole log.
pub(crate) fn log(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let entry = &line.entry;
        // One event, one line, whatever the words hold.
        let said: String =
            say(&entry.event).chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} #{:<4} {}", entry.at, entry.seq, said.trim_end());
    }
    text
}

fn say(event: &Event) -> String {
    match event {
        Event::Began(began) => format!(
            "run {} begins: {} of `{}` from {} to {}, by {}",
            began.run, began.mode, began.plan, began.roles.source, began.roles.target, began.actor
        ),
        Event::Driven { actor, epoch } => format!("driven by {actor} (epoch {epoch})"),
        Event::Started { step, attempt, was } => match attempt {
            1 => format!("{step}: started{}", found(was)),
            _ => format!("{step}: started, attempt {attempt}{}", found(was)),
        },
        Event::Succeeded { step, attempt: _, applied } => format!("{step}: succeeded: {}", applied.said),
        Event::Failed { step, attempt, failure, retry_in } => {
            let next = match retry_in {
                Some(time) => format!("; next attempt in {}", show_duration(*time)),
                None => String::new(),
            };
            format!("{step}: attempt {attempt} failed ({}): {}{next}", failure.kind, failure.text)
        }
        Event::Settled { step, found } => {
            let found = match found {
                Found::Done => "it happened",
                Found::NotDone => "it did not happen",
                Found::Cancelled => "it did not happen and can no longer happen",
                Found::Unknown => "it could not be learnt",
            };
            format!("{step}: looked again: {found}")
        }
        Event::Skipped { step, why } => format!("{step}: skipped: {why}"),
        Event::Previewed { step, prepared } => format!("{step}: previewed{}", found(prepared)),
        Event::NotExercised { step, why } => format!("{step}: not exercised: {why}"),
        Event::TurnedBack { why } => format!("the run turns back: {why}"),
        Event::UndoStarted { step } => format!("{step}: undo started"),
        Event::Undone { step } => format!("{step}: undone"),
        Event::UndoFailed { step, failure } => {
            format!("{step}: undo failed ({}): {}", failure.kind, failure.text)
        }
        Event::Progress { step, text } => format!("{step}: {text}"),
        Event::Requested { request, actor, reason } => {
            format!("{actor} asks to {}: {reason}", request_in_words(request))
        }
        Event::Observed { when, resource, seen, why } => {
            let facts: Vec<String> = seen
                .iter()
                .flat_map(|seen| &seen.facts)
                .map(|(name, fact)| format!("{name} {fact}"))
                .chain(why.iter().map(|why| format!("unread: {why}")))
                .collect();
            format!("{resource} {when}: {}", facts.join(", "))
        }
        Event::FenceBroken { why } => format!("BROKEN FENCE: {why}"),
        Event::Outage(OutageSeen::Began { probe, at, why }) => format!("{probe}: outage since {at}: {why}"),
        Event::Outage(OutageSeen::Ended { probe, at, served_by }) => match served_by {
            Some(side) => format!("{probe}: answers again since {at}, served by {side}"),
            None => format!("{probe}: answers again since {at}"),
        },
        Event::Measured { measurement } => {
            let figure = |name: &str, figure: Option<f64>| match figure.and_then(Seconds::from_f64) {
                Some(seconds) => format!("{name} {seconds} s"),
                None => format!("{name} not measured"),
            };
            format!(
                "measured: {}, {}",
                figure("RTO", measurement.rto.as_ref().map(|figure| figure.at_most)),
                figure("RPO", measurement.rpo.as_ref().map(|figure| figure.at_most))
            )
        }
        Event::DebtOpened(debt) => {
            format!("owed: {} of {} on {}: {}", debt.kind, debt.resource, debt.side, debt.why)
        }
        Event::DebtPaid(debt) => format!("paid: {} of {} on {}", debt.kind, debt.resource, debt.side),
        Event::Samples { file, sha256, bytes } => format!("samples: {file} is {bytes} bytes, {sha256:.12}"),
        Event::Suspended { why, text } => format!("the drive ends, the run does not: {why}: {text}"),
        Event::Ended { ending, text, timings: _ } => format!("the run ends: {ending}: {text}"),
        // Marked non-exhaustive by the core: what a later release adds is told by the journal itself.
        _ => "an event of a later release".to_owned(),
    }
}

fn found(prepared: &Prepared) -> String {
    match &prepared.standing {
        Standing::Already => ": already so".to_owned(),
        Standing::Would { diff } if diff.0.is_empty() => String::new(),
        Standing::Would { diff } => format!(": {diff}"),
        Standing::Unknown { why } => format!(": not known how it stands: {why}"),
    }
}

/// What somebody asked of a running run.
pub(crate) fn request_in_words(request: &Request) -> String {
    match request {
        Request::Approve { step, plan_hash } => format!("approve {step} (plan {plan_hash:.12})"),
        Request::Abort => "abort".to_owned(),
        Request::GoUnplanned => "go on as unplanned".to_owned(),
        Request::Done { step } => format!("take {step} as done"),
        Request::Skip { step } => format!("skip {step}"),
    }
}
