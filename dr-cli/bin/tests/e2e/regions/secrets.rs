//! No secret reaches an output, a journal, a bundle or a log; and the way by hand is told without them.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::Sandbox;

/// P28: the sandbox's secrets are searched for in everything that plan, failover, status and protection say or leave.
#[test]
fn no_secret_is_in_anything_that_a_failover_says_or_leaves() {
    let sandbox = Sandbox::up();
    let runbook = sandbox.dr(&["runbook"]).ends(0).out;
    for word in ["pg_promote", "pg_ctl", "nsupdate"] {
        assert!(runbook.contains(word), "`{word}` is not in {runbook}");
    }
    sandbox.dr(&["plan", "--unplanned"]).ends(0);
    sandbox.sandbox(&["break", "source"]).ends(0);
    sandbox.dr(&["failover", "--yes", "--verbose"]).ends(11);
    let began = Instant::now();
    sandbox.dr(&["status"]).ends(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    sandbox.sandbox(&["heal"]).ends(0);
    sandbox.dr(&["protect", "--yes", "--json"]).ends(0);
    let secrets = sandbox.secrets();
    assert!(secrets.len() >= 5);
    let looked = search(&sandbox.dir().join("runs"), &secrets)
        + search(&sandbox.evidence(), &secrets)
        + search(&sandbox.dir().join("log"), &secrets);
    assert!(looked > 40, "only {looked} files were searched");
}

/// Searches every file below; says how many.
fn search(folder: &Path, secrets: &[String]) -> usize {
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            looked += search(&path, secrets);
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret in {}", path.display());
        looked += 1;
    }
    looked
}
