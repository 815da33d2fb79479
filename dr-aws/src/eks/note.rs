//! What a group's sizes were before a run first changed them, noted on the group itself: for `replicas: before`.

use dr_core::resource::Cx;
use dr_core::{Error, Result, RunId};

use super::group::{Group, Seen};
use super::sizes::Sizes;

/// The tag that holds it.
pub(super) const TAG: &str = "dr.before";

/// The tag's value: `20261121T020000000Z-abcdef 3 10 3` is the run, and minimum, maximum and desired as they were.
pub(super) fn write(run: &RunId, sizes: Sizes) -> String {
    format!("{run} {} {} {}", sizes.min, sizes.max, sizes.desired)
}

/// The sizes in a tag's value. `None`: it is not ours.
pub(super) fn read(value: &str) -> Option<Sizes> {
    let mut parts = value.split(' ').skip(1);
    let mut size = || parts.next()?.parse().ok();
    let sizes = Sizes { min: size()?, max: size()?, desired: size()? };
    parts.next().is_none().then_some(sizes)
}

/// Whether that run wrote it.
pub(super) fn is_by(value: &str, run: &RunId) -> bool {
    value.split(' ').next() == Some(run.as_str())
}

impl Group {
    /// Notes the sizes, unless this run has done so before.
    pub(super) async fn note(&self, cx: &Cx, seen: &Seen, was: Sizes) -> Result<()> {
        match seen.tags.get(TAG) {
            Some(value) if is_by(value, &cx.run) => Ok(()),
            Some(_) | None => self.tag(cx, &seen.arn, &write(&cx.run, was)).await,
        }
    }

    /// Puts the note back that was there before this run's.
    pub(super) async fn unnote(&self, cx: &Cx, seen: &Seen, was: Option<&String>) -> Result<()> {
        match (seen.tags.get(TAG), was) {
            (Some(now), was) if is_by(now, &cx.run) && Some(now) != was => match was {
                Some(was) => self.tag(cx, &seen.arn, was).await,
                None => self.untag(cx, &seen.arn).await,
            },
            (Some(_) | None, _) => Ok(()),
        }
    }

    async fn tag(&self, cx: &Cx, arn: &str, value: &str) -> Result<()> {
        let eks = self.aws.eks(&self.cluster.region);
        self.changes("eks:TagResource")
            .ask(cx, || eks.tag_resource().resource_arn(arn).tags(TAG, value).send())
            .await
            .map_err(|error| Error::from(error).on(self.shown()))?;
        Ok(())
    }

    async fn untag(&self, cx: &Cx, arn: &str) -> Result<()> {
        let eks = self.aws.eks(&self.cluster.region);
        self.changes("eks:UntagResource")
            .ask(cx, || eks.untag_resource().resource_arn(arn).tag_keys(TAG).send())
            .await
            .map_err(|error| Error::from(error).on(self.shown()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let (run, sizes) = (RunId::new("20261121T020000000Z-abcdef"), Sizes { min: 3, max: 10, desired: 4 });
        let value = write(&run, sizes);
        assert_eq!(read(&value), Some(sizes));
        assert!(is_by(&value, &run) && !is_by(&value, &RunId::new("20261121T020000000Z-abcdeg")));
    }

    #[test]
    fn a_note_that_is_not_ours_is_none() {
        for value in ["", "run", "run 1 2", "run 1 2 x", "run 1 2 3 4", "run -1 2 3"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
