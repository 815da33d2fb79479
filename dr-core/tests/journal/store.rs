//! The state store as a command uses it, in a folder and on slots.

use std::path::Path;
use std::sync::Arc;

use dr_core::event::{Debt, DebtKind, Request};
use dr_core::journal::{
    Application, Claimed, Digest, Durability, Filesystem, JournalError, MemorySlots, Place, Registration,
    Slots as _, StateStore,
};
use dr_core::{Error, ErrorKind, Identity, RunId};
use serde_json::json;

use crate::scripted::Scripted;
use crate::support::{actor, entries, run};

/// Both kinds of store, each in a folder of its own.
fn stores() -> Vec<(tempfile::TempDir, StateStore)> {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = StateStore::folder(&one.path().join("state"), Filesystem::Any).unwrap();
    let shared = StateStore::slots(Arc::new(MemorySlots::new()), two.path());
    assert!(folder.is_local() && !shared.is_local());
    vec![(one, folder), (two, shared)]
}

fn identities(names: &[&str]) -> Vec<Identity> {
    names.iter().map(|name| Identity::from(*name)).collect()
}

#[tokio::test]
async fn a_run_is_begun_owned_read_and_listed() {
    for (_home, store) in stores() {
        assert_eq!(store.runs().await.unwrap(), []);
        let alice = actor("alice");
        let mut journal = store.create_run(&run("b"), &alice).await.unwrap();
        journal.append(&entries(1, 2, 1), Durability::Barrier).await.unwrap();
        journal.release().await.unwrap();
        drop(store.create_run(&run("a"), &alice).await.unwrap());
        assert_eq!(store.runs().await.unwrap(), [run("a"), run("b")]);
        let owned = store.own_run(&run("b"), false, &alice).await.unwrap();
        assert_eq!((owned.lines.len(), owned.epoch), (2, 2));
        assert_eq!(store.read_run(&run("b")).await.unwrap().len(), 2);
        assert!(matches!(
            store.own_run(&run("none"), false, &alice).await,
            Err(JournalError::NoSuchRun { .. })
        ));
        assert!(matches!(store.read_run(&run("none")).await, Err(JournalError::NoSuchRun { .. })));
        assert!(store.make_run_folder(&run("b")).unwrap().is_dir());
    }
}

#[tokio::test]
async fn a_runs_name_cannot_lead_out_of_the_store() {
    for (home, store) in stores() {
        for name in ["../../escape", "..", "a/b", "", "/etc"] {
            let run = RunId::new(name);
            assert!(store.create_run(&run, &actor("mallory")).await.is_err());
            assert!(store.read_run(&run).await.is_err());
            assert!(store.make_run_folder(&run).is_err());
        }
        assert!(!home.path().join("escape").exists());
    }
}

#[tokio::test]
async fn of_two_runs_that_claim_one_identity_the_second_is_told_who_where_and_since() {
    for (_home, store) in stores() {
        let claims = store.claims();
        let wanted = identities(&["route53:Z1/shop/A", "postgres://db/orders"]);
        assert_eq!(claims.take(&run("a"), &wanted, &actor("alice")).await.unwrap(), Claimed::All);
        let clash = identities(&["zz", "aa", "route53:Z1/shop/A"]);
        let refused = claims.take(&run("b"), &clash, &actor("bob")).await.unwrap();
        let error = refused.or_conflict().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(
            error.to_string().contains("alice from test") && error.to_string().contains(run("a").as_str())
        );
        let held: Vec<_> = claims.list().await.unwrap().into_iter().map(|claim| claim.identity).collect();
        assert_eq!(
            held,
            identities(&["postgres://db/orders", "route53:Z1/shop/A"]),
            "nothing of b's is left"
        );
    }
}

#[tokio::test]
async fn a_claim_is_the_runs_until_its_end() {
    for (_home, store) in stores() {
        let claims = store.claims();
        claims.take(&run("a"), &identities(&["x", "y"]), &actor("alice")).await.unwrap();
        let again = claims.take(&run("a"), &identities(&["x", "y", "z"]), &actor("carol")).await.unwrap();
        assert_eq!(again, Claimed::All);
        claims.take(&run("b"), &identities(&["w"]), &actor("bob")).await.unwrap();
        claims.release(&run("a")).await.unwrap();
        claims.release(&run("a")).await.unwrap();
        let left = claims.list().await.unwrap();
        assert_eq!(left.iter().map(|claim| claim.run.clone()).collect::<Vec<_>>(), [run("b")]);
    }
}

#[tokio::test]
async fn a_claim_released_by_hand_leaves_its_reason() {
    for (_home, store) in stores() {
        let claims = store.claims();
        claims.take(&run("a"), &identities(&["x"]), &actor("alice")).await.unwrap();
        let identity = Identity::from("x");
        let released =
            claims.release_by_hand(&identity, "the run is gone", &actor("bob")).await.unwrap().unwrap();
        assert_eq!((released.claim.run.clone(), released.actor.name.as_str()), (run("a"), "bob"));
        assert_eq!(claims.list().await.unwrap(), []);
        assert_eq!(claims.released_by_hand().await.unwrap(), [released]);
        assert_eq!(claims.release_by_hand(&identity, "again", &actor("bob")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_takes_no_other_runs_claim_away() {
    let slots = Scripted::under("claims/");
    let claims = StateStore::slots(slots.clone(), Path::new("/nowhere")).claims();
    claims.take(&run("a"), &identities(&["x"]), &actor("alice")).await.unwrap();
    let before = claims.list().await.unwrap();
    slots.fails(Error::new(ErrorKind::Timeout, "no answer"));
    claims.take(&run("b"), &identities(&["x"]), &actor("bob")).await.unwrap_err();
    assert_eq!(claims.list().await.unwrap(), before);
}

#[tokio::test]
async fn two_who_post_at_once_have_different_numbers() {
    let slots = Scripted::under("runs/");
    let mut inbox = StateStore::slots(slots.clone(), Path::new("/nowhere")).inbox(&run("a"));
    slots.overtaken("a message that came first");
    assert_eq!(inbox.post(Request::Abort, actor("bob"), "").await.unwrap(), 2);
    let messages = inbox.take_new().await.unwrap();
    assert_eq!(
        messages.iter().map(|m| (m.number, m.message.is_ok())).collect::<Vec<_>>(),
        [(1, false), (2, true)]
    );
}

#[tokio::test]
async fn an_inbox_gives_each_message_once_and_in_order() {
    for (_home, store) in stores() {
        let mut inbox = store.inbox(&run("a"));
        assert_eq!(inbox.take_new().await.unwrap(), []);
        inbox.post(Request::GoUnplanned, actor("alice"), "no time").await.unwrap();
        store.inbox(&run("a")).post(Request::Abort, actor("bob"), "enough").await.unwrap();
        let messages = inbox.take_new().await.unwrap();
        let requests: Vec<_> = messages.iter().map(|m| m.message.as_ref().unwrap().request.clone()).collect();
        assert_eq!(requests, [Request::GoUnplanned, Request::Abort]);
        assert_eq!(inbox.take_new().await.unwrap(), []);
        inbox.mark_taken(messages[0].number).await.unwrap();
        let next = store.inbox(&run("a")).take_new().await.unwrap();
        assert_eq!(next, messages[1..], "the next owner sees what was not marked");
        assert_eq!(store.inbox(&run("b")).take_new().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_stops_no_other() {
    let home = tempfile::tempdir().unwrap();
    let store = StateStore::folder(home.path(), Filesystem::Any).unwrap();
    let mut inbox = store.inbox(&run("a"));
    inbox.post(Request::Abort, actor("alice"), "").await.unwrap();
    let path = home.path().join(format!("runs/{}/inbox/000002.json", run("a")));
    std::fs::write(path, b"{\"request\":\"levitate\"}").unwrap();
    inbox.post(Request::Abort, actor("bob"), "").await.unwrap();
    let messages = inbox.take_new().await.unwrap();
    assert_eq!(messages.iter().map(|m| m.message.is_ok()).collect::<Vec<_>>(), [true, false, true]);
}

#[tokio::test]
async fn a_debt_is_open_until_it_is_paid() {
    for (_home, store) in stores() {
        let debts = store.debts();
        let debt = |kind| Debt { kind, resource: "orders".into(), side: "us".into(), why: "lost".into() };
        debts.open(&run("a"), &debt(DebtKind::Replica)).await.unwrap();
        debts.open(&run("a"), &debt(DebtKind::Replica)).await.unwrap();
        debts.open(&run("a"), &debt(DebtKind::Guard)).await.unwrap();
        let open = debts.list().await.unwrap();
        assert_eq!(open.len(), 2);
        debts.pay(&run("b"), &open[0]).await.unwrap();
        debts.pay(&run("b"), &open[0]).await.unwrap();
        assert_eq!(debts.list().await.unwrap(), open[1..]);
        let said = format!("guard of orders on us: lost (since run {})", run("a"));
        assert!(open.iter().any(|debt| debt.to_string() == said), "{open:?}");
    }
}

/// Found: its four names together made a name that no disk takes.
#[tokio::test]
async fn a_debt_of_long_names_is_kept_and_paid_as_any_other() {
    for (_home, store) in stores() {
        let debts = store.debts();
        for end in ["one", "two"] {
            let [resource, side] =
                ["resource", "side"].map(|name| format!("{name}-{}-{end}", "x".repeat(200)));
            let (resource, side) = (resource.into(), side.into());
            let debt = Debt { kind: DebtKind::Replica, resource, side, why: "lost".into() };
            debts.open(&run("a"), &debt).await.unwrap();
        }
        let open = debts.list().await.unwrap();
        assert_eq!(open.len(), 2);
        debts.pay(&run("b"), &open[0]).await.unwrap();
        assert_eq!(debts.list().await.unwrap(), open[1..]);
    }
}

#[tokio::test]
async fn a_saved_plan_is_applied_once() {
    for (_home, store) in stores() {
        assert_eq!(store.apply_plan("p/1", &run("a")).await.unwrap(), Application::Ours);
        assert_eq!(store.apply_plan("p/1", &run("a")).await.unwrap(), Application::Ours);
        let second = store.apply_plan("p/1", &run("b")).await.unwrap();
        assert!(matches!(second, Application::Before(there) if there.run == run("a")));
    }
}

#[tokio::test]
async fn a_heartbeat_replaces_the_one_before() {
    for (_home, store) in stores() {
        store.put_heartbeat("shop / outside", json!({ "at": 1 })).await.unwrap();
        store.put_heartbeat("shop / outside", json!({ "at": 2 })).await.unwrap();
        store.put_heartbeat("a", json!(null)).await.unwrap();
        let beats = store.heartbeats().await.unwrap();
        assert_eq!(beats, [("a".to_owned(), json!(null)), ("shop / outside".to_owned(), json!({ "at": 2 }))]);
    }
}

#[tokio::test]
async fn a_runs_plan_is_kept_once_and_for_all() {
    for (_home, store) in stores() {
        let run = dr_core::RunId::from("20261121T020000Z-abcdef");
        assert_eq!(store.plan_of(&run).await.unwrap(), None);
        store.keep_plan(&run, "name: orders").await.unwrap();
        store.keep_plan(&run, "name: orders").await.unwrap();
        assert_eq!(store.plan_of(&run).await.unwrap().as_deref(), Some(b"name: orders".as_slice()));
        assert!(store.keep_plan(&run, "name: another").await.is_err(), "a run never has two");
        store.keep_plan(&"another-run".into(), "name: another").await.unwrap();
        assert!(store.plan_of(&"../../etc/passwd".into()).await.is_err());
    }
}

#[tokio::test]
async fn bundles_are_a_chain_without_a_gap() {
    for (_home, store) in stores() {
        let register = store.bundles();
        let first = register.next().await.unwrap();
        assert_eq!((first.number, first.prev), (1, Digest::NONE));
        let hash = Digest::of(b"manifest 1");
        let done = register.register(&first, &run("a"), hash).await.unwrap();
        assert!(matches!(&done, Registration::Done(_)));
        assert_eq!(register.register(&first, &run("a"), hash).await.unwrap(), done, "again changes nothing");
        let late = register.register(&first, &run("b"), Digest::of(b"other")).await.unwrap();
        assert!(matches!(late, Registration::Taken(there) if there.run == run("a")));
        let second = register.next().await.unwrap();
        assert_eq!((second.number, second.prev), (2, hash));
        register.register(&second, &run("b"), Digest::of(b"other")).await.unwrap();
        assert_eq!(register.last().await.unwrap().unwrap().run, run("b"));
    }
}

#[tokio::test]
async fn a_bundle_that_was_taken_out_of_the_register_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let store = StateStore::folder(home.path(), Filesystem::Any).unwrap();
    let register = store.bundles();
    for name in ["a", "b", "c"] {
        let place = register.next().await.unwrap();
        register.register(&place, &run(name), Digest::of(name.as_bytes())).await.unwrap();
    }
    std::fs::remove_file(home.path().join("bundles/000002.json")).unwrap();
    assert_eq!(register.list().await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_bundle_that_stands_under_anothers_number_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let register = StateStore::folder(home.path(), Filesystem::Any).unwrap().bundles();
    let place = register.next().await.unwrap();
    register.register(&place, &run("a"), Digest::of(b"a")).await.unwrap();
    std::fs::rename(home.path().join("bundles/000001.json"), home.path().join("bundles/000002.json"))
        .unwrap();
    assert_eq!(register.list().await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_bundle_is_registered_behind_the_last_one_and_nowhere_else() {
    for (_home, store) in stores() {
        let register = store.bundles();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        for (number, prev, kept) in [
            (2, Digest::NONE, false),
            (1, b, false),
            (1, Digest::NONE, true),
            (2, b, false),
            (3, a, false),
            (2, a, true),
        ] {
            let manifest = if number == 1 { a } else { b };
            let registered = register.register(&Place { number, prev }, &run("a"), manifest).await;
            let kind = registered.err().map(|error| error.kind());
            assert_eq!(kind, if kept { None } else { Some(ErrorKind::Conflict) }, "{number} behind {prev}");
        }
    }
}

#[tokio::test]
async fn a_store_that_can_be_written_is_proven_by_a_record_of_each_seat() {
    let slots = MemorySlots::new();
    let store = StateStore::slots(Arc::new(slots.clone()), Path::new("/nowhere"));
    store.prove("eu", &actor("alice")).await.unwrap();
    store.prove("us", &actor("alice")).await.unwrap();
    store.prove("eu", &actor("bob")).await.unwrap();
    assert_eq!(slots.list("").await.unwrap(), ["ready/eu.json", "ready/us.json"]);
    let (record, _) = slots.read("ready/eu.json").await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&record).contains("bob"));
}

#[tokio::test]
async fn a_store_that_takes_no_write_is_not_proven() {
    let slots = Scripted::under("ready/");
    let store = StateStore::slots(slots.clone(), Path::new("/nowhere"));
    slots.fails(Error::refused("read-only"));
    assert_eq!(store.prove("eu", &actor("alice")).await.unwrap_err().kind(), ErrorKind::Refused);
    for _ in 0..2 {
        slots.overtaken("another's record");
        let error = store.prove("eu", &actor("alice")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "of two at the same moment one proves nothing");
    }
}

#[tokio::test]
async fn runs_that_cannot_be_listed_are_not_taken_for_none() {
    let home = tempfile::tempdir().unwrap();
    let store = StateStore::folder(home.path(), Filesystem::Any).unwrap();
    std::fs::write(home.path().join("runs"), b"").unwrap();
    assert_eq!(store.runs().await.unwrap_err().kind(), ErrorKind::Refused);
}
