//! The catalog: immutable facts by digest, and records of repositories.
//!
//! Each run appends to its own segments, so that runs can share a folder and a killed run loses little. The catalog is a
//! cache: unreadable records are fetched again, and a folder that cannot be written never fails an audit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use chrono::Utc;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    RepositoryRecord,
    repository_record::RepositoryEntry,
    segments::{Appender, Record, RecordKind, Records, SegmentFolder, StoredFact, StoredNote},
};
use crate::image::{Digest, DigestContent, PlatformRelease, Repository};

/// Format version, which is the name of the subfolder.
const VERSION: &str = "v1";

/// Maximum delay of writing changes of repository records, which a run changes often.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Shared facts of a digest.
pub type SharedContent = Arc<DigestContent>;

/// Releases of base repositories from a release catalog.
pub type LoadedReleases = Vec<(Repository, Arc<PlatformRelease>)>;

/// The record of releases and image facts.
#[derive(Debug)]
pub struct Catalog {
    /// The folder, if it is kept in one.
    pub(super) segments: Option<SegmentFolder>,
    pub(super) keeping: CatalogBackend,
    /// Set once the folder was read.
    is_read: OnceLock<()>,
    contents: Mutex<HashMap<Digest, FactEntry>>,
    repositories: Mutex<BTreeMap<Repository, RepositoryEntry>>,
    notes: Mutex<BTreeMap<String, StoredNote>>,
    /// Records not yet saved.
    unsaved: Mutex<UnsavedRecords>,
    /// Releases from a release catalog, kept in memory only.
    loaded: Mutex<Arc<LoadedReleases>>,
}

/// Where a catalog saves new records.
#[derive(Debug)]
pub(super) enum CatalogBackend {
    /// Nowhere.
    Nothing,
    /// In its folder, at once.
    Folder(Mutex<Appender>),
    /// In a store, when [`Catalog::save`] is called.
    Store,
}

/// The facts of a digest.
#[derive(Debug)]
enum FactEntry {
    Stored(StoredFact),
    Decoded(SharedContent),
}

/// Records that no segment has yet. In a folder, only repository records are delayed.
#[derive(Debug, Default)]
struct UnsavedRecords {
    contents: BTreeSet<Digest>,
    repositories: BTreeSet<Repository>,
    notes: BTreeSet<String>,
    /// When repository records were last written to a folder.
    written_at: Option<Instant>,
}

/// A new record in its frame.
#[derive(Debug)]
pub(super) struct NewRecord {
    of: RecordSource,
    pub(super) frame: Vec<u8>,
}

/// The source of a new record.
#[derive(Debug)]
enum RecordSource {
    Content(Digest),
    Repository(Repository, RepositoryRecord),
    Note(String, StoredNote),
}

impl Catalog {
    /// A catalog in `folder`, which is read on first use and created by the first write.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self::new(Some(SegmentFolder::new(folder.join(VERSION))), CatalogBackend::Folder(Mutex::default()))
    }

    /// A read-only catalog in `folder`. New records stay in memory.
    #[must_use]
    pub fn reading(folder: &Path) -> Self {
        Self::new(Some(SegmentFolder::new(folder.join(VERSION))), CatalogBackend::Nothing)
    }

    /// As a part of the store in the folder `store`, which is created with the permissions of a store.
    #[must_use]
    pub fn in_store(mut self, store: &Path) -> Self {
        if let Some(segments) = &mut self.segments {
            segments.store = Some(store.into());
        }
        self
    }

    /// A catalog in memory only.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(None, CatalogBackend::Nothing)
    }

    pub(super) fn new(segments: Option<SegmentFolder>, keeping: CatalogBackend) -> Self {
        Self {
            segments,
            keeping,
            is_read: OnceLock::new(),
            contents: Mutex::default(),
            repositories: Mutex::default(),
            notes: Mutex::default(),
            unsaved: Mutex::default(),
            loaded: Mutex::default(),
        }
    }

    /// The facts of `digest`, if known.
    #[must_use]
    pub fn content(&self, digest: &Digest) -> Option<SharedContent> {
        let mut contents = lock(&self.read().contents);
        let stored = match contents.get(digest)? {
            FactEntry::Decoded(known) => return Some(Arc::clone(known)),
            FactEntry::Stored(stored) => stored,
        };
        match stored.json().and_then(|json| serde_json::from_slice::<DigestContent>(&json).map_err(io::Error::from)) {
            Ok(content) => {
                let known = Arc::new(content);
                contents.insert(digest.clone(), FactEntry::Decoded(Arc::clone(&known)));
                Some(known)
            }
            Err(error) => {
                tracing::debug!("the facts of {digest} are unreadable and will be fetched again: {error}");
                contents.remove(digest);
                None
            }
        }
    }

    /// Stores the facts of `digest`.
    pub fn insert_content(&self, digest: &Digest, content: DigestContent) -> SharedContent {
        let known = Arc::new(content);
        let before = lock(&self.read().contents).insert(digest.clone(), FactEntry::Decoded(Arc::clone(&known)));
        if !matches!(before, Some(FactEntry::Decoded(before)) if before == known) {
            self.save_new(|unsaved| unsaved.contents.insert(digest.clone()), || self.new_content(digest));
        }
        known
    }

    /// Reads the record of `repository`.
    pub fn read_repository<T>(&self, repository: &Repository, read: impl FnOnce(&RepositoryRecord) -> T) -> T {
        read(lock(&self.read().repositories).entry(repository.clone()).or_default().record())
    }

    /// Changes the record of `repository`. In a folder it is written within a second, or when the catalog is dropped, so a
    /// killed run repeats at most the requests of a second. Removed entries return in the next run.
    pub fn update_repository(&self, repository: &Repository, change: impl FnOnce(&mut RepositoryRecord)) {
        change(lock(&self.read().repositories).entry(repository.clone()).or_default().record());
        if !matches!(self.keeping, CatalogBackend::Nothing) {
            lock(&self.unsaved).repositories.insert(repository.clone());
        }
        self.write_repositories(SAVE_EVERY);
    }

    /// The repositories with a record, sorted.
    #[must_use]
    pub fn repositories(&self) -> BTreeSet<Repository> {
        lock(&self.read().repositories).keys().cloned().collect()
    }

    /// Adds `release` to the record of the base repository `repository`, merged with what is known.
    pub fn add_release(&self, repository: &Repository, release: impl Into<Arc<PlatformRelease>>) {
        let release = release.into();
        let known = self.read_repository(repository, |record| record.releases.get(&release.manifest).cloned());
        let mut merged = known.clone().unwrap_or_else(|| Arc::clone(&release));
        PlatformRelease::merge_shared(&mut merged, &release);
        if known.as_ref() != Some(&merged) {
            self.update_repository(repository, |record| drop(record.releases.insert(merged.manifest.clone(), merged)));
        }
    }

    /// Replaces the releases from a release catalog. They prove which base an image has, but not that a base is current, and
    /// are not saved.
    pub fn set_external_releases(&self, releases: LoadedReleases) {
        *lock(&self.loaded) = Arc::new(releases);
    }

    /// The releases from a release catalog.
    #[must_use]
    pub fn external_releases(&self) -> Arc<LoadedReleases> {
        Arc::clone(&lock(&self.loaded))
    }

    /// The note `name`, segments separated by `/`; `None` if it cannot be parsed.
    #[must_use]
    pub fn get_note<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&lock(&self.read().notes).get(name)?.json).ok()
    }

    /// Stores `value` as the note `name`. For data written once per run.
    pub fn put_note<T: Serialize>(&self, name: &str, value: &T) {
        let Ok(json) = serde_json::to_vec(value) else { return };
        {
            let mut notes = lock(&self.read().notes);
            let known = notes.get(name);
            if known.is_some_and(|known| known.json == json) {
                return;
            }
            let note = StoredNote::new(json, Utc::now(), known);
            notes.insert(name.to_owned(), note);
        }
        self.save_new(|unsaved| unsaved.notes.insert(name.to_owned()), || self.new_note(name));
    }

    /// Writes delayed records to the folder.
    pub fn flush(&self) {
        self.write_repositories(Duration::ZERO);
    }

    /// Reads the folder, once.
    fn read(&self) -> &Self {
        self.is_read.get_or_init(|| {
            if let Some(segments) = &self.segments {
                self.learn(segments.read());
            }
        });
        self
    }

    /// Initializes the catalog from `records`.
    pub(super) fn learn(&self, records: Records) {
        let contents = records.contents.into_iter().map(|(digest, fact)| (digest, FactEntry::Stored(fact)));
        lock(&self.contents).extend(contents);
        let repositories = records.repositories.into_iter();
        let repositories = repositories.map(|(repository, stored)| (repository, RepositoryEntry::from_stored(stored)));
        lock(&self.repositories).extend(repositories);
        lock(&self.notes).extend(records.notes);
    }

    /// Writes a new record to the folder, or marks it as unsaved.
    fn save_new(&self, mark: impl FnOnce(&mut UnsavedRecords) -> bool, record: impl FnOnce() -> Option<NewRecord>) {
        match &self.keeping {
            CatalogBackend::Nothing => {}
            CatalogBackend::Folder(appender) => {
                if let (Some(segments), Some(record)) = (&self.segments, record()) {
                    lock(appender).append(&record.frame, segments);
                }
                self.write_repositories(SAVE_EVERY);
            }
            CatalogBackend::Store => {
                mark(&mut lock(&self.unsaved));
            }
        }
    }

    /// Writes changed repository records to the folder, if the last write is at least `every` ago.
    fn write_repositories(&self, every: Duration) {
        let (CatalogBackend::Folder(appender), Some(segments)) = (&self.keeping, &self.segments) else { return };
        let repositories = {
            let mut unsaved = lock(&self.unsaved);
            if unsaved.repositories.is_empty() || unsaved.written_at.is_some_and(|at| at.elapsed() < every) {
                return;
            }
            unsaved.written_at = Some(Instant::now());
            std::mem::take(&mut unsaved.repositories)
        };
        for record in repositories.iter().filter_map(|repository| self.new_record(repository)) {
            let is_written = lock(appender).append(&record.frame, segments);
            match record.of {
                RecordSource::Repository(repository, _) if !is_written => {
                    lock(&self.unsaved).repositories.insert(repository);
                }
                _ => self.mark_saved(record),
            }
        }
    }

    /// The records that the store does not have yet.
    pub(super) fn new_records(&self) -> Vec<NewRecord> {
        let (contents, repositories, notes) = {
            let unsaved = lock(&self.unsaved);
            (unsaved.contents.clone(), unsaved.repositories.clone(), unsaved.notes.clone())
        };
        let contents = contents.iter().filter_map(|digest| self.new_content(digest));
        let repositories = repositories.iter().filter_map(|repository| self.new_record(repository));
        let notes = notes.iter().filter_map(|name| self.new_note(name));
        contents.chain(repositories).chain(notes).collect()
    }

    /// Marks `record` as saved.
    pub(super) fn mark_saved(&self, record: NewRecord) {
        match record.of {
            RecordSource::Content(digest) => {
                lock(&self.unsaved).contents.remove(&digest);
            }
            RecordSource::Repository(repository, new) => {
                let mut repositories = lock(&self.repositories);
                let remembered = repositories.entry(repository.clone()).or_default();
                remembered.mark_saved(new);
                // It may have changed since.
                if remembered.unsaved().is_none() {
                    lock(&self.unsaved).repositories.remove(&repository);
                }
            }
            RecordSource::Note(name, written) => {
                let is_latest = lock(&self.notes).get(&name) == Some(&written);
                if is_latest {
                    lock(&self.unsaved).notes.remove(&name);
                }
            }
        }
    }

    fn new_content(&self, digest: &Digest) -> Option<NewRecord> {
        let known = match lock(&self.contents).get(digest)? {
            FactEntry::Decoded(known) => Arc::clone(known),
            FactEntry::Stored(_) => return None,
        };
        let json = serde_json::to_vec(&known).ok()?;
        let frame = Record { kind: RecordKind::Content, key: digest.as_str(), value: &json }.frame()?;
        Some(NewRecord { of: RecordSource::Content(digest.clone()), frame })
    }

    fn new_record(&self, repository: &Repository) -> Option<NewRecord> {
        let new = lock(&self.repositories).get(repository)?.unsaved()?;
        let json = serde_json::to_vec(&new).ok()?;
        let frame = Record { kind: RecordKind::Repository, key: &repository.to_string(), value: &json }.frame()?;
        Some(NewRecord { of: RecordSource::Repository(repository.clone(), new), frame })
    }

    fn new_note(&self, name: &str) -> Option<NewRecord> {
        let note = lock(&self.notes).get(name)?.clone();
        let frame = Record { kind: RecordKind::Note, key: name, value: &note.to_value() }.frame()?;
        Some(NewRecord { of: RecordSource::Note(name.to_owned(), note), frame })
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        self.flush();
        if let (CatalogBackend::Folder(appender), Some(segments)) = (&self.keeping, &self.segments) {
            lock(appender).finish(segments);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chrono::DateTime;

    use super::*;
    use crate::{image::ImageIndex, store::TagObservation};

    fn content() -> DigestContent {
        DigestContent::Index(ImageIndex { children: Vec::new(), annotations: BTreeMap::new() })
    }

    fn java() -> Repository {
        "public.ecr.aws/lambda/java".parse().unwrap()
    }

    #[test]
    fn records_persist_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::sha256(b"x");
        let observation = TagObservation::new(digest.clone(), None, DateTime::UNIX_EPOCH);
        {
            let catalog = Catalog::in_folder(folder.path());
            assert!(catalog.content(&digest).is_none());
            catalog.insert_content(&digest, content());
            catalog.update_repository(&java(), |record| {
                drop(record.moving.insert("21".into(), vec![observation.clone()]));
            });
            catalog.put_note("lambda/eu-west-1", &["orders"]);
        }
        let catalog = Catalog::in_folder(folder.path());
        assert_eq!(*catalog.content(&digest).unwrap(), content());
        assert_eq!(catalog.read_repository(&java(), |record| record.moving["21"].clone()), [observation]);
        assert_eq!(catalog.get_note::<Vec<String>>("lambda/eu-west-1").unwrap(), ["orders"]);
    }

    #[test]
    fn facts_and_notes_are_written_at_once_and_repository_records_after_a_second_or_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::in_folder(folder.path());
        let carried = |tag: &str| {
            let observation = TagObservation::new(Digest::sha256(b"x"), None, DateTime::UNIX_EPOCH);
            catalog.update_repository(&java(), |record| drop(record.carried.insert(tag.to_owned(), observation)));
        };
        let known = || {
            let next = Catalog::reading(folder.path());
            let notes = next.get_note::<u32>("a");
            (
                next.content(&Digest::sha256(b"x")).is_some(),
                notes,
                next.read_repository(&java(), |record| record.carried.len()),
            )
        };
        catalog.insert_content(&Digest::sha256(b"x"), content());
        catalog.put_note("a", &1);
        carried("21.1");
        carried("21.2");
        assert_eq!(known(), (true, Some(1), 1));
        catalog.flush();
        assert_eq!(known(), (true, Some(1), 2));
    }

    #[test]
    fn known_records_are_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let learn = || {
            let catalog = Catalog::in_folder(folder.path());
            let _ = catalog.content(&Digest::sha256(b"x"));
            catalog.insert_content(&Digest::sha256(b"x"), content());
            catalog.put_note("a", &1);
            let observation = TagObservation::new(Digest::sha256(b"x"), None, DateTime::UNIX_EPOCH);
            catalog.update_repository(&java(), |record| drop(record.carried.insert("21.1".to_owned(), observation)));
            catalog.repositories().len()
        };
        let segments = || fs::read_dir(folder.path().join(VERSION).join("segments")).unwrap().count();
        learn();
        assert_eq!((segments(), learn(), segments()), (1, 1, 1));
    }

    #[test]
    fn a_read_only_catalog_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        {
            let catalog = Catalog::reading(folder.path());
            catalog.insert_content(&Digest::sha256(b"x"), content());
            catalog.put_note("a", &1);
            catalog.update_repository(&java(), |record| drop(record.moving.insert("21".into(), Vec::new())));
            assert!(catalog.content(&Digest::sha256(b"x")).is_some());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_lists_its_repositories() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["127.0.0.1:5000/a", "127.0.0.1:5000/a/b/c.d", "public.ecr.aws/lambda/java"];
        let observation = TagObservation::new(Digest::sha256(b"x"), None, DateTime::UNIX_EPOCH);
        {
            let catalog = Catalog::in_folder(folder.path());
            for name in names {
                catalog.update_repository(&name.parse().unwrap(), |record| {
                    drop(record.carried.insert("1".into(), observation.clone()));
                });
            }
        }
        let catalog = Catalog::in_folder(folder.path());
        let found: Vec<_> = catalog.repositories().iter().map(ToString::to_string).collect();
        assert_eq!(found, names);
        assert_eq!(Catalog::in_memory().repositories().len(), 0);
    }

    #[test]
    fn partial_facts_of_a_release_are_merged() {
        let catalog = Catalog::in_memory();
        let release = |tag: &str, diff_ids: Option<&[u8]>| PlatformRelease {
            tags: BTreeSet::from([tag.to_owned()]),
            platform: "linux/arm64".parse().unwrap(),
            manifest: Digest::sha256(b"manifest"),
            index: None,
            layer_count: 6,
            diff_ids: diff_ids.map(Digest::sha256),
            layers: Some(Digest::sha256(b"layers")),
            first_layer: Some(Digest::sha256(b"os")),
            first_seen: DateTime::UNIX_EPOCH,
        };
        catalog.add_release(&java(), release("21.2026.08.22.00", None));
        catalog.add_release(&java(), release("21", Some(b"diff_ids")));
        let known = catalog.read_repository(&java(), |record| record.releases.clone());
        let both = PlatformRelease {
            tags: ["21".to_owned(), "21.2026.08.22.00".to_owned()].into(),
            ..release("21", Some(b"diff_ids"))
        };
        assert_eq!(known.into_values().collect::<Vec<_>>(), [both.into()]);
    }

    #[test]
    fn invalid_facts_with_a_valid_checksum_are_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let segments = SegmentFolder::new(folder.path().join(VERSION));
        let digest = Digest::sha256(b"x");
        let records = [
            (RecordKind::Content, digest.as_str(), &b"{\"image\":7}"[..]),
            (RecordKind::Content, "no digest", b"{}"),
            (RecordKind::Repository, "public.ecr.aws/lambda/java", b"[1,2"),
            (RecordKind::Note, "a", b"short"),
            (RecordKind::Note, "b", b"12345678nonsense"),
        ];
        let mut appender = Appender::default();
        for (kind, key, value) in records {
            assert!(appender.append(&Record { kind, key, value }.frame().unwrap(), &segments));
        }
        for _ in 0..2 {
            let catalog = Catalog::in_folder(folder.path());
            assert!(catalog.content(&digest).is_none());
            assert_eq!(catalog.read_repository(&java(), Clone::clone), RepositoryRecord::default());
            assert_eq!((catalog.get_note::<u32>("a"), catalog.get_note::<u32>("b")), (None, None));
        }
        Catalog::in_folder(folder.path()).insert_content(&digest, content());
        assert_eq!(*Catalog::in_folder(folder.path()).content(&digest).unwrap(), content());
    }

    #[test]
    fn a_folder_that_cannot_be_written_does_not_fail_the_run() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let catalog = Catalog::in_folder(file.path());
        let digest = Digest::sha256(b"x");
        catalog.insert_content(&digest, content());
        assert!(catalog.content(&digest).is_some());
    }
}
