//! Reads a JSON document field by field, and keeps every mistake with its JSON pointer.

use dr_core::resource::ConfigError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

/// Keeps what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    errors: Vec<ConfigError>,
}

/// A pointer to a field below another.
pub(crate) fn join(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl Reader {
    /// How many mistakes there are.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// `Ok` if nothing is wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<ConfigError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            Some(_) | None => Err(self.errors),
        }
    }

    /// One mistake.
    pub(crate) fn fault(&mut self, at: impl Into<String>, message: impl Into<String>) {
        self.errors.push(ConfigError::new(at, message));
    }

    /// An object of which these fields are known.
    pub(crate) fn object<'a>(
        &mut self,
        value: &'a Value,
        at: &str,
        known: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let Some(fields) = value.as_object() else {
            self.fault(at, "expected an object");
            return None;
        };
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let known: Vec<&str> = known.iter().copied().filter(|known| *known != "kind").collect();
            self.fault(join(at, name), format!("no field `{name}` here; there are {}", known.join(", ")));
        }
        Some(fields)
    }

    /// An object with names of the user's own.
    pub(crate) fn entries<'a>(&mut self, value: &'a Value, at: &str) -> Vec<(&'a String, &'a Value)> {
        match value.as_object() {
            Some(fields) => fields.iter().collect(),
            None => {
                self.fault(at, "expected an object");
                Vec::new()
            }
        }
    }

    /// A value as its type.
    pub(crate) fn value<T: DeserializeOwned>(&mut self, value: &Value, at: &str) -> Option<T> {
        match serde_path_to_error::deserialize(value) {
            Ok(value) => Some(value),
            Err(error) => {
                let pointer = error.path().iter().fold(at.to_owned(), |pointer, segment| match segment {
                    Segment::Seq { index } => join(&pointer, &index.to_string()),
                    Segment::Map { key } => join(&pointer, key),
                    Segment::Enum { variant } => join(&pointer, variant),
                    Segment::Unknown => pointer,
                });
                self.fault(pointer, error.into_inner().to_string());
                None
            }
        }
    }

    /// A field that may be left out.
    pub(crate) fn take<T: DeserializeOwned>(
        &mut self,
        fields: &Map<String, Value>,
        at: &str,
        name: &str,
    ) -> Option<T> {
        fields.get(name).and_then(|value| self.value(value, &join(at, name)))
    }

    /// A field that may not.
    pub(crate) fn required<T: DeserializeOwned>(
        &mut self,
        fields: &Map<String, Value>,
        at: &str,
        name: &str,
    ) -> Option<T> {
        if !fields.contains_key(name) {
            self.fault(join(at, name), "missing");
        }
        self.take(fields, at, name)
    }

    /// A name as Kubernetes takes one: it stands in addresses, and must not lead elsewhere.
    pub(crate) fn name(&mut self, at: &str, name: &str) {
        if !is_name(name) {
            self.fault(at, format!("`{name}` is no name: small letters, digits, `-` and `.`, at most 253"));
        }
    }
}

/// Whether it is a name as Kubernetes takes one.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.'])
}
