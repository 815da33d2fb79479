//! The closed set of words that a step can say.

/// What stands behind a verb in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// The name of a resource.
    Resource,
    /// The verb's own option, by its name in the call: `wait: 10s` is the call `{"for": "10s"}`.
    Value(&'static str),
}

/// Every verb of the core. A backend's own is called by `do: vendor.verb`, `on: resource`, `with: {…}`.
pub(super) const VERBS: &[(&str, Takes)] = &[
    ("observe", Takes::Resource),
    ("fence", Takes::Resource),
    ("unfence", Takes::Resource),
    ("promote", Takes::Resource),
    ("follow", Takes::Resource),
    ("pause", Takes::Resource),
    ("unpause", Takes::Resource),
    ("adopt", Takes::Resource),
    ("scale", Takes::Resource),
    ("configure", Takes::Resource),
    ("route", Takes::Resource),
    ("probe", Takes::Resource),
    ("backup", Takes::Resource),
    ("restore", Takes::Resource),
    ("trigger", Takes::Resource),
    ("run", Takes::Resource),
    ("notify", Takes::Resource),
    ("approve", Takes::Value("ask")),
    ("wait", Takes::Value("for")),
    ("plan", Takes::Value("plan")),
];

/// What a word takes, if it is a verb.
pub(super) fn takes(word: &str) -> Option<Takes> {
    VERBS.iter().find(|(verb, _)| *verb == word).map(|(_, takes)| *takes)
}
