//! Stage 1: the inventory. Deployments and the facts of their images.
//!
//! Knows no base, no policy and no report.

mod account_region;
mod aws_scope;
mod caches;
mod collection_error;
mod deployment_draft;
mod ecr;
mod ecs;
mod image_contents;
mod image_error;
mod inventory_rule;
mod lambda;
mod layout;
mod named;
mod owners;
mod probe;
mod progress;
mod read;
mod repository_images;
mod selector;
mod settings;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use aws_scope::{AllowAccount, AwsScope, RegisterCache};
pub use caches::PullThroughCacheRule;
pub use collection_error::{AffectedScope, CollectionError};
pub use ecr::{BaseRepositories, EcrInventory, IgnoredPush, ImagePush, PushedInventory};
pub use ecs::EcsInventory;
pub use image_error::ImageErrorCode;
pub use lambda::LambdaInventory;
pub use layout::{LayoutInventory, layout_provenance};
pub use named::NamedInventory;
pub use owners::{OwnerRule, OwnerSettings};
pub use probe::ProbedScope;
pub use progress::{InventoryCounts, InventoryProgress, ReadCount};
pub use repository_images::{ImageAvailability, RepositoryImages, StoredImage};
pub use selector::{InventoryFilter, ResourceTags, Selector, TagPattern};
pub use settings::{EcrSettings, EcsSettings, ImageSource, LambdaSettings, RegionSelection};

use crate::image::{AccountId, Annotations, Arn, Digest, ImageFacts, LambdaArch, Platform, Region, Repository};

/// The kind of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentKind {
    /// A Lambda function version: `$LATEST`, or one that an alias points to.
    Lambda,
    /// A container of an ECS service, or of tasks that are in no service.
    Ecs,
    /// A tag, or an untagged image, of an ECR repository.
    Ecr,
    /// An image named in the configuration or on the command line.
    Image,
    /// An image in an OCI layout folder.
    Layout,
}

impl DeploymentKind {
    /// All kinds, in order.
    pub const ALL: [Self; 5] = [Self::Lambda, Self::Ecs, Self::Ecr, Self::Image, Self::Layout];

    /// The spelling in reports and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Ecs => "ecs",
            Self::Ecr => "ecr",
            Self::Image => "image",
            Self::Layout => "layout",
        }
    }
}

/// One place where an image runs or is selected to run.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Stable across runs: `ecr:eu-west-1:123456789012:orders:421`, with the suffix `#linux/arm64` for one platform of
    /// a multi-platform image.
    pub id: String,
    /// The kind.
    pub kind: DeploymentKind,
    /// The display name: `orders:421`, the name of the function, `prod/orders`.
    pub name: String,
    /// A Lambda alias or `$LATEST`, or an ECS container.
    pub qualifier: Option<String>,
    /// The AWS account, if there is one.
    pub account: Option<AccountId>,
    /// The AWS region, if there is one.
    pub region: Option<Region>,
    /// The ARN, if there is one.
    pub arn: Option<Arn>,
    /// The owner, if known.
    pub owner: Option<String>,
    /// The workload, if the image runs.
    pub workload: Option<Arc<Workload>>,
    /// The image reference: with its tag if it has one, else with its digest.
    pub reference: ImageSource,
    /// When the image was pushed to its repository, if the repository reports it.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Whether the repository still has the image.
    pub holding: ImageAvailability,
    /// The image, or the error that occurred while reading it.
    pub image: Result<DeployedImage, ImageError>,
}

impl Deployment {
    /// Whether it is a workload, so that another image could be deployed to it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.kind, DeploymentKind::Lambda | DeploymentKind::Ecs)
    }

    /// Whether the running image can no longer be pulled, according to its repository, or to Lambda if the repository
    /// was not listed.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let is_deleted = || self.workload.as_ref().is_some_and(|workload| workload.is_image_deleted());
        self.is_running()
            && match self.holding {
                ImageAvailability::Archived | ImageAvailability::Gone => true,
                ImageAvailability::Unknown => is_deleted(),
                ImageAvailability::Held => false,
            }
    }

    /// The repository of its image.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        self.reference.repository()
    }
}

/// How a deployment runs, as AWS reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The published version of a function, or the revision of a service.
    pub version: Option<String>,
    /// Its state, as AWS spells it: `Active`, `Inactive`, `Failed`, `ACTIVE`, `DRAINING`.
    pub state: Option<String>,
    /// The code of the reason for that state: `ImageDeleted`.
    pub state_reason_code: Option<String>,
    /// AWS's text for that reason.
    pub state_reason: Option<String>,
    /// The status of the last update of a function, as AWS spells it: `Failed`, `InProgress`; `None` if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status: Option<String>,
    /// The code of the reason for that status: `ImageAccessDenied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason_code: Option<String>,
    /// AWS's text for that reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason: Option<String>,
    /// The architecture that it runs on.
    pub architecture: Option<LambdaArch>,
    /// Its memory in MiB.
    pub memory_mb: Option<u32>,
    /// The command, if it overrides that of the image.
    pub command: Vec<String>,
    /// When Lambda last changed it, which is not before its image existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<DateTime<Utc>>,
}

impl Workload {
    /// The same workload with another image, without the time of the last change.
    #[must_use]
    pub fn with_another_image(&self) -> Self {
        Self { modified_at: None, ..self.clone() }
    }
}

impl Workload {
    /// Whether the function can be invoked, as far as AWS reports. An idle function can: Lambda restores it on the next
    /// call (<https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>). An unknown reason counts as a
    /// failure.
    #[must_use]
    pub fn is_invocable(&self) -> bool {
        match self.state.as_deref() {
            Some("Failed") => false,
            Some("Inactive") => self.state_reason_code.as_deref().is_none_or(|code| code == "Idle"),
            _ => true,
        }
    }

    /// Whether Lambda reports the image of the function as deleted
    /// (<https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>, `StateReasonCode`).
    #[must_use]
    pub fn is_image_deleted(&self) -> bool {
        self.state_reason_code.as_deref() == Some("ImageDeleted")
    }

    /// Whether the last update of a function failed, so that an earlier version still runs.
    #[must_use]
    pub fn is_update_failed(&self) -> bool {
        self.last_update_status.as_deref() == Some("Failed")
    }
}

/// The image of one platform behind a deployment. Deployments of one image share the facts.
#[derive(Clone, Debug)]
pub struct DeployedImage {
    /// The digest of this platform's manifest.
    pub digest: Digest,
    /// The facts of the image.
    pub facts: Arc<ImageFacts>,
    /// The annotations of its descriptor in the index that lists it, limited to [`crate::image::CHILD_ANNOTATIONS`].
    pub descriptor_annotations: Arc<Annotations>,
    /// The annotations of the index that lists it; empty for a single manifest.
    pub index_annotations: Arc<Annotations>,
    /// The manifest digests of its attestations in the index.
    pub attestations: Arc<[Digest]>,
}

/// An image could not be read. The deployment becomes a finding; the audit continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageError {
    /// The reason code: `image-missing`, `image-malformed`, `registry-denied`, `registry-unreachable`, …
    pub code: ImageErrorCode,
    /// The message for people.
    pub message: String,
    /// The digest that the deployment names, if known.
    pub digest: Option<Digest>,
    /// The platform, if known.
    pub platform: Option<Platform>,
}

/// The result of an inventory.
#[derive(Clone, Debug, Default)]
pub struct InventoryResult {
    /// The deployments.
    pub deployments: Vec<Deployment>,
    /// The parts that could not be read.
    pub errors: Vec<CollectionError>,
    /// The images in the repositories of these deployments, as far as those could be listed.
    pub repository_images: BTreeMap<Repository, Arc<RepositoryImages>>,
}

/// A source of deployments.
pub trait Inventory: Send + Sync {
    /// Reads the deployments. A part that cannot be read is a [`CollectionError`], an image that cannot be read an
    /// [`ImageError`].
    fn deployments(&self) -> BoxFuture<'_, InventoryResult>;
}

/// An inventory whose caller keeps a handle to it.
impl<T: Inventory> Inventory for Arc<T> {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        (**self).deployments()
    }
}
