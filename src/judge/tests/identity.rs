//! Reasons about the identification of a base, and advice.

use super::*;
use crate::{
    identify::{PrefixCheck, SearchCompletion},
    image::{
        LambdaSign, MatchedPrefix, PackageManager, PackageUpdate, Platform, PlatformRelease, RepositoryRelease,
        RootFileSystem,
    },
};

/// The reasons for an image, whose own record was compared so, by their codes.
fn reasons(scenario: &Scenario) -> Vec<(&'static str, String)> {
    let reasons = scenario.judge(&Policy::default(), now()).reasons;
    reasons.into_iter().map(|reason| (reason.code.as_str(), reason.message)).collect()
}

fn compared(check: PrefixCheck) -> Scenario {
    let mut scenario = scenario(10, None);
    scenario.layers.checks.insert(0, check);
    scenario
}

fn matched(repository: &str, layer_count: usize) -> MatchedPrefix {
    let release = PlatformRelease {
        tags: ["21.2026.08.10.13".to_owned()].into(),
        platform: Platform::new("linux", "arm64", None),
        manifest: Digest::sha256(b"release"),
        index: None,
        layer_count,
        diff_ids: None,
        layers: None,
        first_layer: None,
        first_seen: now(),
    };
    let release = RepositoryRelease { repository: repository.parse().unwrap(), release: Arc::new(release) };
    MatchedPrefix { layer_count, releases: vec![Arc::new(release)] }
}

#[test]
fn a_contradicted_record_is_reported_with_the_base_that_the_layers_prove() {
    let mut scenario = compared(PrefixCheck::Different);
    let alone = reasons(&scenario);
    assert_eq!(alone[0].0, "label-contradicted");
    assert!(alone[0].1.ends_with("nor with those of a known release"), "{alone:?}");
    assert_eq!(scenario.judged().0, Verdict::Unknown);
    scenario.layers.prefixes.push(matched("public.ecr.aws/lambda/java", 2));
    let reported = reasons(&scenario);
    let (code, message) = reported.first().expect("a reason");
    assert_eq!(*code, "label-contradicted");
    assert!(message.starts_with("label sdkBaseVersion names r.test/java@sha256:"), "{message}");
    let winner = "its first 2 layers are those of public.ecr.aws/lambda/java:21.2026.08.10.13";
    assert!(message.ends_with(winner), "{message}");
}

#[test]
fn an_unconfirmed_record_is_reported_with_the_cause() {
    for (check, part) in [(PrefixCheck::Fewer, "squashed"), (PrefixCheck::Unread, "cannot be read")] {
        let reported = reasons(&compared(check));
        assert!(reported[0].0 == "label-unconfirmed" && reported[0].1.contains(part), "{reported:?}");
    }
    assert!(reasons(&compared(PrefixCheck::Prefix { layer_count: 2 })).is_empty());
    assert!(reasons(&scenario(10, None)).is_empty(), "nothing was to be compared");
}

#[test]
fn package_updates_are_reported_if_they_are_above_the_layers_of_the_base() {
    let update = |layer, is_partial| PackageUpdate {
        manager: PackageManager::Dnf,
        at: Some(days_ago(3)),
        layer: Some(layer),
        is_partial,
    };
    let reported = |updates: Vec<PackageUpdate>, check| {
        let mut scenario = compared(check);
        scenario.image.build.package_updates = updates;
        reasons(&scenario).into_iter().find(|(code, _)| *code == "packages-updated").map(|(_, message)| message)
    };
    let prefix = PrefixCheck::Prefix { layer_count: 2 };
    let whole =
        "the packages of the operating system were updated with dnf on 2026-11-17, after the layers of the base";
    assert_eq!(reported(vec![update(1, false), update(2, false), update(3, true)], prefix).as_deref(), Some(whole));
    assert!(reported(vec![update(2, true)], prefix).expect("said").starts_with("some packages"));
    assert_eq!(reported(vec![update(1, false)], prefix), None, "it is in the base");
    assert_eq!(reported(vec![update(2, false)], PrefixCheck::Unread), None, "where the base ends is not known");
}

/// The reason for an image without records.
fn unidentified(image: &dyn Fn(&mut ImageFacts), search: SearchCompletion) -> (&'static str, String) {
    let mut scenario = scenario(1, None);
    scenario.readings.clear();
    image(&mut scenario.image);
    scenario.layers.search = search;
    let mut reported = reasons(&scenario);
    assert_eq!(reported.len(), 1, "{reported:?}");
    reported.remove(0)
}

#[test]
fn an_unidentified_image_is_described_with_advice() {
    let lambda = |image: &mut ImageFacts| {
        image.fingerprint.signs.insert(LambdaSign::Environment);
    };
    let complete = || SearchCompletion::Complete { lines: vec!["public.ecr.aws/lambda/java:21".to_owned()] };
    let bound = "published at least 50 days ago, because the image was pushed then";
    for (image, search, code, parts) in [
        (
            &lambda as &dyn Fn(&mut ImageFacts),
            complete(),
            "base-not-published-here",
            ["public.ecr.aws/lambda/java:21", bound],
        ),
        (
            &lambda,
            SearchCompletion::Unfinished { compared_count: 290, left_count: 700 },
            "base-search-unfinished",
            ["290", bound],
        ),
        (&lambda, SearchCompletion::Failed { why: "refused".to_owned() }, "base-search-unfinished", ["refused", bound]),
        (&lambda, SearchCompletion::Idle, "base-unidentified", ["Lambda base image", bound]),
        (&|_| {}, complete(), "base-unidentified", ["LABEL sdkBaseVersion=", "[[identify.base]]"]),
    ] {
        let (found, message) = unidentified(image, search);
        assert_eq!(found, code, "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert_eq!(message.contains(bound), parts.contains(&bound), "{message}");
    }
}

#[test]
fn an_image_without_signs_of_lambda_is_described_by_its_history() {
    let profile = |root, is_squashed, has_runtime_client| ImageProfile { root, is_squashed, has_runtime_client };
    for (profile, part) in [
        (profile(Some(RootFileSystem::Scratch), false, false), "it appears to be built from scratch, without a base"),
        (profile(Some(RootFileSystem::Distroless), false, false), "it appears to be built on distroless"),
        (profile(Some(RootFileSystem::Flattened), false, false), "it appears to be flattened"),
        (profile(None, true, false), "it appears to be squashed into one layer"),
        (
            profile(Some(RootFileSystem::Debian), false, true),
            "built on Debian, with its own Lambda runtime interface client",
        ),
    ] {
        let (code, message) = unidentified(&|image| image.profile = profile, SearchCompletion::Idle);
        assert_eq!(code, "base-unidentified");
        assert!(message.contains(part) && message.contains("LABEL sdkBaseVersion="), "{message}");
    }
}

#[test]
fn a_proven_base_that_is_not_configured_is_named() {
    let mut scenario = compared(PrefixCheck::Prefix { layer_count: 2 });
    scenario.readings[0].kind = EvidenceKind::Provenance;
    let reported = reasons(&scenario);
    assert_eq!(reported[0].0, "base-unidentified");
    assert!(reported[0].1.contains("add [[identify.base]] with repository = \"r.test/java\""), "{reported:?}");
}
