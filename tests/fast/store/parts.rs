//! Documents in parts: a reader sees one version as a whole, whatever fails or happens in between.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use basewatch::store::{
    self, Error, FolderStore, ObjectVersion, Result, SharedTexts, Store, StoreLock, StoredDocument, StoredObject,
    WriteCondition,
};
use futures::future::{BoxFuture, FutureExt as _};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::store::contract::{Shared, is_conflict};

/// The size limit of objects: documents of more than 1 kB have parts of at most 1 kB.
const MOST_BYTES: u64 = 4_000;

/// A document of texts by number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Shelf {
    #[serde(default)]
    version: u64,
    #[serde(default)]
    texts: BTreeMap<u32, String>,
}

impl StoredDocument for Shelf {
    const SCHEMA: &'static str = "basewatch.shelf/v1";
    const NAME: &'static str = "shelf.json";

    fn entries(&self) -> impl Iterator<Item = Vec<u8>> + Send {
        self.texts.iter().map(|entry| serde_json::to_vec(&entry).unwrap())
    }

    fn without_entries(&self) -> impl Serialize {
        Self { version: self.version, ..Self::default() }
    }

    fn add_entry(&mut self, json: &[u8], _: &mut SharedTexts) -> serde_json::Result<()> {
        let (number, text) = serde_json::from_slice(json)?;
        self.texts.insert(number, text);
        Ok(())
    }
}

/// A store whose process is killed at a change: each later change fails.
#[derive(Debug)]
struct DyingStore {
    inner: Arc<dyn Store>,
    /// Number of changes before the kill.
    left: AtomicUsize,
    /// Whether the change at the kill still happens.
    is_done: bool,
}

impl DyingStore {
    async fn change<T>(&self, change: BoxFuture<'_, Result<T>>) -> Result<T> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(1) if self.is_done => drop(change.await?),
            Ok(2..) => return change.await,
            _ => {}
        }
        Err(Error::Unavailable { what: "a change".to_owned(), why: "the process was killed".to_owned() })
    }
}

impl Store for DyingStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn most_bytes(&self) -> u64 {
        self.inner.most_bytes()
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>>> {
        self.inner.read(name)
    }

    fn write<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
        only_if: WriteCondition,
    ) -> BoxFuture<'a, Result<ObjectVersion>> {
        self.change(self.inner.write(name, bytes, only_if)).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        self.inner.list(prefix)
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        self.change(self.inner.remove(name)).boxed()
    }

    fn lock<'a>(&'a self, holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn StoreLock>>> {
        self.inner.lock(holder, wait)
    }
}

fn folder() -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::limited(folder.path().to_owned(), MOST_BYTES);
    (folder, Arc::new(store))
}

async fn load(store: &dyn Store) -> Shelf {
    store::load::<Shelf>(store).await.unwrap().document
}

/// Saves `shelf` over what is stored.
async fn save(store: &dyn Store, shelf: &Shelf) -> Result<()> {
    let mut stored = store::load::<Shelf>(store).await?;
    stored.document = shelf.clone();
    stored.save(store).await
}

fn shelf(version: u64, count: u32, bytes: usize) -> Shelf {
    let text = |number: u32| format!("{number} {}", "x".repeat(bytes));
    Shelf { version, texts: (0..count).map(|number| (number, text(number))).collect() }
}

fn shelves() -> impl Strategy<Value = Shelf> {
    let texts = proptest::collection::btree_map(0..60_u32, "[a-z\n\"é]{0,150}", 0..50);
    (any::<u64>(), texts).prop_map(|(version, texts)| Shelf { version, texts })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_kill_at_any_change_leaves_the_old_or_the_new_version(
        old in shelves(), new in shelves(), last in 0..30_usize, is_done: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_folder, store) = folder();
            save(&*store, &old).await.unwrap();
            let dying = DyingStore { inner: Arc::clone(&store), left: AtomicUsize::new(last), is_done };
            let saved = save(&dying, &new).await;
            let found = load(&*store).await;
            prop_assert!(found == new || (found == old && saved.is_err()), "{found:?}");
            // The next run continues.
            save(&*store, &new).await.unwrap();
            prop_assert_eq!(load(&*store).await, new);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_small_document_is_one_readable_object_and_a_large_one_has_parts() {
    for shared in Shared::both() {
        let store = shared.limited(MOST_BYTES);
        save(&*store, &shelf(1, 10, 20)).await.unwrap();
        assert_eq!(store.list("").await.unwrap(), ["shelf.json"], "{store:?}");
        let bytes = store.read("shelf.json").await.unwrap().unwrap().bytes;
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["texts"]["7"], shelf(1, 10, 20).texts[&7]);
        save(&*store, &shelf(2, 100, 90)).await.unwrap();
        let parts = store.list("shelf/").await.unwrap();
        assert!(parts.len() >= 10, "{parts:?}");
        assert_eq!(load(&*store).await, shelf(2, 100, 90), "{store:?}");
        save(&*store, &shelf(3, 1, 20)).await.unwrap();
        assert_eq!(store.list("").await.unwrap(), ["shelf.json"], "{store:?}");
    }
}

#[tokio::test]
async fn a_document_in_parts_overwrites_only_the_version_that_was_read() {
    for shared in Shared::both() {
        let store = shared.limited(MOST_BYTES);
        save(&*store, &shelf(1, 100, 90)).await.unwrap();
        let mut slow = store::load::<Shelf>(&*store).await.unwrap();
        save(&*store, &shelf(2, 100, 80)).await.unwrap();
        slow.document = shelf(3, 100, 70);
        assert!(is_conflict(&slow.save(&*store).await), "{store:?}");
        assert_eq!(load(&*store).await, shelf(2, 100, 80), "{store:?}");
    }
}

#[tokio::test]
async fn a_reader_that_is_overtaken_reads_the_later_version() {
    let (_folder, store) = folder();
    save(&*store, &shelf(1, 100, 90)).await.unwrap();
    let reader = OvertakenStore { inner: Arc::clone(&store), reads: AtomicUsize::new(0) };
    assert_eq!(load(&reader).await, shelf(2, 100, 80));
}

/// A store in which another process replaces the document after a part was read.
#[derive(Debug)]
struct OvertakenStore {
    inner: Arc<dyn Store>,
    reads: AtomicUsize,
}

impl Store for OvertakenStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn most_bytes(&self) -> u64 {
        self.inner.most_bytes()
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>>> {
        async move {
            if self.reads.fetch_add(1, Ordering::SeqCst) == 2 {
                save(&*self.inner, &shelf(2, 100, 80)).await.unwrap();
            }
            self.inner.read(name).await
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
        only_if: WriteCondition,
    ) -> BoxFuture<'a, Result<ObjectVersion>> {
        self.inner.write(name, bytes, only_if)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        self.inner.list(prefix)
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        self.inner.remove(name)
    }

    fn lock<'a>(&'a self, holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn StoreLock>>> {
        self.inner.lock(holder, wait)
    }
}

#[tokio::test]
async fn a_part_that_was_damaged_is_refused() {
    let (folder, store) = folder();
    save(&*store, &shelf(1, 100, 90)).await.unwrap();
    let parts = store.list("shelf/").await.unwrap();
    let other = std::fs::read(folder.path().join(&parts[1])).unwrap();
    for bytes in [b"garbage".to_vec(), other] {
        std::fs::write(folder.path().join(&parts[0]), bytes).unwrap();
        let error = store::load::<Shelf>(&*store).await.unwrap_err();
        assert!(matches!(&error, Error::Unreadable { location, .. } if location.ends_with(&parts[0])), "{error}");
    }
}

#[tokio::test]
async fn parts_of_killed_writers_are_removed_after_a_day() {
    let (_folder, store) = folder();
    let name = |id: &str| format!("shelf/{id}-{}.jsonl.gz", "0".repeat(64));
    let (old, new) = (name(&ulid::Ulid::from_parts(1, 1).to_string()), name(&ulid::Ulid::generate().to_string()));
    for name in [&old, &new] {
        store.write(name, b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    }
    save(&*store, &shelf(1, 100, 90)).await.unwrap();
    let names = store.list("shelf/").await.unwrap();
    assert!(names.contains(&new), "its writer may still be running");
    assert!(!names.contains(&old));
}

#[tokio::test]
async fn an_entry_that_is_larger_than_a_part_is_refused() {
    let (_folder, store) = folder();
    save(&*store, &shelf(1, 3, 20)).await.unwrap();
    let error = save(&*store, &shelf(2, 3, 1500)).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { most_bytes: 1000, .. }), "{error}");
    assert_eq!(load(&*store).await, shelf(1, 3, 20));
}
