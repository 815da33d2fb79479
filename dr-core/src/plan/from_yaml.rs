//! YAML, and with it JSON, into nodes. The parser hands over events with positions; tags, merge keys and several
//! documents are refused, aliases are followed as far as a plan could need them.

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Number;

use super::codes;
use super::finding::Finding;
use super::node::{Key, Kind, Node};
use super::place::Place;

const DEEPEST: usize = 64;
/// How many values anchors and aliases may add to the document: an anchor keeps what it names, an alias repeats it.
const REPEATED: usize = 20_000;
/// So many bytes of text count as one value more: the least text must not become the largest.
const TEXT: usize = 64;

/// The document's one value; `None` if it is empty.
pub(super) fn read(text: &str, findings: &mut Vec<Finding>) -> Option<Node> {
    // A comment is no value. Whether the parser hands comments over is a feature of its crate, which any other crate of
    // the same program may switch on.
    let mut options = Options::default();
    options.set_emit_comments(false);
    let events = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder { events, findings, anchors: BTreeMap::new(), repeated: 0 };
    match builder.document() {
        Ok(node) => node,
        Err(finding) => {
            builder.findings.push(*finding);
            None
        }
    }
}

type Stop = Box<Finding>;

struct Builder<'text, 'out> {
    events: Parser<'text, StrInput<'text>>,
    findings: &'out mut Vec<Finding>,
    anchors: BTreeMap<usize, (Node, usize)>,
    repeated: usize,
}

impl<'text> Builder<'text, '_> {
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let Some((event, place)) = self.next()? else { return Ok(root) };
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(syntax(
                        place,
                        "a second document begins here",
                        "a plan is one document: remove the `---`",
                    ));
                }
                Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                    let node = self.node(event, place, 0)?.0;
                    root = Some(node);
                }
                // Only marks: stream and document ends. The enum is the parser's and open.
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'text>, Place)>, Stop> {
        match self.events.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, place_of(&span)))),
            Some(Err(error)) => {
                let place = place(error.marker().line(), error.marker().col());
                Err(syntax(place, error.info(), "check indentation, quotes and brackets here and above"))
            }
        }
    }

    /// A node and how many values it counts for.
    fn node(&mut self, event: Event<'text>, place: Place, depth: usize) -> Result<(Node, usize), Stop> {
        if depth > DEEPEST {
            return Err(Box::new(Finding::error(
                codes::TOO_DEEP,
                place,
                format!("nested deeper than {DEEPEST} levels"),
                "a plan needs no more than ten",
            )));
        }
        let (kind, count, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref(), place)?, 1 + text.len() / TEXT, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                untagged(tag.as_deref(), place)?;
                let (items, count) = self.list(depth)?;
                (Kind::List(items), count, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                untagged(tag.as_deref(), place)?;
                let (entries, count) = self.map(depth)?;
                (Kind::Map(entries), count, anchor)
            }
            Event::Alias(id) => return self.alias(id, place),
            _ => return Err(syntax(place, "a value is missing here", "write one")),
        };
        let node = Node { place, kind };
        if anchor > 0 {
            self.repeats(count, place)?;
            self.anchors.insert(anchor, (node.clone(), count));
        }
        Ok((node, count))
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(Node, usize), Stop> {
        let Some((node, count)) = self.anchors.get(&id) else {
            return Err(syntax(place, "this alias stands inside its own anchor", "write the value out"));
        };
        let (kind, count) = (node.kind.clone(), *count);
        self.repeats(count, place)?;
        Ok((Node { place, kind }, count))
    }

    /// Counts values that stand in memory once more than in the document.
    fn repeats(&mut self, count: usize, place: Place) -> Result<(), Stop> {
        self.repeated += count;
        if self.repeated <= REPEATED {
            return Ok(());
        }
        Err(Box::new(Finding::error(
            codes::TOO_LARGE,
            place,
            format!("anchors and aliases repeat more than {REPEATED} values"),
            "write the values out",
        )))
    }

    fn list(&mut self, depth: usize) -> Result<(Vec<Node>, usize), Stop> {
        let (mut items, mut count) = (Vec::new(), 1);
        while let Some((event, place)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let (node, more) = self.node(event, place, depth + 1)?;
            count += more;
            items.push(node);
        }
        Ok((items, count))
    }

    fn map(&mut self, depth: usize) -> Result<(Vec<(Key, Node)>, usize), Stop> {
        let (mut entries, mut count) = (Vec::<(Key, Node)>::new(), 1);
        let mut seen = BTreeMap::<String, Place>::new();
        while let Some((event, place)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            if merges {
                return Err(syntax(
                    place,
                    "merge keys (`<<`) are not part of YAML 1.2",
                    "write the values out, or use an alias for the whole value",
                ));
            }
            let (key, own) = self.node(event, place, depth + 1)?;
            let Some(text) = key.text().map(str::to_owned) else {
                return Err(syntax(place, "a key has to be a text", "write a name in its place"));
            };
            let Some((event, value_at)) = self.next()? else { break };
            let (node, more) = self.node(event, value_at, depth + 1)?;
            count += own + more;
            match seen.get(&text) {
                Some(first) => self.findings.push(Finding::error(
                    codes::DUPLICATE_KEY,
                    place,
                    format!("`{text}` stands here and at {first}"),
                    "keep one of the two",
                )),
                None => {
                    seen.insert(text.clone(), place);
                    entries.push((Key { place, text }, node));
                }
            }
        }
        Ok((entries, count))
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> Result<Kind, Stop> {
    if text.contains('\0') {
        return Err(syntax(place, "a text with a NUL byte in it", "remove the byte"));
    }
    let plain = match tag {
        None => style == ScalarStyle::Plain,
        Some(tag) if tag.is_yaml_core_schema_tag("str") => false,
        Some(_) => {
            untagged(tag, place)?;
            false
        }
    };
    Ok(if plain { resolved(text) } else { Kind::Text(text.to_owned()) })
}

/// A plain scalar by the core schema, `True` and `TRUE` excepted: only `true` and `false` are booleans here.
fn resolved(text: &str) -> Kind {
    match text {
        "" | "~" | "null" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        _ => number(text)
            .map_or_else(|| Kind::Text(text.to_owned()), |number| Kind::Number(number, text.to_owned())),
    }
}

/// A decimal number, as far as JSON has it.
pub(super) fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit())
        || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+'))
    {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    Number::from_f64(text.parse().ok()?)
}

fn untagged(tag: Option<&Tag>, place: Place) -> Result<(), Stop> {
    match tag {
        None => Ok(()),
        Some(tag) => {
            Err(syntax(place, format!("the tag `{}` means nothing here", tag.original()), "remove it"))
        }
    }
}

fn syntax(place: Place, message: impl Into<String>, help: &str) -> Stop {
    Box::new(Finding::error(codes::SYNTAX, place, message, help))
}

fn place_of(span: &Span) -> Place {
    place(span.start.line(), span.start.col())
}

fn place(line: usize, column: usize) -> Place {
    Place {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column + 1).unwrap_or(u32::MAX),
    }
}
