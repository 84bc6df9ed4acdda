//! Counts of requests by service and kind.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// A `HEAD` of a manifest.
    Head,
    /// A `GET` of a manifest or index.
    Manifest,
    /// A `GET` of a blob.
    Blob,
    /// A page of a tag list.
    Tags,
    /// A token, or registry credentials.
    Token,
    /// A call of an AWS API.
    Api,
}

impl RequestKind {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Tags => "tags",
            Self::Token => "token",
            Self::Api => "api",
        }
    }
}

/// Counts requests by service (a registry's host, or an AWS service's name) and kind, from any task.
#[derive(Debug, Default)]
pub struct RequestCounter(Mutex<BTreeMap<String, BTreeMap<&'static str, u64>>>);

impl RequestCounter {
    /// Counts one request, retries included.
    pub fn count(&self, service: &str, kind: RequestKind) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(service.to_owned()).or_default().entry(kind.as_str()).or_default() += 1;
    }

    /// The number of requests so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().flat_map(BTreeMap::values).sum()
    }

    /// All counts so far.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(service, kinds)| {
                (service.clone(), kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect())
            })
            .collect()
    }
}
