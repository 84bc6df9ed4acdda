//! The age of an image: a bound for the publish date of its base.

use chrono::{DateTime, Utc};

use super::estimate::{BuildDates, EstimateContext, KnownDates};
use crate::{
    image::{Platform, Repository, is_plausible},
    inventory::{DeployedImage, Deployment},
};

/// When one image existed. This bounds the base of this image only, not of other images that record the same base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImageAge {
    /// When ECR had received it or Lambda had deployed it, which is proof.
    pub existed_at: Option<DateTime<Utc>>,
    /// Its own build date, if nothing contradicts it; an estimate.
    pub built_at: Option<DateTime<Utc>>,
}

/// The build dates that the images of repositories record. A date that two images share is not a build date.
#[derive(Default)]
pub struct ImageDates(KnownDates<(Repository, Platform)>);

impl ImageDates {
    /// The dates of the images of `deployments`.
    #[must_use]
    pub fn new<'a>(deployments: impl Iterator<Item = &'a Deployment>) -> Self {
        let mut known = KnownDates::default();
        for deployment in deployments {
            if let (Some(scope), Ok(image)) = (scope(deployment), &deployment.image) {
                known.add(&scope, &BuildDates::new(&image.facts, None));
            }
        }
        Self(known)
    }

    /// The age of the image of `deployment`. Instants after `now`, the time of the system clock, are implausible.
    #[must_use]
    pub fn age(&self, deployment: &Deployment, now: DateTime<Utc>) -> ImageAge {
        let modified_at = deployment.workload.as_ref().and_then(|workload| workload.modified_at);
        let proven = [deployment.pushed_at, modified_at].into_iter().flatten().filter(|at| is_plausible(*at, now));
        let existed_at = proven.min();
        let built = |image: &DeployedImage| {
            let scope = scope(deployment);
            let evidence = EstimateContext {
                now,
                not_before: None,
                not_after: existed_at,
                is_repeated: &|source, at, image| {
                    scope.as_ref().is_some_and(|scope| self.0.is_repeated(scope, source, at, image))
                },
            };
            BuildDates::new(&image.facts, None).estimate(&evidence).0.map(|published| published.at)
        };
        ImageAge { existed_at, built_at: deployment.image.as_ref().ok().and_then(built) }
    }
}

/// Images for several platforms may be one build, so only images of the same platform are compared.
fn scope(deployment: &Deployment) -> Option<(Repository, Platform)> {
    let image = deployment.image.as_ref().ok()?;
    Some((deployment.repository()?.clone(), image.facts.platform.clone()))
}
