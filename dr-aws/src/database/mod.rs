//! What RDS instances and Aurora clusters have in common: the words of their states, their samples, their tags.

pub(crate) mod api;
pub(crate) mod arn;
pub(crate) mod asked;
pub(crate) mod instance;
pub(crate) mod lag;
pub(crate) mod metric;
pub(crate) mod note;
pub(crate) mod reach;
pub(crate) mod right;
pub(crate) mod status;
pub(crate) mod tags;

use dr_core::Timestamp;

/// A moment as the SDK gives it.
pub(crate) fn moment(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    at.to_millis().ok().map(Timestamp::from_millis)
}

/// The other way.
pub(crate) fn to_sdk(at: Timestamp) -> aws_smithy_types::DateTime {
    aws_smithy_types::DateTime::from_millis(at.as_millis())
}

/// Whether RDS takes it as the name of an instance or a cluster.
pub(crate) fn an_identifier(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.ends_with('-')
        && !text.contains("--")
}
