//! Do the derived files say what the journal says?

use std::path::Path;

use serde_json::Value;

use super::check::words;
use super::report::{Report, unless_any};
use crate::bundle::{PLAN, SUMMARY};
use crate::manifest::{MANIFEST, Manifest};
use crate::metrics::{METRICS, METRICS_VERSION, Metrics};
use crate::reading::read;
use crate::story::Story;

/// The longest `metrics.json` that is read.
const LONGEST_METRICS: u64 = 16 << 20;

/// The fields of `metrics.json` without which it is none.
const REQUIRED: [&str; 14] = [
    "failover_start",
    "failover_end",
    "source_region",
    "target_region",
    "dry_run",
    "rto_seconds",
    "rto_target_seconds",
    "rto_met",
    "rpo_seconds",
    "rpo_target_seconds",
    "rpo_met",
    "timings",
    "mode",
    "ending",
];

pub(super) fn agree(report: &mut Report, folder: &Path, manifest: &Manifest, story: &Story<'_>) {
    let missing = [PLAN, METRICS, SUMMARY].into_iter().filter(|file| manifest.file(file).is_none());
    report.check(
        "nothing that belongs to a bundle is missing",
        unless_any(missing.map(str::to_owned).collect()),
    );
    header(report, manifest, story);
    plan(report, manifest, story);
    metrics(report, folder, story);
}

fn header(report: &mut Report, manifest: &Manifest, story: &Story<'_>) {
    let ending = story.ended.as_ref().map(|ended| ended.ending);
    let suspended = story.suspended().map(|(why, _)| why);
    let differs = [
        ("run", manifest.run != story.began().run),
        ("mode", manifest.mode != story.began().mode),
        ("ending", manifest.ending != ending),
        ("suspended", manifest.suspended != suspended),
        ("provisional", manifest.provisional == story.is_over()),
        ("previous", manifest.provisional && manifest.previous.is_some()),
    ];
    let differs = differs.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field.to_owned());
    report.check(format!("{MANIFEST} says what the journal says"), unless_any(differs.collect()));
}

fn plan(report: &mut Report, manifest: &Manifest, story: &Story<'_>) {
    let what = format!("{PLAN} is the plan that the run began with");
    match manifest.file(PLAN) {
        None => {}
        Some(file) if file.redacted => report.skip(what, "a secret was masked in it"),
        Some(file) if file.sha256.to_string() == story.began().plan_hash => {
            report.check(what, Ok(()));
        }
        Some(_) => {
            report.check(what, Err(format!("the run began with {:.12}", story.began().plan_hash)));
        }
    }
}

fn metrics(report: &mut Report, folder: &Path, story: &Story<'_>) {
    let compared = read(folder, METRICS, LONGEST_METRICS).map_err(words).and_then(|bytes| {
        let found: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let expected = serde_json::to_value(Metrics::of_story(story)).map_err(|error| error.to_string())?;
        compare(&found, &expected)
    });
    report.check(format!("{METRICS} says what the journal says"), compared);
}

/// Every field that both know is the same; another release may know more of them, or fewer.
fn compare(found: &Value, expected: &Value) -> Result<(), String> {
    let (Some(found), Some(expected)) = (found.as_object(), expected.as_object()) else {
        return Err("it is no JSON object".to_owned());
    };
    if found.get("schema_version").and_then(Value::as_u64).is_none_or(|it| it > u64::from(METRICS_VERSION)) {
        return Err("it is of a version that this release does not read".to_owned());
    }
    let missing = REQUIRED
        .iter()
        .filter(|field| !found.contains_key(**field))
        .map(|field| format!("{field} is missing"));
    let differs = found
        .iter()
        .filter_map(|(field, value)| Some((field, value, expected.get(field)?)))
        .filter(|(_, value, expected)| value != expected)
        .map(|(field, value, expected)| format!("{field} is {value}, the journal says {expected}"));
    unless_any(missing.chain(differs).collect())
}
