//! Steps that only let time pass: `wait` for a while, `approve` for a person's word.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Actor;
use crate::ids::StepId;
use crate::resource::{Before, Call, Class, Cx, Diff, Effect, Prepared};
use crate::time::{human, show_duration};

/// Lets time pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// How much.
    #[serde(rename = "for", with = "human")]
    pub time: Duration,
}

/// Time that passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waited {
    /// How much.
    #[serde(with = "human")]
    pub time: Duration,
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed", show_duration(self.time))
    }
}

impl Call for Wait {
    const VERB: &'static str = "wait";
    type Outcome = Waited;

    fn class(&self) -> Class {
        Class::Read
    }
}

#[derive(Debug)]
pub(super) struct Waiting;

#[async_trait]
impl Effect<Wait> for Waiting {
    async fn prepare(&self, _cx: &Cx, call: &Wait) -> Result<Prepared> {
        Ok(Prepared::would(
            Diff::one("time", "now", format!("in {}", show_duration(call.time))),
            Before::nothing(),
        ))
    }

    async fn apply(&self, cx: &Cx, call: &Wait, _was: &Prepared) -> Result<Waited> {
        cx.bound("wait", async {
            tokio::time::sleep(call.time).await;
            Ok(Waited { time: call.time })
        })
        .await
        .map_err(Error::not_happened)
    }
}

/// Waits until a person approves this very step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// What is asked.
    pub ask: String,
}

/// A person's word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approved {
    /// Whose.
    pub by: Actor,
}

impl fmt::Display for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "approved by {}", self.by)
    }
}

impl Call for Approve {
    const VERB: &'static str = "approve";
    type Outcome = Approved;

    fn class(&self) -> Class {
        Class::Read
    }
}

/// The approvals given so far: the engine fills it from the run's requests.
#[derive(Debug, Clone)]
pub struct Approvals(watch::Sender<BTreeMap<StepId, Actor>>);

impl Default for Approvals {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }
}

impl Approvals {
    /// Somebody approved a step. The first word counts.
    pub fn give(&self, step: StepId, by: Actor) {
        self.0.send_modify(|given| {
            given.entry(step).or_insert(by);
        });
    }

    fn of(&self, step: &StepId) -> Option<Actor> {
        self.0.borrow().get(step).cloned()
    }
}

#[derive(Debug)]
pub(super) struct Approving(pub(super) Approvals);

#[async_trait]
impl Effect<Approve> for Approving {
    async fn prepare(&self, cx: &Cx, call: &Approve) -> Result<Prepared> {
        Ok(match self.0.of(&cx.step) {
            Some(_) => Prepared::already(Before::nothing()),
            None => {
                Prepared::would(Diff::one(call.ask.clone(), "not approved", "approved"), Before::nothing())
            }
        })
    }

    async fn apply(&self, cx: &Cx, call: &Approve, _was: &Prepared) -> Result<Approved> {
        cx.progress.say(format!("waiting for approval: {}", call.ask));
        let mut given = self.0.0.subscribe();
        let step = &cx.step;
        cx.bound("approve", async {
            let given = given
                .wait_for(|given| given.contains_key(step))
                .await
                .map_err(|_| Error::new(ErrorKind::Cancelled, "the run ended"))?;
            given.get(step).cloned().map(|by| Approved { by }).ok_or_else(|| Error::invalid("no approval"))
        })
        .await
        .map_err(|error| error.permanent().not_happened())
    }
}
