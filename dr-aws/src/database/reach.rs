//! What silence of RDS's API means here.

use std::time::Duration;

use dr_core::resource::{Cx, Reach};
use dr_core::{Error, ErrorKind, Happened};

/// How long a first look may take: then the region's API counts as silent.
const GLANCE: Duration = Duration::from_secs(8);

/// The time of a first look: at most eight seconds, and not more than half of what there is.
pub(crate) fn soon(cx: &Cx) -> Cx {
    cx.within(GLANCE.min(cx.left() / 2))
}

/// An error on the way to a region's API, as the engine wants to hear it: an API that does not answer is unreachable.
/// It says nothing of the database itself, which may serve on; whether that is silent only probers can tell.
pub(crate) fn reached(on: String, error: Error) -> Error {
    if !is_silence(&error) {
        return error.on(on);
    }
    let nothing = error.happened() == Happened::No;
    let silent = Error::new(ErrorKind::Unreachable, "the region's API does not answer").on(on).because(error);
    if nothing { silent.not_happened() } else { silent }
}

/// Whether nobody answered.
pub(crate) fn is_silence(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Timeout)
}

/// What an error says of a node that is looked at through the API.
pub(crate) fn reach(error: &Error) -> Reach {
    match error.kind() {
        ErrorKind::Unauthorized => Reach::Denied,
        kind if kind == ErrorKind::Unreachable || kind == ErrorKind::Timeout => Reach::Unreachable,
        // It answers, if only to say that it is not well.
        _ => Reach::Answers,
    }
}
