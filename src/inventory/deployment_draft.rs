//! From a deployment draft to deployments: one for a single image, one for each platform of an index.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    DeployedImage, Deployment, DeploymentKind, ImageAvailability, ImageError, ImageErrorCode, ImageSource,
    image_contents::{ImageContents, ListedChild, ManifestContent},
};
use crate::image::{Annotations, Digest, ImageFacts, Platform, choose_child};

/// A deployment before its image is read.
#[derive(Clone, Debug)]
pub(super) struct DeploymentDraft {
    /// The deployment, without its image.
    pub(super) deployment: Deployment,
    /// The annotations of a folder's `index.json` for the image or index.
    pub(super) descriptor_annotations: Arc<Annotations>,
}

impl From<Deployment> for DeploymentDraft {
    fn from(deployment: Deployment) -> Self {
        Self { deployment, descriptor_annotations: Arc::default() }
    }
}

impl Deployment {
    /// A draft with the required fields only.
    pub(super) fn unread(kind: DeploymentKind, id: String, name: String, reference: ImageSource) -> Self {
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
            holding: ImageAvailability::Unknown,
            image: Err(ImageError::new(ImageErrorCode::RegistryUnreachable, "it was not read")),
        }
    }
}

impl DeploymentDraft {
    /// The digests of the index `digest` that have still to be read: nested indexes, and images that may run here.
    pub(super) fn unread(&self, digest: &Digest, findings: &ImageContents) -> Vec<Digest> {
        let repository = self.deployment.reference.repository();
        let images = findings.images(digest).into_iter().filter(|image| self.may_run(image.child.platform.as_ref()));
        images.map(|image| image.child.digest).filter(|digest| !findings.has_tried(digest, repository)).collect()
    }

    /// The platform of the machine that an image of `platform` runs on here, if its architecture is known.
    fn machine(&self, platform: &Platform) -> Option<Platform> {
        let arch = self.deployment.workload.as_ref()?.architecture?;
        Some(Platform::new(platform.os(), arch.oci(), None))
    }

    fn may_run(&self, platform: Option<&Platform>) -> bool {
        let suits = |platform: &Platform| match self.machine(platform) {
            Some(machine) => platform.has_architecture_of(&machine) || platform.distance_from(&machine).is_some(),
            None => true,
        };
        platform.is_none_or(suits)
    }

    /// The images that are deployed here: the one for the machine, if its architecture is known. Its operating system
    /// is unknown.
    fn chosen(&self, images: Vec<ListedChild>) -> Vec<ListedChild> {
        let systems: BTreeSet<_> =
            images.iter().filter_map(|image| self.machine(image.child.platform.as_ref()?)).collect();
        if systems.is_empty() {
            return images;
        }
        let children: Vec<_> = images.iter().map(|image| image.child.clone()).collect();
        let of_system = |machine: &Platform| {
            let own = |child: &&crate::image::ChildManifest| {
                child.platform.as_ref().is_some_and(|it| it.os() == machine.os())
            };
            let children: Vec<_> = children.iter().filter(own).cloned().collect();
            choose_child(&children, machine).map(|child| child.digest.clone())
        };
        let chosen: BTreeSet<_> = systems.iter().filter_map(of_system).collect();
        let is_selected = |image: &ListedChild| {
            let is_chosen = chosen.contains(&image.child.digest);
            is_chosen || (chosen.is_empty() && self.may_run(image.child.platform.as_ref()))
        };
        images.into_iter().filter(is_selected).collect()
    }

    /// The deployments of `digest` here.
    pub(super) fn deployments(self, digest: &Digest, findings: &ImageContents) -> Vec<Deployment> {
        match findings.get(digest, self.deployment.reference.repository()) {
            Ok(ManifestContent::Artifact | ManifestContent::Elsewhere) => Vec::new(),
            Ok(ManifestContent::Image(facts)) => {
                let image = DeployedImage {
                    digest: digest.clone(),
                    facts: self.facts(None, facts),
                    descriptor_annotations: Arc::clone(&self.descriptor_annotations),
                    index_annotations: Arc::default(),
                    attestations: Arc::default(),
                };
                vec![self.with(Ok(image))]
            }
            Ok(ManifestContent::Index { .. }) => self.platforms(digest, findings),
            Err(why) => vec![self.unreadable(why)],
        }
    }

    /// The facts of an image that an index lists for `stated`. If no document states a platform, it is that of the
    /// machine.
    fn facts(&self, stated: Option<&Platform>, facts: &Arc<ImageFacts>) -> Arc<ImageFacts> {
        let own = &facts.platform;
        let arch = self.deployment.workload.as_ref().and_then(|workload| workload.architecture);
        let platform = match (stated, arch) {
            (Some(stated), _) => stated.refined_by(own),
            (None, Some(arch)) if own.is_unknown() => Platform::new("linux", arch.oci(), None),
            (None, _) => own.clone(),
        };
        if platform == *own { Arc::clone(facts) } else { Arc::new(ImageFacts { platform, ..(**facts).clone() }) }
    }

    /// The one deployment of an image that cannot be read.
    pub(super) fn unreadable(self, why: ImageError) -> Deployment {
        self.with(Err(why))
    }

    fn platforms(self, index: &Digest, findings: &ImageContents) -> Vec<Deployment> {
        let mut ids = BTreeSet::new();
        let mut deployments = Vec::new();
        let images = self.chosen(findings.images(index));
        if let ([image], Some(_)) = (images.as_slice(), &self.deployment.workload) {
            // Exactly one of them runs, so the id needs no platform.
            let image = self.platform_image(image, findings);
            return image.map(|image| self.with(image)).into_iter().collect();
        }
        for listed in &images {
            let Some(image) = self.platform_image(listed, findings) else { continue };
            let named = listed.child.platform.as_ref();
            let named = named.map_or_else(|| listed.child.digest.short().to_owned(), ToString::to_string);
            let mut id = format!("{}#{named}", self.deployment.id);
            if ids.contains(&id) {
                // Entries of the same platform, such as Windows versions, are distinguished by their digest.
                id = format!("{id}@{}", listed.child.digest.short());
            }
            if ids.insert(id.clone()) {
                deployments.push(Deployment { id, image, ..self.deployment.clone() });
            }
        }
        if deployments.is_empty() {
            return vec![
                self.unreadable(
                    ImageError::new(ImageErrorCode::ImageMalformed, "its index lists no image").about(index),
                ),
            ];
        }
        deployments
    }

    /// The image of one platform, or `None` if it is not an image.
    fn platform_image(
        &self,
        listed: &ListedChild,
        findings: &ImageContents,
    ) -> Option<Result<DeployedImage, ImageError>> {
        let child = &listed.child;
        let image = match findings.get(&child.digest, self.deployment.reference.repository()) {
            Ok(ManifestContent::Artifact | ManifestContent::Elsewhere) => return None,
            Ok(ManifestContent::Image(facts)) => Ok(DeployedImage {
                digest: child.digest.clone(),
                facts: self.facts(child.platform.as_ref(), facts),
                descriptor_annotations: if child.annotations.is_empty() {
                    Arc::clone(&self.descriptor_annotations)
                } else {
                    Arc::new(child.annotations.clone())
                },
                index_annotations: Arc::clone(&listed.index_annotations),
                attestations: child.attestations.as_slice().into(),
            }),
            Ok(ManifestContent::Index { .. }) => {
                let why = "its indexes are nested too deep";
                Err(ImageError::new(ImageErrorCode::ImageMalformed, why).about(&child.digest))
            }
            Err(why) => Err(self.listed_unreadable(why)),
        };
        Some(image.map_err(|why| why.on(child.platform.as_ref())))
    }

    /// The error for an image whose index was read: a registry that lacks an image that its index lists is incomplete.
    fn listed_unreadable(&self, why: ImageError) -> ImageError {
        let is_incomplete =
            why.code == ImageErrorCode::ImageMissing && self.deployment.reference.repository().is_some();
        if is_incomplete { ImageError { code: ImageErrorCode::RegistryIncomplete, ..why } } else { why }
    }

    fn with(self, image: Result<DeployedImage, ImageError>) -> Deployment {
        Deployment { image, ..self.deployment }
    }
}
