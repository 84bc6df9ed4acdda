//! Which images are in a folder? OCI image layouts, as `buildah`, `skopeo` and `docker buildx` write them.
//!
//! Paths are made of checked digests only, every file has a size limit, and every blob is hashed
//! (OCI image specification, image-layout.md).

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use futures::future::BoxFuture;
use oci_spec::image::{Descriptor, ImageIndex};

use super::{
    Deployment, DeploymentKind, Gap, ImageSource, Inventoried, Inventory, Unreadable,
    place::{Findings, Found, Place},
};
use crate::{
    image::{Content, Digest, DigestKind, Document, ImageFacts, VALUE_BYTES, clip},
    store::Known,
};

/// The annotation of an index entry that holds its tag (OCI image specification, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The largest manifest or index that is read; registries must take no less and usually take no more.
const MANIFEST_BYTES: u64 = 4 << 20;
/// The largest image configuration that is read.
const CONFIG_BYTES: u64 = 8 << 20;

/// Images in OCI layout folders.
pub struct LayoutInventory {
    layouts: Vec<(PathBuf, Option<String>)>,
}

impl LayoutInventory {
    /// The images tagged so in these folders; all images of a folder that comes without a tag.
    #[must_use]
    pub fn new(mut layouts: Vec<(PathBuf, Option<String>)>) -> Self {
        layouts.sort();
        layouts.dedup();
        Self { layouts }
    }
}

impl Inventory for LayoutInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(async move {
            let layouts = self.layouts.clone();
            let read = tokio::task::spawn_blocking(move || {
                layouts.iter().flat_map(|(folder, tag)| deployments(folder, tag.as_deref())).collect()
            });
            match read.await {
                Ok(deployments) => Inventoried { deployments, ..Inventoried::default() },
                Err(error) => Inventoried {
                    gaps: vec![Gap { scope: "layouts".into(), code: "failed", message: error.to_string() }],
                    ..Inventoried::default()
                },
            }
        })
    }
}

/// One entry of a layout's `index.json` that may be an image.
struct Entry {
    tag: Option<String>,
    digest: Digest,
    media_type: String,
}

fn deployments(folder: &Path, tag: Option<&str>) -> Vec<Deployment> {
    match entries(folder).and_then(|entries| select(folder, entries, tag)) {
        Ok(entries) => {
            let mut deployments: Vec<_> = entries.iter().flat_map(|entry| entry_deployments(folder, entry)).collect();
            tell_apart(&mut deployments);
            deployments
        }
        Err(why) => vec![place(folder, tag, None).unreadable(why)],
    }
}

/// Entries may share a tag, one for each platform; their ids may not.
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

fn place(folder: &Path, tag: Option<&str>, digest: Option<&Digest>) -> Place {
    let reference = ImageSource::Layout { folder: folder.to_owned(), tag: tag.map(str::to_owned) };
    let name = match (tag, digest) {
        (None, Some(digest)) => format!("{reference}@{digest}"),
        _ => reference.to_string(),
    };
    Place::new(DeploymentKind::Layout, name.clone(), name, reference)
}

/// The entries of `index.json`, attestations left out.
fn entries(folder: &Path) -> Result<Vec<Entry>, Unreadable> {
    if !folder.is_dir() {
        return Err(Unreadable::new("image-missing", format!("there is no folder {}", folder.display())));
    }
    let no_layout =
        |why: String| Unreadable::new("image-malformed", format!("{} is no OCI layout: {why}", folder.display()));
    let marker = read_file(&folder.join("oci-layout"), MANIFEST_BYTES).map_err(|error| no_layout(error.to_string()))?;
    let version = serde_json::from_slice::<serde_json::Value>(&marker).ok();
    let version = version.as_ref().and_then(|marker| marker.get("imageLayoutVersion")?.as_str());
    if !version.is_some_and(|version| version.starts_with("1.")) {
        return Err(no_layout("its oci-layout file does not say imageLayoutVersion 1".into()));
    }
    let index = read_file(&folder.join("index.json"), MANIFEST_BYTES).map_err(|error| no_layout(error.to_string()))?;
    let index: ImageIndex =
        serde_json::from_slice(&index).map_err(|error| no_layout(format!("index.json does not parse: {error}")))?;
    index.manifests().iter().filter(|descriptor| !is_attestation(descriptor)).map(entry).collect()
}

fn entry(descriptor: &Descriptor) -> Result<Entry, Unreadable> {
    let text = descriptor.digest().to_string();
    let digest = text
        .parse()
        .map_err(|error| Unreadable::new("image-malformed", format!("index.json: digest {text:?}: {error}")))?;
    let tag = descriptor.annotations().as_ref().and_then(|annotations| annotations.get(REF_NAME));
    let tag = tag.map(|tag| clip(tag.as_str(), VALUE_BYTES));
    Ok(Entry { tag, digest, media_type: descriptor.media_type().to_string() })
}

fn is_attestation(descriptor: &Descriptor) -> bool {
    let annotations = descriptor.annotations().as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key("vnd.docker.reference.type"))
        || descriptor.artifact_type().is_some()
        || DigestKind::of_media_type(descriptor.media_type().as_ref()).is_none()
}

/// The entries that `tag` asks for. Some tools write a whole reference where the tag belongs, so the end of
/// one counts when no entry is called exactly so.
fn select(folder: &Path, entries: Vec<Entry>, tag: Option<&str>) -> Result<Vec<Entry>, Unreadable> {
    if entries.is_empty() {
        return Err(Unreadable::new("image-missing", format!("there is no image in {}", folder.display())));
    }
    let Some(tag) = tag else { return Ok(entries) };
    let is_exact = |entry: &Entry| entry.tag.as_deref() == Some(tag);
    let ends_so = |entry: &Entry| {
        entry.tag.as_deref().and_then(|name| name.rsplit_once(':')).is_some_and(|(_, ending)| ending == tag)
    };
    let has_exact = entries.iter().any(is_exact);
    let tags: Vec<_> = entries.iter().filter_map(|entry| entry.tag.clone()).collect();
    let chosen: Vec<_> = entries
        .into_iter()
        .filter(|entry| if has_exact { is_exact(entry) } else { ends_so(entry) })
        .map(|entry| Entry { tag: Some(tag.to_owned()), ..entry })
        .collect();
    if chosen.is_empty() {
        let there_are =
            if tags.is_empty() { "its images have no tags".to_owned() } else { format!("it has {}", tags.join(", ")) };
        let message = format!("there is no tag {tag} in {}; {there_are}", folder.display());
        return Err(Unreadable::new("image-missing", message));
    }
    Ok(chosen)
}

fn entry_deployments(folder: &Path, entry: &Entry) -> Vec<Deployment> {
    let mut findings = Findings::default();
    findings.add(entry.digest.clone(), None, read_image(folder, &entry.digest, Some(&entry.media_type)));
    for child in findings.children(&entry.digest).iter() {
        findings.add(child.digest.clone(), None, read_image(folder, &child.digest, None));
    }
    place(folder, entry.tag.as_deref(), Some(&entry.digest)).deployments(&entry.digest, &findings)
}

fn read_image(folder: &Path, digest: &Digest, media_type: Option<&str>) -> Result<Found, Unreadable> {
    let malformed =
        |error: &dyn std::fmt::Display| Unreadable::new("image-malformed", format!("{digest} is malformed: {error}"));
    let body = read_blob(folder, digest, MANIFEST_BYTES)?;
    match Document::parse(&body, media_type).map_err(|error| malformed(&error))? {
        Document::Index(index) => Ok(Found::from(Known::new(Content::Index(index)))),
        Document::Manifest(manifest) => {
            let config = read_blob(folder, &manifest.config, CONFIG_BYTES)?;
            let facts = ImageFacts::read(manifest, &config).map_err(|error| malformed(&error))?;
            Ok(Found::from(Known::new(Content::Image(facts))))
        }
    }
}

/// The blob `digest`, verified. A file that is there but is not what it is called is malformed.
fn read_blob(folder: &Path, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, Unreadable> {
    let file = folder.join("blobs").join(digest.algorithm()).join(digest.hex());
    let body = read_file(&file, limit_bytes).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::NotFound { "image-missing" } else { "image-malformed" };
        Unreadable::new(code, error.to_string())
    })?;
    if digest.matches(&body) {
        return Ok(body);
    }
    Err(Unreadable::new("image-malformed", format!("the content of {} does not have that digest", file.display())))
}

/// Reads a regular file of at most `limit_bytes`; a pipe would never end. Errors name the file.
fn read_file(file: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    if !file.metadata().map_err(named)?.is_file() {
        return Err(named(io::Error::other("it is no regular file")));
    }
    let mut body = Vec::new();
    File::open(file).map_err(named)?.take(limit_bytes + 1).read_to_end(&mut body).map_err(named)?;
    if body.len() as u64 > limit_bytes {
        return Err(named(io::Error::other(format!("it is larger than {limit_bytes} bytes"))));
    }
    Ok(body)
}
