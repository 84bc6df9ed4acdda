//! The deployments of one push: the pushed image with each of its current tags, as the ECR inventory would list it.
//!
//! A push that is not selected, or whose image was deleted since, has none.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{Chosen, EcrInventory, Owned, deployments, listing};
use crate::{
    image::{AccountId, Digest, Region},
    inventory::{Deployment, EcrSettings, Estate, Gap, Inventoried, Inventory, Regions, spot::Spot},
};

/// A push to private ECR.
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
    /// The tag that was pushed.
    pub tag: String,
}

/// Why a push is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMeant {
    /// No inventory table selects its region, repository or tag.
    NotChosen,
    /// Its account is not audited.
    OtherAccount,
    /// The repository or the tagged image does not exist, or it is not an image.
    NoImage,
    /// The tag points at another image by now.
    Moved,
}

impl NotMeant {
    /// The reason as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotChosen => "no inventory table selects it",
            Self::OtherAccount => "its account is not audited",
            Self::NoImage => "the tagged image does not exist any more, or is not an image",
            Self::Moved => "its tag points at another image by now",
        }
    }
}

/// The inventory of one push.
pub struct PushedInventory {
    push: Push,
    settings: Vec<EcrSettings>,
    estate: Arc<Estate>,
    not_meant: Mutex<Option<NotMeant>>,
}

impl PushedInventory {
    /// The inventory of `push` in `estate`, if one of `settings` selects it.
    #[must_use]
    pub fn new(push: Push, settings: &[EcrSettings], estate: Arc<Estate>) -> Self {
        let is_there = |it: &&EcrSettings| it.regions.as_listed().is_none_or(|listed| listed.contains(&push.region));
        let is_meant = |it: &&EcrSettings| is_there(it) && it.choice.admits_name(&push.repository);
        let here = |it: &EcrSettings| EcrSettings { regions: Regions::Listed(vec![push.region.clone()]), ..it.clone() };
        let settings = settings.iter().filter(is_meant).map(here).collect();
        Self { push, settings, estate, not_meant: Mutex::default() }
    }

    /// Why the push was ignored, after `deployments`.
    #[must_use]
    pub fn not_meant(&self) -> Option<NotMeant> {
        *self.not_meant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self) -> Inventoried {
        let mut gaps = Vec::new();
        let found = self.find(&mut gaps).await;
        gaps.extend(self.estate.take_gaps());
        let deployments = found.unwrap_or_else(|why| {
            // After a failed request it is unknown whether the push is ignored.
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
        // ECR stores attestations, signatures and charts like images.
        if found.is_empty() { Err(NotMeant::NoImage) } else { Ok(found) }
    }

    /// The image as ECR has it now, by the first of the settings that selects it.
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
                // EventBridge sends one event for each tag; other tags of the image are included here.
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
