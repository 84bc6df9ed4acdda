//! Parts of large documents: their entries as gzip-compressed JSON lines, in objects of their own.
//!
//! A document lists its parts by name and is written after them, atomically, so it always names whole parts of its own
//! version. A part is never modified and its name never used again. The name contains the SHA-256 of the lines: readers
//! verify it, and writers keep a part whose lines are unchanged.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    time::{Duration, SystemTime},
};

use flate2::{Compression, Crc, read::GzDecoder, write::GzEncoder};
use serde::Deserialize;
use ulid::Ulid;

use super::{Error, ObjectVersion, Result, Store, StoredObject, WriteCondition};
use crate::image::Digest;

/// Suffix of the names of parts.
const SUFFIX: &str = ".jsonl.gz";
/// A part that has half of the most bytes ends after one sixteenth more of them, on average. Whether it ends depends on
/// the next entry alone, so that a change moves the ends of few parts.
const ENDING_SHARE: usize = 16;
/// Age of a part that no document lists after which its writer counts as killed.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);
/// Maximum attempts to read a document that is replaced while its parts are read.
const ATTEMPTS: u32 = 5;

/// The names of the parts in a document.
#[derive(Deserialize)]
struct PartList {
    #[serde(default)]
    parts: Vec<String>,
}

/// A document that was read with all its entries.
pub(super) struct ReadDocument<T> {
    pub(super) document: T,
    /// The names of its parts.
    pub(super) parts: Vec<String>,
    pub(super) version: ObjectVersion,
}

/// The report that `write` writes; `None` if it is too large for one object of `store`.
///
/// # Errors
///
/// Those of `write`, unless there is no more room.
pub fn whole_report(
    store: &dyn Store,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<Option<Vec<u8>>> {
    within(2 * most_part_bytes(store), write)
}

/// What `write` writes; `None` if it has more than `most_bytes`.
pub(super) fn within(
    most_bytes: usize,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; most_bytes];
    let mut left = bytes.as_mut_slice();
    match write(&mut left) {
        Err(error) if error.kind() == ErrorKind::WriteZero => return Ok(None),
        written => written?,
    }
    let length = most_bytes - left.len();
    bytes.truncate(length);
    bytes.shrink_to_fit();
    Ok(Some(bytes))
}

/// Maximum size of the lines of a part, in bytes.
pub(super) fn most_part_bytes(store: &dyn Store) -> usize {
    usize::try_from(store.most_bytes() / 4).unwrap_or(usize::MAX)
}

/// Writes `entries`, each a JSON value without line breaks, in parts below `folder` and returns the names of the parts.
/// Parts of `known` with the same entries are kept.
///
/// Has one part in memory at a time.
///
/// # Errors
///
/// Those of the store, and [`Error::TooLarge`] for an entry that is larger than a part.
pub async fn write_parts(
    store: &dyn Store,
    folder: &str,
    entries: impl Iterator<Item = Vec<u8>> + Send,
    known: &[String],
) -> Result<Vec<String>> {
    let most_bytes = most_part_bytes(store);
    let mut names = Vec::new();
    let mut lines = Vec::with_capacity(most_bytes);
    for entry in entries {
        if entry.len() >= most_bytes {
            let what = format!("cannot write an entry of {}/{folder}", store.location());
            return Err(Error::TooLarge { what, most_bytes: most_bytes as u64 });
        }
        if lines.len() + entry.len() >= most_bytes {
            names.push(write_part(store, folder, &mut lines, known).await?);
        }
        lines.extend_from_slice(&entry);
        lines.push(b'\n');
        if lines.len() >= most_bytes / 2 && is_ending(&entry, most_bytes / ENDING_SHARE) {
            names.push(write_part(store, folder, &mut lines, known).await?);
        }
    }
    if !lines.is_empty() {
        names.push(write_part(store, folder, &mut lines, known).await?);
    }
    Ok(names)
}

/// Whether `entry` ends a part: so for one byte in `bytes`.
fn is_ending(entry: &[u8], bytes: usize) -> bool {
    let mut checksum = Crc::new();
    checksum.update(entry);
    checksum.sum() as usize % bytes.max(1) < entry.len()
}

/// Writes and empties `lines`, unless a `known` part has them. Returns the name of the part.
async fn write_part(store: &dyn Store, folder: &str, lines: &mut Vec<u8>, known: &[String]) -> Result<String> {
    let suffix = suffix(lines);
    if let Some(name) = known.iter().find(|name| name.ends_with(&suffix)) {
        lines.clear();
        return Ok(name.clone());
    }
    let name = format!("{folder}/{}{suffix}", Ulid::generate());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let bytes = encoder.write_all(lines).and_then(|()| encoder.finish()).expect("writing to memory cannot fail");
    lines.clear();
    store.write(&name, bytes, WriteCondition::Absent).await?;
    Ok(name)
}

/// The end of the name of the part with `lines`.
fn suffix(lines: &[u8]) -> String {
    format!("-{}{SUFFIX}", Digest::sha256(lines).hex())
}

/// Reads the document `name`: `parse` parses it, `add` adds an entry of its parts to it. `None` if it does not exist.
///
/// Has one part in memory at a time, besides the document.
pub(super) async fn read<T: Send>(
    store: &dyn Store,
    name: &str,
    parse: impl Fn(&[u8]) -> Result<T> + Send,
    mut add: impl FnMut(&mut T, &[u8]) -> serde_json::Result<()> + Send,
) -> Result<Option<ReadDocument<T>>> {
    let mut missing = String::new();
    for _ in 0..ATTEMPTS {
        let Some(StoredObject { bytes, version }) = store.read(name).await? else { return Ok(None) };
        let mut document = parse(&bytes)?;
        let parts = listed(&bytes);
        drop(bytes);
        let mut left = parts.iter();
        loop {
            let Some(part) = left.next() else { return Ok(Some(ReadDocument { document, parts, version })) };
            let Some(lines) = read_part(store, part).await? else {
                // Another process has replaced the document and removed the part.
                missing.clone_from(part);
                break;
            };
            let mut entries = lines.split(|byte| *byte == b'\n').filter(|entry| !entry.is_empty());
            entries
                .try_for_each(|entry| add(&mut document, entry))
                .map_err(|error| Error::Unreadable { location: location(store, part), why: error.to_string() })?;
        }
    }
    Err(Error::Unreadable { location: location(store, name), why: format!("its part {missing} is missing") })
}

/// The names of the parts of the document `bytes`.
pub(super) fn listed(bytes: &[u8]) -> Vec<String> {
    serde_json::from_slice(bytes).map(|list: PartList| list.parts).unwrap_or_default()
}

/// The lines of the part `name`; `None` if it does not exist.
async fn read_part(store: &dyn Store, name: &str) -> Result<Option<Vec<u8>>> {
    let Some(stored) = store.read(name).await? else { return Ok(None) };
    let most_bytes = most_part_bytes(store);
    let mut lines = Vec::with_capacity(most_bytes + 1);
    let read = GzDecoder::new(stored.bytes.as_slice()).take(most_bytes as u64 + 1).read_to_end(&mut lines);
    let why = match read {
        Err(error) => error.to_string(),
        Ok(_) if lines.len() > most_bytes => {
            let what = format!("cannot read {}", location(store, name));
            return Err(Error::TooLarge { what, most_bytes: most_bytes as u64 });
        }
        Ok(_) if name.ends_with(&suffix(&lines)) => return Ok(Some(lines)),
        Ok(_) => "its content does not match its name".to_owned(),
    };
    Err(Error::Unreadable { location: location(store, name), why })
}

fn location(store: &dyn Store, name: &str) -> String {
    format!("{}/{name}", store.location())
}

/// Removes the parts in `folder` that its document does not list: those that were `replaced`, and those of killed
/// writers.
///
/// Called after the document was written. A process that based its own version on an earlier one cannot write it any
/// more, so nothing lists these parts.
pub(super) async fn sweep(store: &dyn Store, folder: &str, listed: &[String], replaced: &[String]) -> Result<()> {
    for name in store.list(&format!("{folder}/")).await? {
        if !listed.contains(&name) && (replaced.contains(&name) || is_abandoned(&name)) {
            store.remove(&name).await?;
        }
    }
    Ok(())
}

/// Whether the part `name` was written long ago.
fn is_abandoned(name: &str) -> bool {
    let written_at = name
        .rsplit_once('/')
        .and_then(|(_, name)| Ulid::from_string(name.split_once('-')?.0).ok())
        .map(|id| id.datetime());
    written_at.is_some_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > ABANDONED_AFTER))
}
