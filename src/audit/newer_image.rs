//! Newer images that may replace deployed ones.

use std::{collections::BTreeMap, sync::Arc};

use super::{AuditOptions, judged_image::judged};
use crate::{
    identify::Identification,
    image::Digest,
    inventory::Deployment,
    judge::{Judgement, Replacement},
    report::ReplacementFields,
    resolve::Resolution,
};

/// A newer image and its base.
#[derive(Debug)]
pub struct NewerImage {
    /// The deployment, as if it ran this image.
    pub(super) deployment: Deployment,
    pub(super) digest: Digest,
    pub(super) name: String,
    pub(super) identification: Identification,
    /// One for each base in its chain, so at least one.
    pub(super) resolutions: Vec<Resolution>,
}

/// The best newer image found for deployments, by their ids.
#[derive(Debug, Default)]
pub(super) struct NewerImages(pub(super) BTreeMap<String, Arc<NewerImage>>);

impl NewerImages {
    /// The newer image for `deployment`, if there is one.
    pub(super) fn for_deployment(&self, deployment: &Deployment) -> Option<&NewerImage> {
        self.0.get(&deployment.id).map(Arc::as_ref)
    }
}

impl NewerImage {
    /// Its judgement, as if it were deployed instead of `deployment`.
    pub(super) fn judged(&self, deployment: &Deployment, options: &AuditOptions) -> Judgement {
        judged(deployment, &self.deployment, &self.identification, self.resolutions.iter(), options).judgement
    }

    pub(super) fn resolution(&self) -> &Resolution {
        self.resolutions.first().expect("every replacement has a known base")
    }

    /// The data to compare it by.
    pub(super) fn replacement<'a>(&'a self, judgement: &'a Judgement) -> Replacement<'a> {
        Replacement { name: &self.name, pushed_at: self.deployment.pushed_at, judgement, resolution: self.resolution() }
    }

    /// The fields of the report.
    pub(super) fn fields(&self, judgement: &Judgement) -> ReplacementFields {
        ReplacementFields {
            reference: self.deployment.reference.to_string().into(),
            digest: self.digest.clone(),
            pushed_at: self.deployment.pushed_at,
            base_release: self.resolution().base.release.as_ref().map(ToString::to_string),
            verdict: judgement.verdict,
        }
    }
}
