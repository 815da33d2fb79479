//! Object stores as slots, and a state store on them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../../dr-core/tests/journal/behave.rs"]
mod behave;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dr_core::event::{Actor, Entry, Event};
use dr_core::journal::{Claimed, Created, Durability, JournalError, Slots, StateStore};
use dr_core::{ErrorKind, Identity, RunId, StepId, Timestamp};
use dr_store::{Location, ObjectSlots, Opening};
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use self::behave::behave;

const ONE: Bytes = Bytes::from_static(b"one");
const TWO: Bytes = Bytes::from_static(b"two");

/// A run from its begin to a take-over, and a claim.
async fn carry(store: &StateStore) {
    let actor = |name: &str| Actor { name: name.to_owned(), from: "test".to_owned() };
    let run = RunId::new("20261121T020000Z-abcdef");
    let entries = |from: u64, to: u64, epoch| -> Vec<Entry> {
        let event = |text: &str| Event::Progress { step: StepId::new("a/b"), text: text.to_owned() };
        let at = Timestamp::from_millis(0);
        (from..=to).map(|seq| Entry { seq, epoch, at, elapsed_ms: 0, event: event("waiting") }).collect()
    };
    let mut old = store.create_run(&run, &actor("alice")).await.unwrap();
    for batch in 0..12 {
        old.append(&entries(batch * 3 + 1, batch * 3 + 3, 1), Durability::Barrier).await.unwrap();
    }
    assert!(old.lease_left().unwrap() > Duration::from_secs(1));
    let mut owned = store.own_run(&run, true, &actor("bob")).await.unwrap();
    assert_eq!((owned.lines.len(), owned.epoch), (36, 2));
    owned.journal.append(&entries(37, 37, 2), Durability::Barrier).await.unwrap();
    let lost = old.append(&entries(37, 37, 1), Durability::Barrier).await;
    assert!(matches!(lost, Err(JournalError::Lost { .. })), "{lost:?}");
    owned.journal.release().await.unwrap();
    assert_eq!(store.read_run(&run).await.unwrap().len(), 37);
    assert_eq!(store.runs().await.unwrap(), std::slice::from_ref(&run));
    let identity = [Identity::from("postgres://db/orders")];
    let claims = store.claims();
    assert_eq!(claims.take(&run, &identity, &actor("alice")).await.unwrap(), Claimed::All);
    let other = claims.take(&RunId::new("other"), &identity, &actor("bob")).await.unwrap();
    assert!(matches!(other, Claimed::Held(claim) if claim.run == run));
    claims.release(&run).await.unwrap();
    assert_eq!(claims.take(&RunId::new("other"), &identity, &actor("bob")).await.unwrap(), Claimed::All);
}

#[tokio::test]
async fn an_object_store_behaves_with_and_without_a_prefix() {
    for prefix in ["", "drills", "drills/orders"] {
        let slots = ObjectSlots::new(Arc::new(InMemory::new()), prefix);
        behave(&slots).await;
        assert_eq!(slots.create("a/e", Bytes::new()).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn two_prefixes_do_not_meet() {
    let store = Arc::new(InMemory::new());
    let one = ObjectSlots::new(store.clone(), "drills");
    let two = ObjectSlots::new(store, "drills2");
    one.create("a", ONE).await.unwrap();
    two.create("b", ONE).await.unwrap();
    assert_eq!(one.list("").await.unwrap(), ["a"]);
    assert_eq!(two.read("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_run_lives_on_an_object_store() {
    carry(&dr_store::open("memory:", std::path::Path::new("/nowhere")).unwrap()).await;
}

#[tokio::test]
async fn a_run_lives_on_an_object_store_that_loses_answers() {
    let lossy = Lossy { inner: InMemory::new(), puts: AtomicU32::new(0) };
    let slots = ObjectSlots::new(Arc::new(lossy), "drills");
    behave_but_for_whose(&slots).await;
    carry(&StateStore::slots(Arc::new(slots), std::path::Path::new("/nowhere"))).await;
}

/// After a lost answer one's own value is `Mine`, which is as good as `Yes`.
async fn behave_but_for_whose(slots: &dyn Slots) {
    for number in 0..8 {
        let key = format!("lossy/{number}");
        assert!(matches!(slots.create(&key, ONE).await.unwrap(), Created::Yes | Created::Mine));
        assert_eq!(slots.create(&key, TWO).await.unwrap(), Created::Other(ONE));
        let (_, tag) = slots.read(&key).await.unwrap().unwrap();
        assert!(slots.replace_if(&key, &tag, TWO).await.unwrap());
        let (_, tag) = slots.read(&key).await.unwrap().unwrap();
        assert!(slots.remove_if(&key, &tag).await.unwrap());
        assert!(matches!(slots.create(&key, ONE).await.unwrap(), Created::Yes | Created::Mine));
        let (_, tag) = slots.read(&key).await.unwrap().unwrap();
        assert!(slots.remove_if(&key, &tag).await.unwrap());
    }
}

#[tokio::test]
async fn a_store_that_never_answers_is_an_error_in_bounded_time() {
    // A socket that accepts and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = Opening::new(std::path::Path::new("/nowhere"))
        .within(Duration::from_millis(300))
        .with("aws_endpoint", endpoint)
        .and_then(|opening| opening.with("aws_allow_http", "true"))
        .and_then(|opening| opening.with("aws_access_key_id", "key"))
        .and_then(|opening| opening.with("aws_secret_access_key", "hush-hush"))
        .unwrap();
    assert!(!format!("{store:?}").contains("hush-hush"));
    let store = store.open(&"s3://bucket/prefix".parse::<Location>().unwrap()).unwrap();
    let begun = std::time::Instant::now();
    let error = store.claims().list().await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(!error.chain().contains("hush-hush"));
    drop(listener);
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_refused() {
    let opening = Opening::new(std::path::Path::new("/nowhere"));
    assert_eq!(opening.with("aws_levitate", "true").unwrap_err().kind(), ErrorKind::Invalid);
}

/// Against a server that speaks S3, where one is given: `DR_TEST_S3=http://127.0.0.1:5000`, with a bucket `drills`.
#[tokio::test]
#[ignore = "needs a server"]
async fn a_run_lives_on_s3() {
    let endpoint = std::env::var("DR_TEST_S3").expect("DR_TEST_S3");
    let settings = [
        ("aws_endpoint", endpoint.as_str()),
        ("aws_allow_http", "true"),
        ("aws_access_key_id", "test"),
        ("aws_secret_access_key", "test"),
        ("aws_region", "us-east-1"),
    ];
    let opening =
        settings.iter().try_fold(Opening::new(std::path::Path::new("/nowhere")), |opening, (name, value)| {
            opening.with(name, *value)
        });
    let prefix = format!("test-{}", std::process::id());
    let location = Location::S3 { bucket: "drills".into(), prefix };
    carry(&opening.unwrap().open(&location).unwrap()).await;
}

/// Writes, and loses the answer, of every second write.
#[derive(Debug)]
struct Lossy {
    inner: InMemory,
    puts: AtomicU32,
}

impl std::fmt::Display for Lossy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lossy")
    }
}

#[async_trait]
impl ObjectStore for Lossy {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        let result = self.inner.put_opts(at, bytes, how).await;
        if self.puts.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Err(object_store::Error::Generic {
                store: "lossy",
                source: "the answer was lost".into(),
            });
        }
        result
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, how).await
    }
    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, how).await
    }
    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }
    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(below)
    }
    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(below).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}
