//! Proof, from this very seat, that a plan's credentials, routes and permissions are there: `dr ready`.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::cx::Cx;
use crate::error::{Error, ErrorKind};
use crate::ids::Side;

/// Proves what a run will need, without changing anything.
#[async_trait]
pub trait Proves: fmt::Debug + Send + Sync {
    /// Tries each of these verbs as far as the system lets it be tried without an effect: a server-side dry run, an
    /// access review, a call that is authorised and then finds nothing to do. Never contacts the side `gone`, nor
    /// anything that lives in its region alone: the answer is what a run without it could count on.
    ///
    /// Never fails: what cannot be learnt is [`Verdict::Unknown`].
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof>;
}

/// A verb that the plan uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// The verb.
    pub verb: String,
    /// On which side, if the call names one.
    pub side: Option<Side>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proof {
    /// What: `patch deployments/scale in production (eu-central-1)`.
    pub what: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was seen; what to do, if it is missing.
    pub said: String,
}

/// How a proof came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is there.
    Proven,
    /// It is not.
    Missing,
    /// It could not be learnt. Never counted as there.
    Unknown,
}

impl Proof {
    /// It is there.
    pub fn proven(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Proven, said: said.into() }
    }

    /// It is not.
    pub fn missing(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Missing, said: said.into() }
    }

    /// It could not be learnt.
    pub fn unknown(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Unknown, said: said.into() }
    }

    /// What an error tells: what is forbidden or not there is missing, anything else (silence, throttling, a server's
    /// own trouble) tells nothing.
    pub fn failed(what: impl Into<String>, error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::NotFound => Self::missing(what, error.chain()),
            _ => Self::unknown(what, error.chain()),
        }
    }
}
