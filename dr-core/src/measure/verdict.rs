//! What a run measured, and whether it kept its budget. Pure: the first event, the entries and what probers and
//! ledgers found go in, figures come out. What is not known is no figure, and no figure is no verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::measurement::{Basis, Figure, Gap, LossMeasured, Measurement, OutageMeasured, RtoParts};
use crate::event::{Began, Entry, Event, Mode, Request, Steady};
use crate::ids::StepId;
use crate::plan::{Limit, RtoRpoBudget};
use crate::resource::{Basis as Ground, Call, Class, LossBound, Promote, Promotion, Route, Routed, Urgency};
use crate::runbook::ScriptStep;
use crate::time::Timestamp;

/// What a run's instruments found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// What probers found; one that asked nothing has no entry.
    pub outages: Vec<OutageMeasured>,
    /// What ledgers found; one that wrote nothing has no entry.
    pub losses: Vec<LossMeasured>,
    /// When callers were last answered well before [`Began::outage_since`], where the always-on prober that saw the
    /// outage begin says so ([`super::OutageNow::good_until`]): the outage may be as old as that.
    pub good_until: Option<Timestamp>,
    /// What was known about the loss without a ledger. `None`: what the promotions said.
    pub lag: Option<LagBound>,
    /// What a dry run expects.
    pub estimate: Estimate,
}

/// How far behind the promoted copy was, and how old that knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagBound {
    /// The lag, with its error.
    pub lag: Duration,
    /// How long before the outage it was read.
    pub age: Duration,
}

/// What a dry run expects, where it expects anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// The outage.
    pub rto: Option<Duration>,
    /// The loss.
    pub rpo: Option<Duration>,
}

/// A measurement held against a budget. `None`: nothing was measured, or there is no target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the outage's upper end keeps its target.
    pub rto_met: Option<bool>,
    /// Whether the loss's upper end keeps its target.
    pub rpo_met: Option<bool>,
}

/// Puts a run's figures together.
///
/// The **RTO** is what the first prober's callers went through: every outage that ended in the run or after it, each
/// with its upper end, together. A prober's cache has one age, so the upper end is no earlier than the moment at which
/// nobody can remember an address any more from which the run moved callers in that outage. Where nobody asked, it is the run's own time. Where somebody asked and the outage has
/// no known upper end, or a seat never came back, there is no figure. The **RPO** is the ledgers', the worst of them;
/// without their word the lag and its age; without that nothing.
pub fn measure(began: &Began, entries: &[Entry], findings: Findings) -> Measurement {
    let run = Run::of(began, entries);
    let (rto, rpo) = match began.mode {
        Mode::DryRun => (
            findings.estimate.rto.map(|time| Figure::exact(time, Basis::Estimate)),
            findings.estimate.rpo.map(|time| Figure::exact(time, Basis::Estimate)),
        ),
        Mode::Drill | Mode::Failover | Mode::Switchover | Mode::Failback => {
            (run.rto(&findings), run.rpo(&findings))
        }
        Mode::Protect | Mode::Guard => (None, None),
    };
    let parts = if began.mode.is_live() { run.parts(&findings) } else { RtoParts::default() };
    Measurement { outages: findings.outages, losses: findings.losses, rto, rpo, parts }
}

/// When the old writer was lost to its callers, as far as anybody saw: the outage's beginning or the first fence,
/// whichever was first. What [`super::reconcile`] takes as `cut`.
pub fn cut(began: &Began, entries: &[Entry], outages: &[OutageMeasured]) -> Option<Timestamp> {
    let run = Run::of(began, entries);
    let gap = run.first_prober(outages).and_then(|outage| run.gaps(outage).next()).map(|gap| gap.from);
    [began.outage_since, gap, run.first_risk].into_iter().flatten().min()
}

/// Holds a measurement against a budget. A target is met only if the upper end keeps it. Where there is no upper end
/// but even the lower end breaks the target, it is not met.
pub fn judge(budget: &RtoRpoBudget, measurement: &Measurement) -> Judgement {
    let open_gaps = measurement.outages.first().into_iter().flat_map(|outage| &outage.gaps);
    let out_at_least =
        open_gaps.filter(|gap| gap.at_most.is_none()).map(|gap| gap.at_least).fold(0.0, f64::max);
    let lost_at_least = measurement.losses.iter().filter_map(|loss| loss.lost_span).fold(0.0, f64::max);
    Judgement {
        rto_met: met(budget.rto, measurement.rto.as_ref(), out_at_least),
        rpo_met: met(budget.rpo, measurement.rpo.as_ref(), lost_at_least),
    }
}

fn met(limit: Option<Limit>, figure: Option<&Figure>, at_least: f64) -> Option<bool> {
    let limit = limit?;
    let keeps = |seconds: f64| Duration::try_from_secs_f64(seconds).ok().map(|time| limit.is_met_by(time));
    match figure {
        Some(figure) => keeps(figure.at_most),
        None => keeps(at_least).filter(|met| !met),
    }
}

/// What the entries say about a run's course.
struct Run<'a> {
    began: &'a Began,
    at: Option<Timestamp>,
    urgency: Urgency,
    /// The intent of the first step that may keep callers from writing.
    first_risk: Option<Timestamp>,
    succeeded: BTreeMap<&'a StepId, Timestamp>,
    skipped: BTreeSet<&'a StepId>,
    promotions: Vec<Option<Promotion>>,
    routed: Vec<Routed>,
    turned_back: bool,
}

/// What the first prober says about the RTO.
enum Seen {
    Figure(Figure),
    /// It asked, and there is no upper end.
    Unbounded,
    /// It was not there when it mattered.
    Nothing,
}

impl<'a> Run<'a> {
    fn of(began: &'a Began, entries: &'a [Entry]) -> Self {
        let mut run = Self {
            began,
            at: None,
            urgency: began.urgency,
            first_risk: None,
            succeeded: BTreeMap::new(),
            skipped: BTreeSet::new(),
            promotions: Vec::new(),
            routed: Vec::new(),
            turned_back: false,
        };
        let steps: BTreeMap<&StepId, &ScriptStep> =
            began.script.steps.iter().map(|step| (&step.id, step)).collect();
        let mut steady = Steady::default();
        for entry in entries {
            let at = steady.of(entry);
            match &entry.event {
                Event::Began(_) => run.at = Some(at),
                Event::Started { step, .. } => {
                    let risky = steps.get(step).is_some_and(|step| may_stop_writes(step.class));
                    run.first_risk = run.first_risk.or_else(|| risky.then_some(at));
                }
                Event::Succeeded { step, applied, .. } => {
                    run.succeeded.insert(step, at);
                    let verb = steps.get(step).map(|step| step.verb.as_str());
                    if verb == Some(Promote::VERB) {
                        run.promotions.push(serde_json::from_value(applied.data.clone()).ok());
                    }
                    if verb == Some(Route::VERB) {
                        run.routed.extend(serde_json::from_value::<Routed>(applied.data.clone()).ok());
                    }
                }
                Event::Skipped { step, .. } => {
                    run.skipped.insert(step);
                }
                Event::TurnedBack { .. } => run.turned_back = true,
                Event::Requested { request: Request::GoUnplanned, .. } => run.urgency = Urgency::Unplanned,
                Event::Driven { .. }
                | Event::Failed { .. }
                | Event::Settled { .. }
                | Event::Previewed { .. }
                | Event::NotExercised { .. }
                | Event::UndoStarted { .. }
                | Event::Undone { .. }
                | Event::UndoFailed { .. }
                | Event::Progress { .. }
                | Event::Requested { .. }
                | Event::Observed { .. }
                | Event::Outage(_)
                | Event::FenceBroken { .. }
                | Event::Measured { .. }
                | Event::DebtOpened(_)
                | Event::DebtPaid(_)
                | Event::Samples { .. }
                | Event::Suspended { .. }
                | Event::Ended { .. }
                | Event::Unknown => {}
            }
        }
        run
    }

    fn needed(&self) -> impl Iterator<Item = &'a ScriptStep> {
        let urgency = self.urgency;
        self.began
            .script
            .steps
            .iter()
            .filter(move |step| !step.optional && step.when.is_none_or(|when| when == urgency))
    }

    /// When the last step that had to succeed did; `None`: not all of them have.
    fn end(&self) -> Option<Timestamp> {
        if self.turned_back {
            return None;
        }
        let over: Option<Vec<Timestamp>> = self
            .needed()
            .filter(|step| !self.skipped.contains(&step.id))
            .map(|step| self.succeeded.get(&step.id).copied())
            .collect();
        over?.into_iter().max()
    }

    /// The plan's first prober: its outage is the run's.
    fn first_prober<'f>(&self, outages: &'f [OutageMeasured]) -> Option<&'f OutageMeasured> {
        let probe = &self.began.outages.first()?.probe;
        outages.iter().find(|outage| outage.probe == *probe)
    }

    /// The outages that were not over when the run began.
    fn gaps<'f>(&self, outage: &'f OutageMeasured) -> impl Iterator<Item = &'f Gap> {
        let at = self.at;
        outage.gaps.iter().filter(move |gap| at.is_none_or(|at| gap.to.is_none_or(|to| to >= at)))
    }

    fn rto(&self, findings: &Findings) -> Option<Figure> {
        let prober = self.first_prober(&findings.outages);
        match prober.map_or(Seen::Nothing, |outage| self.seen(outage, findings.good_until)) {
            Seen::Figure(figure) => Some(figure),
            Seen::Unbounded => None,
            Seen::Nothing => {
                let from = self.began.outage_since.into_iter().chain(self.at).min()?;
                let end = self.end().filter(|end| *end >= from)?;
                let oldest = findings.good_until.map_or(from, |good| good.min(from));
                Some(Figure {
                    at_least: end.since(from).as_secs_f64(),
                    at_most: end.since(oldest).as_secs_f64(),
                    basis: Basis::Run,
                })
            }
        }
    }

    fn seen(&self, outage: &OutageMeasured, good_until: Option<Timestamp>) -> Seen {
        let every = self.began.outages.first().map_or(Duration::ZERO, |spec| spec.every).as_secs_f64();
        let watched_from = self.first_risk.or(self.at);
        let there_in_time = watched_from.is_some_and(|from| outage.since <= from);
        let gaps: Vec<&Gap> = self.gaps(outage).collect();
        let Some((first, later)) = gaps.split_first() else {
            return match (there_in_time, outage.recovered) {
                (false, _) => Seen::Nothing,
                (true, None) => Seen::Unbounded,
                (true, Some(_)) => {
                    Seen::Figure(Figure { at_least: 0.0, at_most: every, basis: Basis::Client })
                }
            };
        };
        let (mut at_least, mut at_most) = (first.at_least, first.at_most);
        if let Some(since) = self.began.outage_since.filter(|since| *since < first.from) {
            let unseen = first.from.since(since).as_secs_f64();
            match first.at_most {
                Some(most) => at_most = Some(most + unseen),
                None => {
                    at_least += unseen;
                    let oldest = good_until.map_or(since, |good| good.min(since));
                    at_most = first.to.map(|to| to.since(oldest).as_secs_f64() + every);
                }
            }
        }
        let from = self.began.outage_since.map_or(first.from, |since| since.min(first.from));
        at_most = at_most.map(|most| most.max(self.remembered(first, from)));
        for gap in later {
            at_least += gap.at_least;
            at_most = at_most.zip(gap.at_most).map(|(one, two)| one + two);
        }
        match at_most.filter(|_| outage.recovered.is_some()) {
            Some(at_most) => Seen::Figure(Figure { at_least, at_most, basis: Basis::Client }),
            None => Seen::Unbounded,
        }
    }

    /// How long callers may have been out since then who learnt the old address just before it changed, in seconds.
    fn remembered(&self, gap: &Gap, from: Timestamp) -> f64 {
        let meanwhile = self.routed.iter().filter(|routed| {
            routed.last_old_answer >= gap.from && gap.to.is_none_or(|to| routed.last_old_answer <= to)
        });
        let forgotten = meanwhile.map(|routed| routed.last_old_answer.plus(routed.old_ttl)).max();
        forgotten.map_or(0.0, |at| at.since(from).as_secs_f64())
    }

    fn rpo(&self, findings: &Findings) -> Option<Figure> {
        let by_ledger: Vec<Option<&LossMeasured>> = self
            .began
            .losses
            .iter()
            .map(|spec| findings.losses.iter().find(|loss| loss.store == spec.store && loss.lost.is_some()))
            .collect();
        match by_ledger.into_iter().collect::<Option<Vec<_>>>().filter(|losses| !losses.is_empty()) {
            Some(losses) => losses
                .into_iter()
                .map(|loss| {
                    let (least, most) = loss.lost_span.zip(loss.lost_span_at_most)?;
                    // Where a ledger lost nothing, what a promotion proved says more than how often the ledger wrote.
                    let lost_nothing = loss.lost.as_ref().is_some_and(Vec::is_empty);
                    let proven = self.promised().filter(|_| lost_nothing);
                    Some((
                        least,
                        proven.map_or(most, |bound| most.min((bound.lag + bound.age).as_secs_f64())),
                    ))
                })
                .collect::<Option<Vec<_>>>()
                .map(|spans| Figure {
                    at_least: spans.iter().map(|(least, _)| *least).fold(0.0, f64::max),
                    at_most: spans.iter().map(|(_, most)| *most).fold(0.0, f64::max),
                    basis: Basis::Client,
                }),
            None => findings.lag.or_else(|| self.promised()).map(|bound| Figure {
                at_least: 0.0,
                at_most: (bound.lag + bound.age).as_secs_f64(),
                basis: Basis::Lag,
            }),
        }
    }

    /// The worst that the promotions may have lost, by their own word; `None` if one of them has none.
    fn promised(&self) -> Option<LagBound> {
        let bounds: Option<Vec<Duration>> = self
            .promotions
            .iter()
            .map(|promotion| match &promotion.as_ref()?.basis {
                Ground::Planned { .. } => Some(Duration::ZERO),
                Ground::Forced { loss: LossBound::AtMost { time, .. }, .. } => Some(*time),
                Ground::Forced { loss: LossBound::Unknown { .. }, .. } => None,
            })
            .collect();
        bounds?.into_iter().max().map(|lag| LagBound { lag, age: Duration::ZERO })
    }

    fn parts(&self, findings: &Findings) -> RtoParts {
        let outage = self.first_prober(&findings.outages);
        let seen_begin = outage
            .and_then(|outage| self.gaps(outage).next())
            .filter(|gap| gap.at_most.is_some())
            .map(|gap| gap.from)
            .filter(|from| self.at.is_some_and(|at| *from < at));
        let outage_since = self.began.outage_since.or(seen_begin);
        let recovered = outage.and_then(|outage| outage.recovered);
        let executed = match recovered {
            Some(recovered) => self.last_effect(|at| at <= recovered),
            None => self.end().and_then(|_| self.last_effect(|_| true)),
        };
        RtoParts {
            detection: between(outage_since, self.began.detected),
            decision: between(self.began.detected, self.at),
            execution: between(self.at, executed),
            tail: between(executed, recovered),
        }
    }

    fn last_effect(&self, counts: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
        let effects = self.needed().filter(|step| step.class != Class::Read);
        effects.filter_map(|step| self.succeeded.get(&step.id).copied()).filter(|at| counts(*at)).max()
    }
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    let (from, to) = from.zip(to)?;
    (to >= from).then(|| to.since(from).as_secs_f64())
}

fn may_stop_writes(class: Class) -> bool {
    match class {
        Class::Fence | Class::PointOfNoReturn => true,
        Class::Read | Class::Reversible | Class::Irreversible => false,
    }
}
