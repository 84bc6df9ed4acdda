//! Releases of base repositories in private ECR: listed with `DescribeImages`, read with `BatchGetImage`, each once
//! ever.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

use super::{
    listing::{self, EcrRepository},
    manifests::{self, WantedManifests},
};
use crate::{
    aws::{AwsError, AwsSession},
    glob::{Glob, has_wildcards},
    image::{Digest, DigestContent, DigestKind, ErrorCode, ImageFacts, LambdaTag, PlatformRelease, Region, Repository},
    inventory::{
        AwsScope, EcrSettings, InventoryProgress, RegionSelection, RepositoryImages, Selector, StoredImage,
        account_region::AccountRegion,
        image_contents::{ImageContents, ManifestContent},
    },
    registry::EcrHost,
    store::{TagListRecord, TagObservation},
};

/// The most images of one repository that are listed, newest first.
const MOST_LISTED: usize = 10_000;
/// The most images of one repository that are read in one run, newest first. Later runs read the others.
const MOST_READ: usize = 500;

/// The base repositories in private ECR.
#[derive(Debug, Default)]
pub struct BaseRepositories {
    /// The images of each, as far as it could be listed.
    pub images: BTreeMap<Repository, Arc<RepositoryImages>>,
    /// The repositories or patterns that could not be read completely, each with the error.
    pub unread: Vec<(String, String)>,
}

/// A repository and its images.
type ListedRepository = (Arc<EcrRepository>, Arc<RepositoryImages>);

impl AwsScope {
    /// Reads the releases of the base `repositories` in private ECR, and of those that match `patterns`, into the
    /// catalog.
    ///
    /// A repository that cannot be listed affects no deployment: its moving tags are still read by digest.
    pub async fn read_bases(&self, mut repositories: BTreeSet<Repository>, patterns: &[&Glob]) -> BaseRepositories {
        let mut read = BaseRepositories::default();
        for pattern in patterns {
            match self.repositories_like(pattern).await {
                Ok(found) => repositories.extend(found),
                Err(failure) => read.note(pattern.as_str(), failure),
            }
        }
        let is_ecr = |repository: &Repository| EcrHost::parse(&repository.registry).is_some();
        let requests = repositories.into_iter().filter(is_ecr).map(|repository| async {
            let listed = self.list_base(&repository).await;
            (repository, listed)
        });
        let requests: Vec<_> = requests.collect();
        let listed: Vec<_> = stream::iter(requests).buffer_unordered(self.concurrency).collect().await;
        let mut bases = Vec::new();
        for (repository, listed) in listed {
            match listed {
                Ok(listed) => bases.push(listed),
                Err(failure) => read.note(&repository.to_string(), failure),
            }
        }
        let findings = self.read_unread(&bases).await;
        for (repository, stored) in bases {
            let repository = &repository.repository;
            self.remember_base(repository, &stored);
            if let Some(why) = self.note_artifacts(repository, &stored, &findings) {
                read.unread.push((repository.to_string(), why));
            }
            read.images.insert(repository.clone(), stored);
        }
        read
    }

    /// The repositories that match `pattern`, if that names one registry of private ECR and has wildcards in the
    /// repository.
    async fn repositories_like(&self, pattern: &Glob) -> Result<Vec<Repository>, AwsError> {
        let found = EcrHost::from_pattern(pattern.as_str()).filter(|(_, name)| has_wildcards(name));
        let Some((EcrHost { account, region }, name)) = found else { return Ok(Vec::new()) };
        let Ok(name) = name.parse::<Glob>() else { return Ok(Vec::new()) };
        let session = self.session_for_bases(account).await?;
        let Ok(region) = region.parse::<Region>() else { return Ok(Vec::new()) };
        let settings = EcrSettings {
            regions: RegionSelection::Listed(vec![region.clone()]),
            selector: Selector { include: vec![name], ..Selector::default() },
            tags: Vec::new(),
            newest: None,
            untagged: true,
        };
        let listed = listing::repositories(&AccountRegion { session, region }, &settings).await;
        match listed.errors.into_iter().next() {
            Some(error) => Err(AwsError { code: error.code, message: error.message }),
            None => Ok(listed.items.iter().map(|found| found.repository.clone()).collect()),
        }
    }

    /// The session to read `account` with. An account with a role of its own is allowed even if nothing runs there:
    /// many companies have an account for their bases.
    async fn session_for_bases(&self, account: &str) -> Result<Arc<AwsSession>, AwsError> {
        let session = self.aws.session_of(account).await?;
        if session.account().is_some_and(|own| own.as_str() == account) {
            self.allow(account);
        }
        Ok(session)
    }

    /// The images of `repository` in private ECR; `not-found` if its registry is not allowed.
    async fn list_base(&self, repository: &Repository) -> Result<ListedRepository, AwsError> {
        let not_found =
            || AwsError { code: ErrorCode::NotFound, message: format!("the registry of {repository} is not allowed") };
        let account = EcrHost::parse(&repository.registry).ok_or_else(not_found)?.account;
        let session = self.session_for_bases(account).await?;
        if !self.images.registry().is_allowed(repository) {
            return Err(not_found());
        }
        let repository = Arc::new(EcrRepository::parse(repository, &session).ok_or_else(not_found)?);
        let stored = self.repository_images(&repository).await;
        let stored = stored.map_err(|error| AwsError { code: error.code, message: error.message })?;
        Ok((repository, stored))
    }

    /// Reads the images of `bases` that the catalog does not have.
    async fn read_unread(&self, bases: &[ListedRepository]) -> ImageContents {
        let catalog = self.images.catalog();
        let mut wanted = WantedManifests::new();
        for (repository, stored) in bases {
            let artifacts = self.artifacts(&repository.repository);
            let known = self.known_releases(&repository.repository);
            let is_unread = |stored_image: &&StoredImage| {
                let is_known = artifacts.contains(&stored_image.digest) || known.contains_key(&stored_image.digest);
                !is_known && catalog.content(&stored_image.digest).is_none()
            };
            for stored_image in images(stored).into_iter().filter(is_unread).take(MOST_READ) {
                wanted.entry(stored_image.digest.clone()).or_default().push(Arc::clone(repository));
            }
        }
        let mut findings = ImageContents::default();
        // Base images are not counted: the inventory has been read.
        let progress = InventoryProgress::default();
        manifests::read(&self.images, self.concurrency, &progress, wanted, &mut findings).await;
        findings
    }

    /// Adds the images of `stored` to the catalog as releases of `repository`, and the digests of its dated tags.
    fn remember_base(&self, repository: &Repository, stored: &RepositoryImages) {
        let catalog = self.images.catalog();
        let known = self.known_releases(repository);
        for stored_image in images(stored)
            .into_iter()
            .filter(|stored_image| !known.get(&stored_image.digest).is_some_and(|it| it.has(stored_image)))
        {
            match catalog.content(&stored_image.digest).as_deref() {
                Some(DigestContent::Image(facts)) => {
                    self.remember_release(repository, stored_image, None, &stored_image.digest, facts);
                }
                Some(DigestContent::Index(index)) => {
                    for child in &index.children {
                        if let Some(DigestContent::Image(facts)) = catalog.content(&child.digest).as_deref() {
                            self.remember_release(
                                repository,
                                stored_image,
                                Some(&stored_image.digest),
                                &child.digest,
                                facts,
                            );
                        }
                    }
                }
                None => {}
            }
        }
        let is_dated = |tag: &&str| LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some());
        let dated: BTreeSet<_> = stored.tags().filter(is_dated).map(str::to_owned).collect();
        if dated.is_empty() {
            return;
        }
        catalog.update_repository(repository, |record| {
            for stored_image in stored.images() {
                let kind = if stored_image.is_index { DigestKind::Index } else { DigestKind::Manifest };
                for tag in stored_image.tags.iter().filter(|tag| dated.contains(*tag)) {
                    let seen = || TagObservation::new(stored_image.digest.clone(), Some(kind), self.seen_at);
                    record.carried.entry(tag.clone()).or_insert_with(seen);
                }
            }
            let dated = dated.into_iter().collect();
            record.tags = Some(TagListRecord { read_at: self.seen_at, is_complete: true, dated });
        });
    }

    /// The releases of `repository` in the catalog, by the digests of manifests and indexes.
    fn known_releases(&self, repository: &Repository) -> HashMap<Digest, StoredRelease> {
        let mut known: HashMap<Digest, StoredRelease> = HashMap::new();
        self.images.catalog().read_repository(repository, |record| {
            for release in record.releases.values() {
                for digest in release.index.iter().chain([&release.manifest]) {
                    let entry = known.entry(digest.clone()).or_default();
                    entry.tags.extend(release.tags.iter().cloned());
                    entry.first_seen = entry.first_seen.max(Some(release.first_seen));
                }
            }
        });
        known
    }

    fn remember_release(
        &self,
        repository: &Repository,
        stored_image: &StoredImage,
        index: Option<&Digest>,
        manifest: &Digest,
        facts: &ImageFacts,
    ) {
        // ECR received it then.
        let first_seen = stored_image.pushed_at.filter(|at| *at <= self.seen_at).unwrap_or(self.seen_at);
        if facts.platform.is_unknown() {
            return;
        }
        if let Some(release) = PlatformRelease::new(manifest.clone(), facts, first_seen) {
            let tags = stored_image.tags.iter().map(|tag| LambdaTag::release_of(tag)).collect();
            let release = PlatformRelease { tags, index: index.cloned(), ..release };
            self.images.catalog().add_release(repository, release);
        }
    }

    /// The digests in `repository` that are not images and need not be read again.
    fn artifacts(&self, repository: &Repository) -> BTreeSet<Digest> {
        self.images.catalog().get_note(&artifacts_name(repository)).unwrap_or_default()
    }

    /// Stores the digests that are not images. Returns the first error of the others, if any.
    fn note_artifacts(
        &self,
        repository: &Repository,
        stored: &RepositoryImages,
        findings: &ImageContents,
    ) -> Option<String> {
        let known = self.artifacts(repository);
        let mut artifacts = known.clone();
        let (mut count, mut first) = (0, None);
        for stored_image in
            images(stored).into_iter().filter(|stored_image| findings.has_tried(&stored_image.digest, Some(repository)))
        {
            match findings.get(&stored_image.digest, Some(repository)) {
                Ok(ManifestContent::Artifact) => drop(artifacts.insert(stored_image.digest.clone())),
                Ok(_) => {}
                Err(why) => {
                    count += 1;
                    first = first.or(Some(why.message));
                }
            }
        }
        if artifacts != known {
            self.images.catalog().put_note(&artifacts_name(repository), &artifacts);
        }
        first.map(|why| if count == 1 { why } else { format!("{why}, and {} more", count - 1) })
    }
}

/// A release as the catalog has it.
#[derive(Default)]
struct StoredRelease {
    tags: BTreeSet<String>,
    first_seen: Option<DateTime<Utc>>,
}

impl StoredRelease {
    /// Whether `stored_image` adds nothing to it.
    fn has(&self, stored_image: &StoredImage) -> bool {
        stored_image.pushed_at.is_none_or(|at| self.first_seen <= Some(at))
            && stored_image.tags.iter().all(|tag| self.tags.contains(&LambdaTag::release_of(tag)))
    }
}

impl BaseRepositories {
    /// Records that `scope` could not be listed. A missing repository or missing credentials are reported when its tags
    /// are read.
    fn note(&mut self, scope: &str, failure: AwsError) {
        if !matches!(failure.code, ErrorCode::NotFound | ErrorCode::Credentials) {
            self.unread.push((scope.to_owned(), failure.message));
        }
    }
}

/// The images of `stored` that can be pulled, newest first. Some may be other artifacts.
fn images(stored: &RepositoryImages) -> Vec<&StoredImage> {
    let mut images: Vec<_> =
        stored.images().filter(|stored_image| !stored_image.is_archived && stored_image.attested.is_none()).collect();
    images.sort_by_key(|stored_image| (Reverse(stored_image.pushed_at), &stored_image.digest));
    images.truncate(MOST_LISTED);
    images
}

fn artifacts_name(repository: &Repository) -> String {
    format!("artifacts/{}/{}", repository.registry, repository.name)
}
