//! Events in words, one line each: shared by the line view and the console log.

use dr_core::event::{Entry, Event, Found, OutageSeen, RunState};
use dr_core::resource::{Class, Standing};
use dr_core::time::show_duration;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Only when every event is wanted.
    Detail,
    /// What a person wants to see go by.
    Plain,
    /// Something is well.
    Good,
    /// Something is not.
    Bad,
    /// The crossing of a line.
    Loud,
}

/// The event in words; `None` if there is nothing to say.
pub(crate) fn of(entry: &Entry, state: Option<&RunState>) -> Option<(Weight, String)> {
    let class = |step| state.and_then(|state| state.script_step(step)).map(|step| step.class);
    Some(match &entry.event {
        Event::Began(began) => (
            Weight::Loud,
            format!(
                "{} {}: {} → {}, run {}",
                began.mode, began.plan, began.roles.source, began.roles.target, began.run
            ),
        ),
        Event::Driven { actor, epoch } if *epoch > 1 => {
            (Weight::Plain, format!("driven by {actor} from here on"))
        }
        Event::Driven { actor, .. } => (Weight::Detail, format!("driven by {actor}")),
        Event::Started { step, attempt, was } => match (class(step), &was.standing, attempt) {
            (Some(Class::PointOfNoReturn), Standing::Would { .. } | Standing::Unknown { .. }, 1) => {
                (Weight::Loud, format!("{step}: POINT OF NO RETURN"))
            }
            (_, Standing::Would { diff }, 1) if !diff.0.is_empty() => {
                (Weight::Plain, format!("{step}: {diff}"))
            }
            (_, _, 1) => (Weight::Detail, format!("{step}: begun")),
            (_, _, attempt) => (Weight::Detail, format!("{step}: attempt {attempt}")),
        },
        Event::Succeeded { step, applied, .. } => (Weight::Good, format!("{step}: {}", applied.said)),
        Event::Failed { step, failure, retry_in: Some(pause), .. } => {
            (Weight::Bad, format!("{step}: {}; again in {}", failure.text, show_duration(*pause)))
        }
        Event::Failed { step, failure, retry_in: None, .. } => {
            (Weight::Bad, format!("{step}: {}", failure.text))
        }
        Event::Settled { step, found } => (
            Weight::Plain,
            match found {
                Found::Done => format!("{step}: looked again: it happened"),
                Found::NotDone => format!("{step}: looked again: it did not happen"),
                Found::Cancelled => {
                    format!("{step}: looked again: it did not happen, and cannot happen any more")
                }
                Found::Unknown => format!("{step}: looked again: whether it happened is not known"),
            },
        ),
        Event::Skipped { step, why } => (Weight::Plain, format!("{step}: left out: {why}")),
        Event::Previewed { step, prepared } => match &prepared.standing {
            Standing::Already => (Weight::Good, format!("{step}: is so already")),
            Standing::Would { diff } => (Weight::Plain, format!("{step}: would change: {diff}")),
            Standing::Unknown { why } => (Weight::Bad, format!("{step}: unknown: {why}")),
        },
        Event::NotExercised { step, why } => (Weight::Plain, format!("{step}: not exercised: {why}")),
        Event::TurnedBack { why } => (Weight::Loud, format!("turning back: {why}")),
        Event::UndoStarted { step } => (Weight::Detail, format!("{step}: putting back")),
        Event::Undone { step } => (Weight::Good, format!("{step}: put back")),
        Event::UndoFailed { step, failure } => {
            (Weight::Bad, format!("{step}: could NOT be put back: {}", failure.text))
        }
        Event::Progress { step, text } => (Weight::Detail, format!("{step}: {text}")),
        Event::Requested { request, actor, reason } => {
            let request = serde_json::to_value(request).ok();
            let word = request.as_ref().and_then(|value| value.get("request")).and_then(|word| word.as_str());
            (
                Weight::Loud,
                format!("{} asks: {} {reason}", actor, word.unwrap_or("something")).trim_end().to_owned(),
            )
        }
        Event::Observed { resource, when, why: Some(why), .. } => {
            (Weight::Detail, format!("{resource} {when}: not all of it could be read: {why}"))
        }
        Event::Observed { resource, when, why: None, .. } => {
            (Weight::Detail, format!("{resource} {when}: observed"))
        }
        Event::Outage(OutageSeen::Began { probe, at, why }) => {
            (Weight::Bad, format!("OUTAGE since {}: callers of {probe} see {why}", at.clock()))
        }
        Event::Outage(OutageSeen::Ended { probe, at, served_by }) => {
            let by = served_by.as_ref().map_or(String::new(), |side| format!(" from {side}"));
            (Weight::Good, format!("callers of {probe} are served again{by} since {}", at.clock()))
        }
        Event::FenceBroken { why } => (Weight::Loud, format!("BROKEN FENCE: {why}")),
        Event::Measured { measurement } => (
            Weight::Detail,
            match &measurement.rto {
                Some(rto) => format!("clients were without the service for {:.3} s", rto.at_most),
                None => "no outage was measured".to_owned(),
            },
        ),
        Event::DebtOpened(debt) => (Weight::Bad, format!("owed: {}: {}", debt.kind, debt.why)),
        Event::DebtPaid(debt) => (Weight::Good, format!("paid: {} of {}", debt.kind, debt.resource)),
        Event::Suspended { why, text } => (Weight::Loud, format!("{why}: {text}")),
        Event::Ended { ending, text, .. } => (Weight::Loud, format!("{ending}: {text}")),
        Event::Samples { .. } | Event::Unknown => return None,
        _ => return None,
    })
}
