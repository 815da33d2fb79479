//! The verb `trigger`: each alarm of a side is set off by name, until CloudWatch's history says that its actions were
//! carried out; then it is set back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use aws_sdk_cloudwatch::types::StateValue;
use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Trigger, Triggered};
use dr_core::{Error, ErrorKind, Happened, Region, Result, Timestamp, async_trait};

use super::bells::Bells;
use super::history::{Told, told};
use super::seen::{Seen, look};
use crate::asking::Op;
use crate::client::Aws;
use crate::together::{all, in_doubt};
use crate::waiting::{Look, Pace, until};

/// CloudWatch takes reasons of up to 1,023 characters.
const SAYING: usize = 700;

/// One alarm in a rehearsal.
struct Rehearsal<'a> {
    cx: &'a Cx,
    aws: &'a Aws,
    region: &'a Region,
    name: &'a str,
    /// What its reason bears, so that a repeat and the history know it.
    mark: String,
    reason: String,
    /// Whether this attempt has set it off.
    rung: AtomicBool,
    /// When an earlier attempt did that did not reach everybody, in milliseconds.
    earlier: AtomicI64,
}

#[async_trait]
impl Effect<Trigger> for Bells {
    async fn prepare(&self, cx: &Cx, call: &Trigger) -> Result<Prepared> {
        let side = call.side.side()?;
        let region = &self.side(side)?.region;
        let mark = mark(cx);
        let mut diff = Diff::default();
        for (name, seen) in self.look(cx, side).await? {
            let seen = heard(&name, seen)?;
            let told = told(cx, &self.aws, region, &name, &mark, &seen.actions).await?;
            let ours = is_ours(&seen, &mark);
            if is_done(&told, &seen) && !ours {
                continue;
            }
            if told.went_off.is_none() && !ours {
                at_rest(&seen)?;
            }
            let to = format!("ALARM until {} were carried out, then OK again", seen.actions.join(", "));
            diff = diff.and(format!("{side} {name}"), state(&seen), to);
        }
        // It was quiet, or would not have been set off: there is nothing else to put back.
        let before = Before::nothing();
        Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
    }

    async fn apply(&self, cx: &Cx, call: &Trigger, _was: &Prepared) -> Result<Triggered> {
        let side = call.side.side()?;
        let alarms = self.side(side)?;
        let rehearsals: Vec<Rehearsal<'_>> =
            alarms.names.iter().map(|name| self.rehearsal(cx, &alarms.region, name, call)).collect();
        let ringing = rehearsals.iter().map(Rehearsal::through).collect();
        let reached: BTreeSet<String> = all(ringing).await?.into_iter().flatten().collect();
        Ok(Triggered::new(side.clone(), reached.into_iter().collect()))
    }

    async fn undo(&self, cx: &Cx, call: &Trigger, _was: &Before) -> Result<()> {
        let alarms = self.side(call.side.side()?)?;
        let rehearsals: Vec<Rehearsal<'_>> =
            alarms.names.iter().map(|name| self.rehearsal(cx, &alarms.region, name, call)).collect();
        let quieting = rehearsals.iter().map(Rehearsal::quiet).collect();
        all(quieting).await.map(drop)
    }
}

impl Bells {
    fn rehearsal<'a>(
        &'a self,
        cx: &'a Cx,
        region: &'a Region,
        name: &'a str,
        call: &Trigger,
    ) -> Rehearsal<'a> {
        let mark = mark(cx);
        let saying = match &call.saying {
            Some(saying) => saying.chars().take(SAYING).collect(),
            None => "This is a rehearsal: nothing is wrong.".to_owned(),
        };
        let reason = format!("{saying} {mark} dr set this alarm off by hand and sets it back.");
        Rehearsal {
            cx,
            aws: &self.aws,
            region,
            name,
            mark,
            reason,
            rung: AtomicBool::new(false),
            earlier: AtomicI64::new(0),
        }
    }
}

/// The same for every attempt of a step in a run.
fn mark(cx: &Cx) -> String {
    format!("[{}]", cx.token)
}

fn is_ours(seen: &Seen, mark: &str) -> bool {
    seen.state == Some(StateValue::Alarm) && seen.reason.contains(mark)
}

fn is_done(told: &Told, seen: &Seen) -> bool {
    told.went_off.is_some() && told.failed.is_empty() && told.waiting(&seen.actions).is_empty()
}

fn state(seen: &Seen) -> String {
    seen.state.as_ref().map_or("unknown", StateValue::as_str).to_owned()
}

/// The alarm, if it is there and its going off would reach somebody.
fn heard(name: &str, seen: Option<Seen>) -> Result<Seen> {
    let seen = seen
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such alarm").on(name).not_happened())?;
    match seen.unheard() {
        None => Ok(seen),
        Some(why) => Err(Error::refused(why).on(name)),
    }
}

/// An alarm that has gone off by itself is no rehearsal, and setting it off again would call nobody.
fn at_rest(seen: &Seen) -> Result<()> {
    match seen.state {
        Some(StateValue::Alarm) => {
            Err(Error::refused(format!("it has gone off by itself ({}): see to that first", seen.reason))
                .on(seen.name.clone()))
        }
        None => {
            Err(Error::refused("CloudWatch gives it a state that is not understood").on(seen.name.clone()))
        }
        Some(StateValue::Ok) => Ok(()),
        Some(_) => Err(Error::refused(format!(
            "it has no data ({}): it would not be seen to be quiet again, and would not go off by itself either",
            seen.reason
        ))
        .on(seen.name.clone())),
    }
}

impl Rehearsal<'_> {
    /// Sets it off, waits until everything it does was carried out, and quiets it, whatever came of it.
    async fn through(&self) -> Result<Vec<String>> {
        // Some time is kept for quieting it.
        let ringing = self.cx.within(self.cx.left().mul_f64(0.8));
        let heard = until(&ringing, self.name, Pace::QUICK, || self.ring(&ringing)).await;
        let quiet = self.quiet().await;
        match (heard, quiet) {
            (Ok(reached), Ok(())) => {
                let seen = until(self.cx, self.name, Pace::QUICK, || self.is_quiet()).await;
                seen.map_err(|error| in_doubt(error.on(self.name)))?;
                Ok(reached)
            }
            (Ok(_), Err(error)) => {
                Err(in_doubt(error.with("and", "it was heard, and may still be in ALARM")))
            }
            (Err(error), quiet) => {
                let error = error.on(self.name);
                let error = match quiet {
                    Ok(()) => error,
                    Err(_) => error.with("and", "it may still be in ALARM"),
                };
                Err(if self.rung.load(Ordering::Relaxed) { in_doubt(error) } else { error })
            }
        }
    }

    async fn ring(&self, cx: &Cx) -> Result<Look<Vec<String>>> {
        let seen = self.look(cx).await?;
        let told = told(cx, self.aws, self.region, self.name, &self.mark, &seen.actions).await?;
        let waiting = told.waiting(&seen.actions);
        let ours = is_ours(&seen, &self.mark);
        let at = told.went_off.map_or(0, Timestamp::as_millis);
        let fresh = at > self.earlier.load(Ordering::Relaxed);
        let rung = self.rung.load(Ordering::Relaxed);
        match (told.went_off.is_some() && fresh, waiting.as_slice(), told.failed.as_slice()) {
            (true, [], []) => return Ok(Look::Done(told.reached)),
            (true, [], failed) if rung || ours => {
                let words: Vec<&str> = failed.iter().map(|(_, said)| said.as_str()).collect();
                return Err(Error::new(ErrorKind::Refused, words.join("; ")));
            }
            // An earlier attempt went off and did not reach everybody: it goes off again.
            (true, [], _) => self.earlier.store(at, Ordering::Relaxed),
            (told, waiting, _) if told || ours || rung => {
                let says =
                    format!("it went off; nothing says yet that {} were carried out", waiting.join(", "));
                return Ok(Look::Not(says));
            }
            (false | true, _, _) => {}
        }
        at_rest(&seen)?;
        match self.set(cx, StateValue::Alarm, &self.reason).await {
            Ok(()) => {
                self.rung.store(true, Ordering::Relaxed);
                Ok(Look::Not("it was set off".to_owned()))
            }
            // The next look says whether it was.
            Err(error) if error.happened() == Happened::Maybe => {
                Ok(Look::Not(format!("whether it was set off is not known: {error}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Sets it back, if it still stands as this run left it.
    async fn quiet(&self) -> Result<()> {
        let quieted = until(self.cx, self.name, Pace::QUICK, || self.quieten()).await;
        quieted.map_err(|error| error.on(self.name))
    }

    async fn quieten(&self) -> Result<Look<()>> {
        let seen = self.look(self.cx).await?;
        if !is_ours(&seen, &self.mark) {
            return Ok(Look::Done(()));
        }
        self.set(self.cx, StateValue::Ok, &format!("The rehearsal is over. {}", self.mark)).await?;
        Ok(Look::Not("it was set back".to_owned()))
    }

    async fn is_quiet(&self) -> Result<Look<()>> {
        let seen = self.look(self.cx).await?;
        Ok(match seen.state {
            Some(StateValue::Ok) => Look::Done(()),
            _ => Look::Not(format!("it is {} after the rehearsal ({})", state(&seen), seen.reason)),
        })
    }

    async fn look(&self, cx: &Cx) -> Result<Seen> {
        let names = [self.name.to_owned()];
        let seen = look(cx, self.aws, self.region, &names).await?;
        heard_again(self.name, seen.into_iter().next().and_then(|(_, seen)| seen))
    }

    async fn set(&self, cx: &Cx, to: StateValue, reason: &str) -> Result<()> {
        let cloudwatch = self.aws.cloudwatch(self.region);
        Op::changes("cloudwatch:SetAlarmState")
            .at(self.region)
            .ask(cx, || {
                cloudwatch
                    .set_alarm_state()
                    .alarm_name(self.name)
                    .state_value(to.clone())
                    .state_reason(reason)
                    .send()
            })
            .await?;
        Ok(())
    }
}

/// Quieting does not ask whether anybody would hear it.
fn heard_again(name: &str, seen: Option<Seen>) -> Result<Seen> {
    seen.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such alarm").on(name))
}
