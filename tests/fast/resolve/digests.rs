//! Digests of different kinds, recorded together or instead of each other.

use basewatch::{
    identify::Base,
    image::{Digest, DigestKind},
    resolve::{ProblemKind, PublishDateSource},
};

use crate::resolve::{Bench, base, digest_at, release_of};
use testbed::world::JAVA;

fn with(digest: &Digest, further: &[&Digest]) -> Base {
    Base { further_digests: further.iter().map(|digest| (*digest).clone()).collect(), ..base(JAVA, None, Some(digest)) }
}

/// The digests of a release: its index, its manifest for arm64, the configuration of that.
fn release(bench: &Bench, day: u32) -> [Digest; 3] {
    let built_at = format!("2026-08-{day:02}T13:00:00Z");
    let release = bench.registry.release(JAVA, "21", &built_at, &format!("21 {}", day / 7));
    digest_at(bench, "21", day);
    [release.index, release.arm64.clone(), bench.registry.config_of(&release.arm64)]
}

#[tokio::test]
async fn digests_of_one_release_agree_whatever_their_kinds() {
    let bench = Bench::daily();
    for day in [10, 21] {
        let digests = release(&bench, day);
        for one in &digests {
            for other in digests.iter().filter(|other| *other != one) {
                let recorded = with(one, &[other]);
                let resolution = bench.resolve(recorded.clone(), Some("2026-08-21T15:00:00Z")).await;
                assert_eq!(resolution.base.contradicting, [], "{one} and {other}: {:#?}", resolution.steps);
                assert!(!resolution.contradicts(&recorded));
                let release = format!("21.2026.08.{day}.13");
                assert_eq!(release_of(&resolution), Some(release), "{one} and {other}: {:#?}", resolution.steps);
            }
        }
    }
}

#[tokio::test]
async fn digests_of_two_releases_contradict_each_other() {
    let bench = Bench::daily();
    let (ours, others) = (release(&bench, 6), release(&bench, 10));
    for digest in &ours {
        for other in &others {
            let recorded = with(digest, &[other]);
            let resolution = bench.resolve(recorded.clone(), None).await;
            assert_eq!(resolution.base.contradicting, std::slice::from_ref(other), "{digest} and {other}");
            assert!(resolution.contradicts(&recorded));
            assert_eq!(release_of(&resolution).as_deref(), Some("21.2026.08.06.13"), "the first is believed");
        }
    }
    // Days 10 and 11 have equal layers: a rebuild without change is the same base.
    let rebuilt = release(&bench, 11);
    let resolution = bench.resolve(with(&rebuilt[0], &[&others[1]]), None).await;
    assert_eq!(resolution.base.contradicting, []);
}

#[tokio::test]
async fn a_tag_with_another_digest_of_the_release_names_the_line() {
    let bench = Bench::new();
    let repository = "registry.example.com/base/jre";
    let image = |name: &str, day: u32| {
        let created = crate::resolve::at(&format!("2026-08-{day:02}T10:00:00Z"));
        let arm64 = bench.registry.image(name, "arm64", Some(created), &[Digest::sha256(name.as_bytes())]);
        (bench.registry.index(&format!("index of {name}"), &[("arm64", &arm64)]), arm64)
    };
    let ((old, old_arm64), (current, current_arm64), (_, other)) = (image("old", 1), image("new", 20), image("x", 2));
    bench.registry.tag(repository, "stable", &current);
    let recorded = |digest: &Digest, further: &Digest| Base {
        further_digests: vec![further.clone()],
        further_tag: Some("stable".into()),
        ..base(repository, None, Some(digest))
    };
    for (digest, further) in [(&current, &current_arm64), (&current_arm64, &current), (&old, &old_arm64)] {
        let resolution = bench.resolve(recorded(digest, further), None).await;
        let line = resolution.line.map(|(line, _)| line.tag);
        assert_eq!(line.as_deref(), Some("stable"), "{digest}: {:#?}", resolution.steps);
        let is_current = resolution.current.expect("current").platform_digest == resolution.base.platform_digest;
        assert_eq!(is_current, digest != &old);
    }
    // The tag of another release does not apply, nor does one that cannot be compared.
    let bench = Bench { registry: bench.registry.clone(), ..Bench::new() };
    for further in [&other, &Digest::sha256(b"gone")] {
        let resolution = bench.resolve(recorded(&old, further), None).await;
        assert_eq!(resolution.line, None);
    }
}

#[tokio::test]
async fn a_digest_that_cannot_be_read_contradicts_nothing() {
    let bench = Bench::daily();
    let [index, ..] = release(&bench, 10);
    let gone = Digest::sha256(b"gone");
    let resolution = bench.resolve(with(&index, &[&gone]), None).await;
    assert_eq!(resolution.base.contradicting, []);
    assert!(resolution.steps.iter().any(|step| step.detail.ends_with("is unknown")), "{:?}", resolution.steps);
    assert_eq!(resolution.problems, []);
}

#[tokio::test]
async fn a_dated_tag_and_the_digest_of_its_release_agree() {
    let bench = Bench::daily();
    let (ours, others) = (release(&bench, 10), release(&bench, 2));
    let tagged =
        |digest: &Digest| Base { further_digests: vec![digest.clone()], ..base(JAVA, Some("21.2026.08.10.13"), None) };
    for digest in &ours {
        let resolution = bench.resolve(tagged(digest), None).await;
        assert_eq!(resolution.base.contradicting, [], "{digest}");
        assert!(!resolution.contradicts(&base(JAVA, Some("21.2026.08.10.13-arm64"), None)));
        assert!(resolution.contradicts(&base(JAVA, Some("21.2026.08.02.13"), None)));
    }
    let resolution = bench.resolve(tagged(&others[1]), None).await;
    assert_eq!(resolution.base.contradicting, [others[1].clone()]);
}

#[tokio::test]
async fn the_digest_of_a_configuration_is_recognized() {
    for (day, built_at) in [(10, Some("2026-08-10T15:00:00Z")), (10, None), (21, None)] {
        let bench = Bench::daily();
        let [_, arm64, config] = release(&bench, day);
        for run in ["cold", "warm"] {
            let resolution = bench.resolve(base(JAVA, Some("21"), Some(&config)), built_at).await;
            assert_eq!(resolution.base.kind, Some(DigestKind::Config), "{day} {run}");
            assert_eq!(resolution.base.platform_digest.as_ref(), Some(&arm64), "{day} {run}");
            let (current, release) = (resolution.current.as_ref().expect("current"), format!("21.2026.08.{day}.13"));
            assert_eq!(release_of(&resolution), Some(release), "{day} {run}: {:#?}", resolution.steps);
            assert_eq!(current.config.as_ref() == Some(&config), day == 21, "{day} {run}");
            assert_eq!(resolution.problems, [], "{day} {run}");
            assert!(bench.registry.requests().len() < 24, "a bounded search");
        }
    }
}

#[tokio::test]
async fn a_configuration_without_a_dated_tag_is_dated_by_its_created() {
    let bench = Bench::new();
    let repository = "registry.example.com/base/jre";
    let image = |name: &str, at: &str| {
        bench.registry.image(name, "arm64", Some(crate::resolve::at(at)), &[Digest::sha256(name.as_bytes())])
    };
    let (old, new) = (image("old", "2026-07-01T10:00:00Z"), image("new", "2026-08-01T10:00:00Z"));
    bench.registry.tag(repository, "stable", &new);
    let config = bench.registry.config_of(&old);
    let resolution = bench.resolve(base(repository, Some("stable"), Some(&config)), None).await;
    let published = resolution.base.published.expect("dated");
    assert_eq!(
        (published.at, published.source),
        (crate::resolve::at("2026-07-01T10:00:00Z"), PublishDateSource::ConfigCreated)
    );
    assert_eq!((resolution.base.kind, resolution.base.platform_digest), (Some(DigestKind::Config), None));
    assert_ne!(resolution.base.config, resolution.current.expect("current").config);
}

#[tokio::test]
async fn a_blob_that_is_not_a_configuration_is_not_a_base() {
    let bench = Bench::daily();
    for digest in [Digest::sha256(b"gone"), bench.registry.blob(b"a layer"), bench.registry.blob(b"{}")] {
        let resolution = bench.resolve(base(JAVA, Some("21"), Some(&digest)), None).await;
        let kinds: Vec<_> = resolution.problems.iter().map(|problem| problem.kind).collect();
        assert_eq!((kinds, resolution.base.kind), (vec![ProblemKind::BaseMissing], None), "{digest}");
    }
}

#[tokio::test]
async fn a_release_with_a_deleted_index_is_found_by_its_configuration() {
    let bench = Bench::daily();
    let [index, arm64, config] = release(&bench, 10);
    bench.registry.remove(&index);
    let resolution = bench.resolve(with(&config, &[&arm64]), None).await;
    assert_eq!(resolution.base.platform_digest, Some(arm64));
    assert_eq!(resolution.base.contradicting, []);
    assert!(!resolution.problems.iter().any(|problem| problem.kind == ProblemKind::BaseMissing));
}
