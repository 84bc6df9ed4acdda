//! The bytes of a release catalog: a line that names the format, then a sequence of postcard values.
//!
//! Names are interned and dated tags stored as hours, so that a platform release takes about 130 bytes, nearly all of
//! them incompressible digests. Every count has a limit, because a file is untrusted; allocations are at most
//! proportional to its size.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use postcard::{Deserializer, de_flavors::Slice};
use serde::{Deserialize, Serialize};

use super::{MOST_LAYERS, MOST_TAGS, ReleaseCatalog};
use crate::image::{Digest, LambdaTag, Platform, PlatformRelease, Repository, is_tag};

/// The prefix of files of this version.
const SCHEMA: &str = "basewatch.releases/v1";
/// The prefix of files of every version.
const SCHEMA_PREFIX: &str = "basewatch.releases/";

/// The longest file that is read: ten times what AWS has ever published.
pub const MOST_BYTES: u64 = 32 << 20;
/// The most releases.
const MOST_RELEASES: usize = 250_000;
/// The most names of each kind.
const MOST_NAMES: usize = 65_536;
/// The longest name in bytes.
const NAME_BYTES: usize = 512;
/// The number of hours of a century.
const MOST_HOURS: u32 = 36_525 * 24;

/// The hours of dated tags are counted from the beginning of this century.
const CENTURY: DateTime<Utc> = DateTime::from_timestamp(946_684_800, 0).expect("an instant");

/// Why bytes are not a release catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They do not begin like one.
    #[error("it is not a release catalog of basewatch")]
    NoCatalog,
    /// They have another format version.
    #[error("its format is {found}; this version of basewatch reads {SCHEMA}")]
    Schema {
        /// The format of the bytes.
        found: String,
    },
    /// They exceed the size limit.
    #[error("it is larger than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    /// They are truncated or corrupt.
    #[error("it is damaged: {why}")]
    Damaged {
        /// The error.
        why: &'static str,
    },
}

/// A digest as its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum RawDigest {
    Sha256([u8; 32]),
    Sha512([u8; 32], [u8; 32]),
}

/// A tag: a plain tag, or the family of a dated tag and its hour, counted from 1.
#[derive(Debug, Serialize, Deserialize)]
struct RawTag {
    name: u32,
    hour: u32,
}

/// A release, without its tags.
#[derive(Debug, Serialize, Deserialize)]
struct RawRelease {
    manifest: RawDigest,
    platform: u32,
    layer_count: u32,
    /// The position in the table of shared digests, counted from 1; 0 for none.
    index: u32,
    /// The same.
    first_layer: u32,
    diff_ids: Option<RawDigest>,
    layers: Option<RawDigest>,
    /// In seconds before the catalog was built.
    first_seen: i64,
    tag_count: u32,
}

impl From<&Digest> for RawDigest {
    fn from(digest: &Digest) -> Self {
        let bytes = digest.bytes();
        let half = |part: &[u8]| part.try_into().expect("a digest has 32 or 64 bytes");
        match bytes.len() {
            32 => Self::Sha256(half(&bytes)),
            _ => Self::Sha512(half(&bytes[..32]), half(&bytes[32..])),
        }
    }
}

impl RawDigest {
    fn digest(&self) -> Result<Digest, DecodeError> {
        let digest = match self {
            Self::Sha256(bytes) => Digest::from_bytes(bytes),
            Self::Sha512(first, second) => Digest::from_bytes(&[first.as_slice(), second].concat()),
        };
        digest.ok_or(damaged("a digest has the wrong length"))
    }
}

fn damaged(why: &'static str) -> DecodeError {
    DecodeError::Damaged { why }
}

/// Splits a tag into the family of a dated tag and its hour, or the whole tag and 0.
fn split(tag: &str) -> (String, u32) {
    let parsed = LambdaTag::parse(tag).filter(|parsed| parsed.arch.is_none() && parsed.to_string() == tag);
    let dated = parsed.and_then(|parsed| {
        let hours = (parsed.built_at? - CENTURY).num_hours();
        Some((parsed.family, u32::try_from(hours).ok()?.checked_add(1)?))
    });
    dated.unwrap_or_else(|| (tag.to_owned(), 0))
}

fn join(name: &str, hour: u32) -> Result<String, DecodeError> {
    let tag = match hour.checked_sub(1) {
        None => name.to_owned(),
        Some(hours) if hours >= MOST_HOURS => return Err(damaged("a dated tag is of another century")),
        Some(hours) => {
            let built_at = CENTURY.checked_add_signed(TimeDelta::hours(hours.into()));
            let family = LambdaTag::parse(name).filter(|tag| tag.built_at.is_none() && tag.arch.is_none());
            let dated = family.zip(built_at).map(|(tag, at)| LambdaTag { built_at: Some(at), ..tag });
            dated.ok_or(damaged("a dated tag has no family or no date"))?.to_string()
        }
    };
    if is_tag(&tag) { Ok(tag) } else { Err(damaged("a tag is malformed")) }
}

/// Names and their positions.
struct NameTable(BTreeMap<String, u32>);

impl NameTable {
    fn new(names: BTreeSet<String>) -> Self {
        Self(names.into_iter().zip(0..).collect())
    }

    fn position(&self, name: &str) -> u32 {
        self.0.get(name).copied().unwrap_or_default()
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        write(bytes, &count(self.0.len()));
        for name in self.0.keys() {
            write(bytes, name.as_str());
        }
    }
}

/// Whether a release would be read back unchanged: its names are short and well-formed.
pub(super) fn is_writable(repository: &Repository, platform: &Platform) -> bool {
    let (repository_name, platform_name) = (repository.to_string(), platform.to_string());
    let is_short = repository_name.len() <= NAME_BYTES && platform_name.len() <= NAME_BYTES;
    is_short
        && repository_name.parse().is_ok_and(|parsed: Repository| parsed == *repository)
        && platform_name.parse().is_ok_and(|parsed: Platform| parsed == *platform)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("memory holds fewer")
}

fn write<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    let encoded = postcard::to_stdvec(value).expect("numbers, texts and arrays are always encoded");
    bytes.extend(encoded);
}

/// The bytes of `catalog`.
pub(super) fn encode(catalog: &ReleaseCatalog) -> Vec<u8> {
    let tags = catalog.iter().flat_map(|(_, release)| &release.tags);
    let names = NameTable::new(tags.map(|tag| split(tag).0).collect());
    let platforms = NameTable::new(catalog.iter().map(|(_, release)| release.platform.to_string()).collect());
    // The platforms of a release share an index; the releases of a day share the operating system layer.
    let shared = |release: &PlatformRelease| [release.index.clone(), release.first_layer.clone()];
    let shared: BTreeSet<_> = catalog.iter().flat_map(|(_, release)| shared(release)).flatten().collect();
    let mut bytes = format!("{SCHEMA}\n").into_bytes();
    write(&mut bytes, &catalog.built_at.timestamp());
    names.write(&mut bytes);
    platforms.write(&mut bytes);
    write(&mut bytes, &count(shared.len()));
    for digest in &shared {
        write(&mut bytes, &RawDigest::from(digest));
    }
    let shared: BTreeMap<_, _> = shared.iter().zip(1_u32..).collect();
    let position = |digest: &Option<Digest>| digest.as_ref().and_then(|digest| shared.get(digest).copied());
    let repositories: Vec<_> = catalog.repositories.iter().filter(|(_, releases)| !releases.is_empty()).collect();
    write(&mut bytes, &count(repositories.len()));
    for (repository, releases) in repositories {
        write(&mut bytes, &repository.to_string());
        write(&mut bytes, &count(releases.len()));
        for release in releases.values() {
            let row = RawRelease {
                manifest: (&release.manifest).into(),
                platform: platforms.position(&release.platform.to_string()),
                layer_count: count(release.layer_count),
                index: position(&release.index).unwrap_or_default(),
                first_layer: position(&release.first_layer).unwrap_or_default(),
                diff_ids: release.diff_ids.as_ref().map(RawDigest::from),
                layers: release.layers.as_ref().map(RawDigest::from),
                first_seen: (catalog.built_at - release.first_seen).num_seconds(),
                tag_count: count(release.tags.len()),
            };
            write(&mut bytes, &row);
            for tag in &release.tags {
                let (name, hour) = split(tag);
                write(&mut bytes, &RawTag { name: names.position(&name), hour });
            }
        }
    }
    bytes
}

/// Reads values one after the other.
struct ValueReader<'a>(Deserializer<'a, Slice<'a>>);

impl<'a> ValueReader<'a> {
    fn next<T: Deserialize<'a>>(&mut self) -> Result<T, DecodeError> {
        T::deserialize(&mut self.0).map_err(|_| damaged("it is truncated, or a value in it is invalid"))
    }

    fn count(&mut self, most: usize) -> Result<usize, DecodeError> {
        let count: u32 = self.next()?;
        let count = usize::try_from(count).ok().filter(|count| *count <= most);
        count.ok_or(damaged("a count exceeds the limit of a catalog"))
    }

    fn name(&mut self) -> Result<&'a str, DecodeError> {
        let name: &str = self.next()?;
        if name.len() <= NAME_BYTES { Ok(name) } else { Err(damaged("a name is too long")) }
    }

    fn names(&mut self) -> Result<Vec<&'a str>, DecodeError> {
        (0..self.count(MOST_NAMES)?).map(|_| self.name()).collect()
    }
}

/// The tables that releases refer to.
struct LookupTables<'a> {
    built_at: DateTime<Utc>,
    tags: Vec<&'a str>,
    platforms: Vec<Platform>,
    /// Digests that several releases share.
    shared: Vec<Digest>,
}

impl LookupTables<'_> {
    /// The digest at `position`, counted from 1; `None` at 0.
    fn shared(&self, position: u32) -> Result<Option<Digest>, DecodeError> {
        let Some(position) = position.checked_sub(1) else { return Ok(None) };
        let digest = usize::try_from(position).ok().and_then(|position| self.shared.get(position));
        digest.cloned().map(Some).ok_or(damaged("a digest is missing"))
    }
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(bytes: &[u8]) -> Result<ReleaseCatalog, DecodeError> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(DecodeError::TooLarge);
    }
    let mut reader = ValueReader(Deserializer::from_bytes(body(bytes)?));
    let built_at = DateTime::from_timestamp(reader.next()?, 0).ok_or(damaged("its build time is invalid"))?;
    let tags = reader.names()?;
    let platforms = reader.names()?.into_iter().map(|name| {
        let platform: Option<Platform> = name.parse().ok();
        platform.filter(|platform| platform.to_string() == name).ok_or(damaged("a platform is malformed"))
    });
    let platforms = platforms.collect::<Result<_, _>>()?;
    let shared = (0..reader.count(2 * MOST_RELEASES)?).map(|_| reader.next::<RawDigest>()?.digest());
    let shared = shared.collect::<Result<_, _>>()?;
    let tables = LookupTables { built_at, tags, platforms, shared };
    let mut catalog = ReleaseCatalog::new(built_at);
    let mut left = MOST_RELEASES;
    for _ in 0..reader.count(MOST_NAMES)? {
        let name = reader.name()?;
        let repository: Option<Repository> = name.parse().ok();
        let repository = repository.filter(|repository| repository.to_string() == name);
        let repository = repository.ok_or(damaged("a repository is malformed"))?;
        let releases = reader.count(left)?;
        left -= releases;
        let rows = (0..releases).map(|_| release(&mut reader, &tables));
        let rows: BTreeMap<_, _> = rows.collect::<Result<_, _>>()?;
        if rows.len() != releases || catalog.repositories.insert(repository, rows).is_some() {
            return Err(damaged("it has a duplicate entry"));
        }
    }
    match reader.0.finalize() {
        Ok([]) => Ok(catalog),
        _ => Err(damaged("it has trailing bytes")),
    }
}

/// The bytes after the format line.
fn body(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let end = bytes.iter().take(64).position(|byte| *byte == b'\n').ok_or(DecodeError::NoCatalog)?;
    let schema = std::str::from_utf8(&bytes[..end]).map_err(|_| DecodeError::NoCatalog)?;
    match schema {
        SCHEMA => Ok(&bytes[end + 1..]),
        other if other.starts_with(SCHEMA_PREFIX) && !other.chars().any(char::is_control) => {
            Err(DecodeError::Schema { found: other.to_owned() })
        }
        _ => Err(DecodeError::NoCatalog),
    }
}

fn release(reader: &mut ValueReader<'_>, tables: &LookupTables<'_>) -> Result<(Digest, PlatformRelease), DecodeError> {
    let row: RawRelease = reader.next()?;
    let at = |position: u32| usize::try_from(position).unwrap_or(usize::MAX);
    let platform = tables.platforms.get(at(row.platform)).ok_or(damaged("a platform is missing"))?;
    let first_seen = TimeDelta::try_seconds(row.first_seen);
    let first_seen = first_seen.and_then(|span| tables.built_at.checked_sub_signed(span));
    if !(1..=MOST_LAYERS).contains(&at(row.layer_count)) || at(row.tag_count) > MOST_TAGS {
        return Err(damaged("a release has no layers, or too many layers or tags"));
    }
    let tags = (0..row.tag_count).map(|_| {
        let tag: RawTag = reader.next()?;
        join(tables.tags.get(at(tag.name)).ok_or(damaged("a tag is missing"))?, tag.hour)
    });
    let tags = tags.collect::<Result<_, _>>()?;
    let manifest = row.manifest.digest()?;
    let release = PlatformRelease {
        tags,
        platform: platform.clone(),
        manifest: manifest.clone(),
        index: tables.shared(row.index)?,
        first_layer: tables.shared(row.first_layer)?,
        layer_count: at(row.layer_count),
        diff_ids: row.diff_ids.as_ref().map(RawDigest::digest).transpose()?,
        layers: row.layers.as_ref().map(RawDigest::digest).transpose()?,
        first_seen: first_seen.ok_or(damaged("a date is malformed"))?,
    };
    Ok((manifest, release))
}
