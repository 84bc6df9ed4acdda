//! Images that are releases of a base line themselves.

use std::sync::Arc;

use basewatch::{
    audit::{AuditOptions, AuditSources, audit},
    identify::{BaseRule, BaseRules, IdentifySettings, RegistryMirror},
    inventory::{InventoryFilter, NamedInventory, OwnerSettings},
    judge::{Action, Policy, Verdict},
    report::{Finding, ReplacementFields},
};

use super::*;

const MIRROR: &str = "mirror.example.com/lambda/java";

/// What a finding says about an image that is a base itself: `identified_by`, the line and the release.
fn own_base(finding: &Finding) -> (&str, Option<&str>, Option<&str>) {
    let base = finding.base.as_ref().expect("a base");
    assert_eq!(base.confidence.as_deref(), Some("confirmed"));
    assert!(base.chain.is_empty(), "nothing is below it");
    (&base.identified_by, base.line.as_deref(), base.release.as_deref())
}

fn mirrored() -> IdentifySettings {
    let mirror = RegistryMirror { prefix: "mirror.example.com".into(), upstream: "public.ecr.aws".into() };
    IdentifySettings { mirrors: vec![mirror], ..IdentifySettings::default() }
}

async fn findings(bench: &Bench, identify: IdentifySettings, references: &[&str]) -> Vec<Finding> {
    let images = Arc::new(ImageReader::new(Arc::clone(&bench.registry) as _, Arc::clone(&bench.catalog)));
    let references = references.iter().map(|reference| reference.parse().expect("valid")).collect();
    let named = NamedInventory::new(references, Arc::clone(&images), 8, bench.now);
    let options = AuditOptions {
        policy: Policy::default(),
        resolve: ResolveSettings { bases: identify.bases.clone(), ..ResolveSettings::default() },
        identify,
        owners: OwnerSettings::default(),
        filter: InventoryFilter::default(),
        is_part: false,
        concurrency: 8,
        now: bench.now,
        seen_at: bench.now,
    };
    let sources = AuditSources { inventories: vec![Box::new(named)], aws_scope: None };
    audit(&sources, &images, &options, &|_| {}).await.judge(&options).0
}

#[tokio::test]
async fn the_current_release_of_a_line_is_fresh_by_tag_and_by_any_digest() {
    let bench = Bench::daily();
    let (index, manifest) = {
        let release = bench.registry.release(JAVA, "21", "2026-08-21T13:00:00Z", "21 3");
        (release.index, release.arm64)
    };
    for (reference, platforms) in [
        (format!("{JAVA}:21"), 2),
        (format!("{JAVA}:21-arm64"), 1),
        (format!("{JAVA}:21.2026.08.21.13"), 2),
        (format!("{JAVA}@{index}"), 2),
        (format!("{JAVA}@{manifest}"), 1),
    ] {
        let bench = Bench { catalog: Arc::new(Catalog::in_memory()), registry: Arc::clone(&bench.registry), ..bench };
        let found = findings(&bench, IdentifySettings::default(), &[&reference]).await;
        assert_eq!(found.len(), platforms, "{reference}");
        for finding in &found {
            let line = Some("public.ecr.aws/lambda/java:21");
            assert_eq!(own_base(finding), ("itself", line, Some("21.2026.08.21.13")), "{reference}");
            assert_eq!((finding.verdict, finding.action), (Verdict::Fresh, Action::None), "{reference}");
        }
        findings(&bench, IdentifySettings::default(), &[&reference]).await;
        bench.registry.requests();
        findings(&bench, IdentifySettings::default(), &[&reference]).await;
        let again = bench.registry.requests();
        assert!(again.len() <= 2 && again.iter().all(|request| request.starts_with("HEAD")), "{reference}: {again:#?}");
    }
}

#[tokio::test]
async fn an_earlier_release_is_replaced_by_the_current_one_instead_of_rebuilt() {
    let mut bench = Bench::daily();
    bench.now = at("2026-08-30T06:00:00Z");
    let current = bench.registry.release(JAVA, "21", "2026-08-21T13:00:00Z", "21 3");
    let earlier = bench.registry.release(JAVA, "21", "2026-08-10T13:00:00Z", "21 1");
    bench.registry.release(JAVA, "21", "2026-08-21T13:00:00Z", "21 3");
    for reference in [
        format!("{JAVA}:21.2026.08.10.13-arm64"),
        format!("{JAVA}@{}", earlier.arm64),
        format!("{JAVA}@{}", earlier.index),
    ] {
        let found = findings(&bench, IdentifySettings::default(), &[&reference]).await;
        let finding = found.last().expect("one for each platform");
        assert_eq!(own_base(finding).2, Some("21.2026.08.10.13"), "{reference}");
        assert_eq!((finding.verdict, finding.action), (Verdict::OutOfDate, Action::Redeploy), "{reference}");
        assert_eq!(finding.reasons[0].code, "not-deployed");
        assert_eq!(
            finding.reasons[0].message.as_str(),
            "the image is a release of public.ecr.aws/lambda/java:21 itself: deploy 21.2026.08.21.13 instead"
        );
        let ReplacementFields { reference, digest, verdict, .. } = finding.replacement.as_ref().expect("named");
        assert_eq!(reference.to_string(), format!("{JAVA}:21.2026.08.21.13@{}", current.index));
        assert_eq!((digest, *verdict), (&current.index, Verdict::Fresh));
    }
}

#[tokio::test]
async fn a_moving_tag_names_the_line_of_a_release_that_no_dated_tag_dates() {
    let bench = Bench::new();
    // Without a build date in the image, its dated tag is not searched.
    bench.registry.publish("public.ecr.aws/lambda/nodejs", "20", "2026-08-10T13:00:00Z", &["os", "node"]);
    bench.registry.untag("public.ecr.aws/lambda/nodejs", "20.2026.08.10.13");
    bench.registry.untag("public.ecr.aws/lambda/nodejs", "20.2026.08.10.13-arm64");
    let found = findings(&bench, IdentifySettings::default(), &["public.ecr.aws/lambda/nodejs:20"]).await;
    assert_eq!(own_base(&found[0]), ("itself", Some("public.ecr.aws/lambda/nodejs:20"), None));
    assert_eq!((found[0].verdict, found[0].action), (Verdict::Deprecated, Action::Upgrade));
}

#[tokio::test]
async fn a_mirrored_release_is_its_own_base_if_the_base_repository_has_it() {
    let bench = Bench::daily();
    let release = bench.registry.release(JAVA, "21", "2026-08-21T13:00:00Z", "21 3");
    bench.registry.tag(MIRROR, "21", &release.index);
    let reference = format!("{MIRROR}:21");
    let found = findings(&bench, mirrored(), &[&reference]).await;
    assert_eq!(own_base(&found[0]).0, "itself");
    let first = bench.registry.requests();
    assert_eq!(first.iter().filter(|request| *request == "HEAD lambda/java@").count(), 2, "one for each platform");
    findings(&bench, mirrored(), &[&reference]).await;
    bench.registry.requests();
    findings(&bench, mirrored(), &[&reference]).await;
    assert_eq!(bench.registry.requests(), ["HEAD lambda/java:21", "HEAD lambda/java:21"], "the mirror, and the line");
}

#[tokio::test]
async fn no_other_image_passes_for_a_release_of_a_base() {
    let bench = Bench::daily();
    let own = bench.registry.layered("pushed to the mirror", "arm64", &["os arm64", "own"], "gzip");
    bench.registry.tag(MIRROR, "21", &own);
    bench.registry.keep_in(MIRROR, &own);
    let elsewhere = "registry.example.com/lambda/java";
    bench.registry.tag(elsewhere, "21", &own);
    for (settings, reference) in [
        // Not in the base repository that the mirror serves.
        (mirrored(), format!("{MIRROR}:21")),
        // A digest of the mirror, written with the base repository.
        (mirrored(), format!("{JAVA}@{own}")),
        // Of the same name in another registry.
        (IdentifySettings::default(), format!("{MIRROR}:21")),
    ] {
        let found = findings(&bench, settings, &[&reference]).await;
        let by = found.first().and_then(|finding| finding.base.as_ref()).map(|base| base.identified_by.clone());
        assert_ne!(by.as_deref(), Some("itself"), "{reference}");
        let releases = bench.catalog.read_repository(&JAVA.parse().expect("valid"), |record| {
            record.releases.keys().any(|manifest| *manifest == own)
        });
        assert!(!releases, "{reference}: it is no evidence for other images");
    }
}

#[tokio::test]
async fn a_company_base_is_judged_by_the_base_that_it_is_built_on() {
    const COMPANY: &str = "registry.example.com/acme/base";
    let bench = Bench::new();
    bench.registry.publish(JAVA, "21", "2026-06-10T13:00:00Z", &["os", "jdk"]);
    bench.registry.publish(JAVA, "21", "2026-08-20T13:00:00Z", &["os", "newer jdk"]);
    let layers = ["os", "jdk", "agent"].map(testbed::world::diff_id);
    let own = bench.registry.configured(
        "company base",
        &serde_json::json!({
            "architecture": "arm64", "os": "linux", "created": "2026-06-11T13:00:00Z",
            "config": { "Labels": { "sdkBaseVersion": format!("{JAVA}:21.2026.06.10.13") } },
            "rootfs": { "type": "layers", "diff_ids": layers },
        }),
    );
    bench.registry.tag(COMPANY, "stable", &own);
    let company = BaseRule { is_company: Some(true), ..BaseRule::new(COMPANY.parse().expect("valid")) };
    let settings = IdentifySettings { bases: BaseRules::new(vec![company]), ..IdentifySettings::default() };
    let found = findings(&bench, settings, &[&format!("{COMPANY}:stable")]).await;
    let base = found[0].base.as_ref().expect("a base");
    assert_eq!((&*base.identified_by, base.release.as_deref()), ("label", Some("21.2026.06.10.13")));
    assert_eq!((found[0].verdict, found[0].action), (Verdict::Stale, Action::Rebuild));
}
