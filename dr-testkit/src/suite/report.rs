//! What a suite found.

use std::fmt;

use dr_core::{Error, ErrorKind};

use super::fixture::{Fixture, Subject};

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The sentence holds.
    Passed,
    /// It does not: what was seen instead.
    Broken(String),
    /// It could not be tried: which lever is missing.
    Skipped(String),
}

/// Why a case ended before its end.
#[derive(Debug)]
pub enum Stop {
    /// The sentence does not hold.
    Broken(String),
    /// It cannot be tried here.
    Skip(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(format!("{error:?}"))
    }
}

/// The cases of a suite, in their order.
#[derive(Debug, Default)]
pub struct Report(Vec<(String, Verdict)>);

impl Report {
    /// Each case's sentence and what became of it.
    pub fn cases(&self) -> &[(String, Verdict)] {
        &self.0
    }

    /// How many sentences hold.
    pub fn passed(&self) -> usize {
        self.0.iter().filter(|(_, verdict)| *verdict == Verdict::Passed).count()
    }

    /// The sentences that could not be tried.
    pub fn skipped(&self) -> Vec<&str> {
        let skipped = self.0.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Skipped(_)));
        skipped.map(|(sentence, _)| sentence.as_str()).collect()
    }

    /// The sentences that do not hold.
    pub fn broken(&self) -> Vec<&str> {
        let broken = self.0.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Broken(_)));
        broken.map(|(sentence, _)| sentence.as_str()).collect()
    }

    /// Passes if no sentence is broken and at least `least` hold: a suite in which nothing ran shows nothing.
    ///
    /// # Panics
    /// If not, with the whole report.
    #[expect(clippy::panic, reason = "it is an assertion")]
    pub fn assert(&self, least: usize) {
        if !self.broken().is_empty() || self.passed() < least {
            panic!(
                "{} cases passed, at least {least} have to, and none may be broken:\n{self}",
                self.passed()
            );
        }
    }

    /// Both reports as one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sentence, verdict) in &self.0 {
            match verdict {
                Verdict::Passed => writeln!(f, "passed   {sentence}")?,
                Verdict::Broken(seen) => {
                    writeln!(f, "BROKEN   {sentence}\n         {}", seen.replace('\n', "\n         "))?;
                }
                Verdict::Skipped(why) => writeln!(f, "skipped  {sentence} ({why})")?,
            }
        }
        Ok(())
    }
}

/// A suite at work: each case gets a fresh subject.
pub(super) struct Suite<'a> {
    fixture: &'a dyn Fixture,
    what: String,
    report: Report,
}

impl<'a> Suite<'a> {
    pub(super) fn new(fixture: &'a dyn Fixture, what: impl Into<String>) -> Self {
        Self { fixture, what: what.into(), report: Report::default() }
    }

    pub(super) async fn case(
        &mut self,
        sentence: &str,
        body: impl AsyncFnOnce(&Subject) -> Result<(), Stop>,
    ) {
        let verdict = match self.fixture.fresh().await {
            Err(error) => Verdict::Broken(format!("no fresh subject: {error:?}")),
            Ok(subject) => match body(&subject).await {
                Ok(()) => Verdict::Passed,
                Err(Stop::Broken(seen)) => Verdict::Broken(seen),
                Err(Stop::Skip(why)) => Verdict::Skipped(why),
            },
        };
        self.report.0.push((format!("{}: {sentence}", self.what), verdict));
    }

    /// A case that is known to be none here: it needs no subject.
    pub(super) fn skip(&mut self, sentence: &str, why: &str) {
        let verdict = Verdict::Skipped(why.to_owned());
        self.report.0.push((format!("{}: {sentence}", self.what), verdict));
    }

    pub(super) fn done(self) -> Report {
        self.report
    }
}

/// Goes on if it is so; says what was seen if not.
pub(super) fn ensure(is: bool, seen: impl fmt::Display) -> Result<(), Stop> {
    if is { Ok(()) } else { Err(Stop::Broken(seen.to_string())) }
}

/// Goes on if it failed as it should; `what` says what succeeded else.
pub(super) fn fails<T: fmt::Debug>(result: Result<T, Error>, what: &str) -> Result<Error, Stop> {
    result.map_or_else(Ok, |done| Err(Stop::Broken(format!("{what}: {done:?}"))))
}

/// Goes on if the error is of that kind.
pub(super) fn ensure_kind(error: &Error, kinds: &[ErrorKind]) -> Result<(), Stop> {
    ensure(kinds.contains(&error.kind()), format!("one of {kinds:?} was expected: {error:?}"))
}
