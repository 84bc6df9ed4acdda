//! What the ledger remembers of rebuilds. Pure data.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A rebuild that somebody was asked for, or is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// What is asked for. It is sent as it was recorded, however often that is tried.
    pub request: Request,
    /// The name of the rule that says who is asked.
    pub rule: String,
    /// When it was recorded as due.
    pub due_at: DateTime<Utc>,
    /// When it was acknowledged; until then it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// The id of the build that was started, where the receiver gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// How often it was tried in vain.
    #[serde(default)]
    pub attempts: u32,
    /// It is not tried again before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How often in a row the receiver was there and refused this very request.
    #[serde(default)]
    pub refusals: u32,
    /// When people were told that nobody accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<DateTime<Utc>>,
    /// What became of it; `None` while that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// What was seen then, for people: `orders:422 stands on 21.2026.11.19.13`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// What became of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// An image on the new base is in the repository.
    Rebuilt,
    /// No new image was there by the deadline.
    Overdue,
    /// The receiver was there, and refused it again and again.
    Refused,
    /// It is no longer needed: the repository, or every deployment of it, is gone, or was asked for another release.
    Moot,
}

/// What whoever rebuilds is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The same whenever this is asked again; 64 hexadecimal digits.
    pub dedup_key: String,
    /// The run that asks.
    pub run_id: String,
    /// The instant the run took for now.
    pub at: DateTime<Utc>,
    /// The registry of the image: `123456789012.dkr.ecr.eu-west-1.amazonaws.com`.
    pub registry: String,
    /// The repository to rebuild, without its registry: `orders`.
    pub repository: String,
    /// The line of its base: `public.ecr.aws/lambda/java:21`.
    pub line: String,
    /// The reference of the release to build on: `public.ecr.aws/lambda/java@sha256:…`.
    pub base: String,
    /// The digest of that release.
    pub base_digest: String,
    /// Its name, where a dated tag gives it one: `21.2026.11.19.13`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_release: Option<String>,
    /// The releases the images stand on that need it, the first hundred: their names, else their digests.
    pub from: BTreeSet<String>,
    /// The deployments that need it, the first hundred, as people call them.
    pub deployments: BTreeSet<String>,
    /// How many deployments need it.
    pub deployment_count: u64,
    /// Whose they are, the first hundred.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub owners: BTreeSet<String>,
    /// The AWS account of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl Request {
    /// The fields, those too that are absent: a template may name them.
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
