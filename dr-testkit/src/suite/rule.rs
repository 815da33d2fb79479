//! What a trait's documentation says, word for word, and what to do where it is not kept: a broken sentence is told with
//! both, so that a backend's author need not know how the suite looked.

use std::fmt;

use dr_core::{Error, Result};

use super::report::Stop;

/// A sentence of the documentation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Of what: `Effect::apply`.
    pub(super) of: &'static str,
    /// Its words.
    pub(super) says: &'static str,
    /// The way out.
    pub(super) so: &'static str,
}

impl Rule {
    /// Goes on if it is so; else says what was seen, and this.
    pub(super) fn holds(&self, is: bool, seen: impl fmt::Display) -> Result<(), Stop> {
        if is { Ok(()) } else { Err(self.broken(seen)) }
    }

    /// It is not kept.
    pub(super) fn broken(&self, seen: impl fmt::Display) -> Stop {
        Stop::Broken(format!("{seen}\n{} says: {}\nso: {}", self.of, self.says, self.so))
    }

    /// What succeeded, as this says that it does; `what` was called.
    pub(super) fn succeeded<T>(&self, what: &str, result: Result<T>) -> Result<T, Stop> {
        result.map_err(|error: Error| self.broken(format!("{what} failed: {error:?}")))
    }

    /// Goes on if the world is the same.
    pub(super) fn same(&self, before: &str, after: &str) -> Result<(), Stop> {
        self.holds(before == after, format!("the world changed from\n{before}\nto\n{after}"))
    }
}

macro_rules! rules {
    ($($name:ident = $of:literal, $says:literal, $so:literal;)*) => {
        $(pub(super) const $name: Rule = Rule { of: $of, says: $says, so: $so };)*
        #[cfg(test)]
        const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    LOOKS_ONLY = "Effect::prepare",
        "Never changes anything.",
        "only read in `prepare`: it is the dry run, and is called at any time";
    ALREADY = "Effect::prepare",
        "[`Standing::Already`] exactly when `apply` would be a no-op.",
        "compare all that `apply` would make so with what is there, and nothing that moves by itself";
    NOT_READ = "Effect::prepare",
        "What cannot be read is [`Standing::Unknown`] or an error, never `Already`.",
        "return the error of the read; remember nothing from an earlier look";
    OBSERVED = "Effect::apply",
        "Makes it so, and returns when it is so, observed in the system itself rather than assumed from its reply.",
        "a request's reply is not yet the change: look until the system itself shows it, within `cx.deadline`";
    CONVERGENT = "Effect::apply",
        "Convergent: a repeat, or a repeat after a lost reply, ends in the same world and returns the same outcome.",
        "begin `apply` with a look: where it is so already, change nothing and return the outcome as the system tells it";
    DROPPED = "Effect::apply",
        "dropped at any await it may be called again.",
        "a run that crashed calls it again: take up what a half-done attempt left instead of failing on it";
    IN_TIME = "Effect::apply",
        "It keeps to `cx.deadline`",
        "bound every wait by `cx.deadline`, a connection's too; `cx.bound` does it for a future";
    PROVEN = "Effect::apply",
        "An error says [`crate::Happened::No`] only where that is proven.",
        "say `not_happened` before the first request was sent, and after it only where the system says that it did nothing";
    PUT_BACK = "Effect::undo",
        "Puts back what `was` holds, wherever the apply got to. Convergent as well.",
        "record in `prepare` all that `apply` changes, and compare with it in `undo`";
    CONFLICT = "Effect::undo",
        "Only where the world still is as this step left it: a change by someone else since is `Conflict`, and stays.",
        "leave a mark of the run where the change is made, and look at it before anything is put back";
    CANCELS = "Effect::undo",
        "For a point of no return, undo is *cancel*: `Ok` is the proof that the effect did not happen and can no longer happen; anything less is an error.",
        "look whether it took effect; without a proof return an error, as the default does";
    PART = "Observe",
        "what is unknown about a part stands as unknown in the observation, and is never a default.",
        "leave `None` what was not read in this very look, of a part that did not answer all of it";
    LAG = "NodeState::lag",
        "Idle and caught up is zero; unknown is `None`, never zero.",
        "say zero only where the primary and the copy were both read and the copy has all of it; without a link say `None`";
    WRITER = "Promote",
        "Succeeded means: a row was written, committed and read back there through the address that callers use.",
        "write a row and read it back as callers do before `apply` returns, and let the observation say who is `writable`";
    GROUNDED = "Promote",
        "Without a [`Basis`] every store refuses; the core fills it in just before each attempt",
        "return `Error::refused` where `call.basis` is `None`, before anything is sent";
    PLANNED = "Basis::Planned",
        "the store itself proves that nothing acknowledged is missing before it promotes; else it returns `NotReady`.",
        "look at the old writer itself: that it takes no writes, and that the target has its log to the end";
    EARLIER = "Basis::of_an_earlier_attempt",
        "what it took with it nobody remembers, and a proof that was not taken now is none.",
        "where the look in `apply` finds a primary, return `basis.of_an_earlier_attempt(cx)`";
    HOLDS = "Holds::holds",
        "Looks now, and changes nothing. A setting that a session can change is never `Confirmed`",
        "look at each part of the fence anew; what was true when it was set is no answer";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation of the traits, one line.
    fn documentation() -> String {
        let files = [
            include_str!("../../../dr-core/src/resource/effect.rs"),
            include_str!("../../../dr-core/src/resource/fence.rs"),
            include_str!("../../../dr-core/src/resource/observe.rs"),
            include_str!("../../../dr-core/src/resource/promote.rs"),
            include_str!("../../../dr-core/src/resource/replication.rs"),
        ];
        let lines = files.iter().flat_map(|file| file.lines());
        let docs: Vec<&str> =
            lines.filter_map(|line| line.trim().strip_prefix("///")).map(str::trim).collect();
        docs.join(" ")
    }

    #[test]
    fn every_rule_is_told_in_the_words_of_the_documentation() {
        let documentation = documentation();
        let invented: Vec<_> = ALL.iter().filter(|rule| !documentation.contains(rule.says)).collect();
        assert!(invented.is_empty(), "{invented:#?}");
    }
}
