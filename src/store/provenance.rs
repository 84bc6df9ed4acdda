//! Which images a build pulled, by the attestations of the image: each attestation is read once ever.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Images;
use crate::{
    image::{BuildMaterial, Digest, Document, Provenance, Reference, Repository, UnusableAttestation, build_materials},
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
    /// Why some of them say nothing, and always will.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unusable: Vec<UnusableAttestation>,
    /// When it was last asked what refers to the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_at: Option<DateTime<Utc>>,
}

impl ProvenanceMemory {
    /// What is known. An attestation that is found twice counts once, and so does an image.
    fn provenance(self) -> Provenance {
        let attestation_count = self.attestations.len();
        let mut materials = Vec::new();
        for material in self.attestations.into_values().flatten() {
            if !materials.contains(&material) {
                materials.push(material);
            }
        }
        Provenance { materials, attestation_count, unusable: self.unusable, unlisted: None }
    }
}

impl Images {
    /// What the build of `image` in `repository` pulled, by the attestations that are `listed` with it and, where these
    /// name no image, by those that the registry says refer to it. What cannot be read is said.
    pub async fn provenance(
        &self,
        repository: &Repository,
        image: &Digest,
        listed: &[Digest],
        seen_at: DateTime<Utc>,
    ) -> Provenance {
        self.attested_by(repository, image, listed, Some(seen_at)).await
    }

    /// The same, where `listed` are all there are.
    pub async fn listed_provenance(&self, repository: &Repository, image: &Digest, listed: &[Digest]) -> Provenance {
        self.attested_by(repository, image, listed, None).await
    }

    /// The same as far as it was read before.
    #[must_use]
    pub fn remembered_provenance(&self, image: &Digest) -> Provenance {
        let known: Option<ProvenanceMemory> = self.catalog().kept(&name(image));
        known.map(ProvenanceMemory::provenance).unwrap_or_default()
    }

    async fn attested_by(
        &self,
        repository: &Repository,
        image: &Digest,
        listed: &[Digest],
        asks_at: Option<DateTime<Utc>>,
    ) -> Provenance {
        let name = name(image);
        let known: ProvenanceMemory = self.catalog().kept(&name).unwrap_or_default();
        let mut memory = known.clone();
        let mut unread = self.read_attestations(repository, image, listed, &mut memory).await;
        let has_none = memory.attestations.values().all(Vec::is_empty);
        let is_due = |at: &DateTime<Utc>| memory.asked_at.is_none_or(|asked_at| *at - asked_at >= ASK_AGAIN);
        let mut unlisted = None;
        if let Some(asks_at) = asks_at.filter(|at| has_none && is_due(at)) {
            match self.registry().attestations(repository, image).await {
                Ok(referring) => {
                    let failed = self.read_attestations(repository, image, &referring, &mut memory).await;
                    // One that could not be read is asked for again in the next run, and so is the list.
                    memory.asked_at = failed.is_empty().then_some(asks_at).or(memory.asked_at);
                    unread.extend(failed);
                }
                Err(error) => unlisted = Some(error.to_string()),
            }
        }
        if memory != known {
            self.catalog().keep(&name, &memory);
        }
        let mut provenance = memory.provenance();
        provenance.attestation_count += unread.len();
        provenance.unusable.extend(unread);
        Provenance { unlisted, ..provenance }
    }

    /// Reads those of `attestations` that are not known. Those that could not be read this time.
    async fn read_attestations(
        &self,
        repository: &Repository,
        image: &Digest,
        attestations: &[Digest],
        memory: &mut ProvenanceMemory,
    ) -> Vec<UnusableAttestation> {
        let mut unread = Vec::new();
        for digest in attestations {
            if memory.attestations.contains_key(digest) || memory.attestations.len() >= ATTESTATIONS {
                continue;
            }
            let unusable = |why: String| UnusableAttestation { digest: digest.clone(), why };
            match self.attested(repository, image, digest).await {
                Ok(Attested { materials, why }) => {
                    memory.attestations.insert(digest.clone(), materials);
                    memory.unusable.extend(why.map(unusable));
                }
                Err(error) => unread.push(unusable(error.to_string())),
            }
        }
        unread
    }

    /// What the attestation `digest` says of the build of `image`. What is there and makes no sense says nothing.
    async fn attested(&self, repository: &Repository, image: &Digest, digest: &Digest) -> Result<Attested> {
        let reference = Reference::pinned(repository.clone(), digest.clone());
        let manifest = match self.registry().manifest(&reference).await.map(|fetched| fetched.document) {
            Ok(Document::Manifest(manifest)) => manifest,
            Ok(Document::Index(_)) => {
                return Ok(Attested { why: Some("it is an index".to_owned()), ..Attested::default() });
            }
            Err(error) => return Ok(Attested { why: Some(nonsense(error)?), ..Attested::default() }),
        };
        let mut attested = Attested::default();
        for statement in manifest.statements.iter().filter(|statement| statement.may_be_provenance()) {
            let read = match self.registry().statement(repository, statement).await {
                Ok(body) => build_materials(&body, image).map_err(|error| error.to_string()),
                Err(error) => Err(nonsense(error)?),
            };
            match read {
                Ok(materials) => attested.materials.extend(materials),
                Err(why) => attested.why = attested.why.or(Some(why)),
            }
        }
        Ok(attested)
    }
}

/// What one attestation says.
#[derive(Default)]
struct Attested {
    materials: Vec<BuildMaterial>,
    /// Why a part of it says nothing.
    why: Option<String>,
}

/// What the provenance of `image` is kept under.
fn name(image: &Digest) -> String {
    format!("provenance/{}/{}", image.algorithm(), image.hex())
}

/// Why an attestation says nothing, where asking again gives the same.
fn nonsense(error: Error) -> Result<String> {
    match error {
        Error::Malformed { .. } | Error::TooLarge { .. } | Error::NotFound { .. } => Ok(error.to_string()),
        error => Err(error),
    }
}
