//! Which calls go wrong, and how: told one by one, or drawn from a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dr_core::StepId;
use dr_core::resource::{Action, Prepared};

use super::draw::draw;
use super::recorder::Called;
use super::trouble::Trouble;
use super::troubled::Troubled;

/// One call that goes wrong. As text: `promote/promote:orders apply 1 lost_reply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Of which step.
    pub step: StepId,
    /// Which kind of call.
    pub call: Called,
    /// Which of the step's calls of that kind, over all processes that drive the run: 1 for the first.
    pub nth: u32,
    /// What goes wrong with it.
    pub trouble: Trouble,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.step, self.call, self.nth, self.trouble)
    }
}

impl FromStr for Strike {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim().splitn(4, ' ');
        let (Some(step), Some(call), Some(nth), Some(trouble)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("`{text}` is not `<step> <call> <which> <trouble>`"));
        };
        let nth = nth.parse().map_err(|_| format!("`{nth}` is not the number of a call"))?;
        Ok(Self { step: step.into(), call: call.parse()?, nth, trouble: trouble.parse()? })
    }
}

/// Which calls of a run go wrong. It keeps count over every process that drives the run, and its clones share the count.
///
/// What it did is its text, one [`Strike`] a line, and the text read again does the same: a test that fails prints it,
/// and is replayed with it.
///
/// ```
/// use dr_testkit::decorate::{Called, Schedule, Trouble};
///
/// let told = Schedule::new().at("dns/route:entry", Called::Apply, 1..=2, Trouble::LostReply);
/// let drawn = Schedule::seeded(4711, 20);
/// let replayed: Schedule = "promote/promote:orders apply 1 cut_after 5ms".parse()?;
/// assert_eq!((told.struck(), drawn.struck(), replayed.struck()), (vec![], vec![], vec![]), "nothing was called yet");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    rules: Vec<Rule>,
    chance: Option<(u64, u32)>,
    notes: Arc<Notes>,
}

#[derive(Debug, Clone)]
struct Rule {
    step: Option<StepId>,
    call: Called,
    nth: RangeInclusive<u32>,
    trouble: Trouble,
}

#[derive(Debug, Default)]
struct Notes {
    lifted: AtomicBool,
    calls: Mutex<BTreeMap<(StepId, Called), u32>>,
    looks: Mutex<BTreeMap<StepId, Prepared>>,
    struck: Mutex<Vec<Strike>>,
}

impl Schedule {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a hundred calls `percent` go wrong, in the ways that a backend has to live with; no step's third call of a
    /// kind does, so that a run can come to its end. The same seed is the same trouble.
    pub fn seeded(seed: u64, percent: u32) -> Self {
        Self { chance: Some((seed, percent)), ..Self::default() }
    }

    /// And these calls of a step.
    #[must_use]
    pub fn at(
        mut self,
        step: impl Into<StepId>,
        call: Called,
        nth: RangeInclusive<u32>,
        trouble: Trouble,
    ) -> Self {
        self.rules.push(Rule { step: Some(step.into()), call, nth, trouble });
        self
    }

    /// And these calls of every step.
    #[must_use]
    pub fn everywhere(mut self, call: Called, nth: RangeInclusive<u32>, trouble: Trouble) -> Self {
        self.rules.push(Rule { step: None, call, nth, trouble });
        self
    }

    /// The step's action, in trouble where this says so.
    pub fn on(&self, step: &StepId, inner: Arc<dyn Action>) -> Arc<dyn Action> {
        Arc::new(Troubled::new(self.clone(), step.clone(), inner))
    }

    /// From now on everything goes well.
    pub fn lift(&self) {
        self.notes.lifted.store(true, Ordering::SeqCst);
    }

    /// What went wrong until now, in that order.
    pub fn struck(&self) -> Vec<Strike> {
        self.notes.struck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a call, and says what goes wrong with it.
    pub(super) fn strike(&self, step: &StepId, call: Called) -> Option<Trouble> {
        let nth = {
            let mut calls = self.notes.calls.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = calls.entry((step.clone(), call)).or_default();
            *nth = nth.saturating_add(1);
            *nth
        };
        if self.notes.lifted.load(Ordering::SeqCst) {
            return None;
        }
        let told = self.rules.iter().find(|rule| {
            rule.call == call
                && rule.nth.contains(&nth)
                && rule.step.as_ref().is_none_or(|wanted| wanted == step)
        });
        let trouble = match (told, self.chance) {
            (Some(rule), _) => rule.trouble,
            (None, Some((seed, percent))) => draw(seed, percent, step, call, nth)?,
            (None, None) => return None,
        };
        let strike = Strike { step: step.clone(), call, nth, trouble };
        self.notes.struck.lock().unwrap_or_else(PoisonError::into_inner).push(strike);
        Some(trouble)
    }

    /// Keeps a step's first look.
    pub(super) fn looked(&self, step: &StepId, seen: &Prepared) {
        let mut looks = self.notes.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.entry(step.clone()).or_insert_with(|| seen.clone());
    }

    /// A step's first look.
    pub(super) fn first_look(&self, step: &StepId) -> Option<Prepared> {
        self.notes.looks.lock().unwrap_or_else(PoisonError::into_inner).get(step).cloned()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.struck().iter().try_for_each(|strike| writeln!(f, "{strike}"))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.map(str::parse::<Strike>).try_fold(Self::new(), |schedule, strike| {
            let Strike { step, call, nth, trouble } = strike?;
            Ok(schedule.at(step, call, nth..=nth, trouble))
        })
    }
}
