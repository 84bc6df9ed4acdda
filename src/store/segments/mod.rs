//! The files of the catalog: segments, the same in a folder and in a bucket.
//!
//! A run writes segments of its own and reads all others; nobody changes a segment of another run, so that runs need no
//! lock. Each record in a segment has a checksum: what a killed run left half written is left out by whoever reads. What
//! two segments say of the same thing is merged in a way that knows no order and no number of times. So many segments can
//! be merged into one while others read and write, and by several runs at once.
//!
//! Knows no stage, and of an image only that its facts are JSON.

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

/// How the name of a segment ends.
const SUFFIX: &str = ".segment";
/// How the name of a segment ends that is not worth being merged with others once more.
const LARGE_SUFFIX: &str = "-large.segment";
/// From which size on that is so, in bytes.
const LARGE_BYTES: usize = 8 << 20;
/// How many segments there may be that are not large.
const MOST_SMALL: usize = 16;
/// How many have to be finished among more than that to be merged: a few would be merged again by each run while the
/// others are being written.
const FEWEST_MERGED: usize = MOST_SMALL / 2;
/// How many bytes of segments are merged at a time.
const MOST_MERGED_BYTES: usize = 64 << 20;
/// How much is written into one segment, in bytes: several are read at a time, also where memory is short.
pub(super) const PART_BYTES: usize = 2 * LARGE_BYTES;
/// How often is listed anew when segments vanish that were listed: they were merged into another one.
const LISTINGS: u32 = 3;

/// A name for a new segment of so many bytes that no other has, and that sorts by when it was made.
fn new_name(bytes: usize) -> String {
    let suffix = if bytes > LARGE_BYTES { LARGE_SUFFIX } else { SUFFIX };
    format!("{}{suffix}", Ulid::generate())
}

/// Whether `name` is that of a segment.
fn is_segment(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

/// Whether `name` is that of a segment that is merged with others when they are many.
fn is_small(name: &str) -> bool {
    is_segment(name) && !name.ends_with(LARGE_SUFFIX)
}

/// What several segments say, to be written as one.
#[derive(Debug, Default)]
struct SegmentMerge {
    records: Records,
    /// The segments that are in it.
    names: Vec<String>,
    bytes: usize,
    is_full: bool,
}

impl SegmentMerge {
    /// Adds the segment `name`; whether there is room for more. One that is still being written is left out, unless it
    /// `is_abandoned`, and so is one of another format.
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
