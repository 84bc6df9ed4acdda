//! Segments in a bucket, each written as a whole.

use std::collections::HashSet;

use futures::{StreamExt as _, stream};

use super::{LISTINGS, MOST_SMALL, Records, SegmentMerge, is_segment, is_small, new_name, record};
use crate::store::{Result, Store, WriteCondition};

/// Prefix of segments in a store.
const SEGMENTS: &str = "catalog/v1/segments/";
/// Number of concurrent reads.
const READ_AT_ONCE: usize = 8;

/// The records of all segments of `store`, and the error that ended reading early.
pub(in crate::store) async fn read(store: &dyn Store) -> (Records, Result<()>) {
    let mut records = Records::default();
    let mut known = HashSet::new();
    for _ in 0..LISTINGS {
        match read_new(&mut records, store, &mut known).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return (records, Err(error)),
        }
    }
    (records, Ok(()))
}

/// Reads the segments that are not `known`. Returns whether some vanished in the meantime.
async fn read_new(records: &mut Records, store: &dyn Store, known: &mut HashSet<String>) -> Result<bool> {
    let mut names = store.list(SEGMENTS).await?;
    names.retain(|name| is_segment(name) && !known.contains(name));
    let reads = names.into_iter().map(|name| async move {
        let read = store.read(&name).await;
        (name, read)
    });
    let mut reads = stream::iter(reads).buffer_unordered(READ_AT_ONCE);
    let mut has_vanished = false;
    while let Some((name, read)) = reads.next().await {
        match read {
            Ok(None) => {
                has_vanished = true;
                continue;
            }
            Ok(Some(stored)) => {
                if let Some(segment) = record::parse(&stored.bytes) {
                    segment.bodies.into_iter().for_each(|body| records.add(body));
                } else {
                    tracing::debug!("{}/{name} is not a segment of this version", store.location());
                }
            }
            Err(error) => tracing::warn!("cannot read a part of the catalog, it is fetched again: {error}"),
        }
        known.insert(name);
    }
    Ok(has_vanished)
}

/// Writes a segment.
pub(in crate::store) async fn write(store: &dyn Store, segment: Vec<u8>) -> Result<()> {
    let name = format!("{SEGMENTS}{}", new_name(segment.len()));
    store.write(&name, segment, WriteCondition::Absent).await.map(drop)
}

/// Merges small segments if there are many, and removes them once the merged segment is written.
pub(in crate::store) async fn compact(store: &dyn Store) -> Result<()> {
    let mut names = store.list(SEGMENTS).await?;
    names.retain(|name| is_small(name));
    if names.len() <= MOST_SMALL {
        return Ok(());
    }
    let mut merge = SegmentMerge::default();
    for name in names {
        // Another run may have merged it; an unreadable one stays.
        let Ok(Some(stored)) = store.read(&name).await else { continue };
        // Objects are always written as a whole.
        if !merge.add(name, &stored.bytes, true) {
            break;
        }
    }
    if !merge.is_worthwhile() {
        return Ok(());
    }
    for segment in merge.records.into_segments() {
        write(store, segment).await?;
    }
    for name in merge.names {
        store.remove(&name).await?;
    }
    Ok(())
}
