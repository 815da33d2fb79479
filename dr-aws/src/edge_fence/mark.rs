//! What a fence notes on the thing that it fences, before it touches it.

use dr_core::{Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::database::tags::Tags;

const RUN: &str = "dr:fence-run";
const GROUPS: &str = "dr:fence-groups";
const CUT: &str = "dr:fence-cut";

/// The keys of the tags that a mark is made of.
pub(crate) const KEYS: [&str; 3] = [RUN, GROUPS, CUT];

/// A fence's note: tags, so that it is with the thing and not with whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The run that put the fence up.
    pub(crate) run: String,
    /// The security groups that were attached before; empty if that is not known.
    pub(crate) groups: Vec<String>,
    /// When the fence's group was seen to be the only active one: a restart after that leaves nobody inside.
    pub(crate) cut: Option<Timestamp>,
}

impl Mark {
    /// The mark among these tags. `Err`: there is one, and it cannot be read.
    pub(crate) fn read(tags: &Tags) -> Result<Option<Self>, String> {
        let Some(run) = tags.get(RUN) else { return Ok(None) };
        let groups = tags.get(GROUPS).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        let cut = match tags.get(CUT) {
            None => None,
            Some(text) => {
                Some(text.parse().map_err(|_| format!("its tag {CUT} is `{text}`, which is no time"))?)
            }
        };
        Ok(Some(Self { run: run.to_owned(), groups, cut }))
    }

    /// As tags.
    ///
    /// # Errors
    /// `Invalid` if a tag cannot hold it.
    pub(crate) fn to_tags(&self) -> Result<Tags> {
        let tags = Tags::default().with(RUN, &self.run)?.with(GROUPS, self.groups.join(" "))?;
        match self.cut {
            Some(cut) => tags.with(CUT, cut.to_string()),
            None => Ok(tags),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_as_it_was_written() {
        for cut in [None, Some(Timestamp::from_millis(1_800_000_000_123))] {
            let mark = Mark {
                run: "20270115T080000.000Z-abcdef".into(),
                groups: vec!["sg-1".into(), "sg-2".into()],
                cut,
            };
            assert_eq!(Mark::read(&mark.to_tags().unwrap()), Ok(Some(mark)));
        }
        assert_eq!(Mark::read(&Tags::default()), Ok(None));
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_no_mark() {
        let tags = Tags::default().with(RUN, "x").unwrap().with(CUT, "yesterday").unwrap();
        assert!(Mark::read(&tags).is_err());
    }
}
