//! Texts of notices about rebuilds.

use super::*;
use crate::{
    outbox::DeliveryError,
    rebuild::{NoticeKind, OwnerNotices, notices},
};

fn lines(notices: &[OwnerNotices]) -> Vec<String> {
    let line = |notices: &OwnerNotices| {
        let owner = notices.owner.as_deref().unwrap_or("no owner").to_owned();
        notices
            .rebuilds
            .iter()
            .map(move |rebuild| format!("{owner} {:?}: {}", rebuild.what, rebuild.text))
            .collect::<Vec<_>>()
    };
    notices.iter().flat_map(line).collect()
}

#[test]
fn an_overdue_rebuild_is_a_notice_for_each_of_its_owners() {
    let mut runs = Runs::new();
    let mut findings = vec![function("orders", "a", 1, 9), function("orders", "b", 1, 9), function("carts", "c", 1, 9)];
    findings[1].deployment.owner = Some("shop".to_owned());
    findings[2].deployment.owner = None;
    findings[2].severity = Severity::Critical;
    runs.run(0, &report(findings.clone()));
    runs.known.values_mut().for_each(|rebuild| rebuild.message_id = Some("https://ci.example.com/7".to_owned()));
    let planned = runs.run(26, &report(findings));
    let text = "the rebuild on lambda/java:21.2026.11.09.13 was requested 26 h ago (github, https://ci.example.com/7); no \
                new image has been pushed";
    let notices = notices(&planned, &runs.known, at(26));
    let expected = [
        format!("no owner Overdue: carts: {text}"),
        format!("payments Overdue: orders: {text}"),
        format!("shop Overdue: orders: {text}"),
    ];
    assert_eq!(lines(&notices), expected);
    assert_eq!(notices[0].rebuilds[0].severity, Severity::Critical);
    assert_eq!(notices[1].rebuilds[0].dedup_key, notices[2].rebuilds[0].dedup_key);
    assert_eq!(notices[1].rebuilds[0].dedup_key.len(), 64);
    assert_ne!(notices[0].rebuilds[0].dedup_key, notices[1].rebuilds[0].dedup_key);
}

#[test]
fn a_pause_is_in_the_notice_of_the_rebuild_that_started_it() {
    let mut runs = Runs::new();
    let mut all = Vec::new();
    for day in 0..8_u32 {
        let hours = i64::from(day) * 24;
        let planned = runs.run(hours, &report(vec![function("orders", "a", 1, 9 + day)]));
        all.extend(lines(&notices(&planned, &runs.known, at(hours))));
    }
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all[1].ends_with("no new image has been pushed"), "{}", all[1]);
    let last = "no new image has been pushed; 3 rebuilds in a row failed, no further ones are requested until 2026-11-30 06:00 UTC";
    assert!(all[2].ends_with(last), "{}", all[2]);
}

#[test]
fn a_rebuild_that_leaves_deployments_outdated_says_so() {
    let mut runs = Runs::new();
    let both = |base| vec![function("orders", "a", base, 9), function("orders", "b", 1, 9)];
    runs.run(0, &report(both(1)));
    let planned = runs.run(80, &report(both(9)));
    let notices = notices(&planned, &runs.known, at(80));
    assert_eq!(
        notices[0].rebuilds[0].text,
        "orders: the rebuild on lambda/java:21.2026.11.09.13 was requested 3 d ago (github); a:live is built on \
         21.2026.11.09.13, but other deployments still need a rebuild (1)"
    );
}

#[test]
fn an_unaccepted_rebuild_is_reported_with_the_last_error() {
    let mut runs = Runs::new();
    let mut findings = vec![function("orders", "a", 1, 9)];
    findings[0].current.as_mut().unwrap().release = None;
    let why = || "the answer of api.github.com is 503".to_owned();
    let error = |is_about_entry| Err(DeliveryError { is_about_entry, ..DeliveryError::for_target(why()) });
    let mut all = Vec::new();
    for hours in [0, 1, 25, 49] {
        let planned = runs.plan(hours, &report(findings.clone()));
        all.extend(notices(&planned, &runs.known, at(hours)));
        for key in planned.due {
            runs.known.get_mut(&key).unwrap().record(at(hours), &error(false));
        }
    }
    let short = digest(9).short().to_owned();
    let expected = format!(
        "payments Unaccepted: orders: the rebuild on lambda/java:21@{short} has been due for 25 h (github) and was not \
         accepted in 2 attempts: the answer of api.github.com is 503"
    );
    assert_eq!(lines(&all), [expected]);
    let key = runs.known.keys().next().unwrap().clone();
    for _ in 0..5 {
        runs.known.get_mut(&key).unwrap().record(at(49), &error(true));
    }
    let planned = runs.plan(100, &report(findings));
    let notices = notices(&planned, &runs.known, at(100));
    assert_eq!(notices[0].rebuilds[0].what, NoticeKind::Refused);
    assert!(
        notices[0].rebuilds[0]
            .text
            .ends_with("was refused (github) after 9 attempts: the answer of api.github.com is 503")
    );
}

#[test]
fn a_successful_rebuild_causes_no_notice() {
    let mut runs = Runs::new();
    runs.run(0, &report(vec![function("orders", "a", 1, 9)]));
    let planned = runs.run(1, &report(vec![function("orders", "a", 9, 9)]));
    assert_eq!(outcomes(&planned.followed), [RebuildConclusion::Rebuilt]);
    assert_eq!(notices(&planned, &runs.known, at(1)), []);
}
