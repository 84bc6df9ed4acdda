//! Reads manifests with `BatchGetImage`, a hundred a call, each digest once, and only those that the catalog does not
//! have.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use aws_sdk_ecr::{
    operation::batch_get_image::BatchGetImageOutput,
    types::{ImageFailure, ImageIdentifier},
};
use futures::{Stream, StreamExt, lock::Mutex, stream};
use serde::{Deserialize, Deserializer};

use super::{
    listing::{EcrRepository, IMAGE_CONFIGS},
    response_size_limit::ResponseSizeLimit,
};
use crate::{
    aws::AwsError,
    image::{Digest, MANIFEST_MEDIA_TYPES, ManifestDocument, each_entry},
    inventory::{
        ImageError, ImageErrorCode, InventoryProgress,
        image_contents::{ImageContents, ManifestContent},
    },
    store::ImageReader,
};

/// The most images one `BatchGetImage` may name (its API model).
const BATCH: usize = 100;

/// The largest response that is read concurrently with others, in bytes. A hundred ordinary manifests are smaller.
const ANSWER_BYTES: u64 = 2 << 20;
/// The largest response with one manifest, in bytes: four megabytes in JSON, where one character may take six bytes.
const MANIFEST_ANSWER_BYTES: u64 = 25 << 20;

/// The media type prefixes of file system layers.
const FILE_SYSTEMS: [&str; 2] = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];

/// The digests to read, each with the repositories that have it.
pub(in crate::inventory) type WantedManifests = BTreeMap<Digest, Vec<Arc<EcrRepository>>>;

/// A manifest as ECR returned it.
enum ManifestBody {
    Document(ManifestDocument),
    Artifact,
}

/// Reads the digests of `wanted` into `findings`. If one repository fails, the digest is read from the next one that
/// has it: one round for each repository that shares a digest, nearly always one. What is read is counted in `progress`.
pub(in crate::inventory) async fn read(
    images: &Arc<ImageReader>,
    concurrency: usize,
    progress: &InventoryProgress,
    mut wanted: WantedManifests,
    findings: &mut ImageContents,
) {
    while !wanted.is_empty() {
        let mut by_repository = BTreeMap::<_, (Arc<EcrRepository>, Vec<Digest>)>::new();
        wanted.retain(|digest, holders| {
            if findings.has(digest) {
                return false;
            }
            if let Some(known) = images.catalog().content(digest) {
                if let Some(holder) = holders.last() {
                    images.announce(&holder.repository, digest, &known);
                }
                findings.add(digest.clone(), None, Ok(ManifestContent::from(known)));
                return false;
            }
            let Some(holder) = holders.pop() else { return false };
            let batch = by_repository.entry(holder.repository.clone()).or_insert_with(|| (holder, Vec::new()));
            batch.1.push(digest.clone());
            true
        });
        let batches: Vec<_> = by_repository
            .into_values()
            .flat_map(|(repository, digests)| {
                digests.chunks(BATCH).map(|chunk| (Arc::clone(&repository), chunk.to_vec())).collect::<Vec<_>>()
            })
            .collect();
        progress.update(|all| all.images.total += wanted.len());
        let mut responses = Box::pin(responses(images, concurrency, batches));
        while let Some((repository, digest, found)) = responses.next().await {
            progress.update(|all| all.images.done += 1);
            findings.add(digest, Some(repository.repository.clone()), found);
        }
    }
}

type ManifestResult<T> = (Arc<EcrRepository>, Digest, Result<T, ImageError>);

/// The manifests of `batches`, and the configurations of those that are images.
fn responses(
    images: &Arc<ImageReader>,
    concurrency: usize,
    batches: Vec<(Arc<EcrRepository>, Vec<Digest>)>,
) -> impl Stream<Item = ManifestResult<ManifestContent>> {
    let images = Arc::clone(images);
    let alone = Arc::<Mutex<()>>::default();
    stream::iter(batches)
        .map(move |(repository, digests)| fetch(repository, digests, Arc::clone(&alone)))
        .buffer_unordered(concurrency)
        .flat_map(stream::iter)
        .map(move |response| complete(Arc::clone(&images), response))
        .buffer_unordered(concurrency)
}

async fn complete(
    images: Arc<ImageReader>,
    (repository, digest, body): ManifestResult<ManifestBody>,
) -> ManifestResult<ManifestContent> {
    let found = match body {
        Err(why) => Err(why),
        Ok(ManifestBody::Artifact) => Ok(ManifestContent::Artifact),
        Ok(ManifestBody::Document(document)) => {
            match images.complete(&repository.repository, &digest, document).await {
                Ok(known) => {
                    images.announce(&repository.repository, &digest, &known);
                    Ok(ManifestContent::from(known))
                }
                Err(error) => Err(ImageError::from_registry(&error)),
            }
        }
    };
    (repository, digest, found)
}

/// The manifests of `digests` in `repository`. If they exceed one response, each half is read by itself, and holds
/// `alone`, which limits large responses to one at a time.
async fn fetch(
    repository: Arc<EcrRepository>,
    digests: Vec<Digest>,
    alone: Arc<Mutex<()>>,
) -> Vec<ManifestResult<ManifestBody>> {
    if let Some(bodies) = batch(&repository, &digests, ANSWER_BYTES).await {
        return bodies;
    }
    let _alone = alone.lock().await;
    let mut bodies = Vec::new();
    let mut halves = vec![digests];
    while let Some(mut digests) = halves.pop() {
        let half = digests.split_off(digests.len() / 2);
        for digests in [digests, half].into_iter().filter(|digests| !digests.is_empty()) {
            let most_bytes = if digests.len() == 1 { MANIFEST_ANSWER_BYTES } else { ANSWER_BYTES };
            match batch(&repository, &digests, most_bytes).await {
                Some(read) => bodies.extend(read),
                None if digests.len() > 1 => halves.push(digests),
                None => bodies.extend(digests.into_iter().map(|digest| {
                    let why = ImageError::new(
                        ImageErrorCode::RegistryMalformed,
                        format!("the manifest of {digest} is too large"),
                    );
                    (Arc::clone(&repository), digest, Err(why))
                })),
            }
        }
    }
    bodies
}

/// The same in one call; `None` if the response exceeds `most_bytes`.
async fn batch(
    repository: &Arc<EcrRepository>,
    digests: &[Digest],
    most_bytes: u64,
) -> Option<Vec<ManifestResult<ManifestBody>>> {
    let ids = digests.iter().map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build());
    let call = repository.call("BatchGetImage");
    let limit = ResponseSizeLimit::new(most_bytes);
    let response = repository
        .client
        .batch_get_image()
        .registry_id(repository.account.as_str())
        .repository_name(&repository.name)
        .set_image_ids(Some(ids.collect()))
        .set_accepted_media_types(Some(MANIFEST_MEDIA_TYPES.map(str::to_owned).to_vec()))
        .customize()
        .interceptor(limit.clone())
        .send()
        .await
        .map_err(|error| ImageError::from_aws(&AwsError::from_sdk(&call, &error)));
    if limit.was_larger() {
        return None;
    }
    let mut bodies = match response {
        Ok(response) => bodies(&call, response),
        Err(why) => digests.iter().map(|digest| (digest.clone(), Err(why.clone()))).collect(),
    };
    let silent =
        || Err(ImageError::new(ImageErrorCode::RegistryMalformed, format!("{call}: the response does not include it")));
    let responses = digests.iter().map(|digest| {
        let body = bodies.remove(digest).unwrap_or_else(silent);
        (Arc::clone(repository), digest.clone(), body)
    });
    Some(responses.collect())
}

/// Images and failures of a response, by digest: both come in one HTTP 200.
fn bodies(call: &str, response: BatchGetImageOutput) -> HashMap<Digest, Result<ManifestBody, ImageError>> {
    let digest_of = |id: Option<&ImageIdentifier>| id?.image_digest()?.parse::<Digest>().ok();
    let mut bodies = HashMap::new();
    for failure in response.failures.unwrap_or_default() {
        if let Some(digest) = digest_of(failure.image_id()) {
            bodies.insert(digest, Err(refusal(call, &failure)));
        }
    }
    for image in response.images.unwrap_or_default() {
        if let Some(digest) = digest_of(image.image_id()) {
            let manifest = image.image_manifest().unwrap_or_default();
            let body = parse(&digest, manifest.as_bytes(), image.image_manifest_media_type());
            bodies.insert(digest, body);
        }
    }
    bodies
}

fn refusal(call: &str, failure: &ImageFailure) -> ImageError {
    let reported = failure.failure_code().map_or("no failureCode", |code| code.as_str());
    let code = match reported {
        "ImageNotFound" | "ImageTagDoesNotMatchDigest" => ImageErrorCode::ImageMissing,
        "ImageInaccessible" | "KmsError" | "UpstreamAccessDenied" => ImageErrorCode::RegistryDenied,
        "UpstreamTooManyRequests" => ImageErrorCode::RegistryThrottled,
        "InvalidImageDigest" | "InvalidImageTag" | "MissingDigestAndTag" => ImageErrorCode::RegistryMalformed,
        _ => ImageErrorCode::RegistryUnreachable,
    };
    let reason = failure.failure_reason().map(|reason| format!(": {reason}")).unwrap_or_default();
    ImageError::new(code, format!("{call}: {reported}{reason}"))
}

fn parse(digest: &Digest, body: &[u8], media_type: Option<&str>) -> Result<ManifestBody, ImageError> {
    if !digest.matches(body) {
        let message = format!("ECR's manifest of {digest} has digest {}", Digest::sha256(body));
        return Err(ImageError::new(ImageErrorCode::RegistryMalformed, message));
    }
    if serde_json::from_slice::<ManifestProbe>(body).is_ok_and(|outline| outline.is_artifact()) {
        return Ok(ManifestBody::Artifact);
    }
    ManifestDocument::parse(body, media_type)
        .map(ManifestBody::Document)
        .map_err(|error| ImageError::new(ImageErrorCode::ImageMalformed, format!("the manifest of {digest}: {error}")))
}

/// The fields that distinguish the manifest of an image from that of another artifact.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestProbe {
    config: Option<TypedDescriptor>,
    #[serde(default, rename = "layers", deserialize_with = "has_file_system")]
    has_file_system: Option<bool>,
}

/// Whether one of the layers is a file system; `None` without layers. The list is not kept: it may have a million
/// entries.
fn has_file_system<'de, D: Deserializer<'de>>(field: D) -> Result<Option<bool>, D::Error> {
    let is_file_system =
        |media_type: &str| media_type.is_empty() || FILE_SYSTEMS.iter().any(|kind| media_type.starts_with(kind));
    let mut found = None;
    each_entry(field, |layer: TypedDescriptor| {
        found = Some(found.unwrap_or_default() || is_file_system(layer.media_type()));
    })?;
    Ok(found)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypedDescriptor {
    media_type: Option<String>,
}

impl TypedDescriptor {
    fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or_default()
    }
}

impl ManifestProbe {
    /// BuildKit's attestations and cosign's signatures have the configuration media type of an image. Only their
    /// layers, none of which is a file system, show what they are.
    fn is_artifact(&self) -> bool {
        let is_image_config = |media_type: &str| media_type.is_empty() || IMAGE_CONFIGS.contains(&media_type);
        self.config.as_ref().is_some_and(|config| !is_image_config(config.media_type()))
            || self.has_file_system == Some(false)
    }
}
