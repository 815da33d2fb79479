//! What is Redis's own: sessions that were in before, restarts, and old primaries with something of their own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dr_core::resource::{
    At, Basis, Before, Cx, Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Follow, FollowHow, LossBound,
    Prepared, Promote, Promotion, Replication, Resource,
};
use dr_core::{ErrorKind, Happened, Timestamp};

use crate::fixture::connect;
use crate::servers::{Server, Servers, eventually};

fn cx() -> Cx {
    Cx::new("20270115T080000Z-redis".into(), "test/step".into(), Duration::from_secs(10))
}

fn nothing() -> Prepared {
    Prepared::unknown("not looked at", Before::nothing())
}

async fn fence(resource: &Resource) -> dr_core::Result<FenceProof> {
    fenced(resource, "east").await
}

async fn fenced(resource: &Resource, side: &str) -> dr_core::Result<FenceProof> {
    let call: Fence = serde_json::from_value(serde_json::json!({ "in": side })).unwrap();
    match resource.effect::<Fence>().unwrap().apply(&cx(), &call, &nothing()).await? {
        FenceOutcome::Confirmed(proof) => Ok(proof),
        FenceOutcome::Accepted(risk) => panic!("a backend accepts no risk: {risk:?}"),
    }
}

async fn holds(resource: &Resource) -> Fencing {
    resource.holds().unwrap().holds(&cx(), &"east".into()).await.unwrap()
}

async fn promote(resource: &Resource, basis: Basis) -> dr_core::Result<Promotion> {
    promoted(resource, "west", basis).await
}

async fn promoted(resource: &Resource, side: &str, basis: Basis) -> dr_core::Result<Promotion> {
    let side = At::Named(side.into());
    let call = Promote { side, accept_loss: None, graceful_for: Duration::ZERO, basis: Some(basis) };
    resource.effect::<Promote>().unwrap().apply(&cx(), &call, &nothing()).await
}

async fn follow(resource: &Resource) -> dr_core::Result<FollowHow> {
    followed(resource, "east", "west").await
}

async fn followed(resource: &Resource, side: &str, of: &str) -> dr_core::Result<FollowHow> {
    let call = Follow { side: At::Named(side.into()), of: At::Named(of.into()) };
    resource.effect::<Follow>().unwrap().apply(&cx(), &call, &nothing()).await.map(|following| following.how)
}

async fn switched(resource: &Resource) {
    carried(resource, "east", "west").await;
}

/// Fences and promotes, as a run does: until the replica has all of it.
async fn carried(resource: &Resource, from: &str, to: &str) {
    let basis = Basis::Planned { fences: vec![fenced(resource, from).await.unwrap()] };
    loop {
        match promoted(resource, to, basis.clone()).await {
            Err(error) if error.kind() == ErrorKind::NotReady => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return drop(other.unwrap()),
        }
    }
}

/// A session as a caller's, kept open.
fn session(server: &Server, greeting: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    if !greeting.is_empty() {
        assert!(say(&mut stream, greeting).starts_with("+OK"));
    }
    stream
}

fn say(stream: &mut TcpStream, words: &str) -> String {
    let mut answer = [0; 200];
    if stream.write_all(format!("{words}\r\n").as_bytes()).is_err() {
        return String::new();
    }
    let read = stream.read(&mut answer).unwrap_or_default();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// P37: an account that is shut keeps its sessions: shutting it is no fence, and each of them is ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_in_before_the_fence_writes_nothing_after_it() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    let mut inside = session(&servers.east, "AUTH app app-secret");
    assert!(say(&mut inside, "SET cart 1").starts_with("+OK"));
    assert!(say(&mut inside, "MULTI").starts_with("+OK"));
    fence(&resource).await.unwrap();
    assert_eq!(say(&mut inside, "SET cart 2"), "");
    assert_eq!(servers.east.ask("GET cart"), "1");
}

/// Callers that try again and again are no writers, and the fence does not wait for them to stop.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_knock_after_the_fence_do_not_open_it() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    fence(&resource).await.unwrap();
    let mut knocking = session(&servers.east, "");
    assert!(say(&mut knocking, "AUTH app app-secret").starts_with("-WRONGPASS"));
    assert!(matches!(holds(&resource).await, Fencing::Confirmed(_)), "{:?}", holds(&resource).await);
}

/// P7: the fence is in the server's own file before it counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_server_that_crashes_and_starts_again_is_fenced() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    let proof = fence(&resource).await.unwrap();
    assert!(proof.survives_restart);
    servers.east.crash_and_start().await;
    assert!(matches!(holds(&resource).await, Fencing::Confirmed(_)), "{:?}", holds(&resource).await);
    assert_ne!(servers.east.ask_as("app", "app-secret", "SET cart 1"), "OK");
}

/// P7: a promotion is in the server's own file before a write is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_server_that_crashes_and_starts_again_is_a_primary() {
    let servers = Servers::start().await;
    switched(&connect(&servers).await).await;
    servers.west.crash_and_start().await;
    assert_eq!(servers.west.replication("role"), "master");
    assert_eq!(servers.west.ask_as("app", "app-secret", "SET cart 1"), "OK");
}

/// An old primary with writes of its own is not made to copy anew, which would throw them away.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_primary_with_writes_of_its_own_is_fenced_and_keeps_them() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    servers.west.ask("CONFIG SET masterauth stale");
    servers.east.ask("CLIENT KILL TYPE replica");
    eventually("the link is down", || servers.west.replication("master_link_status") == "down").await;
    assert_eq!(servers.east.ask_as("app", "app-secret", "SET cart 1"), "OK");
    let proof = fence(&resource).await.unwrap();
    let planned = promote(&resource, Basis::Planned { fences: vec![proof.clone()] }).await.unwrap_err();
    assert_eq!(planned.kind(), ErrorKind::NotReady, "{planned:?}");
    let loss = LossBound::Unknown { why: "a test".to_owned() };
    promote(&resource, Basis::Forced { fences: vec![proof], risk: None, loss }).await.unwrap();

    let refused = follow(&resource).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused:?}");
    assert!(refused.to_string().contains("bytes of its log are its own"), "{refused}");
    assert_eq!(servers.east.ask("GET cart"), "1");
    // Somebody has saved them.
    servers.east.ask("FLUSHALL");
    assert_eq!(follow(&resource).await.unwrap(), FollowHow::Reseeded);
    servers.east.streams().await;
}

/// P7: it is shut before it is asked what it has, so that nothing is written in between.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_primary_that_nobody_fenced_is_shut_before_it_may_follow() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    let loss = LossBound::Unknown { why: "a test".to_owned() };
    let fences = vec![FenceProof::new("east".into(), FenceHow::CutOff, Timestamp::system())];
    promote(&resource, Basis::Forced { fences, risk: None, loss }).await.unwrap();
    assert_eq!(servers.east.ask_as("app", "app-secret", "SET cart 1"), "OK");
    assert_eq!(follow(&resource).await.unwrap_err().kind(), ErrorKind::Refused);
    assert!(matches!(holds(&resource).await, Fencing::Confirmed(_)), "{:?}", holds(&resource).await);
    assert_eq!(servers.east.ask("GET cart"), "1");
}

/// P7: what follows takes no writes, and none after a crash.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_takes_no_writes_and_lets_its_readers_in() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    switched(&resource).await;
    assert_eq!(follow(&resource).await.unwrap(), FollowHow::Attached);
    assert_eq!(servers.west.ask_as("app", "app-secret", "SET cart 1"), "OK");
    eventually("the write arrives", || servers.east.ask_as("app", "app-secret", "GET cart") == "1").await;
    assert!(servers.east.ask_as("app", "app-secret", "SET cart 2").starts_with("READONLY"));
    servers.east.crash_and_start().await;
    servers.east.streams().await;
}

/// P11: there and back three times, and no account, note or role is left from the way there.
#[tokio::test(flavor = "multi_thread")]
async fn after_there_and_back_everything_is_as_it_was() {
    let servers = Servers::start().await;
    let before = (servers.east.state(), servers.west.state());
    let resource = connect(&servers).await;
    for _ in 0..3 {
        for (from, to) in [("east", "west"), ("west", "east")] {
            carried(&resource, from, to).await;
            assert_eq!(followed(&resource, from, to).await.unwrap(), FollowHow::Attached);
        }
        assert_eq!((servers.east.state(), servers.west.state()), before);
    }
}

/// P7: a manager that promotes by itself would make a second primary of the first fence.
#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_sentinel_watches_is_not_touched() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    let mut sentinel = session(&servers.east, "AUTH dr dr-secret");
    assert!(say(&mut sentinel, "CLIENT SETNAME sentinel-3ab1-cmd").starts_with("+OK"));
    let before = servers.east.state();
    let refused = fence(&resource).await.unwrap_err();
    assert!(refused.to_string().contains("`sentinel` watches it"), "{refused}");
    assert_eq!(servers.east.state(), before);
    let seen = resource.observer::<Replication>().unwrap().observe(&cx()).await.unwrap();
    assert_eq!(seen.sides["east"].manager, "sentinel");
}

/// P7: what a restart would undo is refused before anybody is shut out or anything is promoted.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_file_cannot_be_written_nothing_is_fenced_and_nothing_promoted() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    servers.east.make_its_file_unwritable();
    let refused = fence(&resource).await.unwrap_err();
    assert_eq!((refused.kind(), refused.happened()), (ErrorKind::Refused, Happened::No), "{refused:?}");
    assert_eq!(servers.east.ask_as("app", "app-secret", "SET cart 1"), "OK");

    servers.west.make_its_file_unwritable();
    let loss = LossBound::Unknown { why: "a test".to_owned() };
    let fences = vec![FenceProof::new("east".into(), FenceHow::CutOff, Timestamp::system())];
    let refused = promote(&resource, Basis::Forced { fences, risk: None, loss }).await.unwrap_err();
    assert_eq!((refused.kind(), refused.happened()), (ErrorKind::Refused, Happened::No), "{refused:?}");
    assert_eq!(servers.west.replication("role"), "slave");
}

/// An account that asks for no password is everybody's, and a fence that leaves it on is none.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fenced_while_anybody_can_come_in_as_us() {
    let servers = Servers::start().await;
    let resource = connect(&servers).await;
    fence(&resource).await.unwrap();
    servers.east.ask("ACL SETUSER dr nopass");
    assert!(matches!(holds(&resource).await, Fencing::Open { .. }), "{:?}", holds(&resource).await);
}
