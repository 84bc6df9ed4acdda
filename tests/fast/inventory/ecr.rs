//! The ECR inventory: selection of images, and the number of requests.

use std::sync::Arc;

use crate::inventory::{
    account::{ACCOUNT, Account, MANIFEST, second},
    memory_registry::{MemoryRegistry, index},
    rig::{REGION, Rig, ids, named, names, regions, settings, unreadable},
};
use basewatch::inventory::{DeploymentKind, EcrSettings};
use serde_json::{Value, json};
use testbed::aws::CloudImage;

#[tokio::test]
async fn a_tagged_image_is_one_deployment_with_the_data_of_ecr() {
    let registry = MemoryRegistry::new();
    let image = registry.image("orders").with_tags(&["421"]).pushed(second(1_755_000_000));
    let digest = image.digest().clone();
    let rig = Rig::new(registry, Account::new().images(REGION, "team-a/orders", [image]));
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(found.errors, []);
    let [deployment] = found.deployments.as_slice() else { panic!("{found:?}") };
    assert_eq!(deployment.id, "ecr:eu-west-1:123456789012:team-a/orders:421");
    assert_eq!(deployment.kind, DeploymentKind::Ecr);
    assert_eq!(deployment.name, "team-a/orders:421");
    assert_eq!(deployment.account.as_deref(), Some(ACCOUNT));
    assert_eq!(deployment.region.as_deref(), Some(REGION));
    assert_eq!(deployment.arn.as_deref(), Some("arn:aws:ecr:eu-west-1:123456789012:repository/team-a/orders"));
    assert_eq!(deployment.reference.to_string(), "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-a/orders:421");
    assert_eq!(deployment.pushed_at.unwrap().timestamp(), 1_755_000_000);
    let image = deployment.image.as_ref().unwrap();
    assert_eq!((&image.digest, image.facts.labels["name"].as_str()), (&digest, "orders"));
    assert_eq!(*rig.accounts.lock().unwrap(), [ACCOUNT], "its registry may now be asked");
    assert!(rig.cloud.recorded()[0].user_agent.contains("app/basewatch"));
}

#[tokio::test]
async fn lists_are_read_to_their_last_page() {
    let registry = MemoryRegistry::new();
    let mut model = Account::new().paged(2);
    for name in ["a", "b", "c", "d", "e"] {
        let images: Vec<_> =
            (1..=5).map(|n| registry.image(&format!("{name}{n}")).with_tags(&[&format!("v{n}")])).collect();
        model = model.images(REGION, name, images);
    }
    let rig = Rig::new(registry, model);
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!((found.deployments.len(), found.errors.as_slice()), (25, [].as_slice()));
    assert_eq!(rig.cloud.recorded_calls("DescribeRepositories").len(), 3);
    assert_eq!(rig.cloud.recorded_calls("DescribeImages").len(), 15);
    assert!(rig.cloud.recorded_calls("DescribeImages").iter().all(|call| call.body["maxResults"] == 1000));
    assert_eq!(rig.requests.snapshot()["ecr"]["api"], 3 + 15 + 5);
}

#[tokio::test]
async fn manifests_are_fetched_in_hundreds() {
    let registry = MemoryRegistry::new();
    let images: Vec<_> = (0..250).map(|n| registry.image(&n.to_string()).with_tags(&[&format!("v{n}")])).collect();
    let rig = Rig::new(registry, Account::new().images(REGION, "orders", images));
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!((found.deployments.len(), unreadable(&found)), (250, vec![]));
    let mut sizes: Vec<_> = rig
        .cloud
        .recorded_calls("BatchGetImage")
        .iter()
        .map(|call| call.body["imageIds"].as_array().unwrap().len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100]);
    assert_eq!(rig.cloud.recorded_calls("BatchGetImage")[0].body["acceptedMediaTypes"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn an_image_with_many_tags_and_repositories_is_fetched_once() {
    let registry = MemoryRegistry::new();
    let image = registry.image("same");
    let tags: Vec<_> = (0..50).map(|n| format!("v{n}")).collect();
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    let model = Account::new()
        .images(REGION, "a", [image.clone().with_tags(&tags)])
        .images(REGION, "b", [image.clone().with_tags(&["x"])])
        .images("us-east-1", "a", [image.clone().with_tags(&["x"])]);
    let rig = Rig::new(registry, model);
    let both = EcrSettings { regions: regions(&[REGION, "us-east-1", REGION]), ..settings() };
    let found = rig.read_inventory(&[both]).await;
    assert_eq!((found.deployments.len(), unreadable(&found)), (52, vec![]));
    assert_eq!(rig.cloud.recorded_calls("BatchGetImage").len(), 1);
    assert_eq!(rig.registry.asked().values().collect::<Vec<_>>(), [&1], "one configuration, once");
    let facts = &found.deployments[0].image.as_ref().unwrap().facts;
    assert!(found.deployments.iter().all(|one| Arc::ptr_eq(facts, &one.image.as_ref().unwrap().facts)));
}

#[tokio::test]
async fn a_second_run_sends_list_calls_only() {
    let registry = MemoryRegistry::new();
    let (arm, amd) = (registry.image_on("arm", "arm64"), registry.image("amd"));
    let all = index(&[("linux", "arm64", &arm), ("linux", "amd64", &amd)], &[]).with_tags(&["v1"]);
    let rig = Rig::new(registry, Account::new().images(REGION, "orders", [arm, amd, all]));
    let first = rig.read_inventory(&[settings()]).await;
    let calls = rig.cloud.recorded().len();
    let request_counts = rig.registry.asked();
    let second = rig.read_inventory(&[settings()]).await;
    assert_eq!(ids(&first.deployments), ids(&second.deployments));
    assert_eq!(rig.cloud.recorded().len() - calls, 2, "DescribeRepositories and DescribeImages");
    assert_eq!(rig.registry.asked(), request_counts);
}

#[tokio::test]
async fn repositories_and_tags_are_selected_by_pattern() {
    let registry = MemoryRegistry::new();
    let image = |name: &str, tags: &[&str]| registry.image(name).with_tags(tags);
    let model = Account::new()
        .images(REGION, "team-a/orders", [image("1", &["421", "latest", "pr-7"]), image("2", &["pr-8"])])
        .images(REGION, "team-a/scratch", [image("3", &["1"])])
        .images(REGION, "team-b/orders", [image("4", &["1"])]);
    let chosen = EcrSettings {
        selector: named(&["team-a/*"], &["*/scratch"]),
        tags: vec!["4*".parse().unwrap(), "latest".parse().unwrap()],
        ..settings()
    };
    let found = Rig::new(registry.clone(), model).read_inventory(&[chosen]).await;
    assert_eq!(names(&found), ["team-a/orders:421", "team-a/orders:latest"]);
}

#[tokio::test]
async fn the_newest_images_of_each_repository_are_selected_by_push_date() {
    let registry = MemoryRegistry::new();
    let image = |n: u32, tags: &[&str]| registry.image(&format!("{n}{tags:?}")).with_tags(tags).pushed(second(n));
    let model = Account::new()
        .images(REGION, "a", [image(2, &["two"]), image(9, &["nine", "latest"]), image(5, &["five"])])
        .images(REGION, "b", [image(1, &["one"])]);
    let newest = EcrSettings { newest: Some(2), ..settings() };
    let found = Rig::new(registry.clone(), model).read_inventory(&[newest]).await;
    assert_eq!(names(&found), ["a:five", "a:latest", "a:nine", "b:one"]);
}

#[tokio::test]
async fn untagged_images_are_audited_if_configured_but_platforms_of_an_index_are_not() {
    let registry = MemoryRegistry::new();
    let (arm, loose) = (registry.image_on("arm", "arm64"), registry.image("loose"));
    let all = index(&[("linux", "arm64", &arm)], &[]).with_tags(&["v1"]);
    let digest = loose.digest().clone();
    let model = Account::new().images(REGION, "orders", [arm, loose, all]);
    let rig = Rig::new(registry, model);
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(names(&found), ["orders:v1"]);
    assert_eq!(rig.cloud.recorded_calls("DescribeImages")[0].body["filter"], json!({ "tagStatus": "TAGGED" }));
    let found = rig.read_inventory(&[EcrSettings { untagged: true, ..settings() }]).await;
    let untagged = format!("ecr:{REGION}:{ACCOUNT}:orders@{digest}");
    assert_eq!(ids(&found.deployments), ["ecr:eu-west-1:123456789012:orders:v1#linux/arm64", &untagged]);
}

#[tokio::test]
async fn each_platform_of_an_index_is_a_deployment_and_attestations_are_not() {
    let registry = MemoryRegistry::new();
    let (arm, amd) = (registry.image_on("arm", "arm64"), registry.image("amd"));
    let attestation = json!({
        "mediaType": MANIFEST, "digest": basewatch::image::Digest::sha256(b"gone"), "size": 4,
        "platform": { "os": "unknown", "architecture": "unknown" },
        "annotations": { "vnd.docker.reference.type": "attestation-manifest" },
    });
    let all = index(&[("linux", "arm64", &arm), ("linux", "amd64", &amd)], &[attestation]).with_tags(&["v1"]);
    let rig = Rig::new(registry, Account::new().images(REGION, "orders", [arm.clone(), amd, all]));
    let found = rig.read_inventory(&[settings()]).await;
    let id = "ecr:eu-west-1:123456789012:orders:v1";
    assert_eq!(ids(&found.deployments), [format!("{id}#linux/amd64"), format!("{id}#linux/arm64")]);
    let image = found.deployments[1].image.as_ref().unwrap();
    assert_eq!((&image.digest, image.facts.labels["name"].as_str()), (arm.digest(), "arm"));
    assert_eq!(image.index_annotations["of"], "index");
    assert_eq!(rig.cloud.recorded_calls("BatchGetImage").len(), 2, "the index, then its platforms together");
}

#[tokio::test]
async fn a_deleted_platform_is_reported_beside_the_existing_one() {
    let registry = MemoryRegistry::new();
    let (arm, amd) = (registry.image_on("arm", "arm64"), registry.image("amd"));
    let all = index(&[("linux", "arm64", &arm), ("linux", "amd64", &amd)], &[]).with_tags(&["v1"]);
    let rig = Rig::new(registry, Account::new().images(REGION, "orders", [amd, all]));
    let found = rig.read_inventory(&[settings()]).await;
    assert!(found.deployments[0].image.is_ok());
    let why = found.deployments[1].image.as_ref().unwrap_err();
    assert_eq!(
        (crate::inventory::rig::reason_code(why), &why.digest),
        ("registry-incomplete", &Some(arm.digest().clone()))
    );
    assert_eq!(why.platform, Some("linux/arm64".parse().unwrap()));
}

#[tokio::test]
async fn archived_images_and_other_artifacts_are_left_out_without_an_error() {
    let registry = MemoryRegistry::new();
    let tagged = |name: &str| registry.image(name).with_tags(&[name]);
    let signature_tag = format!("sha256-{}.sig", "a".repeat(64));
    let manifest = |name: &str| String::from_utf8(registry.image(name).manifest().to_vec()).unwrap();
    let attestation =
        manifest("attestation").replace("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.in-toto+json");
    let chart = manifest("chart")
        .replace("application/vnd.oci.image.config.v1+json", "application/vnd.cncf.helm.config.v1+json");
    let images = [
        tagged("live")
            .with("imageStatus", "ACTIVE")
            .with("artifactMediaType", "application/vnd.oci.image.config.v1+json"),
        tagged("cold").with("imageStatus", "ARCHIVED"),
        tagged("thawing").with("imageStatus", "ACTIVATING"),
        tagged("listed-chart").with("artifactMediaType", "application/vnd.cncf.helm.config.v1+json"),
        tagged("referrer").with("subjectManifestDigest", live().as_str()),
        registry.image("signature").with_tags(&[&signature_tag]),
        CloudImage::new(MANIFEST, attestation)
            .with_tags(&["unlisted-attestation"])
            .with("artifactMediaType", Value::Null),
        CloudImage::new(MANIFEST, chart).with_tags(&["unlisted-chart"]).with("artifactMediaType", Value::Null),
    ];
    let rig = Rig::new(registry.clone(), Account::new().images(REGION, "orders", images));
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(names(&found), ["orders:live"]);
    assert_eq!(found.errors, []);
    let request_counts = &rig.cloud.recorded_calls("BatchGetImage")[0].body["imageIds"];
    assert_eq!(request_counts.as_array().unwrap().len(), 3, "the rest is known from the list");
}

fn live() -> basewatch::image::Digest {
    basewatch::image::Digest::sha256(b"live")
}

#[tokio::test]
async fn an_image_selected_twice_is_one_deployment() {
    let registry = MemoryRegistry::new();
    let model = Account::new().images(REGION, "orders", [registry.image("1").with_tags(&["421"])]);
    let found = Rig::new(registry, model).read_inventory(&[settings(), settings()]).await;
    assert_eq!(names(&found), ["orders:421"]);
}

#[tokio::test]
async fn without_settings_no_request_is_sent() {
    let rig = Rig::new(MemoryRegistry::new(), Account::new());
    assert!(rig.read_inventory(&[]).await.deployments.is_empty());
    assert!(rig.cloud.recorded().is_empty());
}
