//! A region's agent: the one way to control a region from outside, through its network, as ssh would be.
//!
//! A request is one line of JSON; the answer is one line. `exec` goes on with frames: one byte that says what it is,
//! four that say how long, and the bytes.

mod client;
mod exec;
mod frame;
mod server;

use dr_core::{Error, ErrorKind, Failure};
use serde::{Deserialize, Serialize};

pub(crate) use client::Agent;
pub(crate) use exec::exec;
pub(crate) use server::serve;

/// What an agent is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub(crate) enum Ask {
    /// What runs.
    Observe,
    /// Runs that many processes of the service, and answers when they all serve.
    Scale {
        /// How many.
        count: u32,
        /// The longest wait.
        within_ms: u64,
    },
    /// Runs a program of the region's machine.
    Exec {
        /// It and its arguments.
        argv: Vec<String>,
    },
    /// Kills everything in the region but the agent.
    Break,
    /// Starts it all again, as it was.
    Heal,
}

/// An ask with the right to ask.
#[derive(Serialize, Deserialize)]
struct Request {
    token: String,
    #[serde(flatten)]
    ask: Ask,
}

/// What runs in a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Staff {
    /// How many processes of the service are wanted.
    pub(crate) desired: u32,
    /// How many serve.
    pub(crate) ready: u32,
    /// Why the others do not.
    pub(crate) problems: Vec<String>,
    /// Whether everything was killed and is kept down.
    pub(crate) broken: bool,
}

/// An agent's answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    /// It is done.
    Done(Staff),
    /// The program runs; frames follow.
    Started,
    /// It is not done.
    Failed(Failure),
}

/// The error that an agent sent.
fn error_from(failure: &Failure) -> Error {
    let mut error = Error::new(failure.kind, failure.text.clone());
    error = match failure.retry {
        dr_core::Retry::Transient { after } => error.transient(after),
        dr_core::Retry::Permanent => error.permanent(),
    };
    match failure.happened {
        dr_core::Happened::No => error.not_happened(),
        dr_core::Happened::Maybe => error,
    }
}

fn nonsense(what: &str) -> Error {
    Error::new(ErrorKind::Unknown, format!("the agent's {what} cannot be understood"))
}
