//! Nothing outlives whoever started it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use dr_testkit_kube::{KubeRegion, RegionOptions};

use crate::support::{gone, runs};

/// The part of a child: it starts a region, says so, and waits to be killed. Run by the test below alone.
#[tokio::test]
#[ignore = "the victim of a test, not a test"]
async fn victim() {
    let region = KubeRegion::start(RegionOptions::new("victim")).await.unwrap();
    let [etcd, api, controllers] = region.processes();
    println!("servers {etcd} {api} {controllers} {}", region.folder().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_outlives_a_parent_that_is_killed() {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifetime::victim", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let line = lines
        .map(Result::unwrap)
        .find_map(|line| Some(line.split_once("servers ")?.1.to_owned()))
        .expect("the victim started no region");
    let words: Vec<&str> = line.split(' ').collect();
    let servers: Vec<u32> = words[..3].iter().map(|pid| pid.parse().unwrap()).collect();
    let folder = PathBuf::from(words[3]);
    assert!(servers.iter().all(|pid| runs(*pid)) && folder.exists());

    victim.kill().unwrap();
    victim.wait().unwrap();
    let left = gone(&servers, &folder, Duration::from_secs(5)).await;
    assert!(left.is_empty(), "left behind: {left:?}");
}
