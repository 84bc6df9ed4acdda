//! OCI artifacts: files stored in a registry as layers of a manifest. They are pushed by explicit commands only.
//!
//! The manifest is the one of the OCI image specification for artifacts (manifest.md, "Guidelines for Artifact Usage");
//! it is pushed last, so that the tag never points at an incomplete artifact.

use std::{fmt, sync::Arc};

use reqwest::{Method, header::LOCATION};
use serde_json::json;

use super::{DistributionClient, Error, Result, host::RegistryHost, link, redirects::OWN_HOST};
use crate::{
    http::{HttpRequest, RequestBody, RequestKind},
    image::{Digest, Reference, Repository},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const BYTES: &str = "application/octet-stream";
/// The longest response to a write, in bytes.
const ANSWER_BYTES: u64 = 64 * 1024;

/// An artifact: files with a common type.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The artifact type.
    pub artifact_type: &'static str,
    /// The files.
    pub layers: Vec<ArtifactLayer>,
}

/// One file of an artifact.
#[derive(Clone)]
pub struct ArtifactLayer {
    /// Its media type.
    pub media_type: &'static str,
    /// The file name that clients use when they write the artifact to a folder.
    pub title: String,
    /// Its content.
    pub bytes: Arc<[u8]>,
}

impl fmt::Debug for ArtifactLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.title, self.bytes.len())
    }
}

impl Artifact {
    /// Its manifest, which is deterministic.
    fn manifest(&self) -> Vec<u8> {
        let layers = self.layers.iter().map(|layer| {
            json!({
                "mediaType": layer.media_type,
                "digest": Digest::sha256(&layer.bytes),
                "size": layer.bytes.len(),
                "annotations": { "org.opencontainers.image.title": layer.title },
            })
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": self.artifact_type,
            "config": { "mediaType": EMPTY, "digest": Digest::sha256(b"{}"), "size": 2 },
            "layers": layers.collect::<Vec<_>>(),
        });
        manifest.to_string().into_bytes()
    }
}

impl DistributionClient {
    /// Pushes `artifact` to the tag of `reference`, and returns its digest.
    ///
    /// # Errors
    ///
    /// If the registry is not on the allow-list, is read through a cache, or refuses a part.
    pub async fn push(&self, reference: &Reference, artifact: &Artifact) -> Result<Digest> {
        let pushed = self.push_all(reference, artifact).await;
        pushed.map_err(|error| self.redacted(&reference.repository.registry, error))
    }

    async fn push_all(&self, reference: &Reference, artifact: &Artifact) -> Result<Digest> {
        let repository = &reference.repository;
        let host = self.host(repository)?;
        let what = format!("the push of {reference}");
        let malformed = |why: &str| Error::Malformed { what: what.clone(), why: why.to_owned() };
        if let Some(cache) = &host.cache {
            return Err(malformed(&format!(
                "{} is read through {cache}, which accepts no pushes",
                repository.registry
            )));
        }
        let tag = reference.tag.as_deref().ok_or_else(|| malformed("it has no tag"))?;
        for layer in &artifact.layers {
            push_blob(&host, repository, &layer.bytes, &what).await?;
        }
        push_blob(&host, repository, &Arc::from(b"{}".as_slice()), &what).await?;
        let manifest: Arc<[u8]> = artifact.manifest().into();
        let digest = Digest::sha256(&manifest);
        let request = host.request(&repository.name, &["manifests", tag], RequestKind::Manifest, what);
        let upload = RequestBody { content_type: MANIFEST.into(), bytes: manifest };
        let request = HttpRequest { method: Method::PUT, body: Some(upload), limit_bytes: ANSWER_BYTES, ..request };
        host.send(repository, &request, None).await?;
        Ok(digest)
    }
}

/// Pushes one blob in two requests: one for the upload URL, and one with the content.
async fn push_blob(host: &RegistryHost, repository: &Repository, bytes: &Arc<[u8]>, what: &str) -> Result<()> {
    let request = host.request(&repository.name, &["blobs", "uploads", ""], RequestKind::Blob, what.to_owned());
    let begin = HttpRequest { method: Method::POST, limit_bytes: ANSWER_BYTES, redirects: OWN_HOST, ..request };
    let response = host.send(repository, &begin, None).await?;
    let malformed = |why: String| Error::Malformed { what: what.to_owned(), why };
    let location =
        response.http.header(LOCATION).ok_or_else(|| malformed("the response has no upload URL".to_owned()))?;
    let mut url = link::resolve(&begin.url, location)
        .map_err(|_| malformed("its upload URL is invalid or at another host".to_owned()))?;
    url.query_pairs_mut().append_pair("digest", Digest::sha256(bytes).as_str());
    let upload = RequestBody { content_type: BYTES.into(), bytes: Arc::clone(bytes) };
    let put = HttpRequest { method: Method::PUT, url, body: Some(upload), ..begin };
    host.send(repository, &put, None).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ManifestDocument;

    #[test]
    fn the_manifest_of_an_artifact_reads_as_one() {
        let layer = |title: &str, bytes: &[u8]| ArtifactLayer {
            media_type: "application/vnd.example",
            title: title.to_owned(),
            bytes: bytes.into(),
        };
        let artifact =
            Artifact { artifact_type: "application/vnd.example", layers: vec![layer("a", b"1"), layer("b", b"2")] };
        let Ok(ManifestDocument::Manifest(read)) = ManifestDocument::parse(&artifact.manifest(), Some(MANIFEST)) else {
            panic!("it is a manifest");
        };
        assert_eq!(read.layers, [Digest::sha256(b"1"), Digest::sha256(b"2")]);
        assert_eq!(read.config, Digest::sha256(b"{}"));
    }
}
