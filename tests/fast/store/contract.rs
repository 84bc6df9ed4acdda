//! The contract of a store, checked with a folder and with a bucket.

use std::{sync::Arc, time::Duration};

use basewatch::store::{Error, FolderStore, Store, StoreLock, WriteCondition};
use tempfile::TempDir;

use testbed::{
    bucket::Bucket,
    counter::{all_are_counted, at_most_one_holds_the_lock},
};

/// A location that stores share.
pub(crate) enum Shared {
    Folder(TempDir),
    Bucket(Bucket),
}

impl Shared {
    /// One of each kind.
    pub(crate) fn both() -> [Self; 2] {
        [Self::Folder(tempfile::tempdir().unwrap()), Self::Bucket(Bucket::start())]
    }

    /// The store, opened as by a separate run.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Folder(folder) => Arc::new(FolderStore::new(folder.path().join("store"))),
            Self::Bucket(bucket) => Arc::new(bucket.store()),
        }
    }

    /// The same with a limit of `most_bytes` per object.
    pub(crate) fn limited(&self, most_bytes: u64) -> Arc<dyn Store> {
        match self {
            Self::Folder(folder) => Arc::new(FolderStore::limited(folder.path().join("store"), most_bytes)),
            Self::Bucket(bucket) => Arc::new(bucket.limited_store(most_bytes)),
        }
    }

    /// The store, opened `count` times.
    pub(crate) fn stores(&self, count: usize) -> Vec<Arc<dyn Store>> {
        (0..count).map(|_| self.store()).collect()
    }
}

pub(crate) fn is_conflict<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Conflict { .. }))
}

#[tokio::test]
async fn written_objects_can_be_read() {
    for shared in Shared::both() {
        let (one, other) = (shared.store(), shared.store());
        assert_eq!(one.read("a/b.json").await.unwrap(), None, "{one:?}");
        for text in ["one", "", "{\"é\":\"☃\"}"] {
            let version = one.write("a/b.json", text.into(), WriteCondition::Always).await.unwrap();
            let stored = other.read("a/b.json").await.unwrap().unwrap();
            assert_eq!((stored.bytes, stored.version), (text.as_bytes().to_vec(), version), "{one:?}");
        }
    }
}

#[tokio::test]
async fn a_write_happens_only_under_its_condition() {
    for shared in Shared::both() {
        let store = shared.store();
        let write = |text: &str, only_if| {
            let (store, text) = (Arc::clone(&store), text.to_owned());
            async move { store.write("ledger.json", text.into_bytes(), only_if).await }
        };
        let first = write("first", WriteCondition::Absent).await.unwrap();
        assert!(is_conflict(&write("again", WriteCondition::Absent).await), "{store:?}");
        let second = write("second", WriteCondition::Unchanged(first.clone())).await.unwrap();
        assert_ne!(first, second);
        assert!(is_conflict(&write("late", WriteCondition::Unchanged(first.clone())).await), "{store:?}");
        assert_eq!(store.read("ledger.json").await.unwrap().unwrap().bytes, b"second");
        store.remove("ledger.json").await.unwrap();
        assert!(is_conflict(&write("gone", WriteCondition::Unchanged(second)).await), "{store:?}");
        assert_eq!(store.read("ledger.json").await.unwrap(), None);
    }
}

#[tokio::test]
async fn objects_above_the_limit_are_not_written() {
    for shared in Shared::both() {
        let store = shared.limited(1000);
        let whole = vec![b'a'; 1000];
        let version = store.write("ledger.json", whole.clone(), WriteCondition::Absent).await.unwrap();
        for only_if in [WriteCondition::Always, WriteCondition::Unchanged(version)] {
            let error = store.write("ledger.json", vec![b'b'; 1001], only_if).await.unwrap_err();
            assert!(matches!(error, Error::TooLarge { most_bytes: 1000, .. }), "{error:?}");
            assert!(error.to_string().contains("ledger.json: larger than 1000 bytes"), "{error}");
        }
        assert_eq!(store.read("ledger.json").await.unwrap().unwrap().bytes, whole);
    }
}

#[tokio::test]
async fn objects_above_the_limit_are_not_read() {
    for shared in Shared::both() {
        let written = shared.store().write("ledger.json", vec![b'a'; 1001], WriteCondition::Absent).await.unwrap();
        let store = shared.limited(1000);
        assert_eq!(store.most_bytes(), 1000);
        let refused = store.read("ledger.json").await;
        assert!(matches!(refused, Err(Error::TooLarge { most_bytes: 1000, .. })), "{refused:?}");
        shared.store().write("ledger.json", b"b".to_vec(), WriteCondition::Unchanged(written)).await.unwrap();
        assert_eq!(store.read("ledger.json").await.unwrap().unwrap().bytes, b"b");
    }
}

#[tokio::test]
async fn names_are_listed_by_prefix_in_order() {
    for shared in Shared::both() {
        let store = shared.store();
        assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
        let names = ["a", "a-b", "a.b/c", "b/1", "b/10", "b/2", "b/3/x", "b/3/y/z", "b0", "catalog/v1/segments/x.json"];
        for name in names.iter().rev() {
            store.write(name, b"x".to_vec(), WriteCondition::Always).await.unwrap();
        }
        assert_eq!(store.list("").await.unwrap(), names, "{store:?}");
        assert_eq!(store.list("b/").await.unwrap(), ["b/1", "b/10", "b/2", "b/3/x", "b/3/y/z"]);
        assert_eq!(store.list("b/1").await.unwrap(), ["b/1", "b/10"]);
        assert_eq!(store.list("b/3/y").await.unwrap(), ["b/3/y/z"]);
        assert_eq!(store.list("nothing/here").await.unwrap(), Vec::<String>::new());
        store.lock("another run", Duration::ZERO).await.unwrap().release().await;
        assert_eq!(store.list("").await.unwrap(), names, "locks are not listed");
    }
}

#[tokio::test]
async fn removal_is_idempotent() {
    for shared in Shared::both() {
        let store = shared.store();
        store.remove("a/b").await.unwrap();
        for name in ["a/b", "a/c"] {
            store.write(name, b"x".to_vec(), WriteCondition::Absent).await.unwrap();
        }
        store.remove("a/b").await.unwrap();
        assert_eq!(store.list("").await.unwrap(), ["a/c"], "{store:?}");
        store.write("a/b", b"y".to_vec(), WriteCondition::Absent).await.unwrap();
        assert_eq!(store.list("").await.unwrap(), ["a/b", "a/c"], "{store:?}");
    }
}

#[tokio::test]
async fn names_outside_the_store_are_refused() {
    for shared in Shared::both() {
        let store = shared.store();
        for name in ["../x", "/etc/x", "a/../../x", "", "a//b", ".run.lock", "lock.json", "a\0b"] {
            let denied = |error| assert!(matches!(error, Error::Denied { .. }), "{store:?} {name}: {error}");
            denied(store.read(name).await.unwrap_err());
            denied(store.write(name, b"x".to_vec(), WriteCondition::Always).await.unwrap_err());
            denied(store.remove(name).await.unwrap_err());
        }
        assert!(store.list("../").await.is_err());
    }
}

#[tokio::test]
async fn a_lock_timeout_names_the_holder() {
    for shared in Shared::both() {
        let store = shared.store();
        let lock = store.lock("run 01J on worker-7", Duration::ZERO).await.unwrap();
        assert!(lock.is_held());
        let error = shared.store().lock("another", Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        assert!(error.to_string().contains("run 01J on worker-7"), "{error}");
        assert!(lock.is_held(), "{store:?}");
        lock.release().await;
        shared.store().lock("another", Duration::ZERO).await.unwrap().release().await;
    }
}

#[tokio::test]
async fn a_dropped_lock_is_released() {
    for shared in Shared::both() {
        let lock: Box<dyn StoreLock> = shared.store().lock("one", Duration::ZERO).await.unwrap();
        drop(lock);
        shared.store().lock("another", Duration::from_secs(20)).await.unwrap().release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_concurrent_writers_lose_no_update() {
    for shared in Shared::both() {
        all_are_counted(shared.stores(40)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_is_exclusive_among_forty() {
    for shared in Shared::both() {
        at_most_one_holds_the_lock(shared.stores(40), Duration::from_mins(2)).await;
    }
}
