//! What a caller asks with, whichever protocol it came by.

use dr_core::Timestamp;
use serde_json::Value;

use super::ApiError;

/// A structure of a request: Query's form, JSON and CBOR all become one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a>(pub(crate) &'a Value);

impl<'a> Input<'a> {
    /// A text field; numbers are text too, as Query writes them.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A text field without which the call is refused.
    pub(crate) fn need(&self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::missing(name))
    }

    /// A whole number.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_i64().or_else(|| number.as_f64().map(|n| n as i64))),
            Some(Value::String(text)) => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::invalid(format!("{text} is no integer for {name}"))),
            Some(_) => Err(ApiError::invalid(format!("{name} is no integer"))),
        }
    }

    /// A number.
    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        match self.0.get(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A yes or no.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) => match text.as_str() {
                "true" | "True" => Ok(Some(true)),
                "false" | "False" => Ok(Some(false)),
                other => Err(ApiError::invalid(format!("{other} is neither true nor false for {name}"))),
            },
            Some(_) => Err(ApiError::invalid(format!("{name} is neither true nor false"))),
        }
    }

    /// A moment: RFC 3339 in Query, seconds since 1970 in JSON and CBOR.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let bad = || ApiError::invalid(format!("{name} is no timestamp"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                let seconds = number.as_f64().ok_or_else(bad)?;
                Ok(Some(Timestamp::from_millis((seconds * 1_000.0) as i64)))
            }
            Some(Value::String(text)) => {
                // The zone may be missing in what the older command writes.
                let whole =
                    if text.ends_with('Z') || text.contains('+') { text.clone() } else { format!("{text}Z") };
                whole.parse().map(Some).map_err(|_| bad())
            }
            Some(_) => Err(bad()),
        }
    }

    /// A structure inside this one.
    pub(crate) fn inner(&self, name: &str) -> Option<Input<'a>> {
        self.0.get(name).filter(|value| value.is_object()).map(Input)
    }

    /// The structures of a list.
    pub(crate) fn list(&self, name: &str) -> Vec<Input<'a>> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().map(Input).collect()
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let values = self.0.get(name)?.as_array()?;
        Some(values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())
    }

    /// Whether the field stands there at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }
}
