//! From text to a [`Plan`]: everything that is wrong is reported, each with its place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::budget::RtoRpoBudget;
use super::codes;
use super::document::{
    Acknowledgement, LossSpec, Measure, OnFailure, OutageSpec, Plan, ResourceSpec, StateLocation,
};
use super::fields::{self, Fields, bad};
use super::finding::{Finding, Severity};
use super::format::Format;
use super::node::{Kind, Node, escaped, object};
use super::place::Place;
use super::{from_toml, from_yaml, parse_phases};
use crate::ids::ResourceName;

/// The largest document, in bytes.
const LARGEST: usize = 1 << 20;
/// The language's version, as `schema:` names it.
const SCHEMA: &str = "dr/v1";
/// No prober and no ledger asks more often.
const MOST_OFTEN: Duration = Duration::from_millis(10);

impl Plan {
    /// Reads a plan.
    ///
    /// ```
    /// use dr_core::plan::{Format, Plan};
    ///
    /// let plan = Plan::parse(
    ///     "schema: dr/v1\n\
    ///      name: orders\n\
    ///      resources: { shop: { kind: http, url: https://shop.example.com/health } }\n\
    ///      phases: [ { name: look, steps: [ { probe: shop } ] } ]\n",
    ///     Format::Yaml,
    /// )
    /// .expect("a plan");
    /// assert_eq!(plan.phases[0].steps[0].verb, "probe");
    ///
    /// let findings = Plan::parse("schema: dr/v1\nnaem: orders\n", Format::Yaml).expect_err("no plan");
    /// assert!(findings.iter().any(|finding| finding.help == "did you mean `name`?"));
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with it as a document, in the document's order. What is wrong with it as a plan is
    /// found when it is compiled and checked.
    pub fn parse(text: &str, format: Format) -> Result<Self, Vec<Finding>> {
        let mut out = Vec::new();
        let plan = parse(text, format, &mut out);
        out.sort_by_key(|finding| (finding.place, finding.severity));
        match plan {
            Some(plan) if out.iter().all(|finding| finding.severity != Severity::Error) => Ok(plan),
            Some(_) | None => Err(out),
        }
    }

    /// Reads a plan from a file's bytes.
    ///
    /// # Errors
    /// As [`Plan::parse`], and if they are not UTF-8.
    pub fn read(bytes: &[u8], format: Format) -> Result<Self, Vec<Finding>> {
        if let Some(finding) = oversize(bytes.len()) {
            return Err(vec![finding]);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text, format),
            Err(error) => {
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                Err(vec![Finding::error(
                    codes::NOT_UTF8,
                    end_of(&good),
                    "the file is not UTF-8 from here on",
                    "save it as UTF-8",
                )])
            }
        }
    }
}

fn parse(text: &str, format: Format, out: &mut Vec<Finding>) -> Option<Plan> {
    if let Some(finding) = oversize(text.len()) {
        out.push(finding);
        return None;
    }
    let document = text.strip_prefix('\u{feff}').unwrap_or(text);
    let node = match format {
        Format::Yaml => from_yaml::read(document, out),
        Format::Toml => from_toml::read(document, out),
        Format::Json if document.trim().is_empty() => None,
        Format::Json => match serde_json::from_str::<serde::de::IgnoredAny>(document) {
            Ok(_) => from_yaml::read(&as_yaml(document), out),
            Err(error) => {
                let place = Place { line: saturated(error.line()), column: saturated(error.column().max(1)) };
                let text = error.to_string();
                let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
                out.push(Finding::error(codes::SYNTAX, place, message, "check quotes, commas and brackets"));
                None
            }
        },
    };
    let empty = node.as_ref().is_none_or(|node| match &node.kind {
        Kind::Null => true,
        Kind::Map(entries) => entries.is_empty(),
        Kind::Bool(_) | Kind::Number(..) | Kind::Text(_) | Kind::List(_) => false,
    });
    if empty {
        if out.is_empty() {
            out.push(Finding::error(
                codes::EMPTY,
                Place { line: 1, column: 1 },
                "the plan is empty",
                "begin with `schema: dr/v1`, `name:`, `resources:` and `phases:`",
            ));
        }
        return None;
    }
    document_of(&node?, text, out)
}

/// JSON is YAML but for characters that YAML wants escaped: in JSON they can only stand in a text.
fn as_yaml(json: &str) -> Cow<'_, str> {
    let unprintable = |letter: char| {
        matches!(letter, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if !json.contains(unprintable) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.chars().fold(String::with_capacity(json.len()), |mut text, letter| {
        if unprintable(letter) {
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        } else {
            text.push(letter);
        }
        text
    }))
}

fn document_of(node: &Node, text: &str, out: &mut Vec<Finding>) -> Option<Plan> {
    let mut top = Fields::of(node, "the plan", out)?;
    if let Some(schema) = top.need("schema", "write `schema: dr/v1`", out)
        && schema.text() != Some(SCHEMA)
    {
        out.push(Finding::error(
            codes::UNKNOWN_SCHEMA,
            schema.place,
            format!("`{}` is no version of the plan language", schema.text().unwrap_or(schema.what())),
            format!("this release reads `{SCHEMA}`"),
        ));
    }
    let name = top
        .need("name", "give the plan a name: it is typed to confirm a run", out)
        .and_then(|node| fields::name::<String>(node, "`name`", out));
    let source = top.take("source").and_then(|node| fields::name(node, "`source`", out));
    let target = top.take("target").and_then(|node| fields::name(node, "`target`", out));
    let budget = top.take("budget").map(|node| budget(node, out)).unwrap_or_default();
    let state = top.take("state").and_then(|node| state(node, out)).unwrap_or_default();
    let on_failure = top.take("on_failure").and_then(|node| {
        let words = [("undo", OnFailure::Undo), ("hold", OnFailure::Hold)];
        fields::word(node, "`on_failure`", &words, out)
    });
    let acknowledge = top.take("acknowledge");
    let acknowledge = acknowledge
        .map(|node| fields::many(node).iter().filter_map(|node| acknowledgement(node, out)).collect())
        .unwrap_or_default();
    let resources = top
        .need("resources", "name what the plan acts on: `resources: { orders: { kind: postgres, … } }`", out)
        .map(|node| resources(node, out))
        .unwrap_or_default();
    let measure = top.take("measure").map(|node| measure(node, out)).unwrap_or_default();
    let phases = top
        .need("phases", "say what happens: `phases: [ { name: promote, steps: […] } ]`", out)
        .map(|node| parse_phases::phases(node, out))
        .unwrap_or_default();
    top.finish(out);
    Some(Plan {
        name: name?,
        source,
        target,
        budget,
        state,
        on_failure,
        acknowledge,
        resources,
        measure,
        phases,
        places: top_places(node),
        text: Arc::from(text),
        hash: hash(text),
    })
}

fn budget(node: &Node, out: &mut Vec<Finding>) -> RtoRpoBudget {
    const HELP: &str = "write 15m, \"<= 15m\" or \"< 5m\"";
    let Some(mut fields) = Fields::of(node, "`budget`", out) else { return RtoRpoBudget::default() };
    let budget = RtoRpoBudget {
        rto: fields.take("rto").and_then(|node| fields::parsed(node, "`rto`", HELP, out)),
        rpo: fields.take("rpo").and_then(|node| fields::parsed(node, "`rpo`", HELP, out)),
        detection: fields.take("detection").and_then(|node| fields::duration(node, "`detection`", out)),
        decision: fields.take("decision").and_then(|node| fields::duration(node, "`decision`", out)),
    };
    fields.finish(out);
    budget
}

fn state(node: &Node, out: &mut Vec<Finding>) -> Option<StateLocation> {
    if let Kind::Map(_) = node.kind {
        let mut fields = Fields::of(node, "`state`", out)?;
        let default = StateLocation::default();
        let at = fields.take("at").and_then(|node| fields::text(node, "`at` of `state`", out));
        let local = fields.take("local").and_then(|node| fields::flag(node, "`local` of `state`", out));
        let region = fields.take("region").and_then(|node| fields::name(node, "`region` of `state`", out));
        fields.finish(out);
        return Some(StateLocation {
            at: at.unwrap_or(default.at),
            local: local.unwrap_or(default.local),
            region,
        });
    }
    let at = fields::text(node, "`state`", out)?;
    Some(StateLocation { at, ..StateLocation::default() })
}

fn acknowledgement(node: &Node, out: &mut Vec<Finding>) -> Option<Acknowledgement> {
    let mut fields = Fields::of(node, "an acknowledgement", out)?;
    let code = fields
        .need("code", "name the warning: the word in brackets behind it", out)
        .and_then(|node| fields::name(node, "`code`", out));
    let reason = fields
        .need("reason", "say why it is all right: the evidence shows it", out)
        .and_then(|node| fields::text(node, "`reason`", out));
    fields.finish(out);
    Some(Acknowledgement { code: code?, reason: reason? })
}

fn resources(node: &Node, out: &mut Vec<Finding>) -> BTreeMap<ResourceName, ResourceSpec> {
    let Some(fields) = Fields::of(node, "`resources`", out) else { return BTreeMap::new() };
    let mut resources = BTreeMap::new();
    for (key, node) in fields.rest() {
        let what = format!("resource `{}`", key.text);
        let fits = fields::check_name(&key.text, "a resource", key.place, out);
        let Some(mut fields) = Fields::of(node, &*what, out) else { continue };
        let kind = fields
            .need("kind", "say which backend it is for: `kind: postgres`", out)
            .and_then(|node| fields::name(node, &format!("`kind` of {what}"), out));
        let config = Value::Object(object(fields.rest().into_iter()));
        if let (true, Some(kind)) = (fits, kind) {
            let spec = ResourceSpec { kind, config, place: key.place, places: node.places() };
            resources.insert(ResourceName::new(&*key.text), spec);
        }
    }
    resources
}

fn measure(node: &Node, out: &mut Vec<Finding>) -> Measure {
    let Some(mut fields) = Fields::of(node, "`measure`", out) else { return Measure::default() };
    let outages = fields.take("outage").map(fields::many).unwrap_or_default();
    let losses = fields.take("loss").map(fields::many).unwrap_or_default();
    let measure = Measure {
        outages: outages.iter().filter_map(|node| outage(node, out)).collect(),
        losses: losses.iter().filter_map(|node| loss(node, out)).collect(),
    };
    fields.finish(out);
    measure
}

fn outage(node: &Node, out: &mut Vec<Finding>) -> Option<OutageSpec> {
    let mut fields = Fields::of(node, "`outage`", out)?;
    let probe = fields
        .need("probe", "name the resource that is asked", out)
        .and_then(|node| fields::name(node, "`probe`", out));
    let every = fields.take("every").and_then(|node| every(node, out));
    let recovered_after = fields.take("recovered_after").and_then(|node| count(node, out));
    let write = fields.take("write").and_then(|node| fields::flag(node, "`write`", out));
    fields.finish(out);
    Some(OutageSpec {
        probe: probe?,
        every: every.unwrap_or(Duration::from_millis(250)),
        recovered_after: recovered_after.unwrap_or(3),
        write: write.unwrap_or(false),
    })
}

fn loss(node: &Node, out: &mut Vec<Finding>) -> Option<LossSpec> {
    let mut fields = Fields::of(node, "`loss`", out)?;
    let store = fields
        .need("store", "name the store that the rows end in", out)
        .and_then(|node| fields::name(node, "`store`", out));
    let via = fields.take("via").and_then(|node| fields::name(node, "`via`", out));
    let every = fields.take("every").and_then(|node| every(node, out));
    fields.finish(out);
    Some(LossSpec { store: store?, via, every: every.unwrap_or(Duration::from_millis(100)) })
}

fn every(node: &Node, out: &mut Vec<Finding>) -> Option<Duration> {
    let every = fields::duration(node, "`every`", out)?;
    if every < MOST_OFTEN {
        bad(node, "`every` is more often than every 10ms", "write 100ms or 250ms", out);
        return None;
    }
    Some(every)
}

fn count(node: &Node, out: &mut Vec<Finding>) -> Option<u32> {
    match node.text().and_then(|text| text.parse().ok()) {
        Some(count @ 1..=1_000) => Some(count),
        Some(_) | None => {
            bad(node, "`recovered_after` is no count of answers", "write a number from 1 to 1000", out);
            None
        }
    }
}

/// Where things stand that are in no resource and no phase.
fn top_places(node: &Node) -> BTreeMap<String, Place> {
    let Kind::Map(entries) = &node.kind else { return BTreeMap::new() };
    let mut places = BTreeMap::from([(String::new(), node.place)]);
    for (key, value) in entries {
        let mut pointer = format!("/{}", escaped(&key.text));
        places.insert(pointer.clone(), key.place);
        if key.text != "resources" && key.text != "phases" {
            value.note(&mut pointer, &mut places);
        }
    }
    places
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn oversize(length: usize) -> Option<Finding> {
    (length > LARGEST).then(|| {
        Finding::error(
            codes::TOO_LARGE,
            Place { line: 1, column: 1 },
            format!("the plan is {length} bytes long, more than {LARGEST}"),
            "is this the right file? a plan of ten thousand steps is smaller",
        )
    })
}

fn end_of(text: &str) -> Place {
    let last = text.rsplit('\n').next().unwrap_or("");
    Place { line: saturated(text.matches('\n').count() + 1), column: saturated(last.chars().count() + 1) }
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
