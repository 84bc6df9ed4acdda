//! Eager resolution: bases are resolved while the inventory is still being read, with the same requests and result.

use basewatch::{
    audit::{AuditOptions, AuditSources, audit},
    identify,
    image::Reference,
    inventory::{InventoryFilter, NamedInventory, OwnerSettings},
    judge::{Policy, Verdict},
    report::Finding,
};

use super::*;
use testbed::world::diff_id;

const ORDERS: &str = "registry.example.com/shop/orders";
const NOVEMBER: &str = "2026-11-20T06:00:00Z";

/// How the images record their base.
#[derive(Clone, Copy)]
enum Label {
    Digest,
    DatedTag,
}

/// Three images on an old release of a line, by the tags 1 to 3.
fn registry(label: Label) -> Arc<World> {
    let registry: Arc<World> = Arc::default();
    let base = registry.release(JAVA, "21", "2026-08-10T13:00:00Z", "jdk");
    registry.release(JAVA, "21", "2026-10-01T13:00:00Z", "newer jdk");
    let label = match label {
        Label::Digest => format!("{JAVA}@{}", base.index),
        Label::DatedTag => format!("{JAVA}:21.2026.08.10.13"),
    };
    for tag in ["1", "2", "3"] {
        let layers = ["os arm64", "jdk", tag].map(diff_id);
        let config = serde_json::json!({
            "architecture": "arm64", "os": "linux", "created": "2026-10-20T06:00:00Z",
            "config": { "Labels": { "sdkBaseVersion": label } },
            "rootfs": { "type": "layers", "diff_ids": layers },
        });
        let image = registry.configured(&format!("orders {tag}"), &config);
        registry.tag(ORDERS, tag, &image);
    }
    registry
}

/// The findings of an audit of the three images, and its requests.
async fn audited(registry: Arc<World>) -> (Vec<Finding>, Vec<String>) {
    let images = Arc::new(ImageReader::new(Arc::clone(&registry) as _, Arc::new(Catalog::in_memory())));
    let references = ["1", "2", "3"].map(|tag| Reference::tagged(ORDERS.parse().expect("valid"), tag));
    let inventory = NamedInventory::new(references.into(), Arc::clone(&images), 2, at(NOVEMBER));
    let sources = AuditSources { inventories: vec![Box::new(inventory)], aws_scope: None };
    let options = AuditOptions {
        policy: Policy::default(),
        identify: identify::IdentifySettings::default(),
        resolve: ResolveSettings::default(),
        owners: OwnerSettings::default(),
        filter: InventoryFilter::default(),
        is_part: false,
        concurrency: 8,
        now: at(NOVEMBER),
        seen_at: at(NOVEMBER),
    };
    let findings = audit(&sources, &images, &options, &|_| {}).await.judge(&options).0;
    let mut requests = registry.requests();
    requests.sort();
    (findings, requests)
}

#[tokio::test]
async fn the_line_of_a_base_is_read_before_the_last_image() {
    for label in [Label::Digest, Label::DatedTag] {
        let (expected, requests) = audited(registry(label)).await;
        assert_eq!(expected.len(), 3);
        for tag in ["1", "2", "3"] {
            let registry = registry(label);
            registry.answer_after(tag, "GET lambda/java:21");
            let (findings, asked) = audited(registry).await;
            assert_eq!(findings, expected, "whichever image came last");
            assert_eq!(asked, requests, "nothing is asked twice");
        }
    }
}

#[tokio::test]
async fn an_image_named_by_tag_costs_two_requests_and_its_base_is_read_once() {
    let images = ["BLOB shop/orders", "GET shop/orders:1", "GET shop/orders:2", "GET shop/orders:3"];
    let base = [
        // The configurations of the base and of the current release.
        "BLOB lambda/java",
        "BLOB lambda/java",
        // The digest of the moving tag, and its release.
        "GET lambda/java:21",
        "GET lambda/java:21.2026.10.01.13-arm64",
        // The manifest of the base.
        "GET lambda/java@",
        "TAGS lambda/java",
    ];
    // Its index by the digest, and its release; or both at once.
    for (label, index) in [
        (Label::Digest, ["GET lambda/java@", "HEAD lambda/java:21.2026.08.10.13"].as_slice()),
        (Label::DatedTag, &["GET lambda/java:21.2026.08.10.13"]),
    ] {
        let (findings, requests) = audited(registry(label)).await;
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Stale), "{findings:?}");
        let mut expected = [&images[..], &images[..1], &images[..1], &base, index].concat();
        expected.sort_unstable();
        assert_eq!(requests, expected);
    }
}
