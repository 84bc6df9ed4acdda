//! A release that is held is never good enough, whatever its age, and never a replacement.

use std::sync::Arc;

use super::*;
use crate::{judge::Replacement, resolve::ReleaseHold};

fn hold() -> Arc<ReleaseHold> {
    Arc::new(ReleaseHold {
        release: "r.test/java:*".parse().unwrap(),
        reason: "TLS to RDS fails".into(),
        until: "2027-01-31".parse().unwrap(),
    })
}

fn held(published: i64, superseded: Option<i64>) -> Scenario {
    let mut scenario = scenario(published, superseded);
    scenario.resolution.base.hold = Some(hold());
    scenario
}

#[test]
fn a_deployment_on_a_held_release_is_out_of_date_at_least() {
    let out_of_date = |codes: &[&'static str]| (Verdict::OutOfDate, Severity::Medium, Action::Rebuild, codes.to_vec());
    // Superseded for less than the grace.
    assert_eq!(held(5, Some(1)).judged(), out_of_date(&["release-held", "base-superseded"]));
    // The newest that is not held is older: the line is not rolled back, and there is something to rebuild on.
    assert_eq!(held(1, Some(1)).judged(), out_of_date(&["release-held"]));
    let stale = (Verdict::Stale, Severity::High, Action::Rebuild);
    let (verdict, severity, action, codes) = held(61, Some(20)).judged();
    assert_eq!((verdict, severity, action), stale);
    assert_eq!(codes, ["release-held", "base-too-old", "base-superseded"]);
    let message = held(1, Some(1)).judge(&Policy::default(), now()).reasons.remove(0).message;
    let expected =
        "the release in use is held until 2027-01-31: TLS to RDS fails; the newest release that is not held is ";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn a_held_release_without_an_alternative_needs_no_action() {
    let mut scenario = held(1, None);
    scenario.resolution.current = None;
    scenario.resolution.problems =
        vec![ResolutionProblem { kind: ProblemKind::LineHeld, message: "all are held".into(), failure: None }];
    let nothing = (Verdict::OutOfDate, Severity::Medium, Action::None, vec!["release-held", "line-held"]);
    assert_eq!(scenario.judged(), nothing);
    scenario.resolution.problems[0].kind = ProblemKind::Unreachable;
    assert_eq!(scenario.judged().2, Action::Investigate, "there may be another one");
}

#[test]
fn the_newest_release_that_is_not_held_is_fresh_and_later_quiet() {
    let mut scenario = scenario(20, None);
    scenario.resolution.current.as_mut().unwrap().hold = Some(hold());
    assert_eq!(scenario.judged(), (Verdict::Fresh, Severity::None, Action::None, vec![]));
    let mut scenario = self::scenario(61, None);
    scenario.resolution.current.as_mut().unwrap().hold = Some(hold());
    let judgement = scenario.judge(&Policy::default(), now());
    assert_eq!((judgement.verdict, judgement.action), (Verdict::Stale, Action::None));
    assert!(judgement.reasons[0].message.contains("is held until 2027-01-31"), "{:?}", judgement.reasons);
}

#[test]
fn a_deployment_behind_is_advised_to_pin_if_the_moving_tag_is_held() {
    let mut scenario = scenario(30, Some(20));
    scenario.resolution.current.as_mut().unwrap().hold = Some(hold());
    let message = scenario.judge(&Policy::default(), now()).reasons.remove(0).message;
    let warning =
        "; pin it, because r.test/java:21 points at a release that is held until 2027-01-31 (TLS to RDS fails)";
    assert!(message.ends_with(warning), "{message}");
}

#[test]
fn an_image_on_a_held_release_is_no_replacement_but_can_be_replaced() {
    let (ours, good) = (held(5, Some(1)), scenario(7, Some(1)));
    let judgement = |scenario: &Scenario| scenario.judge(&Policy::default(), now());
    let (on_held, on_good) = (judgement(&ours), judgement(&good));
    let replacement =
        |judgement, resolution| Replacement { name: "orders:422", pushed_at: None, judgement, resolution };
    assert!(replacement(&on_good, &good.resolution).is_better(&on_held, &ours.resolution));
    let old = scenario(90, Some(80));
    assert!(!replacement(&on_held, &ours.resolution).is_better(&judgement(&old), &old.resolution));
}
