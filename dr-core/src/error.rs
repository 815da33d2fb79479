//! What went wrong, by meaning.
//!
//! A backend keeps a private error enum and classifies it in one `From`. The engine decides by [`ErrorKind`],
//! [`Retry`] and [`Happened`]; people read the text, which is a lowercase fragment that does not repeat its source.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of everything that a backend does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error means to whoever has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing answers there: refused, no route, name not found.
    Unreachable,
    /// It accepts a connection and never answers. Never evidence that it is dead.
    Hung,
    /// Who we are is not known, or not allowed to do this.
    Unauthorized,
    /// What the call names does not exist.
    NotFound,
    /// The world is not as the call expects it: someone else changed it.
    Conflict,
    /// Asked too often.
    Throttled,
    /// No answer within the deadline.
    Timeout,
    /// The other side understood and said no, or a safety rule of ours did.
    Refused,
    /// Not so yet: asking again may help (a replica that has not caught up, a pod that is not ready).
    NotReady,
    /// This backend cannot do that.
    Unsupported,
    /// The plan, an argument or an answer makes no sense.
    Invalid,
    /// The run was told to stop.
    Cancelled,
    /// What we were told cannot be understood; treated as the unsafe case.
    Unknown,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "unreachable",
            Self::Hung => "hung",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Timeout => "timed out",
            Self::Refused => "refused",
            Self::NotReady => "not ready",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        })
    }
}

/// Whether the same call may succeed if it is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It may; not before `after`, if the other side said so.
    Transient {
        /// The least wait, where the other side named one.
        after: Option<Duration>,
    },
    /// It will not: somebody has to change something first.
    Permanent,
}

/// Whether the call may have acted before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// Proven: this attempt did nothing. What an earlier attempt of the step may have done is the engine's to remember.
    No,
    /// Not known. The engine reads the world again before it decides anything.
    Maybe,
}

/// An error with the facts that decide what happens next. Boxed, so that a `Result` stays small.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    happened: Happened,
    message: String,
    operation: Option<String>,
    resource: Option<String>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A new error. By default it may have happened, and it is worth another try where its kind says so.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retry = match kind {
            ErrorKind::Unreachable
            | ErrorKind::Hung
            | ErrorKind::Throttled
            | ErrorKind::Timeout
            | ErrorKind::NotReady => Retry::Transient { after: None },
            ErrorKind::Unauthorized
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Refused
            | ErrorKind::Unsupported
            | ErrorKind::Invalid
            | ErrorKind::Cancelled
            | ErrorKind::Unknown => Retry::Permanent,
        };
        Self(Box::new(Inner {
            kind,
            retry,
            happened: Happened::Maybe,
            message: message.into(),
            operation: None,
            resource: None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// A safety rule said no before anything was done.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message).not_happened()
    }

    /// The argument makes no sense; nothing was done.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message).not_happened()
    }

    /// This backend cannot do that; nothing was done.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message).not_happened()
    }

    /// Says that nothing was done. Only where that is proven.
    #[must_use]
    pub fn not_happened(mut self) -> Self {
        self.0.happened = Happened::No;
        self
    }

    /// Says that another try may help, not before `after` if there is one.
    #[must_use]
    pub fn transient(mut self, after: Option<Duration>) -> Self {
        self.0.retry = Retry::Transient { after };
        self
    }

    /// Says that another try will not help.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.0.retry = Retry::Permanent;
        self
    }

    /// The operation that failed: `promote`, `pg_rewind`, `GET /health`.
    #[must_use]
    pub fn during(mut self, operation: impl Into<String>) -> Self {
        self.0.operation.get_or_insert_with(|| operation.into());
        self
    }

    /// The resource, node or record that it failed on.
    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.0.resource.get_or_insert_with(|| resource.into());
        self
    }

    /// One more fact: `("region", "us-east-1")`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// What caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether another try may help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Whether it may have acted.
    pub fn happened(&self) -> Happened {
        self.0.happened
    }

    /// The text alone, without operation, resource and context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The whole chain as one line: this error and each source behind it.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }

    /// The part of it that a journal keeps.
    pub fn to_failure(&self) -> Failure {
        Failure { kind: self.kind(), retry: self.retry(), happened: self.happened(), text: self.chain() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = &self.0.operation {
            write!(f, "{operation}: ")?;
        }
        if let Some(resource) = &self.0.resource {
            write!(f, "{resource}: ")?;
        }
        f.write_str(&self.0.message)?;
        for (key, value) in &self.0.context {
            write!(f, " ({key} {value})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}/{:?} {}", self.0.kind, self.0.retry, self.0.happened, self.chain())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// An [`Error`] as a journal, a bundle or a foreign tool reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it means.
    pub kind: ErrorKind,
    /// Whether another try may help.
    pub retry: Retry,
    /// Whether it may have acted.
    pub happened: Happened,
    /// The whole chain, one line, free of secrets.
    pub text: String,
}
