//! What a service answers, before a protocol writes it down.

use std::borrow::Cow;

use dr_core::Timestamp;
use serde_json::{Map, Value};

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(Timestamp),
    /// A list; in XML each member stands in an element of this name inside the list's own.
    List(&'static str, Vec<Node>),
    /// A list whose members stand, in XML, directly under the parent and have the list's name.
    Flat(Vec<Node>),
    Map(Vec<(Cow<'static, str>, Node)>),
}

impl Node {
    /// An empty structure.
    pub(crate) fn map() -> Self {
        Self::Map(Vec::new())
    }

    /// The structure with one more field.
    #[must_use]
    pub(crate) fn put(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Node>) -> Self {
        if let Self::Map(fields) = &mut self {
            fields.push((name.into(), value.into()));
        }
        self
    }

    /// The structure with one more field if there is a value.
    #[must_use]
    pub(crate) fn maybe(self, name: &'static str, value: Option<impl Into<Node>>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    /// A list of members that are called `member` in XML.
    pub(crate) fn list(member: &'static str, values: impl IntoIterator<Item = impl Into<Node>>) -> Self {
        Self::List(member, values.into_iter().map(Into::into).collect())
    }

    /// As XML inside an element that the caller has opened.
    pub(crate) fn write_xml(&self, out: &mut String) {
        match self {
            Self::Text(text) => escape(text, out),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Float(number) => out.push_str(&number.to_string()),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Time(time) => out.push_str(&time.to_string()),
            Self::List(member, values) => {
                for value in values {
                    element(member, value, out);
                }
            }
            Self::Flat(values) => values.iter().for_each(|value| value.write_xml(out)),
            Self::Map(fields) => {
                for (name, value) in fields {
                    match value {
                        Self::Flat(values) => values.iter().for_each(|value| element(name, value, out)),
                        _ => element(name, value, out),
                    }
                }
            }
        }
    }

    /// As JSON; times are seconds since 1970, as AWS's JSON protocols write them.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Int(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Bool(flag) => Value::from(*flag),
            Self::Time(time) => Value::from(seconds(*time)),
            Self::List(_, values) | Self::Flat(values) => values.iter().map(Self::json).collect(),
            Self::Map(fields) => {
                let fields: Map<String, Value> =
                    fields.iter().map(|(name, value)| (name.to_string(), value.json())).collect();
                Value::Object(fields)
            }
        }
    }
}

/// Seconds since 1970 with their fraction.
pub(crate) fn seconds(time: Timestamp) -> f64 {
    // Milliseconds of this age fit into an f64 exactly.
    time.as_millis() as f64 / 1_000.0
}

fn element(name: &str, value: &Node, out: &mut String) {
    // An attribute may stand behind the name: `Grantee xsi:type="…"`.
    let tag = name.split(' ').next().unwrap_or(name);
    out.push('<');
    out.push_str(name);
    out.push('>');
    value.write_xml(out);
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

/// Text as XML holds it; control characters as references, for a key may hold them.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Node {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Node {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Node {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<usize> for Node {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Node {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Node {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Timestamp> for Node {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}
