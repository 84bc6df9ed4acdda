//! Merged records of segments. Image facts stay unparsed: most are never needed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    fs::File,
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{PART_BYTES, Record, RecordKind, StoredFact, record};
use crate::{
    image::{Digest, DigestContent, Repository},
    store::RepositoryRecord,
};

/// Length of the time in the value of a note, in bytes.
const INSTANT_BYTES: usize = 8;

/// A named note.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct StoredNote {
    /// Its time, in microseconds since 1970. The latest note of a name counts.
    at: i64,
    /// Its value, as JSON.
    pub(in crate::store) json: Vec<u8>,
}

impl StoredNote {
    /// A note that replaces `known`. Always later than that, even if the clock of the other machine is ahead.
    pub(in crate::store) fn new(json: Vec<u8>, now: DateTime<Utc>, known: Option<&Self>) -> Self {
        let after = known.map_or(i64::MIN, |known| known.at.saturating_add(1));
        Self { at: now.timestamp_micros().max(after), json }
    }

    fn from_value(value: &[u8]) -> Option<Self> {
        let (at, json) = value.split_first_chunk::<INSTANT_BYTES>()?;
        Some(Self { at: i64::from_le_bytes(*at), json: json.to_vec() })
    }

    /// The value of its record.
    pub(in crate::store) fn to_value(&self) -> Vec<u8> {
        [&self.at.to_le_bytes()[..], &self.json].concat()
    }
}

/// Merged records.
#[derive(Clone, Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(in crate::store) struct Records {
    /// Facts by digest.
    pub(in crate::store) contents: HashMap<Digest, StoredFact>,
    /// Parts of repository records, as JSON.
    pub(in crate::store) repositories: BTreeMap<Repository, BTreeSet<Box<[u8]>>>,
    /// Notes by name.
    pub(in crate::store) notes: BTreeMap<String, StoredNote>,
    /// Bodies of unknown records, which a newer basewatch may have written.
    others: BTreeSet<Box<[u8]>>,
}

impl Records {
    /// Adds the record with this `body`.
    pub(super) fn add(&mut self, body: &[u8]) {
        self.add_with(body, |json| StoredFact::Here(json.into()));
    }

    /// Adds the records of the segment in `file` with these `bytes`. Facts stay in the file.
    pub(super) fn add_from_file(&mut self, segment: &record::ParsedSegment<'_>, bytes: &[u8], file: &Arc<File>) {
        for body in &segment.bodies {
            self.add_with(body, |json| {
                let at = (json.as_ptr().addr() - bytes.as_ptr().addr()) as u64;
                // The length of a record has four bytes.
                let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
                StoredFact::InFile { file: Arc::clone(file), at, length }
            });
        }
    }

    fn add_with(&mut self, body: &[u8], store: impl Fn(&[u8]) -> StoredFact) {
        if Record::from_body(body).and_then(|record| self.add_record(&record, store)).is_none() {
            self.others.insert(body.into());
        }
    }

    fn add_record(&mut self, record: &Record<'_>, store: impl Fn(&[u8]) -> StoredFact) -> Option<()> {
        match record.kind {
            RecordKind::Content => match self.contents.entry(record.key.parse().ok()?) {
                Entry::Vacant(entry) => drop(entry.insert(store(record.value))),
                Entry::Occupied(mut entry) => {
                    if entry.get().json().map_or(true, |known| is_better(record.value, &known)) {
                        entry.insert(store(record.value));
                    }
                }
            },
            RecordKind::Repository => {
                self.repositories.entry(record.key.parse().ok()?).or_default().insert(record.value.into());
            }
            RecordKind::Note => {
                let note = StoredNote::from_value(record.value)?;
                let latest = self.notes.remove(record.key).into_iter().chain([note]).max()?;
                self.notes.insert(record.key.to_owned(), latest);
            }
        }
        Some(())
    }

    /// Segments with these records, each of at most [`PART_BYTES`] unless a single record is larger.
    pub(super) fn into_segments(self) -> Vec<Vec<u8>> {
        self.into_parts(PART_BYTES)
    }

    fn into_parts(self, most_bytes: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let contents: BTreeMap<_, _> = self.contents.into_iter().collect();
        for (digest, fact) in &contents {
            let json = fact.json().ok();
            frames.push(
                json.and_then(|json| Record { kind: RecordKind::Content, key: digest.as_str(), value: &json }.frame()),
            );
        }
        for (repository, parts) in self.repositories {
            let key = repository.to_string();
            for value in one_of(parts) {
                frames.push(Record { kind: RecordKind::Repository, key: &key, value: &value }.frame());
            }
        }
        for (name, note) in self.notes {
            frames.push(Record { kind: RecordKind::Note, key: &name, value: &note.to_value() }.frame());
        }
        frames.extend(self.others.iter().map(|body| record::frame(body)));
        let parts = parts(frames.into_iter().flatten(), Vec::len, most_bytes);
        parts.iter().map(|part| record::segment_of(part.iter().map(Vec::as_slice))).collect()
    }
}

/// Divides `items` into parts of at most `most_bytes`, unless a single one is larger.
pub(in crate::store) fn parts<T>(
    items: impl IntoIterator<Item = T>,
    bytes: impl Fn(&T) -> usize,
    most_bytes: usize,
) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut left = 0;
    for item in items {
        let bytes = bytes(&item);
        if let Some(part) = parts.last_mut().filter(|_| bytes <= left) {
            left -= bytes;
            part.push(item);
        } else {
            left = most_bytes.saturating_sub(bytes);
            parts.push(vec![item]);
        }
    }
    parts
}

/// Whether `one` is preferred to `other` as facts of the same digest: the readable one, or the longer one.
fn is_better(one: &[u8], other: &[u8]) -> bool {
    let is_readable = |json| serde_json::from_slice::<DigestContent>(json).is_ok();
    one != other && (is_readable(one), one.len(), one) > (is_readable(other), other.len(), other)
}

/// Merges the parts of a repository record. Unreadable parts stay as they are.
fn one_of(parts: BTreeSet<Box<[u8]>>) -> BTreeSet<Box<[u8]>> {
    let mut record = RepositoryRecord::default();
    let mut unreadable = BTreeSet::new();
    for part in parts {
        match serde_json::from_slice(&part) {
            Ok(read) => record.merge(read),
            Err(_) => drop(unreadable.insert(part)),
        }
    }
    if record != RepositoryRecord::default()
        && let Ok(json) = serde_json::to_vec(&record)
    {
        unreadable.insert(json.into());
    }
    unreadable
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn body(kind: RecordKind, key: &str, value: &[u8]) -> Vec<u8> {
        Record { kind, key, value }.frame().unwrap()[8..].to_vec()
    }

    fn records<'a>(bodies: impl IntoIterator<Item = &'a Vec<u8>>) -> Records {
        let mut records = Records::default();
        bodies.into_iter().for_each(|body| records.add(body));
        records
    }

    /// What segments say, with the parts of each repository record merged.
    fn read(segments: &[Vec<u8>]) -> Records {
        let mut records = Records::default();
        for segment in segments {
            let segment = record::parse(segment).unwrap();
            assert!(segment.is_finished);
            segment.bodies.into_iter().for_each(|body| records.add(body));
        }
        settled(records)
    }

    fn settled(mut records: Records) -> Records {
        records.repositories =
            records.repositories.into_iter().map(|(repository, parts)| (repository, one_of(parts))).collect();
        records
    }

    fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let moving = |tag: u8, of: u8, at: i64, more: i64| {
            let instant = |at| DateTime::from_timestamp(at, 0).unwrap();
            let mut observation = crate::store::TagObservation::new(Digest::sha256(&[of]), None, instant(at));
            observation.extend_to(instant(at + more));
            let mut record = RepositoryRecord::default();
            record.carried.insert(tag.to_string(), observation.clone());
            record.moving.insert(tag.to_string(), vec![observation]);
            body(RecordKind::Repository, "public.ecr.aws/lambda/java", &serde_json::to_vec(&record).unwrap())
        };
        let fact = |of: u8, value: u8| {
            let index = r#"{"index":{"children":[]}}"#;
            let json = ["{", index, "[]"][usize::from(value)];
            body(RecordKind::Content, Digest::sha256(&[of]).as_str(), json.as_bytes())
        };
        let note = |name: u8, at: i64, value: u8| {
            let note = StoredNote { at, json: vec![b'0' + value] };
            body(RecordKind::Note, &name.to_string(), &note.to_value())
        };
        let one = prop_oneof![
            (0..3_u8, 0..4_u8, 0..6_i64, 0..6_i64).prop_map(move |(tag, of, at, more)| moving(tag, of, at, more)),
            (0..4_u8, 0..3_u8).prop_map(move |(of, value)| fact(of, value)),
            (0..3_u8, 0..4_i64, 0..3_u8).prop_map(move |(name, at, value)| note(name, at, value)),
            vec(any::<u8>(), 0..6).prop_filter("it would be an end", |body| body.first() != Some(&0)),
            Just(body(RecordKind::Repository, "public.ecr.aws/lambda/java", b"nonsense")),
        ];
        vec(one, 0..12)
    }

    proptest! {
        #[test]
        fn the_order_and_number_of_records_do_not_matter(a in bodies(), b in bodies()) {
            let all = settled(records(a.iter().chain(&b)));
            prop_assert_eq!(&settled(records(b.iter().rev().chain(a.iter().rev()).chain(&b))), &all);
        }

        #[test]
        fn merged_segments_have_the_records_of_their_parts(a in bodies(), b in bodies(), c in bodies()) {
            let all = settled(records(a.iter().chain(&b).chain(&c)));
            let ab = records(a.iter().chain(&b)).into_segments();
            let bc = records(b.iter().chain(&c)).into_segments();
            prop_assert_eq!(&read(&[ab.clone(), bc.clone()].concat()), &all);
            prop_assert_eq!(&read(&[bc, ab].concat()), &all);
        }

        #[test]
        fn a_large_segment_is_split_into_parts_within_the_limit(a in bodies(), most in 1..600_usize) {
            let all = records(&a);
            let parts = all.clone().into_parts(most);
            prop_assert_eq!(&read(&parts), &settled(all));
            for part in &parts {
                let count = record::parse(part).unwrap().bodies.len();
                let frame = record::header().len() + record::end().len();
                prop_assert!(count == 1 || part.len() <= most + frame, "{count} {}", part.len());
            }
        }
    }

    #[test]
    fn readable_facts_replace_unreadable_ones() {
        let digest = Digest::sha256(b"x");
        let good = br#"{"index":{"children":[]}}"#;
        let long = format!("{{\"index\":{}", " ".repeat(100));
        for bodies in [[long.as_bytes(), good], [good, long.as_bytes()]] {
            let bodies = bodies.map(|value| body(RecordKind::Content, digest.as_str(), value));
            assert_eq!(records(&bodies).contents[&digest], StoredFact::Here(good[..].into()));
        }
    }

    #[test]
    fn a_later_note_counts_even_if_a_clock_is_ahead() {
        let ahead = StoredNote::new(b"1".to_vec(), DateTime::from_timestamp(2_000_000_000, 0).unwrap(), None);
        let later = StoredNote::new(b"0".to_vec(), DateTime::from_timestamp(1_000_000_000, 0).unwrap(), Some(&ahead));
        let bodies = [&later, &ahead].map(|note| body(RecordKind::Note, "x", &note.to_value()));
        assert_eq!(records(&bodies).notes["x"], later);
    }
}
