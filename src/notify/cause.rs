//! Grouping of items with the same text: fifteen functions on one base are one paragraph.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{AlertItem, Message};
use crate::judge::Action;

/// Groups items with the same text, in order of first occurrence.
pub(super) fn by_cause<'a>(items: impl IntoIterator<Item = &'a AlertItem>) -> Vec<Vec<&'a AlertItem>> {
    let mut groups: Vec<Vec<&AlertItem>> = Vec::new();
    let mut known = HashMap::new();
    for item in items {
        let index = *known.entry(cause(item)).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// Number of alerts of `message` that no paragraph mentions if the items `listed` have one. Paragraphs count those that are
/// left out and share their cause.
pub(super) fn left_out<'a>(message: &'a Message, listed: impl IntoIterator<Item = &'a AlertItem>) -> u64 {
    let groups = by_cause(listed);
    let mentioned: u64 = groups.iter().map(|group| group.len() as u64 + unlisted(group)).sum();
    message.left_out.saturating_add(message.items.len() as u64).saturating_sub(mentioned)
}

/// Number of alerts like those of `group` that are left out of the message.
pub(super) fn unlisted(group: &[&AlertItem]) -> u64 {
    let size = group.first().and_then(|item| item.group_size).unwrap_or_default();
    size.saturating_sub(group.len() as u64)
}

/// A hash of what [`by_cause`] groups by, for items that are not kept.
pub(super) fn cause_hash(item: &AlertItem) -> u64 {
    let mut hash = DefaultHasher::new();
    cause(item).hash(&mut hash);
    hash.finish()
}

/// Everything a message says about an item except its name and location.
fn cause(item: &AlertItem) -> impl Eq + std::hash::Hash {
    // The advice names the image.
    let image = matches!(item.action, Action::Restore | Action::Investigate).then_some(&item.image);
    // The reason says what prevents the function from being invoked.
    let failure = item.reasons.first().filter(|_| item.action == Action::Repair).map(|reason| &reason.message);
    let codes: Vec<_> = item.reasons.iter().map(|reason| &reason.code).collect();
    (
        (
            item.event,
            item.about,
            item.verdict,
            item.severity,
            item.previous_severity,
            item.action,
            (image, failure),
            codes,
        ),
        (&item.base, &item.age, &item.behind, &item.current, &item.line, &item.replacement),
        (&item.runtime, item.deprecation_date, item.block_update_date, &item.ended, &item.rebuild),
        item.first_notified_at.map(|first| first.date_naive()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge::ReasonCode, report::ReasonFields};

    #[test]
    fn functions_that_cannot_be_invoked_for_different_reasons_are_separate_groups() {
        let item = |message: &str| {
            let reason = ReasonFields { code: ReasonCode::FunctionFailed.to_string(), message: message.to_owned() };
            AlertItem { action: Action::Repair, reasons: vec![reason], ..AlertItem::sample() }
        };
        let items = [item("ImageAccessDenied"), item("DisabledKMSKey"), item("ImageAccessDenied")];
        assert_eq!(by_cause(&items).iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        let rebuilds = items.map(|item| AlertItem { action: Action::Rebuild, ..item });
        assert_eq!(by_cause(&rebuilds).len(), 1, "for other actions the reason code is enough");
    }
}
