//! The catalog: facts by digest, which never change, and what is remembered of repositories.
//!
//! One small file a digest and one a repository, each replaced atomically, so that runs may share a
//! folder and one that is killed keeps all that was written by then. It is a cache: an unreadable file
//! is fetched again, and a folder that cannot be written costs speed, never an audit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::{
    segments::{Note, Segment},
    writer::{Job, Writer},
};
use crate::image::{Content, Digest, DigestKind, PlatformRelease, Repository};

/// The version of the files below the catalog's folder; another version is another folder.
const VERSION: &str = "v3";

/// Facts by digest, shared by all who ask.
pub type Known = Arc<Content>;

/// The memory of releases and image facts.
#[derive(Debug)]
pub struct Catalog {
    folder: Option<PathBuf>,
    /// The folder of the store that it is in.
    store: Option<Arc<Path>>,
    contents: Mutex<HashMap<Digest, Known>>,
    repositories: Mutex<BTreeMap<Repository, Kept>>,
    /// Of a catalog without a folder.
    notes: Mutex<BTreeMap<String, Vec<u8>>>,
    writer: Option<Writer>,
    /// What a store is known to keep of it.
    pub(super) saved: Mutex<Segment>,
}

/// The memory of a repository, and whether its file is behind it.
#[derive(Debug, Default)]
struct Kept {
    memory: RepositoryMemory,
    is_unsaved: bool,
    saved_at: Option<Instant>,
}

/// How long a change to a repository's memory may wait for more of them: one run changes it many times.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// What is remembered of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryMemory {
    /// The dated tags it listed. Lists that older versions kept under `tags` are read again: they do not say whether a
    /// pull-through cache gave them.
    #[serde(default, rename = "listed")]
    pub tags: Option<TagMemory>,
    /// What dated tags were found to carry; they are never re-pointed. That a tag was not there is not kept: it may have
    /// been a fault of the registry, and is asked again in the next run.
    #[serde(default, deserialize_with = "found_tags")]
    pub carried: BTreeMap<String, Seen>,
    /// What moving tags were seen to point at, oldest first.
    #[serde(default)]
    pub moving: BTreeMap<String, Vec<Seen>>,
    /// Releases of this base repository that were read, by the digests of their manifests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<Digest, PlatformRelease>,
    /// Its tags as an AWS resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_tags: Option<TagsMemory>,
}

/// The remembered tags of an AWS resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsMemory {
    /// When they were read.
    pub read_at: DateTime<Utc>,
    /// Keys and values.
    pub tags: BTreeMap<String, String>,
}

/// A remembered tag list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagMemory {
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// Whether every page was read.
    pub is_complete: bool,
    /// The dated tags in it.
    pub dated: Vec<String>,
}

/// A digest seen behind a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The digest.
    pub digest: Digest,
    /// What it names, where the registry said.
    pub kind: Option<DigestKind>,
    /// When it was first seen there.
    pub first_seen: DateTime<Utc>,
    /// When it was last seen there, where that was later.
    #[serde(rename = "last_seen", default, skip_serializing_if = "Option::is_none")]
    again_at: Option<DateTime<Utc>>,
}

impl Seen {
    /// What was seen at `seen_at`.
    #[must_use]
    pub fn new(digest: Digest, kind: Option<DigestKind>, seen_at: DateTime<Utc>) -> Self {
        Self { digest, kind, first_seen: seen_at, again_at: None }
    }

    /// When it was last seen there. Of what an older basewatch remembered, only the first time is known.
    #[must_use]
    pub fn last_seen(&self) -> DateTime<Utc> {
        self.again_at.map_or(self.first_seen, |again_at| again_at.max(self.first_seen))
    }

    /// Notes that it was seen there at `at` too.
    pub fn see_again(&mut self, at: DateTime<Utc>) {
        if at > self.last_seen() {
            self.again_at = Some(at);
        }
    }
}

/// The tags that were found to carry something; older versions kept those that were not found as well.
fn found_tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Seen>, D::Error> {
    let kept = BTreeMap::<String, Option<Seen>>::deserialize(deserializer)?;
    Ok(kept.into_iter().filter_map(|(tag, seen)| Some((tag, seen?))).collect())
}

impl Catalog {
    /// A catalog kept in `folder`, made when the first fact is written.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let mut catalog = Self::reading(folder);
        catalog.writer = Some(Writer::start());
        catalog
    }

    /// What is kept in `folder`, and nothing more: what is learned is forgotten with the process.
    #[must_use]
    pub fn reading(folder: &Path) -> Self {
        let mut catalog = Self::in_memory();
        catalog.folder = Some(folder.join(VERSION));
        catalog
    }

    /// The same as a part of the store in the folder `store`, which is made as the store makes it.
    #[must_use]
    pub fn in_store(mut self, store: &Path) -> Self {
        self.store = Some(store.into());
        self
    }

    /// A catalog that is forgotten with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            folder: None,
            store: None,
            contents: Mutex::default(),
            repositories: Mutex::default(),
            notes: Mutex::default(),
            writer: None,
            saved: Mutex::default(),
        }
    }

    /// What is known of `digest`.
    #[must_use]
    pub fn content(&self, digest: &Digest) -> Option<Known> {
        if let Some(known) = lock(&self.contents).get(digest) {
            return Some(Arc::clone(known));
        }
        let content: Content = read(&self.content_file(digest)?)?;
        let known = Arc::new(content);
        lock(&self.contents).insert(digest.clone(), Arc::clone(&known));
        Some(known)
    }

    /// Remembers what `digest` names.
    pub fn remember(&self, digest: &Digest, content: Content) -> Known {
        if let Some(file) = self.content_file(digest) {
            self.write(file, &content);
        }
        let known = Arc::new(content);
        lock(&self.contents).insert(digest.clone(), Arc::clone(&known));
        known
    }

    /// What is remembered of `repository`, for reading.
    pub fn recall<T>(&self, repository: &Repository, look: impl FnOnce(&RepositoryMemory) -> T) -> T {
        look(&self.open(repository).entry(repository.clone()).or_default().memory)
    }

    /// Changes what is remembered of `repository`. It is written within a second of more changes, or when
    /// the catalog is dropped; a run that is killed asks a second's worth of tags again.
    pub fn note(&self, repository: &Repository, change: impl FnOnce(&mut RepositoryMemory)) {
        let mut repositories = self.open(repository);
        let kept = repositories.entry(repository.clone()).or_default();
        change(&mut kept.memory);
        kept.is_unsaved = true;
        if kept.saved_at.is_none_or(|saved_at| saved_at.elapsed() >= SAVE_EVERY) {
            self.save_file(repository, kept);
        }
    }

    /// The repositories of which something may be remembered, in order.
    #[must_use]
    pub fn repositories(&self) -> BTreeSet<Repository> {
        let mut all: BTreeSet<_> = lock(&self.repositories).keys().cloned().collect();
        if let Some(folder) = &self.folder {
            add_repositories(&folder.join("repositories"), &mut Vec::new(), &mut all);
        }
        all
    }

    /// Remembers `release` of the base repository `repository`, besides what is known of it.
    pub fn note_release(&self, repository: &Repository, release: PlatformRelease) {
        let known = self.recall(repository, |memory| memory.releases.get(&release.manifest).cloned());
        let mut merged = known.clone().unwrap_or_else(|| release.clone());
        merged.merge(release);
        if known.as_ref() != Some(&merged) {
            self.note(repository, |memory| {
                memory.releases.insert(merged.manifest.clone(), merged);
            });
        }
    }

    /// What was kept under `name`, words separated by `/`; nothing if it cannot be read.
    #[must_use]
    pub fn kept<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let notes = lock(&self.notes);
        match notes.get(name) {
            Some(bytes) => serde_json::from_slice(bytes).ok(),
            None => read(&self.note_file(name)?),
        }
    }

    /// Keeps `value` under `name` instead of what was there. For what one place is remembered by, written
    /// once a run.
    pub fn keep<T: Serialize>(&self, name: &str, value: &T) {
        match self.note_file(name) {
            Some(file) => self.write(file, value),
            None => drop(serde_json::to_vec(value).map(|bytes| lock(&self.notes).insert(name.to_owned(), bytes))),
        }
    }

    /// Takes over what `segment` says, besides what is known.
    pub(super) fn learn(&self, segment: &Segment) {
        let contents = segment.contents.iter().map(|(digest, content)| (digest.clone(), Arc::clone(content)));
        lock(&self.contents).extend(contents);
        for (repository, memory) in &segment.repositories {
            if let Ok(repository) = repository.parse() {
                let mut repositories = self.open(&repository);
                let known = &mut repositories.entry(repository).or_default().memory;
                known.merge(memory.clone());
                known.settle();
            }
        }
        let notes = segment.notes.iter();
        let notes = notes.filter_map(|(name, note)| Some((name.clone(), serde_json::to_vec(&note.value).ok()?)));
        lock(&self.notes).extend(notes);
    }

    /// All that is in memory, its notes as of `now`.
    pub(super) fn snapshot(&self, now: DateTime<Utc>) -> Segment {
        let contents = lock(&self.contents).iter().map(|(digest, known)| (digest.clone(), Arc::clone(known))).collect();
        let repositories = lock(&self.repositories);
        let repositories = repositories.iter().map(|(name, kept)| (name.to_string(), kept.memory.clone())).collect();
        let note = |bytes: &Vec<u8>| serde_json::from_slice(bytes).ok().map(|value| Note { at: now, value });
        let notes = lock(&self.notes);
        let notes = notes.iter().filter_map(|(name, bytes)| Some((name.clone(), note(bytes)?))).collect();
        Segment { contents, repositories, notes }
    }

    fn save_file(&self, repository: &Repository, kept: &mut Kept) {
        if let Some(file) = self.repository_file(repository).filter(|_| kept.is_unsaved) {
            self.write(file, &kept.memory);
        }
        kept.is_unsaved = false;
        kept.saved_at = Some(Instant::now());
    }

    fn open(&self, repository: &Repository) -> MutexGuard<'_, BTreeMap<Repository, Kept>> {
        let mut repositories = lock(&self.repositories);
        if !repositories.contains_key(repository) {
            let memory = self.repository_file(repository).and_then(|file| read(&file)).unwrap_or_default();
            repositories.insert(repository.clone(), Kept { memory, ..Kept::default() });
        }
        repositories
    }

    fn content_file(&self, digest: &Digest) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?.join("digests").join(digest.algorithm());
        Some(folder.join(&digest.hex()[..2]).join(format!("{}.json", digest.hex())))
    }

    fn repository_file(&self, repository: &Repository) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?.join("repositories").join(repository.registry.replace(':', "+"));
        Some(folder.join(format!("{}.json", repository.name)))
    }

    fn note_file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join("places").join(format!("{name}.json")))
    }

    fn write<T: Serialize>(&self, file: PathBuf, value: &T) {
        if let (Some(writer), Ok(bytes)) = (&self.writer, serde_json::to_vec(value)) {
            writer.write(Job { file, bytes, store: self.store.clone() });
        }
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        let mut repositories = std::mem::take(&mut *lock(&self.repositories));
        for (repository, kept) in &mut repositories {
            self.save_file(repository, kept);
        }
    }
}

/// How many folders may lie within one another: a name has at most 255 characters.
const FOLDER_DEPTH: usize = 128;

/// Adds the repositories that have a file in `folder`, which is `above` within the folder of all repositories.
fn add_repositories(folder: &Path, above: &mut Vec<String>, all: &mut BTreeSet<Repository>) {
    if above.len() > FOLDER_DEPTH {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if kind.is_dir() {
            above.push(if above.is_empty() { name.replace('+', ":") } else { name });
            add_repositories(&entry.path(), above, all);
            above.pop();
        } else if let Some(name) = name.strip_suffix(".json") {
            all.extend(format!("{}/{name}", above.join("/")).parse::<Repository>().ok());
        }
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> Option<T> {
    let bytes = fs::read(file).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::debug!("{} is unreadable and will be fetched again: {error}", file.display()))
        .ok()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Index;

    #[test]
    fn what_was_learned_survives_and_garbage_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"x");
        let repository: Repository = "127.0.0.1:5000/a/b".parse().unwrap();
        let content = Content::Index(Index { children: Vec::new(), annotations: BTreeMap::new() });
        let seen = Seen::new(digest.clone(), None, DateTime::UNIX_EPOCH);
        {
            let catalog = Catalog::in_folder(folder.path());
            assert!(catalog.content(&digest).is_none());
            catalog.remember(&digest, content.clone());
            catalog.note(&repository, |memory| {
                memory.moving.insert("21".into(), vec![seen.clone()]);
            });
        }
        let catalog = Catalog::in_folder(folder.path());
        assert_eq!(*catalog.content(&digest).unwrap(), content);
        assert_eq!(catalog.recall(&repository, |memory| memory.moving["21"].clone()), [seen]);

        let file = catalog.content_file(&digest).unwrap();
        fs::write(&file, "{").unwrap();
        assert!(Catalog::in_folder(folder.path()).content(&digest).is_none());
    }

    #[test]
    fn a_folder_lists_the_repositories_that_are_remembered_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["127.0.0.1:5000/a", "127.0.0.1:5000/a/b/c.d", "public.ecr.aws/lambda/java"];
        {
            let catalog = Catalog::in_folder(folder.path());
            for name in names {
                catalog.note(&name.parse().unwrap(), |memory| drop(memory.moving.insert("1".into(), Vec::new())));
            }
        }
        fs::write(folder.path().join(VERSION).join("repositories/stray.json"), "{}").unwrap();
        let catalog = Catalog::in_folder(folder.path());
        let found: Vec<_> = catalog.repositories().iter().map(ToString::to_string).collect();
        assert_eq!(found, names);
        assert_eq!(Catalog::in_memory().repositories().len(), 0);
    }

    #[test]
    fn what_is_learned_of_a_release_in_steps_is_one_release() {
        let catalog = Catalog::in_memory();
        let repository: Repository = "public.ecr.aws/lambda/java".parse().unwrap();
        let release = |tag: &str, diff_ids: Option<&[u8]>| PlatformRelease {
            tags: BTreeSet::from([tag.to_owned()]),
            platform: "linux/arm64".parse().unwrap(),
            manifest: Digest::of(b"manifest"),
            index: None,
            layer_count: 6,
            diff_ids: diff_ids.map(Digest::of),
            layers: Some(Digest::of(b"layers")),
            first_layer: Some(Digest::of(b"os")),
            first_seen: DateTime::UNIX_EPOCH,
        };
        catalog.note_release(&repository, release("21.2026.08.22.00", None));
        catalog.note_release(&repository, release("21", Some(b"diff_ids")));
        let known = catalog.recall(&repository, |memory| memory.releases.clone());
        let both = PlatformRelease {
            tags: ["21".to_owned(), "21.2026.08.22.00".to_owned()].into(),
            ..release("21", Some(b"diff_ids"))
        };
        assert_eq!(known.into_values().collect::<Vec<_>>(), [both]);
    }

    #[test]
    fn a_stored_absence_and_a_list_of_unknown_origin_are_forgotten() {
        let digest = Digest::of(b"x");
        let old = serde_json::json!({
            "tags": { "read_at": "2026-08-01T00:00:00Z", "is_complete": true, "dated": ["21.2026.07.31.13"] },
            "carried": {
                "21.2026.07.30.13": null,
                "21.2026.07.31.13": { "digest": digest, "kind": null, "first_seen": "2026-08-01T00:00:00Z" },
            },
        });
        let memory: RepositoryMemory = serde_json::from_value(old).unwrap();
        assert_eq!(memory.tags, None);
        assert_eq!(memory.carried.keys().collect::<Vec<_>>(), ["21.2026.07.31.13"]);
        let again: RepositoryMemory = serde_json::from_value(serde_json::to_value(&memory).unwrap()).unwrap();
        assert_eq!(again, memory);
    }

    #[test]
    fn a_folder_that_cannot_be_written_loses_speed_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let catalog = Catalog::in_folder(file.path());
        let digest = Digest::of(b"x");
        catalog.remember(&digest, Content::Index(Index { children: Vec::new(), annotations: BTreeMap::new() }));
        assert!(catalog.content(&digest).is_some());
    }
}
