//! A configuration as its schema wants it.

use serde_json::Value;

/// The value with each number and yes or no turned into its text where the schema takes a text and nothing else: an
/// unquoted account number stays what the author wrote. Everything else is left for the backend to judge.
pub(crate) fn conformed(value: &Value, schema: &Value) -> Value {
    within(value, schema, schema, 0)
}

const DEEPEST: usize = 64;

fn within(value: &Value, schema: &Value, root: &Value, depth: usize) -> Value {
    let schema = resolved(schema, root);
    if depth > DEEPEST {
        return value.clone();
    }
    match value {
        Value::Number(_) | Value::Bool(_) if only_text(schema) => Value::String(value.to_string()),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    let part = schema.get("properties").and_then(|parts| parts.get(key));
                    let part = part.or_else(|| schema.get("additionalProperties"));
                    let part = part.map(|part| within(value, part, root, depth + 1));
                    (key.clone(), part.unwrap_or_else(|| value.clone()))
                })
                .collect(),
        ),
        Value::Array(items) => {
            let part = schema.get("items").unwrap_or(&Value::Null);
            Value::Array(items.iter().map(|item| within(item, part, root, depth + 1)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Follows `$ref`, and the one alternative to `null`.
fn resolved<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let mut schema = schema;
    for _ in 0..8 {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
        let target = pointer.and_then(|pointer| root.pointer(pointer));
        let alone = schema.get("anyOf").and_then(Value::as_array).and_then(|any| {
            let mut some = any.iter().filter(|one| one.get("type").and_then(Value::as_str) != Some("null"));
            some.next().filter(|_| some.next().is_none())
        });
        match target.or(alone) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

fn only_text(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(word)) => word == "string",
        Some(Value::Array(words)) => {
            words.iter().all(|word| matches!(word.as_str(), Some("string" | "null")))
                && words.iter().any(|word| word == "string")
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_a_text_only_where_the_schema_takes_nothing_else() {
        let schema = json!({
            "properties": {
                "account": { "$ref": "#/$defs/Account" },
                "port": { "type": ["integer", "string"] },
                "sides": { "additionalProperties": { "properties": { "zone": { "type": ["string", "null"] } } } },
                "list": { "items": { "anyOf": [{ "type": "string" }, { "type": "null" }] } },
            },
            "$defs": { "Account": { "type": "string" } },
        });
        let value = json!({ "account": 123_456_789_012_i64, "port": 1, "sides": { "a": { "zone": 7 } }, "list": [1, true], "x": 1 });
        assert_eq!(
            conformed(&value, &schema),
            json!({ "account": "123456789012", "port": 1, "sides": { "a": { "zone": "7" } }, "list": ["1", "true"], "x": 1 })
        );
    }
}
