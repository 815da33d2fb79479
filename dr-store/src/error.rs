//! What an object store's errors mean.

use std::error::Error as _;

use dr_core::{Error, ErrorKind};

/// An object store's error, by meaning. Everything that is not understood may have happened.
pub(crate) fn classify(operation: &'static str, key: &str, error: object_store::Error) -> Error {
    use object_store::Error as E;
    let (kind, happened) = match &error {
        E::NotFound { .. } => (ErrorKind::NotFound, false),
        E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => {
            (ErrorKind::Conflict, true)
        }
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => (ErrorKind::Unauthorized, false),
        E::NotSupported { .. } | E::NotImplemented { .. } => (ErrorKind::Unsupported, false),
        E::InvalidPath { .. } | E::UnknownConfigurationKey { .. } => (ErrorKind::Invalid, false),
        // No answer, or one that says nothing; the same bytes may be put again.
        _ => (ErrorKind::Unreachable, true),
    };
    let classified = Error::new(kind, message(kind)).during(operation).on(key);
    let classified = if happened { classified } else { classified.not_happened() };
    match error.source() {
        // Its text repeats its source: only the innermost that says more is kept.
        Some(source) => classified.because(source.to_string()),
        None => classified.because(error),
    }
}

fn message(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unauthorized => {
            "the object store does not let us: check the credentials and the bucket's policy"
        }
        ErrorKind::NotFound => "no such object or bucket",
        ErrorKind::Unsupported => "the object store has no conditional writes",
        _ => "the object store did not do it",
    }
}
