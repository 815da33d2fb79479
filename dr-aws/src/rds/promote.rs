//! The verb `promote`: a read replica becomes an instance of its own.

use std::time::Duration;

use dr_core::resource::{Basis, Before, Cx, Diff, Effect, Prepared, Promote, Promotion};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use serde::{Deserialize, Serialize};

use super::config::SidePlan;
use super::store::Rds;
use crate::database::asked::Asked;
use crate::database::instance::Instance;
use crate::database::note::{KEYS, Note};
use crate::database::status::Condition;
use crate::waiting::{Look, Pace, until};

/// Nothing that moves by itself: a saved plan is held against it.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    instance: String,
    source: Option<String>,
}

#[async_trait]
impl Effect<Promote> for Rds {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        let side = call.side.side()?;
        let plan = self.side(side)?;
        let instance = self.present(cx, plan).await?;
        let was = Was {
            instance: instance.arn.to_string(),
            source: instance.source.as_ref().map(ToString::to_string),
        };
        let before = Before::of(&was)?;
        let would =
            |from: String| Ok(Prepared::would(Diff::one(plan.to_string(), from, "primary"), before.clone()));
        if instance.is_replica() {
            return match instance.status.serves() {
                true => would("read replica".to_owned()),
                false => would(format!("read replica, {}", instance.status)),
            };
        }
        if is_closed(plan, &instance) {
            return would("primary, cut off at its edge".to_owned());
        }
        match instance.status.condition() {
            Condition::Serving => {
                self.nobody_else_writes(cx, side, false).await.map_err(|error| {
                    Error::new(ErrorKind::Conflict, "it is a primary already, and it is not the only one")
                        .because(error)
                })?;
                Ok(Prepared::already(before))
            }
            Condition::Changing => would(format!("primary, {}", instance.status)),
            Condition::Stopped | Condition::Broken | Condition::Unknown => {
                Ok(Prepared::unknown(format!("it is {}", instance.status), before))
            }
        }
    }

    async fn apply(&self, cx: &Cx, call: &Promote, _: &Prepared) -> Result<Promotion> {
        let side = call.side.side()?;
        let plan = self.side(side)?;
        let first = |error: Error| if cx.attempt == 1 { error.not_happened() } else { error };
        let basis = grounded(call).map_err(first)?;
        let instance = self.present(cx, plan).await.map_err(|error| match cx.attempt {
            1 => error.not_happened(),
            // `present` speaks for its own look alone.
            _ => Error::new(error.kind(), "whether it was promoted could not be read").because(error),
        })?;
        let joined = !instance.is_replica() || is_under_way(cx, &instance);
        if !joined && matches!(basis, Basis::Planned { .. }) {
            self.prove(cx, plan, &instance).await.map_err(first)?;
        }
        let basis = if joined { basis.of_an_earlier_attempt(cx) } else { basis };
        let promoted = self.carry_out(cx, plan).await?;
        if is_closed(plan, &promoted) {
            return Err(Error::refused("it is the primary, and cut off at its edge: `unfence` it")
                .on(plan.to_string()));
        }
        self.forget(cx, &promoted).await;
        Ok(outcome(cx, side, basis))
    }

    /// Cancels. RDS knows no way back from a promotion that it accepted, so this only proves that there is none: it is a
    /// replica and available, and the last request was so long ago that it can have no effect any more.
    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        let plan = self.side(call.side.side()?)?;
        let was: Was = was.read()?;
        let instance = self.present(cx, plan).await?;
        let on = |error: Error| error.on(plan.to_string());
        if !instance.is_replica() || was.source != instance.source.as_ref().map(ToString::to_string) {
            return Err(on(Error::new(
                ErrorKind::Conflict,
                "too late: it is no replica of the source any more",
            )
            .permanent()));
        }
        if !instance.status.serves() {
            let message =
                format!("it is {}: a promotion may be under way, and RDS cannot cancel one", instance.status);
            return Err(on(Error::new(ErrorKind::NotReady, message)));
        }
        let note = Note::read(&instance.tags).map_err(|why| on(Error::new(ErrorKind::Unknown, why)))?;
        let Some(note) = note else { return Ok(()) };
        let now = cx.now();
        if !note.is_over(now) {
            let left = note.over_at().since(now).max(Duration::from_secs(1));
            let message = format!("{}; undo it then", note.pending());
            return Err(on(Error::new(ErrorKind::NotReady, message).transient(Some(left))));
        }
        self.api(&plan.region).untag(cx, &instance.arn, &KEYS).await
    }
}

impl Rds {
    /// Asks for it and looks until it is so; joins one that is under way.
    async fn carry_out(&self, cx: &Cx, plan: &SidePlan) -> Result<Instance> {
        let asked = Asked::new(cx);
        let result = until(cx, "promotion", Pace::STEADY, async || {
            let instance = self.instance(cx, plan).await?.ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "there is no such instance").on(plan.to_string())
            })?;
            let word = Look::Not(format!("{plan} is {}", instance.status));
            match (instance.is_replica(), instance.status.condition()) {
                (false, Condition::Serving) => return Ok(Look::Done(instance)),
                (_, Condition::Broken | Condition::Stopped) => {
                    let message = format!("it is {}, and will not be promoted so", instance.status);
                    return Err(Error::refused(message).on(plan.to_string()));
                }
                (false, Condition::Changing | Condition::Unknown) => return Ok(word),
                (true, _) => {}
            }
            if !instance.status.is_available() || !asked.is_due() {
                return Ok(word);
            }
            let note = Note { run: cx.run.as_str().to_owned(), asked: cx.now() };
            self.api(&plan.region).tag(cx, &instance.arn, &note.to_tags()?).await?;
            asked.take(&format!("{plan}: its promotion"), self.request(cx, plan, &instance).await)
        });
        result.await.map_err(|error| asked.judge(error).on(plan.to_string()))
    }

    async fn request(&self, cx: &Cx, plan: &SidePlan, instance: &Instance) -> Result<()> {
        let api = self.api(&plan.region);
        let retention = instance.retention.filter(|days| *days > 0).unwrap_or(self.plan.retention);
        api.changes("rds:PromoteReadReplica")
            .ask(cx, || {
                api.client
                    .promote_read_replica()
                    .db_instance_identifier(&plan.instance)
                    .backup_retention_period(retention)
                    .send()
            })
            .await?;
        Ok(())
    }

    /// The note has served its end. That it stays would harm nobody: it speaks of a request, and ages.
    async fn forget(&self, cx: &Cx, instance: &Instance) {
        if matches!(Note::read(&instance.tags), Ok(None)) {
            return;
        }
        if let Err(error) = self.api(&instance.arn.region).untag(cx, &instance.arn, &KEYS).await {
            cx.progress.say(format!("the note of the promotion stays on {}: {error}", instance.name));
        }
    }
}

/// The outcome. There is no session with the database here: its first write is dated by the moment at which RDS said that
/// it stands alone and is available, which is RDS's word and not a row that was read back. The row is the business of the
/// probe with `write: true` that follows in every plan.
fn outcome(cx: &Cx, side: &Side, basis: Basis) -> Promotion {
    Promotion::new(side.clone(), cx.now(), basis).told_by("RDS")
}

/// Whether this run asked for it before, and RDS is at it.
fn is_under_way(cx: &Cx, instance: &Instance) -> bool {
    let ours = matches!(Note::read(&instance.tags), Ok(Some(note)) if note.run == cx.run.as_str());
    ours && instance.status.condition() == Condition::Changing
}

fn is_closed(plan: &SidePlan, instance: &Instance) -> bool {
    plan.fence.as_ref().is_some_and(|fence| instance.groups.iter().any(|group| group.id == *fence))
}

fn grounded(call: &Promote) -> Result<Basis> {
    let none = || Error::refused("a promotion without a confirmed fence or an accepted risk");
    let basis = call.basis.clone().ok_or_else(none)?;
    let empty = match &basis {
        Basis::Planned { fences } => fences.is_empty(),
        Basis::Forced { fences, risk, .. } => fences.is_empty() && risk.is_none(),
    };
    if empty { Err(none()) } else { Ok(basis) }
}
