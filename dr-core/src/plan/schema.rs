//! The plan language as a JSON schema, for editors: completion and red lines while a plan is written.

use serde_json::{Map, Value, json};

use super::verbs::{Takes, VERBS};
use crate::resource::Backends;

/// The schema of a plan whose resources are of these kinds.
///
/// Each backend's own schema is chosen by `kind` and stands in `$defs` under its name, its definitions under
/// `<kind>.<name>`.
pub fn schema(backends: &Backends) -> Value {
    let mut defs = own_defs();
    let kinds: Vec<&str> = backends.kinds().collect();
    let mut choices = Vec::new();
    for backend in backends.iter() {
        let kind = backend.kind();
        inline(kind, backend.schema(), &mut defs);
        choices.push(json!({
            "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
            "then": { "$ref": format!("#/$defs/{kind}") },
        }));
    }
    defs.insert(
        "resource".to_owned(),
        json!({
            "type": "object",
            "required": ["kind"],
            "properties": { "kind": { "enum": kinds, "description": "Which backend." } },
            "allOf": choices,
        }),
    );
    defs.insert("step".to_owned(), step());
    for (verb, takes) in VERBS {
        defs.insert(format!("step.{verb}"), verb_step(verb, *takes));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dr plan",
        "type": "object",
        "required": ["schema", "name", "resources", "phases"],
        "additionalProperties": false,
        "properties": {
            "schema": { "const": "dr/v1" },
            "name": { "$ref": "#/$defs/name", "description": "What a person types to confirm a run." },
            "source": { "$ref": "#/$defs/name", "description": "The side that serves before the run, unless --from says otherwise." },
            "target": { "$ref": "#/$defs/name", "description": "The side that serves after it, unless --to says otherwise." },
            "budget": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "rto": { "$ref": "#/$defs/limit", "description": "How long callers may be without the service." },
                    "rpo": { "$ref": "#/$defs/limit", "description": "How much of the past may be lost." },
                    "detection": { "$ref": "#/$defs/duration", "description": "The share of the RTO before anybody knows." },
                    "decision": { "$ref": "#/$defs/duration", "description": "The share of the RTO in which somebody decides." },
                },
            },
            "state": {
                "description": "Where runs, claims and debts are kept.",
                "anyOf": [
                    { "type": "string" },
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                            "at": { "type": "string", "default": ".dr" },
                            "local": { "type": "boolean", "default": false },
                            "region": { "$ref": "#/$defs/name" },
                        },
                    },
                ],
            },
            "on_failure": { "enum": ["undo", "hold"], "description": "What a failure before the point of no return does." },
            "acknowledge": several("acknowledgement"),
            "resources": { "type": "object", "additionalProperties": { "$ref": "#/$defs/resource" } },
            "measure": {
                "type": "object",
                "additionalProperties": false,
                "properties": { "outage": several("outage"), "loss": several("loss") },
            },
            "phases": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/phase" } },
        },
        "$defs": defs,
    })
}

fn own_defs() -> Map<String, Value> {
    let Value::Object(defs) = json!({
        "name": { "type": ["string", "number", "boolean"], "description": "Letters, digits, `_`, `-` and `.`." },
        "duration": { "type": "string", "pattern": "^ *([0-9]+ *[a-z]+ *)+$", "examples": ["250ms", "10s", "15m", "1h 30m"] },
        "limit": { "type": "string", "pattern": "^ *(<=|≤|<)? *([0-9]+ *[a-z]+ *)+$", "examples": ["15m", "<= 15m", "< 5m"] },
        "urgency": { "enum": ["planned", "unplanned"], "description": "In which runs it happens; in all by default." },
        "share": { "type": ["integer", "string"], "minimum": 1, "maximum": 100, "examples": [10, "50%"] },
        "side": { "type": ["string", "number"], "description": "`source`, `target` or a side by its name.", "examples": ["source", "target"] },
        "acknowledgement": {
            "type": "object",
            "required": ["code", "reason"],
            "additionalProperties": false,
            "properties": { "code": { "type": "string" }, "reason": { "type": "string" } },
        },
        "outage": {
            "type": "object",
            "required": ["probe"],
            "additionalProperties": false,
            "properties": {
                "probe": { "$ref": "#/$defs/name" },
                "every": { "$ref": "#/$defs/duration", "default": "250ms" },
                "recovered_after": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 3 },
                "write": { "type": "boolean", "default": false },
            },
        },
        "loss": {
            "type": "object",
            "required": ["store"],
            "additionalProperties": false,
            "properties": {
                "store": { "$ref": "#/$defs/name" },
                "via": { "$ref": "#/$defs/name" },
                "every": { "$ref": "#/$defs/duration", "default": "100ms" },
            },
        },
        "phase": {
            "type": "object",
            "required": ["name", "steps"],
            "additionalProperties": false,
            "properties": {
                "name": { "$ref": "#/$defs/name", "description": "Its timing in metrics.json is `<name>_seconds`." },
                "within": { "$ref": "#/$defs/duration", "description": "Its share of the RTO." },
                "after": { "$ref": "#/$defs/names", "description": "The phases it waits for; the one before it by default." },
                "when": { "$ref": "#/$defs/urgency" },
                "steps": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/step" } },
            },
        },
        "names": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
    }) else {
        return Map::new();
    };
    defs
}

/// One thing or a list of them.
fn several(def: &str) -> Value {
    let one = json!({ "$ref": format!("#/$defs/{def}") });
    json!({ "anyOf": [one, { "type": "array", "items": one }] })
}

/// What any step may have beside its verb.
fn step_fields() -> Map<String, Value> {
    Map::from_iter([
        ("id".to_owned(), json!({ "$ref": "#/$defs/name" })),
        ("within".to_owned(), json!({ "$ref": "#/$defs/duration", "description": "Its deadline." })),
        (
            "after".to_owned(),
            json!({ "$ref": "#/$defs/names", "description": "Steps of its phase that it waits for." }),
        ),
        ("when".to_owned(), json!({ "$ref": "#/$defs/urgency" })),
        (
            "optional".to_owned(),
            json!({ "type": "boolean", "description": "Whether its failure is only noted." }),
        ),
    ])
}

/// A step: chosen by its verb. `wait` is an option of `observe` too, so a verb on a resource goes first.
fn step() -> Value {
    let on_resources = VERBS.iter().filter(|(_, takes)| *takes == Takes::Resource);
    let any_resource: Vec<Value> = on_resources.map(|(verb, _)| json!({ "required": [verb] })).collect();
    let choices: Vec<Value> = VERBS
        .iter()
        .map(|(verb, takes)| {
            let condition = match takes {
                Takes::Resource => json!({ "required": [verb] }),
                Takes::Value(_) => json!({ "required": [verb], "not": { "anyOf": any_resource } }),
            };
            json!({ "if": condition, "then": { "$ref": format!("#/$defs/step.{verb}") } })
        })
        .collect();
    let mut verbs: Vec<Value> = VERBS.iter().map(|(verb, _)| json!({ "required": [verb] })).collect();
    verbs.push(json!({ "required": ["do", "on"] }));
    json!({ "type": "object", "anyOf": verbs, "allOf": choices })
}

fn verb_step(verb: &str, takes: Takes) -> Value {
    let mut properties = Map::new();
    let value = match takes {
        Takes::Resource => json!({ "$ref": "#/$defs/name", "description": "The resource." }),
        Takes::Value("for") => json!({ "$ref": "#/$defs/duration" }),
        Takes::Value(_) => json!({ "type": "string" }),
    };
    properties.insert(verb.to_owned(), value);
    let options = options(verb);
    let closed = options.is_some();
    properties.extend(options.unwrap_or_default());
    properties.extend(step_fields());
    json!({ "type": "object", "required": [verb], "properties": properties, "additionalProperties": !closed })
}

/// A verb's options; `None` where a later release will say.
fn options(verb: &str) -> Option<Map<String, Value>> {
    let side = json!({ "$ref": "#/$defs/side" });
    let options = match verb {
        "observe" => json!({
            "in": side,
            "expect": { "type": "object", "description": "What is expected of which fact: `lag: \"<= 10s\"`, `ready: all`." },
            "wait": { "type": "boolean", "default": false, "description": "Whether to wait until it is so." },
        }),
        "fence" => json!({
            "in": side,
            "when_unreachable": {
                "type": "object",
                "description": "When silence may stand for a fence, in an unplanned run.",
                "required": ["accept_after"],
                "additionalProperties": false,
                "properties": {
                    "accept_after": { "$ref": "#/$defs/duration" },
                    "vantage_points": { "type": "integer", "minimum": 2, "default": 2 },
                },
            },
        }),
        "unfence" | "pause" | "unpause" => json!({ "in": side }),
        "promote" => json!({
            "in": side,
            "accept_loss": {
                "anyOf": [{ "$ref": "#/$defs/duration" }, { "const": "unknown" }],
                "description": "What an unplanned run may lose.",
            },
            "graceful_for": { "$ref": "#/$defs/duration", "default": "10s" },
        }),
        "follow" => json!({ "in": side, "of": side }),
        "scale" => json!({
            "in": side,
            "replicas": {
                "anyOf": [
                    { "type": "integer", "minimum": 0 },
                    { "type": "string", "pattern": "^([0-9]+|same-as:.+|[0-9]+ *% of .+|before)$" },
                ],
                "examples": [3, "same-as:source", "50% of source", "before"],
            },
            "after_drain": { "type": "boolean", "default": false, "description": "Not before the callers are gone." },
        }),
        "route" => json!({
            "to": side,
            "share": { "$ref": "#/$defs/share", "description": "Which share of the callers; all by default." },
            "shares": {
                "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/share" },
                "description": "Shares that grow, one step each: [10, 50, 100].",
            },
            "bake": { "$ref": "#/$defs/duration", "description": "How long the gate has to see good answers." },
            "gate": { "$ref": "#/$defs/name", "description": "The resource that is asked meanwhile; bad answers take the callers back." },
            "serving": {
                "enum": ["reads", "one-writer"],
                "description": "Why callers on both sides make no second writer. Needed for any share but all.",
            },
            "address_from": { "$ref": "#/$defs/name", "description": "The resource that knows the address, instead of the plan." },
        }),
        "configure" => json!({
            "in": side,
            "of": { "$ref": "#/$defs/names", "description": "Which workloads; all by default." },
            "set": {
                "type": "object", "minProperties": 1,
                "description": "What each setting shall be; the kind's documentation says how a setting is named.",
                "additionalProperties": {
                    "anyOf": [
                        { "type": ["string", "number", "boolean"] },
                        {
                            "type": "object", "required": ["secret"], "additionalProperties": false,
                            "properties": { "secret": { "type": "string" } },
                        },
                    ],
                },
            },
        }),
        "backup" => json!({
            "in": side,
            "copy_to": { "$ref": "#/$defs/side", "description": "The other side that gets a copy as well." },
        }),
        "restore" => json!({
            "in": side,
            "point": { "type": "string", "default": "latest", "examples": ["latest", "2026-11-21T02:00:00Z"] },
            "into": { "type": "string", "description": "What the restored thing is called." },
            "only": { "type": "string", "description": "Which part: for objects, their prefix." },
        }),
        "trigger" => json!({
            "in": side,
            "saying": { "type": "string", "description": "What those who hear it are told." },
        }),
        "probe" => json!({
            "served_by": side,
            "write": { "type": "boolean", "default": false },
            "healthy_for": { "$ref": "#/$defs/duration" },
        }),
        "wait" | "approve" => json!({}),
        _ => return None,
    };
    match options {
        Value::Object(options) => Some(options),
        _ => None,
    }
}

/// Puts a backend's schema under its kind, with `kind` as one more property and its definitions under its name.
fn inline(kind: &str, mut schema: Value, defs: &mut Map<String, Value>) {
    rename_refs(&mut schema, kind);
    let Value::Object(object) = &mut schema else { return };
    object.shift_remove("$schema");
    if let Some(Value::Object(own)) = object.shift_remove("$defs") {
        defs.extend(own.into_iter().map(|(name, def)| (format!("{kind}.{name}"), def)));
    }
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        properties.insert("kind".to_owned(), json!({ "const": kind }));
    }
    defs.insert(kind.to_owned(), schema);
}

fn rename_refs(value: &mut Value, kind: &str) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries.iter_mut() {
                match value {
                    Value::String(to) if key == "$ref" => {
                        if let Some(name) = to.strip_prefix("#/$defs/") {
                            *to = format!("#/$defs/{kind}.{name}");
                        } else if to == "#" {
                            *to = format!("#/$defs/{kind}");
                        }
                    }
                    _ => rename_refs(value, kind),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_refs(item, kind)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::resource::{
        Backup, Configure, Fence, Follow, Pause, Probe, Promote, Restore, Route, Scale, SilencePolicy,
        Trigger, Unfence, Unpause,
    };
    use crate::runbook::Look;

    fn keys(value: &Value) -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    }

    /// What a call has with every field given, against what the schema says of it.
    #[track_caller]
    fn agree<C: crate::resource::Call>(full: Value) {
        let call: C = serde_json::from_value(full).expect("a call");
        let written = keys(&serde_json::to_value(&call).expect("a call is JSON"));
        let mut told = keys(&Value::Object(options(C::VERB).expect("options")));
        // The parser's own: it becomes several steps with a `share` each.
        told.remove("shares");
        assert_eq!(written, told, "{}", C::VERB);
    }

    #[test]
    fn the_schema_knows_every_option_of_every_verb() {
        agree::<Look>(json!({ "in": "target", "expect": {}, "wait": true }));
        agree::<Fence>(json!({ "when_unreachable": { "accept_after": "1s" } }));
        agree::<Unfence>(json!({}));
        agree::<Promote>(json!({ "accept_loss": "1s" }));
        agree::<Follow>(json!({}));
        agree::<Pause>(json!({}));
        agree::<Unpause>(json!({}));
        agree::<Scale>(json!({ "in": "target", "replicas": 3 }));
        agree::<Route>(json!({ "gate": "shop", "serving": "reads", "address_from": "services" }));
        agree::<Configure>(json!({ "set": { "env/A": "b" } }));
        agree::<Backup>(json!({ "copy_to": "target" }));
        agree::<Restore>(json!({ "into": "restored", "only": "orders/" }));
        agree::<Trigger>(json!({ "saying": "a rehearsal" }));
        agree::<Probe>(json!({ "served_by": "target" }));
        let policy: SilencePolicy =
            serde_json::from_value(json!({ "accept_after": "1s" })).expect("a policy");
        let fence = Value::Object(options("fence").expect("options"));
        assert_eq!(
            keys(&serde_json::to_value(policy).expect("JSON")),
            keys(&fence["when_unreachable"]["properties"])
        );
    }

    fn refs<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(entries) => {
                found.extend(entries.get("$ref").and_then(Value::as_str));
                entries.values().for_each(|value| refs(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| refs(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn a_backends_definitions_stand_under_its_name() {
        let mut defs = own_defs();
        let backend = json!({
            "$schema": "x", "type": "object", "additionalProperties": false,
            "properties": { "a": { "$ref": "#/$defs/A" } }, "$defs": { "A": { "$ref": "#" } },
        });
        inline("cache", backend, &mut defs);
        assert_eq!(defs["cache"]["properties"]["a"]["$ref"], "#/$defs/cache.A");
        assert_eq!(defs["cache"]["properties"]["kind"]["const"], "cache");
        assert_eq!(defs["cache.A"]["$ref"], "#/$defs/cache");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = schema(&Backends::new());
        let mut found = Vec::new();
        refs(&schema, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }
}
