//! A region that is cut off: silence for everybody outside, its control included, and life inside.

use std::time::{Duration, Instant};

use crate::support::{Sandbox, acked, wait_until};
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
    assert!(since.elapsed() > Duration::from_millis(400), "a reset is no silence");

    let (before, stray) = (acked(&cut), inside(&cut, "us-east-1"));
    let later = sandbox.until("writes inside", |status| inside(status, "us-east-1") > stray + 20).await;
    assert!(acked(&later) <= before + 5, "callers outside still reach it");
    let received = || asked(&sandbox, "target", "select pg_last_wal_receive_lsn(), pg_sleep(0.5)");
    assert_eq!(received(), received(), "the standby still receives");

    sandbox.run(Command::Heal).await;
    sandbox.until("acknowledged orders again", |status| acked(status) > acked(&later) + 10).await;
    let id = sandbox.state()["id"].as_str().unwrap().to_owned();
    sandbox.run(Command::Down).await;
    let tables = std::process::Command::new("/usr/sbin/nft").args(["list", "tables"]).output().unwrap();
    let tables = String::from_utf8_lossy(&tables.stdout).into_owned();
    assert!(!tables.contains(&id), "{tables}");
}

#[tokio::test]
async fn a_standby_that_is_cut_off_receives_nothing_and_its_neighbours_go_on() {
    if !is_root() {
        return;
    }
    let (sandbox, other) = tokio::join!(Sandbox::up(), Sandbox::up());
    let following = "select count(*) from pg_stat_replication where state = 'streaming'";
    assert_eq!(asked(&sandbox, "source", following), "1");
    sandbox.run(Command::Partition { side: "target".to_owned() }).await;
    let before = acked(&sandbox.status().await);
    sandbox.until("orders all the same", |status| acked(status) > before + 10).await;
    wait_until("a primary without a standby", || asked(&sandbox, "source", following) == "0").await;
    assert_eq!(asked(&other, "source", following), "1", "one sandbox's firewall is not another's");
    sandbox.run(Command::Heal).await;
    wait_until("the standby again", || asked(&sandbox, "source", following) == "1").await;
}

/// The answer of a region's own database, asked on its own machine.
fn asked(sandbox: &Sandbox, part: &str, query: &str) -> String {
    let state = sandbox.state();
    let bin = state["bin"].as_str().unwrap();
    let side = if part == "source" { "us-east-1" } else { "eu-central-1" };
    let (host, port) = state["regions"][side]["postgres"].as_str().unwrap().split_once(':').unwrap();
    let psql = format!("{bin}/psql");
    let output = sandbox
        .exec(part, &[&psql, "-h", host, "-p", port, "-U", "dr", "-d", "orders", "-Atc", query])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
