//! ECR images: details and manifests.

use serde_json::{Value, json};

use super::{
    CloudImage, CloudRepository, ImageStatus,
    wire::{EcrCall, LIMITS},
};
use crate::aws::{
    paging::{PageLimits, page},
    reply::{CallRefusal, replace_fields},
};

/// The maximum number of images in one call.
const MOST_IDS: usize = 100;
/// The page sizes of referrers: default and maximum.
const REFERRERS: PageLimits = PageLimits { default: 20, most: 50 };

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>
pub(super) fn describe(here: &EcrCall<'_>, repository: &CloudRepository) -> Result<Value, CallRefusal> {
    let filter = here.request.body.get("filter");
    let requested = |name: &str| filter.and_then(|filter| filter.get(name)).and_then(Value::as_str);
    let (tag_status, status) = (requested("tagStatus").unwrap_or("ANY"), requested("imageStatus").unwrap_or("ACTIVE"));
    if !["ANY", "TAGGED", "UNTAGGED"].contains(&tag_status) {
        return Err(CallRefusal::invalid(here.request, format!("tagStatus cannot be {tag_status}")));
    }
    if !["ANY", "ACTIVE", "ARCHIVED", "ACTIVATING"].contains(&status) {
        return Err(CallRefusal::invalid(here.request, format!("imageStatus cannot be {status}")));
    }
    let holds = |image: &CloudImage| {
        let tags_hold = tag_status == "ANY" || (tag_status == "UNTAGGED") == image.tags.is_empty();
        tags_hold && (status == "ANY" || status == image.status.word())
    };
    let details = |images: &[&CloudImage]| images.iter().map(|image| detail(here, image)).collect::<Vec<_>>();
    let Some(ids) = ids(here)? else {
        let images = repository.images.values().filter(|image| holds(image));
        let page = page(here.request, images, ("nextToken", "maxResults"), LIMITS)?;
        return Ok(json!({ "imageDetails": details(&page.items), "nextToken": page.next }));
    };
    if here.request.body.get("maxResults").is_some() || here.request.body.get("nextToken").is_some() {
        return Err(CallRefusal::invalid(here.request, "maxResults and nextToken cannot be used with imageIds"));
    }
    let mut images: Vec<&CloudImage> = Vec::new();
    for id in ids {
        let image = find(repository, id).ok().filter(|image| holds(image)).ok_or_else(|| missing(here, id))?;
        if images.iter().all(|known| known.digest != image.digest) {
            images.push(image);
        }
    }
    Ok(json!({ "imageDetails": details(&images) }))
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html>
pub(super) fn batch_get(here: &EcrCall<'_>, repository: &CloudRepository) -> Result<Value, CallRefusal> {
    let ids = ids(here)?.ok_or_else(|| CallRefusal::invalid(here.request, "imageIds must have 1 to 100 members"))?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for id in ids {
        let image = find(repository, id).and_then(|image| match image.status {
            ImageStatus::Active => Ok(image),
            ImageStatus::Archived => Err(("ImageInaccessible", "Requested image is archived")),
        });
        match image {
            Ok(image) => found.push(json!({
                "registryId": here.owner,
                "repositoryName": here.repository_name(),
                "imageId": { "imageDigest": image.digest, "imageTag": id.get("imageTag") },
                "imageManifest": String::from_utf8_lossy(&image.manifest),
                "imageManifestMediaType": image.media_type,
            })),
            Err((code, reason)) => {
                failures.push(json!({ "imageId": id, "failureCode": code, "failureReason": reason }));
            }
        }
    }
    Ok(json!({ "images": found, "failures": failures }))
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html>
pub(super) fn referrers(here: &EcrCall<'_>, repository: &CloudRepository) -> Result<Value, CallRefusal> {
    let subject = here.request.body["subjectId"]["imageDigest"].as_str();
    let subject = subject.ok_or_else(|| CallRefusal::invalid(here.request, "subjectId must have an imageDigest"))?;
    let requested = here.request.body["filter"]["artifactStatus"].as_str().unwrap_or("ACTIVE");
    let listed = repository.images.values().filter_map(|image| {
        let document = image.document();
        let is_wanted = requested == "ANY" || requested == image.status.word();
        (document["subject"]["digest"] == subject && is_wanted).then(|| {
            let mut referrer = json!({
                "digest": image.digest, "mediaType": image.media_type, "size": image.manifest.len(),
                "artifactStatus": image.status.word(),
            });
            for key in ["artifactType", "annotations"] {
                if let Some(value) = document.get(key) {
                    referrer[key] = value.clone();
                }
            }
            referrer
        })
    });
    let page = page(here.request, listed, ("nextToken", "maxResults"), REFERRERS)?;
    Ok(json!({ "referrers": page.items, "nextToken": page.next }))
}

/// The images that the call names, if it names any.
fn ids<'a>(here: &EcrCall<'a>) -> Result<Option<&'a Vec<Value>>, CallRefusal> {
    match here.request.body.get("imageIds").and_then(Value::as_array) {
        Some(ids) if ids.is_empty() || ids.len() > MOST_IDS => {
            Err(CallRefusal::invalid(here.request, format!("imageIds must have 1 to {MOST_IDS} members")))
        }
        ids => Ok(ids),
    }
}

/// The image that `id` names, or the code and message of the failure.
fn find<'a>(repository: &'a CloudRepository, id: &Value) -> Result<&'a CloudImage, (&'static str, &'static str)> {
    let (digest, tag) = (id["imageDigest"].as_str(), id["imageTag"].as_str());
    let by_digest = |digest: &str| Some(repository.images.get(&digest.parse().ok()?));
    let by_tag = |tag: &str| repository.images.values().find(|image| image.tags.iter().any(|known| known == tag));
    match (digest, tag) {
        (None, None) => Err(("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")),
        (Some(digest), tag) => {
            let image = by_digest(digest).ok_or(("InvalidImageDigest", "Invalid image digest"))?;
            let image = image.ok_or(("ImageNotFound", "Requested image not found"))?;
            let agrees = tag.is_none_or(|tag| image.tags.iter().any(|known| known == tag));
            agrees.then_some(image).ok_or(("ImageTagDoesNotMatchDigest", "Tag and digest name different images"))
        }
        (None, Some(tag)) => by_tag(tag).ok_or(("ImageNotFound", "Requested image not found")),
    }
}

fn missing(here: &EcrCall<'_>, id: &Value) -> CallRefusal {
    let part = |name: &str| id[name].as_str().unwrap_or("null");
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name \
         '{}' in the registry with id '{}'",
        part("imageDigest"),
        part("imageTag"),
        here.repository_name(),
        here.owner,
    );
    CallRefusal::new(400, "ImageNotFoundException", message)
}

/// The metadata of an image without its manifest
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html>).
fn detail(here: &EcrCall<'_>, image: &CloudImage) -> Value {
    let document = image.document();
    let layers = document["layers"].as_array().into_iter().flatten();
    let size = layers.filter_map(|layer| layer["size"].as_u64()).sum::<u64>();
    let pushed_at = image.pushed_at.timestamp();
    let mut detail = json!({
        "registryId": here.owner,
        "repositoryName": here.repository_name(),
        "imageDigest": image.digest,
        "imageSizeInBytes": size,
        "imagePushedAt": pushed_at,
        "imageManifestMediaType": image.media_type,
        "imageStatus": image.status.word(),
    });
    if !image.tags.is_empty() {
        detail["imageTags"] = json!(image.tags);
    }
    // Absent for indexes (DataBiosphere/azul#6446).
    let artifact = document.get("artifactType").or_else(|| document["config"].get("mediaType"));
    if let Some(media_type) = artifact {
        detail["artifactMediaType"] = media_type.clone();
    }
    if let Some(subject) = document["subject"].get("digest") {
        detail["subjectManifestDigest"] = subject.clone();
    }
    if image.status == ImageStatus::Archived {
        detail["lastArchivedAt"] = json!(pushed_at);
    }
    replace_fields(&mut detail, &image.fields);
    detail
}
