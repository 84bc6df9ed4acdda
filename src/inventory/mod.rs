//! Stage 1: what runs? Every place where an image runs or is meant to, and what that image is.
//!
//! Knows no base, no policy and no report.

mod caches;
mod choice;
mod ecr;
mod ecs;
mod estate;
mod findings;
mod gap;
mod lambda;
mod layout;
mod named;
mod owners;
mod place;
mod read;
mod settings;
mod shelf;
mod spot;
mod tables;
mod unreadable;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use caches::PullThroughRule;
pub use choice::{Choice, Filter, ResourceTags, TagPattern};
pub use ecr::{BaseRepositories, EcrInventory, NotMeant, Push, PushedInventory};
pub use ecs::EcsInventory;
pub use estate::{AllowAccount, Estate, OfferCache};
pub use gap::{Extent, Gap};
pub use lambda::LambdaInventory;
pub use layout::{LayoutInventory, layout_provenance};
pub use named::NamedInventory;
pub use owners::{OwnerRule, Owners};
pub use settings::{EcrSettings, EcsSettings, ImageSource, LambdaSettings, Regions};
pub use shelf::{Held, Holding, Shelf};
pub use unreadable::ImageErrorCode;

use crate::image::{AccountId, Annotations, Arch, Arn, Digest, ImageFacts, Platform, Region, Repository};

/// What sort of place a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentKind {
    /// A Lambda function: its unpublished version, or one that an alias points to.
    Lambda,
    /// A container of an ECS service, or of tasks that are in no service.
    Ecs,
    /// A tag, or an untagged image, of an ECR repository.
    Ecr,
    /// An image named by hand: in the configuration or on the command line.
    Image,
    /// An image in an OCI layout folder.
    Layout,
}

impl DeploymentKind {
    /// All kinds, in order.
    pub const ALL: [Self; 5] = [Self::Lambda, Self::Ecs, Self::Ecr, Self::Image, Self::Layout];

    /// The word in reports and on the command line.
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

/// One place where an image runs, or is meant to.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Stable over runs: `ecr:eu-west-1:123456789012:orders:421`; with `#linux/arm64` behind it for the
    /// platforms of a multi-platform image.
    pub id: String,
    /// What sort of place it is.
    pub kind: DeploymentKind,
    /// What people call it: `orders:421`, the name of the function, `prod/orders`.
    pub name: String,
    /// Which part of it: a Lambda alias or `$LATEST`, an ECS container.
    pub qualifier: Option<String>,
    /// The AWS account, where there is one.
    pub account: Option<AccountId>,
    /// The AWS region, where there is one.
    pub region: Option<Region>,
    /// The ARN, where there is one.
    pub arn: Option<Arn>,
    /// Whose it is, where that is known.
    pub owner: Option<String>,
    /// How it is run, where it runs.
    pub workload: Option<Arc<Workload>>,
    /// How the image is referred to: by its tag if it has one, else by its digest.
    pub reference: ImageSource,
    /// When the image was pushed to its repository, where the repository says.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Whether the repository still has it.
    pub holding: Holding,
    /// The image itself, or why it cannot be read.
    pub image: Result<DeployedImage, Unreadable>,
}

impl Deployment {
    /// Whether an image runs here, so that another one could be deployed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.kind, DeploymentKind::Lambda | DeploymentKind::Ecs)
    }

    /// Whether the image that runs can no longer be pulled: by the word of its repository, or by that of Lambda
    /// where the repository was not asked.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let is_deleted = || self.workload.as_ref().is_some_and(|workload| workload.is_image_deleted());
        self.is_running()
            && match self.holding {
                Holding::Archived | Holding::Gone => true,
                Holding::Unknown => is_deleted(),
                Holding::Held => false,
            }
    }

    /// The repository its image is in.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        self.reference.repository()
    }
}

/// How a deployment is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The published version of a function, or the revision of a service.
    pub version: Option<String>,
    /// Its state, in the words of AWS: `Active`, `Inactive`, `Failed`, `ACTIVE`, `DRAINING`.
    pub state: Option<String>,
    /// The code of the reason for that state: `ImageDeleted`.
    pub state_reason_code: Option<String>,
    /// The reason in the words of AWS.
    pub state_reason: Option<String>,
    /// How the last update of a function ended, in the word of AWS: `Failed`, `InProgress`; none where it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status: Option<String>,
    /// The code of the reason for that: `ImageAccessDenied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason_code: Option<String>,
    /// The reason for that, in the words of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason: Option<String>,
    /// What it runs on.
    pub architecture: Option<Arch>,
    /// Its memory in MiB.
    pub memory_mb: Option<u32>,
    /// The command that it runs in the image, where that is not the image's own.
    pub command: Vec<String>,
    /// When Lambda last changed it: its image existed by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<DateTime<Utc>>,
}

impl Workload {
    /// The same, running another image: when it was changed says nothing of that.
    #[must_use]
    pub fn with_another_image(&self) -> Self {
        Self { modified_at: None, ..self.clone() }
    }
}

impl Workload {
    /// Whether AWS reports nothing that prevents a function from being invoked. An idle function is invocable:
    /// Lambda restores it on the next call
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>). A reason that is not known is not
    /// taken for harmless.
    #[must_use]
    pub fn is_invocable(&self) -> bool {
        match self.state.as_deref() {
            Some("Failed") => false,
            Some("Inactive") => self.state_reason_code.as_deref().is_none_or(|code| code == "Idle"),
            _ => true,
        }
    }

    /// Whether Lambda found the image of the function deleted
    /// (<https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>, `StateReasonCode`).
    #[must_use]
    pub fn is_image_deleted(&self) -> bool {
        self.state_reason_code.as_deref() == Some("ImageDeleted")
    }

    /// Whether the last update of a function failed, so that an earlier deployment is still in use.
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
    /// The annotations of its descriptor in the index it was reached through, as far as basewatch uses them:
    /// [`crate::image::CHILD_ANNOTATIONS`].
    pub descriptor_annotations: Arc<Annotations>,
    /// The annotations of the index it was reached through; empty for a single manifest.
    pub index_annotations: Arc<Annotations>,
    /// Its attestations that the index lists, by the digests of their manifests.
    pub attestations: Arc<[Digest]>,
}

/// Why a deployment's image cannot be read: a finding of its own, never the end of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Why it cannot be read.
    pub code: ImageErrorCode,
    /// What happened, for people.
    pub message: String,
    /// What the deployment names, where known.
    pub digest: Option<Digest>,
    /// The platform, where known.
    pub platform: Option<Platform>,
}

/// What an inventory found.
#[derive(Clone, Debug, Default)]
pub struct Inventoried {
    /// The deployments.
    pub deployments: Vec<Deployment>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// What the repositories of these deployments hold, as far as they were listed.
    pub shelves: BTreeMap<Repository, Arc<Shelf>>,
}

/// A place to look for deployments.
pub trait Inventory: Send + Sync {
    /// Looks. What cannot be seen is a [`Gap`], what cannot be read an [`Unreadable`] image.
    fn deployments(&self) -> BoxFuture<'_, Inventoried>;
}

/// One that somebody keeps, to ask it afterwards what it made of what it saw.
impl<T: Inventory> Inventory for Arc<T> {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        (**self).deployments()
    }
}
