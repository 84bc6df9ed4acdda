//! The verdicts, one table for each rule.

mod chain;
mod digests;
mod exemptions;
mod holds;
mod identity;
mod running;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;

use super::{
    Action, JudgeInput, Judgement, Policy, PolicyOverride, PolicyScope, PolicySubject, Severity, Thresholds,
    UnidentifiedImage, Verdict, judge,
};
use crate::{
    identify::{
        Base, BaseRecord, BaseRecordError, EvidenceKind, Identification, IdentifySettings, LayerEvidence, combine,
    },
    image::{
        BuildHistory, Digest, DigestKind, ImageFacts, ImageProfile, InvalidReference, LambdaFingerprint, LambdaTag,
    },
    inventory::{DeployedImage, ImageError, ImageErrorCode},
    resolve::{
        CurrentImage, LaterReleases, LineSource, ProblemKind, PublishDate, PublishDateSource, ReleaseLine, Resolution,
        ResolutionProblem, ResolvedBase,
    },
};

const SUBJECT: PolicySubject<'static> = PolicySubject {
    deployment: "orders:421",
    repository: "orders",
    account: Some("123456789012"),
    owner: Some("payments"),
    base: Some("r.test/java:21"),
};

fn now() -> DateTime<Utc> {
    "2026-11-20T06:00:00Z".parse().unwrap()
}

fn days_ago(days: i64) -> DateTime<Utc> {
    now() - Duration::days(days)
}

/// A base published and superseded so many days ago, on a line whose current release is three days old.
struct Scenario {
    image: ImageFacts,
    readings: Vec<BaseRecord>,
    layers: LayerEvidence,
    resolution: Resolution,
}

fn image() -> ImageFacts {
    ImageFacts {
        platform: "linux/arm64".parse().unwrap(),
        config: Digest::sha256(b"config"),
        created_at: None,
        history_created_at: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        diff_ids: vec![Digest::sha256(b"os"), Digest::sha256(b"old runtime"), Digest::sha256(b"app")],
        layers: Vec::new(),
        fingerprint: LambdaFingerprint::default(),
        build: BuildHistory::default(),
        profile: ImageProfile::default(),
    }
}

fn scenario(published: i64, superseded: Option<i64>) -> Scenario {
    let base = Base {
        repository: "r.test/java".parse().unwrap(),
        mirror: None,
        tag: None,
        digest: Some(Digest::sha256(b"base")),
        further_digests: Vec::new(),
        further_tag: None,
        configured_tag: None,
        default_tag: None,
    };
    let line = ReleaseLine { repository: base.repository.clone(), tag: "21".into() };
    let dated = |days| Some(PublishDate::new(days_ago(days), PublishDateSource::DatedTag));
    let is_current = superseded.is_none();
    let digest = |name: &str| if is_current { Digest::sha256(b"base") } else { Digest::sha256(name.as_bytes()) };
    Scenario {
        image: image(),
        readings: vec![BaseRecord {
            kind: EvidenceKind::Label,
            key: "sdkBaseVersion".into(),
            value: base.reference().to_string(),
            base: Ok(base),
        }],
        layers: LayerEvidence::default(),
        resolution: Resolution {
            base: ResolvedBase {
                digest: Some(Digest::sha256(b"base")),
                kind: Some(DigestKind::Index),
                platform_digest: Some(Digest::sha256(b"base arm64")),
                published: dated(published),
                ..ResolvedBase::default()
            },
            line: Some((line, LineSource::DatedTag)),
            current: Some(CurrentImage {
                digest: digest("current"),
                kind: DigestKind::Index,
                platform_digest: Some(Digest::sha256(if is_current { b"base arm64" } else { b"current arm64" })),
                config: None,
                release: None,
                published: dated(if is_current { published } else { 3 }),
                diff_ids: Some(vec![Digest::sha256(b"os"), Digest::sha256(b"runtime")]),
                releases: std::sync::Arc::default(),
                hold: None,
            }),
            later_releases: LaterReleases {
                since: superseded.map(days_ago),
                count: superseded.map(|_| 4),
                is_exact: true,
                is_estimated: false,
            },
            ..Resolution::default()
        },
    }
}

impl Scenario {
    fn judge(&self, policy: &Policy, now: DateTime<Utc>) -> Judgement {
        let identification = self.identification();
        let input = match identification.base() {
            Some(_) => JudgeInput::Identified {
                image: &self.image,
                identification: Some(&identification),
                resolution: &self.resolution,
            },
            None => JudgeInput::Unidentified(UnidentifiedImage {
                image: &self.image,
                identification: &identification,
                pushed_at: Some(days_ago(50)),
                label: "sdkBaseVersion",
            }),
        };
        judge(input, SUBJECT, policy, now)
    }

    fn identification(&self) -> Identification {
        let image = DeployedImage {
            digest: Digest::sha256(b"image"),
            facts: Arc::new(self.image.clone()),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        };
        combine(self.readings.clone(), Arc::new(self.layers.clone()), &image, None, &IdentifySettings::default())
    }

    fn judged(&self) -> (Verdict, Severity, Action, Vec<&'static str>) {
        let judgement = self.judge(&Policy::default(), now());
        let codes = judgement.reasons.iter().map(|reason| reason.code.as_str()).collect();
        (judgement.verdict, judgement.severity, judgement.action, codes)
    }
}

#[test]
fn age_and_time_behind_decide_the_verdict() {
    use Verdict::{Fresh, OutOfDate, Stale, Superseded};
    for (published, superseded, verdict, severity, action, codes) in [
        (10, None, Fresh, Severity::None, Action::None, vec![]),
        (45, None, Fresh, Severity::None, Action::None, vec![]),
        (46, None, Stale, Severity::Low, Action::None, vec!["line-quiet", "base-too-old"]),
        (10, Some(9), Superseded, Severity::Info, Action::Rebuild, vec!["base-superseded"]),
        (20, Some(14), Superseded, Severity::Info, Action::Rebuild, vec!["base-superseded"]),
        (20, Some(15), OutOfDate, Severity::Medium, Action::Rebuild, vec!["base-superseded"]),
        (46, Some(3), Stale, Severity::High, Action::Rebuild, vec!["base-too-old", "base-superseded"]),
        (90, Some(89), Stale, Severity::High, Action::Rebuild, vec!["base-too-old", "base-superseded"]),
    ] {
        let judged = scenario(published, superseded).judged();
        assert_eq!(judged, (verdict, severity, action, codes), "{published} {superseded:?}");
    }
    let judgement = scenario(90, Some(89)).judge(&Policy::default(), now());
    assert!(judgement.is_stale && judgement.is_out_of_date, "the booleans undo the ordering");
    let leading = &judgement.reasons[0].message;
    assert_eq!(leading, "published 90 days ago, over the limit of 45 days");
    let message = &judgement.reasons[1].message;
    assert!(message.starts_with("4 newer releases, behind for 89 days (since 2026-08-23)"), "{message}");
}

#[test]
fn a_rebuild_without_change_is_shown_and_fresh() {
    let mut scenario = scenario(20, Some(15));
    scenario.image.diff_ids = vec![Digest::sha256(b"os"), Digest::sha256(b"runtime"), Digest::sha256(b"app")];
    assert_eq!(scenario.judged(), (Verdict::Fresh, Severity::None, Action::None, vec!["rebuild-without-change"]));
    assert_eq!(scenario.judge(&Policy::default(), now()).content_changed, Some(false));
    scenario.resolution.base.published = Some(PublishDate::new(days_ago(60), PublishDateSource::DatedTag));
    assert_eq!(scenario.judged(), (Verdict::Stale, Severity::Low, Action::None, vec!["line-quiet", "base-too-old"]));
}

#[test]
fn a_flattened_image_proves_nothing_about_content() {
    let mut scenario = scenario(20, Some(15));
    assert_eq!(scenario.judge(&Policy::default(), now()).content_changed, Some(true));
    scenario.image.diff_ids = vec![Digest::sha256(b"squashed")];
    assert_eq!(scenario.judge(&Policy::default(), now()).content_changed, None);
    assert_eq!(scenario.judged().0, Verdict::OutOfDate);
}

#[test]
fn a_tag_that_was_rolled_back_leaves_the_base_fresh() {
    let scenario = scenario(1, Some(1));
    assert_eq!(scenario.judged(), (Verdict::Fresh, Severity::None, Action::None, vec!["base-ahead"]));
}

#[test]
fn the_same_platform_manifest_is_the_same_base() {
    let mut scenario = scenario(20, Some(15));
    scenario.resolution.current.as_mut().unwrap().platform_digest = Some(Digest::sha256(b"base arm64"));
    assert_eq!(scenario.judged().0, Verdict::Fresh);
}

#[test]
fn a_bound_decides_only_what_it_proves() {
    let bound = |days| Some(PublishDate::new(days_ago(days), PublishDateSource::AtLeast));
    let unresolved = |published| {
        let mut scenario = scenario(1, None);
        scenario.resolution.current = None;
        scenario.resolution.base.published = published;
        scenario.resolution.problems =
            vec![ResolutionProblem { kind: ProblemKind::Unreachable, message: "refused".into(), failure: None }];
        scenario.judged()
    };
    let unknown = |code| (Verdict::Unknown, Severity::Low, Action::Investigate, code);
    assert_eq!(unresolved(bound(20)), unknown(vec!["registry-unreachable"]));
    assert_eq!(unresolved(None), unknown(vec!["registry-unreachable", "publish-date-unknown"]));
    let stale = (Verdict::Stale, Severity::High, Action::Investigate, vec!["base-too-old", "registry-unreachable"]);
    assert_eq!(unresolved(bound(61)), stale);

    // Only a tag is recorded, and the image is older than the current release: superseded is proven.
    let mut scenario = scenario(1, Some(2));
    scenario.resolution.base = ResolvedBase { published: bound(20), ..ResolvedBase::default() };
    assert_eq!(scenario.judged().0, Verdict::Superseded);
    // The image is younger than the current release, so its base on that line is unknown.
    scenario.resolution.base.published = bound(1);
    assert_eq!(scenario.judged().0, Verdict::Unknown);
}

#[test]
fn a_bound_is_worded_as_at_least() {
    let mut scenario = scenario(61, Some(20));
    scenario.resolution.base.published = Some(PublishDate::new(days_ago(61), PublishDateSource::AtLeast));
    scenario.resolution.later_releases.is_exact = false;
    let reasons = scenario.judge(&Policy::default(), now()).reasons;
    assert_eq!(
        reasons[0].message,
        "published at least 61 days ago, over the limit of 45 days: the image built on it is that old"
    );
    assert!(reasons[1].message.starts_with("at least 4 newer releases, behind for at least 20 days"));
}

#[test]
fn an_unreadable_or_unidentified_image_is_unknown_and_never_fresh() {
    let codes = |judgement: &Judgement| judgement.reasons.iter().map(|r| r.code.as_str()).collect::<Vec<_>>();
    let unreadable =
        ImageError { code: ImageErrorCode::ImageMissing, message: "gone".into(), digest: None, platform: None };
    let judgement = judge(JudgeInput::Unreadable(&unreadable), SUBJECT, &Policy::default(), now());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Unknown, vec!["image-missing"]));

    let mut silent = scenario(1, None);
    silent.readings.clear();
    let judgement = silent.judge(&Policy::default(), now());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Unknown, vec!["base-unidentified"]));

    let mut garbage = scenario(1, None);
    garbage.readings[0].base = Err(BaseRecordError::Reference(InvalidReference::NoRegistry));
    garbage.readings[0].value = "latest".into();
    let judgement = garbage.judge(&Policy::default(), now());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Unknown, vec!["label-malformed"]));
    assert!(judgement.reasons[0].message.starts_with("label sdkBaseVersion is \"latest\""));
}

#[test]
fn the_first_override_that_matches_wins_and_is_named() {
    let rule = |name: &str, base: &str, days| PolicyOverride {
        name: name.into(),
        scope: PolicyScope {
            repository: Some("ord*".parse().unwrap()),
            base: Some(base.parse().unwrap()),
            ..PolicyScope::default()
        },
        thresholds: Thresholds { max_age: Duration::days(days), ..Thresholds::default() },
    };
    let policy = Policy {
        overrides: vec![rule("other", "r.test/python*", 1), rule("first", "*java*", 200), rule("second", "*", 1)],
        ..Policy::default()
    };
    let judgement = scenario(90, Some(5)).judge(&policy, now());
    assert_eq!((judgement.verdict, judgement.rule.as_deref()), (Verdict::Superseded, Some("first")));
}

#[test]
fn a_deprecated_runtime_decides_the_verdict_and_other_reasons_stay() {
    let mut scenario = scenario(20, Some(15));
    scenario.resolution.line = Some((
        ReleaseLine { repository: "public.ecr.aws/lambda/python".parse().unwrap(), tag: "3.9".into() },
        LineSource::RecordedTag,
    ));
    let upgrade =
        |severity| (Verdict::Deprecated, severity, Action::Upgrade, vec!["runtime-deprecated", "base-superseded"]);
    assert_eq!(scenario.judged(), upgrade(Severity::High));
    let judgement = scenario.judge(&Policy::default(), now());
    assert!(judgement.is_deprecated && judgement.is_out_of_date && !judgement.is_stale);
    let blocked = scenario.judge(&Policy::default(), "2027-03-03T00:00:00Z".parse().unwrap());
    assert_eq!((blocked.verdict, blocked.severity), (Verdict::Deprecated, Severity::Critical));

    // `latest` moves across runtimes: the release in use counts.
    let mut moved = self::scenario(10, None);
    let line = ReleaseLine { repository: "public.ecr.aws/lambda/python".parse().unwrap(), tag: "latest".into() };
    moved.resolution.line = Some((line, LineSource::DefaultTag));
    moved.resolution.base.release = LambdaTag::parse("3.9.2025.12.01.10");
    assert_eq!(moved.judged().0, Verdict::Deprecated);

    // Near its end it is reported, and the verdict stays.
    scenario.resolution.line.as_mut().unwrap().0.tag = "3.11".into();
    let ending = scenario.judge(&Policy::default(), "2027-05-01T00:00:00Z".parse().unwrap());
    assert!(ending.reasons.iter().any(|reason| reason.code.as_str() == "runtime-ending"));
    assert_eq!(ending.verdict, Verdict::Stale);
}

/// A base and a current release that differ, dated so.
fn differing(base: Option<PublishDate>, current: Option<PublishDate>) -> Scenario {
    let mut scenario = scenario(10, Some(3));
    scenario.resolution.base.published = base;
    scenario.resolution.current.as_mut().unwrap().published = current;
    scenario.resolution.later_releases =
        LaterReleases { since: None, count: Some(1), is_exact: false, is_estimated: false };
    scenario
}

fn estimate(days: i64) -> PublishDate {
    PublishDate::new(days_ago(days), PublishDateSource::ConfigCreated)
}

#[test]
fn an_older_created_of_the_current_release_proves_no_rollback() {
    let superseded = (Verdict::Superseded, Severity::Info, Action::Rebuild, vec!["base-superseded"]);
    let dated = |days| PublishDate::new(days_ago(days), PublishDateSource::DatedTag);
    for (base, current) in [
        (Some(estimate(10)), Some(estimate(30))),
        (Some(dated(10)), Some(estimate(30))),
        (Some(estimate(10)), Some(dated(30))),
        (Some(PublishDate::new(days_ago(10), PublishDateSource::FirstSeen)), Some(dated(30))),
        (None, Some(dated(3))),
        (None, None),
    ] {
        let scenario = differing(base, current);
        let (verdict, severity, action, mut codes) = scenario.judged();
        codes.retain(|code| *code != "publish-date-unknown");
        assert_eq!((verdict, severity, action, codes), superseded, "{base:?} {current:?}");
        let message = &scenario.judge(&Policy::default(), now()).reasons[0].message;
        assert!(message.starts_with("the line points at a different release, sha256:"), "{message}");
    }
    assert_eq!(differing(Some(dated(10)), Some(dated(30))).judged().3, ["base-ahead"]);
    // The tag was observed at the current release, then at ours, then at the current one again.
    let arrived =
        PublishDate { not_before: Some(days_ago(5)), ..PublishDate::new(days_ago(4), PublishDateSource::Observed) };
    let back = PublishDate { not_after: Some(days_ago(6)), ..estimate(30) };
    assert_eq!(differing(Some(arrived), Some(back)).judged().3, ["base-ahead"]);
}

#[test]
fn a_tag_observed_to_move_minutes_ago_is_behind_for_minutes() {
    let mut scenario = differing(Some(estimate(30)), Some(estimate(20)));
    scenario.resolution.later_releases.since = Some(now() - Duration::minutes(12));
    assert_eq!(scenario.judged().0, Verdict::Superseded);
    let message = &scenario.judge(&Policy::default(), now()).reasons[0].message;
    assert!(message.starts_with("at least 1 newer release, behind for at least 12 minutes (since"), "{message}");
}

#[test]
fn an_estimate_is_worded_as_when_it_was_built() {
    let mut scenario = differing(Some(estimate(60)), Some(estimate(2)));
    scenario.resolution.later_releases.since = Some(days_ago(2));
    scenario.resolution.later_releases.is_estimated = true;
    let message =
        |scenario: &Scenario, at: usize| scenario.judge(&Policy::default(), now()).reasons[at].message.clone();
    assert_eq!(message(&scenario, 0), "built 60 days ago, over the limit of 45 days");
    let position = message(&scenario, 1);
    assert!(position.starts_with("at least 1 newer release, built 2 days ago (2026-11-18); the current"), "{position}");
    for (source, is_estimated, why) in [
        (PublishDateSource::AtLeast, true, "the image built on it is that old, by its own build date"),
        (PublishDateSource::AtLeast, false, "the image built on it is that old"),
        (PublishDateSource::FirstSeen, false, "basewatch first observed it then"),
        (PublishDateSource::Observed, false, "basewatch observed the line move to it then"),
    ] {
        scenario.resolution.base.published =
            Some(PublishDate { is_estimated, ..PublishDate::new(days_ago(60), source) });
        let expected = format!("published at least 60 days ago, over the limit of 45 days: {why}");
        assert_eq!(message(&scenario, 0), expected);
    }
}

fn any_source() -> impl Strategy<Value = PublishDateSource> {
    use PublishDateSource as Source;
    proptest::sample::select(vec![
        Source::DatedTag,
        Source::Observed,
        Source::DescriptorCreated,
        Source::HistoryCreated,
        Source::ConfigCreated,
        Source::FirstSeen,
        Source::AtLeast,
    ])
}

proptest! {
    #[test]
    fn an_estimate_never_turns_a_differing_base_fresh(
        base in 0i64..120, current in 0i64..120, source in any_source(), other in any_source(), is_swapped in any::<bool>(),
    ) {
        prop_assume!(source.is_estimate());
        let (ours, its) = if is_swapped { (other, source) } else { (source, other) };
        let dated = |days, source| Some(PublishDate::new(days_ago(days), source));
        let verdict = differing(dated(base, ours), dated(current, its)).judged().0;
        prop_assert!(!matches!(verdict, Verdict::Fresh | Verdict::Unknown), "{verdict:?}");
    }

    #[test]
    fn a_verdict_never_improves_as_time_passes_whatever_the_dates_are_from(
        base in 0i64..120, current in 0i64..120, ours in any_source(), its in any_source(),
        since in proptest::option::of(0i64..120), later in 0i64..200,
    ) {
        let dated = |days, source| Some(PublishDate::new(days_ago(days), source));
        let mut scenario = differing(dated(base, ours), dated(current, its));
        scenario.resolution.later_releases.since = since.map(days_ago);
        let before = scenario.judge(&Policy::default(), now());
        let after = scenario.judge(&Policy::default(), now() + Duration::days(later));
        prop_assert!(after.verdict.rank() >= before.verdict.rank());
        prop_assert!(after.is_stale >= before.is_stale && after.is_out_of_date >= before.is_out_of_date);
    }

    #[test]
    fn a_verdict_never_improves_as_time_alone_passes(
        published in 0i64..120, superseded in proptest::option::of(0i64..120), later in 0i64..200,
        is_bound in any::<bool>(), is_resolved in any::<bool>(),
    ) {
        let mut scenario = scenario(published, superseded.map(|days| days.min(published)));
        if is_bound {
            scenario.resolution.base.published =
                Some(PublishDate::new(days_ago(published), PublishDateSource::AtLeast));
        }
        if !is_resolved {
            scenario.resolution.current = None;
        }
        let before = scenario.judge(&Policy::default(), now());
        let after = scenario.judge(&Policy::default(), now() + Duration::days(later));
        prop_assert!(after.verdict.rank() >= before.verdict.rank());
        prop_assert!(after.is_stale >= before.is_stale && after.is_out_of_date >= before.is_out_of_date);
        prop_assert!(is_resolved || before.verdict != Verdict::Fresh);
    }
}
