//! The verb `observe`: a gate on what is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::expectation::Expectation;
use crate::error::{Error, ErrorKind, Result};
use crate::resource::{At, Before, Call, Class, Cx, Diff, Effect, Fact, Facts, Prepared, Resource, Roles};

/// Looks at a resource, and fails unless it is as expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Of which side the facts are meant. Default: of the whole.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    pub side: Option<At>,
    /// What is expected of which fact.
    #[serde(default)]
    pub expect: BTreeMap<String, Expectation>,
    /// Whether to wait until it is so, up to the step's deadline. Default: no.
    #[serde(default)]
    pub wait: bool,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// Each expected fact as it is.
    pub facts: Facts,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.facts.is_empty() {
            return f.write_str("it answers");
        }
        for (index, (name, fact)) in self.facts.iter().enumerate() {
            write!(f, "{}{name} {fact}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl Call for Look {
    const VERB: &'static str = "observe";
    type Outcome = Looked;

    fn class(&self) -> Class {
        Class::Read
    }

    fn aim(&mut self, roles: &Roles) {
        if let Some(side) = &mut self.side {
            side.aim(roles);
        }
    }
}

const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// `observe` over everything that a resource lets itself be seen by.
#[derive(Debug)]
pub(super) struct Looking(pub(super) Resource);

struct Sight {
    facts: Facts,
    unmet: Diff,
}

impl Looking {
    async fn look(&self, cx: &Cx, call: &Look) -> Result<Sight> {
        let mut known = Facts::new();
        for watch in self.0.watches() {
            known.extend(match &call.side {
                None => watch.watch(cx).await?.facts,
                Some(at) => {
                    let side = at.side()?;
                    watch.watch_side(cx, side).await?.sides.remove(side).unwrap_or_default()
                }
            });
        }
        let mut facts = Facts::new();
        let mut unmet = Diff::default();
        for (name, expectation) in &call.expect {
            let fact = known.get(name).cloned().unwrap_or(Fact::Unknown);
            if !expectation.is_met_by(&fact) {
                unmet = unmet.and(name, fact.to_string(), expectation.to_string());
            }
            facts.insert(name.clone(), fact);
        }
        if call.expect.is_empty() {
            facts = known;
        }
        Ok(Sight { facts, unmet })
    }
}

#[async_trait]
impl Effect<Look> for Looking {
    /// There is nothing to put back: it looks once, in `apply`.
    async fn prepare(&self, _cx: &Cx, _call: &Look) -> Result<Prepared> {
        Ok(Prepared::would(Diff::default(), Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &Look, _was: &Prepared) -> Result<Looked> {
        loop {
            let sight = self.look(cx, call).await?;
            if sight.unmet.0.is_empty() {
                return Ok(Looked { facts: sight.facts });
            }
            if !call.wait {
                return Err(Error::refused(format!("not as expected: {}", sight.unmet)));
            }
            if cx.left() <= AGAIN_AFTER || cx.cancel.is_cancelled() {
                return Err(Error::new(
                    ErrorKind::NotReady,
                    format!("still not as expected: {}", sight.unmet),
                )
                .not_happened());
            }
            cx.progress.say(format!("waiting: {}", sight.unmet));
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}
