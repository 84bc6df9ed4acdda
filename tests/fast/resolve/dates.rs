//! Publish dates of releases: wrong build dates, observed moves of tags, and images that bound their own base only.

use basewatch::resolve::{BaseQueryKey, ImageAge, PublishDateSource as Source};
use chrono::Duration;
use serde_json::json;

use super::*;

const PYTHON: &str = "registry.example.com/library/python";

/// An instant so many days before now, which is a month after [`NOW`].
fn ago(days: i64) -> DateTime<Utc> {
    at("2026-11-20T06:00:00Z") - Duration::days(days)
}

fn bench() -> Bench {
    Bench { now: ago(0), ..Bench::new() }
}

/// The build dates of a release in descriptor, history and configuration.
#[derive(Clone, Copy, Debug, Default)]
struct Built {
    descriptor: Option<i64>,
    history: Option<i64>,
    config: Option<i64>,
}

impl Built {
    fn config(days: i64) -> Self {
        Self { config: Some(days), ..Self::default() }
    }
}

/// Publishes `name` on `python:3.12`, built so many days ago.
fn publish(bench: &Bench, name: &str, built: Built) -> Digest {
    let history: Vec<_> = built.history.into_iter().map(|days| json!({ "created": ago(days) })).collect();
    let image = bench.registry.configured(
        &format!("{name} arm64"),
        &json!({
            "architecture": "arm64", "os": "linux", "created": built.config.map(ago), "history": history,
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(b"os"), Digest::sha256(name.as_bytes())] },
        }),
    );
    let descriptor = built.descriptor.map(|days| ago(days).to_rfc3339());
    let index = bench.registry.index_created(name, &[("arm64", &image)], descriptor.as_deref());
    bench.registry.tag(PYTHON, "3.12", &index);
    index
}

async fn resolve(bench: &Bench, digest: &Digest) -> Resolution {
    bench.resolve(base(PYTHON, Some("3.12"), Some(digest)), None).await
}

/// Source and age in days of the base, then of the current release.
fn dates(resolution: &Resolution) -> [Option<(Source, i64)>; 2] {
    let current = resolution.current.as_ref().and_then(|current| current.published);
    [resolution.base.published, current].map(|published| {
        let published = published?;
        assert_eq!(published.is_estimated, published.source.is_estimate());
        Some((published.source, (ago(0) - published.at).num_days()))
    })
}

fn behind(resolution: &Resolution) -> Option<i64> {
    assert!(!resolution.later_releases.is_exact);
    resolution.later_releases.since.map(|since| (ago(0) - since).num_days())
}

#[tokio::test]
async fn an_official_image_is_dated_by_descriptor_or_history_instead_of_the_commit_date() {
    let rebuilt = |days| Built { descriptor: Some(days), history: Some(days), config: Some(94) };
    for (old, new, source) in [
        (rebuilt(6), rebuilt(2), Source::DescriptorCreated),
        (Built { descriptor: None, ..rebuilt(6) }, Built { descriptor: None, ..rebuilt(2) }, Source::HistoryCreated),
        // The commit date in the descriptor as well.
        (
            Built { descriptor: Some(94), ..rebuilt(6) },
            Built { descriptor: Some(94), ..rebuilt(2) },
            Source::HistoryCreated,
        ),
    ] {
        let bench = bench();
        let (old, new) = (publish(&bench, "old", old), publish(&bench, "new", new));
        let resolution = resolve(&bench, &old).await;
        assert_eq!(dates(&resolution), [Some((source, 6)), Some((source, 2))]);
        assert_eq!(behind(&resolution), Some(2));
        assert!(resolution.later_releases.is_estimated);
        assert_eq!(dates(&resolve(&bench, &new).await)[0], Some((source, 2)));
    }
}

#[tokio::test]
async fn a_created_that_two_releases_of_a_line_have_dates_neither() {
    let bench = bench();
    let old = publish(&bench, "old", Built::config(94));
    publish(&bench, "new", Built::config(94));
    let resolution = resolve(&bench, &old).await;
    assert_eq!(dates(&resolution), [None, Some((Source::FirstSeen, 0))]);
    assert_eq!((behind(&resolution), resolution.later_releases.count), (None, Some(1)));
    let reported = resolution.steps.iter().filter(|step| step.title == "build date").count();
    assert_eq!(reported, 1, "{:#?}", resolution.steps);
    // The image that was built on it proves that it existed then.
    let proven = bench.resolve(base(PYTHON, Some("3.12"), Some(&old)), Some("2026-11-15T06:00:00Z")).await;
    assert_eq!(dates(&proven)[0], Some((Source::AtLeast, 5)));
}

#[tokio::test]
async fn a_date_contradicted_by_another_base_of_the_line_does_not_date_the_current_release() {
    let bench = bench();
    let old = publish(&bench, "old", Built::config(94));
    let new = publish(&bench, "new", Built::config(94));
    let images = Arc::new(ImageReader::new(Arc::clone(&bench.registry) as _, Arc::clone(&bench.catalog)));
    let resolver = BaseResolver::new(images, ResolveSettings::default(), bench.now, bench.now);
    let query = |digest| BaseQuery { base: base(PYTHON, Some("3.12"), Some(digest)), platform: arm(), built_at: None };
    // Found before the other one is, dated after.
    let (current, outdated) = (query(&new), query(&old));
    let found = resolver.find(&current).await;
    resolver.find(&outdated).await;
    let resolution = resolver.date(&BaseQueryKey::from(&current), &found, ImageAge::default());
    assert_eq!(dates(&resolution)[0], Some((Source::FirstSeen, 0)), "94 days would make it stale");
}

#[tokio::test]
async fn an_observed_release_of_the_line_contradicts_a_commit_date() {
    let bench = bench();
    let old = publish(&bench, "old", Built::config(94));
    let earlier = Bench { now: ago(9), ..bench };
    resolve(&earlier, &old).await;
    let bench = Bench { now: ago(0), ..earlier };
    let new = publish(&bench, "new", Built::config(94));
    let resolution = resolve(&bench, &new).await;
    assert_eq!(dates(&resolution)[0], Some((Source::Observed, 0)));
    let published = resolution.base.published.expect("dated");
    assert_eq!(published.not_before, Some(ago(9)));
}

#[tokio::test]
async fn implausible_dates_and_dates_before_the_history_are_ignored() {
    for (built, expected) in [
        (Built { history: Some(6), config: Some(94), ..Built::default() }, Some((Source::HistoryCreated, 6))),
        (Built { descriptor: Some(-2), history: None, config: Some(7) }, Some((Source::ConfigCreated, 7))),
        (Built { descriptor: Some(20_000), history: Some(20_000), config: Some(7) }, Some((Source::ConfigCreated, 7))),
        (Built { descriptor: None, history: Some(17_000), config: Some(20_000) }, None),
        (Built::default(), None),
    ] {
        let bench = bench();
        let old = publish(&bench, "old", built);
        publish(&bench, "new", Built::config(1));
        assert_eq!(dates(&resolve(&bench, &old).await)[0], expected, "{built:?}");
    }
}

#[tokio::test]
async fn an_older_created_of_a_newer_release_proves_no_order() {
    for (old, new) in [(10, 30), (10, 10)] {
        let bench = bench();
        let old = publish(&bench, "old", Built::config(old));
        publish(&bench, "new", Built { history: Some(new), ..Built::default() });
        let resolution = resolve(&bench, &old).await;
        assert_eq!((behind(&resolution), resolution.later_releases.count), (None, Some(1)));
        let (ours, its) = (resolution.base.published, resolution.current.expect("current").published);
        assert!(!its.expect("dated").is_proven_before(ours.expect("dated")));
    }
}

#[tokio::test]
async fn a_build_promoted_by_retagging_counts_from_the_move_of_the_tag() {
    let bench = bench();
    let ours = publish(&bench, "ours", Built::config(30));
    let before = Bench { now: ago(0) - Duration::minutes(12), ..bench };
    resolve(&before, &ours).await;
    let bench = Bench { now: ago(0), ..before };
    publish(&bench, "promoted", Built::config(20));
    let resolution = resolve(&bench, &ours).await;
    let current = resolution.current.as_ref().and_then(|current| current.published).expect("dated");
    assert_eq!((current.source, current.at), (Source::Observed, ago(0)));
    assert_eq!(current.not_before, Some(ago(0) - Duration::minutes(12)));
    assert_eq!((resolution.later_releases.since, resolution.later_releases.count), (Some(ago(0)), Some(1)));
    assert!(!resolution.later_releases.is_estimated);

    // Days later it has been behind since then, whatever came after.
    let bench = Bench { now: ago(-3), ..bench };
    publish(&bench, "next", Built::config(25));
    let later = resolve(&bench, &ours).await;
    assert_eq!((later.later_releases.since, later.later_releases.count), (Some(ago(0)), Some(2)));
}

#[tokio::test]
async fn the_observation_of_a_tag_extends_to_the_last_run() {
    let mut bench = bench();
    let ours = publish(&bench, "ours", Built::default());
    for days in [40, 20, 3] {
        bench.now = ago(days);
        resolve(&bench, &ours).await;
    }
    bench.now = ago(2);
    let next = publish(&bench, "next", Built::default());
    let resolution = resolve(&bench, &next).await;
    let published = resolution.base.published.expect("dated");
    assert_eq!((published.source, published.not_before, published.at), (Source::Observed, Some(ago(3)), ago(2)));
    assert_eq!(dates(&resolve(&bench, &ours).await)[0], Some((Source::FirstSeen, 40)));
}

#[tokio::test]
async fn an_estimate_within_a_wide_interval_replaces_the_interval() {
    for (gap, built, expected) in
        [(200, 60, Source::ConfigCreated), (200, 210, Source::Observed), (3, 2, Source::Observed)]
    {
        let mut bench = bench();
        let first = publish(&bench, "first", Built::default());
        bench.now = ago(gap);
        resolve(&bench, &first).await;
        bench.now = ago(1);
        let second = publish(&bench, "second", Built::config(built));
        let published = resolve(&bench, &second).await.base.published.expect("dated");
        assert_eq!((published.source, published.not_before), (expected, Some(ago(gap))), "{gap} {built}");
    }
}

#[tokio::test]
async fn a_rollback_is_proven_by_observations_unless_build_dates_contradict_them() {
    for (first, second, is_proven) in [
        (Built::default(), Built::default(), true),
        (Built::config(60), Built::config(50), true),
        (Built::config(94), Built::config(94), true),
        // The tag went back to an older build, and then forth again.
        (Built::config(50), Built::config(60), false),
    ] {
        let mut bench = bench();
        let current = publish(&bench, "first", first);
        bench.now = ago(9);
        resolve(&bench, &current).await;
        bench.now = ago(5);
        let ours = publish(&bench, "second", second);
        resolve(&bench, &ours).await;
        bench.now = ago(4);
        publish(&bench, "first", first);
        let resolution = resolve(&bench, &ours).await;
        let (base, its) = (resolution.base.published, resolution.current.clone().expect("current").published);
        let is_ahead = its.expect("dated").is_proven_before(base.expect("dated"));
        assert_eq!(is_ahead, is_proven, "{first:?} {second:?}");
        assert_eq!(resolution.later_releases.since, None, "what was there before is not newer");
    }
}

#[tokio::test]
async fn a_platform_digest_is_dated_by_its_observed_index() {
    let mut bench = bench();
    let built = Built { descriptor: Some(30), history: None, config: Some(94) };
    let old = publish(&bench, "old", built);
    bench.now = ago(8);
    resolve(&bench, &old).await;
    bench.now = ago(3);
    publish(&bench, "new", Built { descriptor: Some(4), ..built });
    let resolution = resolve(&bench, &Digest::sha256(b"old arm64")).await;
    assert_eq!(dates(&resolution)[0], Some((Source::DescriptorCreated, 30)));
    assert_eq!(resolution.later_releases.since, Some(ago(3)), "seen to move");
}

#[tokio::test]
async fn an_instant_in_the_past_uses_the_observations_of_that_time() {
    let mut bench = bench();
    let old = publish(&bench, "old", Built::config(50));
    for days in [40, 20] {
        bench.now = ago(days);
        resolve(&bench, &old).await;
    }
    bench.now = ago(2);
    publish(&bench, "new", Built::config(3));
    resolve(&bench, &old).await;
    bench.now = ago(30);
    let then = resolve(&bench, &old).await;
    assert_eq!(then.current.expect("current").digest, old);
}

#[tokio::test]
async fn an_image_older_than_the_build_date_of_its_base_contradicts_that_date() {
    let bench = bench();
    let old = publish(&bench, "old", Built { history: Some(5), config: Some(9), ..Built::default() });
    publish(&bench, "new", Built::config(1));
    let base_in_use = base(PYTHON, Some("3.12"), Some(&old));
    for (pushed, expected) in [(4, (Source::HistoryCreated, 5)), (30, (Source::AtLeast, 30))] {
        let pushed_at = ago(pushed).to_rfc3339();
        let resolution = bench.resolve(base_in_use.clone(), Some(&pushed_at)).await;
        assert_eq!(dates(&resolution)[0], Some(expected), "{pushed}");
    }
}

#[tokio::test]
async fn dating_costs_no_additional_requests() {
    let bench = bench();
    let old = publish(&bench, "old", Built { descriptor: Some(6), history: Some(6), config: Some(94) });
    publish(&bench, "new", Built { descriptor: Some(2), history: Some(2), config: Some(94) });
    resolve(&bench, &old).await;
    let requests = bench.registry.requests();
    // Index, manifest and configuration of either.
    assert_eq!(requests.len(), 6, "{requests:#?}");
    resolve(&bench, &old).await;
    assert_eq!(bench.registry.requests(), ["HEAD library/python:3.12"]);
}

#[tokio::test]
async fn observations_are_kept_after_dated_tags_were_removed() {
    let bench = Bench::new();
    let day = |day: i64| format!("2026-08-{day:02}T13:00:00Z");
    let ours = bench.registry.release(JAVA, "21", &day(1), "ours").index;
    let mut bench = Bench { now: at(&day(1)) + Duration::hours(8), ..bench };
    bench.resolve(base(JAVA, Some("21"), Some(&ours)), None).await;
    // Published, seen, and its dated tags removed again.
    let withdrawn = bench.registry.index("withdrawn", &[("arm64", &publish_java(&bench, "withdrawn arm64"))]);
    bench.registry.tag(JAVA, "21", &withdrawn);
    bench.now = at(&day(3));
    let seen = bench.resolve(base(JAVA, Some("21"), Some(&ours)), None).await;
    assert_eq!((seen.later_releases.since, seen.later_releases.count), (Some(at(&day(3))), Some(1)));
    bench.registry.release(JAVA, "21", &day(9), "next");
    bench.now = at(&day(10));
    let later = bench.resolve(base(JAVA, Some("21"), Some(&ours)), None).await;
    assert_eq!((later.later_releases.since, later.later_releases.count), (Some(at(&day(3))), Some(2)));
    assert!(!later.later_releases.is_exact);
}

fn publish_java(bench: &Bench, name: &str) -> Digest {
    bench.registry.image(name, "arm64", None, &[Digest::sha256(name.as_bytes())])
}
