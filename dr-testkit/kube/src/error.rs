//! What goes wrong with servers under test, and what it means to a caller.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use dr_core::time::show_duration;
use dr_core::{Error, ErrorKind};

/// Everything that this crate sees go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeFault {
    #[error("no {program} in {}: run scripts/kube.sh, or set KUBEBUILDER_ASSETS", list(.looked))]
    NotInstalled { program: &'static str, looked: Vec<PathBuf> },
    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },
    #[error("cannot {doing}")]
    Asked { doing: String, source: Box<kube::Error> },
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("{server} ended while it was started, and says: {words}")]
    Died { server: &'static str, words: String },
    #[error("{what} is not ready after {}", show_duration(*.within))]
    Late { what: String, within: Duration },
    #[error("{0}")]
    Garbled(String),
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl KubeFault {
    /// What was asked of the system.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// What was asked of an API server.
    pub(crate) fn asked(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Asked { doing: doing.into(), source: Box::new(source) }
    }

    /// Whether a port was taken by somebody else between its choice and its use.
    pub(crate) fn port_was_taken(&self) -> bool {
        matches!(self, Self::Died { words, .. } if words.contains("address already in use"))
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInstalled { .. } => ErrorKind::NotFound,
            Self::Io { .. } | Self::Certificate(_) | Self::Garbled(_) => ErrorKind::Unknown,
            Self::Died { .. } => ErrorKind::Unreachable,
            Self::Late { .. } => ErrorKind::Timeout,
            Self::Asked { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => match status.code {
                    401 | 403 => ErrorKind::Unauthorized,
                    404 => ErrorKind::NotFound,
                    409 => ErrorKind::Conflict,
                    422 | 400 => ErrorKind::Invalid,
                    429 => ErrorKind::Throttled,
                    _ => ErrorKind::Unknown,
                },
                _ => ErrorKind::Unreachable,
            },
        }
    }
}

impl From<KubeFault> for Error {
    fn from(fault: KubeFault) -> Self {
        let error = Self::new(fault.kind(), fault.to_string());
        match fault {
            KubeFault::Io { source, .. } => error.because(source),
            KubeFault::Asked { source, .. } => error.because(*source),
            KubeFault::Certificate(source) => error.because(source),
            KubeFault::NotInstalled { .. }
            | KubeFault::Died { .. }
            | KubeFault::Late { .. }
            | KubeFault::Garbled(_) => error,
        }
    }
}
