//! Ids of groups: the alerts of one paragraph share an id, which stays the same from message to message.

use std::{collections::HashMap, sync::Arc};

use super::Ledger;
use crate::{
    image::Digest,
    notify::{Alert, AlertKey, DeliveryHistory},
};

/// The alerts of each paragraph of a message, by the fingerprint of what the paragraph says.
#[derive(Debug, Default)]
pub(super) struct ParagraphAlerts(HashMap<u64, Vec<AlertKey>>);

impl ParagraphAlerts {
    /// Adds `alerts` to the paragraph `cause`.
    pub(super) fn add(&mut self, cause: u64, alerts: impl Iterator<Item = AlertKey>) {
        self.0.entry(cause).or_default().extend(alerts);
    }

    /// The id of the paragraph of each alert that shares one.
    ///
    /// A paragraph keeps the id of an earlier message, unless the id also stands for an open alert that the paragraph does
    /// not name. A new id is derived from the keys of the alerts, so that equal paragraphs have equal ids on all channels.
    pub(super) fn group_ids(self, channel: &str, ledger: &Ledger) -> HashMap<AlertKey, Arc<str>> {
        let shared: Vec<_> = self.0.into_values().filter(|alerts| alerts.len() > 1).collect();
        if shared.is_empty() {
            return HashMap::new();
        }
        let open = open_counts(ledger);
        let mut ids = HashMap::new();
        for alerts in shared {
            let id = kept_id(&alerts, channel, ledger, &open).unwrap_or_else(|| new_id(&alerts));
            ids.extend(alerts.into_iter().map(|alert| (alert, Arc::clone(&id))));
        }
        ids
    }
}

/// Number of open alerts by the ids of their groups.
fn open_counts(ledger: &Ledger) -> HashMap<&str, usize> {
    let is_open = |alert: &&Alert| alert.deliveries.values().any(DeliveryHistory::is_open);
    counts(ledger.alerts.values().filter(is_open))
}

fn counts<'a>(alerts: impl Iterator<Item = &'a Alert>) -> HashMap<&'a str, usize> {
    let mut counts = HashMap::new();
    for group in alerts.flat_map(Alert::groups) {
        *counts.entry(group).or_default() += 1;
    }
    counts
}

/// The last id of the first of `alerts` on `channel`, whose other open alerts are all among `alerts`; else of the next.
fn kept_id(alerts: &[AlertKey], channel: &str, ledger: &Ledger, open: &HashMap<&str, usize>) -> Option<Arc<str>> {
    let named = || alerts.iter().filter_map(|key| ledger.alerts.get(key));
    let here = counts(named());
    let mut last = named().filter_map(|alert| alert.deliveries.get(channel)?.group());
    last.find(|id| here.get(&***id) == open.get(&***id)).cloned()
}

fn new_id(alerts: &[AlertKey]) -> Arc<str> {
    let mut keys: Vec<_> = alerts.iter().map(ToString::to_string).collect();
    keys.sort_unstable();
    Digest::sha256(format!("group\n{}", keys.join("\n")).as_bytes()).short().into()
}
