//! Images that record the same base: they share its line and current release, but not the bounds that each proves.

use std::collections::{BTreeMap, BTreeSet};

use basewatch::{
    audit::{AuditOptions, AuditResult, AuditSources, audit},
    identify,
    image::{ImageFacts, ImageManifest, Reference},
    inventory::{
        DeployedImage, Deployment, DeploymentKind, ImageAvailability, ImageSource, Inventory, InventoryFilter,
        InventoryResult, OwnerSettings, RepositoryImages, StoredImage, Workload,
    },
    judge::{Policy, Verdict},
    report::Finding,
};
use chrono::Duration;
use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::*;

const ORDERS: &str = "registry.example.com/shop/orders";

fn now() -> DateTime<Utc> {
    at("2026-11-20T06:00:00Z")
}

fn ago(days: i64) -> DateTime<Utc> {
    now() - Duration::days(days)
}

/// An image labelled with the moving tag of Java 21.
#[derive(Clone, Copy, Debug, Default)]
struct Labelled {
    /// The day of the base whose layers it has, counted back from now.
    base: i64,
    created: Option<i64>,
    history: Option<i64>,
    pushed: Option<i64>,
    modified: Option<i64>,
}

impl Labelled {
    fn config(self, name: &str) -> serde_json::Value {
        let history: Vec<_> = self.history.into_iter().map(|days| json!({ "created": ago(days) })).collect();
        json!({
            "architecture": "arm64", "os": "linux", "created": self.created.map(ago), "history": history,
            "config": { "Labels": { "sdkBaseVersion": format!("{JAVA}:21") } },
            "rootfs": { "type": "layers", "diff_ids": [
                Digest::sha256(b"os arm64"), Digest::sha256(content(self.base).as_bytes()), Digest::sha256(name.as_bytes()),
            ] },
        })
    }

    fn deployment(self, kind: DeploymentKind, name: &str) -> Deployment {
        let config = self.config(name).to_string();
        let manifest = ImageManifest::new(Digest::sha256(config.as_bytes()), None);
        let workload = Workload { modified_at: self.modified.map(ago), ..Workload::default() };
        Deployment {
            id: name.to_owned(),
            kind,
            name: name.to_owned(),
            qualifier: None,
            account: None,
            region: None,
            arn: None,
            owner: None,
            workload: Some(Arc::new(workload)),
            reference: ImageSource::Reference(Reference::tagged(ORDERS.parse().expect("valid"), name)),
            pushed_at: self.pushed.map(ago),
            holding: ImageAvailability::Held,
            image: Ok(DeployedImage {
                digest: Digest::sha256(name.as_bytes()),
                facts: Arc::new(ImageFacts::read(manifest, config.as_bytes()).expect("reads")),
                descriptor_annotations: Arc::default(),
                index_annotations: Arc::default(),
                attestations: Arc::default(),
            }),
        }
    }
}

fn content(days: i64) -> String {
    format!("21 {days}")
}

struct StaticInventory(InventoryResult);

impl Inventory for StaticInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        std::future::ready(self.0.clone()).boxed()
    }
}

/// A line that is published each day, up to yesterday.
fn line() -> Arc<World> {
    let registry: Arc<World> = Arc::default();
    for days in (1..=100).rev() {
        let built_at = (ago(days)).format("%Y-%m-%dT%H:00:00Z").to_string();
        registry.release(JAVA, "21", &built_at, &content(days));
    }
    registry
}

async fn look(
    registry: &Arc<World>,
    deployments: Vec<Deployment>,
    held: Vec<StoredImage>,
) -> (AuditResult, AuditOptions) {
    let shelves =
        BTreeMap::from([(ORDERS.parse().expect("valid"), Arc::new(held.into_iter().collect::<RepositoryImages>()))]);
    let inventory: Box<dyn Inventory> =
        Box::new(StaticInventory(InventoryResult { deployments, errors: Vec::new(), repository_images: shelves }));
    let options = AuditOptions {
        policy: Policy::default(),
        // Resolution without layers: the search is disabled.
        identify: identify::IdentifySettings {
            search: identify::SearchLimits { request_count: 0, ..identify::SearchLimits::default() },
            ..identify::IdentifySettings::default()
        },
        resolve: ResolveSettings::default(),
        owners: OwnerSettings::default(),
        filter: InventoryFilter::default(),
        is_part: false,
        concurrency: 8,
        now: now(),
        seen_at: now(),
    };
    let images = Arc::new(ImageReader::new(Arc::clone(registry) as _, Arc::new(Catalog::in_memory())));
    let sources = AuditSources { inventories: vec![inventory], aws_scope: None };
    (audit(&sources, &images, &options, &|_| {}).await, options)
}

async fn findings(registry: &Arc<World>, deployments: Vec<Deployment>) -> BTreeMap<String, Finding> {
    let (audit, options) = look(registry, deployments, Vec::new()).await;
    let findings = audit.judge(&options).0;
    findings.into_iter().map(|finding| (finding.id.clone(), finding)).collect()
}

/// Verdict, age in days, source, and whether that is an estimate.
fn base_of(finding: &Finding) -> (Verdict, Option<i64>, Option<&'static str>, bool) {
    let base = finding.base.as_ref().expect("a base");
    (finding.verdict, base.age_days, base.published_source.map(PublishDateSource::as_str), base.estimated)
}

#[tokio::test]
async fn the_age_of_one_image_does_not_bound_the_base_of_another() {
    let registry = line();
    // Built yesterday on the current release, and sixty days ago on what was current then.
    let fresh = Labelled { base: 1, created: Some(1), ..Labelled::default() };
    let old = Labelled { base: 61, created: Some(60), ..Labelled::default() };
    let named = |image: Labelled, name: &str| image.deployment(DeploymentKind::Image, name);
    let found = findings(&registry, vec![named(fresh, "new"), named(old, "old")]).await;
    assert_eq!(base_of(&found["old"]), (Verdict::Stale, Some(60), Some("at-least"), true));
    assert_eq!(base_of(&found["new"]), (Verdict::Fresh, Some(1), Some("at-least"), true));
    assert_eq!(found["new"].base.as_ref().expect("a base").line, found["old"].base.as_ref().expect("a base").line);
    let requests = registry.requests();
    assert_eq!(requests.iter().filter(|request| *request == "GET lambda/java:21").count(), 1, "{requests:#?}");
    // Each alone is judged as both together.
    for (name, image) in [("new", fresh), ("old", old)] {
        let alone = findings(&line(), vec![named(image, name)]).await;
        assert_eq!(base_of(&alone[name]), base_of(&found[name]));
        assert_eq!(alone[name].behind, found[name].behind);
    }
}

#[tokio::test]
async fn the_current_release_of_a_line_without_dated_tags_is_bound_by_the_image_on_it() {
    let registry: Arc<World> = Arc::default();
    let repository = "public.ecr.aws/shop/jre";
    let base = registry.image("jre", "arm64", Some(DateTime::UNIX_EPOCH), &[Digest::sha256(b"os arm64")]);
    registry.tag(repository, "17", &base);
    let mut deployment = Labelled { pushed: Some(50), ..Labelled::default() }.deployment(DeploymentKind::Ecr, "one");
    let mut image = deployment.image.clone().expect("an image");
    let mut facts = (*image.facts).clone();
    facts.labels.insert("sdkBaseVersion".to_owned(), format!("{repository}:17@{base}"));
    image.facts = Arc::new(facts);
    deployment.image = Ok(image);
    let found = findings(&registry, vec![deployment]).await;
    assert_eq!(base_of(&found["one"]), (Verdict::Stale, Some(50), Some("at-least"), false));
    assert_eq!(found["one"].reasons[0].code, "line-quiet");
}

#[tokio::test]
async fn a_proven_bound_stays_if_created_is_contradicted() {
    let registry = line();
    let image = |created, history, pushed, modified| Labelled { base: 90, created, history, pushed, modified };
    for (name, image, expected) in [
        ("pushed", image(None, None, Some(50), None), (Some(50), Some("at-least"), false)),
        ("deployed", image(None, None, None, Some(48)), (Some(48), Some("at-least"), false)),
        ("both", image(None, None, Some(50), Some(48)), (Some(50), Some("at-least"), false)),
        ("redeployed", image(None, None, Some(3), Some(48)), (Some(48), Some("at-least"), false)),
        ("built", image(Some(60), Some(60), Some(3), None), (Some(60), Some("at-least"), true)),
        // A commit date: the base's layers are younger.
        ("commit", image(Some(60), Some(20), Some(3), None), (Some(20), Some("at-least"), true)),
        // Built after it was pushed.
        ("clock", image(Some(2), None, Some(9), None), (Some(9), Some("at-least"), false)),
        ("epoch", image(Some(20_000), None, Some(9), None), (Some(9), Some("at-least"), false)),
        ("nothing", image(Some(20_000), None, None, None), (None, None, false)),
    ] {
        let found = findings(&registry, vec![image.deployment(DeploymentKind::Lambda, name)]).await;
        let (_, age, source, is_estimated) = base_of(&found[name]);
        assert_eq!((age, source, is_estimated), expected, "{name}");
    }
}

#[tokio::test]
async fn a_created_shared_by_two_images_of_a_repository_proves_nothing() {
    let registry = line();
    let image = |pushed| Labelled { base: 90, created: Some(80), pushed: Some(pushed), ..Labelled::default() };
    let found = findings(
        &registry,
        vec![image(70).deployment(DeploymentKind::Ecr, "one"), image(7).deployment(DeploymentKind::Ecr, "two")],
    )
    .await;
    assert_eq!(base_of(&found["one"]), (Verdict::Stale, Some(70), Some("at-least"), false));
    assert_eq!(base_of(&found["two"]).1, Some(7));
    assert_ne!(found["two"].verdict, Verdict::Stale);
    // One image that runs twice has its date.
    let mut twice = image(7).deployment(DeploymentKind::Lambda, "one");
    twice.id = "other".to_owned();
    let found = findings(&registry, vec![image(7).deployment(DeploymentKind::Lambda, "one"), twice]).await;
    assert_eq!(base_of(&found["one"]).1, Some(80));
}

#[tokio::test]
async fn a_rebuild_with_old_tags_in_the_repository_resolves_the_alert() {
    let registry = line();
    let rebuilt = Labelled { base: 1, created: Some(0), pushed: Some(0), ..Labelled::default() };
    let old = Labelled { base: 90, created: Some(89), pushed: Some(89), ..Labelled::default() };
    let deployments = vec![
        rebuilt.deployment(DeploymentKind::Lambda, "1.1.0"),
        old.deployment(DeploymentKind::Ecr, "1.0.0"),
        Labelled { created: Some(70), pushed: Some(70), ..old }.deployment(DeploymentKind::Ecr, "1.0.1"),
    ];
    let found = findings(&registry, deployments).await;
    assert_eq!((found["1.1.0"].verdict, found["1.0.0"].verdict), (Verdict::Fresh, Verdict::Stale));
    assert_eq!(base_of(&found["1.0.1"]).1, Some(70));
}

#[tokio::test]
async fn a_better_image_is_judged_by_its_own_age() {
    let registry = line();
    let rebuilt = Labelled { base: 1, created: Some(0), ..Labelled::default() };
    let digest = registry.configured("1.1.0", &rebuilt.config("1.1.0"));
    let tags = BTreeSet::from(["1.1.0".to_owned()]);
    let held =
        StoredImage { digest, tags, pushed_at: Some(ago(0)), is_archived: false, is_index: false, attested: None };
    // Its own age would be ninety days by any of these.
    let old = Labelled { base: 91, created: Some(90), pushed: Some(90), modified: Some(90), ..Labelled::default() };
    let (audit, options) = look(&registry, vec![old.deployment(DeploymentKind::Lambda, "1.0.0")], vec![held]).await;
    let finding = &audit.judge(&options).0[0];
    assert_eq!(base_of(finding).1, Some(90));
    let replacement = finding.replacement.as_ref().expect("a better image");
    assert_eq!(replacement.verdict, Verdict::Fresh);
}
