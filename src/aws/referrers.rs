//! Referrers of an image in private ECR, with `ListImageReferrers`: not every ECR registry has the referrers API of the
//! distribution specification.

use aws_sdk_ecr::types::{ArtifactStatus, ImageReferrer, SubjectIdentifier};

use super::{Aws, AwsError};
use crate::{
    image::{Digest, ErrorCode, Repository},
    registry::{EcrHost, Referrer},
};

/// The page size: the maximum of the API.
const PAGE: i32 = 50;
/// The most pages of one list. An image has a few referrers.
const PAGES: usize = 20;

impl Aws {
    /// The referrers of `image` in `repository` that can be pulled; `None` if the repository is not in private ECR.
    pub(super) async fn ecr_referrers(
        &self,
        repository: &Repository,
        image: &Digest,
    ) -> Result<Option<Vec<Referrer>>, AwsError> {
        let Some(EcrHost { account, region }) = EcrHost::parse(&repository.registry) else { return Ok(None) };
        self.require_credentials().await?;
        let call = format!("ecr:ListImageReferrers of {} in {region}", repository.name);
        let client = self.session_of(account).await?.ecr(region);
        let malformed = |message: String| AwsError { code: ErrorCode::Failed, message: format!("{call}: {message}") };
        let subject = SubjectIdentifier::builder().image_digest(image.as_str()).build();
        let subject = subject.map_err(|error| malformed(error.to_string()))?;
        let (mut referrers, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let request = client.list_image_referrers().registry_id(account).repository_name(&*repository.name);
            let request = request.subject_id(subject.clone()).max_results(PAGE).set_next_token(token);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) => {
                    let failure = AwsError::from_sdk(&call, &error);
                    return if failure.code == ErrorCode::NotFound { Ok(Some(referrers)) } else { Err(failure) };
                }
            };
            referrers.extend(page.referrers.into_iter().flatten().filter_map(referrer));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(Some(referrers));
            }
        }
        Err(malformed(format!("the list exceeds {PAGES} pages")))
    }
}

/// A referrer that can be pulled; `None` for an archived one.
fn referrer(listed: ImageReferrer) -> Option<Referrer> {
    let is_there = listed.artifact_status.is_none_or(|status| status == ArtifactStatus::Active);
    Some(Referrer {
        digest: listed.digest.parse().ok().filter(|_| is_there)?,
        artifact_type: listed.artifact_type,
        annotations: listed.annotations.unwrap_or_default().into_iter().collect(),
    })
}
