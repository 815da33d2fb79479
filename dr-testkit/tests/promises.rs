//! `docs/PROMISES.md` lists, for each way in which others fell, the tests that guard against it. It is made
//! from the tests themselves: from the line above them that begins with the pitfall's number.
//!
//! ```text
//! /// P10: the marker stands, so nothing starts the node, and a repeat finishes.
//! /// Found: what the test found when it was written, where it found anything.
//! #[tokio::test]
//! async fn a_follow_that_died_half_way_is_never_started_and_finished_by_a_repeat() {
//! ```
//!
//! After a change: `UPDATE_PROMISES=1 cargo test -p dr-testkit --test promises`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What goes wrong.
const PITFALLS: [&str; 49] = [
    "Lag reads zero while the standby receives nothing",
    "Lag grows for ever while nobody writes",
    "What is unknown is taken for good",
    "An RPO is stated without the error of its sampling",
    "The way out of a region needs that region",
    "Two orchestrators write the shared state",
    "The old primary comes back writable",
    "Writers get in by another address during a planned switch",
    "Equal timeline numbers hide different histories",
    "A rewind or a copy dies half-way, and the node is started",
    "There and back leaves something stale",
    "A second failover before the pair is protected again",
    "The new primary is unprotected",
    "A failure is reported as a success",
    "A success is reported as a failure, or as unknown",
    "A dry run has an effect",
    "The dry run is green, and the real one lacks a right",
    "A drill leaves something behind",
    "A gate stands in only one of the dry and the real run",
    "A saved plan is applied twice, or after the world moved",
    "A run that is running for ever after a crash",
    "An undo does too much or too little",
    "A slow link or an unknown answer takes the unsafe branch",
    "A blip starts a failover",
    "DNS: throttling, foreign records, changes under one's hands",
    "An approval lets everything pass, or nobody knows whose it is",
    "The journal is written at the end",
    "A secret is in an output",
    "It waits for ever for somebody who died",
    "A run cannot be aborted while the other side is gone",
    "One name for two things",
    "Verification looks at names and not at contents",
    "Green because nothing ran",
    "A restarted orchestrator forgets or repeats what it did",
    "Records are changed through a control plane in the region that fails",
    "A promotion that is still pending is taken for one that never happens",
    "A read-only setting is taken for a fence",
    "A fence replicates to the target, or is wiped by the rewind",
    "Commits that were acknowledged before they were written",
    "A cancelled wait for a synchronous standby acknowledges",
    "The copy inherited the wait for a synchronous standby",
    "`restore_command` points into the dead region",
    "A clean stop waits for a stalled receiver",
    "A child of a killed run lives on",
    "A health check moves or returns callers by itself",
    "Local high availability promotes a neighbour of the fenced node",
    "The old region, or one that cannot write, answers the verification",
    "GitOps, an autoscaler or a deployment reverts the change",
    "Nothing was measured, and zero is reported",
];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Guard {
    file: String,
    test: String,
    does: String,
    found: Option<String>,
}

#[test]
fn every_pitfall_has_a_test_and_the_page_lists_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut guards: BTreeMap<usize, BTreeSet<Guard>> = BTreeMap::new();
    let files = sources(&root);
    assert!(files.len() > 200, "only {} files: is this the workspace?", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        for (numbers, test, does, found) in told(&text) {
            for number in numbers {
                let (file, test, does, found) = (name.clone(), test.clone(), does.clone(), found.clone());
                guards.entry(number).or_default().insert(Guard { file, test, does, found });
            }
        }
    }
    let without: Vec<usize> = (1..=PITFALLS.len()).filter(|number| !guards.contains_key(number)).collect();
    assert_eq!(without, Vec::<usize>::new(), "pitfalls without a test");
    assert!(guards.keys().all(|number| (1..=PITFALLS.len()).contains(number)), "{:?}", guards.keys());

    let page = page(&guards);
    let path = root.join("docs/PROMISES.md");
    if std::env::var_os("UPDATE_PROMISES").is_some() {
        std::fs::write(&path, &page).map_err(|error| format!("{}: {error}", path.display())).ok();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page, "it is out of date: UPDATE_PROMISES=1 cargo test -p dr-testkit --test promises");
}

/// Every source file of the workspace.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files
}

/// The tests of a file that say which pitfalls they guard: the numbers, the name, what it does, what it found.
fn told(text: &str) -> Vec<(Vec<usize>, String, String, Option<String>)> {
    let mut all = Vec::new();
    let (mut words, mut is_test) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            words.push(doc.to_owned());
        } else if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let Some((name, _)) = name.filter(|_| is_test).and_then(|rest| rest.split_once('('))
                && let Some((numbers, does, found)) = split(&words.join(" "))
            {
                all.push((numbers, name.to_owned(), does, found));
            }
            words.clear();
            is_test = false;
        }
    }
    all
}

/// `P37 and P38: what it does. Found: what it found.`
fn split(words: &str) -> Option<(Vec<usize>, String, Option<String>)> {
    let (head, rest) = words.split_once(": ")?;
    let numbers: Option<Vec<usize>> = head
        .split([',', ' '])
        .filter(|word| !word.is_empty() && *word != "and")
        .map(|word| word.strip_prefix('P')?.parse().ok())
        .collect();
    let (does, found) = match rest.split_once("Found: ") {
        Some((does, found)) => (does, Some(found.trim().to_owned())),
        None => (rest, None),
    };
    Some((numbers.filter(|numbers| !numbers.is_empty())?, does.trim().to_owned(), found))
}

fn page(guards: &BTreeMap<usize, BTreeSet<Guard>>) -> String {
    let mut page = String::from(
        "# Promises\n\n\
         Each of these happened to a project that many trust. Each has tests here.\n\
         This page is made from the words above those tests (`UPDATE_PROMISES=1 cargo test -p dr-testkit --test promises`), and\n\
         a test holds the two together. Where a test found something when it was written, it says what.\n",
    );
    for (number, guards) in guards {
        let title = PITFALLS.get(number - 1).copied().unwrap_or_default();
        let _ = write!(page, "\n## P{number}. {title}\n\n");
        for Guard { file, test, does, found } in guards {
            let _ = writeln!(page, "- **{}** ([{file}](../{file})): {does}", test.replace('_', " "));
            if let Some(found) = found {
                let _ = writeln!(page, "  *Found:* {found}");
            }
        }
    }
    page
}
