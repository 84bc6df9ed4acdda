//! Catalog files: segments of records, with the same format in folders and buckets.
//!
//! A run writes its own segments and reads all others. Segments are never modified by other runs, so no lock is needed. Each
//! record has a checksum; readers skip records that a killed run left incomplete. Merging records is commutative and
//! idempotent, so segments can be compacted while others read and write, and by several runs at once.
//!
//! Knows no stage; image facts are opaque JSON.

mod fact;
mod folder;
mod object;
mod record;
mod records;

use ulid::Ulid;

pub(super) use self::{
    fact::StoredFact,
    folder::{Appender, SegmentFolder},
    object::{compact, read, write},
    record::{Record, RecordKind, segment_of},
    records::{Records, StoredNote, parts},
};

/// Suffix of segment names.
const SUFFIX: &str = ".segment";
/// Suffix of large segments, which are not merged again.
const LARGE_SUFFIX: &str = "-large.segment";
/// Minimum size of a large segment, in bytes.
const LARGE_BYTES: usize = 8 << 20;
/// Maximum number of small segments before compaction.
const MOST_SMALL: usize = 16;
/// Minimum number of finished small segments to compact. Fewer would be merged again by each run while others are being
/// written.
const FEWEST_MERGED: usize = MOST_SMALL / 2;
/// Maximum size of segments merged at a time, in bytes.
const MOST_MERGED_BYTES: usize = 64 << 20;
/// Maximum size of a written segment, in bytes. Several are read at a time.
pub(super) const PART_BYTES: usize = 2 * LARGE_BYTES;
/// Maximum number of listings if listed segments vanish because they were merged.
const LISTINGS: u32 = 16;

/// A unique name for a new segment of `bytes`, which sorts by creation time.
fn new_name(bytes: usize) -> String {
    let suffix = if bytes > LARGE_BYTES { LARGE_SUFFIX } else { SUFFIX };
    format!("{}{suffix}", Ulid::generate())
}

/// Whether `name` is that of a segment.
fn is_segment(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

/// Whether `name` is that of a small segment.
fn is_small(name: &str) -> bool {
    is_segment(name) && !name.ends_with(LARGE_SUFFIX)
}

/// The records of several segments, to be written as one.
#[derive(Debug, Default)]
struct SegmentMerge {
    records: Records,
    /// The names of the segments in it.
    names: Vec<String>,
    bytes: usize,
    is_full: bool,
}

impl SegmentMerge {
    /// Adds the segment `name`. Returns whether there is room for more. Skips segments of another format and, unless
    /// `is_abandoned`, unfinished ones.
    fn add(&mut self, name: String, bytes: &[u8], is_abandoned: bool) -> bool {
        let Some(segment) = record::parse(bytes).filter(|segment| segment.is_finished || is_abandoned) else {
            return true;
        };
        if self.bytes + bytes.len() > MOST_MERGED_BYTES {
            self.is_full = true;
            return false;
        }
        self.bytes += bytes.len();
        segment.bodies.into_iter().for_each(|body| self.records.add(body));
        self.names.push(name);
        true
    }

    fn is_worthwhile(&self) -> bool {
        self.names.len() > if self.is_full { 1 } else { FEWEST_MERGED }
    }
}
