//! A region that is cut off: silence for everybody outside, its control included, and life inside.

use std::time::{Duration, Instant};

use crate::support::{Sandbox, acked};
use dr_sandbox::{Command, Up};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn inside(status: &serde_json::Value, side: &str) -> u64 {
    status["sides"][side]["inside"]["acked"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn a_region_that_is_cut_off_is_silent_and_goes_on_writing_inside() {
    let source = || Command::Partition { side: "source".to_owned() };
    let sandbox = Sandbox::with(Up { load: 20, hard: is_root(), ..Up::default() }).await;
    sandbox.until("acknowledged orders", |status| acked(status) > 5).await;
    if !is_root() {
        let error = sandbox.try_run(source()).await.unwrap_err();
        assert!(error.to_string().contains("root") || error.to_string().contains("nftables"), "{error}");
        return;
    }
    sandbox.run(source()).await;
    let cut = sandbox.status().await;
    assert_eq!(cut["sides"]["us-east-1"]["cut_off"], true);
    assert_eq!(cut["sides"]["us-east-1"]["role"], "unknown (timed out)");
    assert_eq!(cut["sides"]["eu-central-1"]["role"], "standby");

    let since = Instant::now();
    let output = sandbox.exec("source", &["true"]).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(since.elapsed() > Duration::from_secs(1), "a reset is no silence");

    let (before, stray) = (acked(&cut), inside(&cut, "us-east-1"));
    let later = sandbox.until("writes inside", |status| inside(status, "us-east-1") > stray + 20).await;
    assert!(acked(&later) <= before + 5, "callers outside still reach it");
    assert_eq!(received(&sandbox).await, received(&sandbox).await, "the standby still receives");

    sandbox.run(Command::Heal).await;
    sandbox.until("acknowledged orders again", |status| acked(status) > acked(&later) + 10).await;
    let id = sandbox.state()["id"].as_str().unwrap().to_owned();
    sandbox.run(Command::Down).await;
    let tables = std::process::Command::new("/usr/sbin/nft").args(["list", "tables"]).output().unwrap();
    let tables = String::from_utf8_lossy(&tables.stdout).into_owned();
    assert!(!tables.contains(&id), "{tables}");
}

/// How far the standby's log reaches.
async fn received(sandbox: &Sandbox) -> String {
    let state = sandbox.state();
    let bin = state["bin"].as_str().unwrap();
    let (host, port) =
        state["regions"]["eu-central-1"]["postgres"].as_str().unwrap().split_once(':').unwrap();
    let psql = format!("{bin}/psql");
    let query = "select pg_last_wal_receive_lsn(), pg_sleep(0.5)";
    let output = sandbox
        .exec("target", &[&psql, "-h", host, "-p", port, "-U", "dr", "-d", "orders", "-Atc", query])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
