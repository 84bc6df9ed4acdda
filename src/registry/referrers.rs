//! What refers to an image? Of the answer, attestations that may hold provenance.

use super::{DistributionClient, Error, RequestKind, Result, client::manifest_request, transport::Ask};
use crate::image::{Digest, InvalidDocument, MANIFEST_MEDIA_TYPES, Reference, Repository, provenance_referrers};

/// The longest list of referrers: that of an index.
const REFERRERS_BYTES: u64 = 4 * 1024 * 1024;

impl DistributionClient {
    /// By the referrers API, else by the tag that stands in for it where a registry has none (OCI distribution
    /// specification, "Referrers Tag Schema").
    pub(super) async fn attestations_of(&self, repository: &Repository, image: &Digest) -> Result<Vec<Digest>> {
        let host = self.host(repository)?;
        let what = format!("the referrers of {repository}@{image}");
        let ask = host.ask(&repository.name, &["referrers", image.as_str()], RequestKind::Manifest, what);
        let ask = Ask { limit_bytes: REFERRERS_BYTES, accept: MANIFEST_MEDIA_TYPES[0], ..ask };
        let (ask, answer) = match host.answer(&repository.name, &ask).await {
            // Registries without the API answer 404, and some 400, 405 or 501.
            Err(Error::Status { status: 400 | 404 | 405 | 501, .. }) => {
                let tag = format!("{}-{}", image.algorithm(), image.hex());
                let reference = Reference::tagged(repository.clone(), tag);
                let ask = manifest_request(&host, &reference, RequestKind::Manifest)?;
                match host.answer(&repository.name, &ask).await {
                    Err(Error::Status { status: 404, what, .. }) if what == ask.what => return Ok(Vec::new()),
                    answer => (ask, answer?),
                }
            }
            answer => (ask, answer?),
        };
        let malformed = |error: InvalidDocument| Error::Malformed { what: ask.what.clone(), why: error.to_string() };
        provenance_referrers(answer.document()).map_err(malformed)
    }
}
