//! What can go wrong with one call.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use dr_core::{Error, ErrorKind};
use serde_json::Value;

/// What goes wrong with one call. As text: `late 3000ms`, `fails throttled`, `in_doubt unknown`, `lost_reply`,
/// `cut_after 5ms`, `black_hole`, `twice`, `stale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It goes well, after a while: a slow link.
    Late(Duration),
    /// It fails before anything happens, and the error proves that.
    Fails(ErrorKind),
    /// It fails before anything happens, and the error does not say so.
    InDoubt(ErrorKind),
    /// It happens, and its reply is lost: [`ErrorKind::Timeout`], which may have happened.
    LostReply,
    /// It is made, dropped after so long, and whoever made it hears nothing until its deadline.
    CutAfter(Duration),
    /// It never gets there, and whoever made it hears nothing until its deadline.
    BlackHole,
    /// It is made twice, as a proxy repeats what it believes lost, and the second reply is heard.
    Twice,
    /// A look answers what the first look of its step answered. Other calls go well.
    Stale,
}

impl Trouble {
    /// The error of a call that failed before anything happened.
    pub(super) fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "failed to order")
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(by) => write!(f, "late {}ms", by.as_millis()),
            Self::Fails(kind) => write!(f, "fails {}", word(*kind)),
            Self::InDoubt(kind) => write!(f, "in_doubt {}", word(*kind)),
            Self::LostReply => f.write_str("lost_reply"),
            Self::CutAfter(patience) => write!(f, "cut_after {}ms", patience.as_millis()),
            Self::BlackHole => f.write_str("black_hole"),
            Self::Twice => f.write_str("twice"),
            Self::Stale => f.write_str("stale"),
        }
    }
}

impl FromStr for Trouble {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || format!("`{text}` is no trouble that can be made");
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        let millis =
            || rest.strip_suffix("ms").and_then(|number| number.parse().ok()).map(Duration::from_millis);
        let kind = || serde_json::from_value::<ErrorKind>(Value::String(rest.to_owned())).ok();
        match name {
            "late" => millis().map(Self::Late),
            "fails" => kind().map(Self::Fails),
            "in_doubt" => kind().map(Self::InDoubt),
            "cut_after" => millis().map(Self::CutAfter),
            "lost_reply" if rest.is_empty() => Some(Self::LostReply),
            "black_hole" if rest.is_empty() => Some(Self::BlackHole),
            "twice" if rest.is_empty() => Some(Self::Twice),
            "stale" if rest.is_empty() => Some(Self::Stale),
            _ => None,
        }
        .ok_or_else(unknown)
    }
}

fn word(kind: ErrorKind) -> String {
    match serde_json::to_value(kind) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => kind.to_string(),
    }
}
