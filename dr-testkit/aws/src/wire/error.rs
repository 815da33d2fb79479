//! What a service refuses with, in AWS's words.

use super::Node;

/// An error as a service answers it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Further fields (`UpdateId`, `Resource`).
    pub(crate) more: Vec<(&'static str, Node)>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), more: Vec::new() }
    }

    /// With one more field.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Node>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    /// A parameter that must be there is not.
    pub(crate) fn missing(name: &str) -> Self {
        Self::new(400, "MissingParameter", format!("The request must contain the parameter {name}."))
    }

    /// Query and JSON services' word for a bad value.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValue", message)
    }

    /// Route 53's word for a bad value.
    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidInput", message)
    }

    /// Two parameters that do not go together.
    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterCombination", message)
    }
}
