//! What is wrong with a plan, and the way out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::place::Place;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The plan cannot be run.
    Error,
    /// It can, once somebody acknowledges it in the plan with a reason.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable: `unfenced-promotion`. Documented in `docs/CHECKS.md`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to write instead, or to do.
    pub help: String,
    /// The reason, where the plan acknowledges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<String>,
}

impl Finding {
    /// The plan cannot be run.
    pub fn error(code: &str, place: Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, place, message, help)
    }

    /// It can, once acknowledged.
    pub fn warning(code: &str, place: Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, place, message, help)
    }

    /// Worth knowing.
    pub fn note(code: &str, place: Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, place, message, help)
    }

    fn new(
        severity: Severity,
        code: &str,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            message: message.into(),
            place,
            help: help.into(),
            acknowledged: None,
        }
    }

    /// Whether a run has to stop for it.
    pub fn blocks(&self) -> bool {
        match self.severity {
            Severity::Error => true,
            Severity::Warning => self.acknowledged.is_none(),
            Severity::Note => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.place, self.message, self.code)
    }
}
