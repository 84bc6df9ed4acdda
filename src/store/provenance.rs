//! Images that a build pulled, from the attestations of the image. Each attestation is fetched once ever.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::ImageReader;
use crate::{
    image::{
        BuildMaterial, Digest, ManifestDocument, Provenance, Reference, Repository, UnusableAttestation,
        build_materials,
    },
    registry::{Error, Result},
};

/// Maximum number of attestations read per image.
const ATTESTATIONS: usize = 8;
/// Interval of referrer requests for an image without an attestation, because attestations can be attached later.
const ASK_AGAIN: TimeDelta = TimeDelta::days(7);

/// The attestations of an image in the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ProvenanceRecord {
    /// The materials of each attestation, by the digest of its manifest; empty if it is not provenance.
    #[serde(default)]
    attestations: BTreeMap<Digest, Vec<BuildMaterial>>,
    /// Permanently unusable attestations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unusable: Vec<UnusableAttestation>,
    /// When referrers of the image were last requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_at: Option<DateTime<Utc>>,
}

impl ProvenanceRecord {
    /// The provenance, without duplicate attestations and images.
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

impl ImageReader {
    /// The images that the build of `image` in `repository` pulled, from the `listed` attestations or, if these name no image,
    /// from its referrers in the registry. Unreadable ones are included as such.
    pub async fn provenance(
        &self,
        repository: &Repository,
        image: &Digest,
        listed: &[Digest],
        seen_at: DateTime<Utc>,
    ) -> Provenance {
        self.attested_by(repository, image, listed, Some(seen_at)).await
    }

    /// Like [`provenance`](Self::provenance), from the `listed` attestations only.
    pub async fn listed_provenance(&self, repository: &Repository, image: &Digest, listed: &[Digest]) -> Provenance {
        self.attested_by(repository, image, listed, None).await
    }

    /// Like [`provenance`](Self::provenance), from the catalog only.
    #[must_use]
    pub fn remembered_provenance(&self, image: &Digest) -> Provenance {
        let known: Option<ProvenanceRecord> = self.catalog().get_note(&name(image));
        known.map(ProvenanceRecord::provenance).unwrap_or_default()
    }

    async fn attested_by(
        &self,
        repository: &Repository,
        image: &Digest,
        listed: &[Digest],
        asks_at: Option<DateTime<Utc>>,
    ) -> Provenance {
        let name = name(image);
        let known: ProvenanceRecord = self.catalog().get_note(&name).unwrap_or_default();
        let mut record = known.clone();
        let mut unread = self.read_attestations(repository, image, listed, &mut record).await;
        let has_none = record.attestations.values().all(Vec::is_empty);
        let is_due = |at: &DateTime<Utc>| record.asked_at.is_none_or(|asked_at| *at - asked_at >= ASK_AGAIN);
        let mut unlisted = None;
        if let Some(asks_at) = asks_at.filter(|at| has_none && is_due(at)) {
            match self.registry().attestations(repository, image).await {
                Ok(referring) => {
                    let failed = self.read_attestations(repository, image, &referring, &mut record).await;
                    // After a failed read, the next run requests both again.
                    record.asked_at = failed.is_empty().then_some(asks_at).or(record.asked_at);
                    unread.extend(failed);
                }
                Err(error) => unlisted = Some(error.to_string()),
            }
        }
        if record != known {
            self.catalog().put_note(&name, &record);
        }
        let mut provenance = record.provenance();
        provenance.attestation_count += unread.len();
        provenance.unusable.extend(unread);
        Provenance { unlisted, ..provenance }
    }

    /// Reads those of `attestations` that are not cached. Returns the ones that could not be read this time.
    async fn read_attestations(
        &self,
        repository: &Repository,
        image: &Digest,
        attestations: &[Digest],
        record: &mut ProvenanceRecord,
    ) -> Vec<UnusableAttestation> {
        let mut unread = Vec::new();
        for digest in attestations {
            if record.attestations.contains_key(digest) || record.attestations.len() >= ATTESTATIONS {
                continue;
            }
            let unusable = |why: String| UnusableAttestation { digest: digest.clone(), why };
            match self.attested(repository, image, digest).await {
                Ok(AttestationContents { materials, why }) => {
                    record.attestations.insert(digest.clone(), materials);
                    record.unusable.extend(why.map(unusable));
                }
                Err(error) => unread.push(unusable(error.to_string())),
            }
        }
        unread
    }

    /// The materials of the attestation `digest` for `image`. An invalid attestation has none.
    async fn attested(&self, repository: &Repository, image: &Digest, digest: &Digest) -> Result<AttestationContents> {
        let reference = Reference::pinned(repository.clone(), digest.clone());
        let manifest = match self.registry().manifest(&reference).await.map(|fetched| fetched.document) {
            Ok(ManifestDocument::Manifest(manifest)) => manifest,
            Ok(ManifestDocument::Index(_)) => {
                return Ok(AttestationContents {
                    why: Some("it is an index".to_owned()),
                    ..AttestationContents::default()
                });
            }
            Err(error) => {
                return Ok(AttestationContents {
                    why: Some(permanent_reason(error)?),
                    ..AttestationContents::default()
                });
            }
        };
        let mut attested = AttestationContents::default();
        for statement in manifest.statements.iter().filter(|statement| statement.may_be_provenance()) {
            let read = match self.registry().statement(repository, statement).await {
                Ok(body) => build_materials(&body, image).map_err(|error| error.to_string()),
                Err(error) => Err(permanent_reason(error)?),
            };
            match read {
                Ok(materials) => attested.materials.extend(materials),
                Err(why) => attested.why = attested.why.or(Some(why)),
            }
        }
        Ok(attested)
    }
}

/// The contents of one attestation.
#[derive(Default)]
struct AttestationContents {
    materials: Vec<BuildMaterial>,
    /// Why a part of it is unusable.
    why: Option<String>,
}

/// The name of the provenance of `image` in the catalog.
fn name(image: &Digest) -> String {
    format!("provenance/{}/{}", image.algorithm(), image.hex())
}

/// The reason why an attestation is permanently unusable.
fn permanent_reason(error: Error) -> Result<String> {
    match error {
        Error::Malformed { .. } | Error::TooLarge { .. } | Error::NotFound { .. } => Ok(error.to_string()),
        error => Err(error),
    }
}
