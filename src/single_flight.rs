//! Single flight: each value is computed once a run, and concurrent callers share it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// One value, empty until computed.
type FlightSlot<V> = Arc<futures::lock::Mutex<Option<V>>>;

/// Values by key.
#[derive(Debug)]
pub struct SingleFlight<K, V>(Mutex<HashMap<K, FlightSlot<V>>>);

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// The value for `key`; the first caller computes it, the others wait.
    pub async fn get(&self, key: K, work_out: impl AsyncFnOnce() -> V) -> V {
        let entry = {
            let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(entries.entry(key).or_default())
        };
        let mut value = entry.lock().await;
        if let Some(value) = &*value {
            return value.clone();
        }
        value.insert(work_out().await).clone()
    }
}
