//! Our registry client compared with `oci-client`, over images of many kinds and tools.

use std::{process::Command, sync::Arc};

use basewatch::{
    http::RequestCounter,
    image::{Digest, MANIFEST_MEDIA_TYPES, ManifestDocument, Reference},
    registry::{AuthSettings, DistributionClient, HostSettings, NetworkSettings, Registry as _},
};
use oci_client::{
    client::{ClientConfig, ClientProtocol},
    secrets::RegistryAuth,
};

use crate::tools::{Workshop, skopeo};
use testbed::{
    peers::{Peer, Registry, tool},
    seed::{Image, Recipe, Target, digest},
};

/// Fills a registry with images of every kind and maker; their names.
async fn gallery(registry: &Peer) -> Vec<String> {
    let target = Target::open(registry.http());
    let ours = Recipe::new("2026-09-01T00:00:00Z", &["os", "a"]).label("a", "b").annotation("c", "d");
    let images = [
        ("oci/manifest", ours.build()),
        ("oci/index", Image::index(&[ours.build(), ours.clone().arm64().build()])),
        ("docker/manifest", ours.clone().docker().build()),
        ("docker/list", Image::index(&[ours.clone().docker().build(), ours.clone().docker().arm64().build()])),
    ];
    let mut names = Vec::new();
    for (name, image) in images {
        image.push(&target, name, Some("1")).await;
        names.push(format!("{name}:1"));
    }
    let host = &registry.address;
    let workshop = Workshop::open();
    workshop.base_image(&format!("{host}/buildah/base:1"), &["--label", "made.by=buildah"], "1788220800");
    workshop.build(
        &format!("FROM {host}/buildah/base:1\nRUN echo a > /a\nLABEL x=\"y z\"\n"),
        &format!("{host}/buildah/app:1"),
    );
    let (index, app) = (format!("{host}/buildah/index:1"), format!("{host}/buildah/app:1"));
    workshop.buildah(["manifest", "create", &index]);
    workshop.buildah(["manifest", "add", "--tls-verify=false", &index, &app]);
    workshop.buildah([
        "manifest",
        "push",
        "--quiet",
        "--all",
        "--tls-verify=false",
        &index,
        &format!("docker://{index}"),
    ]);

    let layout = workshop.path("umoci");
    let layout = layout.to_str().expect("a path in UTF-8");
    let image = format!("{layout}:v1");
    tool(Command::new("umoci").args(["init", "--layout", layout]));
    tool(Command::new("umoci").args(["new", "--image", &image]));
    tool(Command::new("umoci").args(["config", "--image", &image, "--config.label", "made.by=umoci"]));
    skopeo(&["copy", "--dest-tls-verify=false", &format!("oci:{image}"), &format!("docker://{host}/umoci/empty:1")]);
    let tls = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
    let converted = [format!("docker://{app}"), format!("docker://{host}/skopeo/docker:1")];
    skopeo(&[&tls[..], &["--format", "v2s2", &converted[0], &converted[1]]].concat());
    let made = ["buildah/base", "buildah/app", "buildah/index", "umoci/empty", "skopeo/docker"];
    names.extend(made.map(|name| format!("{name}:1")));
    names
}

fn our_client(registry: &Peer) -> DistributionClient {
    let mut settings = NetworkSettings::default();
    settings.allow.push(registry.address.clone());
    let host = HostSettings { auth: AuthSettings::Anonymous, ..HostSettings::default() };
    settings.hosts.insert(registry.address.clone(), host);
    DistributionClient::new(settings, None, Arc::new(RequestCounter::default())).expect("valid settings")
}

#[tokio::test]
async fn every_image_has_the_same_digest_and_bytes_as_with_oci_client() {
    let registry = Registry::default().start();
    let names = gallery(&registry).await;
    let ours = our_client(&registry);
    let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
    let theirs = oci_client::Client::new(config);
    for name in &names {
        let text = format!("{}/{name}", registry.address);
        let reference: Reference = text.parse().expect("a reference");
        let their_reference: oci_client::Reference = text.parse().expect("a reference to them as well");
        let anonymous = RegistryAuth::Anonymous;

        let their_digest = theirs.fetch_manifest_digest(&their_reference, &anonymous).await.expect("their digest");
        let pointer = ours.head(&reference).await.expect("our digest");
        assert_eq!(pointer.digest.to_string(), their_digest, "{name}");

        let accepted = MANIFEST_MEDIA_TYPES;
        let (bytes, pulled) =
            theirs.pull_manifest_raw(&their_reference, &anonymous, &accepted).await.expect("their manifest");
        let fetched = ours.manifest(&reference).await.expect("our manifest");
        assert_eq!(fetched.digest.to_string(), pulled, "{name}");
        assert_eq!(digest(&bytes), pulled, "{name}: the bytes are what the digest says");
        assert_eq!(Some(fetched.document.kind()), pointer.kind, "{name}");
        compare(name, &fetched.document, &serde_json::from_slice(&bytes).expect("a manifest in JSON"));

        if let ManifestDocument::Manifest(manifest) = &fetched.document {
            let ours = ours.config(&reference.repository, manifest).await.expect("our configuration");
            let (_, _, config) =
                theirs.pull_manifest_and_config(&their_reference, &anonymous).await.expect("their configuration");
            assert_eq!(String::from_utf8(ours.to_vec()).expect("UTF-8"), config, "{name}");
        }
    }
}

/// Whether the parsed document matches its JSON.
fn compare(name: &str, document: &ManifestDocument, json: &serde_json::Value) {
    let digests = |list: &serde_json::Value| -> Vec<Digest> {
        let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
        entries.iter().map(|entry| entry["digest"].as_str().expect("a digest").parse().expect("a digest")).collect()
    };
    match document {
        ManifestDocument::Manifest(manifest) => {
            assert_eq!(manifest.config.to_string(), json["config"]["digest"].as_str().expect("a digest"), "{name}");
        }
        ManifestDocument::Index(index) => {
            let children: Vec<Digest> = index.children.iter().map(|child| child.digest.clone()).collect();
            assert_eq!(children, digests(&json["manifests"]), "{name}");
        }
    }
}

#[tokio::test]
async fn tags_are_the_same_as_with_oci_client() {
    let registry = Registry::default().start();
    let target = Target::open(registry.http());
    let image = Recipe::new("2026-09-01T00:00:00Z", &["os"]).build();
    image.push(&target, "lambda/java", Some("21")).await;
    for hour in 0..30 {
        image.push_manifest(&target, "lambda/java", &format!("21.2026.09.01.{hour:02}-x86_64")).await;
    }
    let repository = format!("{}/lambda/java", registry.address);
    let mut ours = our_client(&registry).tags(&repository.parse().expect("a repository")).await.expect("our tags");
    let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
    let reference = repository.parse().expect("a reference");
    let theirs = oci_client::Client::new(config).list_tags(&reference, &RegistryAuth::Anonymous, None, None).await;
    let mut theirs = theirs.expect("their tags").tags;
    ours.tags.sort();
    theirs.sort();
    assert!(ours.is_complete);
    assert_eq!(ours.tags, theirs);
    assert_eq!(ours.tags.len(), 31);
}
