//! Images named in the configuration or on the command line.

use std::{collections::BTreeMap, sync::Arc};

use basewatch::{
    image::{Digest, Reference},
    inventory::{DeploymentKind, Inventory, InventoryResult, NamedInventory},
    registry::Error,
    store::{Catalog, ImageReader},
};

use serde_json::json;

use crate::inventory::{
    account::MANIFEST,
    memory_registry::{MemoryRegistry, index},
    rig::{ids, names, unreadable},
};

async fn read_inventory(registry: &Arc<MemoryRegistry>, references: &[&str]) -> InventoryResult {
    let registry = Arc::clone(registry);
    let images = Arc::new(ImageReader::new(registry, Arc::new(Catalog::in_memory())));
    let references = references.iter().map(|text| text.parse::<Reference>().unwrap()).collect();
    NamedInventory::new(references, images, 4, chrono::Utc::now()).deployments().await
}

#[tokio::test]
async fn a_tag_is_resolved_to_the_digest_it_points_at() {
    let registry = MemoryRegistry::new();
    let image = registry.image("x");
    registry.tag("ghcr.io/a/x:1", &image);
    let found = read_inventory(&registry, &["ghcr.io/a/x:1", "ghcr.io/a/x:1"]).await;
    let [deployment] = found.deployments.as_slice() else { panic!("{found:?}") };
    assert_eq!((deployment.id.as_str(), deployment.kind), ("image:ghcr.io/a/x:1", DeploymentKind::Image));
    assert_eq!(
        (deployment.name.as_str(), deployment.reference.to_string().as_str()),
        ("ghcr.io/a/x:1", "ghcr.io/a/x:1")
    );
    assert_eq!(deployment.image.as_ref().unwrap().digest, *image.digest());
    assert!(registry.asked().values().all(|times| *times == 1), "{:?}", registry.asked());
}

#[tokio::test]
async fn a_given_digest_needs_no_lookup_and_is_read_once_for_many_names() {
    let registry = MemoryRegistry::new();
    let image = registry.image("x");
    registry.tag("ghcr.io/a/x:1", &image);
    registry.tag("ghcr.io/a/y:1", &image);
    let pinned = format!("ghcr.io/a/x@{}", image.digest());
    let lying_tag = format!("ghcr.io/a/x:9@{}", image.digest());
    let found = read_inventory(&registry, &[&pinned, &lying_tag, "ghcr.io/a/y:1"]).await;
    assert_eq!((found.deployments.len(), unreadable(&found)), (3, vec![]));
    let request_counts = registry.asked();
    let looked_up = |what: &&String| what.starts_with("head") || what.starts_with("get");
    assert_eq!(request_counts.keys().filter(looked_up).collect::<Vec<_>>(), ["get ghcr.io/a/y"]);
    let configs: Vec<_> = request_counts.iter().filter(|(what, _)| what.starts_with("config")).collect();
    assert!(matches!(configs.as_slice(), [(_, 1)]), "{configs:?}");
}

#[tokio::test]
async fn a_new_tag_costs_a_manifest_and_a_configuration_and_a_known_one_a_head() {
    let registry = MemoryRegistry::new();
    let tags: Vec<_> = (0..20).map(|number| format!("ghcr.io/a/x:{number}")).collect();
    for (number, tag) in tags.iter().enumerate() {
        registry.tag(tag, &registry.image(&number.to_string()));
    }
    let catalog = Arc::new(Catalog::in_memory());
    let mut before = BTreeMap::new();
    for expected in [[("config", 20), ("get", 20)].as_slice(), &[("head", 20)]] {
        let images = Arc::new(ImageReader::new(registry.clone(), Arc::clone(&catalog)));
        let references = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        let found = NamedInventory::new(references, images, 4, chrono::Utc::now()).deployments().await;
        assert_eq!((found.deployments.len(), unreadable(&found)), (20, vec![]));
        let request_counts = registry.asked();
        let mut kinds = BTreeMap::new();
        for (what, times) in &request_counts {
            let kind = what.split(' ').next().unwrap();
            // The manifest read by tag counts as `manifest` too.
            if kind != "manifest" {
                *kinds.entry(kind).or_default() += times - before.get(what).unwrap_or(&0);
            }
        }
        kinds.retain(|_, times| *times > 0);
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
        let manifests: usize =
            request_counts.iter().filter(|(what, _)| what.starts_with("manifest")).map(|(_, times)| times).sum();
        assert_eq!(manifests, 20, "each came with its tag");
        before = request_counts;
    }
}

#[tokio::test]
async fn tags_of_one_image_cost_one_configuration() {
    let registry = MemoryRegistry::new();
    let image = registry.image("x");
    for tag in ["1", "1.2", "latest"] {
        registry.tag(&format!("ghcr.io/a/x:{tag}"), &image);
    }
    let found = read_inventory(&registry, &["ghcr.io/a/x:1", "ghcr.io/a/x:1.2", "ghcr.io/a/x:latest"]).await;
    assert_eq!((found.deployments.len(), unreadable(&found)), (3, vec![]));
    let request_counts = registry.asked();
    assert!(request_counts.keys().all(|what| !what.starts_with("head")), "{request_counts:?}");
    assert_eq!(
        request_counts.iter().filter(|(what, _)| what.starts_with("config")).map(|(_, times)| times).sum::<usize>(),
        1
    );
}

#[tokio::test]
async fn a_multi_platform_image_costs_its_index_and_two_documents_for_each_platform() {
    let registry = MemoryRegistry::new();
    let arm = registry.image_on("arm", "arm64");
    registry.put(arm.manifest());
    let attestation = json!({
        "mediaType": MANIFEST, "digest": Digest::sha256(b"attestation"), "size": 1,
        "platform": { "os": "unknown", "architecture": "unknown" },
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": arm.digest(),
        },
    });
    registry.tag("ghcr.io/a/x:1", &index(&[("linux", "arm64", &arm)], &[attestation]));
    let found = read_inventory(&registry, &["ghcr.io/a/x:1"]).await;
    assert_eq!((found.deployments.len(), unreadable(&found)), (1, vec![]));
    let request_counts = registry.asked();
    let requests: Vec<_> = request_counts.keys().map(|what| what.split(' ').next().unwrap()).collect();
    // `get` and the first `manifest` are one request.
    assert_eq!(requests, ["config", "get", "manifest", "manifest"], "{request_counts:?}");
    assert!(request_counts.values().all(|times| *times == 1), "{request_counts:?}");
}

#[tokio::test]
async fn a_known_tag_costs_one_head() {
    let registry = MemoryRegistry::new();
    registry.tag("ghcr.io/a/x:1", &registry.image("x"));
    let catalog = Arc::new(Catalog::in_memory());
    for _ in 0..2 {
        let images = Arc::new(ImageReader::new(registry.clone(), Arc::clone(&catalog)));
        let references = vec!["ghcr.io/a/x:1".parse().unwrap()];
        let found = NamedInventory::new(references, images, 4, chrono::Utc::now()).deployments().await;
        assert_eq!(found.deployments.len(), 1);
    }
    let request_counts = registry.asked();
    assert_eq!((request_counts["get ghcr.io/a/x"], request_counts["head ghcr.io/a/x"]), (1, 1));
    assert_eq!(request_counts.values().sum::<usize>(), 4, "{request_counts:?}");
}

#[tokio::test]
async fn an_index_is_one_deployment_for_each_platform() {
    let registry = MemoryRegistry::new();
    let (arm, amd) = (registry.image_on("arm", "arm64"), registry.image("amd"));
    registry.put(arm.manifest());
    registry.put(amd.manifest());
    registry.tag("ghcr.io/a/x:1", &index(&[("linux", "arm64", &arm), ("linux", "amd64", &amd)], &[]));
    let found = read_inventory(&registry, &["ghcr.io/a/x:1"]).await;
    assert_eq!(ids(&found.deployments), ["image:ghcr.io/a/x:1#linux/amd64", "image:ghcr.io/a/x:1#linux/arm64"]);
    assert_eq!(names(&found), ["ghcr.io/a/x:1"; 2]);
    assert_eq!(found.deployments[0].image.as_ref().unwrap().index_annotations["of"], "index");
}

#[tokio::test]
async fn an_index_without_images_is_malformed() {
    let registry = MemoryRegistry::new();
    registry.tag("ghcr.io/a/x:1", &index(&[], &[]));
    let found = read_inventory(&registry, &["ghcr.io/a/x:1"]).await;
    assert_eq!(unreadable(&found), [("ghcr.io/a/x:1", "image-malformed")]);
}

#[tokio::test]
async fn an_unreadable_image_is_a_deployment_with_the_error_of_its_registry() {
    let registry = MemoryRegistry::new();
    let image = registry.image("x");
    registry.tag("ghcr.io/a/x:1", &image);
    let denied = Error::Denied { registry: "quay.io".into(), status: 403, what: "x".into(), message: "no".into() };
    registry.fail("quay.io/a/x", denied);
    registry.fail("evil.example/x", Error::NotAllowed { registry: "evil.example".into() });
    let gone = format!("ghcr.io/a/x@{}", Digest::sha256(b"gone"));
    let found =
        read_inventory(&registry, &["ghcr.io/a/x:1", "ghcr.io/a/x:2", "quay.io/a/x:1", "evil.example/x:1", &gone])
            .await;
    assert_eq!(
        unreadable(&found),
        [
            ("evil.example/x:1", "registry-not-allowed"),
            ("ghcr.io/a/x:2", "image-missing"),
            (gone.as_str(), "image-missing"),
            ("quay.io/a/x:1", "registry-denied"),
        ]
    );
    assert_eq!(found.deployments.len(), 5);
}
