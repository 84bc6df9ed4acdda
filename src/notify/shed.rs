//! Size reduction of the ledger and the self-monitoring state when they exceed the limit of the store. Drops details of
//! messages and histories, never a due message.

use super::{DeliveryHistory, OutboxEntry};
use crate::image::clip;

/// Maximum length of a shortened reason, in bytes.
const SHORT_BYTES: usize = 200;

/// Drops the least important details of `histories` and `outbox`; `false` if none are left.
pub(super) fn shed<'a>(histories: impl Iterator<Item = &'a mut DeliveryHistory>, outbox: &mut [OutboxEntry]) -> bool {
    let is_shorter = outbox.iter_mut().map(shorten).fold(false, |any, one| any | one);
    is_shorter || histories.map(drop_events).fold(false, |any, one| any | one) || drop_items(outbox)
}

/// Keeps only the leading reason of each item, shortened.
fn shorten(entry: &mut OutboxEntry) -> bool {
    let mut is_shorter = false;
    for item in &mut entry.message.items {
        if item.reasons.len() > 1 {
            item.reasons.truncate(1);
            is_shorter = true;
        }
        for reason in item.reasons.iter_mut().filter(|reason| reason.message.len() > SHORT_BYTES + '…'.len_utf8()) {
            reason.message = clip(std::mem::take(&mut reason.message), SHORT_BYTES);
            is_shorter = true;
        }
    }
    is_shorter
}

/// Keeps only the first and the last event of an episode.
fn drop_events(history: &mut DeliveryHistory) -> bool {
    let last = history.events.len().saturating_sub(1);
    if last < 2 {
        return false;
    }
    history.events.drain(1..last);
    true
}

/// Halves the items of the longest messages; the others are counted as left out.
fn drop_items(outbox: &mut [OutboxEntry]) -> bool {
    let most = outbox.iter().map(|entry| entry.message.items.len()).max().unwrap_or_default();
    if most < 2 {
        return false;
    }
    for message in outbox.iter_mut().map(|entry| &mut entry.message) {
        let left_out = message.items.len().saturating_sub(most / 2);
        message.items.truncate(most / 2);
        message.left_out += left_out as u64;
    }
    true
}
