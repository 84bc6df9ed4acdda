//! What is asked: each base once on each platform, however many images stand on it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{
    identify::{Base, Identification},
    image::{Platform, Repository, is_plausible},
    inventory::Deployment,
};

/// What is asked about one base on one platform.
#[derive(Clone, Debug)]
pub struct Question {
    /// The base as recorded.
    pub base: Base,
    /// The platform of the image that stands on it.
    pub platform: Platform,
    /// About when an image built on it was built: where to look first. It proves nothing, for images that record
    /// the same may be built on different releases; what one image proves is its [`ImageAge`](super::ImageAge).
    pub built_at: Option<DateTime<Utc>>,
}

/// What makes two questions one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    base: Base,
    pub(super) platform: Platform,
}

impl Key {
    /// The questions that `deployment` raises, one for each base in the chain of its image; none where its image or its
    /// base is not known.
    pub fn all<'a>(deployment: &'a Deployment, identification: &'a Identification) -> impl Iterator<Item = Self> + 'a {
        let image = deployment.image.as_ref().ok();
        let platform = image.map(|image| &image.facts.platform);
        identification.chain.iter().zip(platform.into_iter().cycle()).map(|(identified, platform)| {
            // It is one base, through whichever mirror it was read.
            let base = Base { mirror: None, ..identified.base.clone() };
            Self { base, platform: platform.clone() }
        })
    }

    /// Where the base is from.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.base.repository
    }
}

impl From<&Question> for Key {
    fn from(question: &Question) -> Self {
        Self { base: question.base.clone(), platform: question.platform.clone() }
    }
}

/// The questions that deployments raise, each with the earliest instant at which an image on it was built.
/// `now` is the clock's: an instant after it is not plausible.
pub fn questions<'a>(
    identified: impl Iterator<Item = (&'a Deployment, &'a Identification)>,
    now: DateTime<Utc>,
) -> BTreeMap<Key, Question> {
    let mut questions: BTreeMap<Key, Question> = BTreeMap::new();
    for (deployment, identification) in identified {
        let created_at = deployment.image.as_ref().ok().and_then(|image| image.facts.created_at);
        let built = [created_at, deployment.pushed_at].into_iter().flatten().filter(|at| is_plausible(*at, now)).min();
        for key in Key::all(deployment, identification) {
            let question = questions.entry(key.clone()).or_insert_with(|| Question {
                base: key.base,
                platform: key.platform,
                built_at: None,
            });
            question.built_at = built.into_iter().chain(question.built_at).min();
        }
    }
    questions
}
