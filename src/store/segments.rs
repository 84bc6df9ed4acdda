//! The catalog in a store that is no folder: in segments, of which each run reads all and writes one.
//!
//! A segment is never changed. What two say of the same thing is merged in a way that knows no order and no number of
//! times: so runs at the same time lose nothing of each other, and many segments can be made one while others read
//! and write.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use super::{
    Catalog, Error, Known, OnlyIf, RepositoryMemory, Result, Seen, Store, TagMemory, TagsMemory,
    catalog::lock,
    document::{self, Tagged},
};
use crate::image::Digest;

const SCHEMA: &str = "basewatch.catalog/v3";
const SEGMENTS: &str = "catalog/v3/segments/";
/// How the name of a segment ends that is not worth being merged with others once more.
const LARGE: &str = "-large.json";
/// From which size on that is so, in bytes.
const LARGE_BYTES: usize = 8 << 20;
/// How many segments there may be that are not large.
const MOST_SMALL: usize = 20;
/// How many bytes of segments are merged at a time.
const MOST_MERGED_BYTES: usize = 64 << 20;
/// How much is written into one segment, in bytes: several are read at a time, also where memory is short.
const PART_BYTES: usize = 2 * LARGE_BYTES;
/// How much the key of an entry takes, in bytes: a digest, or the name of a repository.
const KEY_BYTES: usize = 200;
/// How many segments are read at a time.
const READ_AT_ONCE: usize = 8;
/// How often is listed anew when segments vanish that were listed: they were merged into another one.
const LISTINGS: u32 = 3;

/// A part of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// Facts.
    #[serde(default)]
    pub(super) contents: BTreeMap<Digest, Known>,
    /// What is remembered of repositories.
    #[serde(default)]
    pub(super) repositories: BTreeMap<String, RepositoryMemory>,
    /// What was kept by name.
    #[serde(default)]
    pub(super) notes: BTreeMap<String, Note>,
}

/// What was kept under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// When. The latest one counts.
    pub(super) at: DateTime<Utc>,
    /// What.
    pub(super) value: Value,
}

impl Catalog {
    /// The catalog of `store`, read into memory; [`Catalog::save`] writes what is new in it. For stores that are no
    /// folder: in one, it is kept file by file.
    ///
    /// What cannot be read is asked for again, and logged: it costs speed, and never a run.
    pub async fn load(store: &dyn Store) -> Self {
        let catalog = Self::in_memory();
        let mut known = HashSet::new();
        for _ in 0..LISTINGS {
            match read_new(&catalog, store, &mut known).await {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    tracing::warn!("the catalog cannot be read, so that registries are asked again: {error}");
                    break;
                }
            }
        }
        catalog
    }

    /// Writes to `store` what it does not have yet.
    ///
    /// # Errors
    ///
    /// Those of the store; then it is as if nothing had been learned.
    pub async fn save(&self, store: &dyn Store) -> Result<()> {
        let new = self.snapshot(Utc::now()).without(&lock(&self.saved));
        for part in new.parts(PART_BYTES) {
            match write(store, &part).await {
                Err(error @ Error::TooLarge { .. }) => tracing::warn!("a part of the catalog is not kept: {error}"),
                written => written?,
            }
            lock(&self.saved).merge(part);
        }
        if let Err(error) = compact(store).await {
            tracing::debug!("the catalog of {} stays in many segments: {error}", store.place());
        }
        Ok(())
    }
}

/// Reads the segments that are not `known`; whether some vanished in the meantime.
async fn read_new(catalog: &Catalog, store: &dyn Store, known: &mut HashSet<String>) -> Result<bool> {
    let mut names = store.names(SEGMENTS).await?;
    names.retain(|name| !known.contains(name));
    let reads = names.into_iter().map(|name| async move {
        let read = store.read_clipped(&name).await;
        (name, read)
    });
    let mut reads = stream::iter(reads).buffer_unordered(READ_AT_ONCE);
    let mut has_vanished = false;
    while let Some((name, read)) = reads.next().await {
        let parsed = match read {
            Ok(None) => {
                has_vanished = true;
                continue;
            }
            Ok(Some(stored)) => parse(&stored.bytes, &format!("{}/{name}", store.place())),
            Err(error) => Err(error),
        };
        match parsed {
            Ok(segment) => lock(&catalog.saved).merge(segment),
            Err(error) => tracing::warn!("a part of the catalog is fetched again: {error}"),
        }
        known.insert(name);
    }
    catalog.learn(&lock(&catalog.saved));
    Ok(has_vanished)
}

fn parse(bytes: &[u8], place: &str) -> Result<Segment> {
    document::parse(bytes, SCHEMA, place)
}

async fn write(store: &dyn Store, segment: &Segment) -> Result<()> {
    let ulid = Ulid::generate();
    let bytes = serde_json::to_vec(&Tagged { schema: SCHEMA, document: segment })
        .map_err(|error| Error::Unreadable { place: SEGMENTS.to_owned(), why: error.to_string() })?;
    let end = if bytes.len() > LARGE_BYTES { LARGE } else { ".json" };
    store.write(&format!("{SEGMENTS}{ulid}{end}"), bytes, OnlyIf::Absent).await.map(drop)
}

/// Merges the segments that are not large if they are many. They are removed when the one that has it all is there.
async fn compact(store: &dyn Store) -> Result<()> {
    let mut names = store.names(SEGMENTS).await?;
    names.retain(|name| !name.ends_with(LARGE));
    if names.len() <= MOST_SMALL {
        return Ok(());
    }
    let mut merged = Segment::default();
    let mut is_in_it = Vec::new();
    let mut bytes = 0;
    for name in names {
        // Others may be merging them too.
        let Some(stored) = store.read_clipped(&name).await? else { continue };
        bytes += stored.bytes.len();
        if bytes > MOST_MERGED_BYTES {
            break;
        }
        // One that cannot be read stays: it may be of a newer basewatch.
        if let Ok(segment) = parse(&stored.bytes, &name) {
            merged.merge(segment);
            is_in_it.push(name);
        }
    }
    if is_in_it.len() < 2 {
        return Ok(());
    }
    for part in merged.parts(PART_BYTES) {
        write(store, &part).await?;
    }
    for name in is_in_it {
        store.remove(&name).await?;
    }
    Ok(())
}

impl Segment {
    /// Adds what `other` says.
    pub(super) fn merge(&mut self, other: Self) {
        self.contents.extend(other.contents);
        for (repository, memory) in other.repositories {
            self.repositories.entry(repository).or_default().merge(memory);
        }
        for (name, note) in other.notes {
            match self.notes.get(&name) {
                Some(known) if (known.at, known.value.to_string()) >= (note.at, note.value.to_string()) => {}
                _ => drop(self.notes.insert(name, note)),
            }
        }
    }

    /// What is in it and not in `other`.
    fn without(mut self, other: &Self) -> Self {
        self.contents.retain(|digest, _| !other.contents.contains_key(digest));
        for (repository, memory) in &mut self.repositories {
            if let Some(known) = other.repositories.get(repository) {
                memory.forget(known);
            }
        }
        self.repositories.retain(|_, memory| *memory != RepositoryMemory::default());
        self.notes.retain(|name, note| other.notes.get(name).is_none_or(|known| known.value != note.value));
        self
    }

    /// In pieces of at most `most_bytes`, unless a single entry is larger; none if there is nothing in it.
    fn parts(self, most_bytes: usize) -> Vec<Self> {
        let mut parts = Parts { done: Vec::new(), part: Self::default(), left: most_bytes, most_bytes };
        for (digest, content) in self.contents {
            parts.next(&content).contents.insert(digest, content);
        }
        for (repository, memory) in self.repositories {
            parts.next(&memory).repositories.insert(repository, memory);
        }
        for (name, note) in self.notes {
            parts.next(&note).notes.insert(name, note);
        }
        if parts.part != Self::default() {
            parts.done.push(parts.part);
        }
        parts.done
    }
}

/// Pieces of a segment, while it is taken apart.
struct Parts {
    done: Vec<Segment>,
    part: Segment,
    left: usize,
    most_bytes: usize,
}

impl Parts {
    /// The piece that `entry` goes into.
    fn next(&mut self, entry: &impl Serialize) -> &mut Segment {
        let bytes = serde_json::to_vec(entry).map_or(0, |json| json.len() + KEY_BYTES);
        if bytes > self.left && self.part != Segment::default() {
            self.done.push(std::mem::take(&mut self.part));
            self.left = self.most_bytes;
        }
        self.left = self.left.saturating_sub(bytes);
        &mut self.part
    }
}

impl RepositoryMemory {
    /// Adds what `other` says.
    pub(super) fn merge(&mut self, other: Self) {
        self.tags = latest(self.tags.take(), other.tags, |tags: &TagMemory| (tags.read_at, tags.is_complete));
        self.resource_tags = latest(self.resource_tags.take(), other.resource_tags, |tags: &TagsMemory| tags.read_at);
        for (tag, seen) in other.carried {
            let earliest = match self.carried.remove(&tag) {
                Some(known) => earliest(known, seen),
                None => seen,
            };
            self.carried.insert(tag, earliest);
        }
        for (manifest, release) in other.releases {
            match self.releases.get_mut(&manifest) {
                Some(known) => known.merge(release),
                None => drop(self.releases.insert(manifest, release)),
            }
        }
        for (tag, history) in other.moving {
            let known = self.moving.entry(tag).or_default();
            *known = union(std::mem::take(known), history);
        }
    }

    /// Makes one of what several runs saw at different instants: from the first to the last.
    pub(super) fn settle(&mut self) {
        for history in self.moving.values_mut() {
            history.dedup_by(|later, earlier| {
                let is_same = later.digest == earlier.digest;
                if is_same {
                    earlier.see_again(later.last_seen());
                }
                is_same
            });
        }
    }

    /// Leaves only what `other` does not say.
    fn forget(&mut self, other: &Self) {
        self.tags = self.tags.take().filter(|tags| other.tags.as_ref() != Some(tags));
        self.resource_tags = self.resource_tags.take().filter(|tags| other.resource_tags.as_ref() != Some(tags));
        self.carried.retain(|tag, seen| other.carried.get(tag) != Some(seen));
        self.releases.retain(|manifest, release| other.releases.get(manifest) != Some(release));
        for (tag, history) in &mut self.moving {
            let known = other.moving.get(tag).map(Vec::as_slice).unwrap_or_default();
            history.retain(|seen| !known.contains(seen));
        }
        self.moving.retain(|_, history| !history.is_empty());
    }
}

fn latest<T, K: Ord>(one: Option<T>, other: Option<T>, at: impl Fn(&T) -> K) -> Option<T> {
    one.into_iter().chain(other).max_by_key(at)
}

fn earliest(one: Seen, other: Seen) -> Seen {
    std::cmp::min_by(one, other, |one, other| (one.first_seen, &one.digest).cmp(&(other.first_seen, &other.digest)))
}

/// All that two histories of a tag say, in order.
fn union(one: Vec<Seen>, other: Vec<Seen>) -> Vec<Seen> {
    let mut all: Vec<_> = one.into_iter().chain(other).collect();
    all.sort_by(|one, other| (one.first_seen, &one.digest).cmp(&(other.first_seen, &other.digest)));
    all.dedup_by(|later, earlier| {
        let is_same = (later.first_seen, &later.digest) == (earlier.first_seen, &earlier.digest);
        if is_same {
            earlier.kind = earlier.kind.or(later.kind);
            earlier.see_again(later.last_seen());
        }
        is_same
    });
    all
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        image::{Content, Index, Repository},
        store::FolderStore,
    };

    fn content() -> Content {
        Content::Index(Index { children: Vec::new(), annotations: BTreeMap::new() })
    }

    fn digest(of: u8) -> Digest {
        Digest::of(&[of])
    }

    fn seen(of: u8, at: i64) -> Seen {
        Seen::new(digest(of), None, DateTime::from_timestamp(at, 0).unwrap())
    }

    fn until(mut seen: Seen, last: i64) -> Seen {
        seen.see_again(DateTime::from_timestamp(last, 0).unwrap());
        seen
    }

    fn java() -> Repository {
        "public.ecr.aws/lambda/java".parse().unwrap()
    }

    fn store() -> (tempfile::TempDir, FolderStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path().to_owned());
        (folder, store)
    }

    fn moved(catalog: &Catalog, of: u8, at: i64) {
        catalog.note(&java(), |memory| memory.moving.entry("21".into()).or_default().push(seen(of, at)));
    }

    #[tokio::test]
    async fn what_one_run_learned_the_next_one_knows() {
        let (_folder, store) = store();
        let catalog = Catalog::load(&store).await;
        catalog.remember(&digest(1), content());
        moved(&catalog, 1, 10);
        catalog.keep("lambda/eu-west-1", &vec!["orders"]);
        catalog.save(&store).await.unwrap();

        let catalog = Catalog::load(&store).await;
        assert_eq!(*catalog.content(&digest(1)).unwrap(), content());
        assert_eq!(catalog.recall(&java(), |memory| memory.moving["21"].clone()), [seen(1, 10)]);
        assert_eq!(catalog.kept::<Vec<String>>("lambda/eu-west-1").unwrap(), ["orders"]);
        catalog.save(&store).await.unwrap();
        assert_eq!(store.names(SEGMENTS).await.unwrap().len(), 1, "nothing new, nothing written");
    }

    #[tokio::test]
    async fn a_segment_holds_only_what_is_new() {
        let (_folder, store) = store();
        for of in 1..=2 {
            let catalog = Catalog::load(&store).await;
            catalog.remember(&digest(of), content());
            catalog.note(&java(), |memory| drop(memory.carried.insert(format!("21.{of}"), seen(of, 1))));
            catalog.save(&store).await.unwrap();
            catalog.save(&store).await.unwrap();
        }
        let names = store.names(SEGMENTS).await.unwrap();
        assert_eq!(names.len(), 2);
        let second = parse(&store.read(&names[1]).await.unwrap().unwrap().bytes, "").unwrap();
        assert_eq!(second.contents.keys().collect::<Vec<_>>(), [&digest(2)]);
        assert_eq!(second.repositories[&java().to_string()].carried.keys().collect::<Vec<_>>(), ["21.2"]);
    }

    #[tokio::test]
    async fn runs_at_the_same_time_lose_nothing_also_while_segments_become_one() {
        let (_folder, store) = store();
        let runs = (0..60).map(|of| {
            let store = &store;
            async move {
                let catalog = Catalog::load(store).await;
                catalog.remember(&digest(of), content());
                catalog.keep(&format!("place/{of}"), &of);
                moved(&catalog, of, i64::from(of));
                catalog.save(store).await.unwrap();
            }
        });
        futures::future::join_all(runs).await;
        let catalog = Catalog::load(&store).await;
        for of in 0..60 {
            assert!(catalog.content(&digest(of)).is_some(), "{of}");
            assert_eq!(catalog.kept::<u8>(&format!("place/{of}")), Some(of));
        }
        let history = catalog.recall(&java(), |memory| memory.moving["21"].clone());
        assert_eq!(history, (0..60).map(|of| seen(of, i64::from(of))).collect::<Vec<_>>());
        catalog.save(&store).await.unwrap();
        assert!(store.names(SEGMENTS).await.unwrap().len() <= MOST_SMALL, "they became few");
        assert_eq!(Catalog::load(&store).await.snapshot(DateTime::UNIX_EPOCH).contents.len(), 60);
    }

    #[tokio::test]
    async fn a_segment_that_cannot_be_read_costs_speed_and_stays() {
        let (_folder, store) = store();
        let catalog = Catalog::load(&store).await;
        catalog.remember(&digest(1), content());
        catalog.save(&store).await.unwrap();
        let newer = br#"{"schema":"basewatch.catalog/v99"}"#;
        for (name, bytes) in [("00", &b"{"[..]), ("01", newer)] {
            let name = format!("{SEGMENTS}{name}.json");
            store.write(&name, bytes.to_vec(), OnlyIf::Absent).await.unwrap();
        }
        for of in 2..40 {
            let catalog = Catalog::load(&store).await;
            catalog.remember(&digest(of), content());
            catalog.save(&store).await.unwrap();
        }
        let catalog = Catalog::load(&store).await;
        assert!((1..40).all(|of| catalog.content(&digest(of)).is_some()));
        let names = store.names(SEGMENTS).await.unwrap();
        assert!(names.len() <= MOST_SMALL && names[0].ends_with("/00.json") && names[1].ends_with("/01.json"));
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_costs_speed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = FolderStore::new(file.path().to_owned());
        let catalog = Catalog::load(&store).await;
        catalog.remember(&digest(1), content());
        assert!(catalog.content(&digest(1)).is_some());
        assert!(matches!(catalog.save(&store).await, Err(Error::Unavailable { .. })));
    }

    #[test]
    fn a_tag_that_went_back_keeps_its_history() {
        let settled = |one: &[Seen], other: &[Seen]| {
            let mut memory = RepositoryMemory::default();
            memory.moving.insert("21".into(), union(one.to_vec(), other.to_vec()));
            memory.settle();
            memory.moving.remove("21").unwrap()
        };
        let back = [seen(1, 10), seen(2, 20), seen(1, 30)];
        assert_eq!(settled(&back, &back), back);
        let until = [seen(1, 10), until(seen(2, 20), 25)];
        assert_eq!(settled(&[seen(1, 10), seen(2, 25)], &[seen(1, 10), seen(2, 20)]), until);
    }

    #[tokio::test]
    async fn when_a_tag_was_last_seen_somewhere_is_remembered_and_of_old_records_when_it_was_first() {
        let (_folder, store) = store();
        for (first, last) in [(10, 30), (10, 20), (40, 45)] {
            let catalog = Catalog::load(&store).await;
            catalog.note(&java(), |memory| {
                memory.moving.entry("21".into()).or_default().push(until(seen(1, first), last));
            });
            catalog.save(&store).await.unwrap();
        }
        let catalog = Catalog::load(&store).await;
        let history = catalog.recall(&java(), |memory| memory.moving["21"].clone());
        assert_eq!(history, [until(seen(1, 10), 45)]);

        let old = format!(r#"{{"digest":"{}","kind":null,"first_seen":"2026-11-20T06:00:00Z"}}"#, digest(1));
        let old: Seen = serde_json::from_str(&old).unwrap();
        assert_eq!(old.last_seen(), old.first_seen);
        assert!(!serde_json::to_string(&old).unwrap().contains("last_seen"));
    }

    fn segments() -> impl Strategy<Value = Segment> {
        let history = vec((0..4_u8, 0..6_i64, 0..6_i64), 1..4);
        (vec(0..4_u8, 0..3), vec((0..3_u8, history), 0..3), vec((0..3_u8, 0..4_i64, 0..3_u8), 0..3)).prop_map(
            |(contents, histories, notes)| {
                let mut memory = RepositoryMemory::default();
                for (tag, history) in histories {
                    let (of, at, _) = history[0];
                    memory.carried.insert(tag.to_string(), seen(of, at));
                    let history = history.into_iter().map(|(of, at, more)| until(seen(of, at), at + more)).collect();
                    memory.moving.insert(tag.to_string(), union(history, Vec::new()));
                }
                let note = |at, value| Note { at: DateTime::from_timestamp(at, 0).unwrap(), value: Value::from(value) };
                Segment {
                    contents: contents.into_iter().map(|of| (digest(of), Known::new(content()))).collect(),
                    repositories: BTreeMap::from([(java().to_string(), memory)]),
                    notes: notes.into_iter().map(|(name, at, value)| (name.to_string(), note(at, value))).collect(),
                }
            },
        )
    }

    fn merged<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Segment {
        let mut all = Segment::default();
        segments.into_iter().for_each(|segment| all.merge(segment.clone()));
        all
    }

    proptest! {
        #[test]
        fn the_pieces_of_a_segment_are_all_of_it_and_none_is_too_large(a in segments(), most in 1..3000_usize) {
            let parts = a.clone().parts(most);
            prop_assert_eq!(&merged(&parts), &a);
            for part in &parts {
                let entries = part.contents.len() + part.repositories.len() + part.notes.len();
                prop_assert!(entries == 1 || serde_json::to_vec(part).unwrap().len() <= most + 200, "{entries}");
            }
        }

        #[test]
        fn the_order_and_number_of_segments_do_not_matter(a in segments(), b in segments(), c in segments()) {
            let all = merged([&a, &b, &c]);
            prop_assert_eq!(&merged([&c, &b, &a]), &all);
            prop_assert_eq!(&merged([&b, &a, &c, &a, &b]), &all);
            prop_assert_eq!(&merged([&a, &merged([&b, &c])]), &all);
        }

        #[test]
        fn what_is_new_and_what_is_known_are_all_there_is(a in segments(), b in segments()) {
            let all = merged([&a, &b]);
            let new = all.clone().without(&a);
            let again = merged([&a, &new]);
            prop_assert_eq!(again.contents, all.contents);
            prop_assert_eq!(again.repositories, all.repositories);
        }
    }
}
