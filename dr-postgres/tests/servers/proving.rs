use dr_core::Side;
use dr_core::resource::{Proof, Verdict, Wanted};

use crate::support::*;

fn wanted(verb: &str, side: Option<&str>) -> Wanted {
    Wanted { verb: verb.to_owned(), side: side.map(Side::new) }
}

async fn proofs(store: &Store, verbs: &[Wanted], gone: Option<&str>) -> Vec<Proof> {
    let gone = gone.map(Side::new);
    store.resource.proves().unwrap().prove(&cx(), verbs, gone.as_ref()).await
}

/// P17: rights of the database role.
#[tokio::test]
async fn a_right_that_is_taken_away_is_named_and_the_others_are_there() {
    let pair = Pair::start().await;
    for statement in [
        "create role limited login; grant pg_monitor to limited",
        "grant execute on function pg_read_file(text, bigint, bigint, boolean) to limited",
        "grant execute on function pg_promote(boolean, integer) to limited",
    ] {
        sql(pair.east.port, "postgres", statement).await.unwrap();
    }
    let mut config = pair.config_without_control();
    config["sides"][WEST]["url"] = format!("postgres://limited@127.0.0.1:{}/postgres", pair.west.port).into();
    let verbs = [wanted("check-roles", None), wanted("promote", Some(WEST))];
    let arrived = "select has_function_privilege('limited', 'pg_promote(boolean, integer)', 'execute')::text";
    eventually("the grants arrive", async || one(pair.west.port, arrived).await.as_deref() == Ok("true"))
        .await;
    let store = Store::connect(config).await;
    let all = proofs(&store, &verbs, Some(EAST)).await;
    assert!(all.len() >= 5 && all.iter().all(|proof| proof.verdict == Verdict::Proven), "{all:?}");

    sql(pair.east.port, "postgres", "revoke execute on function pg_promote(boolean, integer) from limited")
        .await
        .unwrap();
    eventually("it is taken away", async || one(pair.west.port, arrived).await.as_deref() == Ok("false"))
        .await;
    let all = proofs(&store, &verbs, Some(EAST)).await;
    let missing: Vec<&Proof> = all.iter().filter(|proof| proof.verdict != Verdict::Proven).collect();
    assert_eq!(missing.len(), 1, "{all:?}");
    assert!(
        missing[0].what.contains("pg_promote") && missing[0].said.contains("grant execute"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn the_side_that_is_gone_is_never_asked() {
    let pair = Pair::start().await;
    pair.east.signal("STOP");
    let store = pair.store().await;
    let began = std::time::Instant::now();
    let all = proofs(&store, &[wanted("promote", Some(WEST))], Some(EAST)).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(all.iter().all(|proof| proof.verdict == Verdict::Proven), "{all:?}");
    assert!(all.iter().all(|proof| !proof.what.contains(&pair.east.port.to_string())), "{all:?}");
    pair.east.signal("CONT");
}
