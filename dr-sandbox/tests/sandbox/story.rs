//! The sandbox's whole life on the real thing: real servers, real processes, real kills.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::{PROGRAM, Sandbox, acked, broken, exists, processes, wait_until};
use dr_core::ErrorKind;
use dr_sandbox::{Command, Up};

#[tokio::test]
async fn a_region_dies_under_load_and_comes_back_and_nothing_is_left() {
    let sandbox = Sandbox::up().await;
    let status = sandbox.until("acknowledged orders", |status| acked(status) > 10).await;
    assert_eq!(status["routed"], "us-east-1");
    assert_eq!(status["sides"]["us-east-1"]["role"], "primary");
    assert_eq!(status["sides"]["eu-central-1"]["role"], "standby");

    sandbox.run(broken("source")).await;
    let refused = |status: &serde_json::Value| status["load"]["refused"].as_u64().unwrap_or(0);
    let dead = sandbox.until("refused orders", |status| refused(status) > 5).await;
    assert_eq!(dead["sides"]["us-east-1"]["staff"]["ready"], 0);
    assert_eq!(dead["sides"]["eu-central-1"]["role"], "standby");

    sandbox.run(Command::Heal).await;
    let before = acked(&dead);
    let healed = sandbox.until("acknowledged orders again", |status| acked(status) > before + 10).await;
    assert_eq!(healed["sides"]["us-east-1"]["role"], "primary");

    let (dir, data) = (sandbox.dir(), PathBuf::from(sandbox.state()["data"].as_str().unwrap()));
    sandbox.run(Command::Down).await;
    assert!(!exists(&dir) && !exists(&data));
    assert_eq!(processes(dir.to_str().unwrap()), Vec::<String>::new());
    assert_eq!(processes(data.to_str().unwrap()), Vec::<String>::new());
}

#[tokio::test]
async fn a_killed_server_leaves_nothing_in_the_kernel_either() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let home = sandbox.state()["regions"]["us-east-1"]["home"].as_str().unwrap().to_owned();
    let read = || std::fs::read_to_string(format!("{home}/pgdata/postmaster.pid")).unwrap();
    let segment = read().lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let segments = || std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let is_there = || segments().lines().any(|line| line.split_whitespace().nth(1) == Some(&segment));
    assert!(is_there());
    sandbox.run(broken("source")).await;
    assert!(is_there(), "a killed server frees it no more");
    sandbox.run(Command::Down).await;
    assert!(!is_there());
}

#[tokio::test]
async fn every_acknowledged_order_is_in_the_database() {
    let sandbox = Sandbox::up().await;
    let status = sandbox.until("acknowledged orders", |status| acked(status) > 20).await;
    let bin = PathBuf::from(sandbox.state()["bin"].as_str().unwrap());
    let address = status["sides"]["us-east-1"]["postgres"].as_str().unwrap().to_owned();
    let (host, port) = address.split_once(':').unwrap();
    let psql = bin.join("psql");
    let output = sandbox
        .exec(
            "source",
            &[
                psql.to_str().unwrap(),
                "-h",
                host,
                "-p",
                port,
                "-U",
                "dr",
                "-d",
                "orders",
                "-Atc",
                "select count(*) from orders",
            ],
        )
        .output()
        .unwrap();
    let rows: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    assert!(rows >= acked(&status), "{rows} rows, {} acknowledged", acked(&status));
}

#[tokio::test]
async fn two_sandboxes_at_once_do_not_meet() {
    let (one, two) = tokio::join!(Sandbox::up(), Sandbox::up());
    let (first, second) = (one.state(), two.state());
    assert_ne!(first["subnet"], second["subnet"]);
    one.run(broken("source")).await;
    let before = acked(&two.status().await);
    two.until("orders in the other", |status| acked(status) > before + 5).await;
    one.run(Command::Down).await;
    let before = acked(&two.status().await);
    two.until("orders still", |status| acked(status) > before + 5).await;
}

#[tokio::test]
async fn a_second_sandbox_in_the_same_folder_is_refused() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let again = Up { program: Some(PathBuf::from(PROGRAM)), ..Up::default() };
    let error = sandbox.try_run(Command::Up(again)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(sandbox.status().await["sides"]["us-east-1"]["role"], "primary");
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "1").unwrap();
    let error = dr_sandbox::run(folder.path(), Command::Up(Up::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    dr_sandbox::run(folder.path(), Command::Down).await.unwrap();
    assert!(exists(&folder.path().join("precious")));
}

#[tokio::test]
async fn a_sandbox_ends_by_itself_when_its_time_is_over() {
    let lifetime = Duration::from_secs(25);
    let sandbox = Sandbox::with(Up { lifetime, load: 0, ..Up::default() }).await;
    let dir = sandbox.dir();
    wait_until("the end", || !exists(&dir) && processes(dir.to_str().unwrap()).is_empty()).await;
}

#[tokio::test]
async fn every_process_ends_when_the_folder_is_removed() {
    let sandbox = Sandbox::up().await;
    let (dir, data) = (sandbox.dir(), sandbox.state()["data"].as_str().unwrap().to_owned());
    std::fs::remove_dir_all(&dir).or_else(|_| std::fs::remove_dir_all(&dir)).unwrap();
    let nothing = || processes(dir.to_str().unwrap()).is_empty() && processes(&data).is_empty();
    wait_until("nothing that runs", nothing).await;
    wait_until("no data", || !exists(&PathBuf::from(&data))).await;
}

#[tokio::test]
async fn in_a_closed_home_the_servers_keep_their_data_elsewhere() {
    let sandbox = Sandbox::in_a_closed_home().await;
    let (dir, data) = (sandbox.dir(), PathBuf::from(sandbox.state()["data"].as_str().unwrap()));
    assert_eq!(data.starts_with(&dir), !rustix::process::geteuid().is_root());
    assert_eq!(sandbox.status().await["sides"]["eu-central-1"]["role"], "standby");
    sandbox.run(Command::Down).await;
    assert!(!exists(&data));
}

#[tokio::test]
async fn further_processes_start_with_it_and_end_with_it() {
    let words = ["sandbox", "--dir", "{dir}", "exec", "--side", "source", "--", "sleep", "321.5"];
    let extra = vec![words.map(str::to_owned).to_vec()];
    let sandbox = Sandbox::with(Up { load: 0, extra_processes: extra, ..Up::default() }).await;
    wait_until("the process", || processes("321.5").len() == 2).await;
    sandbox.run(Command::Down).await;
    wait_until("its end", || processes("321.5").is_empty()).await;
}
