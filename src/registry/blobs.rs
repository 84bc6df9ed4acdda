//! Blobs: image configurations, attestation statements, files of artifacts. Image layers are never read.

use super::{DistributionClient, Error, MissingContent, Result, host::RegistryResponse, verify::verify};
use crate::{
    http::{HttpRequest, RequestKind, ResponseBody},
    image::{Digest, ImageManifest, Repository, StatementDescriptor},
};

/// The longest image configuration or statement, in bytes. Detailed provenance has the whole build graph and the
/// Dockerfiles.
const DOCUMENT_BYTES: u64 = 8 * 1024 * 1024;

impl DistributionClient {
    /// The verified blob `digest` in `repository`, of at most `limit_bytes`.
    ///
    /// # Errors
    ///
    /// As the methods of [`super::Registry`].
    pub async fn blob(&self, repository: &Repository, digest: &Digest, limit_bytes: u64) -> Result<ResponseBody> {
        let what = format!("the blob {repository}@{digest}");
        let response = self.verified_blob(repository, digest, limit_bytes, what, None).await;
        Ok(response.map_err(|error| self.redacted(&repository.registry, error))?.http.body)
    }

    pub(super) async fn config_of(&self, repository: &Repository, manifest: &ImageManifest) -> Result<ResponseBody> {
        let missing = MissingContent::Configuration(manifest.config.clone());
        let what = format!("the configuration {repository}@{}", manifest.config);
        self.document(repository, &manifest.config, manifest.config_bytes, what, missing).await
    }

    pub(super) async fn statement_of(
        &self,
        repository: &Repository,
        statement: &StatementDescriptor,
    ) -> Result<ResponseBody> {
        let missing = MissingContent::Statement(statement.digest.clone());
        let what = format!("the statement {repository}@{}", statement.digest);
        self.document(repository, &statement.digest, statement.bytes, what, missing).await
    }

    /// The blob `digest`, which a manifest names, with its size if the manifest states it.
    async fn document(
        &self,
        repository: &Repository,
        digest: &Digest,
        stated_bytes: Option<u64>,
        what: String,
        missing: MissingContent,
    ) -> Result<ResponseBody> {
        if stated_bytes.is_some_and(|bytes| bytes > DOCUMENT_BYTES) {
            return Err(Error::TooLarge { what, limit_bytes: DOCUMENT_BYTES });
        }
        let response = self.verified_blob(repository, digest, DOCUMENT_BYTES, what.clone(), Some(missing)).await?;
        let body = response.http.body;
        if let Some(stated) = stated_bytes.filter(|stated| *stated != body.len() as u64) {
            let why = format!("it has {} bytes, but its manifest states {stated}", body.len());
            return Err(Error::Malformed { what, why });
        }
        Ok(match response.redacted {
            Some(redacted) => body.replaced_by(redacted),
            None => body,
        })
    }

    async fn verified_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit_bytes: u64,
        what: String,
        missing: Option<MissingContent>,
    ) -> Result<RegistryResponse> {
        let host = self.host(repository)?;
        let request = host.request(&repository.name, &["blobs", digest.as_str()], RequestKind::Blob, what);
        let request = HttpRequest { limit_bytes, ..request };
        let response = host.send(repository, &request, missing).await?;
        verify(&request.what, digest, &response.http.body)?;
        Ok(response)
    }
}
