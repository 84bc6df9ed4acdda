//! Lists of ECR: repositories and their images, filtered by the settings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aws_sdk_ecr::{
    Client,
    types::{DescribeImagesFilter, ImageDetail, ImageIdentifier, ImageStatus, ImageStatusFilter, TagStatus},
};
use chrono::{DateTime, SubsecRound as _, Utc};

use crate::{
    aws::AwsError,
    aws::AwsSession,
    image::{AccountId, Arn, Digest, DigestKind, ErrorCode, Region, Repository, may_hold_provenance},
    inventory::{
        AffectedScope, CollectionError, DeploymentKind, EcrSettings, RepositoryImages, ResourceTags, StoredImage,
        account_region::AccountRegion,
    },
    registry::EcrHost,
};

/// The page size: the maximum of the API.
const PAGE: i32 = 1_000;
/// The most pages of one list: ten times the quotas of ECR (100,000 repositories a region, 100,000 images a
/// repository). It ends a list that never ends.
const PAGES: usize = 1_000;
/// The media types of image configurations. For other artifacts, `artifactMediaType` differs.
pub(super) const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The items that could be listed, and the errors.
pub(super) struct PartialListing<T> {
    pub(super) items: Vec<T>,
    pub(super) errors: Vec<CollectionError>,
}

/// A repository of private ECR.
pub(in crate::inventory) struct EcrRepository {
    pub(in crate::inventory) client: Client,
    pub(in crate::inventory) region: Region,
    pub(in crate::inventory) account: AccountId,
    pub(in crate::inventory) name: String,
    pub(in crate::inventory) arn: Option<Arn>,
    /// The same as a repository of the registry API.
    pub(in crate::inventory) repository: Repository,
    /// The scope of a [`CollectionError`] about it.
    scope: String,
}

impl EcrRepository {
    /// The repository `repository`, read with `session`; `None` if its registry is not ECR.
    pub(in crate::inventory) fn parse(repository: &Repository, session: &AwsSession) -> Option<Self> {
        let host = EcrHost::parse(&repository.registry)?;
        let name = &repository.name;
        let (region, account): (Region, AccountId) = (host.region.parse().ok()?, host.account.parse().ok()?);
        Some(Self {
            client: session.ecr(&region),
            name: name.to_string(),
            arn: format!("arn:{}:ecr:{region}:{account}:repository/{name}", host.partition()).parse().ok(),
            repository: repository.clone(),
            scope: scope(&region, name, session.account().map(|_| &account)),
            region,
            account,
        })
    }

    /// Its resource tags.
    pub(in crate::inventory) async fn resource_tags(&self) -> Result<ResourceTags, AwsError> {
        let response = self
            .client
            .list_tags_for_resource()
            .set_resource_arn(self.arn.as_ref().map(ToString::to_string))
            .send()
            .await;
        let response = response.map_err(|error| AwsError::from_sdk(&self.call("ListTagsForResource"), &error))?;
        Ok(response.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// The scope of a [`CollectionError`] about it.
    pub(in crate::inventory) fn scope(&self) -> String {
        self.scope.clone()
    }

    /// The deployments of its images that an error may hide: of `kind`, or of any kind.
    pub(in crate::inventory) fn extent(&self, kind: Option<DeploymentKind>) -> AffectedScope {
        AffectedScope {
            kind,
            account: Some(self.account.clone()),
            region: Some(self.region.clone()),
            repository: Some(self.name.clone()),
        }
    }

    /// The error of reading its images. It hides no workload: those are listed elsewhere and read by digest.
    fn error(&self, failure: AwsError) -> CollectionError {
        CollectionError::new(self.scope(), self.extent(Some(DeploymentKind::Ecr)), failure)
    }

    /// The name of a call of `operation` in the message of a [`AwsError`].
    pub(super) fn call(&self, operation: &str) -> String {
        format!("ecr:{operation} of {} in {}", self.name, self.region)
    }
}

/// `ecr eu-west-1 orders`, or `ecr eu-west-1 orders of 123456789012` if several accounts are audited.
fn scope(region: &str, name: &str, account: Option<&AccountId>) -> String {
    let account = account.map(|account| format!(" of {account}")).unwrap_or_default();
    format!("ecr {region} {name}{account}")
}

/// A selected image, with its selected tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EcrImage {
    pub(super) digest: Digest,
    pub(super) tags: BTreeSet<String>,
    pub(super) pushed_at: Option<DateTime<Utc>>,
}

struct EcrPage<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// Reads all pages. If one fails, the items of earlier pages are returned.
async fn all_pages<T, F>(
    (scope, extent): (&str, AffectedScope),
    request_page: impl Fn(Option<String>) -> F,
) -> PartialListing<T>
where
    F: Future<Output = Result<EcrPage<T>, AwsError>>,
{
    let mut items = Vec::new();
    let mut token = None;
    let error = |code, message: String| {
        vec![CollectionError::new(scope.to_owned(), extent.clone(), AwsError { code, message })]
    };
    for _ in 0..PAGES {
        let page = match request_page(token.clone()).await {
            Ok(page) => page,
            Err(failure) => return PartialListing { items, errors: error(failure.code, failure.message) },
        };
        items.extend(page.items);
        let next = page.next.filter(|next| !next.is_empty());
        if next.is_none() {
            return PartialListing { items, errors: Vec::new() };
        }
        if next == token {
            return PartialListing {
                items,
                errors: error(ErrorCode::Malformed, "the list repeats its next token".to_owned()),
            };
        }
        token = next;
    }
    PartialListing { items, errors: error(ErrorCode::Failed, format!("the list exceeds {PAGES} pages")) }
}

/// The repositories at `account_region` that `settings` select.
pub(super) async fn repositories(
    account_region: &AccountRegion,
    settings: &EcrSettings,
) -> PartialListing<Arc<EcrRepository>> {
    let (region, client) = (&account_region.region, &account_region.session.ecr(&account_region.region));
    let call = format!("ecr:DescribeRepositories in {region}");
    let extent = account_region.affected(DeploymentKind::Ecr);
    let listed = all_pages((&account_region.scope("ecr"), extent.clone()), |token| async {
        let page = client.describe_repositories().max_results(PAGE).set_next_token(token).send().await;
        let page = page.map_err(|error| AwsError::from_sdk(&call, &error))?;
        Ok(EcrPage { items: page.repositories.unwrap_or_default(), next: page.next_token })
    })
    .await;
    let mut items = Vec::new();
    let mut errors = listed.errors;
    for repository in listed.items {
        let name = repository.repository_name().unwrap_or_default().to_owned();
        if !settings.selector.admits_name(&name) {
            continue;
        }
        let scope = scope(region, &name, account_region.session.account());
        match repository_of(client, region, &repository, scope.clone()) {
            Ok(repository) => items.push(Arc::new(repository)),
            Err(message) => {
                let extent = AffectedScope { repository: Some(name), ..extent.clone() };
                errors.push(CollectionError::new(scope, extent, AwsError { code: ErrorCode::Malformed, message }));
            }
        }
    }
    PartialListing { items, errors }
}

fn repository_of(
    client: &Client,
    region: &Region,
    repository: &aws_sdk_ecr::types::Repository,
    scope: String,
) -> Result<EcrRepository, String> {
    let missing = |field: &str| format!("the response of ecr:DescribeRepositories has no {field}");
    let account = repository.registry_id().ok_or_else(|| missing("registryId"))?;
    let uri = repository.repository_uri().ok_or_else(|| missing("repositoryUri"))?;
    Ok(EcrRepository {
        client: client.clone(),
        region: region.clone(),
        account: account.parse().map_err(|error| format!("registryId {account:?}: {error}"))?,
        name: repository.repository_name().ok_or_else(|| missing("repositoryName"))?.to_owned(),
        arn: repository.repository_arn().and_then(|arn| arn.parse().ok()),
        repository: uri.parse().map_err(|error| format!("repositoryUri {uri:?}: {error}"))?,
        scope,
    })
}

/// The repository `name` at `account_region`; `None` if it does not exist.
pub(super) async fn repository(
    account_region: &AccountRegion,
    name: &str,
) -> Result<Option<Arc<EcrRepository>>, CollectionError> {
    let (region, client) = (&account_region.region, &account_region.session.ecr(&account_region.region));
    let scope = scope(region, name, account_region.session.account());
    let extent = AffectedScope { repository: Some(name.to_owned()), ..account_region.affected(DeploymentKind::Ecr) };
    let failed = |failure| CollectionError::new(scope.clone(), extent.clone(), failure);
    let response = match client.describe_repositories().repository_names(name).send().await {
        Ok(response) => response,
        Err(error) => {
            let failure = AwsError::from_sdk(&format!("ecr:DescribeRepositories of {name} in {region}"), &error);
            return if failure.code == ErrorCode::NotFound { Ok(None) } else { Err(failed(failure)) };
        }
    };
    let Some(found) = response.repositories().iter().find(|it| it.repository_name() == Some(name)) else {
        return Ok(None);
    };
    match repository_of(client, region, found, scope.clone()) {
        Ok(repository) => Ok(Some(Arc::new(repository))),
        Err(message) => Err(failed(AwsError { code: ErrorCode::Malformed, message })),
    }
}

/// The image `digest` of `repository` with those of its current tags that `settings` select; `None` if it does not
/// exist any more or is not an image.
pub(super) async fn image(
    repository: &EcrRepository,
    digest: &Digest,
    settings: &EcrSettings,
) -> Result<Option<EcrImage>, CollectionError> {
    let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
    let request = repository.client.describe_images().registry_id(repository.account.as_str());
    let details = match request.repository_name(&repository.name).image_ids(id).send().await {
        Ok(response) => response.image_details.unwrap_or_default(),
        Err(error) => {
            let failure = AwsError::from_sdk(&repository.call("DescribeImages"), &error);
            return if failure.code == ErrorCode::NotFound { Ok(None) } else { Err(repository.error(failure)) };
        }
    };
    let mut images = BTreeMap::new();
    for detail in details.iter().filter(|detail| is_image(detail)) {
        let image = image_of(detail);
        merge(
            &mut images,
            image.map_err(|message| repository.error(AwsError { code: ErrorCode::Malformed, message }))?,
        );
    }
    Ok(choose(images.into_values(), settings).into_iter().find(|image| image.digest == *digest))
}

/// All images of `repository`, including archived ones.
pub(in crate::inventory) async fn repository_images(
    repository: &EcrRepository,
) -> Result<RepositoryImages, CollectionError> {
    let filter =
        DescribeImagesFilter::builder().tag_status(TagStatus::Any).image_status(ImageStatusFilter::Any).build();
    let listed = details(repository, &filter, |detail| {
        let EcrImage { digest, tags, pushed_at } = image_of(detail)?;
        let is_archived = is_asleep(detail);
        let kind = detail.image_manifest_media_type().and_then(DigestKind::from_media_type);
        let is_index = kind == Some(DigestKind::Index);
        Ok(StoredImage { digest, tags, pushed_at, is_archived, is_index, attested: attested(detail) })
    })
    .await;
    match listed.errors.into_iter().next() {
        // With a partial list, no image can be reported as deleted.
        Some(error) => Err(error),
        None => Ok(listed.items.into_iter().collect()),
    }
}

/// The images of `repository` that `settings` select.
pub(super) async fn images(repository: &EcrRepository, settings: &EcrSettings) -> PartialListing<EcrImage> {
    let tag_status = if settings.untagged { TagStatus::Any } else { TagStatus::Tagged };
    // Without an image status, the API leaves archived images out (DescribeImagesFilter).
    let filter = DescribeImagesFilter::builder().tag_status(tag_status).build();
    let listed = details(repository, &filter, |detail| is_image(detail).then(|| image_of(detail)).transpose()).await;
    let mut images = BTreeMap::<Digest, EcrImage>::new();
    for image in listed.items.into_iter().flatten() {
        merge(&mut images, image);
    }
    PartialListing { items: choose(images.into_values(), settings), errors: listed.errors }
}

/// Applies `read` to each image that `DescribeImages` lists.
async fn details<T>(
    repository: &EcrRepository,
    filter: &DescribeImagesFilter,
    read: impl Fn(&ImageDetail) -> Result<T, String>,
) -> PartialListing<T> {
    let (scope, extent) = (repository.scope(), repository.extent(Some(DeploymentKind::Ecr)));
    let call = repository.call("DescribeImages");
    let listed = all_pages((&scope, extent), |token| async {
        let request = repository.client.describe_images();
        let request = request.registry_id(repository.account.as_str()).repository_name(&repository.name);
        let page = request.filter(filter.clone()).max_results(PAGE).set_next_token(token).send().await;
        let page = page.map_err(|error| AwsError::from_sdk(&call, &error))?;
        Ok(EcrPage { items: page.image_details().iter().map(&read).collect(), next: page.next_token })
    })
    .await;
    let mut errors = listed.errors;
    let mut items = Vec::new();
    for item in listed.items {
        match item {
            Ok(item) => items.push(item),
            Err(message) => errors.push(repository.error(AwsError { code: ErrorCode::Malformed, message })),
        }
    }
    PartialListing { items, errors }
}

/// The subject of an artifact that may hold provenance.
fn attested(detail: &ImageDetail) -> Option<Digest> {
    let may_hold = detail.artifact_media_type().is_none_or(may_hold_provenance);
    detail.subject_manifest_digest().filter(|_| may_hold)?.parse().ok()
}

fn is_asleep(detail: &ImageDetail) -> bool {
    matches!(detail.image_status(), Some(ImageStatus::Archived | ImageStatus::Activating))
}

/// Whether this is an image that can be pulled: not archived, and not an attestation, signature or chart.
fn is_image(detail: &ImageDetail) -> bool {
    let is_artifact = detail.artifact_media_type().is_some_and(|media_type| !IMAGE_CONFIGS.contains(&media_type));
    let tags = detail.image_tags();
    let only_referrer_tags = !tags.is_empty() && tags.iter().all(|tag| is_referrer_tag(tag));
    !is_asleep(detail) && !is_artifact && !only_referrer_tags && detail.subject_manifest_digest().is_none()
}

/// Whether a tag names a referrer instead of an image: `sha256-<hex>` of the referrers tag schema (OCI distribution
/// specification), with the suffix `.sig`, `.att` or `.sbom` for cosign.
fn is_referrer_tag(tag: &str) -> bool {
    let digest = tag.split_once('.').map_or(tag, |(digest, _)| digest);
    digest
        .strip_prefix("sha256-")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn image_of(detail: &ImageDetail) -> Result<EcrImage, String> {
    let text = detail.image_digest().unwrap_or_default();
    Ok(EcrImage {
        digest: text.parse().map_err(|error| format!("imageDigest {text:?}: {error}"))?,
        tags: detail.image_tags().iter().filter(|tag| !is_referrer_tag(tag)).cloned().collect(),
        pushed_at: detail.image_pushed_at().and_then(instant),
    })
}

/// ECR writes an instant as seconds with three decimals; as a binary fraction they are slightly off.
fn instant(at: &aws_sdk_ecr::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos()).map(|at| at.round_subsecs(3))
}

/// Emulators of ECR list an image once for each of its tags.
fn merge(images: &mut BTreeMap<Digest, EcrImage>, image: EcrImage) {
    match images.get_mut(&image.digest) {
        Some(known) => {
            known.tags.extend(image.tags);
            known.pushed_at = known.pushed_at.max(image.pushed_at);
        }
        None => drop(images.insert(image.digest.clone(), image)),
    }
}

/// The newest of the matching images, with their matching tags.
fn choose(images: impl Iterator<Item = EcrImage>, settings: &EcrSettings) -> Vec<EcrImage> {
    let mut chosen: Vec<_> = images
        .filter_map(|mut image| {
            let is_untagged = image.tags.is_empty();
            image.tags.retain(|tag| settings.tags.iter().any(|glob| glob.matches(tag)));
            (!image.tags.is_empty() || (is_untagged && settings.untagged)).then_some(image)
        })
        .collect();
    if let Some(newest) = settings.newest {
        chosen.sort_by(|a, b| b.pushed_at.cmp(&a.pushed_at).then_with(|| a.digest.cmp(&b.digest)));
        chosen.truncate(newest);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_signatures_are_distinguished_from_tags_of_images() {
        let hex = "a".repeat(64);
        for tag in [format!("sha256-{hex}"), format!("sha256-{hex}.sig"), format!("sha256-{hex}.att")] {
            assert!(is_referrer_tag(&tag), "{tag}");
        }
        for tag in ["sha256-abc.sig", "421", "sha256", "v1.sig"] {
            assert!(!is_referrer_tag(tag), "{tag}");
        }
    }

    #[test]
    fn an_instant_has_the_milliseconds_that_ecr_wrote() {
        let at = aws_sdk_ecr::primitives::DateTime::from_secs_f64(1_795_240_610.506);
        assert_ne!(at.subsec_nanos(), 506_000_000, "the fraction is binary");
        assert_eq!(instant(&at), DateTime::from_timestamp_millis(1_795_240_610_506));
    }
}
