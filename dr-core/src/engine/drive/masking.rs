//! Secrets are masked in every event before it is folded, written or told; what the run goes by is not.

use serde::Deserialize as _;
use serde_json::Value;

use crate::event::{Began, Entry, Event};
use crate::resource::Redactor;

/// The entry with every known secret masked. What contains none is left as it is.
pub(super) fn redacted(redactor: &Redactor, entry: Entry) -> Entry {
    let event = redacted_event(redactor, entry.event);
    Entry { event, ..entry }
}

/// The event with every known secret masked, as far as it stays that event: a password that is called as a step is
/// must not make a run's journal unreadable.
pub(super) fn redacted_event(redactor: &Redactor, event: Event) -> Event {
    if redactor.is_empty() {
        return event;
    }
    let Ok(text) = serde_json::to_string(&event) else { return event };
    if redactor.redact(&text) == text {
        return event;
    }
    let Ok(value) = serde_json::to_value(&event) else { return event };
    let mut masked = value.clone();
    redactor.redact_json(&mut masked);
    masked["event"] = value["event"].clone();
    serde_json::from_value(masked).unwrap_or_else(|_| as_far_as_it_fits(redactor, value))
}

/// An event whose own words are called as a secret is: each text of it is masked where the event stays one.
fn as_far_as_it_fits(redactor: &Redactor, mut value: Value) -> Event {
    for place in texts(&value, String::new()).into_iter().filter(|place| place != "/event") {
        let Some(there) = value.pointer_mut(&place) else { continue };
        let Some(masked) = there.as_str().map(|text| redactor.redact(text)) else { continue };
        let was = std::mem::replace(there, Value::String(masked));
        if Event::deserialize(&value).is_err()
            && let Some(there) = value.pointer_mut(&place)
        {
            *there = was;
        }
    }
    serde_json::from_value(value).unwrap_or(Event::Unknown)
}

/// Where the texts of a value stand, as JSON pointers.
fn texts(value: &Value, at: String) -> Vec<String> {
    match value {
        Value::String(_) => vec![at],
        Value::Array(values) => {
            let each = values.iter().enumerate();
            each.flat_map(|(index, value)| texts(value, format!("{at}/{index}"))).collect()
        }
        Value::Object(fields) => {
            let key = |key: &str| key.replace('~', "~0").replace('/', "~1");
            fields.iter().flat_map(|(name, value)| texts(value, format!("{at}/{}", key(name)))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// The names that a run goes by: masked, its steps would not be found again.
pub(super) fn keep_names(redactor: &Redactor, began: &Began) {
    for side in [&began.roles.source, &began.roles.target] {
        redactor.keep(side.as_str());
    }
    redactor.keep(began.run.as_str());
    redactor.keep(began.plan.as_str());
    for step in &began.script.steps {
        redactor.keep(step.id.as_str());
        redactor.keep(step.phase.as_str());
        redactor.keep(step.verb.as_str());
        if let Some(resource) = &step.resource {
            redactor.keep(resource.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Suspension;
    use crate::resource::Secret;

    /// P28: a secret that is called as a word of the event's own: the word stays, and every other text is masked.
    #[test]
    fn an_event_whose_own_word_is_a_secret_keeps_that_word_and_no_other() {
        let redactor = Redactor::default();
        redactor.hide(&Secret::new("held"));
        let event = Event::Suspended { why: Suspension::Held, text: "its password is held".to_owned() };
        let masked = redacted_event(&redactor, event);
        assert_eq!(
            masked,
            Event::Suspended { why: Suspension::Held, text: "its password is •••".to_owned() }
        );
    }
}
