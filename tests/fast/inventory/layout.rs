//! OCI layout folders, good and bad.

use std::{
    fs,
    path::{Path, PathBuf},
};

use basewatch::{
    image::Digest,
    inventory::{Deployment, DeploymentKind, Inventory, LayoutInventory},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::inventory::account::{INDEX, MANIFEST};

struct Layout(TempDir);

impl Layout {
    fn new() -> Self {
        let layout = Self(tempfile::tempdir().unwrap());
        layout.write("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        layout
    }

    fn folder(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn write(&self, file: &str, content: &str) {
        let file = self.0.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn blob(&self, content: &str) -> Digest {
        let digest = Digest::sha256(content.as_bytes());
        self.write(&format!("blobs/sha256/{}", digest.hex()), content);
        digest
    }

    fn image(&self, name: &str, architecture: &str) -> Digest {
        let config = json!({
            "architecture": architecture, "os": "linux", "config": { "Labels": { "name": name } },
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let config = self.blob(&config.to_string());
        let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 1 });
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] });
        self.blob(&manifest.to_string())
    }

    fn index(&self, entries: &[Value]) {
        self.write("index.json", &json!({ "schemaVersion": 2, "manifests": entries }).to_string());
    }
}

fn entry(media_type: &str, digest: &Digest, tag: Option<&str>) -> Value {
    let mut entry = json!({ "mediaType": media_type, "digest": digest, "size": 1 });
    if let Some(tag) = tag {
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    }
    entry
}

async fn read_layout(folder: &Path, tag: Option<&str>) -> Vec<Deployment> {
    let found = LayoutInventory::new(vec![(folder.to_owned(), tag.map(str::to_owned))]).deployments().await;
    assert_eq!(found.errors, []);
    found.deployments
}

/// The code and message of the only deployment.
async fn refusal(folder: &Path, tag: Option<&str>) -> (&'static str, String) {
    let deployments = read_layout(folder, tag).await;
    let [deployment] = deployments.as_slice() else { panic!("{deployments:?}") };
    let why = deployment.image.as_ref().unwrap_err();
    (crate::inventory::rig::reason_code(why), why.message.clone())
}

fn labels(deployments: &[Deployment]) -> Vec<&str> {
    deployments.iter().map(|one| one.image.as_ref().unwrap().facts.labels["name"].as_str()).collect()
}

#[tokio::test]
async fn a_tag_selects_its_image_and_no_tag_all_of_them() {
    let layout = Layout::new();
    let (a, b) = (layout.image("a", "amd64"), layout.image("b", "amd64"));
    layout.index(&[
        entry(MANIFEST, &a, Some("v1")),
        entry(MANIFEST, &b, Some("docker.io/library/b:v2")),
        entry(MANIFEST, &b, None),
    ]);
    let folder = layout.folder();
    let v1 = read_layout(&folder, Some("v1")).await;
    assert_eq!((labels(&v1), v1[0].kind), (vec!["a"], DeploymentKind::Layout));
    assert_eq!(v1[0].id, format!("oci:{}:v1", folder.display()));
    assert_eq!(v1[0].reference.to_string(), v1[0].id);
    assert_eq!(v1[0].image.as_ref().unwrap().digest, a);
    assert_eq!(labels(&read_layout(&folder, Some("v2")).await), ["b"], "a whole reference ends in its tag");
    let all = read_layout(&folder, None).await;
    assert_eq!(labels(&all), ["a", "b", "b"]);
    assert_eq!(all[2].id, format!("oci:{}@{b}", folder.display()));
}

#[tokio::test]
async fn platforms_are_deployments_and_attestations_are_not() {
    let layout = Layout::new();
    let (arm, amd) = (layout.image("arm", "arm64"), layout.image("amd", "amd64"));
    let on = |digest: &Digest, architecture: &str| {
        let mut entry = entry(MANIFEST, digest, None);
        entry["platform"] = json!({ "os": "linux", "architecture": architecture });
        entry
    };
    let attestation = json!({
        "mediaType": MANIFEST, "digest": Digest::sha256(b"attestation"), "size": 1,
        "annotations": { "vnd.docker.reference.type": "attestation-manifest" },
    });
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX, "annotations": { "of": "index" },
        "manifests": [on(&arm, "arm64"), on(&amd, "amd64"), attestation],
    });
    let index = layout.blob(&index.to_string());
    layout.index(&[entry(INDEX, &index, Some("v1")), attestation]);
    let found = read_layout(&layout.folder(), None).await;
    assert_eq!(labels(&found), ["arm", "amd"]);
    assert!(found[0].id.ends_with(":v1#linux/arm64"), "{}", found[0].id);
    assert_eq!(found[0].image.as_ref().unwrap().index_annotations["of"], "index");
}

fn entry_on(digest: &Digest, architecture: &str, tag: Option<&str>) -> Value {
    let mut entry = entry(MANIFEST, digest, tag);
    entry["platform"] = json!({ "os": "linux", "architecture": architecture });
    entry
}

#[tokio::test]
async fn listed_platforms_missing_in_the_folder_are_not_reported() {
    // As `docker save` of Docker 29 writes it: an index of all platforms, and the blobs of one.
    let layout = Layout::new();
    let (here, gone, half) = (layout.image("a", "amd64"), Digest::sha256(b"gone"), layout.image("half", "s390x"));
    let manifest = fs::read_to_string(layout.folder().join(format!("blobs/sha256/{}", half.hex()))).unwrap();
    let config: Value = serde_json::from_str(&manifest).unwrap();
    let config: Digest = config["config"]["digest"].as_str().unwrap().parse().unwrap();
    fs::remove_file(layout.folder().join(format!("blobs/sha256/{}", config.hex()))).unwrap();
    let listed = [entry_on(&gone, "arm64", None), entry_on(&here, "amd64", None), entry_on(&half, "s390x", None)];
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": listed });
    let index = layout.blob(&index.to_string());
    layout.index(&[entry(INDEX, &index, Some("v1"))]);
    let found = read_layout(&layout.folder(), Some("v1")).await;
    assert_eq!(labels(&found), ["a"]);
    assert!(found[0].id.ends_with(":v1#linux/amd64"), "{}", found[0].id);

    // The same where `index.json` lists the platforms itself, under one name; another name is another image.
    layout.index(&[entry_on(&gone, "arm64", Some("v1")), entry_on(&here, "amd64", Some("v1"))]);
    assert_eq!(labels(&read_layout(&layout.folder(), None).await), ["a"]);
    layout.index(&[entry_on(&gone, "arm64", Some("v2")), entry_on(&here, "amd64", Some("v1"))]);
    assert_eq!(read_layout(&layout.folder(), None).await.iter().filter(|one| one.image.is_err()).count(), 1);

    // If no image is present, that is reported.
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry_on(&gone, "arm64", None)] });
    let index = layout.blob(&index.to_string());
    layout.index(&[entry(INDEX, &index, Some("v1"))]);
    assert_eq!(refusal(&layout.folder(), Some("v1")).await.0, "image-missing");
}

#[tokio::test]
async fn a_descriptor_of_a_layout_names_the_base() {
    const BASE_NAME: &str = "org.opencontainers.image.base.name";
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    let annotated = |mut entry: Value, base: &str| {
        entry["annotations"] = json!({ BASE_NAME: base });
        entry
    };
    let reported = |deployments: &[Deployment]| {
        deployments[0].image.as_ref().unwrap().descriptor_annotations.get(BASE_NAME).cloned()
    };
    layout.index(&[annotated(entry(MANIFEST, &image, None), "r.io/a:1")]);
    assert_eq!(reported(&read_layout(&layout.folder(), None).await).as_deref(), Some("r.io/a:1"));

    // For an image in an index, the annotations of its entry take precedence over those of the index.
    for (inner, expected) in [(None, "r.io/outer:1"), (Some("r.io/inner:1"), "r.io/inner:1")] {
        let child = entry_on(&image, "amd64", None);
        let child = inner.map_or_else(|| child.clone(), |base| annotated(child.clone(), base));
        let index = layout.blob(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [child] }).to_string());
        layout.index(&[annotated(entry(INDEX, &index, None), "r.io/outer:1")]);
        assert_eq!(reported(&read_layout(&layout.folder(), None).await).as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn a_layout_is_read_where_unused_fields_break_the_specification() {
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    for index in [
        json!({ "manifests": [{ "digest": image }] }),
        json!({ "schemaVersion": "2", "annotations": null, "manifests": [
            { "mediaType": MANIFEST, "digest": image, "size": "1", "annotations": { "a": null }, "platform": {} }] }),
        json!({ "manifests": [null, { "digest": "blake3:00" }, { "mediaType": MANIFEST, "digest": image }] }),
    ] {
        layout.write("index.json", &index.to_string());
        assert_eq!(labels(&read_layout(&layout.folder(), None).await), ["a"], "{index}");
    }
}

#[tokio::test]
async fn entries_that_share_a_tag_have_unique_ids() {
    let layout = Layout::new();
    let (arm, amd) = (layout.image("arm", "arm64"), layout.image("amd", "amd64"));
    layout.index(&[entry(MANIFEST, &arm, Some("v1")), entry(MANIFEST, &amd, Some("v1"))]);
    let found = read_layout(&layout.folder(), Some("v1")).await;
    assert_eq!(labels(&found), ["arm", "amd"]);
    assert_ne!(found[0].id, found[1].id);
}

#[tokio::test]
async fn a_folder_that_is_not_a_layout_is_rejected_with_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let (code, message) = refusal(&folder.path().join("gone"), Some("v1")).await;
    assert_eq!(code, "image-missing");
    assert!(message.starts_with("there is no folder "), "{message}");
    let (code, message) = refusal(folder.path(), None).await;
    assert_eq!(code, "image-malformed");
    assert!(message.contains("is not an OCI layout:") && message.contains("oci-layout"), "{message}");

    let layout = Layout::new();
    assert!(refusal(&layout.folder(), None).await.1.contains("index.json"));
    layout.write("index.json", "{");
    assert!(refusal(&layout.folder(), None).await.1.contains("index.json: it does not parse"));
    layout.index(&[]);
    assert!(refusal(&layout.folder(), None).await.1.starts_with("there is no image in"));
    layout.write("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#);
    assert!(refusal(&layout.folder(), None).await.1.ends_with("does not have imageLayoutVersion 1"));
}

#[tokio::test]
async fn a_missing_tag_is_reported_with_the_existing_ones() {
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    layout.index(&[entry(MANIFEST, &image, Some("v1")), entry(MANIFEST, &image, Some("v2"))]);
    let (code, message) = refusal(&layout.folder(), Some("v3")).await;
    assert_eq!(code, "image-missing");
    assert!(message.starts_with("there is no tag v3 in") && message.ends_with("; it has v1, v2"), "{message}");
    layout.index(&[entry(MANIFEST, &image, None)]);
    assert!(refusal(&layout.folder(), Some("v3")).await.1.ends_with("; its images have no tags"));
}

#[tokio::test]
async fn blobs_must_match_their_digest_and_size_limit_and_be_regular_files() {
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    layout.index(&[entry(MANIFEST, &image, Some("v1"))]);
    let blob = format!("blobs/sha256/{}", image.hex());
    layout.write(&blob, "{}");
    let (code, message) = refusal(&layout.folder(), Some("v1")).await;
    assert_eq!(code, "image-malformed");
    assert!(message.ends_with("does not have that digest"), "{message}");
    layout.write(&blob, &" ".repeat((4 << 20) + 1));
    assert!(refusal(&layout.folder(), Some("v1")).await.1.contains("larger than 4194304 bytes"));
    fs::remove_file(layout.folder().join(&blob)).unwrap();
    assert_eq!(refusal(&layout.folder(), Some("v1")).await.0, "image-missing");
    fs::create_dir(layout.folder().join(&blob)).unwrap();
    assert!(refusal(&layout.folder(), Some("v1")).await.1.ends_with("it is not a regular file"));
}

#[tokio::test]
async fn a_digest_that_is_a_path_is_rejected() {
    let layout = Layout::new();
    for digest in ["sha256:../../../../etc/passwd", "../x:00", "sha256:"] {
        layout.index(&[json!({ "mediaType": MANIFEST, "digest": digest, "size": 1 })]);
        assert_eq!(refusal(&layout.folder(), None).await.0, "image-malformed", "{digest}");
    }
}
