//! Provenance attestations of images, read only if nothing else identifies the base.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::{StreamExt, stream};

use super::AuditOptions;
use crate::{
    identify::{self, EvidenceKind, Identification, combine, provenance_readings},
    image::{Digest, DigestContent, Provenance, Repository},
    inventory::{Deployment, ImageSource, RepositoryImages, layout_provenance},
    store::ImageReader,
};

/// The most indexes of a repository that are read to find the one that lists an image.
const INDEXES: usize = 5;

/// Reads attestations.
pub(super) struct AttestationReader<'a> {
    pub(super) images: &'a Arc<ImageReader>,
    pub(super) images_by_repository: &'a BTreeMap<Repository, Arc<RepositoryImages>>,
    pub(super) settings: &'a identify::IdentifySettings,
    pub(super) options: &'a AuditOptions,
}

impl AttestationReader<'_> {
    /// Adds provenance to the identifications at `positions` of `deployments`, and returns the positions where it found
    /// some. Cached provenance is used for all of them; registries are read only for those that are `required`, so that
    /// repeated runs agree.
    pub(super) async fn read(
        &self,
        deployments: &mut [(Deployment, Arc<Identification>)],
        positions: Vec<usize>,
        required: &BTreeSet<usize>,
    ) -> Vec<usize> {
        let mut distinct = HashMap::<_, Vec<usize>>::new();
        for position in positions {
            let (deployment, identification) = &deployments[position];
            let Ok(image) = &deployment.image else { continue };
            let is_unlisted = identification.provenance.as_ref().is_some_and(|known| known.unlisted.is_some());
            let is_known = identification.records.iter().any(|reading| reading.kind == EvidenceKind::Provenance);
            // A repository that could not be listed in this run is not tried again.
            if !is_known && !is_unlisted {
                let key = (image.digest.clone(), deployment.reference.clone());
                distinct.entry(key).or_default().push(position);
            }
        }
        let queries = distinct.into_values().map(|positions| {
            let deployment = &deployments[positions[0]].0;
            let is_required = positions.iter().any(|position| required.contains(position));
            async move { (positions, self.provenance(deployment, is_required).await) }
        });
        let queries: Vec<_> = queries.collect();
        let found: Vec<_> = stream::iter(queries).buffer_unordered(self.options.concurrency).collect().await;
        let mut changed = Vec::new();
        for (positions, provenance) in found {
            let Some(provenance) = provenance.map(Arc::new) else { continue };
            for position in positions {
                let (deployment, identification) = &mut deployments[position];
                let Ok(image) = &deployment.image else { continue };
                let repository = deployment.reference.repository();
                let readings = provenance_readings(&provenance.materials, image, repository, self.settings);
                if !readings.is_empty() {
                    changed.push(position);
                }
                let all = [&identification.records[..], &readings].concat();
                let combined = combine(all, Arc::clone(&identification.layers), image, repository, self.settings);
                let provenance = Some(Arc::clone(&provenance));
                *identification = Arc::new(Identification { provenance, ..combined });
            }
        }
        changed.sort_unstable();
        changed
    }

    /// The provenance of the image of `deployment`; `None` if it is not needed. If it cannot be read, the base stays
    /// unknown.
    async fn provenance(&self, deployment: &Deployment, is_required: bool) -> Option<Provenance> {
        let image = deployment.image.as_ref().ok()?;
        let repository = match &deployment.reference {
            ImageSource::Layout { folder, .. } => return Some(layout_provenance(folder, image).await),
            ImageSource::Reference(reference) => &reference.repository,
            ImageSource::Unknown => return None,
        };
        if !is_required {
            let known = self.images.remembered_provenance(&image.digest);
            return (known.attestation_count > 0).then_some(known);
        }
        let holds = self.images_by_repository.get(repository);
        let mut listed = image.attestations.to_vec();
        if let Some(holds) = holds {
            if listed.is_empty() {
                listed = self.listed_beside(repository, holds, &image.digest).await;
            }
            let referring = holds.referrers(&image.digest).filter(|digest| !listed.contains(digest)).cloned();
            listed.extend(referring.collect::<Vec<_>>());
        }
        // The list of a repository includes the referrers of its images.
        Some(match holds {
            Some(_) => self.images.listed_provenance(repository, &image.digest, &listed).await,
            None => self.images.provenance(repository, &image.digest, &listed, self.options.seen_at).await,
        })
    }

    /// The attestations of `image` in an index of its repository: Lambda does not accept indexes, so functions often
    /// run one image of an index.
    async fn listed_beside(&self, repository: &Repository, holds: &RepositoryImages, image: &Digest) -> Vec<Digest> {
        for digest in holds.indexes_near(image, INDEXES) {
            let Ok(content) = self.images.content(repository, digest).await else { continue };
            let DigestContent::Index(index) = &*content else { continue };
            if let Some(child) = index.children.iter().find(|child| child.digest == *image) {
                return child.attestations.clone();
            }
        }
        Vec::new()
    }
}
