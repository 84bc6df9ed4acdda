//! Real-world indexes: nested, without platforms, or with platforms that differ from their images.

use basewatch::{
    image::{ChildManifest, Digest, DigestKind, Platform},
    judge::{RuntimeCalendar, RuntimeStatus},
    registry::Error,
    resolve::{BaseQuery, BaseResolver, ImageAge, ProblemKind, Resolution, ResolveSettings},
    store::ImageReader,
};

use crate::resolve::{Bench, at, base};

const REPOSITORY: &str = "registry.example.com/base/os";

fn platform(text: &str) -> Platform {
    text.parse().expect(text)
}

/// An image whose configuration is for `architecture`.
fn image(bench: &Bench, name: &str, architecture: &str) -> Digest {
    bench.registry.image(name, architecture, Some(at("2026-08-01T10:00:00Z")), &[Digest::sha256(name.as_bytes())])
}

fn entry(digest: &Digest, stated: Option<&str>) -> ChildManifest {
    ChildManifest::new(digest.clone(), stated.map(platform))
}

fn nested(digest: &Digest) -> ChildManifest {
    ChildManifest { kind: DigestKind::Index, ..entry(digest, None) }
}

/// The resolution of the base `digest` on the line `1`, for an image of `platform`.
async fn resolve(bench: &Bench, digest: &Digest, platform: &str) -> Resolution {
    let images = ImageReader::new(std::sync::Arc::clone(&bench.registry) as _, std::sync::Arc::clone(&bench.catalog));
    let resolver = BaseResolver::new(std::sync::Arc::new(images), ResolveSettings::default(), bench.now, bench.now);
    let query = BaseQuery {
        base: base(REPOSITORY, Some("1"), Some(digest)),
        platform: self::platform(platform),
        built_at: None,
    };
    resolver.resolve(&query, ImageAge::default()).await
}

/// The base's manifest in an index of `children` for an image of `platform`, and that of the current release in another
/// such index.
async fn chosen(children: &[ChildManifest], bench: &Bench, platform: &str) -> Option<Digest> {
    let (old, new) =
        (bench.registry.index_of("old", children.to_vec()), bench.registry.index_of("new", children.to_vec()));
    bench.registry.tag(REPOSITORY, "1", &new);
    let resolution = resolve(bench, &old, platform).await;
    let current = resolution.current.and_then(|current| current.platform_digest);
    assert_eq!(current, resolution.base.platform_digest, "an equal image is the current release");
    assert_eq!(resolution.problems.is_empty(), current.is_some(), "{:?}", resolution.problems);
    current
}

#[tokio::test]
async fn the_image_that_the_platform_runs_is_compared() {
    let bench = Bench::new();
    let [arm64, amd64, amd64_v2, arm_v6] = [("arm64", "arm64"), ("amd64", "amd64"), ("v2", "amd64"), ("v6", "arm")]
        .map(|(name, architecture)| image(&bench, name, architecture));
    let lying = image(&bench, "says amd64 under an entry for arm64", "amd64");
    let stated = [entry(&arm64, Some("linux/arm64/v8")), entry(&amd64, Some("linux/amd64"))];
    let lies = [entry(&lying, Some("linux/arm64/v8")), entry(&amd64, Some("linux/amd64"))];
    let silent = [entry(&arm64, None), entry(&amd64, None)];
    let variants = [
        entry(&amd64, Some("linux/amd64")),
        entry(&amd64_v2, Some("linux/amd64/v2")),
        entry(&arm_v6, Some("linux/arm/v6")),
    ];
    for (children, platform, expected) in [
        (&stated[..], "linux/arm64", Some(&arm64)),
        (&stated, "linux/amd64/v3", Some(&amd64)),
        (&lies, "linux/arm64", Some(&lying)),
        (&lies, "linux/amd64", Some(&amd64)),
        (&silent, "linux/amd64", Some(&amd64)),
        (&silent, "linux/arm64/v8", Some(&arm64)),
        (&silent, "linux/s390x", None),
        (&variants, "linux/amd64/v3", Some(&amd64_v2)),
        (&variants, "linux/amd64", Some(&amd64)),
        (&variants, "linux/arm", Some(&arm_v6)),
        (&[], "linux/arm64", None),
    ] {
        let bench = Bench { registry: std::sync::Arc::clone(&bench.registry), ..Bench::new() };
        assert_eq!(chosen(children, &bench, platform).await.as_ref(), expected, "{platform} of {children:?}");
    }
}

#[tokio::test]
async fn a_nested_index_is_read_and_a_cycle_ends() {
    let bench = Bench::new();
    let (arm64, amd64) = (image(&bench, "arm64", "arm64"), image(&bench, "amd64", "amd64"));
    let inner = bench.registry.index_of("inner", vec![entry(&arm64, Some("linux/arm64"))]);
    let middle = bench.registry.index_of("middle", vec![nested(&inner)]);
    let outer = [entry(&amd64, Some("linux/amd64")), nested(&middle)];
    assert_eq!(chosen(&outer, &bench, "linux/arm64").await, Some(arm64));
    assert_eq!(
        chosen(&outer, &Bench { registry: bench.registry.clone(), ..Bench::new() }, "linux/amd64").await,
        Some(amd64)
    );

    let bench = Bench { registry: bench.registry.clone(), ..Bench::new() };
    let circle = bench.registry.index_of("circle", vec![nested(&Digest::sha256(b"circle"))]);
    bench.registry.tag(REPOSITORY, "1", &circle);
    bench.registry.requests();
    let resolution = resolve(&bench, &Digest::sha256(b"old"), "linux/arm64").await;
    assert!(resolution.current.is_none());
    assert!(bench.registry.requests().len() < 12);
}

#[tokio::test]
async fn an_index_over_the_limit_does_not_prove_that_an_image_is_missing() {
    let bench = Bench::new();
    let silent: Vec<_> = (0..64).map(|number| entry(&image(&bench, &format!("{number}"), "riscv64"), None)).collect();
    let index = bench.registry.index_of("silent", silent);
    bench.registry.tag(REPOSITORY, "1", &index);
    let resolution = resolve(&bench, &Digest::sha256(b"gone"), "linux/arm64").await;
    assert!(resolution.problems.iter().any(|problem| problem.kind == ProblemKind::Malformed));
    assert!(!resolution.problems.iter().any(|problem| problem.kind == ProblemKind::PlatformMissing));
    assert!(bench.registry.requests().len() < 100, "each entry costs two requests, and half of them are read");
}

#[tokio::test]
async fn the_current_digest_is_current_whatever_its_platforms() {
    let bench = Bench::new();
    let amd64 = image(&bench, "amd64", "amd64");
    let index = bench.registry.index_of("amd64 only", vec![entry(&amd64, Some("linux/amd64"))]);
    bench.registry.tag(REPOSITORY, "1", &index);
    for digest in [&index, &amd64] {
        let resolution = resolve(&bench, digest, "linux/arm64").await;
        let current = resolution.current.expect("a current release");
        assert!(current.kind_of(digest).is_some(), "{digest}");
        assert_eq!(resolution.base.platform_digest.as_ref(), Some(&amd64), "{digest}");
        assert_eq!(resolution.problems, [], "{digest}");
    }
}

#[tokio::test]
async fn a_manifest_for_another_platform_is_compared_with_the_release_for_that_platform() {
    let bench = Bench::new();
    let manifest = |name: &str| (image(&bench, &format!("{name} arm64"), "arm64"), image(&bench, name, "amd64"));
    let (old_arm64, _) = manifest("old");
    let (new_arm64, new_amd64) = manifest("new");
    let index = [entry(&new_arm64, Some("linux/arm64")), entry(&new_amd64, Some("linux/amd64"))];
    bench.registry.tag(REPOSITORY, "1", &bench.registry.index_of("index", index.to_vec()));
    for recorded in [&old_arm64, &new_arm64] {
        let resolution = resolve(&bench, recorded, "linux/amd64").await;
        let current = resolution.current.expect("a current release");
        assert_eq!(current.platform_digest.as_ref(), Some(&new_arm64));
        assert_eq!(
            resolution.base.platform,
            Some(platform("linux/arm64")),
            "which the judgement reports as a mismatch"
        );
    }
}

#[tokio::test]
async fn an_aws_image_on_docker_hub_has_its_runtime_even_if_the_registry_is_not_allowed() {
    let bench = Bench::new();
    bench.registry.break_with(Some(Error::NotAllowed { registry: "docker.io".into() }));
    for repository in ["docker.io/amazon/aws-lambda-python", "index.docker.io/amazon/aws-lambda-python"] {
        let resolution = bench.resolve(base(repository, Some("3.9"), None), None).await;
        let (line, _) = resolution.line.expect("a line");
        let (now, warning) = (at("2026-11-20T06:00:00Z"), chrono::Duration::days(90));
        let support = RuntimeCalendar::default().support(&line.repository, &line.tag, now, warning);
        assert_eq!(support.expect("a runtime").status, RuntimeStatus::Deprecated);
    }
}
