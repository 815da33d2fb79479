//! What every kind of slots does, whoever keeps them: the tests of the object stores share it.

use bytes::Bytes;
use dr_core::ErrorKind;
use dr_core::journal::{Created, Slots, Tag};

const ONE: Bytes = Bytes::from_static(b"one");
const TWO: Bytes = Bytes::from_static(b"two");

pub(crate) async fn behave(slots: &dyn Slots) {
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
    for _ in ["and again, after a lost answer", "it is gone"] {
        assert!(slots.remove_if("a/b", &tag).await.unwrap());
    }
    assert_eq!(slots.read("a/b").await.unwrap(), None);
    assert_eq!(slots.list("a/").await.unwrap(), ["a/c/d"]);
    assert_eq!(slots.create("a/b", TWO).await.unwrap(), Created::Yes);
    assert_eq!(slots.create("a/b", ONE).await.unwrap(), Created::Other(TWO));
    for key in ["../escape", "a//b", ".hidden", ""] {
        assert_eq!(slots.create(key, ONE).await.unwrap_err().kind(), ErrorKind::Invalid, "{key}");
    }
}
