//! Slots in memory and in a folder.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dr_core::journal::{Created, FolderSlots, MemorySlots, Slots};
use dr_core::{ErrorKind, Happened};
use futures_util::FutureExt as _;
use tokio::time::{Instant, timeout};

use crate::behave::behave;
use crate::support::soon;

const ONE: Bytes = Bytes::from_static(b"one");
const TWO: Bytes = Bytes::from_static(b"two");

#[tokio::test]
async fn slots_in_memory_behave() {
    behave(&MemorySlots::new()).await;
}

#[tokio::test]
async fn slots_in_a_folder_behave_and_leave_nothing_lying_about() {
    let home = tempfile::tempdir().unwrap();
    behave(&FolderSlots::open(home.path()).unwrap()).await;
    let left: Vec<_> =
        std::fs::read_dir(home.path().join("a")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn of_many_who_create_one_wins_and_of_many_who_replace_one_wins_each_time() {
    let home = tempfile::tempdir().unwrap();
    let slots = Arc::new(FolderSlots::open(home.path()).unwrap());
    let compete = |number: u8| {
        let slots = Arc::clone(&slots);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let mine = Bytes::from(vec![number; 100]);
                let created = slots.create("one/key", mine.clone()).await.unwrap() == Created::Yes;
                let (_, tag) = slots.read("one/key").await.unwrap().unwrap();
                (created, slots.replace_if("one/key", &tag, mine).await.unwrap())
            })
        })
    };
    let threads: Vec<_> = (0..8).map(compete).collect();
    let won: Vec<(bool, bool)> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(won.iter().filter(|(created, _)| *created).count(), 1);
    assert!(won.iter().any(|(_, replaced)| *replaced));
}

#[test]
fn a_folder_that_takes_no_file_says_so_at_once() {
    let slots = FolderSlots::open(Path::new("/proc")).unwrap();
    let error = soon(move || slots.create("key", ONE).now_or_never().unwrap().unwrap_err());
    assert_eq!((error.kind(), error.happened()), (ErrorKind::NotFound, Happened::No));
}

#[tokio::test]
async fn a_name_that_the_disk_does_not_take_is_not_created() {
    let home = tempfile::tempdir().unwrap();
    let slots = FolderSlots::open(home.path()).unwrap();
    let error = slots.create(&"x".repeat(256), ONE).await.unwrap_err();
    assert_eq!(error.happened(), Happened::No);
    assert!(error.to_string().contains("create"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_stays_held_is_waited_for_so_long_and_no_longer() {
    let home = tempfile::tempdir().unwrap();
    let slots = FolderSlots::open(home.path()).unwrap();
    slots.create("a", ONE).await.unwrap();
    let (_, tag) = slots.read("a").await.unwrap().unwrap();
    let lock = File::create(home.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    let begun = Instant::now();
    let waiting = timeout(Duration::from_secs(60), slots.replace_if("a", &tag, TWO));
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Timeout, Happened::No));
    lock.unlock().unwrap();
    assert!(slots.replace_if("a", &tag, TWO).await.unwrap());
}

#[tokio::test]
async fn what_cannot_be_read_or_listed_is_not_taken_for_nothing() {
    let home = tempfile::tempdir().unwrap();
    let slots = FolderSlots::open(home.path()).unwrap();
    std::fs::create_dir(home.path().join("value")).unwrap();
    slots.read("value").await.unwrap_err();
    std::fs::write(home.path().join("folder"), b"").unwrap();
    slots.list("folder/").await.unwrap_err();
}
