//! `dr evidence`: checks and shows bundles. Needs no plan and no state store.

use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use dr_evidence::{Outcome as Found, Report, show, verify_chain};
use serde_json::json;

use crate::args::EvidenceCommand;
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// Verifies or shows.
pub(crate) fn run(command: &EvidenceCommand) -> Outcome {
    match command {
        EvidenceCommand::Show { bundle } => {
            anstream::print!("{}", show(bundle)?);
            Ok(Exit::Success)
        }
        EvidenceCommand::Verify { bundles, json } => verify_all(bundles, *json),
    }
}

fn verify_all(named: &[PathBuf], json: bool) -> Outcome {
    let mut folders = Vec::new();
    for path in named {
        folders.extend(bundles_in(path)?);
    }
    let mut reports: Vec<(String, Report)> =
        folders.iter().map(|folder| (folder.display().to_string(), dr_evidence::verify(folder))).collect();
    if folders.len() > 1 {
        reports.push(("the chain of bundles".to_owned(), verify_chain(&folders, &[])));
    }
    let sound = reports.iter().all(|(_, report)| report.is_sound());
    if json {
        let all: Vec<_> = reports.iter().map(|(name, report)| as_json(name, report)).collect();
        anstream::println!("{}", json!({ "sound": sound, "reports": all }));
    } else {
        reports.iter().for_each(|(name, report)| tell(name, report));
    }
    Ok(if sound { Exit::Success } else { Exit::Evidence })
}

/// A bundle itself, or every bundle in a folder, oldest first.
fn bundles_in(path: &Path) -> Outcome<Vec<PathBuf>> {
    if path.join("manifest.json").exists() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error: std::io::Error| {
        Problem::new(Exit::Evidence, format!("{} cannot be read: {error}", path.display()))
            .help("name a bundle, or a folder of bundles")
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(unreadable)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("manifest.json").exists())
        .collect();
    found.sort();
    if found.is_empty() {
        return Err(Problem::new(Exit::Evidence, format!("{} is no bundle and holds none", path.display())));
    }
    Ok(found)
}

fn as_json(name: &str, report: &Report) -> serde_json::Value {
    let checks = report.checks().iter().map(|check| match &check.outcome {
        Found::Passed => json!({ "what": check.what, "outcome": "passed" }),
        Found::Failed(why) => json!({ "what": check.what, "outcome": "failed", "why": why }),
        Found::NotChecked(why) => json!({ "what": check.what, "outcome": "not_checked", "why": why }),
    });
    json!({ "name": name, "sound": report.is_sound(), "checks": checks.collect::<Vec<_>>() })
}

fn tell(name: &str, report: &Report) {
    anstream::println!("{name}");
    for check in report.checks() {
        match &check.outcome {
            Found::Passed => anstream::println!("  {GOOD}✓{GOOD:#} {}", check.what),
            Found::Failed(why) => anstream::println!("  {BAD}✗{BAD:#} {}: {why}", check.what),
            Found::NotChecked(why) => {
                anstream::println!("  {DIM}–{DIM:#} {}: not checked: {why}", check.what)
            }
        }
    }
    match report.first_failure() {
        None => anstream::println!("  {GOOD}sound{GOOD:#}"),
        Some(failure) => anstream::println!("  {BAD}NOT sound{BAD:#}: {failure}"),
    }
}
