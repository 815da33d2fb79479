//! Phases and steps from nodes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::codes;
use super::document::{Phase, Step};
use super::fields::{self, Fields, closest, quoted};
use super::finding::Finding;
use super::gradual;
use super::node::{Key, Kind, Node, object};
use super::place::Place;
use super::verbs::{Takes, VERBS, takes};
use crate::ids::PhaseName;
use crate::resource::Urgency;

const URGENCIES: [(&str, Urgency); 2] = [("planned", Urgency::Planned), ("unplanned", Urgency::Unplanned)];

pub(super) fn phases(node: &Node, out: &mut Vec<Finding>) -> Vec<Phase> {
    let Kind::List(items) = &node.kind else {
        fields::wrong(node, "`phases`", "a list: `- name: promote`", out);
        return Vec::new();
    };
    if items.is_empty() {
        out.push(missing(node.place, "the plan has no phases", "say what happens"));
    }
    let mut first = BTreeMap::<PhaseName, Place>::new();
    let mut phases = Vec::with_capacity(items.len());
    for item in items {
        let Some(phase) = phase(item, out) else { continue };
        if let Some(place) = first.get(&phase.name) {
            out.push(Finding::error(
                codes::DUPLICATE_PHASE,
                phase.place,
                format!("a phase named `{}` stands at {place} already", phase.name),
                "give one of them another name",
            ));
        } else {
            first.insert(phase.name.clone(), phase.place);
        }
        phases.push(phase);
    }
    phases
}

fn phase(node: &Node, out: &mut Vec<Finding>) -> Option<Phase> {
    let mut fields = Fields::of(node, "a phase", out)?;
    let name = fields
        .need("name", "name it: its timing in metrics.json is `<name>_seconds`", out)
        .and_then(|node| fields::name::<PhaseName>(node, "a phase", out));
    let within = fields.take("within").and_then(|node| fields::duration(node, "`within`", out));
    let after = fields.take("after").map(|node| names(node, out));
    let when = fields.take("when").and_then(|node| fields::word(node, "`when`", &URGENCIES, out));
    let steps = fields.need("steps", "say what happens in it: `steps: [ { promote: orders } ]`", out);
    let steps = match steps.map(|node| (node, &node.kind)) {
        None => Vec::new(),
        Some((node, Kind::List(items))) => {
            if items.is_empty() {
                out.push(missing(node.place, "a phase has no steps", "say what happens in it"));
            }
            {
                let mut steps = Vec::with_capacity(items.len());
                for item in items {
                    if let Some(step) = step(item, out) {
                        steps.extend(gradual::steps(step, out));
                    }
                }
                steps
            }
        }
        Some((node, _)) => {
            fields::wrong(node, "`steps`", "a list: `- promote: orders`", out);
            Vec::new()
        }
    };
    let place = fields.place();
    fields.finish(out);
    Some(Phase { name: name?, within, after, when, steps, place })
}

fn names<T: From<String>>(node: &Node, out: &mut Vec<Finding>) -> Vec<T> {
    fields::many(node).iter().filter_map(|node| fields::text(node, "`after`", out)).map(T::from).collect()
}

fn step(node: &Node, out: &mut Vec<Finding>) -> Option<Step> {
    let mut fields = Fields::of(node, "a step", out)?;
    let id = fields.take("id").and_then(|node| fields::name::<String>(node, "a step", out));
    let within = fields.take("within").and_then(|node| fields::duration(node, "`within`", out));
    let after = fields.take("after").map(|node| names(node, out)).unwrap_or_default();
    let when = fields.take("when").and_then(|node| fields::word(node, "`when`", &URGENCIES, out));
    let optional = fields.take("optional").and_then(|node| fields::flag(node, "`optional`", out));
    let Said { verb, resource, call } = said(node.place, fields.rest(), out)?;
    let resource = resource.map(Into::into);
    Some(Step {
        id,
        verb,
        resource,
        call: Value::Object(call),
        within,
        after,
        when,
        optional: optional.unwrap_or(false),
        place: node.place,
        places: node.places(),
    })
}

/// What a step says: the verb, on what, and how.
struct Said {
    verb: String,
    resource: Option<String>,
    call: Map<String, Value>,
}

fn said(place: Place, rest: Vec<&(Key, Node)>, out: &mut Vec<Finding>) -> Option<Said> {
    let mut spoken: Vec<(&(Key, Node), Takes)> =
        rest.iter().filter_map(|entry| takes(&entry.0.text).map(|takes| (*entry, takes))).collect();
    // `wait` is also an option of `observe`: beside a verb on a resource it is no verb.
    if spoken.iter().any(|(_, takes)| *takes == Takes::Resource) {
        spoken.retain(|(_, takes)| *takes == Takes::Resource);
    }
    match spoken.as_slice() {
        [] if rest.iter().any(|(key, _)| key.text == "do") => vendor(place, &rest, out),
        [] => {
            out.push(no_verb(place, &rest));
            None
        }
        [((key, value), takes)] => {
            let others = rest.iter().copied().filter(|(other, _)| other.text != key.text);
            let mut call = object(others);
            let what = format!("`{}`", key.text);
            let resource = match takes {
                Takes::Resource => Some(fields::name(value, &what, out)?),
                Takes::Value(option) => {
                    if let Some((other, _)) = rest.iter().find(|(other, _)| other.text == *option) {
                        out.push(Finding::error(
                            codes::DUPLICATE_KEY,
                            other.place,
                            format!("`{option}` is what `{}` says already", key.text),
                            "keep one of the two",
                        ));
                    }
                    call.insert((*option).to_owned(), Value::String(fields::text(value, &what, out)?));
                    None
                }
            };
            Some(Said { verb: key.text.clone(), resource, call })
        }
        [((first, _), _), ((second, _), _), ..] => {
            out.push(Finding::error(
                codes::TWO_VERBS,
                second.place,
                format!("one step cannot `{}` and `{}`", first.text, second.text),
                "make two steps of it; steps of a phase run side by side",
            ));
            None
        }
    }
}

/// A backend's own verb: `{ do: acme.flush, on: cache, with: { … } }`.
fn vendor(place: Place, rest: &[&(Key, Node)], out: &mut Vec<Finding>) -> Option<Said> {
    let entries: Vec<(Key, Node)> = rest.iter().map(|entry| (*entry).clone()).collect();
    let whole = Node { place, kind: Kind::Map(entries) };
    let mut fields = Fields::of(&whole, "a `do` step", out)?;
    let verb = fields.take("do").and_then(|node| fields::name::<String>(node, "`do`", out));
    let on = fields
        .need("on", "name the resource: `on: cache`", out)
        .and_then(|node| fields::name(node, "`on`", out));
    let call = fields.take("with").map_or_else(
        || Some(Map::new()),
        |node| match &node.kind {
            Kind::Map(entries) => Some(object(entries.iter())),
            Kind::Null | Kind::Bool(_) | Kind::Number(..) | Kind::Text(_) | Kind::List(_) => {
                fields::wrong(node, "`with`", "the verb's options: `with: { all: true }`", out);
                None
            }
        },
    );
    fields.finish(out);
    Some(Said { verb: verb?, resource: Some(on?), call: call? })
}

fn no_verb(place: Place, rest: &[&(Key, Node)]) -> Finding {
    let verbs = || VERBS.iter().map(|(verb, _)| *verb);
    let near = rest.iter().find_map(|(key, _)| closest(&key.text, verbs()).map(|near| (key, near)));
    match (near, rest.first()) {
        (Some((key, near)), _) => Finding::error(
            codes::NO_VERB,
            key.place,
            format!("`{}` is no verb", key.text),
            format!("did you mean `{near}`?"),
        ),
        (None, Some((key, _))) => Finding::error(
            codes::NO_VERB,
            key.place,
            format!("the step says nothing to do: `{}` is no verb", key.text),
            format!("say one of {}", quoted(&verbs().collect::<Vec<_>>())),
        ),
        (None, None) => Finding::error(
            codes::NO_VERB,
            place,
            "the step says nothing to do",
            "say what: `{ promote: orders }`",
        ),
    }
}

fn missing(place: Place, message: &str, help: &str) -> Finding {
    Finding::error(codes::MISSING_FIELD, place, message, help)
}
