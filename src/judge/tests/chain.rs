//! Images on a base that is itself built on another one.

use super::*;
use crate::{
    identify::{Confidence, IdentifiedBase},
    judge::{ChainLink, awaited, judge_chain},
};

fn layers(names: &[&str]) -> Vec<Digest> {
    names.iter().map(|name| Digest::sha256(name.as_bytes())).collect()
}

/// A base of `layer_count` layers, as of `scenario`, whose line points at an image of these layers.
struct Built {
    scenario: Scenario,
    base: IdentifiedBase,
}

fn built(mut scenario: Scenario, name: &str, layer_count: usize, current: &[&str]) -> Built {
    let repository = name.parse().unwrap();
    scenario.resolution.line = Some((ReleaseLine { repository, tag: "1".into() }, LineSource::DatedTag));
    if let Some(now) = &mut scenario.resolution.current {
        now.diff_ids = Some(layers(current));
    }
    scenario.image.diff_ids = layers(&["os", "java", "agent", "app"]);
    let reading = scenario.readings[0].clone();
    let base = Base { repository: name.parse().unwrap(), ..reading.base.clone().unwrap() };
    let base = IdentifiedBase {
        base,
        evidence: reading,
        position: None,
        confidence: Confidence::Confirmed,
        layer_count: Some(layer_count),
        equal_releases: Vec::new(),
    };
    Built { scenario, base }
}

/// The judgement of an image on both, and whether it waits for the first.
fn judged(outer: &Built, inner: &Built) -> (Judgement, bool) {
    let link = |built: &'_ Built| built.scenario.judge(&Policy::default(), now());
    let chain = [
        ChainLink { base: &outer.base, resolution: &outer.scenario.resolution, judgement: link(outer) },
        ChainLink { base: &inner.base, resolution: &inner.scenario.resolution, judgement: link(inner) },
    ];
    let image = &outer.scenario.image;
    (judge_chain(&chain, image).expect("a chain"), awaited(&chain, image).is_some())
}

fn company(superseded: Option<i64>, current: &[&str]) -> Built {
    built(scenario(20, superseded), "r.test/base", 3, current)
}

fn amazon(published: i64, superseded: Option<i64>) -> Built {
    let current = if superseded.is_some() { ["os", "newer java"] } else { ["os", "java"] };
    built(scenario(published, superseded), "r.test/java", 2, &current)
}

const SAME: [&str; 3] = ["os", "java", "agent"];
const LATER: [&str; 3] = ["os", "java", "newer agent"];
const NEWER: [&str; 3] = ["os", "newer java", "agent"];

#[test]
fn the_worst_base_decides_and_an_image_waits_for_the_base_that_has_to_be_rebuilt() {
    use Action::{Investigate, None as Nothing, Rebuild};
    use Verdict::{Fresh, OutOfDate, Stale, Superseded, Unknown};
    let fresh = || company(None, &SAME);
    let unresolved = || {
        let mut built = amazon(10, None);
        built.scenario.resolution.current = None;
        built.scenario.resolution.base.published = None;
        built
    };
    for (name, outer, inner, verdict, action, waits) in vec![
        ("both are fresh", fresh(), amazon(10, None), Fresh, Nothing, false),
        ("the inner one is behind", fresh(), amazon(60, Some(50)), Stale, Nothing, true),
        ("within the grace", fresh(), amazon(10, Some(9)), Superseded, Nothing, true),
        (
            "both, and the newer base is not better",
            company(Some(15), &LATER),
            amazon(60, Some(50)),
            Stale,
            Nothing,
            true,
        ),
        ("both, and the newer base is better", company(Some(15), &NEWER), amazon(60, Some(50)), Stale, Rebuild, false),
        ("only the outer one", company(Some(15), &LATER), amazon(10, None), OutOfDate, Rebuild, false),
        ("the inner one is quiet", fresh(), amazon(60, None), Stale, Nothing, false),
        ("the inner one is unknown", fresh(), unresolved(), Unknown, Investigate, false),
        ("one is behind, one unknown", company(Some(15), &LATER), unresolved(), OutOfDate, Rebuild, false),
    ] {
        let (judgement, is_waiting) = judged(&outer, &inner);
        assert_eq!((judgement.verdict, judgement.action, is_waiting), (verdict, action, waits), "{name}");
        let leading = judgement.reasons.first().map(|reason| reason.code.as_str());
        assert_eq!(leading == Some("waits-for-base"), waits, "{name}: {leading:?}");
    }
}

#[test]
fn an_image_waits_only_if_the_base_of_the_newer_outer_base_is_known() {
    let mut outer = company(Some(15), &LATER);
    outer.scenario.resolution.current.as_mut().unwrap().diff_ids = None;
    let (judgement, is_waiting) = judged(&outer, &amazon(60, Some(50)));
    assert_eq!((judgement.verdict, judgement.action, is_waiting), (Verdict::Stale, Action::Rebuild, false));
}

#[test]
fn reasons_of_an_inner_base_name_it_and_a_deprecated_runtime_needs_an_upgrade() {
    let (judgement, _) = judged(&company(None, &SAME), &amazon(60, Some(50)));
    let messages: Vec<_> = judgement.reasons.iter().map(|reason| reason.message.as_str()).collect();
    assert!(messages[0].starts_with("r.test/base has to be rebuilt first"), "{messages:?}");
    assert_eq!(messages[1], "r.test/java:1: published 60 days ago, over the limit of 45 days");
    let mut ended = amazon(60, Some(50));
    let line = ReleaseLine { repository: "public.ecr.aws/lambda/python".parse().unwrap(), tag: "3.9".into() };
    ended.scenario.resolution.line = Some((line, LineSource::DatedTag));
    let (judgement, is_waiting) = judged(&company(None, &SAME), &ended);
    assert_eq!((judgement.verdict, judgement.action, is_waiting), (Verdict::Deprecated, Action::Upgrade, false));
    assert_eq!(judgement.runtime.map(|support| support.runtime.name).as_deref(), Some("python3.9"));
}
