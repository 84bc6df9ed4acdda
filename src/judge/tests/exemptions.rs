//! Exemptions: which findings they cover, until when, and how their usage is counted.

use super::*;
use crate::judge::{Exemption, ExemptionUsage, PolicyScope, ReasonCode, exemption_usage};

fn exemption(until: &str, codes: &[ReasonCode]) -> Exemption {
    let scope = PolicyScope { deployment: Some("orders:*".parse().unwrap()), ..PolicyScope::default() };
    Exemption {
        reason: "replaced in Q1".into(),
        owner: "payments".into(),
        until: until.parse().unwrap(),
        scope,
        codes: codes.to_vec(),
    }
}

#[test]
fn all_patterns_have_to_match_and_an_unknown_name_matches_none() {
    let glob = |text: &str| Some(text.parse().unwrap());
    let scope =
        |deployment, repository, account, owner, base| PolicyScope { deployment, repository, account, owner, base };
    let unowned = PolicySubject { owner: None, base: None, ..SUBJECT };
    for (scope, subject, expected) in [
        (scope(None, None, None, None, None), SUBJECT, true),
        (scope(glob("orders:*"), None, None, None, None), SUBJECT, true),
        (scope(glob("orders"), None, None, None, None), SUBJECT, false),
        (scope(None, glob("ord*"), glob("1234*"), glob("pay*"), glob("r.test/*")), SUBJECT, true),
        (scope(None, glob("ord*"), glob("999*"), glob("pay*"), glob("r.test/*")), SUBJECT, false),
        (scope(None, None, None, glob("pay*"), None), unowned, false),
        (scope(None, None, None, glob("*"), None), unowned, false),
        (scope(None, None, None, None, glob("*")), unowned, false),
    ] {
        assert_eq!(scope.matches(subject), expected, "{scope:?}");
    }
}

#[test]
fn an_exemption_with_codes_holds_only_while_one_of_them_leads() {
    use ReasonCode::{BaseSuperseded, BaseTooOld, LineQuiet};
    for (published, superseded, codes, expected) in [
        (90, Some(89), vec![], true),
        (90, Some(89), vec![BaseTooOld], true),
        (90, Some(89), vec![LineQuiet, BaseTooOld], true),
        // It is one of the reasons and not the first.
        (90, Some(89), vec![BaseSuperseded], false),
        (20, Some(15), vec![BaseSuperseded], true),
        (60, None, vec![LineQuiet], true),
        // There is nothing to exempt.
        (10, None, vec![], false),
        (10, None, vec![BaseSuperseded], false),
    ] {
        let judgement = scenario(published, superseded).judge(&Policy::default(), now());
        let exemption = exemption("2027-01-31", &codes);
        assert_eq!(exemption.covers(&judgement), expected, "{published} {superseded:?} {codes:?}");
    }
}

#[test]
fn an_exemption_covers_a_failing_function_with_a_fresh_base() {
    let mut judgement = scenario(10, None).judge(&Policy::default(), now());
    assert!(!exemption("2027-01-31", &[]).covers(&judgement));
    judgement.severity = Severity::Medium;
    assert!(exemption("2027-01-31", &[]).covers(&judgement));
}

#[test]
fn the_first_exemption_that_holds_wins_and_neither_verdict_nor_severity_change() {
    let named = |reason: &str, until: &str, codes: &[ReasonCode]| Exemption {
        reason: reason.into(),
        ..exemption(until, codes)
    };
    let elsewhere = PolicyScope { deployment: Some("other".parse().unwrap()), ..PolicyScope::default() };
    let policy = Policy {
        exemptions: vec![
            named("over", "2026-11-19", &[]),
            named("of another reason", "2027-01-31", &[ReasonCode::ImageMissing]),
            Exemption { scope: elsewhere, ..named("of others", "2027-01-31", &[]) },
            named("first", "2027-01-31", &[]),
            named("second", "2027-01-31", &[]),
        ],
        ..Policy::default()
    };
    let judgement = scenario(90, Some(89)).judge(&policy, now());
    let holding = |now| policy.exemption_for(SUBJECT, &judgement, now).map(|exemption| exemption.reason.as_str());
    assert_eq!(holding(now()), Some("first"));
    assert_eq!(holding(days_ago(1)), Some("over"), "as of yesterday");
    assert_eq!(holding("2027-02-01T00:00:00Z".parse().unwrap()), None);
    assert_eq!(judgement, scenario(90, Some(89)).judge(&Policy::default(), now()));
}

#[test]
fn a_finding_counts_for_one_exemption_and_for_an_expired_one_if_no_other_covers_it() {
    let stale = scenario(90, Some(89)).judge(&Policy::default(), now());
    let fresh = scenario(10, None).judge(&Policy::default(), now());
    let subject = |deployment| PolicySubject { deployment, ..SUBJECT };
    let judged = [
        (subject("orders:1"), &stale),
        (subject("orders:2"), &stale),
        (subject("orders:3"), &fresh),
        (subject("other"), &stale),
    ];
    let first = PolicyScope { deployment: Some("orders:1".parse().unwrap()), ..PolicyScope::default() };
    let policy = Policy {
        exemptions: vec![
            exemption("2026-11-01", &[]),
            Exemption { scope: first, ..exemption("2027-01-31", &[]) },
            exemption("2026-11-01", &[ReasonCode::ImageMissing]),
        ],
        ..Policy::default()
    };
    let met = exemption_usage(&policy, &judged, now());
    let counts: Vec<_> =
        met.iter().map(|ExemptionUsage { matched, covered, .. }| (*matched, covered.clone())).collect();
    let stale = |number| BTreeMap::from([(Verdict::Stale, number)]);
    assert_eq!(counts, [(3, stale(1)), (1, stale(1)), (3, BTreeMap::new())]);
    // Before it expired, the first was the one that held.
    let met = exemption_usage(&policy, &judged, "2026-11-01T12:00:00Z".parse().unwrap());
    assert_eq!(
        met.iter().map(|met| met.covered.clone()).collect::<Vec<_>>(),
        [stale(2), BTreeMap::new(), BTreeMap::new()]
    );
}

#[test]
fn a_collection_error_may_hide_deployments_of_a_scope_unless_account_or_repository_differ() {
    use crate::inventory::{AffectedScope, DeploymentKind};
    let some = |text: &str| Some(text.to_owned());
    let glob = |text: &str| Some(text.parse().unwrap());
    let region = AffectedScope {
        account: "111111111111".parse().ok(),
        region: "eu-west-1".parse().ok(),
        ..AffectedScope::default()
    };
    let tags = AffectedScope { repository: some("team/orders"), ..region.clone() };
    let images = AffectedScope { kind: Some(DeploymentKind::Ecr), ..tags.clone() };
    let of = |account: Option<_>, repository: Option<_>| PolicyScope { repository, account, ..PolicyScope::default() };
    for (scope, extent, may_match) in [
        (PolicyScope::default(), &AffectedScope::default(), true),
        (of(glob("111111111111"), glob("web-*")), &region, true),
        (of(glob("222222222222"), None), &region, false),
        (of(None, glob("team/*")), &tags, true),
        (of(None, glob("web-*")), &tags, false),
        // A function of any account may run an image of that repository; a tag of it is in its account.
        (of(glob("222222222222"), None), &tags, true),
        (of(glob("222222222222"), None), &images, false),
    ] {
        assert_eq!(scope.may_match_in(extent), may_match, "{scope:?} {extent:?}");
    }
}
