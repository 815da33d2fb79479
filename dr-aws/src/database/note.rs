//! What a promotion notes on the replica before it asks for it: how a doubt about it is settled later, by anybody.

use std::time::Duration;

use dr_core::{Result, Timestamp};

use crate::database::tags::Tags;

const RUN: &str = "dr:promote-run";
const ASKED: &str = "dr:promote-asked";

/// The keys of the note's tags.
pub(crate) const KEYS: [&str; 2] = [RUN, ASKED];

/// For how long a request that was sent may still arrive, and an accepted one may not show yet. AWS refuses a request
/// that is signed more than five minutes ago; the rest is for a clock that is wrong, and for RDS to say `modifying`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>
const MAY_STILL_HAPPEN: Duration = Duration::from_secs(15 * 60);

/// The last request to promote this replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) run: String,
    pub(crate) asked: Timestamp,
}

impl Note {
    /// The note among these tags. `Err`: there is one, and it cannot be read.
    pub(crate) fn read(tags: &Tags) -> Result<Option<Self>, String> {
        match (tags.get(RUN), tags.get(ASKED)) {
            (None, None) => Ok(None),
            (run, asked) => {
                let asked = asked.unwrap_or_default();
                let moment =
                    asked.parse().map_err(|_| format!("its tag {ASKED} is `{asked}`, which is no time"))?;
                Ok(Some(Self { run: run.unwrap_or("unknown").to_owned(), asked: moment }))
            }
        }
    }

    pub(crate) fn to_tags(&self) -> Result<Tags> {
        Tags::default().with(RUN, &self.run)?.with(ASKED, self.asked.to_string())
    }

    /// When the request can no longer have an effect, if it had none by then.
    pub(crate) fn over_at(&self) -> Timestamp {
        self.asked.plus(MAY_STILL_HAPPEN)
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now > self.over_at()
    }

    /// For people.
    pub(crate) fn pending(&self) -> String {
        format!(
            "the run {} asked for its promotion at {}, which may still happen until {}",
            self.run,
            self.asked,
            self.over_at()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_have_its_effect_long_after_it_was_sent() {
        let asked = Timestamp::from_millis(1_800_000_000_000);
        let note = Note { run: "r".into(), asked };
        assert!(!note.is_over(asked.plus(Duration::from_secs(899))));
        assert!(note.is_over(asked.plus(Duration::from_secs(901))));
        assert_eq!(Note::read(&note.to_tags().unwrap()), Ok(Some(note)));
    }

    #[test]
    fn half_a_note_is_not_none() {
        let tags = Tags::default().with(RUN, "r").unwrap();
        assert!(Note::read(&tags).is_err());
    }
}
