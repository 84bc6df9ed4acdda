//! Held releases: the current release, newer releases, and reasons.

use basewatch::resolve::{ReleaseHold, ReleaseLine};

use super::*;

impl Bench {
    /// As `resolve`, with these holds.
    async fn resolve_held(&self, base: Base, holds: &[String]) -> Resolution {
        let resolver = self.holding(holds);
        let age = ImageAge { existed_at: None, built_at: None };
        resolver.resolve(&BaseQuery { base, platform: arm(), built_at: None }, age).await
    }

    fn holding(&self, holds: &[String]) -> BaseResolver {
        let images = Arc::new(ImageReader::new(Arc::clone(&self.registry) as _, Arc::clone(&self.catalog)));
        let hold = |pattern: &String| ReleaseHold {
            release: pattern.parse().expect("a pattern"),
            reason: "TLS to RDS fails".to_owned(),
            until: "2026-12-31".parse().expect("a day"),
        };
        let settings = ResolveSettings { holds: holds.iter().map(hold).collect(), ..ResolveSettings::default() };
        BaseResolver::new(images, settings, self.now, self.now)
    }
}

fn tag(day: u32) -> String {
    format!("{JAVA}:21.2026.08.{day:02}.13")
}

fn current_of(resolution: &Resolution) -> Option<String> {
    resolution.current.as_ref()?.release.as_ref().map(ToString::to_string)
}

#[tokio::test]
async fn the_newest_release_that_is_not_held_is_current() {
    for pattern in [tag(21), format!("{JAVA}:21.2026.08.21.*"), format!("{JAVA}:21.2026.08.21.13-arm64")] {
        let bench = Bench::daily();
        let digest = digest_at(&bench, "21", 10);
        let resolution =
            bench.resolve_held(base(JAVA, Some("21"), Some(&digest)), std::slice::from_ref(&pattern)).await;
        assert_eq!(current_of(&resolution).as_deref(), Some("21.2026.08.20.13"), "{pattern}");
        let current = resolution.current.as_ref().expect("a current release");
        assert_eq!(current.digest, digest_at(&bench, "21", 20), "{pattern}");
        assert!(current.hold.is_some());
        let pinned = format!("{JAVA}:21.2026.08.20.13@{}", current.digest);
        assert_eq!(current.pinned(&resolution.line.as_ref().expect("a line").0), pinned);
        assert_eq!(
            (resolution.later_releases.since, resolution.later_releases.count),
            (Some(at("2026-08-11T13:00:00Z")), Some(10))
        );
        assert!(resolution.later_releases.is_exact && resolution.base.hold.is_none());
    }
}

#[tokio::test]
async fn a_release_can_be_held_by_digest_and_does_not_count_as_newer() {
    let bench = Bench::daily();
    let (base_digest, newest) = (digest_at(&bench, "21", 10), digest_at(&bench, "21", 21));
    let holds = [format!("{JAVA}@{newest}"), format!("{JAVA}:21.2026.08.1[12].*")];
    let resolution = bench.resolve_held(base(JAVA, Some("21"), Some(&base_digest)), &holds).await;
    assert_eq!(current_of(&resolution).as_deref(), Some("21.2026.08.20.13"));
    assert_eq!(resolution.later_releases.since, Some(at("2026-08-13T13:00:00Z")));
    assert_eq!(resolution.later_releases.count, Some(8));
    assert!(!resolution.later_releases.is_exact, "which release the digest is was not asked");
}

#[tokio::test]
async fn a_hold_on_another_line_changes_nothing_and_costs_no_request() {
    let (plain, holding) = (Bench::daily(), Bench::daily());
    let digest = digest_at(&plain, "21", 10);
    let base = base(JAVA, Some("21"), Some(&digest));
    let without = plain.resolve_held(base.clone(), &[]).await;
    let resolver = holding.holding(&[format!("{JAVA}:17.*"), "registry.example/base@sha256:*".to_owned()]);
    let query = BaseQuery { base, platform: arm(), built_at: None };
    let with = resolver.resolve(&query, ImageAge { existed_at: None, built_at: None }).await;
    assert_eq!(with.later_releases, without.later_releases);
    assert_eq!(current_of(&with), current_of(&without));
    assert_eq!(holding.registry.requests(), plain.registry.requests());
    assert!(resolver.matched_holds().is_empty(), "neither names a release of the line");
}

#[tokio::test]
async fn a_base_on_a_held_release_has_the_hold() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    for pattern in [tag(10), format!("{JAVA}@{digest}")] {
        let resolver = bench.holding(&[pattern.clone(), tag(3)]);
        let query = BaseQuery { base: base(JAVA, Some("21"), Some(&digest)), platform: arm(), built_at: None };
        let resolution = resolver.resolve(&query, ImageAge { existed_at: None, built_at: None }).await;
        assert!(resolution.base.hold.is_some(), "{pattern}");
        assert_eq!(current_of(&resolution).as_deref(), Some("21.2026.08.21.13"));
        assert!(resolution.steps.iter().any(|step| step.title == "hold" && step.detail.contains("TLS to RDS fails")));
        assert!(resolver.matched_holds().contains(&0));
    }
}

#[tokio::test]
async fn a_line_with_only_held_releases_has_no_current_release() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    let resolution = bench.resolve_held(base(JAVA, Some("21"), Some(&digest)), &[format!("{JAVA}:21.*")]).await;
    assert_eq!(resolution.current, None);
    assert!(resolution.base.hold.is_some());
    assert!(resolution.problems.iter().any(|problem| problem.kind == ProblemKind::LineHeld), "{resolution:#?}");
}

const PYTHON: &str = "docker.io/library/python";

#[tokio::test]
async fn on_a_line_without_dated_tags_the_newest_observed_release_without_a_hold_is_current() {
    let mut bench = Bench::new();
    let mut digests = Vec::new();
    for (day, name) in [(1, "a"), (5, "b"), (9, "c")] {
        let digest = bench.registry.image(name, "arm64", None, &[Digest::sha256(name.as_bytes())]);
        bench.registry.tag(PYTHON, "3.12", &digest);
        bench.now = at(&format!("2026-08-{day:02}T06:00:00Z"));
        bench.resolve(base(PYTHON, Some("3.12"), Some(&digest)), None).await;
        digests.push(digest);
    }
    bench.now = at("2026-08-10T06:00:00Z");
    let on_a = || base(PYTHON, Some("3.12"), Some(&digests[0]));
    let hold = |index: usize| format!("{PYTHON}@{}", digests[index]);
    let resolution = bench.resolve_held(on_a(), &[hold(2)]).await;
    let current = resolution.current.as_ref().expect("a current release");
    assert_eq!(current.digest, digests[1]);
    let line = ReleaseLine { repository: PYTHON.parse().expect("valid"), tag: "3.12".to_owned() };
    assert_eq!(current.pinned(&line), format!("{PYTHON}@{}", digests[1]));
    assert_eq!(resolution.later_releases.count, Some(1), "the held one does not count");

    let resolution = bench.resolve_held(on_a(), &[hold(2), hold(1)]).await;
    assert_eq!(resolution.current.as_ref().map(|current| &current.digest), Some(&digests[0]));
    let resolution = bench.resolve_held(on_a(), &[hold(2), hold(1), hold(0)]).await;
    assert_eq!(resolution.current, None);
}

#[tokio::test]
async fn looking_up_a_line_returns_the_newest_release_without_a_hold() {
    let bench = Bench::daily();
    let resolver = bench.holding(&[tag(21)]);
    let (digest, content) = resolver.look_up(&format!("{JAVA}:21").parse().expect("valid")).await.expect("is there");
    assert_eq!(digest, digest_at(&bench, "21", 20));
    assert_eq!(content.kind(), basewatch::image::DigestKind::Index);
    let history = resolver.history(&JAVA.parse().expect("valid"), "21").await.expect("a history");
    let held: Vec<_> = history.releases.iter().filter(|release| release.hold.is_some()).collect();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].tag.to_string(), "21.2026.08.21.13");
}
