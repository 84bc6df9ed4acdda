//! Which images a build pulled, by the attestations of the image: each attestation is read once ever.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Images;
use crate::{
    image::{BuildMaterial, Digest, Document, Reference, Repository, build_materials, is_provenance},
    registry::{Error, Result},
};

/// How many attestations of an image are read.
const ATTESTATIONS: usize = 8;
/// After how long it is asked again whether something refers to an image of which no attestation was found: they can be
/// attached later.
const ASK_AGAIN: TimeDelta = TimeDelta::days(7);

/// What is remembered of the attestations of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ProvenanceMemory {
    /// What each attestation says, by the digest of its manifest; nothing of those that are no provenance.
    #[serde(default)]
    attestations: BTreeMap<Digest, Vec<BuildMaterial>>,
    /// When it was last asked what refers to the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_at: Option<DateTime<Utc>>,
}

impl ProvenanceMemory {
    /// The images that the build pulled. An attestation that is found twice counts once, and so does an image.
    fn materials(self) -> Vec<BuildMaterial> {
        let mut materials = Vec::new();
        for material in self.attestations.into_values().flatten() {
            if !materials.contains(&material) {
                materials.push(material);
            }
        }
        materials
    }
}

impl Images {
    /// The images that the build of `image` in `repository` pulled, by the attestations that are `listed` with it and, where
    /// these name none, by those that the registry says refer to it. Empty where there are none.
    ///
    /// # Errors
    ///
    /// When an attestation cannot be read and none of the others names an image.
    pub async fn provenance(
        &self,
        repository: &Repository,
        image: &Digest,
        listed: &[Digest],
        seen_at: DateTime<Utc>,
    ) -> Result<Vec<BuildMaterial>> {
        self.attested_by(repository, image, listed, Some(seen_at)).await
    }

    /// The same, where `listed` are all there are.
    ///
    /// # Errors
    ///
    /// As for [`Images::provenance`].
    pub async fn listed_provenance(
        &self,
        repository: &Repository,
        image: &Digest,
        listed: &[Digest],
    ) -> Result<Vec<BuildMaterial>> {
        self.attested_by(repository, image, listed, None).await
    }

    /// The same as far as it was read before.
    #[must_use]
    pub fn remembered_provenance(&self, image: &Digest) -> Vec<BuildMaterial> {
        let known: Option<ProvenanceMemory> = self.catalog().kept(&name(image));
        known.map(ProvenanceMemory::materials).unwrap_or_default()
    }

    async fn attested_by(
        &self,
        repository: &Repository,
        image: &Digest,
        listed: &[Digest],
        asks_at: Option<DateTime<Utc>>,
    ) -> Result<Vec<BuildMaterial>> {
        let name = name(image);
        let known: ProvenanceMemory = self.catalog().kept(&name).unwrap_or_default();
        let mut memory = known.clone();
        let mut failure = self.read_attestations(repository, image, listed, &mut memory).await.err();
        let has_none = memory.attestations.values().all(Vec::is_empty);
        let is_due = |at: &DateTime<Utc>| memory.asked_at.is_none_or(|asked_at| *at - asked_at >= ASK_AGAIN);
        if let Some(asks_at) = asks_at.filter(|at| has_none && is_due(at)) {
            match self.referring(repository, image, &mut memory).await {
                Ok(()) => memory.asked_at = Some(asks_at),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if memory != known {
            self.catalog().keep(&name, &memory);
        }
        match (memory.materials(), failure) {
            (materials, Some(error)) if materials.is_empty() => Err(error),
            (materials, _) => Ok(materials),
        }
    }

    /// Reads the attestations that refer to `image`.
    async fn referring(&self, repository: &Repository, image: &Digest, memory: &mut ProvenanceMemory) -> Result<()> {
        let attestations = self.registry().attestations(repository, image).await?;
        self.read_attestations(repository, image, &attestations, memory).await
    }

    /// Reads those of `attestations` that are not known.
    async fn read_attestations(
        &self,
        repository: &Repository,
        image: &Digest,
        attestations: &[Digest],
        memory: &mut ProvenanceMemory,
    ) -> Result<()> {
        let mut failure = None;
        for digest in attestations {
            if memory.attestations.contains_key(digest) || memory.attestations.len() >= ATTESTATIONS {
                continue;
            }
            match self.attested(repository, image, digest).await {
                Ok(materials) => drop(memory.attestations.insert(digest.clone(), materials)),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// What the attestation `digest` says of the build of `image`. What is there and makes no sense says nothing.
    async fn attested(&self, repository: &Repository, image: &Digest, digest: &Digest) -> Result<Vec<BuildMaterial>> {
        let reference = Reference::pinned(repository.clone(), digest.clone());
        let manifest = match self.registry().manifest(&reference).await.map(|fetched| fetched.document) {
            Ok(Document::Manifest(manifest)) => manifest,
            Ok(Document::Index(_)) => return Ok(Vec::new()),
            Err(error) => return nonsense(error),
        };
        let mut materials = Vec::new();
        for statement in manifest.statements.iter().filter(|statement| is_provenance(&statement.predicate_type)) {
            let read = match self.registry().statement(repository, statement).await {
                Ok(body) => build_materials(&body, image).unwrap_or_default(),
                Err(error) => nonsense(error)?,
            };
            materials.extend(read);
        }
        Ok(materials)
    }
}

/// What the provenance of `image` is kept under.
fn name(image: &Digest) -> String {
    format!("provenance/{}/{}", image.algorithm(), image.hex())
}

/// Nothing, where asking again gives the same.
fn nonsense(error: Error) -> Result<Vec<BuildMaterial>> {
    match error {
        Error::Malformed { .. } | Error::TooLarge { .. } | Error::NotFound { .. } => {
            tracing::debug!("an attestation says nothing: {error}");
            Ok(Vec::new())
        }
        error => Err(error),
    }
}
