//! What a verification looked at, and what it found.

use std::fmt;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What has to be so: `nothing was added`.
    pub what: String,
    /// Whether it is.
    pub outcome: Outcome,
}

/// What looking found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Passed,
    /// It is not; why.
    Failed(String),
    /// It could not be looked at; why. No claim is made.
    NotChecked(String),
}

/// Every check in the order in which it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// Every check.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether something was looked at and nothing failed.
    pub fn is_sound(&self) -> bool {
        self.first_failure().is_none() && self.checks.iter().any(|check| check.outcome == Outcome::Passed)
    }

    /// The first check that failed, in words.
    pub fn first_failure(&self) -> Option<String> {
        self.checks.iter().find_map(|check| match &check.outcome {
            Outcome::Failed(why) => Some(format!("{}: {why}", check.what)),
            Outcome::Passed | Outcome::NotChecked(_) => None,
        })
    }

    /// Adds a check that passed, or failed with its reason. Returns whether it passed.
    pub(super) fn check(&mut self, what: impl Into<String>, result: Result<(), String>) -> bool {
        let outcome = match result {
            Ok(()) => Outcome::Passed,
            Err(why) => Outcome::Failed(why),
        };
        let passed = outcome == Outcome::Passed;
        self.checks.push(Check { what: what.into(), outcome });
        passed
    }

    pub(super) fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.checks.push(Check { what: what.into(), outcome: Outcome::NotChecked(why.into()) });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let line = match &check.outcome {
                Outcome::Passed => format!("ok    {}", check.what),
                Outcome::Failed(why) => format!("FAIL  {}: {why}", check.what),
                Outcome::NotChecked(why) => format!("-     {}: {why}", check.what),
            };
            // What a hostile bundle puts into a name must not reach a terminal as a command.
            let safe: String = line.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
            writeln!(f, "{safe}")?;
        }
        Ok(())
    }
}

/// Some of many, in words: the first five and how many more.
pub(super) fn some_of(all: &[String]) -> String {
    let named = all.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(5) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Passed if there is nothing to complain about.
pub(super) fn unless_any(complaints: Vec<String>) -> Result<(), String> {
    if complaints.is_empty() { Ok(()) } else { Err(some_of(&complaints)) }
}
