//! One finding: a deployment with its base, the current release, the verdict, the reasons and the action.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExemptionFields, FindingSubjects};
use crate::{
    image::{AccountId, Arch, Arn, Digest, DigestKind, Platform, ReferenceText, Region},
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    resolve::PublishedSource,
};

/// One deployment on one platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable over runs.
    pub id: String,
    /// Where the image runs.
    pub deployment: DeploymentFields,
    /// The image.
    pub image: ImageFields,
    /// The base in use; null when it could not be identified.
    pub base: Option<BaseInUse>,
    /// The current release of the base's line; null when it could not be resolved.
    pub current: Option<CurrentRelease>,
    /// How far the base is behind; null when it is not, or when that is not known.
    pub behind: Option<Behind>,
    /// A newer image in the same repository on a better base; absent where none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<ReplacementFields>,
    /// The Lambda runtime the line carries; null for other lines.
    pub runtime: Option<RuntimeFields>,
    /// The worst verdict that holds.
    pub verdict: Verdict,
    /// Whether the base in use is older than the limit.
    pub stale: bool,
    /// Whether the base has been behind for longer than the grace.
    pub out_of_date: bool,
    /// Whether the line's runtime is past its deprecation date.
    pub deprecated: bool,
    /// How bad it is.
    pub severity: Severity,
    /// What to do.
    pub action: Action,
    /// Why; see `docs/verdicts.md` for each code.
    pub reasons: Vec<ReasonFields>,
    /// Severity, action and reasons of base and workload apart; absent where nothing is wrong with the workload itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<FindingSubjects>,
    /// The policy override that was applied, by its name; null for the general policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_rule: Option<String>,
    /// The exemption that holds for it: no run fails for it and nobody is alerted; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<ExemptionFields>,
}

/// Where an image runs, or is meant to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentFields {
    /// What sort of place it is.
    pub kind: DeploymentKind,
    /// What people call it.
    pub name: String,
    /// Which part of it: a Lambda alias or `$LATEST`, an ECS container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// The published version of a function, or the revision of a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// The AWS account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The AWS region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its state in the words of AWS: `Active`, `Inactive`, `Failed`, `ACTIVE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The code of the reason for the state: `ImageDeleted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason_code: Option<String>,
    /// The reason for the state in the words of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// How the last update of the function ended, in the word of AWS: `Failed`, `InProgress`; absent where it
    /// succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status: Option<String>,
    /// The code of the reason for that: `ImageAccessDenied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason_code: Option<String>,
    /// The reason for that, in the words of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason: Option<String>,
    /// What it runs on: `arm64` or `x86_64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Arch>,
    /// Its memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// The command it runs instead of the image's own; absent where it is that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl DeploymentFields {
    /// Those of something of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self {
            kind: DeploymentKind::Image,
            name: String::new(),
            qualifier: None,
            version: None,
            arn: None,
            account: None,
            region: None,
            owner: None,
            state: None,
            state_reason_code: None,
            state_reason: None,
            last_update_status: None,
            last_update_status_reason_code: None,
            last_update_status_reason: None,
            architecture: None,
            memory_mb: None,
            command: Vec::new(),
        }
    }
}

/// An image that could be deployed instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplacementFields {
    /// How it is referred to, by its tag.
    pub reference: ReferenceText,
    /// What the tag points at.
    pub digest: Digest,
    /// When it was pushed.
    pub pushed_at: Option<DateTime<Utc>>,
    /// The release it stands on, where a dated tag names it.
    pub base_release: Option<String>,
    /// What would be concluded if it ran in this place.
    pub verdict: Verdict,
}

/// The image of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageFields {
    /// How the deployment refers to it.
    pub reference: ReferenceText,
    /// The digest of the platform's manifest; null when it could not be read.
    pub digest: Option<Digest>,
    /// The platform; null when it could not be read.
    pub platform: Option<Platform>,
    /// When the image was built, by its own word; null when it says nothing plausible.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was pushed, where the repository says.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Whether its repository still has it: `held`, `archived` or `gone`; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding: Option<String>,
}

/// The base an image was built from, and when that was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaseInUse {
    /// As recorded in the image, made whole; where it is from a mirror, as its upstream calls it.
    pub reference: ReferenceText,
    /// The mirror or pull-through cache that the image names instead; absent where it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// Its digest; null when the image records only a tag.
    pub digest: Option<Digest>,
    /// What the digest names; null when that is not known.
    pub digest_kind: Option<DigestKind>,
    /// The kind of evidence: `label`, `annotation`, `builder-comment`, `provenance`, `layers`, or `itself` if the image is
    /// a release of a base.
    pub identified_by: String,
    /// The label or annotation; of `layers`, how many of the image are the base's; of `itself`, the digest.
    pub evidence: String,
    /// How sure it is that the image is built on it: `confirmed` if the layers prove it, `unconfirmed` if the image
    /// records it and the layers could not be compared, `assumed` if besides the repository is from the configuration.
    /// Absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// Other releases whose layers are the same, the earliest first; the image may be built on any of them. The first
    /// hundred; absent where none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equal_releases: Vec<String>,
    /// The line it belongs to: `public.ecr.aws/lambda/java:21`.
    pub line: Option<String>,
    /// How the line was found: `configured`, `recorded-tag`, `dated-tag`, `catalog`, `default-tag`.
    pub line_source: Option<String>,
    /// The release, where a dated tag names it: `21.2026.08.22.00`.
    pub release: Option<String>,
    /// When it was published; with the sources `observed`, `first-seen` and `at-least` then or earlier.
    pub published_at: Option<DateTime<Utc>>,
    /// Where that date is from.
    pub published_source: Option<PublishedSource>,
    /// Whether the date rests on a `created` of the image, which builders can set to anything; absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Whole days since then.
    pub age_days: Option<i64>,
    /// The bases that it is built on itself, the outermost first, as far as they are known.
    #[serde(default)]
    pub chain: Vec<BaseLink>,
}

/// A base that the base of an image is built on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaseLink {
    /// The base in use; its own `chain` is empty.
    pub base: BaseInUse,
    /// The current release of its line; null when it could not be resolved.
    pub current: Option<CurrentRelease>,
    /// How far it is behind; null when it is not, or when that is not known.
    pub behind: Option<Behind>,
    /// What would be concluded if the image were built on it alone.
    pub verdict: Verdict,
    /// Whether the current release of the base above is built on the current release of this one; false if it is still
    /// built on the release in use here, and null where neither is proven.
    pub adopted: Option<bool>,
}

/// What the line's moving tag points at now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CurrentRelease {
    /// The line's moving tag.
    pub reference: ReferenceText,
    /// The release to build on, pinned, where the moving tag points at one that is held; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<ReferenceText>,
    /// What the tag points at; of a line with `pinned`, the digest of that.
    pub digest: Digest,
    /// The manifest of the finding's platform; equal to `digest` for a single-platform tag.
    pub platform_digest: Option<Digest>,
    /// The release, where a dated tag names it.
    pub release: Option<String>,
    /// When it was published; with the sources `observed` and `first-seen` then or earlier.
    pub published_at: Option<DateTime<Utc>>,
    /// Where that date is from.
    pub published_source: Option<PublishedSource>,
    /// Whether the date rests on a `created` of the image, which builders can set to anything; absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl CurrentRelease {
    /// What to build on: the line's moving tag, unless that points at a release that is held.
    #[must_use]
    pub fn build_on(&self) -> &str {
        self.pinned.as_deref().unwrap_or(&self.reference)
    }

    /// The same with its digest.
    #[must_use]
    pub fn build_on_pinned(&self) -> String {
        self.pinned.as_ref().map_or_else(|| format!("{}@{}", self.reference, self.digest), ToString::to_string)
    }
}

/// How far a base is behind its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Behind {
    /// When the first release after the base in use was published; when not `exact`, then or earlier.
    pub since: Option<DateTime<Utc>>,
    /// Whole days since then; at least that many when not `exact`.
    pub days: Option<i64>,
    /// How many releases are newer; at least that many when not `exact`.
    pub releases: Option<u64>,
    /// Whether `since`, `days` and `releases` are exact.
    pub exact: bool,
    /// Whether the current release differs in content; null when that is not known.
    pub content_changed: Option<bool>,
}

/// A Lambda runtime and its support dates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeFields {
    /// The identifier: `java21`.
    pub name: String,
    /// `supported`, `ending`, `deprecated` or `blocked`.
    pub status: String,
    /// From this day on it gets no more patches; null while none is scheduled.
    pub deprecation_date: Option<chrono::NaiveDate>,
    /// From this day on functions can no longer be updated; null while none is scheduled.
    pub block_update_date: Option<chrono::NaiveDate>,
}

/// One reason of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonFields {
    /// The stable code.
    pub code: String,
    /// The reason in words.
    pub message: String,
}
