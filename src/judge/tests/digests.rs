//! Digests of several kinds in one image: when they contradict each other, and what a configuration digest proves.

use super::*;

#[test]
fn only_digests_of_another_release_contradict_the_base() {
    let recorded = |further: &[&Digest], contradicting: &[&Digest]| {
        let mut scenario = scenario(10, None);
        let own = |digests: &[&Digest]| digests.iter().map(|digest| (*digest).clone()).collect::<Vec<_>>();
        let base = scenario.readings[0].base.clone().unwrap();
        scenario.readings[0].base = Ok(Base { further_digests: own(further), ..base.clone() });
        scenario.resolution.base.contradicting = own(contradicting);
        (scenario, base)
    };
    let (manifest, other) = (Digest::sha256(b"base arm64"), Digest::sha256(b"another release"));
    let annotated = |scenario: &mut Scenario, base: &Base, digest: &Digest| {
        scenario.readings.push(BaseRecord {
            kind: EvidenceKind::Annotation,
            key: "org.opencontainers.image.base.name".into(),
            value: String::new(),
            base: Ok(Base { digest: Some(digest.clone()), ..base.clone() }),
        });
    };
    let (mut scenario, base) = recorded(&[&manifest], &[]);
    annotated(&mut scenario, &base, &manifest);
    assert_eq!(scenario.judged().3, Vec::<&str>::new(), "an index and its manifest");

    let (mut scenario, base) = recorded(&[&other], &[&other]);
    annotated(&mut scenario, &base, &other);
    let reasons = scenario.judge(&Policy::default(), now()).reasons;
    assert_eq!(reasons[0].code.as_str(), "evidence-disagrees");
    let reported = format!("annotation org.opencontainers.image.base.name names r.test/java@{other}");
    assert_eq!(reasons[0].message, format!("sdkBaseVersion was used; {reported}"), "once");

    let (scenario, _) = recorded(&[&other], &[&other]);
    let reasons = scenario.judge(&Policy::default(), now()).reasons;
    assert_eq!(
        reasons[0].message,
        format!("sdkBaseVersion was used; {other} in the same record names another release")
    );
}

#[test]
fn the_digest_of_a_configuration_is_compared_with_that_of_the_current_release() {
    for (current, verdict) in [("config", Verdict::Fresh), ("another", Verdict::Superseded)] {
        let mut scenario = scenario(10, Some(9));
        scenario.resolution.base = ResolvedBase {
            digest: Some(Digest::sha256(b"config")),
            kind: Some(DigestKind::Config),
            config: Some(Digest::sha256(b"config")),
            ..ResolvedBase::default()
        };
        scenario.resolution.current.as_mut().unwrap().config = Some(Digest::sha256(current.as_bytes()));
        assert_eq!(scenario.judged().0, verdict, "{current}");
    }
}
