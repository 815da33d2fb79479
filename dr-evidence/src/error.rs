//! What can go wrong with a bundle, and what it means.

use std::io;
use std::path::{Path, PathBuf};

use dr_core::{Error, ErrorKind};
use thiserror::Error as ThisError;

#[derive(Debug, ThisError)]
pub(crate) enum EvidenceError {
    #[error("{0}")]
    Journal(String),
    #[error("{doing} {}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what} cannot be written as JSON")]
    Json {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("another process is sealing the bundle of this run in {}", .0.display())]
    Busy(PathBuf),
    #[error("{} is there already and is not this bundle: {why}", .path.display())]
    Taken { path: PathBuf, why: String },
    #[error("{} is no bundle: {why}", .path.display())]
    NoBundle { path: PathBuf, why: String },
}

impl EvidenceError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

impl From<EvidenceError> for Error {
    fn from(error: EvidenceError) -> Self {
        let kind = match &error {
            EvidenceError::Journal(_) | EvidenceError::Json { .. } => ErrorKind::Invalid,
            EvidenceError::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Unauthorized,
                _ => ErrorKind::Unknown,
            },
            EvidenceError::Busy(_) | EvidenceError::Taken { .. } => ErrorKind::Conflict,
            EvidenceError::NoBundle { .. } => ErrorKind::Invalid,
        };
        let public = Self::new(kind, error.to_string()).during("evidence");
        match error {
            EvidenceError::Io { source, .. } => public.because(source),
            EvidenceError::Json { source, .. } => public.because(source),
            EvidenceError::Journal(_)
            | EvidenceError::Busy(_)
            | EvidenceError::Taken { .. }
            | EvidenceError::NoBundle { .. } => public,
        }
    }
}
