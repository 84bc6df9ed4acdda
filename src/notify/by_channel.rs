//! A small map by channel id.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an alert has for each channel, by the id of the channel. A list, because most alerts have one channel, and the
/// nodes of a tree would take most of the memory of a large ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByChannel<T>(pub(super) Vec<(Arc<str>, T)>);

impl<T> Default for ByChannel<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByChannel<T> {
    /// Whether there is nothing for any channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values with the ids of their channels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(channel, value)| (&**channel, value))
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The value for `channel`.
    #[must_use]
    pub fn get(&self, channel: &str) -> Option<&T> {
        self.0.iter().find(|(id, _)| **id == *channel).map(|(_, value)| value)
    }

    /// The value for `channel`, to change it.
    pub fn get_mut(&mut self, channel: &str) -> Option<&mut T> {
        self.0.iter_mut().find(|(id, _)| **id == *channel).map(|(_, value)| value)
    }

    /// The value for `channel`, which is `new` if there is none.
    pub(super) fn get_or_insert(&mut self, channel: &str, new: T) -> &mut T {
        let at = self.0.iter().position(|(id, _)| **id >= *channel).unwrap_or(self.0.len());
        if self.0.get(at).is_none_or(|(id, _)| **id != *channel) {
            self.0.reserve_exact(1);
            self.0.insert(at, (channel.into(), new));
        }
        &mut self.0[at].1
    }

    /// Keeps the values for which `is_kept` holds.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&str, &mut T) -> bool) {
        self.0.retain_mut(|(channel, value)| is_kept(channel, value));
    }
}

impl<T: Serialize> Serialize for ByChannel<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByChannel<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|map| Self(map.into_iter().collect()))
    }
}
