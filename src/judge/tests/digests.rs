//! Digests of several kinds in one image: when they contradict each other, and what a configuration digest proves.

use super::*;

#[test]
fn only_digests_of_another_release_contradict_the_base() {
    let recorded = |further: &[&Digest], contradicting: &[&Digest]| {
        let mut world = world(10, None);
        let own = |digests: &[&Digest]| digests.iter().map(|digest| (*digest).clone()).collect::<Vec<_>>();
        let base = world.readings[0].base.clone().unwrap();
        world.readings[0].base = Ok(Base { further_digests: own(further), ..base.clone() });
        world.resolution.base.contradicting = own(contradicting);
        (world, base)
    };
    let (manifest, other) = (Digest::sha256(b"base arm64"), Digest::sha256(b"another release"));
    let annotated = |world: &mut World, base: &Base, digest: &Digest| {
        world.readings.push(BaseRecord {
            kind: EvidenceKind::Annotation,
            key: "org.opencontainers.image.base.name".into(),
            value: String::new(),
            base: Ok(Base { digest: Some(digest.clone()), ..base.clone() }),
        });
    };
    let (mut world, base) = recorded(&[&manifest], &[]);
    annotated(&mut world, &base, &manifest);
    assert_eq!(world.judged().3, Vec::<&str>::new(), "an index and its manifest");

    let (mut world, base) = recorded(&[&other], &[&other]);
    annotated(&mut world, &base, &other);
    let reasons = world.judge(&Policy::default(), now()).reasons;
    assert_eq!(reasons[0].code.as_str(), "evidence-disagrees");
    let said = format!("annotation org.opencontainers.image.base.name names r.test/java@{other}");
    assert_eq!(reasons[0].message, format!("sdkBaseVersion was used; {said}"), "once");

    let (world, _) = recorded(&[&other], &[&other]);
    let reasons = world.judge(&Policy::default(), now()).reasons;
    assert_eq!(
        reasons[0].message,
        format!("sdkBaseVersion was used; {other} in the same record names another release")
    );
}

#[test]
fn the_digest_of_a_configuration_is_compared_with_that_of_the_current_release() {
    for (current, verdict) in [("config", Verdict::Fresh), ("another", Verdict::Superseded)] {
        let mut world = world(10, Some(9));
        world.resolution.base = ResolvedBase {
            digest: Some(Digest::sha256(b"config")),
            kind: Some(DigestKind::Config),
            config: Some(Digest::sha256(b"config")),
            ..ResolvedBase::default()
        };
        world.resolution.current.as_mut().unwrap().config = Some(Digest::sha256(current.as_bytes()));
        assert_eq!(world.judged().0, verdict, "{current}");
    }
}
