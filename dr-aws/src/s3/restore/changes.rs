//! What a restore changes, key by key. Pure.

use dr_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::s3::versions::{Content, Entry, Versions};

/// A version and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    #[serde(rename = "v")]
    pub(super) version: String,
    /// `None`: a delete marker.
    #[serde(flatten)]
    pub(super) content: Option<Content>,
}

impl Held {
    fn of(entry: &Entry) -> Self {
        Self { version: entry.version.clone(), content: entry.object.clone() }
    }

    /// The object, if it is one.
    pub(super) fn object(this: Option<&Self>) -> Option<(&str, &Content)> {
        let held = this?;
        Some((&held.version, held.content.as_ref()?))
    }
}

/// One key that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// The key that changes.
    #[serde(rename = "k")]
    pub(super) key: String,
    /// The version to copy there, from the key of the same name below the restored prefix. `None`: nothing was there.
    #[serde(rename = "w")]
    pub(super) wanted: Option<Held>,
    /// What is there before. `None`: no version at all.
    #[serde(rename = "b")]
    pub(super) before: Option<Held>,
}

/// What was there at the moment: an object's version, or nothing.
pub(super) fn wanted(versions: &Versions, moment: Timestamp) -> Option<Held> {
    versions.at(moment).filter(|entry| entry.object.is_some()).map(Held::of)
}

/// What is there now.
pub(super) fn present(versions: &Versions) -> Option<Held> {
    versions.current().map(Held::of)
}

/// The change that a key needs, if it needs one. `over`: whether what did not exist then is covered too.
pub(super) fn change(key: &str, wanted: Option<Held>, before: Option<Held>, over: bool) -> Option<Change> {
    let (want, have) = (Held::object(wanted.as_ref()), Held::object(before.as_ref()));
    let same = match (want, have) {
        (None, None) => true,
        (None, Some(_)) => !over,
        (Some(_), None) => false,
        (Some((version, content)), Some((present, there))) => version == present || content.is(there),
    };
    (!same).then(|| Change { key: key.to_owned(), wanted, before })
}

/// How a key stands to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// As before it.
    Before,
    /// As the change leaves it.
    Changed,
    /// What lies on top has the size that the change leaves; its bytes are to be looked at.
    Perhaps,
    /// Otherwise: somebody else's.
    Otherwise,
}

impl Change {
    /// How a key stands to this change, by all its versions.
    pub(super) fn stands(&self, versions: Option<&Versions>) -> Stands {
        let entries = versions.map(Versions::entries).unwrap_or_default();
        let below = self.before.as_ref().map(|before| before.version.as_str());
        let above: Vec<&Entry> =
            entries.iter().take_while(|entry| Some(entry.version.as_str()) != below).collect();
        if below.is_some() && above.len() == entries.len() {
            // What was there is gone from the history: nobody can say what happened since.
            return Stands::Otherwise;
        }
        let Some(top) = above.first() else { return Stands::Before };
        match (Held::object(self.wanted.as_ref()), &top.object) {
            (None, None) => Stands::Changed,
            (Some((_, wanted)), Some(top)) if wanted.is(top) => Stands::Changed,
            (Some((_, wanted)), Some(top)) if wanted.size == top.size && !self.is_before(Some(top)) => {
                Stands::Perhaps
            }
            (_, top) if self.is_before(top.as_ref()) => Stands::Before,
            (Some(_) | None, Some(_) | None) => Stands::Otherwise,
        }
    }

    /// Whether that content is what was there before.
    fn is_before(&self, content: Option<&Content>) -> bool {
        match (Held::object(self.before.as_ref()), content) {
            (None, None) => true,
            (Some((_, before)), Some(content)) => before.is(content),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// The same change backwards: what was before is wanted.
    pub(super) fn backwards(&self) -> Self {
        let object = self.before.clone().filter(|held| held.content.is_some());
        Self { key: self.key.clone(), wanted: object, before: self.wanted.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::versions::tests::{at, entry};

    fn versions(entries: Vec<Entry>) -> Versions {
        Versions::new("k", entries)
    }

    /// Written at 10, overwritten at 20; restored to the moment 15.
    fn overwritten() -> (Versions, Change) {
        let all = versions(vec![entry("b", 20, Some("2")), entry("a", 10, Some("1"))]);
        let change = change("k", wanted(&all, at(15)), present(&all), true).unwrap();
        (all, change)
    }

    #[test]
    fn what_was_overwritten_is_copied_and_what_is_so_is_left() {
        let (all, changed) = overwritten();
        assert_eq!(Held::object(changed.wanted.as_ref()).unwrap().0, "a");
        assert_eq!(change("k", wanted(&all, at(20)), present(&all), true), None);
        let again =
            versions(vec![entry("c", 30, Some("1")), entry("b", 20, Some("2")), entry("a", 10, Some("1"))]);
        assert_eq!(
            change("k", wanted(&again, at(15)), present(&again), true),
            None,
            "the same bytes are there"
        );
    }

    #[test]
    fn what_did_not_exist_is_covered_and_beside_other_things_left() {
        let new = versions(vec![entry("a", 30, Some("1"))]);
        let covered = change("k", wanted(&new, at(15)), present(&new), true).unwrap();
        assert_eq!(covered.wanted, None);
        assert_eq!(change("k", wanted(&new, at(15)), present(&new), false), None);
        let deleted = versions(vec![entry("m", 20, None), entry("a", 10, Some("1"))]);
        assert_eq!(change("k", wanted(&deleted, at(25)), present(&deleted), true), None);
        let back = change("k", wanted(&deleted, at(15)), present(&deleted), true).unwrap();
        assert_eq!(Held::object(back.wanted.as_ref()).unwrap().0, "a");
        assert_eq!(back.before.unwrap().content, None, "the marker that is there");
    }

    #[test]
    fn a_key_is_as_before_as_changed_or_somebody_elses() {
        let (all, change) = overwritten();
        assert_eq!(change.stands(Some(&all)), Stands::Before);
        let with = |new: Entry| {
            let mut entries = all.entries().to_vec();
            entries.push(new);
            versions(entries)
        };
        assert_eq!(change.stands(Some(&with(entry("c", 30, Some("1"))))), Stands::Changed);
        assert_eq!(change.stands(Some(&with(entry("c", 30, Some("2"))))), Stands::Before, "put back");
        assert_eq!(
            change.stands(Some(&with(entry("c", 30, Some("3"))))),
            Stands::Perhaps,
            "the size is the same"
        );
        assert_eq!(change.stands(Some(&with(entry("c", 30, None)))), Stands::Otherwise);
        assert_eq!(change.stands(None), Stands::Otherwise, "what was there is gone");
    }

    #[test]
    fn a_change_survives_its_line() {
        let (_, change) = overwritten();
        let covered = Change { wanted: None, ..change.clone() };
        for change in [change, covered] {
            let line = serde_json::to_string(&change).unwrap();
            assert_eq!(serde_json::from_str::<Change>(&line).unwrap(), change, "{line}");
        }
        let marker = Change {
            key: "k".into(),
            wanted: None,
            before: Some(Held { version: "m".into(), content: None }),
        };
        let line = serde_json::to_string(&marker).unwrap();
        assert_eq!(serde_json::from_str::<Change>(&line).unwrap(), marker, "{line}");
    }
}
