//! From a [`Plan`] back to text.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::document::{OnFailure, Phase, Plan, StateLocation, Step};
use super::from_yaml::number;
use super::verbs::{Takes, takes};
use crate::resource::Urgency;

impl Plan {
    /// The plan as YAML, which reads back as the same plan. Comments and layout of the document are not in it.
    pub fn to_yaml(&self) -> String {
        let mut text = String::from("schema: dr/v1\n");
        let mut line = |key: &str, value: &Value| {
            let _ = writeln!(text, "{key}: {}", flow(value));
        };
        line("name", &json!(self.name));
        if let Some(source) = &self.source {
            line("source", &json!(source));
        }
        if let Some(target) = &self.target {
            line("target", &json!(target));
        }
        let budget = json!(self.budget);
        if budget != json!({}) {
            line("budget", &budget);
        }
        if self.state != StateLocation::default() {
            let mut state = json!({ "at": self.state.at, "local": self.state.local });
            if let Some(region) = &self.state.region {
                state["region"] = json!(region);
            }
            line("state", &state);
        }
        match self.on_failure {
            Some(OnFailure::Undo) => line("on_failure", &json!("undo")),
            Some(OnFailure::Hold) => line("on_failure", &json!("hold")),
            None => {}
        }
        if !self.acknowledge.is_empty() {
            line("acknowledge", &json!(self.acknowledge));
        }
        text.push_str(if self.resources.is_empty() { "\nresources: {}\n" } else { "\nresources:\n" });
        for (name, spec) in &self.resources {
            let mut entry = Map::from_iter([("kind".to_owned(), json!(spec.kind))]);
            if let Value::Object(config) = &spec.config {
                entry.extend(config.clone());
            }
            let _ = writeln!(text, "  {}: {}", scalar(name.as_str()), flow(&Value::Object(entry)));
        }
        let outages: Vec<Value> = self.measure.outages.iter().map(|outage| json!(outage)).collect();
        let losses: Vec<Value> = self.measure.losses.iter().map(|loss| json!(loss)).collect();
        if !outages.is_empty() || !losses.is_empty() {
            text.push_str("\nmeasure:\n");
            for (key, values) in [("outage", outages), ("loss", losses)] {
                if !values.is_empty() {
                    let _ = writeln!(text, "  {key}: {}", flow(&Value::Array(values)));
                }
            }
        }
        text.push_str("\nphases:\n");
        for phase in &self.phases {
            print_phase(phase, &mut text);
        }
        text
    }
}

fn print_phase(phase: &Phase, text: &mut String) {
    let _ = writeln!(text, "  - name: {}", scalar(phase.name.as_str()));
    if let Some(within) = phase.within {
        let _ = writeln!(text, "    within: {}", scalar(&human(within)));
    }
    if let Some(after) = &phase.after {
        let _ = writeln!(text, "    after: {}", flow(&json!(after)));
    }
    if let Some(when) = phase.when {
        let _ = writeln!(text, "    when: {}", urgency(when));
    }
    text.push_str("    steps:\n");
    for step in &phase.steps {
        let _ = writeln!(text, "      - {}", flow(&print_step(step)));
    }
}

fn print_step(step: &Step) -> Value {
    let mut entry = Map::new();
    match &step.resource {
        Some(resource) if reads_as_itself(&step.verb, &step.call) => {
            entry.insert(step.verb.clone(), json!(resource));
            if let Value::Object(call) = &step.call {
                entry.extend(call.clone());
            }
        }
        Some(resource) => {
            entry.insert("do".to_owned(), json!(step.verb));
            entry.insert("on".to_owned(), json!(resource));
            entry.insert("with".to_owned(), step.call.clone());
        }
        None => {
            let mut call = step.call.as_object().cloned().unwrap_or_default();
            if let Some(Takes::Value(option)) = takes(&step.verb)
                && let Some(value) = call.shift_remove(option)
            {
                entry.insert(step.verb.clone(), value);
            }
            entry.extend(call);
        }
    }
    if let Some(id) = &step.id {
        entry.insert("id".to_owned(), json!(id));
    }
    if let Some(within) = step.within {
        entry.insert("within".to_owned(), json!(human(within)));
    }
    if !step.after.is_empty() {
        entry.insert("after".to_owned(), json!(step.after));
    }
    if let Some(when) = step.when {
        entry.insert("when".to_owned(), json!(urgency(when)));
    }
    if step.optional {
        entry.insert("optional".to_owned(), json!(true));
    }
    Value::Object(entry)
}

/// Whether the call's options can stand beside the verb: not so where the verb takes no resource there, or where one of them
/// would be read as the step's own field or as a second verb. What `do` calls may have any.
fn reads_as_itself(verb: &str, call: &Value) -> bool {
    let own = |key: &str| matches!(key, "id" | "within" | "after" | "when" | "optional");
    takes(verb) == Some(Takes::Resource)
        && call
            .as_object()
            .is_none_or(|call| call.keys().all(|key| !own(key) && takes(key) != Some(Takes::Resource)))
}

fn urgency(when: Urgency) -> &'static str {
    match when {
        Urgency::Planned => "planned",
        Urgency::Unplanned => "unplanned",
    }
}

fn human(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, value)| format!("{}: {}", key(name), flow(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A key. YAML reads one of more than 1,024 letters only behind a mark.
fn key(text: &str) -> String {
    let key = scalar(text);
    if key.len() > 1_000 { format!("? {key} ") } else { key }
}

/// A text, quoted where it would be read as anything else.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/'))
        && number(text).is_none()
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off"
        );
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(letter),
            _ if letter.is_alphanumeric() => quoted.push(letter),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    quoted.push('"');
    quoted
}
