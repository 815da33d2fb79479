//! Turning what libraries say into [`dr_core::Error`].

use std::io;
use std::path::Path;
use std::process::Output;

use dr_core::{Error, ErrorKind};

/// What an I/O error means.
pub(crate) fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Unauthorized,
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => ErrorKind::Unreachable,
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        io::ErrorKind::AddrInUse | io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
        _ => ErrorKind::Unknown,
    }
}

/// For `map_err`: the operation that an I/O error came from.
pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::new(kind_of(&error), "it failed").during(doing).because(error)
}

/// For `map_err`: the operation on a path that an I/O error came from.
pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    io(format!("{doing} {}", path.display()))
}

/// The last lines that a program wrote to its standard error, or to its output if it wrote none there.
pub(crate) fn last_words(output: &Output) -> String {
    let text = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    tail(&String::from_utf8_lossy(text))
}

/// The last three lines of a text, as one.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}
