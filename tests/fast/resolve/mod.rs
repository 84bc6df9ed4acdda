//! Stage 3 over an in-memory registry: lines, dates, time behind, and the number of requests.

mod ahead;
mod chain;
mod dates;
mod digests;
mod holds;
mod images;
mod itself;
mod platforms;

use std::sync::Arc;

use basewatch::{
    identify::Base,
    image::{Digest, ErrorCode, Repository},
    registry::{Error, MissingContent},
    resolve::{
        BaseQuery, BaseResolver, ImageAge, LineSource, ProblemKind, PublishDateSource, Resolution, ResolutionProblem,
        ResolveSettings,
    },
    store::{Catalog, ImageReader},
};
use chrono::{DateTime, Utc};
use testbed::world::{JAVA, Lists, World, arm, at};

const NOW: &str = "2026-08-22T06:00:00Z";

struct Bench {
    registry: Arc<World>,
    catalog: Arc<Catalog>,
    now: DateTime<Utc>,
}

impl Bench {
    fn new() -> Self {
        Self { registry: Arc::default(), catalog: Arc::new(Catalog::in_memory()), now: at(NOW) }
    }

    /// Thirty days of two families that are published daily, as `lambda/java` really is.
    fn daily() -> Self {
        let bench = Self::new();
        for day in 1..=21 {
            bench.registry.release(JAVA, "21", &format!("2026-08-{day:02}T13:00:00Z"), &format!("21 {}", day / 7));
            bench.registry.release(JAVA, "17", &format!("2026-08-{day:02}T13:00:00Z"), &format!("17 {}", day / 7));
        }
        bench
    }

    /// Each call is a separate run over the same catalog. The image on the base was pushed when it was built.
    async fn resolve(&self, base: Base, built_at: Option<&str>) -> Resolution {
        let images = Arc::new(ImageReader::new(Arc::clone(&self.registry) as _, Arc::clone(&self.catalog)));
        let resolver = BaseResolver::new(images, ResolveSettings::default(), self.now, self.now);
        let built_at = built_at.map(at);
        let age = ImageAge { existed_at: built_at, built_at };
        resolver.resolve(&BaseQuery { base, platform: arm(), built_at }, age).await
    }
}

fn base(repository: &str, tag: Option<&str>, digest: Option<&Digest>) -> Base {
    Base {
        repository: repository.parse().expect("valid"),
        mirror: None,
        tag: tag.map(str::to_owned),
        digest: digest.cloned(),
        further_digests: Vec::new(),
        further_tag: None,
        configured_tag: None,
        default_tag: None,
    }
}

fn release_of(resolution: &Resolution) -> Option<String> {
    resolution.base.release.as_ref().map(ToString::to_string)
}

fn digest_at(bench: &Bench, family: &str, day: u32) -> Digest {
    // Publishing again is idempotent but for the moving tag, which the caller restores.
    let release =
        bench.registry.release(JAVA, family, &format!("2026-08-{day:02}T13:00:00Z"), &format!("{family} {}", day / 7));
    bench.registry.release(JAVA, family, "2026-08-21T13:00:00Z", &format!("{family} 3"));
    release.index
}

fn without_lists(requests: &[String]) -> usize {
    requests.iter().filter(|request| !request.starts_with("TAGS")).count()
}

#[tokio::test]
async fn a_digest_without_a_tag_finds_its_release_line_and_distance() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    let resolution = bench.resolve(base(JAVA, None, Some(&digest)), Some("2026-08-10T15:00:00Z")).await;
    assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.10.13"));
    let (line, source) = resolution.line.clone().expect("a line");
    assert_eq!((line.to_string().as_str(), source), ("public.ecr.aws/lambda/java:21", LineSource::DatedTag));
    assert_eq!(resolution.later_releases.since, Some(at("2026-08-11T13:00:00Z")));
    assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(11), true));
    assert_eq!(resolution.current.expect("current").release.expect("dated").to_string(), "21.2026.08.21.13");
    assert_eq!(resolution.problems, []);
}

#[tokio::test]
async fn a_new_line_costs_at_most_eight_requests_and_a_known_one_a_head() {
    for (recorded, built_at) in [
        (Some("21"), Some("2026-08-10T15:00:00Z")), // built on what was new then
        (Some("21"), Some("2026-08-20T15:00:00Z")), // built on a pinned, older base
        (Some("21"), None),
        (None, Some("2026-08-10T15:00:00Z")), // the family is not known
    ] {
        let bench = Bench::daily();
        let digest = digest_at(&bench, "21", 10);
        let cold = bench.resolve(base(JAVA, recorded, Some(&digest)), built_at).await;
        let requests = bench.registry.requests();
        assert_eq!(release_of(&cold).as_deref(), Some("21.2026.08.10.13"), "{recorded:?} {built_at:?}");
        assert!(without_lists(&requests) <= 8, "{recorded:?} {built_at:?}: {requests:#?}");
        assert_eq!(requests.len() - without_lists(&requests), 1);

        let warm = bench.resolve(base(JAVA, recorded, Some(&digest)), built_at).await;
        assert_eq!(bench.registry.requests(), ["HEAD lambda/java:21"], "{recorded:?} {built_at:?}");
        assert_eq!((warm.base, warm.later_releases), (cold.base, cold.later_releases));
    }
}

#[tokio::test]
async fn a_fresh_base_costs_three_requests() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 21);
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), Some("2026-08-21T15:00:00Z")).await;
    assert_eq!(resolution.base.platform_digest, resolution.current.expect("current").platform_digest);
    let requests = bench.registry.requests();
    assert_eq!(without_lists(&requests), 3, "{requests:#?}");
}

#[tokio::test]
async fn a_moved_line_is_read_again_and_its_list_once() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    bench.registry.requests();
    bench.registry.release(JAVA, "21", "2026-08-22T13:00:00Z", "21 4");
    let later = Bench { now: at("2026-08-22T15:00:00Z"), ..bench };
    let resolution = later.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    assert_eq!(resolution.later_releases.count, Some(12));
    let requests = later.registry.requests();
    assert_eq!(requests.iter().filter(|request| request.starts_with("TAGS")).count(), 1, "{requests:#?}");
    assert!(without_lists(&requests) <= 4, "{requests:#?}");
}

#[tokio::test]
async fn an_index_changed_for_another_platform_only_is_the_same_base() {
    let bench = Bench::new();
    let first = bench.registry.release(JAVA, "21", "2026-08-01T13:00:00Z", "a");
    let amd64 =
        bench.registry.image("rebuilt for amd64", "amd64", Some(at("2026-08-05T13:00:00Z")), &[Digest::sha256(b"new")]);
    let index = bench.registry.index("rebuilt", &[("arm64", &first.arm64), ("amd64", &amd64)]);
    bench.registry.tag(JAVA, "21", &index);
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&first.index)), None).await;
    let current = resolution.current.expect("current");
    assert_ne!(Some(&current.digest), resolution.base.digest.as_ref());
    assert_eq!(current.platform_digest, resolution.base.platform_digest);
}

#[tokio::test]
async fn a_platform_digest_is_distinguished_from_an_index_digest() {
    let bench = Bench::daily();
    let arm64 = bench.registry.release(JAVA, "21", "2026-08-10T13:00:00Z", "21 1").arm64;
    digest_at(&bench, "21", 21);
    let resolution = bench.resolve(base(JAVA, None, Some(&arm64)), None).await;
    assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.10.13"));
    assert_eq!(resolution.base.kind, Some(basewatch::image::DigestKind::Manifest));
    assert_eq!(resolution.base.platform_digest.as_ref(), Some(&arm64));
}

#[tokio::test]
async fn families_are_compared_as_a_whole() {
    let bench = Bench::new();
    let python = "public.ecr.aws/lambda/python";
    for (family, day) in [("3.1", 1), ("3.10", 2), ("3.1", 3), ("3.10", 4), ("11", 5), ("11.al2023", 6)] {
        bench.registry.release(python, family, &format!("2026-08-{day:02}T13:00:00Z"), &format!("{family} {day}"));
    }
    let first = bench.registry.release(python, "3.1", "2026-08-01T13:00:00Z", "3.1 1").index;
    bench.registry.release(python, "3.1", "2026-08-03T13:00:00Z", "3.1 3");
    let resolution = bench.resolve(base(python, None, Some(&first)), None).await;
    assert_eq!(resolution.line.expect("a line").0.tag, "3.1");
    assert_eq!(
        (resolution.later_releases.count, resolution.later_releases.since),
        (Some(1), Some(at("2026-08-03T13:00:00Z")))
    );
}

#[tokio::test]
async fn a_tag_that_contradicts_the_digest_is_reported_and_the_digest_counts() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    for (tag, contradicts) in [("21.2026.08.12.13", true), ("3.13.2025.10.02.09.2025.10.02.09", false)] {
        let resolution = bench.resolve(base(JAVA, Some(tag), Some(&digest)), None).await;
        assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.10.13"), "{tag}");
        assert_eq!(resolution.line.expect("a line").0.tag, "21");
        let reported = resolution.problems.iter().any(|problem| problem.kind == ProblemKind::TagContradicted);
        assert_eq!(reported, contradicts, "{tag}");
    }
}

#[tokio::test]
async fn a_recorded_dated_tag_identifies_the_release() {
    let bench = Bench::daily();
    let resolution = bench.resolve(base(JAVA, Some("21.2026.08.10.13"), None), None).await;
    assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.10.13"));
    assert_eq!(resolution.later_releases.count, Some(11));
    assert!(resolution.base.digest.is_some());
}

#[tokio::test]
async fn a_moving_tag_alone_gives_a_bound_and_never_a_digest() {
    let bench = Bench::daily();
    let resolution = bench.resolve(base(JAVA, Some("21"), None), Some("2026-08-10T15:00:00Z")).await;
    assert_eq!(resolution.base.digest, None);
    let published = resolution.base.published.expect("a bound");
    assert_eq!((published.at, published.source), (at("2026-08-10T15:00:00Z"), PublishDateSource::AtLeast));
    assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(11), false));
    assert_eq!(resolution.problems[0].kind, ProblemKind::DigestUnrecorded);
}

#[tokio::test]
async fn the_line_comes_from_configuration_then_record_then_dated_tag_then_default() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    bench.registry.tag(JAVA, "latest", &digest_at(&bench, "17", 21));
    let with = |tag: Option<&str>, configured: Option<&str>, default: Option<&str>| Base {
        configured_tag: configured.map(str::to_owned),
        default_tag: default.map(str::to_owned),
        ..base(JAVA, tag, Some(&digest))
    };
    for (query, tag, source) in [
        (with(Some("17"), Some("21"), None), "21", LineSource::Configured),
        (with(Some("17"), None, None), "17", LineSource::RecordedTag),
        (with(None, None, Some("latest")), "21", LineSource::DatedTag),
        (with(Some("gone"), None, Some("latest")), "21", LineSource::DatedTag),
    ] {
        let resolution = bench.resolve(query, None).await;
        let (line, found) = resolution.line.expect("a line");
        assert_eq!((line.tag.as_str(), found), (tag, source));
    }
}

#[tokio::test]
async fn without_dated_tags_the_default_tag_is_assumed_and_created_is_the_date() {
    let bench = Bench::new();
    let repository = "registry.example.com/base/jre";
    let old = bench.registry.image("old", "arm64", Some(at("2026-07-01T10:00:00Z")), &[Digest::sha256(b"a")]);
    let new = bench.registry.image("new", "arm64", Some(at("2026-08-01T10:00:00Z")), &[Digest::sha256(b"b")]);
    bench.registry.tag(repository, "stable", &new);
    let query = Base { default_tag: Some("stable".into()), ..base(repository, None, Some(&old)) };
    let resolution = bench.resolve(query.clone(), None).await;
    assert_eq!(resolution.line.as_ref().map(|(_, source)| *source), Some(LineSource::DefaultTag));
    let published = resolution.base.published.expect("dated");
    assert_eq!((published.at, published.source), (at("2026-07-01T10:00:00Z"), PublishDateSource::ConfigCreated));
    assert_eq!(
        (resolution.later_releases.since, resolution.later_releases.is_exact),
        (Some(at("2026-08-01T10:00:00Z")), false)
    );
    assert!(
        bench.registry.requests().iter().all(|request| !request.starts_with("TAGS")),
        "no list is worth its price here"
    );

    // A base that was observed on a line belongs to it, without a default tag.
    let newest = bench.registry.image("newest", "arm64", Some(at("2026-08-20T10:00:00Z")), &[Digest::sha256(b"c")]);
    bench.registry.tag(repository, "stable", &newest);
    let resolution = bench.resolve(base(repository, None, Some(&new)), None).await;
    assert_eq!(resolution.line.map(|(line, source)| (line.tag, source)), Some(("stable".into(), LineSource::Catalog)));
}

#[tokio::test]
async fn an_epoch_date_is_ignored_and_the_image_gives_a_bound() {
    let bench = Bench::new();
    let repository = "registry.example.com/distroless/java";
    let old = bench.registry.image("old", "arm64", Some(DateTime::UNIX_EPOCH), &[Digest::sha256(b"a")]);
    let new = bench.registry.image("new", "arm64", Some(DateTime::UNIX_EPOCH), &[Digest::sha256(b"b")]);
    bench.registry.tag(repository, "nonroot", &new);
    let query = base(repository, Some("nonroot"), Some(&old));
    let resolution = bench.resolve(query.clone(), Some("2026-06-22T06:00:00Z")).await;
    let published = resolution.base.published.expect("a bound");
    assert_eq!((published.at, published.source), (at("2026-06-22T06:00:00Z"), PublishDateSource::AtLeast));
    assert_eq!(resolution.later_releases.since, None);
    assert_eq!(bench.resolve(query, None).await.base.published, None);
}

/// Unreadable tag lists, each with the failure of the registry.
fn unreadable_lists() -> [(Lists, ErrorCode); 6] {
    let repository: Repository = JAVA.parse().expect("valid");
    let registry = || repository.registry.to_string();
    let what = || "the tag list".to_owned();
    let missing = MissingContent::TagList;
    [
        (
            Lists::Failing(Error::Denied { registry: registry(), status: 403, what: what(), message: "no".into() }),
            ErrorCode::AccessDenied,
        ),
        (Lists::Failing(Error::NotFound { repository: repository.clone(), missing, cache: None }), ErrorCode::NotFound),
        (Lists::Failing(Error::Malformed { what: what(), why: "HTML".into() }), ErrorCode::Malformed),
        (Lists::Failing(Error::Status { registry: registry(), status: 500, what: what() }), ErrorCode::Unreachable),
        (Lists::Cut(0), ErrorCode::Incomplete),
        (Lists::Empty, ErrorCode::Incomplete),
    ]
}

fn problem(resolution: &Resolution, kind: ProblemKind) -> Option<&ResolutionProblem> {
    resolution.problems.iter().find(|problem| problem.kind == kind)
}

#[tokio::test]
async fn an_unreadable_list_is_reported_in_every_run_and_other_evidence_stays() {
    for (lists, failure) in unreadable_lists() {
        let bench = Bench::daily();
        let digest = digest_at(&bench, "21", 10);
        bench.registry.answer_lists(lists);
        for run in ["first", "second"] {
            let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
            assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.10.13"));
            assert!(!resolution.later_releases.is_exact);
            let reported = problem(&resolution, ProblemKind::HistoryUnreadable).expect(run);
            assert_eq!(reported.failure, Some(failure), "{run}: {}", reported.message);
            assert_eq!(resolution.problems.len(), 1, "{:?}", resolution.problems);
            assert_eq!(resolution.current.expect("current").release.expect("dated").to_string(), "21.2026.08.21.13");
        }
        bench.registry.answer_lists(Lists::Whole);
        let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
        assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(11), true));
        assert_eq!(resolution.problems, []);
    }
}

#[tokio::test]
async fn an_incomplete_list_gives_bounds() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    // The last tags by name come first: those of 21, newest first, and `21` itself among them.
    bench.registry.answer_lists(Lists::Cut(12));
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    assert!(
        resolution.later_releases.count < Some(11) && !resolution.later_releases.is_exact,
        "{:?}",
        resolution.later_releases
    );
    assert!(resolution.later_releases.since > Some(at("2026-08-11T13:00:00Z")));
    assert_eq!(
        problem(&resolution, ProblemKind::HistoryUnreadable).expect("reported").failure,
        Some(ErrorCode::Incomplete)
    );
}

#[tokio::test]
async fn an_unreadable_list_does_not_affect_a_current_base_with_a_dated_tag() {
    for (lists, _) in unreadable_lists() {
        let bench = Bench::daily();
        let digest = digest_at(&bench, "21", 21);
        bench.registry.answer_lists(lists);
        let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
        assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.21.13"));
        assert_eq!(resolution.problems, []);
    }
}

#[tokio::test]
async fn a_line_that_is_unknown_because_the_list_is_unreadable_is_a_failure() {
    for (lists, failure) in unreadable_lists() {
        let bench = Bench::daily();
        let digest = digest_at(&bench, "21", 10);
        bench.registry.answer_lists(lists);
        let resolution = bench.resolve(base(JAVA, None, Some(&digest)), Some("2026-08-10T15:00:00Z")).await;
        assert!(problem(&resolution, ProblemKind::LineUnknown).is_some());
        assert_eq!(problem(&resolution, ProblemKind::HistoryUnreadable).expect("reported").failure, Some(failure));
    }
}

#[tokio::test]
async fn without_a_list_observed_releases_prove_the_time_behind() {
    let bench = Bench::new();
    let denied = unreadable_lists().into_iter().next().expect("one").0;
    bench.registry.answer_lists(denied);
    let mut bench = Bench { now: at("2026-08-01T20:00:00Z"), ..bench };
    let first = bench.registry.release(JAVA, "21", "2026-08-01T13:00:00Z", "a").index;
    let query = base(JAVA, Some("21"), Some(&first));
    bench.resolve(query.clone(), None).await;
    for day in [3, 20] {
        bench.registry.release(JAVA, "21", &format!("2026-08-{day:02}T13:00:00Z"), &format!("day {day}"));
        bench.now = at(&format!("2026-08-{day:02}T20:00:00Z"));
        bench.resolve(query.clone(), None).await;
    }
    let resolution = bench.resolve(query, None).await;
    assert_eq!(resolution.later_releases.since, Some(at("2026-08-03T13:00:00Z")), "17 days before the current release");
    assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(2), false));
    assert!(problem(&resolution, ProblemKind::HistoryUnreadable).is_some());
}

#[tokio::test]
async fn an_earlier_list_counts_after_the_list_became_unreadable() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    let query = base(JAVA, Some("21"), Some(&digest));
    bench.resolve(query.clone(), None).await;
    bench.registry.release(JAVA, "21", "2026-08-22T13:00:00Z", "21 4");
    for (lists, failure) in unreadable_lists() {
        bench.registry.answer_lists(lists);
        let later = Bench {
            now: at("2026-08-22T20:00:00Z"),
            registry: Arc::clone(&bench.registry),
            catalog: Arc::clone(&bench.catalog),
        };
        let resolution = later.resolve(query.clone(), None).await;
        assert_eq!(resolution.later_releases.since, Some(at("2026-08-11T13:00:00Z")));
        assert!(
            resolution.later_releases.count >= Some(11) && !resolution.later_releases.is_exact,
            "{:?}",
            resolution.later_releases
        );
        assert_eq!(problem(&resolution, ProblemKind::HistoryUnreadable).expect("reported").failure, Some(failure));
    }
}

#[tokio::test]
async fn a_list_older_than_the_current_release_is_incomplete() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    bench.registry.release(JAVA, "21", "2026-08-22T13:00:00Z", "21 4");
    bench.registry.release(JAVA, "21", "2026-08-23T13:00:00Z", "21 5");
    let later = Bench { now: at("2026-08-23T20:00:00Z"), ..bench };
    // An image that records the dated tag of the current release makes it known without the list.
    later.resolve(base(JAVA, Some("21.2026.08.23.13"), None), None).await;
    let resolution = later.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(13), true));
}

const CACHE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public";

#[tokio::test]
async fn a_cache_with_some_releases_gives_bounds_and_a_note() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    bench.registry.answer_as_cache(CACHE, JAVA, &["21", "21.2026.08.10.13", "21.2026.08.21.13"]);
    let query = base(JAVA, Some("21"), Some(&digest));
    let resolution = bench.resolve(query.clone(), None).await;
    assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.10.13"));
    assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(1), false));
    let [note] = resolution.problems.as_slice() else { panic!("{:?}", resolution.problems) };
    assert_eq!((note.kind, note.failure), (ProblemKind::ReadThroughCache, None));
    assert!(note.message.contains(&format!("{CACHE}/lambda/java")), "{}", note.message);
    bench.registry.requests();
    bench.resolve(query, None).await;
    assert_eq!(bench.registry.requests(), ["HEAD lambda/java:21"]);
}

#[tokio::test]
async fn content_that_a_cache_lacks_is_not_reported_as_missing() {
    let bench = Bench::daily();
    bench.registry.answer_as_cache(CACHE, JAVA, &["21", "21.2026.08.21.13"]);
    let gone = Digest::sha256(b"not pulled through the cache yet");
    for (query, is_line_known) in [
        (base(JAVA, Some("21"), Some(&gone)), true),
        (base(JAVA, Some("21.2026.08.10.13"), None), true),
        (base(JAVA, Some("17"), Some(&gone)), false),
    ] {
        let resolution = bench.resolve(query, Some("2026-08-12T00:00:00Z")).await;
        let reported = problem(&resolution, ProblemKind::NotCached).expect("reported");
        assert!(reported.message.contains(&format!("is not in {CACHE}/lambda/java")), "{}", reported.message);
        for missing in [ProblemKind::BaseMissing, ProblemKind::LineMissing, ProblemKind::ContentMissing] {
            assert_eq!(problem(&resolution, missing), None);
        }
        assert!(resolution.problems.iter().all(|problem| problem.failure.is_none()), "{:?}", resolution.problems);
        assert_eq!(resolution.current.is_some(), is_line_known);
    }
}

#[tokio::test]
async fn responses_of_a_cache_do_not_count_for_the_registry_later() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    let query = base(JAVA, Some("21"), Some(&digest));
    let before = bench.resolve(query.clone(), None).await;

    // The cache is behind: it still has the release of the 20th.
    bench.registry.tag(JAVA, "21", &Digest::sha256(b"21.2026.08.20.13"));
    bench.registry.answer_as_cache(CACHE, JAVA, &["21", "21.2026.08.20.13"]);
    let cached = bench.resolve(query.clone(), None).await;
    assert_eq!(
        cached.current.as_ref().expect("current").release.as_ref().expect("dated").to_string(),
        "21.2026.08.20.13"
    );
    assert_eq!(
        (cached.later_releases.count, cached.later_releases.is_exact),
        (Some(10), false),
        "what was listed upstream still counts"
    );

    bench.registry.tag(JAVA, "21", &Digest::sha256(b"21.2026.08.21.13"));
    bench.registry.answer_as_itself();
    bench.registry.requests();
    let after = bench.resolve(query, None).await;
    assert_eq!(
        (&after.later_releases, &after.current, &after.problems),
        (&before.later_releases, &before.current, &before.problems)
    );
    assert_eq!(bench.registry.requests(), ["HEAD lambda/java:21"]);
    let repository: Repository = JAVA.parse().expect("valid");
    let moves = bench.catalog.read_repository(&repository, |memory| memory.moving["21"].len());
    assert_eq!(moves, 1, "the tag has not moved upstream");
}

#[tokio::test]
async fn a_cache_behind_observed_upstream_releases_makes_no_base_fresh() {
    let bench = Bench { now: at("2026-08-21T20:00:00Z"), ..Bench::daily() };
    let digest = digest_at(&bench, "21", 21);
    let query = base(JAVA, Some("21"), Some(&digest));
    bench.resolve(query.clone(), None).await;
    let newest = bench.registry.release(JAVA, "21", "2026-08-22T01:00:00Z", "21 4").index;
    let later = Bench { now: at("2026-08-22T06:00:00Z"), ..bench };
    assert_eq!(later.resolve(query.clone(), None).await.current.expect("current").digest, newest);

    later.registry.tag(JAVA, "21", &digest);
    later.registry.answer_as_cache(CACHE, JAVA, &["21", "21.2026.08.21.13"]);
    let (hours, days) = (at("2026-08-22T18:00:00Z"), at("2026-08-24T18:00:00Z"));
    for (now, current) in [(hours, &newest), (days, &digest)] {
        let bench = Bench { now, registry: Arc::clone(&later.registry), catalog: Arc::clone(&later.catalog) };
        let resolution = bench.resolve(query.clone(), None).await;
        assert_eq!(&resolution.current.as_ref().expect("current").digest, current, "{now}");
        assert!(problem(&resolution, ProblemKind::ReadThroughCache).is_some());
    }
}

#[tokio::test]
async fn a_list_from_a_cache_is_read_again_from_the_registry() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    let query = base(JAVA, Some("21"), Some(&digest));
    bench.registry.answer_as_cache(CACHE, JAVA, &["21", "21.2026.08.10.13", "21.2026.08.21.13"]);
    assert!(!bench.resolve(query.clone(), None).await.later_releases.is_exact);
    bench.registry.answer_as_itself();
    let resolution = bench.resolve(query, None).await;
    assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(11), true));
    assert_eq!(resolution.problems, []);
}

#[tokio::test]
async fn a_missing_moving_tag_is_a_property_of_the_line() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    bench.registry.untag(JAVA, "21");
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    let [reported] = resolution.problems.as_slice() else { panic!("{:?}", resolution.problems) };
    assert_eq!((reported.kind, reported.failure), (ProblemKind::LineMissing, None));
    assert_eq!(reported.message, format!("the tag {JAVA}:21 was not found"));
}

#[tokio::test]
async fn a_missing_child_or_configuration_is_a_failure_of_the_registry() {
    type Loss = fn(&World, &Digest);
    for (lose, what) in [(World::lose as Loss, "the manifest"), (World::lose_config, "the configuration")] {
        for day in [10, 21] {
            let bench = Bench::daily();
            let digest = digest_at(&bench, "21", 10);
            lose(&bench.registry, &Digest::sha256(format!("21.2026.08.{day:02}.13 arm64").as_bytes()));
            let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
            let reported = problem(&resolution, ProblemKind::ContentMissing).expect(what);
            assert_eq!(reported.failure, Some(ErrorCode::NotFound));
            assert!(reported.message.contains(what), "{}", reported.message);
            assert_eq!(problem(&resolution, ProblemKind::BaseMissing), None);
        }
    }
}

#[tokio::test]
async fn a_missing_index_of_a_tag_is_a_failure_of_the_registry() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    // With a known line: the tag is read by HEAD, and then the new index is missing.
    bench.registry.tag(JAVA, "21", &Digest::sha256(b"never pushed"));
    bench.registry.announce(&Digest::sha256(b"never pushed"));
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    let reported = problem(&resolution, ProblemKind::ContentMissing).expect("reported");
    assert!(reported.message.starts_with("public.ecr.aws/lambda/java:21 is incomplete"), "{}", reported.message);
    assert_eq!(reported.failure, Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn a_missing_dated_tag_is_read_again_in_the_next_run() {
    let bench = Bench::daily();
    let query = base(JAVA, Some("21.2026.08.10.13"), None);
    let digest = Digest::sha256(b"21.2026.08.10.13");
    bench.registry.untag(JAVA, "21.2026.08.10.13");
    let resolution = bench.resolve(query.clone(), None).await;
    let reported = problem(&resolution, ProblemKind::BaseMissing).expect("reported");
    assert_eq!(
        (reported.message.as_str(), reported.failure),
        ("the tag public.ecr.aws/lambda/java:21.2026.08.10.13 was not found", None)
    );
    bench.registry.tag(JAVA, "21.2026.08.10.13", &digest);
    let resolution = bench.resolve(query, None).await;
    assert_eq!((resolution.base.digest, resolution.problems), (Some(digest), Vec::new()));
}

#[tokio::test]
async fn a_deleted_base_is_missing_and_has_a_bound() {
    let bench = Bench::daily();
    let gone = Digest::sha256(b"never there");
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&gone)), Some("2026-08-01T00:00:00Z")).await;
    assert!(resolution.problems.iter().any(|problem| problem.kind == ProblemKind::BaseMissing));
    assert_eq!(resolution.base.published.map(|published| published.source), Some(PublishDateSource::AtLeast));
    assert!(resolution.current.is_some());
}

#[tokio::test]
async fn an_unreachable_registry_is_a_problem_and_the_image_still_gives_a_bound() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    for (error, kind) in [
        (Error::Unreachable { registry: "public.ecr.aws".into(), why: "refused".into() }, ProblemKind::Unreachable),
        (Error::NotAllowed { registry: "public.ecr.aws".into() }, ProblemKind::NotAllowed),
        (Error::RateLimited { registry: "public.ecr.aws".into(), retry_after: None }, ProblemKind::Throttled),
    ] {
        bench.registry.break_with(Some(error));
        let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), Some("2026-08-01T00:00:00Z")).await;
        assert!(resolution.current.is_none());
        assert!(resolution.problems.iter().any(|problem| problem.kind == kind), "{:?}", resolution.problems);
        assert_eq!(resolution.base.published.map(|published| published.source), Some(PublishDateSource::AtLeast));
    }
}

#[tokio::test]
async fn an_earlier_now_uses_the_release_that_was_current_then() {
    let bench = Bench { now: at("2026-08-12T06:00:00Z"), ..Bench::daily() };
    let digest = digest_at(&bench, "21", 10);
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    assert_eq!(
        resolution.current.as_ref().expect("current").release.as_ref().expect("dated").to_string(),
        "21.2026.08.11.13"
    );
    assert_eq!(
        (resolution.later_releases.count, resolution.later_releases.since),
        (Some(1), Some(at("2026-08-11T13:00:00Z")))
    );
}

#[tokio::test]
async fn a_line_without_the_platform_is_reported() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    let amd64 = bench.registry.image("amd64 only", "amd64", None, &[]);
    bench.registry.tag(JAVA, "21", &bench.registry.index("only", &[("amd64", &amd64)]));
    let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
    assert!(resolution.problems.iter().any(|problem| problem.kind == ProblemKind::PlatformMissing));
    assert!(resolution.current.is_none());
}

#[tokio::test]
async fn many_queries_for_one_line_read_it_once() {
    let bench = Bench::daily();
    let digests: Vec<_> = (10..=14).map(|day| digest_at(&bench, "21", day)).collect();
    let images = Arc::new(ImageReader::new(Arc::clone(&bench.registry) as _, Arc::clone(&bench.catalog)));
    let resolver = BaseResolver::new(images, ResolveSettings::default(), bench.now, bench.now);
    let queries: Vec<_> = digests
        .iter()
        .map(|digest| BaseQuery { base: base(JAVA, Some("21"), Some(digest)), platform: arm(), built_at: None })
        .collect();
    futures::future::join_all(queries.iter().map(|query| resolver.resolve(query, ImageAge::default()))).await;
    let requests = bench.registry.requests();
    assert_eq!(requests.iter().filter(|request| *request == "GET lambda/java:21").count(), 1);
    assert_eq!(requests.iter().filter(|request| request.starts_with("TAGS")).count(), 1);
}

#[tokio::test]
async fn a_base_with_an_unreadable_manifest_is_reported_even_if_its_release_is_known() {
    let bench = Bench::daily();
    let digest = digest_at(&bench, "21", 10);
    bench.registry.announce(&digest);
    bench.registry.lose(&digest);
    let resolution = bench.resolve(base(JAVA, Some("21.2026.08.10.13"), None), None).await;
    assert_eq!(
        (release_of(&resolution).as_deref(), resolution.later_releases.count),
        (Some("21.2026.08.10.13"), Some(11))
    );
    let [reported] = resolution.problems.as_slice() else { panic!("{:?}", resolution.problems) };
    assert_eq!((reported.kind, reported.failure), (ProblemKind::ContentMissing, Some(ErrorCode::NotFound)));
    assert!(reported.message.contains(digest.as_str()), "{}", reported.message);
}
