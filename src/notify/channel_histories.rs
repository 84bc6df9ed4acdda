//! Notifications of one alert by channel id.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::DeliveryHistory;

/// Notifications of one alert by channel id. A list, because most alerts have one channel, and the nodes of a tree would
/// take most of the memory of a large ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelHistories(pub(super) Vec<(Arc<str>, DeliveryHistory)>);

impl ChannelHistories {
    /// Whether no channel was or will be notified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The notifications with the ids of their channels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DeliveryHistory)> {
        self.0.iter().map(|(channel, history)| (&**channel, history))
    }

    /// The notifications.
    pub fn values(&self) -> impl Iterator<Item = &DeliveryHistory> {
        self.0.iter().map(|(_, history)| history)
    }

    /// The notifications to `channel`.
    #[must_use]
    pub fn get(&self, channel: &str) -> Option<&DeliveryHistory> {
        self.0.iter().find(|(id, _)| **id == *channel).map(|(_, history)| history)
    }

    /// The notifications to `channel`, to change them.
    pub fn get_mut(&mut self, channel: &str) -> Option<&mut DeliveryHistory> {
        self.0.iter_mut().find(|(id, _)| **id == *channel).map(|(_, history)| history)
    }

    /// The notifications to `channel`, which are `new` if there are none.
    pub(super) fn get_or_insert(&mut self, channel: &str, new: DeliveryHistory) -> &mut DeliveryHistory {
        let at = self.0.iter().position(|(id, _)| **id >= *channel).unwrap_or(self.0.len());
        if self.0.get(at).is_none_or(|(id, _)| **id != *channel) {
            self.0.reserve_exact(1);
            self.0.insert(at, (channel.into(), new));
        }
        &mut self.0[at].1
    }

    /// Keeps the notifications for which `is_kept` holds.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&str, &mut DeliveryHistory) -> bool) {
        self.0.retain_mut(|(channel, history)| is_kept(channel, history));
    }
}

impl Serialize for ChannelHistories {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for ChannelHistories {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|map| Self(map.into_iter().collect()))
    }
}
