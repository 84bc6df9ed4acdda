//! Private ECR in memory: repositories by region, listed in pages, images in hundreds.

use basewatch::image::Digest;
use serde_json::{Map, Value, json};

use crate::aws_replay::{Answer, Call};

/// The account of all repositories.
pub const ACCOUNT: &str = "123456789012";
/// The media types of the fixtures.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An index of images.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image in a repository.
#[derive(Clone)]
pub struct Image {
    /// The manifest's bytes.
    pub manifest: String,
    media_type: &'static str,
    tags: Vec<String>,
    pushed_at: u32,
    details: Map<String, Value>,
    digest: Digest,
}

impl Image {
    /// A manifest without tags.
    pub fn new(media_type: &'static str, manifest: String) -> Self {
        let digest = Digest::sha256(manifest.as_bytes());
        Self { manifest, media_type, tags: Vec::new(), pushed_at: 0, details: Map::new(), digest }
    }

    /// The same with these tags.
    pub fn tagged(self, tags: &[&str]) -> Self {
        Self { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..self }
    }

    /// The same, pushed at this second.
    pub fn pushed_at(self, pushed_at: u32) -> Self {
        Self { pushed_at, ..self }
    }

    /// The same with a field of `ImageDetail`.
    pub fn detail(mut self, name: &str, value: &str) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Its digest.
    pub fn digest(&self) -> Digest {
        self.digest.clone()
    }

    fn described(&self) -> Value {
        let mut described = self.details.clone();
        described.insert("imageDigest".into(), self.digest().as_str().into());
        described.insert("imageManifestMediaType".into(), self.media_type.into());
        described.insert("imagePushedAt".into(), self.pushed_at.into());
        if !self.tags.is_empty() {
            described.insert("imageTags".into(), self.tags.clone().into());
        }
        Value::Object(described)
    }
}

/// The repositories of all regions.
#[derive(Clone, Default)]
pub struct EcrModel {
    repositories: Vec<(String, String, Vec<Image>)>,
    page: Option<usize>,
}

impl EcrModel {
    /// The same with a repository.
    pub fn with(mut self, region: &str, name: &str, images: impl IntoIterator<Item = Image>) -> Self {
        self.repositories.push((region.to_owned(), name.to_owned(), images.into_iter().collect()));
        self
    }

    /// The same with so many entries a page.
    pub fn paged(self, page: usize) -> Self {
        Self { page: Some(page), ..self }
    }

    /// The response of ECR.
    pub fn answer(&self, call: &Call) -> Answer {
        match call.operation.as_str() {
            "DescribeRepositories" => self.describe_repositories(call),
            "DescribeImages" => self.images(call).map_or_else(Into::into, |images| {
                let described: Vec<_> = images.iter().map(Image::described).collect();
                self.paged_response(call, "imageDetails", &described)
            }),
            "BatchGetImage" => self.images(call).map_or_else(Into::into, |images| batch_get_image(call, images)),
            other => Answer::error("UnknownOperationException", other),
        }
    }

    fn describe_repositories(&self, call: &Call) -> Answer {
        let region = region(call);
        let here = self.repositories.iter().filter(|(at, _, _)| *at == region);
        let described = here.map(|(_, name, _)| {
            json!({
                "repositoryName": name,
                "registryId": ACCOUNT,
                "repositoryArn": format!("arn:aws:ecr:{region}:{ACCOUNT}:repository/{name}"),
                "repositoryUri": format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{name}"),
            })
        });
        self.paged_response(call, "repositories", &described.collect::<Vec<_>>())
    }

    fn images(&self, call: &Call) -> Result<&[Image], Missing> {
        let here =
            self.repositories.iter().find(|(at, name, _)| *at == region(call) && call.body["repositoryName"] == **name);
        here.map(|(_, _, images)| images.as_slice()).ok_or(Missing)
    }

    fn paged_response(&self, call: &Call, field: &str, items: &[Value]) -> Answer {
        let start: usize = call.body["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let requested = call.body["maxResults"].as_u64().unwrap_or(100);
        assert!(requested <= 1000, "the API rejects more than a thousand");
        let end = items.len().min(start + self.page.unwrap_or(usize::try_from(requested).unwrap()));
        let mut response = json!({ field: items[start..end] });
        if end < items.len() {
            response["nextToken"] = end.to_string().into();
        }
        Answer::ok(response)
    }
}

/// No such repository.
pub struct Missing;

impl From<Missing> for Answer {
    fn from(_: Missing) -> Self {
        Self::error("RepositoryNotFoundException", "The repository does not exist in the registry")
    }
}

fn region(call: &Call) -> String {
    call.host.split('.').nth(2).unwrap_or_default().to_owned()
}

fn batch_get_image(call: &Call, images: &[Image]) -> Answer {
    let ids = call.body["imageIds"].as_array().unwrap();
    if ids.is_empty() || ids.len() > 100 {
        return Answer::error("InvalidParameterException", "imageIds must have 1 to 100 members");
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for id in ids {
        match images.iter().find(|image| id["imageDigest"] == image.digest().as_str()) {
            Some(image) => found.push(json!({
                "imageId": id, "imageManifest": image.manifest, "imageManifestMediaType": image.media_type,
            })),
            None => failures.push(json!({
                "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found",
            })),
        }
    }
    Answer::ok(json!({ "images": found, "failures": failures }))
}
