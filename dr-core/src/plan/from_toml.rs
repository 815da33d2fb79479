//! TOML into nodes.

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::codes;
use super::finding::Finding;
use super::from_yaml::number;
use super::node::{Key, Kind, Node};
use super::place::Place;

/// The document's table.
pub(super) fn read(text: &str, findings: &mut Vec<Finding>) -> Option<Node> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = lines.place(error.span().map_or(0, |span| span.start));
        let (code, help) = if error.message().contains("duplicate key") {
            (codes::DUPLICATE_KEY, "keep one of the two")
        } else {
            (codes::SYNTAX, "see https://toml.io for what may stand here")
        };
        findings.push(Finding::error(code, place, error.message().to_owned(), help));
    }
    if !errors.is_empty() {
        return None;
    }
    Some(Node { place: Place { line: 1, column: 1 }, kind: map(table.get_ref(), &lines, findings) })
}

fn map(table: &DeTable<'_>, lines: &Lines<'_>, findings: &mut Vec<Finding>) -> Kind {
    let mut entries: Vec<(usize, (Key, Node))> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let key = Key { place: lines.place(start), text: key.get_ref().to_string() };
            without_nul(&key.text, key.place, findings);
            (start, (key, node(value, lines, findings)))
        })
        .collect();
    entries.sort_by_key(|(start, _)| *start);
    Kind::Map(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>, findings: &mut Vec<Finding>) -> Node {
    let place = lines.place(value.span().start);
    let kind = match value.get_ref() {
        DeValue::String(text) => {
            without_nul(text, place, findings);
            Kind::Text(text.to_string())
        }
        DeValue::Integer(whole) => {
            let parsed: Option<Number> = if whole.radix() == 10 {
                number(whole.as_str())
            } else {
                i64::from_str_radix(whole.as_str(), whole.radix()).ok().map(Number::from)
            };
            numeric(parsed, whole.as_str())
        }
        DeValue::Float(float) => numeric(number(float.as_str()), float.as_str()),
        DeValue::Boolean(flag) => Kind::Bool(*flag),
        DeValue::Datetime(time) => Kind::Text(time.to_string()),
        DeValue::Array(items) => Kind::List(items.iter().map(|item| node(item, lines, findings)).collect()),
        DeValue::Table(table) => map(table, lines, findings),
    };
    Node { place, kind }
}

fn without_nul(text: &str, place: Place, findings: &mut Vec<Finding>) {
    if text.contains('\0') {
        findings.push(Finding::error(
            codes::SYNTAX,
            place,
            "a text with a NUL byte in it",
            "remove the byte",
        ));
    }
}

fn numeric(number: Option<Number>, text: &str) -> Kind {
    match number {
        Some(number) => {
            let text = if text.parse::<f64>().is_ok() { text.to_owned() } else { number.to_string() };
            Kind::Number(number, text)
        }
        None => Kind::Text(text.to_owned()),
    }
}

/// Where each line begins, and how many letters stand before each block of bytes: a line may be as long as the document,
/// and every value of it wants its column.
struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
    blocks: Vec<usize>,
}

const BLOCK: usize = 256;

impl<'text> Lines<'text> {
    fn of(text: &'text str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(index, _)| index + 1)).collect();
        let blocks = text.as_bytes().chunks(BLOCK).scan(0, |before, block| {
            let here = *before;
            *before += letters(block);
            Some(here)
        });
        Self { text, starts, blocks: blocks.collect() }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let before = self.letters_before(offset).saturating_sub(self.letters_before(start));
        Place {
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
        }
    }

    fn letters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let rest = self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default();
        self.blocks.get(block).or(self.blocks.last()).copied().unwrap_or(0) + letters(rest)
    }
}

/// How many letters of UTF-8 begin in there.
fn letters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}
