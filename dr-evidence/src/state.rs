//! What was seen before the first effect and after the last, one file a side and resource.

use std::collections::BTreeMap;

use dr_core::Side;
use dr_core::journal::Digest;
use dr_core::resource::{Observation, Roles, Seen, Staffing};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::story::{Observed, Story};

/// Where an observation goes that is not divided by sides: routing, for instance.
const WHOLE: &str = "global";

/// The table that every run with workloads has.
const DEPLOYMENTS: &str = "deployments";

/// The longest file name part that is made of a name; what is longer is told apart by its hash.
const LONGEST_NAME: usize = 120;

/// What one file of `state/` holds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StateFile {
    resource: String,
    when: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<String>,
    /// Why something could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<String>,
    /// By group: `replication`, `staffing`, `routing`.
    #[serde(flatten)]
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Serialize)]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Value>,
    facts: BTreeMap<String, String>,
    data: Value,
}

/// Every file of `state/` by path. Of several looks before, the first counts; of several after, the last.
pub(crate) fn states(story: &Story<'_>) -> BTreeMap<String, StateFile> {
    let mut looks: BTreeMap<(&str, &str), &Observed<'_>> = BTreeMap::new();
    for observed in &story.observed {
        let key = (observed.resource.as_str(), observed.when);
        match observed.when {
            "before" => {
                looks.entry(key).or_insert(observed);
            }
            "after" => {
                looks.insert(key, observed);
            }
            // Another release's moment: it stands in the journal.
            _ => {}
        }
    }
    let mut files = BTreeMap::new();
    for ((resource, when), observed) in looks {
        let mut put = |side: Option<&str>, group: Option<(&str, Group)>| {
            let folder = file_name(side.unwrap_or(WHOLE));
            let path = format!("state/{folder}/{}.{when}.json", file_name(resource));
            let file = files.entry(path).or_insert_with(|| StateFile {
                resource: resource.to_owned(),
                when: when.to_owned(),
                side: side.map(str::to_owned),
                unread: observed.why.map(str::to_owned),
                groups: BTreeMap::new(),
            });
            file.groups.extend(group.map(|(name, group)| (name.to_owned(), group)));
        };
        for seen in observed.seen {
            match seen.data.get("sides").and_then(Value::as_object) {
                Some(sides) => by_side(seen, sides, &mut put),
                None => put(None, Some((&seen.group, Group::of(seen, None, seen.data.clone())))),
            }
        }
        if observed.seen.is_empty() {
            put(None, None);
        }
    }
    files
}

fn by_side<'a>(
    seen: &'a Seen,
    sides: &'a Map<String, Value>,
    put: &mut impl FnMut(Option<&str>, Option<(&str, Group)>),
) {
    for (side, data) in sides {
        put(Some(side), Some((&seen.group, Group::of(seen, Some(&Side::new(side.as_str())), data.clone()))));
    }
}

impl Group {
    fn of(seen: &Seen, side: Option<&Side>, data: Value) -> Self {
        let facts = side.map_or(Some(&seen.facts), |side| seen.sides.get(side));
        Self {
            at: seen.data.get("at").cloned(),
            facts: facts.into_iter().flatten().map(|(name, fact)| (name.clone(), fact.to_string())).collect(),
            data,
        }
    }
}

/// The runbooks' flat files, as last seen: `source-deployments.txt`, `target-pods.txt`, and so on. Where nothing has a
/// table of deployments of its own, what is known of the workloads stands there.
pub(crate) fn tables(story: &Story<'_>) -> BTreeMap<String, String> {
    let Roles { source, target } = &story.began().roles;
    let mut files = BTreeMap::new();
    for (role, side) in [("source", source), ("target", target)] {
        let mut tables = tables_of(story, side);
        tables.entry(DEPLOYMENTS.to_owned()).or_insert_with(|| staffing_of(story, side));
        for (name, text) in tables.into_iter().filter(|(_, text)| !text.is_empty()) {
            files.insert(format!("{role}-{}.txt", file_name(&name)), text);
        }
    }
    files
}

/// Every table of the side that was seen last; those of one name from several resources one below the other.
fn tables_of(story: &Story<'_>, side: &Side) -> BTreeMap<String, String> {
    let mut last: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for observed in &story.observed {
        for table in observed.seen.iter().filter_map(|seen| seen.tables.get(side)).flatten() {
            last.insert((table.0, observed.resource.as_str()), table.1);
        }
    }
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    for ((name, _), text) in last {
        let all = tables.entry(name.to_owned()).or_default();
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(text);
    }
    tables
}

/// The lines of the side in every staffing table that was seen last.
fn staffing_of(story: &Story<'_>, side: &Side) -> String {
    let mut last: BTreeMap<&str, &Seen> = BTreeMap::new();
    for observed in &story.observed {
        for seen in observed.seen.iter().filter(|seen| seen.group == Staffing::GROUP) {
            last.insert(observed.resource.as_str(), seen);
        }
    }
    let mut text = String::new();
    for seen in last.into_values() {
        for (place, line) in seen.text.lines().enumerate() {
            if place == 0 || line.split_whitespace().next() == Some(side.as_str()) {
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
    }
    text
}

/// A name as a part of a path: letters, digits, `.`, `_` and `-` stay, every other byte is written as `%2F`, and so is
/// a leading dot. Two names never share a file.
pub(crate) fn file_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for (place, byte) in name.bytes().enumerate() {
        match byte {
            b'.' if place == 0 => safe.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => safe.push(char::from(byte)),
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    if safe.is_empty() {
        safe.push_str("%00");
    }
    if safe.len() > LONGEST_NAME {
        safe = format!("{safe:.40}-{}", Digest::of(name.as_bytes()));
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_in_its_folder() {
        for (name, safe) in [
            ("orders", "orders"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("", "%00"),
            ("a b\n", "a%20b%0A"),
            (".hidden", "%2Ehidden"),
        ] {
            assert_eq!(file_name(name), safe);
        }
        assert_ne!(file_name("a/b"), file_name("a_b"));
        assert!(file_name(&"ä".repeat(500)).len() <= LONGEST_NAME);
    }
}
