//! The deployments of one push: the pushed image with each of its current tags, as the ECR inventory would list it.
//!
//! A push that is not selected, or whose image was deleted since, has none.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{EcrInventory, OwnedRepository, SelectedImage, deployments, listing};
use crate::{
    image::{AccountId, Digest, Region},
    inventory::{
        AwsScope, CollectionError, Deployment, EcrSettings, Inventory, InventoryResult, RegionSelection,
        account_region::AccountRegion,
    },
};

/// A push to private ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePush {
    /// The account of the registry.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// The repository, without the registry.
    pub repository: String,
    /// The digest.
    pub digest: Digest,
    /// The tag that was pushed.
    pub tag: String,
}

/// Why a push is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredPush {
    /// No inventory rule selects its region, repository or tag.
    NotSelected,
    /// Its account is not audited.
    OtherAccount,
    /// The repository or the tagged image does not exist, or it is not an image.
    NoImage,
    /// The tag points at another image by now.
    Moved,
}

impl IgnoredPush {
    /// The reason as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSelected => "no inventory table selects it",
            Self::OtherAccount => "its account is not audited",
            Self::NoImage => "the tagged image does not exist any more, or is not an image",
            Self::Moved => "its tag points at another image by now",
        }
    }
}

/// The inventory of one push.
pub struct PushedInventory {
    push: ImagePush,
    settings: Vec<EcrSettings>,
    aws_scope: Arc<AwsScope>,
    ignored: Mutex<Option<IgnoredPush>>,
}

impl PushedInventory {
    /// The inventory of `push` in `aws_scope`, if one of `settings` selects it.
    #[must_use]
    pub fn new(push: ImagePush, settings: &[EcrSettings], aws_scope: Arc<AwsScope>) -> Self {
        let is_there = |it: &&EcrSettings| it.regions.as_listed().is_none_or(|listed| listed.contains(&push.region));
        let is_selected = |it: &&EcrSettings| is_there(it) && it.selector.admits_name(&push.repository);
        let here = |it: &EcrSettings| EcrSettings {
            regions: RegionSelection::Listed(vec![push.region.clone()]),
            ..it.clone()
        };
        let settings = settings.iter().filter(is_selected).map(here).collect();
        Self { push, settings, aws_scope, ignored: Mutex::default() }
    }

    /// Why the push was ignored, after `deployments`.
    #[must_use]
    pub fn ignored(&self) -> Option<IgnoredPush> {
        *self.ignored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn collect(&self) -> InventoryResult {
        let mut errors = Vec::new();
        let found = self.find(&mut errors).await;
        errors.extend(self.aws_scope.take_errors());
        let deployments = found.unwrap_or_else(|why| {
            // After a failed request it is unknown whether the push is ignored.
            if errors.is_empty() {
                *self.ignored.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            }
            Vec::new()
        });
        InventoryResult { deployments, errors, ..InventoryResult::default() }
    }

    async fn find(&self, errors: &mut Vec<CollectionError>) -> Result<Vec<Deployment>, IgnoredPush> {
        let regions = RegionSelection::Listed(vec![self.push.region.clone()]);
        if self.settings.is_empty() {
            return Err(IgnoredPush::NotSelected);
        }
        let account_regions = self.aws_scope.account_regions(&regions, errors).await;
        let Some(account_region) = account_regions
            .iter()
            .find(|account_region| account_region.session.account().is_none_or(|it| *it == self.push.account))
        else {
            return Err(IgnoredPush::OtherAccount);
        };
        let chosen = self.chosen(account_region, errors).await?;
        let inventory = EcrInventory::new(self.settings.clone(), Arc::clone(&self.aws_scope));
        let holdings = [chosen];
        let findings = inventory.read(&holdings).await;
        let found = deployments(&holdings, &findings);
        // ECR stores attestations, signatures and charts like images.
        if found.is_empty() { Err(IgnoredPush::NoImage) } else { Ok(found) }
    }

    /// The image as ECR has it now, by the first of the settings that selects it.
    async fn chosen(
        &self,
        account_region: &AccountRegion,
        errors: &mut Vec<CollectionError>,
    ) -> Result<SelectedImage, IgnoredPush> {
        let mut error = |error| {
            errors.push(error);
            IgnoredPush::NoImage
        };
        let repository = listing::repository(account_region, &self.push.repository).await.map_err(&mut error)?;
        let repository = repository.ok_or(IgnoredPush::NoImage)?;
        if repository.account != self.push.account {
            return Err(IgnoredPush::OtherAccount);
        }
        self.aws_scope.allow(&repository.account);
        let inventory = EcrInventory::new(self.settings.clone(), Arc::clone(&self.aws_scope));
        let pairs = inventory.settings.iter().map(|settings| (Arc::clone(settings), Arc::clone(&repository)));
        let mut why = IgnoredPush::NotSelected;
        for OwnedRepository { settings, repository, owner } in inventory.owned(pairs.collect()).await {
            if !settings.tags.iter().any(|glob| glob.matches(&self.push.tag)) {
                continue;
            }
            match listing::image(&repository, &self.push.digest, &settings).await.map_err(&mut error)? {
                None => why = IgnoredPush::NoImage,
                Some(image) if !image.tags.contains(&self.push.tag) => why = IgnoredPush::Moved,
                // EventBridge sends one event for each tag; other tags of the image are included here.
                Some(image) => return Ok(SelectedImage { repository, owner, image }),
            }
        }
        Err(why)
    }
}

impl Inventory for PushedInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        Box::pin(self.collect())
    }
}
