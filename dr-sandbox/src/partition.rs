//! Cutting a region off: packets between its addresses and all others are dropped, without a word to either end.
//!
//! They are dropped where they arrive, not where they leave: a sender must not hear of it.

use std::process::Stdio;
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result, Side};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::account::Account;
use crate::fault;
use crate::state::State;
use crate::subnet::Place;

const NFT: Duration = Duration::from_secs(10);

fn table(state: &State) -> String {
    format!("dr_sandbox_{}", state.id)
}

/// Says what is missing to partition a region, if anything is.
pub(crate) async fn possible() -> Result<()> {
    nft("list tables\n").await.map(drop)
}

/// Cuts a side off.
///
/// What its servers and programs send is told by their account too, for they leave from whichever address the kernel
/// gives them: `127.0.0.1`, which is nobody's. The connection is marked when it leaves, and looked at when it arrives.
pub(crate) async fn cut(state: &State, side: &Side) -> Result<()> {
    let region = state.subnet.region(state.place(side));
    let all = state.subnet.all();
    let chain = chain(side);
    let table = table(state);
    let (home, away) = match state.place(side) {
        Place::First => ("0x64720011", "0x64720012"),
        Place::Second => ("0x64720021", "0x64720022"),
    };
    let mut marks = String::new();
    if let Some(account) = told_apart(state, side) {
        let uid = account.uid;
        marks = format!(
            "add rule ip {table} {chain}_out meta skuid {uid} ip daddr {region} ct mark set {home}
add rule ip {table} {chain}_out meta skuid {uid} ip daddr {all} ip daddr != {region} ct mark set {away}
add rule ip {table} {chain} ct mark {home} accept
add rule ip {table} {chain} ct mark {away} counter drop
"
        );
    }
    nft(&format!(
        "add table ip {table}
add chain ip {table} {chain}_out {{ type filter hook output priority -150; policy accept; }}
add chain ip {table} {chain} {{ type filter hook input priority -150; policy accept; }}
flush chain ip {table} {chain}_out
flush chain ip {table} {chain}
{marks}add rule ip {table} {chain} ip saddr {region} ip daddr != {region} counter drop
add rule ip {table} {chain} ip saddr != {region} ip daddr {region} counter drop
"
    ))
    .await
    .map(drop)
}

/// The account of a side's servers, if no other side has it too.
fn told_apart<'s>(state: &'s State, side: &Side) -> Option<&'s Account> {
    let account = state.regions.get(side)?.account.as_ref()?;
    let shared =
        state.regions.iter().any(|(other, region)| other != side && region.account.as_ref() == Some(account));
    (!shared).then_some(account)
}

fn chain(side: &Side) -> String {
    side.as_str().replace('-', "_")
}

/// The sides that are cut off; `None` if that cannot be learnt.
pub(crate) async fn sides(state: &State) -> Option<Vec<Side>> {
    let rules = nft("list ruleset ip\n").await.ok()?;
    let Some((_, ours)) = rules.split_once(&format!("table ip {} {{", table(state))) else {
        return Some(Vec::new());
    };
    let ours = ours.split("\ntable ").next().unwrap_or(ours);
    let is_cut = |side: &&Side| ours.contains(&format!("chain {} {{", chain(side)));
    Some(state.regions.keys().filter(is_cut).cloned().collect())
}

/// Lets everything pass again.
pub(crate) async fn heal(state: &State) -> Result<()> {
    let table = table(state);
    nft(&format!("add table ip {table}\ndelete table ip {table}\n")).await.map(drop)
}

/// Removes the rules where there can be any: without the program or the right to use it there are none.
pub(crate) async fn clean(state: &State) -> Result<()> {
    match heal(state).await {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unauthorized) => Ok(()),
        result => result,
    }
}

async fn nft(script: &str) -> Result<String> {
    const MISSING: &str = "a region is cut off by the firewall: apt-get install nftables";
    let path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, MISSING).not_happened(),
            _ => fault::io("start nft")(error),
        })?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes()).await.map_err(fault::io("write to nft"))?;
    }
    let output = timeout(NFT, child.wait_with_output())
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "nft does not end"))?
        .map_err(fault::io("wait for nft"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = fault::last_words(&output);
    Err(if words.contains("Operation not permitted") || words.contains("you must be root") {
        Error::new(
            ErrorKind::Unauthorized,
            "cutting a region off needs root (CAP_NET_ADMIN): run it with sudo",
        )
        .not_happened()
    } else {
        Error::new(ErrorKind::Unknown, words).during("nft")
    })
}
