//! Blobs: image configurations, attestation statements, files of artifacts. Image layers are never read.

use super::{DistributionClient, Error, MissingContent, Result, transport::RegistryRequest, verify::verify};
use crate::{
    http::{RequestKind, ResponseBody},
    image::{Digest, ImageManifest, Repository, StatementDescriptor},
};

/// The longest image configuration, in bytes.
const CONFIG_BYTES: u64 = 8 * 1024 * 1024;
/// The longest statement, in bytes. Detailed provenance has the whole build graph and the Dockerfiles.
const STATEMENT_BYTES: u64 = 8 * 1024 * 1024;

impl DistributionClient {
    /// The verified blob `digest` in `repository`, of at most `limit_bytes`.
    ///
    /// # Errors
    ///
    /// As the methods of [`super::Registry`].
    pub async fn blob(&self, repository: &Repository, digest: &Digest, limit_bytes: u64) -> Result<ResponseBody> {
        let host = self.host(repository)?;
        let what = format!("the blob {repository}@{digest}");
        let request = RegistryRequest {
            limit_bytes,
            ..host.request(&repository.name, &["blobs", digest.as_str()], RequestKind::Blob, what)
        };
        let response = host.send(&repository.name, &request).await;
        let response = response.map_err(|error| self.redacted(&repository.registry, error))?;
        verify(&request.what, digest, &response.body)?;
        Ok(response.body)
    }

    pub(super) async fn config_of(&self, repository: &Repository, manifest: &ImageManifest) -> Result<ResponseBody> {
        let blob = BlobRequest {
            digest: &manifest.config,
            stated_bytes: manifest.config_bytes,
            limit_bytes: CONFIG_BYTES,
            what: format!("the configuration {repository}@{}", manifest.config),
            missing: MissingContent::Configuration(manifest.config.clone()),
        };
        self.requested_blob(repository, blob).await
    }

    pub(super) async fn statement_of(
        &self,
        repository: &Repository,
        statement: &StatementDescriptor,
    ) -> Result<ResponseBody> {
        let blob = BlobRequest {
            digest: &statement.digest,
            stated_bytes: statement.bytes,
            limit_bytes: STATEMENT_BYTES,
            what: format!("the statement {repository}@{}", statement.digest),
            missing: MissingContent::Statement(statement.digest.clone()),
        };
        self.requested_blob(repository, blob).await
    }

    async fn requested_blob(&self, repository: &Repository, blob: BlobRequest<'_>) -> Result<ResponseBody> {
        let BlobRequest { digest, stated_bytes, limit_bytes, what, missing } = blob;
        let host = self.host(repository)?;
        if stated_bytes.is_some_and(|bytes| bytes > limit_bytes) {
            return Err(Error::TooLarge { what, limit_bytes });
        }
        let request = host.request(&repository.name, &["blobs", digest.as_str()], RequestKind::Blob, what);
        let request = RegistryRequest { limit_bytes, ..request };
        let response = host.send(&repository.name, &request).await;
        let response = response.map_err(|error| host.naming(error, &request, repository, missing))?;
        let body = &response.body;
        if let Some(stated) = stated_bytes.filter(|stated| *stated != body.len() as u64) {
            let why = format!("it has {} bytes, but its manifest states {stated}", body.len());
            return Err(Error::Malformed { what: request.what, why });
        }
        verify(&request.what, digest, body)?;
        Ok(match response.redacted {
            Some(redacted) => response.body.replaced_by(redacted),
            None => response.body,
        })
    }
}

/// A blob that a manifest names.
struct BlobRequest<'a> {
    digest: &'a Digest,
    /// Its size, if the manifest states it.
    stated_bytes: Option<u64>,
    limit_bytes: u64,
    /// Its name in errors.
    what: String,
    /// The content that is missing if it is not found.
    missing: MissingContent,
}
