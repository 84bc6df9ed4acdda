//! Rebuilds in the ledger.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::outbox::DeliveryState;

/// A rebuild that is due or was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// The request. Every attempt sends it as it was recorded.
    pub request: RebuildRequest,
    /// The name of the rule that selects the build service.
    pub rule: String,
    /// Its delivery so far.
    #[serde(flatten)]
    pub delivery: DeliveryState,
    /// When it was acknowledged; absent while it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// The id of the started build, if the service returned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When people were notified that no service accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<DateTime<Utc>>,
    /// How it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RebuildConclusion>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// The new image, for people: `orders:422 is built on 21.2026.11.19.13`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_image: Option<String>,
}

/// How a rebuild ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RebuildConclusion {
    /// An image on the new base is in the repository.
    Rebuilt,
    /// No new image was pushed by the deadline.
    Overdue,
    /// The build service refused it repeatedly.
    Refused,
    /// It is no longer needed: the repository or its deployments are gone, or were rebuilt otherwise.
    Obsolete,
}

/// A rebuild request as sent to the build service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildRequest {
    /// Identical in every attempt; 64 hexadecimal digits.
    pub dedup_key: String,
    /// The run that planned it.
    pub run_id: String,
    /// The instant that counted as now.
    pub at: DateTime<Utc>,
    /// The registry of the image: `123456789012.dkr.ecr.eu-west-1.amazonaws.com`.
    pub registry: String,
    /// The repository to rebuild, without its registry: `orders`.
    pub repository: String,
    /// The release line of its base: `public.ecr.aws/lambda/java:21`.
    pub line: String,
    /// The reference of the release to build on: `public.ecr.aws/lambda/java@sha256:…`.
    pub base: String,
    /// The digest of that release.
    pub base_digest: String,
    /// The name of that release, if a dated tag gives it one: `21.2026.11.19.13`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_release: Option<String>,
    /// The releases that the outdated images are built on, at most 100: their names, or else their digests.
    pub from: BTreeSet<String>,
    /// Display names of the deployments that need it, at most 100.
    pub deployments: BTreeSet<String>,
    /// Number of deployments that need it.
    pub deployment_count: u64,
    /// Owners of the deployments, at most 100.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub owners: BTreeSet<String>,
    /// The AWS account of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl RebuildRequest {
    /// All fields for templates, absent ones as null.
    #[must_use]
    pub fn fields(&self) -> serde_json::Value {
        let mut fields = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = fields.as_object_mut() {
            for name in ["base_release", "account", "region"] {
                fields.entry(name).or_insert_with(|| serde_json::Value::Null);
            }
            fields.entry("owners").or_insert_with(|| serde_json::Value::Array(Vec::new()));
        }
        fields
    }
}
