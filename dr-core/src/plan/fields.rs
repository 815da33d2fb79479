//! Reading a map field by field: each is taken once, what is left over nobody knows.

use std::str::FromStr;
use std::time::Duration;

use super::codes;
use super::finding::Finding;
use super::node::{Key, Kind, Node};
use super::place::Place;
use crate::time::parse_duration;

/// The fields of one map that have not been taken yet.
pub(super) struct Fields<'n> {
    /// What the map is, for messages: `the plan`, `phase promote`.
    what: String,
    place: Place,
    left: Vec<&'n (Key, Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The fields of a map; a finding and `None` if it is none.
    pub(super) fn of(node: &'n Node, what: impl Into<String>, out: &mut Vec<Finding>) -> Option<Self> {
        let what = what.into();
        match &node.kind {
            Kind::Map(entries) => {
                Some(Self { what, place: node.place, left: entries.iter().collect(), known: Vec::new() })
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(..) | Kind::Text(_) | Kind::List(_) => {
                wrong(node, &what, "fields (`name: value`)", out);
                None
            }
        }
    }

    /// Where the map stands.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Takes a field. A field that is there without a value counts as not there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let index = self.left.iter().position(|(key, _)| key.text == name)?;
        let node = &self.left.remove(index).1;
        (!matches!(node.kind, Kind::Null)).then_some(node)
    }

    /// Takes a field that has to be there.
    pub(super) fn need(
        &mut self,
        name: &'static str,
        help: &str,
        out: &mut Vec<Finding>,
    ) -> Option<&'n Node> {
        let node = self.take(name);
        if node.is_none() {
            out.push(Finding::error(
                codes::MISSING_FIELD,
                self.place,
                format!("{} has no `{name}`", self.what),
                help,
            ));
        }
        node
    }

    /// What has not been taken, in the document's order.
    pub(super) fn rest(self) -> Vec<&'n (Key, Node)> {
        self.left
    }

    /// What has not been taken is unknown.
    pub(super) fn finish(self, out: &mut Vec<Finding>) {
        for (key, _) in &self.left {
            let help = match closest(&key.text, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it takes {}", quoted(&self.known)),
            };
            out.push(Finding::error(
                codes::UNKNOWN_FIELD,
                key.place,
                format!("{} has no field `{}`", self.what, key.text),
                help,
            ));
        }
    }
}

/// The names in backticks: "`a`, `b` and `c`".
pub(super) fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// The name that was probably meant.
pub(crate) fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('-', "_");
    let letters = lower.chars().count();
    let far = |name: &str| 1 + name.len().min(lower.len()) / 4;
    names
        // Telling it exactly takes the product of both lengths, and a word may be as long as the document.
        .filter(|name| letters.abs_diff(name.chars().count()) <= far(name))
        .map(|name| (strsim::damerau_levenshtein(&lower, name), name))
        .filter(|(distance, name)| *distance <= far(name))
        .min()
        .map(|(_, name)| name)
}

/// A value that is not what belongs there.
pub(super) fn wrong(node: &Node, what: &str, wanted: &str, out: &mut Vec<Finding>) {
    out.push(Finding::error(
        codes::WRONG_TYPE,
        node.place,
        format!("{what} is {} here", node.what()),
        format!("write {wanted}"),
    ));
}

/// A text, as the source has it: `no` is a word, `012345678901` keeps its zero.
pub(super) fn text(node: &Node, what: &str, out: &mut Vec<Finding>) -> Option<String> {
    match node.text() {
        Some(text) if !text.trim().is_empty() => Some(text.to_owned()),
        Some(_) => {
            bad(node, format!("{what} is empty"), "write a text", out);
            None
        }
        None => {
            wrong(node, what, "a text", out);
            None
        }
    }
}

/// A name: letters, digits, `_`, `-` and `.`, at most a hundred of them.
pub(super) fn name<T: From<String>>(node: &Node, what: &str, out: &mut Vec<Finding>) -> Option<T> {
    let text = text(node, what, out)?;
    check_name(&text, what, node.place, out).then(|| T::from(text))
}

/// Whether a text can be a name.
pub(super) fn check_name(text: &str, what: &str, place: Place, out: &mut Vec<Finding>) -> bool {
    let fits = !text.is_empty()
        && text.len() <= 100
        && text.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'));
    if !fits {
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        out.push(Finding::error(
            codes::BAD_NAME,
            place,
            format!("{what} cannot be named `{shown}`"),
            "a name has letters, digits, `_`, `-` and `.`, at most 100 of them",
        ));
    }
    fits
}

/// A yes or no: `true` or `false`, nothing else.
pub(super) fn flag(node: &Node, what: &str, out: &mut Vec<Finding>) -> Option<bool> {
    match &node.kind {
        Kind::Bool(flag) => Some(*flag),
        Kind::Null | Kind::Number(..) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
            let found = node.text().map_or_else(|| node.what().to_owned(), |text| format!("`{text}`"));
            out.push(Finding::error(
                codes::WRONG_TYPE,
                node.place,
                format!("{what} is {found} here"),
                "write true or false",
            ));
            None
        }
    }
}

/// A duration longer than nothing.
pub(super) fn duration(node: &Node, what: &str, out: &mut Vec<Finding>) -> Option<Duration> {
    let text = text(node, what, out)?;
    match parse_duration(&text) {
        Ok(Duration::ZERO) => {
            bad(node, format!("{what} is no time at all"), "write how long: 10s, 15m", out);
            None
        }
        Ok(duration) => Some(duration),
        Err(why) => {
            bad(node, format!("{what}: {why}"), "write 250ms, 10s, 15m or 1h 30m", out);
            None
        }
    }
}

/// Anything that is read from a text.
pub(super) fn parsed<T: FromStr<Err = String>>(
    node: &Node,
    what: &str,
    help: &str,
    out: &mut Vec<Finding>,
) -> Option<T> {
    let text = text(node, what, out)?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(why) => {
            bad(node, format!("{what}: {why}"), help, out);
            None
        }
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    node: &Node,
    what: &str,
    words: &[(&str, T)],
    out: &mut Vec<Finding>,
) -> Option<T> {
    let text = text(node, what, out)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let help = match closest(&text, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", quoted(&all)),
    };
    bad(node, format!("{what} cannot be `{text}`"), help, out);
    None
}

/// A list, or one thing that stands for a list of one.
pub(super) fn many(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Null | Kind::Bool(_) | Kind::Number(..) | Kind::Text(_) | Kind::Map(_) => {
            std::slice::from_ref(node)
        }
    }
}

/// A value that makes no sense.
pub(super) fn bad(node: &Node, message: impl Into<String>, help: impl Into<String>, out: &mut Vec<Finding>) {
    out.push(Finding::error(codes::BAD_VALUE, node.place, message, help));
}
