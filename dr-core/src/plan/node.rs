//! A value of the document with its place and its source text, whatever the document was written in.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::place::Place;

/// Where each part of a value stands, by JSON pointer. The value itself is `""`.
pub(super) type Places = BTreeMap<String, Place>;

/// The longest pointer below which places are noted. Each place keeps the whole way to it, so a long key times many values
/// would fill the memory; what has no place of its own stands where the nearest thing around it does.
const LONGEST: usize = 256;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it stands.
    pub(super) place: Place,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a value is. A scalar keeps its source text: a field that wants text takes that, so that an account number
/// with a leading zero, a version `1.10` or the word `no` stay what the author wrote.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    /// The number, and how it was written.
    Number(Number, String),
    Text(String),
    List(Vec<Node>),
    /// In the document's order, each key once.
    Map(Vec<(Key, Node)>),
}

/// A key with its place.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) text: String,
}

impl Node {
    /// The source text of a scalar; `None` for null, lists and maps.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bool(true) => Some("true"),
            Kind::Bool(false) => Some("false"),
            Kind::Number(_, text) | Kind::Text(text) => Some(text),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// What it is, for a message.
    pub(super) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a yes or no",
            Kind::Number(..) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// As JSON. A number that JSON would write otherwise than the author did (`012`, `1.10`, `0x1f`) is a text.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number(number, text) if number.to_string() == *text => Value::Number(number.clone()),
            Kind::Number(_, text) | Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Kind::Map(entries) => Value::Object(object(entries.iter())),
        }
    }

    /// Where it and each of its parts stand. A part of a map stands where its key does.
    pub(super) fn places(&self) -> Places {
        let mut places = Places::from([(String::new(), self.place)]);
        self.note(&mut String::new(), &mut places);
        places
    }

    /// Notes where each part of it stands, if it stands at `pointer` itself.
    pub(super) fn note(&self, pointer: &mut String, places: &mut Places) {
        let length = pointer.len();
        if length > LONGEST {
            return;
        }
        match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(..) | Kind::Text(_) => {}
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    places.insert(pointer.clone(), item.place);
                    item.note(pointer, places);
                    pointer.truncate(length);
                }
            }
            Kind::Map(entries) => {
                for (key, value) in entries {
                    pointer.push('/');
                    pointer.push_str(&escaped(&key.text));
                    places.insert(pointer.clone(), key.place);
                    value.note(pointer, places);
                    pointer.truncate(length);
                }
            }
        }
    }
}

/// Entries as a JSON object.
pub(super) fn object<'a>(entries: impl Iterator<Item = &'a (Key, Node)>) -> Map<String, Value> {
    entries.map(|(key, value)| (key.text.clone(), value.value())).collect()
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
