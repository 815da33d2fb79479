//! The journal in a folder.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dr_core::journal::{Digest, Durability, Filesystem, Journal, JournalError, LocalJournal};

use crate::support::{actor, entries, entry, soon};

fn create(folder: &Path) -> LocalJournal {
    LocalJournal::create(folder, &actor("alice"), Filesystem::Any).unwrap()
}

fn own(folder: &Path) -> Result<dr_core::journal::Taken, JournalError> {
    LocalJournal::own(folder, &actor("bob"), Filesystem::Any)
}

#[tokio::test]
async fn what_is_appended_is_there_for_the_next_owner() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    journal.append(&entries(1, 2, 1), Durability::Barrier).await.unwrap();
    journal.append(&entries(3, 3, 1), Durability::Lazy).await.unwrap();
    assert_eq!(journal.read(2).await.unwrap().len(), 2);
    drop(journal);
    let taken = own(home.path()).unwrap();
    assert_eq!((taken.lines.len(), taken.epoch, taken.repair.dropped), (3, 2, None));
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_who_owns_it() {
    let home = tempfile::tempdir().unwrap();
    let journal = create(home.path());
    let refused = own(home.path()).unwrap_err();
    assert!(matches!(&refused, JournalError::Lost { to } if to.contains("alice")), "{refused}");
    assert!(matches!(
        LocalJournal::create(home.path(), &actor("bob"), Filesystem::Any),
        Err(JournalError::Lost { .. })
    ));
    drop(journal);
    own(home.path()).unwrap();
    assert!(matches!(
        LocalJournal::create(home.path(), &actor("bob"), Filesystem::Any),
        Err(JournalError::Refused { .. })
    ));
}

#[tokio::test]
async fn an_owner_who_has_not_said_his_name_yet_is_another_process() {
    let home = tempfile::tempdir().unwrap();
    drop(create(home.path()));
    let lock = fs::File::create(home.path().join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(own(home.path()), Err(JournalError::Lost { to }) if to == "another process"));
}

#[tokio::test]
async fn a_released_run_is_free_and_takes_nothing_more() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    journal.append(&entries(1, 1, 1), Durability::Lazy).await.unwrap();
    journal.release().await.unwrap();
    let mut next = own(home.path()).unwrap().journal;
    next.append(&entries(2, 2, 2), Durability::Barrier).await.unwrap();
    assert!(matches!(
        journal.append(&entries(2, 2, 1), Durability::Barrier).await,
        Err(JournalError::Closed { .. })
    ));
}

#[tokio::test]
async fn what_follows_the_last_commit_is_kept_aside() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    journal.append(&entries(1, 2, 1), Durability::Barrier).await.unwrap();
    drop(journal);
    let path = home.path().join("journal.ndjson");
    for (number, tail) in [(1, &b"{\"seq\":3,\"epo"[..]), (2, b"\0\0\0\0\0\0")] {
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(tail).unwrap();
        assert_eq!(LocalJournal::read_only(home.path()).unwrap().tail, tail);
        let taken = own(home.path()).unwrap();
        let dropped = taken.repair.dropped.unwrap();
        assert_eq!(dropped.file, format!("journal.dropped-{number}"));
        assert_eq!((dropped.bytes, dropped.sha256), (tail.len() as u64, Digest::of(tail)));
        assert_eq!(fs::read(home.path().join(dropped.file)).unwrap(), tail);
        assert_eq!(taken.lines.len(), 2);
    }
    let mut taken = own(home.path()).unwrap();
    assert_eq!(taken.repair.dropped, None);
    taken.journal.append(&entries(3, 3, 2), Durability::Barrier).await.unwrap();
    assert_eq!(LocalJournal::read_only(home.path()).unwrap().lines.len(), 3);
}

#[tokio::test]
async fn damage_before_the_last_commit_is_refused_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    for seq in 1..=3 {
        journal.append(&entries(seq, seq, 1), Durability::Barrier).await.unwrap();
    }
    drop(journal);
    let path = home.path().join("journal.ndjson");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(own(home.path()), Err(JournalError::Damaged { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn after_an_error_nothing_more_is_appended() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    assert!(matches!(
        journal.append(&[entry(7, 1, "a gap")], Durability::Barrier).await,
        Err(JournalError::Refused { .. })
    ));
    assert!(matches!(
        journal.append(&entries(1, 1, 1), Durability::Barrier).await,
        Err(JournalError::Closed { .. })
    ));
}

#[tokio::test]
async fn after_a_dropped_append_nothing_more_is_appended() {
    use futures_util::FutureExt as _;
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    let batch = entries(1, 1, 1);
    let dropped = journal.append(&batch, Durability::Barrier).now_or_never();
    assert!(dropped.is_none() || dropped.is_some_and(|result| result.is_ok()));
    if let Err(error) = journal.append(&entries(2, 2, 1), Durability::Barrier).await {
        assert!(matches!(error, JournalError::Closed { .. }));
    }
}

#[tokio::test]
async fn space_is_reserved_without_showing_in_the_file() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    journal.reserve(1 << 20).await.unwrap();
    journal.append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
    drop(journal);
    let taken = own(home.path()).unwrap();
    assert_eq!((taken.lines.len(), taken.repair.dropped), (1, None));
}

#[tokio::test]
async fn space_that_is_not_there_is_refused_before_the_first_effect() {
    let home = tempfile::tempdir().unwrap();
    let refused = create(home.path()).reserve(1 << 50).await.unwrap_err();
    assert!(
        matches!(&refused, JournalError::Io { what, .. } if what.starts_with("reserve space in")),
        "{refused}"
    );
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("state/runs/one");
    let _journal = create(&folder);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("journal.ndjson")), 0o600);
    assert_eq!(mode(&folder.join("lock")), 0o600);
}

#[tokio::test]
async fn there_is_no_run_where_there_is_no_journal() {
    let home = tempfile::tempdir().unwrap();
    let nowhere = home.path().join("nowhere");
    assert!(matches!(own(&nowhere), Err(JournalError::NoSuchRun { run }) if run == "nowhere"));
    assert!(matches!(LocalJournal::read_only(&nowhere), Err(JournalError::NoSuchRun { .. })));
}

#[test]
fn a_journal_that_cannot_be_opened_is_not_taken_for_none() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("journal.ndjson");
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let refused = LocalJournal::read_only(home.path()).unwrap_err();
    assert!(matches!(&refused, JournalError::Io { what, .. } if what.starts_with("open")), "{refused}");
}

/// The folder's path is so long that a name as long as the journal's can be made in it, and no longer one.
#[tokio::test]
async fn what_cannot_be_kept_aside_is_not_cut_off() {
    let home = tempfile::tempdir().unwrap();
    let mut folder = home.path().to_owned();
    while folder.as_os_str().len() < 4080 {
        let left = 4080 - folder.as_os_str().len() - 1;
        folder.push("x".repeat(if left > 200 { 100 } else { left }));
    }
    let mut journal = create(&folder);
    journal.append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
    journal.release().await.unwrap();
    let path = folder.join("journal.ndjson");
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"cut").unwrap();
    let before = fs::read(&path).unwrap();
    let refused = soon(move || own(&folder)).unwrap_err();
    assert!(matches!(&refused, JournalError::Io { what, .. } if what.starts_with("create")), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_thousand_lazy_outcomes_cost_few_syncs() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = create(home.path());
    let begun = Instant::now();
    for seq in 1..=1000 {
        journal.append(&entries(seq, seq, 1), Durability::Lazy).await.unwrap();
    }
    journal.append(&[], Durability::Barrier).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(journal.read(1).await.unwrap().len(), 1000);
}
