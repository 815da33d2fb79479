//! The codes of what can be wrong with a document as a document.

/// It is not the YAML, TOML or JSON that it should be.
pub const SYNTAX: &str = "syntax";
/// It is larger than a plan may be.
pub const TOO_LARGE: &str = "too-large";
/// It is nested deeper than a plan may be.
pub const TOO_DEEP: &str = "too-deep";
/// It is not UTF-8.
pub const NOT_UTF8: &str = "not-utf8";
/// Nothing is in it.
pub const EMPTY: &str = "empty-plan";
/// It says that it follows another version of the language.
pub const UNKNOWN_SCHEMA: &str = "unknown-schema";
/// One key stands twice in one map.
pub const DUPLICATE_KEY: &str = "duplicate-key";
/// Two phases have one name.
pub const DUPLICATE_PHASE: &str = "duplicate-phase";
/// A field that nobody reads.
pub const UNKNOWN_FIELD: &str = "unknown-field";
/// A field that has to be there.
pub const MISSING_FIELD: &str = "missing-field";
/// A list where a text belongs, and the like.
pub const WRONG_TYPE: &str = "wrong-type";
/// A value that makes no sense.
pub const BAD_VALUE: &str = "bad-value";
/// A name with characters that a name may not have.
pub const BAD_NAME: &str = "bad-name";
/// A step without a verb.
pub const NO_VERB: &str = "no-verb";
/// A step with several.
pub const TWO_VERBS: &str = "two-verbs";

/// All of them.
pub const ALL: &[&str] = &[
    SYNTAX,
    TOO_LARGE,
    TOO_DEEP,
    NOT_UTF8,
    EMPTY,
    UNKNOWN_SCHEMA,
    DUPLICATE_KEY,
    DUPLICATE_PHASE,
    UNKNOWN_FIELD,
    MISSING_FIELD,
    WRONG_TYPE,
    BAD_VALUE,
    BAD_NAME,
    NO_VERB,
    TWO_VERBS,
];
