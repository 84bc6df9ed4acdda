//! Which deployments stand for one place? One for a single image, one for each platform of an index.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{DeployedImage, Deployment, DeploymentKind, Holding, ImageSource, Unreadable, Workload};
use crate::{
    image::{Annotations, Arch, Child, Content, Digest, ImageFacts, Repository},
    store::Known,
};

/// A deployment before its image is looked at. The fields are those of [`Deployment`].
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) kind: DeploymentKind,
    pub(super) name: String,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) arn: Option<String>,
    pub(super) qualifier: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) workload: Option<Arc<Workload>>,
    pub(super) reference: ImageSource,
    pub(super) pushed_at: Option<DateTime<Utc>>,
    pub(super) holding: Holding,
}

/// What a digest was found to name, shared by all deployments of it.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Image(Arc<ImageFacts>),
    Index {
        children: Arc<[Child]>,
        annotations: Arc<Annotations>,
    },
    /// An attestation, a signature, a chart: no image, and so no deployment.
    Artifact,
}

impl From<Known> for Found {
    fn from(known: Known) -> Self {
        match &*known {
            Content::Image(facts) => Self::Image(Arc::new(facts.clone())),
            Content::Index(index) => Self::Index {
                children: index.children.as_slice().into(),
                annotations: Arc::new(index.annotations.clone()),
            },
        }
    }
}

/// What was found, by digest. Content is the same wherever it was read; why it could not be read is not.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: HashMap<Digest, Found>,
    unreadable: HashMap<(Digest, Option<Repository>), Unreadable>,
}

impl Findings {
    /// Keeps what `digest` was found to name in `repository` (none for a folder).
    pub(super) fn add(&mut self, digest: Digest, repository: Option<Repository>, found: Result<Found, Unreadable>) {
        match found {
            Ok(found) => drop(self.found.insert(digest, found)),
            Err(why) => drop(self.unreadable.insert((digest, repository), why)),
        }
    }

    /// Whether it is known what `digest` names.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.found.contains_key(digest)
    }

    /// The images of the index `digest`; none if it is something else.
    pub(super) fn children(&self, digest: &Digest) -> Arc<[Child]> {
        match self.found.get(digest) {
            Some(Found::Index { children, .. }) => Arc::clone(children),
            _ => Arc::default(),
        }
    }

    fn get(&self, digest: &Digest, repository: Option<&Repository>) -> Result<&Found, Unreadable> {
        self.found.get(digest).ok_or_else(|| {
            let place = (digest.clone(), repository.cloned());
            let not_read = || Unreadable::new("registry-unreachable", "it was not read");
            self.unreadable.get(&place).cloned().unwrap_or_else(not_read).about(digest)
        })
    }
}

impl Place {
    /// A place about which only this is known.
    pub(super) fn new(kind: DeploymentKind, id: String, name: String, reference: ImageSource) -> Self {
        Self {
            id,
            kind,
            name,
            account: None,
            region: None,
            arn: None,
            qualifier: None,
            owner: None,
            workload: None,
            reference,
            pushed_at: None,
            holding: Holding::Unknown,
        }
    }

    /// The platforms of the index `digest` that are meant here: the one that runs, where that is known.
    pub(super) fn children(&self, digest: &Digest, findings: &Findings) -> Vec<Child> {
        self.chosen(&findings.children(digest))
    }

    fn chosen(&self, children: &[Child]) -> Vec<Child> {
        let arch = self.workload.as_ref().and_then(|workload| workload.architecture);
        let is_meant = |child: &&Child| {
            let platform = child.platform.as_ref();
            arch.is_none_or(|arch| platform.is_none_or(|it| Arch::from_oci(it.architecture()) == Some(arch)))
        };
        children.iter().filter(is_meant).cloned().collect()
    }

    /// The deployments of `digest` here.
    pub(super) fn deployments(self, digest: &Digest, findings: &Findings) -> Vec<Deployment> {
        match findings.get(digest, self.reference.repository()) {
            Ok(Found::Artifact) => Vec::new(),
            Ok(Found::Image(facts)) => {
                let facts = Arc::clone(facts);
                vec![self.with(Ok(DeployedImage { digest: digest.clone(), facts, index_annotations: Arc::default() }))]
            }
            Ok(Found::Index { children, annotations }) => self.platforms(digest, children, annotations, findings),
            Err(why) => vec![self.unreadable(why)],
        }
    }

    /// The one deployment of an image that cannot be read.
    pub(super) fn unreadable(self, why: Unreadable) -> Deployment {
        self.with(Err(why))
    }

    fn platforms(
        self,
        index: &Digest,
        children: &[Child],
        annotations: &Arc<Annotations>,
        findings: &Findings,
    ) -> Vec<Deployment> {
        let mut ids = BTreeSet::new();
        let mut deployments = Vec::new();
        let children = self.chosen(children);
        if let ([child], Some(_)) = (children.as_slice(), &self.workload) {
            // What runs is one of them, so that the place needs no platform to be told from others.
            let found = self.child(child, findings);
            return platform_image(child, annotations, found).map(|image| self.with(image)).into_iter().collect();
        }
        for child in &children {
            let found = self.child(child, findings);
            let Some(image) = platform_image(child, annotations, found) else { continue };
            let platform = child.platform.as_ref().or_else(|| image.as_ref().ok().map(|image| &image.facts.platform));
            let named = platform.map_or_else(|| child.digest.short().to_owned(), ToString::to_string);
            let mut id = format!("{}#{named}", self.id);
            if ids.contains(&id) {
                // Two entries of one platform, as Windows versions are: told apart by what they are.
                id = format!("{id}@{}", child.digest.short());
            }
            if ids.insert(id.clone()) {
                deployments.push(Place { id, ..self.clone() }.with(image));
            }
        }
        if deployments.is_empty() {
            return vec![self.unreadable(Unreadable::new("image-malformed", "its index names no image").about(index))];
        }
        deployments
    }

    /// What was found of `child`. Its index was read and lists it: a registry that lacks it is incomplete.
    fn child<'a>(&self, child: &Child, findings: &'a Findings) -> Result<&'a Found, Unreadable> {
        let repository = self.reference.repository();
        findings.get(&child.digest, repository).map_err(|why| match why.code {
            "image-missing" if repository.is_some() => Unreadable { code: "registry-incomplete", ..why },
            _ => why,
        })
    }

    fn with(self, image: Result<DeployedImage, Unreadable>) -> Deployment {
        Deployment {
            id: self.id,
            kind: self.kind,
            name: self.name,
            account: self.account,
            region: self.region,
            arn: self.arn,
            qualifier: self.qualifier,
            owner: self.owner,
            workload: self.workload,
            reference: self.reference,
            pushed_at: self.pushed_at,
            holding: self.holding,
            image,
        }
    }
}

/// One platform's image, or nothing if it turned out to be no image.
fn platform_image(
    child: &Child,
    annotations: &Arc<Annotations>,
    found: Result<&Found, Unreadable>,
) -> Option<Result<DeployedImage, Unreadable>> {
    let image = match found {
        Ok(Found::Artifact) => return None,
        Ok(Found::Image(facts)) => Ok(DeployedImage {
            digest: child.digest.clone(),
            facts: Arc::clone(facts),
            index_annotations: Arc::clone(annotations),
        }),
        Ok(Found::Index { .. }) => {
            Err(Unreadable::new("image-malformed", "it is an index within an index").about(&child.digest))
        }
        Err(why) => Err(why),
    };
    Some(image.map_err(|why| why.on(child.platform.as_ref())))
}
