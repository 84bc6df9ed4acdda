//! OCI image layout folders as deployments, as `buildah`, `skopeo` and `docker buildx` write them.
//!
//! Paths are built from validated digests only, every file has a size limit, and every blob is verified (OCI image
//! specification, image-layout.md).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::BoxFuture;

use super::{
    AffectedScope, CollectionError, DeployedImage, Deployment, DeploymentKind, ImageError, ImageErrorCode, ImageSource,
    Inventory, InventoryResult,
    deployment_draft::DeploymentDraft,
    image_contents::{INDEX_DEPTH, ImageContents, ManifestContent},
};
use crate::{
    image::{
        BuildMaterial, ChildManifest, Digest, DigestContent, ErrorCode, ImageFacts, LayoutEntry, ManifestDocument,
        Provenance, UnusableAttestation, build_materials, layout_entries,
    },
    store::SharedContent,
};

/// The largest manifest or index that is read, in bytes: the limit that registries have to accept at least.
const MANIFEST_BYTES: u64 = 4 << 20;
/// The largest image configuration that is read.
const CONFIG_BYTES: u64 = 8 << 20;
/// The largest statement of an attestation that is read.
const STATEMENT_BYTES: u64 = 8 << 20;

/// Images in OCI layout folders.
pub struct LayoutInventory {
    layouts: Vec<(PathBuf, Option<String>)>,
}

impl LayoutInventory {
    /// The images with these tags in these folders; all images of a folder without a tag.
    #[must_use]
    pub fn new(mut layouts: Vec<(PathBuf, Option<String>)>) -> Self {
        layouts.sort();
        layouts.dedup();
        Self { layouts }
    }
}

impl Inventory for LayoutInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        Box::pin(async move {
            let layouts = self.layouts.clone();
            let read = tokio::task::spawn_blocking(move || {
                layouts.iter().flat_map(|(folder, tag)| deployments(folder, tag.as_deref())).collect()
            });
            match read.await {
                Ok(deployments) => InventoryResult { deployments, ..InventoryResult::default() },
                Err(error) => InventoryResult {
                    errors: vec![CollectionError {
                        scope: "layouts".into(),
                        affected: AffectedScope { kind: Some(DeploymentKind::Layout), ..AffectedScope::default() },
                        code: ErrorCode::Failed,
                        message: error.to_string(),
                    }],
                    ..InventoryResult::default()
                },
            }
        })
    }
}

fn deployments(folder: &Path, tag: Option<&str>) -> Vec<Deployment> {
    let entries = entries(folder).and_then(|entries| select(folder, entries, tag));
    let images: Vec<_> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| LayoutImage::read(folder, entry)).collect(),
        Err(why) => return vec![draft(folder, tag, None).unreadable(why)],
    };
    // Missing platforms are reported only if no image of that name is present.
    let stored: BTreeSet<_> =
        images.iter().filter(|image| !image.is_missing()).map(|image| image.name.clone()).collect();
    let is_reported = |image: &LayoutImage| !image.is_missing() || !stored.contains(&image.name);
    let reported = images.into_iter().filter(is_reported);
    let mut deployments: Vec<_> = reported.flat_map(|image| image.deployments(folder)).collect();
    tell_apart(&mut deployments);
    deployments
}

/// Makes ids unique: entries may share a tag, one for each platform.
fn tell_apart(deployments: &mut [Deployment]) {
    let mut counts = BTreeMap::<String, usize>::new();
    for deployment in &*deployments {
        *counts.entry(deployment.id.clone()).or_default() += 1;
    }
    for deployment in deployments.iter_mut().filter(|deployment| counts[&deployment.id] > 1) {
        let digest = match &deployment.image {
            Ok(image) => Some(&image.digest),
            Err(why) => why.digest.as_ref(),
        };
        deployment.id = format!("{}@{}", deployment.id, digest.map_or("", Digest::short));
    }
}

fn draft(folder: &Path, tag: Option<&str>, digest: Option<&Digest>) -> DeploymentDraft {
    let reference = ImageSource::Layout { folder: folder.to_owned(), tag: tag.map(str::to_owned) };
    let name = match (tag, digest) {
        (None, Some(digest)) => format!("{reference}@{digest}"),
        _ => reference.to_string(),
    };
    Deployment::unread(DeploymentKind::Layout, name.clone(), name, reference).into()
}

/// The entries of `index.json`, attestations left out.
fn entries(folder: &Path) -> Result<Vec<LayoutEntry>, ImageError> {
    if !folder.is_dir() {
        return Err(ImageError::new(ImageErrorCode::ImageMissing, format!("there is no folder {}", folder.display())));
    }
    let no_layout = |why: String| {
        ImageError::new(ImageErrorCode::ImageMalformed, format!("{} is not an OCI layout: {why}", folder.display()))
    };
    let marker = read_file(&folder.join("oci-layout"), MANIFEST_BYTES).map_err(|error| no_layout(error.to_string()))?;
    let version = serde_json::from_slice::<serde_json::Value>(&marker).ok();
    let version = version.as_ref().and_then(|marker| marker.get("imageLayoutVersion")?.as_str());
    if !version.is_some_and(|version| version.starts_with("1.")) {
        return Err(no_layout("its oci-layout file does not have imageLayoutVersion 1".into()));
    }
    let index = read_file(&folder.join("index.json"), MANIFEST_BYTES).map_err(|error| no_layout(error.to_string()))?;
    layout_entries(&index).map_err(|error| no_layout(format!("index.json: {error}")))
}

/// The entries that `tag` selects. Some tools write a whole reference as the tag; its end counts if no entry has
/// exactly this tag.
fn select(folder: &Path, entries: Vec<LayoutEntry>, tag: Option<&str>) -> Result<Vec<LayoutEntry>, ImageError> {
    if entries.is_empty() {
        return Err(ImageError::new(
            ImageErrorCode::ImageMissing,
            format!("there is no image in {}", folder.display()),
        ));
    }
    let Some(tag) = tag else { return Ok(entries) };
    let is_exact = |entry: &LayoutEntry| entry.name.as_deref() == Some(tag);
    let ends_so = |entry: &LayoutEntry| {
        entry.name.as_deref().and_then(|name| name.rsplit_once(':')).is_some_and(|(_, ending)| ending == tag)
    };
    let has_exact = entries.iter().any(is_exact);
    let tags: Vec<_> = entries.iter().filter_map(|entry| entry.name.clone()).collect();
    let chosen: Vec<_> = entries
        .into_iter()
        .filter(|entry| if has_exact { is_exact(entry) } else { ends_so(entry) })
        .map(|entry| LayoutEntry { name: Some(tag.to_owned()), ..entry })
        .collect();
    if chosen.is_empty() {
        let there_are =
            if tags.is_empty() { "its images have no tags".to_owned() } else { format!("it has {}", tags.join(", ")) };
        let message = format!("there is no tag {tag} in {}; {there_are}", folder.display());
        return Err(ImageError::new(ImageErrorCode::ImageMissing, message));
    }
    Ok(chosen)
}

/// An entry, with the contents that the folder has of it.
struct LayoutImage {
    name: Option<String>,
    child: ChildManifest,
    findings: ImageContents,
}

impl LayoutImage {
    fn read(folder: &Path, LayoutEntry { child, name }: LayoutEntry) -> Self {
        let mut findings = ImageContents::default();
        findings.add(child.digest.clone(), None, read_image(folder, &child.digest));
        for _ in 0..INDEX_DEPTH {
            let images = findings.images(&child.digest).into_iter().map(|image| image.child.digest);
            let unread: BTreeSet<_> = images.filter(|digest| !findings.has_tried(digest, None)).collect();
            if unread.is_empty() {
                break;
            }
            for digest in unread {
                let found = read_image(folder, &digest);
                findings.add(digest, None, found);
            }
        }
        findings.leave_out_missing(&child.digest);
        Self { name, child, findings }
    }

    /// Whether the folder lacks it.
    fn is_missing(&self) -> bool {
        self.findings.is_missing(&self.child.digest)
    }

    fn deployments(self, folder: &Path) -> Vec<Deployment> {
        let Self { name, child, findings } = self;
        let draft = draft(folder, name.as_deref(), Some(&child.digest));
        DeploymentDraft { descriptor_annotations: Arc::new(child.annotations), ..draft }
            .deployments(&child.digest, &findings)
    }
}

fn read_image(folder: &Path, digest: &Digest) -> Result<ManifestContent, ImageError> {
    let malformed = |error: &dyn std::fmt::Display| {
        ImageError::new(ImageErrorCode::ImageMalformed, format!("{digest} is malformed: {error}"))
    };
    let body = read_blob(folder, digest, MANIFEST_BYTES)?;
    match ManifestDocument::parse(&body, None).map_err(|error| malformed(&error))? {
        ManifestDocument::Index(index) => Ok(ManifestContent::from(SharedContent::new(DigestContent::Index(index)))),
        ManifestDocument::Manifest(manifest) => {
            let config = read_blob(folder, &manifest.config, CONFIG_BYTES)?;
            let facts = ImageFacts::read(manifest, &config).map_err(|error| malformed(&error))?;
            Ok(ManifestContent::from(SharedContent::new(DigestContent::Image(facts))))
        }
    }
}

/// The provenance of `image` in `folder`, from its attestations there.
pub async fn layout_provenance(folder: &Path, image: &DeployedImage) -> Provenance {
    let (folder, image) = (folder.to_owned(), image.clone());
    let read = tokio::task::spawn_blocking(move || {
        let mut provenance = Provenance { attestation_count: image.attestations.len(), ..Provenance::default() };
        for digest in &*image.attestations {
            match read_attestation(&folder, digest, &image.digest) {
                Ok(materials) => provenance.materials.extend(materials),
                Err(why) => provenance.unusable.push(UnusableAttestation { digest: digest.clone(), why }),
            }
        }
        provenance
    });
    read.await.unwrap_or_default()
}

/// The images that the build of `image` pulled, by the attestation `digest`, or why it is unusable.
fn read_attestation(folder: &Path, digest: &Digest, image: &Digest) -> Result<Vec<BuildMaterial>, String> {
    let body = read_blob(folder, digest, MANIFEST_BYTES).map_err(|why| why.message)?;
    let ManifestDocument::Manifest(manifest) =
        ManifestDocument::parse(&body, None).map_err(|error| error.to_string())?
    else {
        return Err("it is an index".to_owned());
    };
    let mut materials = Vec::new();
    for statement in manifest.statements.iter().filter(|statement| statement.may_be_provenance()) {
        let body = read_blob(folder, &statement.digest, STATEMENT_BYTES).map_err(|why| why.message)?;
        materials.extend(build_materials(&body, image).map_err(|error| error.to_string())?);
    }
    Ok(materials)
}

/// The blob `digest`, verified. A file with different content is malformed.
fn read_blob(folder: &Path, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, ImageError> {
    let file = folder.join("blobs").join(digest.algorithm()).join(digest.hex());
    let body = read_file(&file, limit_bytes).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::NotFound {
            ImageErrorCode::ImageMissing
        } else {
            ImageErrorCode::ImageMalformed
        };
        ImageError::new(code, error.to_string())
    })?;
    if digest.matches(&body) {
        return Ok(body);
    }
    Err(ImageError::new(
        ImageErrorCode::ImageMalformed,
        format!("the content of {} does not have that digest", file.display()),
    ))
}

/// Reads a regular file of at most `limit_bytes`; a pipe might never end. Errors name the file.
fn read_file(file: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    if !file.metadata().map_err(named)?.is_file() {
        return Err(named(io::Error::other("it is not a regular file")));
    }
    let mut body = Vec::new();
    File::open(file).map_err(named)?.take(limit_bytes + 1).read_to_end(&mut body).map_err(named)?;
    if body.len() as u64 > limit_bytes {
        return Err(named(io::Error::other(format!("it is larger than {limit_bytes} bytes"))));
    }
    Ok(body)
}
