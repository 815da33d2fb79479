//! The verb `trigger`: each alarm of a side is set off by name, until CloudWatch's history says that its actions were
//! carried out; then it is put back into the state that it had.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_cloudwatch::types::StateValue;
use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Trigger, Triggered};
use dr_core::{Error, ErrorKind, Happened, Region, Result, async_trait};
use serde::{Deserialize, Serialize};

use super::bells::Bells;
use super::history::{Told, told};
use super::seen::{Seen, look};
use crate::asking::Op;
use crate::client::Aws;
use crate::together::{all, in_doubt};
use crate::waiting::{Look, Pace, until};

/// CloudWatch takes reasons of up to 1,023 characters.
const SAYING: usize = 700;

/// Each alarm's state before, in CloudWatch's word.
type Was = BTreeMap<String, AlarmWas>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AlarmWas {
    state: String,
}

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
}

#[async_trait]
impl Effect<Trigger> for Bells {
    async fn prepare(&self, cx: &Cx, call: &Trigger) -> Result<Prepared> {
        let side = call.side.side()?;
        let region = &self.side(side)?.region;
        let mark = mark(cx);
        let (mut was, mut diff) = (Was::new(), Diff::default());
        for (name, seen) in self.look(cx, side).await? {
            let seen = heard(&name, seen)?;
            let told = told(cx, &self.aws, region, &name, &mark, &seen.actions).await?;
            let ours = is_ours(&seen, &mark);
            if is_done(&told, &seen) && !ours {
                was.insert(name, AlarmWas { state: state(&seen) });
                continue;
            }
            if told.went_off.is_none() && !ours {
                at_rest(&seen)?;
            }
            let to = format!("ALARM until {} were carried out, then as it was", seen.actions.join(", "));
            diff = diff.and(format!("{side} {name}"), state(&seen), to);
            was.insert(name, AlarmWas { state: state(&seen) });
        }
        let before = Before::of(&was)?;
        Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
    }

    async fn apply(&self, cx: &Cx, call: &Trigger, was: &Prepared) -> Result<Triggered> {
        let side = call.side.side()?;
        let was: Was = was.before.read()?;
        let alarms = self.side(side)?;
        let rehearsals: Vec<Rehearsal<'_>> =
            alarms.names.iter().map(|name| self.rehearsal(cx, &alarms.region, name, call)).collect();
        let ringing = rehearsals.iter().map(|rehearsal| rehearsal.through(was.get(rehearsal.name))).collect();
        let reached = all(ringing).await?;
        Ok(Triggered::new(side.clone(), reached.into_iter().flatten().collect()))
    }

    async fn undo(&self, cx: &Cx, call: &Trigger, was: &Before) -> Result<()> {
        let was: Was = was.read()?;
        let alarms = self.side(call.side.side()?)?;
        let rehearsals: Vec<Rehearsal<'_>> =
            alarms.names.iter().map(|name| self.rehearsal(cx, &alarms.region, name, call)).collect();
        let quieting = rehearsals.iter().map(|rehearsal| rehearsal.quiet(was.get(rehearsal.name))).collect();
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
        Rehearsal { cx, aws: &self.aws, region, name, mark, reason, rung: AtomicBool::new(false) }
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
        Some(_) => Ok(()),
    }
}

impl Rehearsal<'_> {
    /// Sets it off, waits until everything it does was carried out, and quiets it, whatever came of it.
    async fn through(&self, was: Option<&AlarmWas>) -> Result<Vec<String>> {
        // Some time is kept for quieting it.
        let ringing = self.cx.within(self.cx.left().mul_f64(0.8));
        let heard = until(&ringing, self.name, Pace::QUICK, || self.ring(&ringing)).await;
        let quiet = self.quiet(was).await;
        match (heard, quiet) {
            (Ok(reached), Ok(())) => Ok(reached),
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
        if told.went_off.is_some() && waiting.is_empty() {
            return match told.failed.as_slice() {
                [] => Ok(Look::Done(
                    told.reached.iter().map(|action| format!("{action} (by {})", self.name)).collect(),
                )),
                failed => {
                    let words: Vec<&str> = failed.iter().map(|(_, said)| said.as_str()).collect();
                    Err(Error::new(ErrorKind::Refused, words.join("; ")))
                }
            };
        }
        let ours = is_ours(&seen, &self.mark);
        if told.went_off.is_some() || ours || self.rung.load(Ordering::Relaxed) {
            let says = format!("it went off; nothing says yet that {} were carried out", waiting.join(", "));
            return Ok(Look::Not(says));
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

    /// Puts it back into the state that it had, if it still stands as this run left it.
    async fn quiet(&self, was: Option<&AlarmWas>) -> Result<()> {
        until(self.cx, self.name, Pace::QUICK, || self.quieten(was))
            .await
            .map_err(|error| error.on(self.name))
    }

    async fn quieten(&self, was: Option<&AlarmWas>) -> Result<Look<()>> {
        let seen = self.look(self.cx).await?;
        if !is_ours(&seen, &self.mark) {
            return Ok(Look::Done(()));
        }
        let to = match was.map(|was| StateValue::from(was.state.as_str())) {
            // It finds its own state with its next data.
            None | Some(StateValue::Alarm) => StateValue::InsufficientData,
            Some(state) => state,
        };
        self.set(self.cx, to, &format!("The rehearsal is over. {}", self.mark)).await?;
        Ok(Look::Not("it was set back".to_owned()))
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
