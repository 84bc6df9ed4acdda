//! Findings: a deployment with its base, the current release, the verdict, the reasons and the action.

use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExemptionFields, FindingSubjects};
use crate::{
    image::{AccountId, Arn, Digest, DigestKind, LambdaArch, Platform, ReferenceText, Region},
    inventory::DeploymentKind,
    judge::{Action, RuntimeSupport, Severity, Verdict},
    resolve::{PublishDateSource, Resolution},
};

/// One deployment on one platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// An ID that is stable across runs.
    pub id: String,
    /// The deployment.
    pub deployment: DeploymentFields,
    /// The image.
    pub image: ImageFields,
    /// The base in use; null if it could not be identified.
    pub base: Option<BaseInUse>,
    /// The current release of the line; null if it could not be resolved.
    pub current: Option<CurrentRelease>,
    /// How far the base is behind; null if it is current or this is unknown.
    pub behind: Option<Behind>,
    /// A newer image with a better base in the same repository; absent if none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<ReplacementFields>,
    /// The Lambda runtime of the line; null for other lines.
    pub runtime: Option<RuntimeFields>,
    /// The worst verdict that applies.
    pub verdict: Verdict,
    /// Whether the base is older than `policy.max_age`.
    pub stale: bool,
    /// Whether the base has been behind for longer than `policy.grace`.
    pub out_of_date: bool,
    /// Whether the Lambda runtime is past its deprecation date.
    pub deprecated: bool,
    /// The severity.
    pub severity: Severity,
    /// The recommended action.
    pub action: Action,
    /// The reasons; see `docs/verdicts.md` for the codes.
    pub reasons: Vec<ReasonFields>,
    /// Severity, action and reasons of the base and the workload separately; absent if the workload itself has no
    /// problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<FindingSubjects>,
    /// The name of the applied policy override; absent for the general policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_rule: Option<String>,
    /// The exemption that covers the finding, so that it does not count for `--fail-on` and opens no alert; absent
    /// without an exemption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<ExemptionFields>,
}

/// A deployment of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentFields {
    /// The kind of deployment.
    pub kind: DeploymentKind,
    /// The name.
    pub name: String,
    /// The qualifier: a Lambda alias or `$LATEST`, or an ECS container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// The version of a Lambda function, or the revision of an ECS service.
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
    /// The owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The state reported by AWS: `Active`, `Inactive`, `Failed`, `ACTIVE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The AWS reason code of the state: `ImageDeleted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason_code: Option<String>,
    /// The AWS reason of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// The status of the last function update reported by AWS: `Failed`, `InProgress`; absent if successful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status: Option<String>,
    /// The AWS reason code of the last update status: `ImageAccessDenied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason_code: Option<String>,
    /// The AWS reason of the last update status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason: Option<String>,
    /// The CPU architecture: `arm64` or `x86_64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<LambdaArch>,
    /// The memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// The command that overrides that of the image; absent without an override.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl DeploymentFields {
    /// Fields without values.
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

/// An image that could replace the deployed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplacementFields {
    /// The reference with a tag.
    pub reference: ReferenceText,
    /// The digest of the tag.
    pub digest: Digest,
    /// The push date.
    pub pushed_at: Option<DateTime<Utc>>,
    /// The dated tag of its base release; null if unknown.
    pub base_release: Option<String>,
    /// The verdict if this image were deployed.
    pub verdict: Verdict,
}

impl ReplacementFields {
    /// The current release of the line of `resolution`, for an image that is an earlier release of it itself. `None` if
    /// it is unknown.
    pub(crate) fn current_release(resolution: &Resolution, max_age: Duration, now: DateTime<Utc>) -> Option<Self> {
        let ((line, _), current) = (resolution.line.as_ref()?, resolution.current.as_ref()?);
        let is_stale = current.published.is_some_and(|published| now - published.at > max_age);
        Some(Self {
            reference: current.pinned(line).into(),
            digest: current.digest.clone(),
            pushed_at: None,
            base_release: current.release.as_ref().map(ToString::to_string),
            verdict: if is_stale { Verdict::Stale } else { Verdict::Fresh },
        })
    }
}

/// The image of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageFields {
    /// The reference in the deployment.
    pub reference: ReferenceText,
    /// The digest of the platform manifest; null if it could not be read.
    pub digest: Option<Digest>,
    /// The platform; null if it could not be read.
    pub platform: Option<Platform>,
    /// The build date recorded in the image; null if missing or implausible.
    pub created_at: Option<DateTime<Utc>>,
    /// The push date; null if unknown.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Whether the image is still in its repository: `held`, `archived` or `gone`; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding: Option<String>,
}

/// The base of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaseInUse {
    /// The full reference; of a mirror, the upstream reference.
    pub reference: ReferenceText,
    /// The mirror or pull-through cache that the image records; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// The digest; null if the image records only a tag.
    pub digest: Option<Digest>,
    /// What the digest identifies; null if unknown.
    pub digest_kind: Option<DigestKind>,
    /// The kind of evidence: `label`, `annotation`, `builder-comment`, `provenance`, `layers`, or `itself` if the image
    /// is a base release.
    pub identified_by: String,
    /// The label or annotation; for `layers`, the number of matching layers; for `itself`, the digest.
    pub evidence: String,
    /// `confirmed` if the layers prove the base; `unconfirmed` if the image records it but layers could not be
    /// compared; `assumed` if, in addition, the repository comes from the configuration. Absent in reports of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// Up to 100 other releases with equal layers, oldest first. The image may be built on any of them. Absent if there
    /// are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equal_releases: Vec<String>,
    /// The line: `public.ecr.aws/lambda/java:21`; null if unknown.
    pub line: Option<String>,
    /// How the line was determined: `configured`, `recorded-tag`, `dated-tag`, `catalog`, `default-tag`.
    pub line_source: Option<String>,
    /// The dated tag of the release: `21.2026.08.22.00`; null if unknown.
    pub release: Option<String>,
    /// The publish date; an upper bound with the sources `observed`, `first-seen` and `at-least`.
    pub published_at: Option<DateTime<Utc>>,
    /// The source of the publish date.
    pub published_source: Option<PublishDateSource>,
    /// Whether the publish date is an estimate from `created`, which builders can set to any value; absent if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// The age in whole days.
    pub age_days: Option<i64>,
    /// The bases that this base is built on, outermost first, as far as known.
    #[serde(default)]
    pub chain: Vec<BaseLink>,
}

/// A base that another base is built on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaseLink {
    /// The base; its `chain` is empty.
    pub base: BaseInUse,
    /// The current release of the line; null if it could not be resolved.
    pub current: Option<CurrentRelease>,
    /// How far the base is behind; null if it is current or this is unknown.
    pub behind: Option<Behind>,
    /// The verdict for an image built directly on this base.
    pub verdict: Verdict,
    /// Whether the current release of the base above is built on the current release of this base: false if it is still
    /// built on the release in use, null if unknown.
    pub adopted: Option<bool>,
}

/// The current release of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CurrentRelease {
    /// The moving tag.
    pub reference: ReferenceText,
    /// The pinned release to build on, if the moving tag points at a held release; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<ReferenceText>,
    /// The digest of the moving tag, or of `pinned` if present.
    pub digest: Digest,
    /// The digest of the manifest for the platform of the finding; equal to `digest` for a single-platform tag.
    pub platform_digest: Option<Digest>,
    /// The dated tag of the release; null if unknown.
    pub release: Option<String>,
    /// The publish date; an upper bound with the sources `observed` and `first-seen`.
    pub published_at: Option<DateTime<Utc>>,
    /// The source of the publish date.
    pub published_source: Option<PublishDateSource>,
    /// Whether the publish date is an estimate from `created`, which builders can set to any value; absent if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl CurrentRelease {
    /// The reference to build on: the moving tag, or `pinned` if that tag points at a held release.
    #[must_use]
    pub fn build_on(&self) -> &str {
        self.pinned.as_deref().unwrap_or(&self.reference)
    }

    /// The reference to build on, with its digest.
    #[must_use]
    pub fn build_on_pinned(&self) -> String {
        self.pinned.as_ref().map_or_else(|| format!("{}@{}", self.reference, self.digest), ToString::to_string)
    }
}

/// How far a base is behind its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Behind {
    /// The publish date of the first newer release; an upper bound if not `exact`.
    pub since: Option<DateTime<Utc>>,
    /// Whole days since then; a lower bound if not `exact`.
    pub days: Option<i64>,
    /// The number of newer releases; a lower bound if not `exact`.
    pub releases: Option<u64>,
    /// Whether `since`, `days` and `releases` are exact.
    pub exact: bool,
    /// Whether the content of the current release differs; null if unknown.
    pub content_changed: Option<bool>,
}

/// A Lambda runtime and its support dates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeFields {
    /// The identifier: `java21`.
    pub name: String,
    /// `supported`, `ending`, `deprecated` or `blocked`.
    pub status: String,
    /// The deprecation date, after which there are no more patches; null if not scheduled.
    pub deprecation_date: Option<chrono::NaiveDate>,
    /// The date from which functions can no longer be updated; null if not scheduled.
    pub block_update_date: Option<chrono::NaiveDate>,
    /// The runtime to upgrade to: `python3.13`; absent if the runtime is supported or has no supported successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_to: Option<String>,
}

/// One reason of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonFields {
    /// The stable code.
    pub code: String,
    /// The message.
    pub message: String,
}

impl RuntimeFields {
    /// The fields of a runtime and its support.
    #[must_use]
    pub fn new(RuntimeSupport { runtime, status, upgrade_to }: &RuntimeSupport) -> Self {
        Self {
            name: runtime.name.clone(),
            status: status.as_str().to_owned(),
            deprecation_date: runtime.deprecation_date,
            block_update_date: runtime.block_update_date,
            upgrade_to: upgrade_to.clone(),
        }
    }
}

impl Finding {
    /// The severity of the base, without the workload.
    #[must_use]
    pub fn base_severity(&self) -> Severity {
        self.subjects.as_ref().map_or(self.severity, |subjects| subjects.base.severity)
    }

    /// The action for the base, without the workload.
    #[must_use]
    pub fn base_action(&self) -> Action {
        self.subjects.as_ref().map_or(self.action, |subjects| subjects.base.action)
    }

    /// Whether an exemption covers the base.
    #[must_use]
    pub fn is_base_exempted(&self) -> bool {
        self.subjects.as_ref().map_or(self.exemption.is_some(), |subjects| subjects.base.exempted)
    }
}
