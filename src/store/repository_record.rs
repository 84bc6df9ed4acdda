//! The record of a repository in the catalog. Merging records of several runs is commutative and idempotent.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::image::{Digest, DigestKind, PlatformRelease};

/// The record of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// Its dated tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagListRecord>,
    /// Digests of dated tags, which never move. Missing tags are not recorded, because that may be a registry error.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carried: BTreeMap<String, TagObservation>,
    /// Digests of moving tags over time, oldest first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moving: BTreeMap<String, Vec<TagObservation>>,
    /// Releases of this base repository, by manifest digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<Digest, Arc<PlatformRelease>>,
    /// Its AWS resource tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_tags: Option<ResourceTagsRecord>,
}

/// The tags of an AWS resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceTagsRecord {
    /// When they were read.
    pub read_at: DateTime<Utc>,
    /// Keys and values.
    pub tags: BTreeMap<String, String>,
}

/// A tag list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagListRecord {
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// Whether every page was read.
    pub is_complete: bool,
    /// The dated tags in it.
    pub dated: Vec<String>,
}

/// A digest observed at a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagObservation {
    /// The digest.
    pub digest: Digest,
    /// Its kind, if the registry returned it.
    pub kind: Option<DigestKind>,
    /// When it was first observed.
    pub first_seen: DateTime<Utc>,
    /// When it was last observed, if later.
    #[serde(rename = "last_seen", default, skip_serializing_if = "Option::is_none")]
    again_at: Option<DateTime<Utc>>,
}

impl TagObservation {
    /// An observation at `seen_at`.
    #[must_use]
    pub fn new(digest: Digest, kind: Option<DigestKind>, seen_at: DateTime<Utc>) -> Self {
        Self { digest, kind, first_seen: seen_at, again_at: None }
    }

    /// When it was last observed.
    #[must_use]
    pub fn last_seen(&self) -> DateTime<Utc> {
        self.again_at.map_or(self.first_seen, |again_at| again_at.max(self.first_seen))
    }

    /// Extends the observation to `at`.
    pub fn extend_to(&mut self, at: DateTime<Utc>) {
        if at > self.last_seen() {
            self.again_at = Some(at);
        }
    }

    /// Merges `other`, an observation of the same digest with the same start.
    fn merge(&mut self, other: &Self) {
        self.kind = self.kind.or(other.kind);
        self.extend_to(other.last_seen());
    }
}

impl RepositoryRecord {
    /// Merges `other`.
    pub(super) fn merge(&mut self, other: Self) {
        self.tags = self.tags.take().into_iter().chain(other.tags).max();
        self.resource_tags = self.resource_tags.take().into_iter().chain(other.resource_tags).max();
        for (tag, observation) in other.carried {
            let earliest = match self.carried.remove(&tag) {
                Some(known) => earliest(known, observation),
                None => observation,
            };
            self.carried.insert(tag, earliest);
        }
        for (manifest, release) in other.releases {
            match self.releases.get_mut(&manifest) {
                Some(known) => PlatformRelease::merge_shared(known, &release),
                None => drop(self.releases.insert(manifest, release)),
            }
        }
        for (tag, history) in other.moving {
            let known = self.moving.entry(tag).or_default();
            *known = union(std::mem::take(known), history);
        }
    }

    /// Merges adjacent observations of the same digest by several runs.
    fn settle(&mut self) {
        for history in self.moving.values_mut() {
            history.dedup_by(|later, earlier| {
                let is_same = later.digest == earlier.digest;
                if is_same {
                    earlier.extend_to(later.last_seen());
                }
                is_same
            });
        }
    }

    /// The entries that are not in `known`; `None` if there are none.
    fn new_since(&self, known: &Self) -> Option<Self> {
        let new = Self {
            tags: self.tags.clone().filter(|tags| known.tags.as_ref() != Some(tags)),
            resource_tags: self.resource_tags.clone().filter(|tags| known.resource_tags.as_ref() != Some(tags)),
            carried: new_in(&self.carried, &known.carried),
            releases: new_in(&self.releases, &known.releases),
            moving: self
                .moving
                .iter()
                .map(|(tag, history)| {
                    let known = known.moving.get(tag).map(Vec::as_slice).unwrap_or_default();
                    (
                        tag.clone(),
                        history.iter().filter(|observation| !known.contains(observation)).cloned().collect::<Vec<_>>(),
                    )
                })
                .filter(|(_, history)| !history.is_empty())
                .collect(),
        };
        (new != Self::default()).then_some(new)
    }
}

/// A repository record and its saved state.
#[derive(Debug, Default)]
pub(super) struct RepositoryEntry {
    record: RepositoryRecord,
    /// The saved state.
    saved: RepositoryRecord,
    /// Saved parts that were not parsed yet, as JSON.
    stored: BTreeSet<Box<[u8]>>,
}

impl RepositoryEntry {
    /// A record with the saved parts `stored`.
    pub(super) fn from_stored(stored: BTreeSet<Box<[u8]>>) -> Self {
        Self { stored, ..Self::default() }
    }

    /// The record, to be read and changed.
    pub(super) fn record(&mut self) -> &mut RepositoryRecord {
        if !self.stored.is_empty() {
            for json in std::mem::take(&mut self.stored) {
                match serde_json::from_slice(&json) {
                    Ok(read) => self.saved.merge(read),
                    Err(error) => {
                        tracing::debug!("a part of a repository record is unreadable: {error}");
                    }
                }
            }
            self.record = self.saved.clone();
            self.record.settle();
        }
        &mut self.record
    }

    /// The entries that are not saved yet.
    pub(super) fn unsaved(&self) -> Option<RepositoryRecord> {
        self.record.new_since(&self.saved)
    }

    /// Marks `new` as saved.
    pub(super) fn mark_saved(&mut self, new: RepositoryRecord) {
        self.saved.merge(new);
    }
}

/// The entries of `all` that `known` does not have.
fn new_in<K: Ord + Clone, V: PartialEq + Clone>(all: &BTreeMap<K, V>, known: &BTreeMap<K, V>) -> BTreeMap<K, V> {
    let new = all.iter().filter(|(key, value)| known.get(key) != Some(value));
    new.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The earlier observation.
fn earliest(mut one: TagObservation, other: TagObservation) -> TagObservation {
    match (one.first_seen, &one.digest).cmp(&(other.first_seen, &other.digest)) {
        Ordering::Less => one,
        Ordering::Greater => other,
        Ordering::Equal => {
            one.merge(&other);
            one
        }
    }
}

/// The merged history of a tag, in order.
fn union(one: Vec<TagObservation>, other: Vec<TagObservation>) -> Vec<TagObservation> {
    let mut all: Vec<_> = one.into_iter().chain(other).collect();
    all.sort_by(|one, other| (one.first_seen, &one.digest).cmp(&(other.first_seen, &other.digest)));
    all.dedup_by(|later, earlier| {
        let is_same = (later.first_seen, &later.digest) == (earlier.first_seen, &earlier.digest);
        if is_same {
            earlier.merge(later);
        }
        is_same
    });
    all
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn observation(of: u8, at: i64) -> TagObservation {
        TagObservation::new(Digest::sha256(&[of]), None, DateTime::from_timestamp(at, 0).unwrap())
    }

    fn until(mut observation: TagObservation, last: i64) -> TagObservation {
        observation.extend_to(DateTime::from_timestamp(last, 0).unwrap());
        observation
    }

    #[test]
    fn a_tag_that_went_back_keeps_its_history() {
        let settled = |one: &[TagObservation], other: &[TagObservation]| {
            let mut record = RepositoryRecord::default();
            record.moving.insert("21".into(), union(one.to_vec(), other.to_vec()));
            record.settle();
            record.moving.remove("21").unwrap()
        };
        let back = [observation(1, 10), observation(2, 20), observation(1, 30)];
        assert_eq!(settled(&back, &back), back);
        let until = [observation(1, 10), until(observation(2, 20), 25)];
        assert_eq!(
            settled(&[observation(1, 10), observation(2, 25)], &[observation(1, 10), observation(2, 20)]),
            until
        );
    }

    fn memories() -> impl Strategy<Value = RepositoryRecord> {
        let history = vec((0..4_u8, 0..6_i64, 0..6_i64), 1..4);
        let lists = proptest::option::of((0..4_i64, any::<bool>(), vec("[ab]", 0..2)));
        (lists, vec((0..3_u8, history), 0..3)).prop_map(|(tags, histories)| {
            let read_at = |at| DateTime::from_timestamp(at, 0).unwrap();
            let tags = tags.map(|(at, is_complete, dated)| TagListRecord { read_at: read_at(at), is_complete, dated });
            let mut record = RepositoryRecord { tags, ..RepositoryRecord::default() };
            for (tag, history) in histories {
                let history: Vec<_> =
                    history.into_iter().map(|(of, at, more)| until(observation(of, at), at + more)).collect();
                record.carried.insert(tag.to_string(), history[0].clone());
                record.moving.insert(tag.to_string(), union(history, Vec::new()));
            }
            record
        })
    }

    fn merged<'a>(memories: impl IntoIterator<Item = &'a RepositoryRecord>) -> RepositoryRecord {
        let mut all = RepositoryRecord::default();
        memories.into_iter().for_each(|record| all.merge(record.clone()));
        all
    }

    proptest! {
        #[test]
        fn merging_is_commutative_and_idempotent(a in memories(), b in memories(), c in memories()) {
            let all = merged([&a, &b, &c]);
            prop_assert_eq!(&merged([&c, &b, &a]), &all);
            prop_assert_eq!(&merged([&b, &a, &c, &a, &b]), &all);
            prop_assert_eq!(&merged([&a, &merged([&b, &c])]), &all);
        }

        #[test]
        fn known_and_new_entries_together_are_the_whole_record(a in memories(), b in memories()) {
            let all = merged([&a, &b]);
            let new = all.new_since(&a).unwrap_or_default();
            prop_assert_eq!(merged([&a, &new]), all.clone());
            prop_assert_eq!(all.new_since(&all), None);
        }
    }
}
