//! What the attestations of images say of their bases. They are read only where nothing else decides.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::{StreamExt, stream};

use super::Terms;
use crate::{
    identify::{self, EvidenceKind, Identification, Reading, combine, provenance_readings},
    image::{BuildMaterial, Content, Digest, Repository},
    inventory::{DeployedImage, Deployment, ImageSource, Shelf, layout_provenance},
    registry::EcrHost,
    store::Images,
};

/// How many indexes of a repository are read to find the one that lists an image.
const INDEXES: usize = 5;

/// Reads attestations.
pub(super) struct Attestations<'a> {
    pub(super) images: &'a Arc<Images>,
    pub(super) shelves: &'a BTreeMap<Repository, Arc<Shelf>>,
    pub(super) settings: &'a identify::Settings,
    pub(super) terms: &'a Terms,
}

impl Attestations<'_> {
    /// Adds to the identifications at `positions` of `deployments` what the provenance of their images says; the positions
    /// where that is anything. What is remembered is used for all of them, and registries are asked only for those that
    /// are `wanted`: so one run answers as the one before, which had to ask.
    pub(super) async fn read(
        &self,
        deployments: &mut [(Deployment, Arc<Identification>)],
        positions: Vec<usize>,
        wanted: &BTreeSet<usize>,
    ) -> Vec<usize> {
        let mut distinct = HashMap::<_, Vec<usize>>::new();
        for position in positions {
            let (deployment, identification) = &deployments[position];
            let Ok(image) = &deployment.image else { continue };
            if !identification.readings.iter().any(|reading| reading.kind == EvidenceKind::Provenance) {
                let key = (image.digest.clone(), deployment.reference.clone());
                distinct.entry(key).or_default().push(position);
            }
        }
        let asked = distinct.into_values().map(|positions| {
            let deployment = &deployments[positions[0]].0;
            let is_wanted = positions.iter().any(|position| wanted.contains(position));
            async move { (positions, self.readings(deployment, is_wanted).await) }
        });
        let asked: Vec<_> = asked.collect();
        let found: Vec<_> = stream::iter(asked).buffer_unordered(self.terms.concurrency).collect().await;
        let mut changed = Vec::new();
        for (positions, readings) in found {
            if readings.is_empty() {
                continue;
            }
            for position in positions {
                let (deployment, identification) = &mut deployments[position];
                if let Ok(image) = &deployment.image {
                    let all = [&identification.readings[..], &readings].concat();
                    let layers = Arc::clone(&identification.layers);
                    let repository = deployment.reference.repository();
                    *identification = Arc::new(combine(all, layers, image, repository, self.settings));
                    changed.push(position);
                }
            }
        }
        changed.sort_unstable();
        changed
    }

    /// What the provenance of the image of `deployment` says. That it cannot be read leaves its base unknown.
    async fn readings(&self, deployment: &Deployment, is_wanted: bool) -> Vec<Reading> {
        let Ok(image) = &deployment.image else { return Vec::new() };
        let materials = self.materials(deployment, image, is_wanted).await;
        provenance_readings(&materials, image, deployment.repository(), self.settings)
    }

    async fn materials(&self, deployment: &Deployment, image: &DeployedImage, is_wanted: bool) -> Vec<BuildMaterial> {
        let repository = match &deployment.reference {
            ImageSource::Layout { folder, .. } => return layout_provenance(folder, image).await,
            ImageSource::Reference(reference) => &reference.repository,
            ImageSource::Unknown => return Vec::new(),
        };
        if !is_wanted {
            return self.images.remembered_provenance(&image.digest);
        }
        let holds = self.shelves.get(repository);
        let mut listed = image.attestations.to_vec();
        if let Some(holds) = holds {
            if listed.is_empty() {
                listed = self.listed_beside(repository, holds, &image.digest).await;
            }
            let referring = holds.referrers(&image.digest).filter(|digest| !listed.contains(digest)).cloned();
            listed.extend(referring.collect::<Vec<_>>());
        }
        let seen_at = self.terms.seen_at;
        // A repository that was listed has said already what refers to its images, and ECR has no referrers API.
        let has_said = holds.is_some() || EcrHost::parse(&repository.registry).is_some();
        let read = if has_said {
            self.images.listed_provenance(repository, &image.digest, &listed).await
        } else {
            self.images.provenance(repository, &image.digest, &listed, seen_at).await
        };
        read.unwrap_or_else(|error| {
            tracing::debug!("the provenance of {repository}@{} cannot be read: {error}", image.digest);
            Vec::new()
        })
    }

    /// The attestations of `image` that an index of its repository lists: Lambda takes no index, so that what runs is often
    /// one image of one.
    async fn listed_beside(&self, repository: &Repository, holds: &Shelf, image: &Digest) -> Vec<Digest> {
        for digest in holds.indexes_near(image, INDEXES) {
            let Ok(content) = self.images.content(repository, digest).await else { continue };
            let Content::Index(index) = &*content else { continue };
            if let Some(child) = index.children.iter().find(|child| child.digest == *image) {
                return child.attestations.clone();
            }
        }
        Vec::new()
    }
}
