//! Words that people and shells rely on.
