//! What every kind of slots does, in memory and in a folder.

use std::sync::Arc;

use bytes::Bytes;
use dr_core::ErrorKind;
use dr_core::journal::{Created, FolderSlots, MemorySlots, Slots, Tag};

const ONE: Bytes = Bytes::from_static(b"one");
const TWO: Bytes = Bytes::from_static(b"two");

async fn behave(slots: &dyn Slots) {
    assert_eq!(slots.read("a/b").await.unwrap(), None);
    assert_eq!(slots.create("a/b", ONE).await.unwrap(), Created::Yes);
    assert_eq!(slots.create("a/b", ONE).await.unwrap(), Created::Mine);
    assert_eq!(slots.create("a/b", TWO).await.unwrap(), Created::Other(ONE));
    let (bytes, tag) = slots.read("a/b").await.unwrap().unwrap();
    assert_eq!(bytes, ONE);
    assert!(!slots.replace_if("a/b", &Tag("stale".into()), TWO).await.unwrap());
    assert!(!slots.replace_if("a/none", &tag, TWO).await.unwrap());
    assert!(slots.replace_if("a/b", &tag, TWO).await.unwrap());
    assert!(!slots.replace_if("a/b", &tag, ONE).await.unwrap());
    assert!(!slots.remove_if("a/b", &tag).await.unwrap());
    slots.create("a/c/d", ONE).await.unwrap();
    slots.create("ab", ONE).await.unwrap();
    assert_eq!(slots.list("").await.unwrap(), ["a/b", "a/c/d", "ab"]);
    assert_eq!(slots.list("a/").await.unwrap(), ["a/b", "a/c/d"]);
    assert_eq!(slots.list("a/c/").await.unwrap(), ["a/c/d"]);
    assert_eq!(slots.list("nothing/").await.unwrap(), [""; 0]);
    let (_, tag) = slots.read("a/b").await.unwrap().unwrap();
    assert!(slots.remove_if("a/b", &tag).await.unwrap());
    assert!(slots.remove_if("a/b", &tag).await.unwrap());
    assert_eq!(slots.create("a/b", TWO).await.unwrap(), Created::Yes);
    for key in ["../escape", "a//b", ".hidden", ""] {
        assert_eq!(slots.create(key, ONE).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

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
