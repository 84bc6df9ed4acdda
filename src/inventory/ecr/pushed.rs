//! Which deployments does one push make? The image that was pushed, under each tag that it has by now, as the inventory
//! of ECR would see it.
//!
//! What is not to be audited, or is not there any more, makes none.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{Chosen, EcrInventory, Owned, deployments, listing};
use crate::{
    image::{AccountId, Digest, Region},
    inventory::{Deployment, EcrSettings, Estate, Gap, Inventoried, Inventory, Regions, spot::Spot},
};

/// An image that was just pushed to private ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The account of the registry.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// The repository, without the registry.
    pub repository: String,
    /// The digest.
    pub digest: Digest,
    /// The tag under which it was pushed.
    pub tag: String,
}

/// Why a push makes no deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMeant {
    /// No table of the inventory chooses its region, repository or tag.
    NotChosen,
    /// The registry is not one of an audited account.
    OtherAccount,
    /// There is no such repository, or no such image in it with a tag, or it is no image.
    NoImage,
    /// The tag names another image by now.
    Moved,
}

impl NotMeant {
    /// The reason in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotChosen => "the configuration does not choose it",
            Self::OtherAccount => "its account is not audited",
            Self::NoImage => "ECR does not have it under a tag any more, or it is no image",
            Self::Moved => "its tag names another image by now",
        }
    }
}

/// The one image that was pushed.
pub struct PushedInventory {
    push: Push,
    settings: Vec<EcrSettings>,
    estate: Arc<Estate>,
    not_meant: Mutex<Option<NotMeant>>,
}

impl PushedInventory {
    /// What `push` brought to `estate`, if one of `settings` chooses it.
    #[must_use]
    pub fn new(push: Push, settings: &[EcrSettings], estate: Arc<Estate>) -> Self {
        let is_there = |it: &&EcrSettings| it.regions.as_listed().is_none_or(|listed| listed.contains(&push.region));
        let is_meant = |it: &&EcrSettings| is_there(it) && it.choice.admits_name(&push.repository);
        let here = |it: &EcrSettings| EcrSettings { regions: Regions::Listed(vec![push.region.clone()]), ..it.clone() };
        let settings = settings.iter().filter(is_meant).map(here).collect();
        Self { push, settings, estate, not_meant: Mutex::default() }
    }

    /// Why it made no deployment, once it has been looked at.
    #[must_use]
    pub fn not_meant(&self) -> Option<NotMeant> {
        *self.not_meant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self) -> Inventoried {
        let mut gaps = Vec::new();
        let found = self.find(&mut gaps).await;
        gaps.extend(self.estate.take_gaps());
        let deployments = found.unwrap_or_else(|why| {
            // What could not be asked is a gap, and no answer.
            if gaps.is_empty() {
                *self.not_meant.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            }
            Vec::new()
        });
        Inventoried { deployments, gaps, ..Inventoried::default() }
    }

    async fn find(&self, gaps: &mut Vec<Gap>) -> Result<Vec<Deployment>, NotMeant> {
        let regions = Regions::Listed(vec![self.push.region.clone()]);
        if self.settings.is_empty() {
            return Err(NotMeant::NotChosen);
        }
        let spots = self.estate.spots(&regions, gaps).await;
        let Some(spot) = spots.iter().find(|spot| spot.session.account().is_none_or(|it| *it == self.push.account))
        else {
            return Err(NotMeant::OtherAccount);
        };
        let chosen = self.chosen(spot, gaps).await?;
        let inventory = EcrInventory::new(self.settings.clone(), Arc::clone(&self.estate));
        let holdings = [chosen];
        let findings = inventory.read(&holdings).await;
        let found = deployments(&holdings, &findings);
        // Attestations, signatures and charts are in ECR as images are.
        if found.is_empty() { Err(NotMeant::NoImage) } else { Ok(found) }
    }

    /// The image as ECR has it now, by the first of the settings that chooses it.
    async fn chosen(&self, spot: &Spot, gaps: &mut Vec<Gap>) -> Result<Chosen, NotMeant> {
        let mut gap = |gap| {
            gaps.push(gap);
            NotMeant::NoImage
        };
        let repository = listing::repository(spot, &self.push.repository).await.map_err(&mut gap)?;
        let repository = repository.ok_or(NotMeant::NoImage)?;
        if repository.account != self.push.account {
            return Err(NotMeant::OtherAccount);
        }
        self.estate.see(&repository.account);
        let inventory = EcrInventory::new(self.settings.clone(), Arc::clone(&self.estate));
        let pairs = inventory.settings.iter().map(|settings| (Arc::clone(settings), Arc::clone(&repository)));
        let mut why = NotMeant::NotChosen;
        for Owned { settings, repository, owner } in inventory.owned(pairs.collect()).await {
            if !settings.tags.iter().any(|glob| glob.matches(&self.push.tag)) {
                continue;
            }
            match listing::image(&repository, &self.push.digest, &settings).await.map_err(&mut gap)? {
                None => why = NotMeant::NoImage,
                Some(image) if !image.tags.contains(&self.push.tag) => why = NotMeant::Moved,
                // Its other tags are the same event: each push of a tag is one of EventBridge.
                Some(image) => return Ok(Chosen { repository, owner, image }),
            }
        }
        Err(why)
    }
}

impl Inventory for PushedInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}
