//! What can go wrong between here and an API server, and what that means to the engine.

use std::time::Duration;

use dr_core::time::show_duration;
use dr_core::{Error, ErrorKind};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An API server's trouble, before it is classified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The kubeconfig, or a part of it, is not there or makes no sense.
    #[error("{0}")]
    Access(String),
    /// A plug-in or a login did not give credentials.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// A reset: its host answers, nothing listens.
    #[error("nothing listens there")]
    Closed(#[source] Cause),
    /// No way to it: no route, no name, no answer to the first packet.
    #[error("cannot be reached")]
    NoWay(#[source] Cause),
    /// It is not who it should be.
    #[error("its certificate is not trusted")]
    Untrusted(#[source] Cause),
    /// The connection broke while it was asked.
    #[error("the connection broke before it answered")]
    Broken(#[source] Cause),
    /// It was asked and did not answer.
    #[error("no answer within {}", show_duration(*.0))]
    Silent(Duration),
    /// It was not waited for any more: the run was told to stop.
    #[error("the run was told to stop")]
    Stopped,
    /// It answered as an API server does: with a status of its own.
    #[error("{}", said(*.code, .message))]
    Said {
        /// The HTTP status.
        code: u16,
        /// Its reason, one word: `Conflict`, `Forbidden`.
        reason: String,
        /// Its own words.
        message: String,
        /// The least wait that it asks for.
        after: Option<Duration>,
    },
    /// Something else than an API server answered: a proxy's page.
    #[error("{code} came back with what is no answer of an API server: {text}")]
    Foreign {
        /// The HTTP status.
        code: u16,
        /// Its beginning.
        text: String,
        /// The least wait that it asks for.
        after: Option<Duration>,
    },
    /// It answered with success and something that makes no sense.
    #[error("an answer that cannot be understood")]
    Garbled(#[source] serde_json::Error),
}

fn said(code: u16, message: &str) -> String {
    match code {
        401 => format!("the credentials are not accepted ({message}): they may have expired, log in again"),
        _ => message.to_owned(),
    }
}

impl Fault {
    /// Whether it proves that a write did nothing.
    pub(crate) fn proves_nothing_done(&self) -> bool {
        match self {
            Self::Access(_)
            | Self::Credentials(_)
            | Self::Closed(_)
            | Self::NoWay(_)
            | Self::Untrusted(_) => true,
            // A server that says no has done nothing; one that fails may have.
            Self::Said { code, .. } => (400..500).contains(code),
            Self::Broken(_) | Self::Silent(_) | Self::Stopped | Self::Foreign { .. } | Self::Garbled(_) => {
                false
            }
        }
    }

    /// Whether it was throttled.
    pub(crate) fn is_throttled(&self) -> bool {
        matches!(self, Self::Said { code: 429, .. } | Self::Foreign { code: 429, .. })
    }

    /// Whether asking again at once may help a read.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Closed(_) | Self::NoWay(_) | Self::Broken(_) => true,
            Self::Said { code, .. } | Self::Foreign { code, .. } => *code >= 500 || *code == 429,
            Self::Access(_)
            | Self::Credentials(_)
            | Self::Untrusted(_)
            | Self::Silent(_)
            | Self::Stopped
            | Self::Garbled(_) => false,
        }
    }

    /// Whether the credentials were not accepted.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Said { code: 401, .. } | Self::Foreign { code: 401, .. })
    }

    /// How long it asks to be left alone.
    pub(crate) fn after(&self) -> Option<Duration> {
        match self {
            Self::Said { after, .. } | Self::Foreign { after, .. } => *after,
            Self::Access(_)
            | Self::Credentials(_)
            | Self::Closed(_)
            | Self::NoWay(_)
            | Self::Untrusted(_)
            | Self::Broken(_)
            | Self::Silent(_)
            | Self::Stopped
            | Self::Garbled(_) => None,
        }
    }

    /// What it means to the engine.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Access(_) => ErrorKind::Invalid,
            Self::Credentials(_) => ErrorKind::Unauthorized,
            Self::Closed(_) | Self::NoWay(_) | Self::Broken(_) => ErrorKind::Unreachable,
            Self::Untrusted(_) => ErrorKind::Refused,
            Self::Silent(_) => ErrorKind::Hung,
            Self::Stopped => ErrorKind::Cancelled,
            Self::Said { code, message, .. } => of_status(*code, message),
            Self::Foreign { code, .. } => match code {
                429 => ErrorKind::Throttled,
                401 | 403 => ErrorKind::Unauthorized,
                502..=504 => ErrorKind::Unreachable,
                _ => ErrorKind::Unknown,
            },
            Self::Garbled(_) => ErrorKind::Unknown,
        }
    }
}

fn of_status(code: u16, message: &str) -> ErrorKind {
    match code {
        401 => ErrorKind::Unauthorized,
        // Quota and admission say 403 as well: they are no matter of who asks.
        403 if message.contains("cannot ") || message.contains("not allowed") => ErrorKind::Unauthorized,
        403 => ErrorKind::Refused,
        404 => ErrorKind::NotFound,
        409 | 410 => ErrorKind::Conflict,
        429 => ErrorKind::Throttled,
        400 | 405 | 406 | 413 | 415 | 422 => ErrorKind::Invalid,
        502..=504 => ErrorKind::Unreachable,
        _ => ErrorKind::Unknown,
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let mut error = Error::new(fault.kind(), fault.to_string());
        if fault.proves_nothing_done() {
            error = error.not_happened();
        }
        if fault.is_passing() {
            error = error.transient(fault.after());
        }
        match fault {
            Fault::Closed(source)
            | Fault::NoWay(source)
            | Fault::Untrusted(source)
            | Fault::Broken(source) => error.because(source),
            Fault::Garbled(source) => error.because(source),
            Fault::Access(_)
            | Fault::Credentials(_)
            | Fault::Silent(_)
            | Fault::Stopped
            | Fault::Said { .. }
            | Fault::Foreign { .. } => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use dr_core::{Happened, Retry};

    use super::*;

    fn of(code: u16, message: &str, after: Option<u64>) -> Error {
        let after = after.map(Duration::from_secs);
        Fault::Said { code, reason: String::new(), message: message.to_owned(), after }.into()
    }

    #[test]
    fn a_missing_right_is_told_from_a_quota() {
        let right =
            "deployments.apps \"web\" is forbidden: User \"dr\" cannot patch resource \"deployments/scale\"";
        assert_eq!(of(403, right, None).kind(), ErrorKind::Unauthorized);
        let quota = "pods \"web-1\" is forbidden: exceeded quota: small, requested: pods=1";
        assert_eq!(of(403, quota, None).kind(), ErrorKind::Refused);
    }

    #[test]
    fn a_throttled_call_waits_as_long_as_the_server_says() {
        let error = of(429, "too many requests", Some(7));
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert_eq!(error.retry(), Retry::Transient { after: Some(Duration::from_secs(7)) });
        assert_eq!(error.happened(), Happened::No);
    }

    #[test]
    fn a_failing_server_may_have_acted() {
        for code in [500, 502, 503, 504] {
            let error = of(code, "etcdserver: leader changed", None);
            assert_eq!(error.happened(), Happened::Maybe, "{code}");
            assert!(matches!(error.retry(), Retry::Transient { .. }), "{code}");
        }
    }

    #[test]
    fn a_page_of_a_proxy_is_unknown_and_shows_its_beginning() {
        let page = Fault::Foreign { code: 200, text: "<html>log in".to_owned(), after: None };
        let error = Error::from(page);
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unknown, Retry::Permanent));
        assert!(error.to_string().contains("<html>"));
    }
}
