//! Real-world indexes: which of their entries are deployments.

use std::sync::Arc;

use crate::inventory::{
    account::{Account, INDEX, MANIFEST},
    ecs,
    memory_registry::MemoryRegistry,
    rig::{REGION, Rig, ids, settings, unreadable},
};
use basewatch::{
    inventory::{Inventory, InventoryResult, NamedInventory},
    store::{Catalog, ImageReader},
};
use serde_json::{Value, json};
use testbed::aws::CloudImage;

const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// An image with this configuration.
fn image(registry: &MemoryRegistry, config: &Value) -> CloudImage {
    let config = registry.put(config.to_string().as_bytes());
    let manifest = json!({ "schemaVersion": 2, "config": { "digest": config }, "layers": null });
    CloudImage::new(MANIFEST, manifest.to_string())
}

fn entry(image: &CloudImage, platform: &Value) -> Value {
    json!({ "mediaType": MANIFEST, "digest": image.digest(), "size": image.manifest().len(), "platform": platform })
}

fn index(entries: &[Value]) -> CloudImage {
    CloudImage::new(INDEX, json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string())
}

fn nested(inner: &CloudImage) -> Value {
    json!({ "mediaType": INDEX, "digest": inner.digest(), "size": inner.manifest().len() })
}

fn on(os: &str, architecture: &str) -> Value {
    json!({ "os": os, "architecture": architecture })
}

/// The deployments of `image`, all of whose content is in the registry.
async fn read_inventory(registry: &Arc<MemoryRegistry>, image: &CloudImage, pushed: &[&CloudImage]) -> InventoryResult {
    for pushed in pushed {
        registry.put(pushed.manifest());
    }
    registry.tag("ghcr.io/a/x:1", image);
    let images = Arc::new(ImageReader::new(Arc::clone(registry) as _, Arc::new(Catalog::in_memory())));
    let references = vec!["ghcr.io/a/x:1".parse().unwrap()];
    NamedInventory::new(references, images, 4, chrono::Utc::now()).deployments().await
}

fn platforms(found: &InventoryResult) -> Vec<String> {
    let images = found.deployments.iter().map(|deployment| deployment.image.as_ref().unwrap());
    images.map(|image| image.facts.platform.to_string()).collect()
}

#[tokio::test]
async fn images_within_a_nested_index_are_deployments() {
    let registry = MemoryRegistry::new();
    let (arm64, amd64) = (registry.image_on("a", "arm64"), registry.image_on("b", "amd64"));
    let inner = index(&[entry(&arm64, &on("linux", "arm64"))]);
    let mut outer_entry = nested(&inner);
    outer_entry["annotations"] = json!({ BASE_NAME: "public.ecr.aws/lambda/java:21" });
    let outer = index(&[entry(&amd64, &on("linux", "amd64")), outer_entry]);
    let found = read_inventory(&registry, &outer, &[&inner, &arm64, &amd64]).await;
    assert_eq!(ids(&found.deployments), ["image:ghcr.io/a/x:1#linux/amd64", "image:ghcr.io/a/x:1#linux/arm64"]);
    assert_eq!(platforms(&found), ["linux/amd64", "linux/arm64"]);
    let annotations = found.deployments.iter().map(|one| one.image.as_ref().unwrap().descriptor_annotations.len());
    assert_eq!(annotations.collect::<Vec<_>>(), [0, 1], "annotations of a nested index apply to its images");
}

#[tokio::test]
async fn an_entry_has_its_stated_platform_or_else_that_of_its_image() {
    let registry = MemoryRegistry::new();
    let config = |os: Option<&str>, architecture: Option<&str>, variant: Option<&str>| json!({ "os": os, "architecture": architecture, "variant": variant, "rootfs": { "diff_ids": [] } });
    for (stated, own, expected) in [
        (on("linux", "arm64"), config(Some("linux"), Some("amd64"), None), "linux/arm64"),
        (on("linux", "arm64"), config(None, None, None), "linux/arm64"),
        (on("linux", "amd64"), config(Some("linux"), Some("amd64"), Some("v3")), "linux/amd64/v3"),
        (Value::Null, config(Some("linux"), Some("s390x"), None), "linux/s390x"),
        (on("unknown", "unknown"), config(Some("linux"), Some("arm64"), Some("v8")), "linux/arm64"),
        (on("", ""), config(Some("linux"), Some("arm"), None), "linux/arm/v7"),
    ] {
        let image = image(&registry, &own);
        let found = read_inventory(&registry, &index(&[entry(&image, &stated)]), &[&image]).await;
        assert_eq!(platforms(&found), [expected], "{stated} over {own}");
    }
}

#[tokio::test]
async fn an_entry_that_is_not_an_image_does_not_affect_the_others() {
    let registry = MemoryRegistry::new();
    let amd64 = registry.image_on("b", "amd64");
    // An attestation whose entry is not marked as one.
    let attestation = image(&registry, &json!({ "os": "unknown", "architecture": "unknown", "rootfs": {} }));
    let entries = [
        entry(&amd64, &on("linux", "amd64")),
        entry(&attestation, &on("unknown", "unknown")),
        json!({ "mediaType": MANIFEST, "digest": "sha256:00", "platform": on("linux", "arm64") }),
        json!({ "mediaType": MANIFEST, "digest": "blake3:00" }),
        json!({ "mediaType": "application/vnd.cncf.helm.chart.v1", "digest": amd64.digest() }),
        Value::Null,
    ];
    let found = read_inventory(&registry, &index(&entries), &[&amd64, &attestation]).await;
    assert_eq!((platforms(&found), unreadable(&found)), (vec!["linux/amd64".to_owned()], vec![]));
    let found = read_inventory(&registry, &index(&[]), &[]).await;
    assert_eq!(unreadable(&found), [("ghcr.io/a/x:1", "image-malformed")]);
}

#[tokio::test]
async fn nested_indexes_in_ecr_are_read_and_their_images_are_not_counted_twice() {
    let registry = MemoryRegistry::new();
    let (arm64, amd64) = (registry.image_on("a", "arm64"), registry.image_on("b", "amd64"));
    let inner = index(&[entry(&arm64, &on("linux", "arm64"))]);
    let mut annotated = entry(&amd64, &Value::Null);
    annotated["annotations"] = json!({ BASE_NAME: "public.ecr.aws/lambda/java:21", "other": "dropped" });
    let outer = index(&[nested(&inner), annotated]).with_tags(&["1"]);
    let rig = Rig::new(registry, Account::new().images(REGION, "orders", [outer, inner, arm64, amd64]));
    let untagged = basewatch::inventory::EcrSettings { untagged: true, ..settings() };
    let found = rig.read_inventory(&[untagged]).await;
    let id = |platform: &str| format!("ecr:eu-west-1:123456789012:orders:1#linux/{platform}");
    assert_eq!(ids(&found.deployments), [id("amd64"), id("arm64")]);
    let amd64 = found.deployments[0].image.as_ref().unwrap();
    assert_eq!(amd64.descriptor_annotations.keys().collect::<Vec<_>>(), [BASE_NAME]);
}

#[tokio::test]
async fn only_the_running_image_of_an_index_is_a_deployment() {
    let registry = MemoryRegistry::new();
    let [v1, v2, arm64] = [("v1", "amd64"), ("v2", "amd64"), ("arm", "arm64")].map(|(n, a)| registry.image_on(n, a));
    let mut v2_entry = entry(&v2, &on("linux", "amd64"));
    v2_entry["platform"]["variant"] = "v2".into();
    let inner = index(&[v2_entry, entry(&v1, &Value::Null)]);
    let outer = index(&[nested(&inner), entry(&arm64, &on("linux", "arm64"))]).with_tags(&["421"]);
    for (architecture, expected) in [("X86_64", &v1), ("ARM64", &arm64)] {
        let service = ecs::orders("1", outer.digest());
        let tasks = Account::new().service("prod", service);
        let tasks = tasks.definition("orders:7", Some(architecture), &[("app", ecs::ORDERS, None)]);
        let stock = [outer.clone(), inner.clone(), v1.clone(), v2.clone(), arm64.clone()];
        let rig = Rig::new(Arc::clone(&registry), tasks.images(REGION, "orders", stock));
        let found = ecs::read_inventory(&rig, &[ecs::everything()]).await;
        let [deployment] = found.deployments.as_slice() else { panic!("{found:?}") };
        assert_eq!(deployment.image.as_ref().unwrap().digest, *expected.digest(), "{architecture}");
        assert_eq!(deployment.id, "ecs:eu-west-1:123456789012:prod/orders:app");
    }
}
