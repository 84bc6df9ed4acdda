//! Planning and follow-up of rebuilds, one rule per test.

use super::*;
use crate::outbox::{DeliveryError, DeliveryOutcome};

fn orders(base: u32, current: u32) -> Vec<Finding> {
    (0..30).map(|number| function("orders", &format!("orders-{number:02}"), base, current)).collect()
}

fn refused(is_about_entry: bool) -> DeliveryOutcome {
    Err(DeliveryError { is_about_entry, ..DeliveryError::for_target("api.github.com answered 422".to_owned()) })
}

#[test]
fn thirty_functions_of_one_repository_are_one_rebuild() {
    let mut runs = Runs::new();
    let planned = runs.run(0, &report(orders(1, 9)));
    assert_eq!(planned.due.len(), 1);
    let rebuild = &runs.known[&planned.due[0]];
    let request = &rebuild.request;
    assert_eq!((request.dedup_key.as_str(), request.dedup_key.len()), (planned.due[0].as_str(), 64));
    assert_eq!((request.registry.as_str(), request.repository.as_str()), (REGISTRY, "orders"));
    assert_eq!(request.base, format!("public.ecr.aws/lambda/java@{}", digest(9)));
    assert_eq!(request.base_release.as_deref(), Some("21.2026.11.09.13"));
    assert_eq!((request.deployment_count, request.deployments.len()), (30, 30));
    assert!(request.deployments.contains("orders-07:live"));
    assert_eq!(Vec::from_iter(&request.from), ["21.2026.11.01.13"]);
    assert_eq!(Vec::from_iter(&request.owners), ["payments"]);
    assert_eq!((request.account.as_deref(), request.region.as_deref()), (Some("123456789012"), Some("eu-west-1")));
    assert_eq!((rebuild.rule.as_str(), rebuild.delivery.due_at), ("github", at(0)));
    for hours in [1, 5, 23] {
        assert_eq!(runs.run(hours, &report(orders(1, 9))), RebuildPlan::default(), "it is open");
    }
}

#[test]
fn a_request_lists_no_more_names_than_a_call_can_hold() {
    let mut runs = Runs::new();
    let many = (0..300).map(|number| function("orders", &format!("orders-{number:03}"), 1, 9)).collect();
    let planned = runs.run(0, &report(many));
    let request = &runs.known[&planned.due[0]].request;
    assert_eq!((request.deployments.len(), request.deployment_count), (100, 300));
}

#[test]
fn only_findings_that_a_rebuild_fixes_are_rebuilt() {
    let stale = || function("orders", "orders", 1, 9);
    let unchanged = Behind { content_changed: Some(false), ..stale().behind.unwrap() };
    let table = vec![
        ("it does", stale(), 1),
        ("without a known change it may", Finding { behind: None, ..stale() }, 1),
        ("the new base is the same in content", Finding { behind: Some(unchanged), ..stale() }, 0),
        ("less than the threshold", Finding { severity: Severity::Low, ..stale() }, 0),
        ("a better image is there", with_replacement(stale(), "orders", 9), 0),
        ("the line has ended", Finding { action: Action::Upgrade, verdict: Verdict::Deprecated, ..stale() }, 0),
        ("nothing is known", unknown(stale()), 0),
        ("unknown, whatever it says besides", Finding { verdict: Verdict::Unknown, ..stale() }, 0),
        ("fresh", function("orders", "orders", 9, 9), 0),
        (
            "no repository",
            {
                let mut finding = stale();
                finding.image.reference = "oci:images/orders".into();
                finding
            },
            0,
        ),
    ];
    for (why, finding, due) in table {
        assert_eq!(Runs::new().plan(0, &report(vec![finding])).due.len(), due, "{why}");
    }
}

#[test]
fn old_tags_with_a_good_successor_need_no_rebuild() {
    let mut runs = Runs::new();
    let tags = |bases: &[u32]| -> Vec<_> {
        bases.iter().map(|base| tag(function("orders", &format!("orders:{base}"), *base, 9))).collect()
    };
    assert_eq!(runs.plan(0, &report(tags(&[1, 3, 9]))).due.len(), 0);
    let mut other = tags(&[1, 9]);
    other[1].image.platform = "linux/amd64".parse().ok();
    assert_eq!(runs.plan(0, &report(other)).due.len(), 1, "an image of another platform is no successor");
    let mut runs = Runs::new();
    assert_eq!(runs.run(0, &report(tags(&[1, 3]))).due.len(), 1);
    let concluded = runs.run(1, &report(tags(&[1, 3, 9]))).followed;
    assert_eq!(outcomes(&concluded), [RebuildConclusion::Rebuilt]);
    assert_eq!(concluded[0].image.as_deref(), Some("orders:9 is built on 21.2026.11.09.13"));
}

#[test]
fn the_first_matching_rule_selects_the_service() {
    let mut runs = Runs::new();
    let named = |name: &str, glob: &str| RebuildRule {
        name: name.to_owned(),
        repositories: vec![glob.parse().unwrap()],
        ..rule(RebuildPreset::GitLab)
    };
    runs.settings.rules = vec![named("one", "team-a/*"), named("two", "team-?/orders"), named("three", "x")];
    let all = ["team-a/orders", "team-b/orders", "team-b/other"];
    let planned = runs.plan(0, &report(all.map(|name| function(name, name, 1, 9)).to_vec()));
    let rules: Vec<_> =
        planned.due.iter().map(|key| &runs.known[key]).map(|r| (&*r.request.repository, &*r.rule)).collect();
    assert_eq!(rules, [("team-a/orders", "one"), ("team-b/orders", "two")]);
    assert_eq!(planned.without_rule, 1);
}

#[test]
fn a_run_requests_at_most_max_per_run_most_severe_first() {
    let mut runs = Runs::new();
    runs.settings.max_per_run = 2;
    let mut findings: Vec<_> = (0..5).map(|number| function(&format!("r{number}"), "f", 1, 9)).collect();
    findings[3].severity = Severity::Critical;
    let names = |runs: &Runs, planned: &RebuildPlan| -> Vec<String> {
        planned.due.iter().map(|key| runs.known[key].request.repository.clone()).collect()
    };
    let planned = runs.plan(0, &report(findings.clone()));
    assert_eq!((names(&runs, &planned), planned.waiting), (vec!["r3".to_owned(), "r0".to_owned()], 3));
    let again = runs.plan(0, &report(findings.clone()));
    assert_eq!(again, planned, "nothing was requested yet");
    runs.run(0, &report(findings.clone()));
    let planned = runs.run(1, &report(findings.clone()));
    assert_eq!((names(&runs, &planned), planned.waiting), (vec!["r1".to_owned(), "r2".to_owned()], 1));
    let planned = runs.run(2, &report(findings));
    assert_eq!((names(&runs, &planned), planned.waiting), (vec!["r4".to_owned()], 0));
}

#[test]
fn failed_rebuilds_do_not_displace_others_under_the_cap() {
    let mut runs = Runs::new();
    runs.settings.max_per_run = 1;
    let planned = runs.plan(0, &report(vec![function("a", "f", 1, 9)]));
    runs.known.get_mut(&planned.due[0]).unwrap().record(at(0), &refused(false));
    let both = report(vec![function("a", "f", 1, 9), function("b", "f", 1, 9)]);
    let planned = runs.run(1, &both);
    assert_eq!(runs.known[&planned.due[0]].request.repository, "b");
    assert_eq!(planned.waiting, 1);
    let planned = runs.run(2, &both);
    assert_eq!(runs.known[&planned.due[0]].request.repository, "a");
}

#[test]
fn a_base_published_daily_does_not_cause_a_daily_rebuild() {
    let mut runs = Runs::new();
    runs.settings.deadline = std::time::Duration::from_hours(72);
    for day in 0..3 {
        runs.run(day * 24, &report(orders(1, 5 + u32::try_from(day).unwrap())));
    }
    assert_eq!(runs.targets(), ["21.2026.11.05.13"]);
    // What was built is built on the release that was asked for, which is not the current one any more, and is good.
    let mut built = orders(5, 8);
    for finding in &mut built {
        (finding.verdict, finding.severity) = (Verdict::Superseded, Severity::Info);
    }
    let planned = runs.run(71, &report(built));
    assert_eq!(outcomes(&planned.followed), [RebuildConclusion::Rebuilt]);
    assert_eq!(planned.due.len(), 0);
}

#[test]
fn a_better_image_in_the_repository_ends_a_rebuild() {
    let mut runs = Runs::new();
    runs.run(0, &report(orders(1, 9)));
    let waiting = orders(1, 9).into_iter().map(|finding| with_replacement(finding, "orders", 9)).collect();
    let planned = runs.run(1, &report(waiting));
    assert_eq!(outcomes(&planned.followed), [RebuildConclusion::Rebuilt]);
    assert_eq!(planned.followed[0].image.as_deref(), Some("orders:9 is built on 21.2026.11.09.13"));
    let rebuild = runs.known.values().next().unwrap();
    assert_eq!(
        (rebuild.ended_at, rebuild.new_image.as_deref()),
        (Some(at(1)), Some("orders:9 is built on 21.2026.11.09.13"))
    );
}

#[test]
fn an_image_on_the_requested_release_ends_the_rebuild_even_if_outdated_by_now() {
    let mut runs = Runs::new();
    runs.run(0, &report(orders(1, 9)));
    let planned = runs.run(24 * 60, &report(orders(9, 40)));
    assert_eq!(outcomes(&planned.followed), [RebuildConclusion::Rebuilt]);
    assert_eq!(planned.due.len(), 1, "the next release is requested");
}

#[test]
fn a_missed_deadline_is_reported_once() {
    let mut runs = Runs::new();
    runs.run(0, &report(orders(1, 9)));
    assert_eq!(runs.run(23, &report(orders(1, 9))), RebuildPlan::default());
    let planned = runs.run(24, &report(orders(1, 9)));
    assert_eq!(outcomes(&planned.followed), [RebuildConclusion::Overdue]);
    assert_eq!((planned.followed[0].needing, planned.followed[0].severity), (30, Severity::High));
    for hours in [25, 48, 24 * 7] {
        let planned = runs.run(hours, &report(orders(1, 9)));
        assert_eq!(
            (planned.followed, planned.due, planned.held),
            (vec![], vec![], 1),
            "the same target is not asked for"
        );
    }
    let planned = runs.run(24 * 8, &report(orders(1, 9)));
    assert_eq!(planned.due.len(), 1, "requested after the pause");
    assert_eq!(runs.known.len(), 2, "under a key of its own, because services drop keys they have seen");
}

#[test]
fn a_daily_run_that_starts_early_still_counts_as_a_day() {
    let mut runs = Runs::new();
    let planned = runs.run(0, &report(orders(1, 9)));
    runs.known.get_mut(&planned.due[0]).unwrap().sent_at = Some(at(0) + TimeDelta::minutes(3));
    let planned = runs.run(24, &report(orders(1, 9)));
    assert_eq!(outcomes(&planned.followed), [RebuildConclusion::Overdue]);
    let notices = crate::rebuild::notices(&planned, &runs.known, at(24));
    assert!(notices[0].rebuilds[0].text.contains("requested 24 h ago"));
}

#[test]
fn failures_in_a_row_start_a_pause_and_then_one_attempt() {
    let mut runs = Runs::new();
    let mut requested = Vec::new();
    let mut paused = Vec::new();
    for day in 0..24_u32 {
        let hours = i64::from(day) * 24;
        let planned = runs.run(hours, &report(orders(1, 10 + day)));
        requested.extend(planned.due.iter().map(|_| day));
        paused.extend(planned.paused.iter().map(|paused| (day, paused.failures, (paused.until - at(0)).num_days())));
        if paused.last().is_some_and(|(_, _, until)| i64::from(day) < *until) {
            assert_eq!((planned.due.len(), planned.held), (0, 1), "day {day}");
        }
    }
    assert_eq!(requested, [0, 1, 2, 10, 18]);
    assert_eq!(paused, [(3, 3, 10), (11, 4, 18), (19, 5, 26)]);
    // A successful rebuild ends the streak.
    runs.run(24 * 26, &report(orders(1, 60)));
    assert_eq!(outcomes(&runs.run(24 * 26 + 1, &report(orders(60, 60))).followed), [RebuildConclusion::Rebuilt]);
    let mut requested = 0;
    for day in 27..30 {
        requested += runs.run(24 * i64::from(day), &report(orders(60, 60 + day))).due.len();
    }
    assert_eq!(requested, 3);
}

#[test]
fn a_rebuild_missing_from_a_complete_report_is_obsolete_and_from_an_incomplete_one_open() {
    for (why, after, outcome) in [
        ("gone", report(vec![]), Some(RebuildConclusion::Obsolete)),
        ("not seen", incomplete(vec![]), None),
        ("one may be it", report(vec![unknown(function("orders", "x", 1, 9))]), None),
        (
            "that is another repository",
            report(vec![unknown(function("other", "x", 1, 9))]),
            Some(RebuildConclusion::Obsolete),
        ),
        (
            "no longer bad enough",
            {
                let mut findings = orders(1, 9);
                for finding in &mut findings {
                    finding.severity = Severity::Low;
                }
                report(findings)
            },
            Some(RebuildConclusion::Obsolete),
        ),
        ("unknown by now", report(orders(1, 9).into_iter().map(unknown).collect()), None),
        ("some built, the others not seen", incomplete(orders(9, 9)), Some(RebuildConclusion::Rebuilt)),
        ("some are still needed", report([orders(9, 9), orders(1, 9)].concat()), None),
    ] {
        let mut runs = Runs::new();
        runs.run(0, &report(orders(1, 9)));
        let planned = runs.run(1, &after);
        assert_eq!(outcomes(&planned.followed), Vec::from_iter(outcome), "{why}");
        assert_eq!(planned.due, Vec::<String>::new(), "{why}");
    }
}

#[test]
fn a_rebuild_of_an_unreadable_repository_is_not_overdue() {
    let mut runs = Runs::new();
    runs.run(0, &report(orders(1, 9)));
    assert_eq!(runs.run(100, &incomplete(vec![])), RebuildPlan::default());
    assert_eq!(runs.run(101, &report(orders(1, 9).into_iter().map(unknown).collect())), RebuildPlan::default());
    assert_eq!(outcomes(&runs.run(102, &report(orders(9, 9))).followed), [RebuildConclusion::Rebuilt]);
}

#[test]
fn a_deployment_that_returns_reopens_the_same_rebuild() {
    let mut runs = Runs::new();
    runs.run(0, &report(orders(1, 9)));
    assert_eq!(outcomes(&runs.run(1, &report(vec![])).followed), [RebuildConclusion::Obsolete]);
    assert_eq!(runs.run(2, &report(orders(1, 9))), RebuildPlan::default());
    assert_eq!(outcomes(&runs.run(24, &report(orders(1, 9))).followed), [RebuildConclusion::Overdue]);
    assert_eq!(runs.known.len(), 1);
}

#[test]
fn a_recorded_rebuild_is_requested_as_it_was_recorded() {
    let mut runs = Runs::new();
    let first = runs.plan(0, &report(orders(1, 9)));
    let recorded = runs.known.clone();
    // The process was killed here. A newer release is current in the next run.
    let planned = runs.plan(24, &report(orders(1, 10)));
    assert_eq!((planned.due, &runs.known), (first.due, &recorded));
}

#[test]
fn an_obsolete_rebuild_is_not_requested() {
    for after in [report(orders(9, 9)), report(vec![]), report(orders(10, 10))] {
        let mut runs = Runs::new();
        runs.plan(0, &report(orders(1, 9)));
        let planned = runs.plan(1, &after);
        assert_eq!((outcomes(&planned.followed), planned.due.len()), (vec![RebuildConclusion::Obsolete], 0));
        assert_eq!(runs.plan(2, &report(orders(1, 9))).due.len(), 1, "requested when it is needed again");
    }
    let mut runs = Runs::new();
    runs.plan(0, &report(orders(1, 9)));
    assert_eq!(runs.plan(1, &incomplete(vec![])), RebuildPlan::default(), "nor while it is not listed");
    assert_eq!(runs.plan(2, &report(orders(1, 9))).due.len(), 1);
}

#[test]
fn an_unaccepted_rebuild_is_retried_indefinitely_and_reported_once() {
    let mut runs = Runs::new();
    let mut notified = Vec::new();
    let mut tried = Vec::new();
    for hour in 0..100 {
        let planned = runs.plan(hour, &report(orders(1, 9)));
        notified.extend(planned.unaccepted.iter().map(|(_, severity)| (hour, *severity)));
        for key in &planned.due {
            tried.push(hour);
            runs.known.get_mut(key).unwrap().record(at(hour), &refused(false));
        }
        assert_eq!(planned.followed, []);
    }
    assert_eq!(notified, [(24, Severity::High)]);
    assert_eq!(tried[..11], [0, 1, 2, 3, 4, 5, 7, 10, 16, 22, 28], "then every six hours");
    assert_eq!(tried.len(), 22);
    assert_eq!(runs.run(102, &report(orders(1, 9))).due.len(), 1, "nothing is lost");
    assert_eq!(runs.run(103, &report(orders(1, 9))), RebuildPlan::default());
}

#[test]
fn a_repeatedly_refused_rebuild_ends_and_counts_towards_the_pause() {
    let mut runs = Runs::new();
    let mut ended = Vec::new();
    let mut paused = Vec::new();
    for hour in 0..500_u32 {
        let planned = runs.plan(i64::from(hour), &report(orders(1, 10 + hour)));
        ended.extend(planned.followed.iter().map(|followed| (hour, followed.outcome)));
        paused.extend(planned.paused.iter().map(|paused| (hour, paused.failures)));
        for key in &planned.due {
            runs.known.get_mut(key).unwrap().record(at(i64::from(hour)), &refused(true));
        }
    }
    let refused = RebuildConclusion::Refused;
    assert_eq!(ended, [(24, refused), (48, refused), (72, refused), (264, refused), (456, refused)]);
    assert_eq!(paused, [(72, 3), (264, 4), (456, 5)]);
}

#[test]
fn a_removed_rule_requests_nothing() {
    let mut runs = Runs::new();
    runs.plan(0, &report(orders(1, 9)));
    let rules = std::mem::take(&mut runs.settings.rules);
    let planned = runs.plan(1, &report(orders(1, 9)));
    assert_eq!((planned.due.len(), planned.without_rule), (0, 1));
    runs.settings.rules = rules;
    runs.settings.rules[0].name = "another".to_owned();
    assert_eq!(runs.plan(2, &report(orders(1, 9))).due.len(), 1, "another rule for the repository does");
}

#[test]
fn ended_rebuilds_are_pruned() {
    let mut runs = Runs::new();
    runs.run(0, &report(orders(1, 9)));
    runs.run(1, &report(orders(9, 9)));
    runs.run(24 * 90, &report(orders(9, 9)));
    assert_eq!(runs.known.len(), 1);
    runs.run(24 * 90 + 1, &report(orders(9, 9)));
    assert_eq!(runs.known.len(), 0);
}

#[test]
fn the_ledger_round_trips() {
    let mut runs = Runs::new();
    runs.run(0, &report(orders(1, 9)));
    runs.run(30, &report(orders(1, 10)));
    let text = serde_json::to_string(&runs.known).unwrap();
    assert_eq!(serde_json::from_str::<BTreeMap<String, Rebuild>>(&text).unwrap(), runs.known);
}

#[test]
fn a_workload_problem_requests_no_rebuild() {
    use crate::report::{FindingSubjects, SubjectFields};
    let broken = |base: Severity, exempted: bool| {
        let subject = |severity, action, exempted| SubjectFields { severity, action, reasons: vec![], exempted };
        let subjects = FindingSubjects {
            base: subject(base, Action::Rebuild, exempted),
            workload: subject(Severity::Medium, Action::Investigate, false),
        };
        let mut finding = function("orders", "a", 1, 9);
        finding.severity = base.max(Severity::Medium);
        Finding { subjects: Some(subjects), ..finding }
    };
    for (finding, rebuilds) in [
        (broken(Severity::Info, false), 0),
        (broken(Severity::High, false), 1),
        (broken(Severity::High, true), 0),
        (Finding { action: Action::Restore, ..broken(Severity::High, false) }, 0),
    ] {
        assert_eq!(Runs::new().run(0, &report(vec![finding.clone()])).due.len(), rebuilds, "{finding:?}");
    }
}

#[test]
fn only_an_error_that_can_hide_users_of_the_repository_keeps_a_rebuild_open() {
    let error = |account: &str, repository: Option<&str>| ErrorEntry {
        account: account.parse().ok(),
        repository: repository.map(str::to_owned),
        ..ErrorEntry::default()
    };
    let line = ErrorEntry { about: ErrorAbout::Line, ..ErrorEntry::default() };
    for (error, outcome) in [
        (line, Some(RebuildConclusion::Obsolete)),
        (error("123456789012", Some("billing")), Some(RebuildConclusion::Obsolete)),
        (error("210987654321", Some("orders")), Some(RebuildConclusion::Obsolete)),
        (error("123456789012", Some("orders")), None),
        // A function of any account may run its images.
        (error("210987654321", None), None),
    ] {
        let mut runs = Runs::new();
        runs.run(0, &report(orders(1, 9)));
        let after = Report { complete: false, errors: vec![error.clone()], ..report(vec![]) };
        assert_eq!(outcomes(&runs.run(1, &after).followed), Vec::from_iter(outcome), "{error:?}");
    }
}
