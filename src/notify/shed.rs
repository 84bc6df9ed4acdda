//! What ledger and self-monitoring can do without when they would be larger than the store keeps: never that something
//! is due, only how much is said of it.

use super::{Due, Told};
use crate::image::clip;

/// How much a reason says once not everything has room.
const SHORT_BYTES: usize = 200;

/// Gives up something of `alerts` and `outbox`, the least important first; `false` if there is nothing left.
pub(super) fn shed<'a>(told: impl Iterator<Item = &'a mut Told>, outbox: &mut [Due]) -> bool {
    let is_shorter = outbox.iter_mut().map(shorten).fold(false, |any, one| any | one);
    is_shorter || told.map(forget_events).fold(false, |any, one| any | one) || leave_items_out(outbox)
}

/// Only the leading reason of each finding, in short.
fn shorten(due: &mut Due) -> bool {
    let mut is_shorter = false;
    for item in &mut due.message.items {
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

/// Only the first event of an episode and the last one.
fn forget_events(told: &mut Told) -> bool {
    let last = told.events.len().saturating_sub(1);
    if last < 2 {
        return false;
    }
    told.events.drain(1..last);
    true
}

/// Only half of the findings of the messages that have most of them; the others are counted as left out.
fn leave_items_out(outbox: &mut [Due]) -> bool {
    let most = outbox.iter().map(|due| due.message.items.len()).max().unwrap_or_default();
    if most < 2 {
        return false;
    }
    for message in outbox.iter_mut().map(|due| &mut due.message) {
        let left_out = message.items.len().saturating_sub(most / 2);
        message.items.truncate(most / 2);
        message.left_out += left_out as u64;
    }
    true
}
