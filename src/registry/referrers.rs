//! Referrers of an image: those attestations that may hold provenance.

use super::{CredentialsErrorKind, DistributionClient, Error, LoginError, Referrer, Result, client::manifest_request};
use crate::{
    http::{HttpRequest, RequestKind},
    image::{
        Digest, InvalidDocument, MANIFEST_MEDIA_TYPES, Reference, Repository, is_provenance_referrer,
        provenance_referrers,
    },
};

/// The most attestations of a list of ECR.
const MOST_LISTED: usize = 8;

/// The longest list of referrers, in bytes: that of an index.
const REFERRERS_BYTES: u64 = 4 * 1024 * 1024;

impl DistributionClient {
    /// The attestations of `image`: from ECR's own API, else from the referrers API, or from the referrers tag if a
    /// registry has no such API (OCI distribution specification, "Referrers Tag Schema").
    pub(super) async fn attestations_of(&self, repository: &Repository, image: &Digest) -> Result<Vec<Digest>> {
        let host = self.host(repository)?;
        if let Some(listed) = self.listed_by_ecr(repository, image).await? {
            return Ok(listed);
        }
        let what = format!("the referrers of {repository}@{image}");
        let request = host.request(&repository.name, &["referrers", image.as_str()], RequestKind::Manifest, what);
        let request = HttpRequest { limit_bytes: REFERRERS_BYTES, accept: MANIFEST_MEDIA_TYPES[0], ..request };
        let (request, response) = match host.send(repository, &request, None).await {
            // Registries without the API answer 404, and some 400, 405 or 501.
            Err(Error::Status { status: 400 | 404 | 405 | 501, .. }) => {
                let tag = format!("{}-{}", image.algorithm(), image.hex());
                let reference = Reference::tagged(repository.clone(), tag);
                let request = manifest_request(&host, &reference, RequestKind::Manifest)?;
                match host.send(repository, &request, None).await {
                    Err(Error::Status { status: 404, what, .. }) if what == request.what => return Ok(Vec::new()),
                    response => (request, response?),
                }
            }
            response => (request, response?),
        };
        let malformed =
            |error: InvalidDocument| Error::Malformed { what: request.what.clone(), why: error.to_string() };
        provenance_referrers(response.document()).map_err(malformed)
    }

    /// The referrers from the API of ECR, if it is used.
    async fn listed_by_ecr(&self, repository: &Repository, image: &Digest) -> Result<Option<Vec<Digest>>> {
        let Some(aws) = &self.aws else { return Ok(None) };
        let referrers = match aws.referrers(repository, image).await {
            Ok(referrers) => referrers,
            Err(error) => return Err(rejected(repository, image, error)),
        };
        let Some(referrers) = referrers else { return Ok(None) };
        let may_hold = |referrer: &Referrer| {
            let artifact_type = referrer.artifact_type.as_deref();
            artifact_type.is_some_and(|artifact_type| is_provenance_referrer(artifact_type, &referrer.annotations))
        };
        let provenance = referrers.into_iter().filter(may_hold);
        Ok(Some(provenance.map(|referrer| referrer.digest).take(MOST_LISTED).collect()))
    }
}

fn rejected(repository: &Repository, image: &Digest, LoginError { kind, message }: LoginError) -> Error {
    let registry = repository.registry.to_string();
    match kind {
        CredentialsErrorKind::Denied => {
            Error::Denied { registry, status: 403, what: format!("the referrers of {image}"), message }
        }
        CredentialsErrorKind::Throttled => Error::RateLimited { registry, retry_after: None },
        CredentialsErrorKind::Unreachable => Error::Unreachable { registry, why: message },
    }
}
