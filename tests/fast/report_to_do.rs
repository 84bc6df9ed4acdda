//! What to do about a report: the grouping that the formats share.

use std::collections::BTreeSet;
use testbed::{company_report, sample};

use basewatch::{
    judge::{Action, Severity},
    report::{Finding, Report, ToDoList, ToDoStep, UnlistedItems, WorkCount},
};

/// A company's report in which the line of every deployment has one of `bases` current releases.
fn with_bases(findings: usize, bases: usize) -> Report {
    let mut report = company_report::report(sample::now(), findings);
    for (number, finding) in report.findings.iter_mut().enumerate() {
        if let Some(current) = &mut finding.current {
            current.digest = sample::digest(&(number % bases).to_string());
        }
    }
    report
}

fn stale(name: &str) -> Finding {
    let report = sample::report();
    let found = report.findings.into_iter().find(|finding| finding.deployment.name == "orders:421");
    let mut finding = found.expect("a finding of the sample");
    name.clone_into(&mut finding.deployment.name);
    finding.image.digest = Some(sample::digest(name));
    finding
}

#[test]
fn what_is_rebuilt_on_one_base_is_one_item_with_a_reference_to_paste() {
    let findings = sample::report().findings;
    let list = ToDoList::new(&findings);
    let reference = findings
        .iter()
        .find(|finding| finding.deployment.name == "orders:421")
        .and_then(|finding| Some(finding.current.as_ref()?.build_on_pinned()));
    assert!(reference.as_ref().is_some_and(|reference| reference.contains("java:21@sha256:")), "{reference:?}");
    let of_orders: Vec<_> = list
        .items
        .iter()
        .filter(|item| item.findings.iter().any(|it| it.deployment.name.starts_with("orders:")))
        .collect();
    assert_eq!(of_orders.len(), 1, "{of_orders:#?}");
    assert_eq!(of_orders[0].step, ToDoStep::Rebuild { on: reference });
    assert_eq!(of_orders[0].findings.len(), 13);
    assert_eq!(of_orders[0].work(), WorkCount { number: 1, noun: "image" }, "they run one image");
}

#[test]
fn every_finding_with_an_action_is_in_one_item_and_the_worst_come_first() {
    for report in [sample::report(), company_report::report(sample::now(), 3_000), with_bases(3_000, 40)] {
        let list = ToDoList::new(&report.findings);
        let grouped: usize = list.items.iter().map(|item| item.findings.len()).sum();
        let open = report.findings.iter().filter(|finding| {
            finding.exemption.is_none() && (finding.action != Action::None || finding.awaited_base().is_some())
        });
        assert_eq!(grouped + list.waiting.len(), open.count());
        assert!(list.waiting.iter().all(|finding| finding.severity <= Severity::Info));
        let ranks: Vec<_> = list.items.iter().map(|item| (item.severity(), item.work().number)).collect();
        assert!(ranks.windows(2).all(|pair| pair[0] >= pair[1]), "{ranks:?}");
        let steps: BTreeSet<_> = list.items.iter().map(|item| format!("{:?}", item.step)).collect();
        assert_eq!(steps.len(), list.items.len());
        for item in &list.items {
            let detailed: usize = item.details().iter().map(|detail| detail.findings.len()).sum();
            assert!(detailed == 0 || detailed == item.findings.len(), "{item:?}");
        }
    }
}

#[test]
fn ten_items_have_the_worst_of_every_action_and_the_others_are_counted() {
    let mut report = with_bases(3_000, 40);
    let mut restore = sample::report().findings.into_iter().find(|finding| finding.action == Action::Restore).unwrap();
    restore.severity = Severity::Low;
    report.findings.push(restore);
    let list = ToDoList::new(&report.findings);
    let (shown, unlisted) = list.first(10);
    assert_eq!(shown.len(), 10);
    for is_shown in [
        |step: &ToDoStep<'_>| matches!(step, ToDoStep::Upgrade { from: Some("python3.9"), to: Some("python3.13") }),
        |step: &ToDoStep<'_>| matches!(step, ToDoStep::Restore),
        |step: &ToDoStep<'_>| matches!(step, ToDoStep::Redeploy),
        |step: &ToDoStep<'_>| matches!(step, ToDoStep::Investigate),
    ] {
        assert_eq!(shown.iter().filter(|item| is_shown(&item.step)).count(), 1, "{shown:#?}");
    }
    let ranks: Vec<_> = shown.iter().map(|item| (item.severity(), item.work().number)).collect();
    assert!(ranks.windows(2).all(|pair| pair[0] >= pair[1]), "{ranks:?}");
    // Every image of this report is deployed once.
    let rebuilt = |items: &mut dyn Iterator<Item = u64>| items.sum::<u64>();
    let is_rebuild = |step: &ToDoStep<'_>| matches!(step, ToDoStep::Rebuild { .. });
    let all = rebuilt(&mut list.items.iter().filter(|item| is_rebuild(&item.step)).map(|item| item.work().number));
    let of_shown = rebuilt(&mut shown.iter().filter(|item| is_rebuild(&item.step)).map(|item| item.work().number));
    let items = list.items.len() as u64 - 10;
    let work = WorkCount { number: all - of_shown, noun: "image" };
    assert_eq!(unlisted, [UnlistedItems { items, noun: "base", work }]);
    assert!(items > 20 && work.number > 100, "{unlisted:?}");
}

#[test]
fn exempted_findings_need_no_action_and_those_of_low_urgency_can_wait() {
    let mut findings = ["a:1", "b:1", "c:1"].map(stale).to_vec();
    findings[1].exemption = sample::report().findings.into_iter().find_map(|finding| finding.exemption);
    findings[2].severity = Severity::Info;
    assert!(findings[1].exemption.is_some());
    let list = ToDoList::new(&findings);
    assert_eq!(list.items.len(), 1);
    assert_eq!(list.items[0].findings, [&findings[0]]);
    assert_eq!(list.waiting, [&findings[2]]);
    assert!(ToDoList::new(&[]).first(10).0.is_empty());
}

#[test]
fn the_aliases_of_a_function_are_one_function_to_upgrade() {
    let mut report = company_report::report(sample::now(), 300);
    report.findings.retain(|finding| finding.action == Action::Upgrade);
    let functions = report.findings.len() as u64;
    let mut aliases = report.findings.clone();
    for alias in &mut aliases {
        alias.deployment.qualifier = Some("canary".to_owned());
    }
    report.findings.extend(aliases);
    let list = ToDoList::new(&report.findings);
    assert_eq!(list.items[0].work(), WorkCount { number: functions, noun: "function" });
    report.findings[0].deployment.kind = basewatch::inventory::DeploymentKind::Ecs;
    let list = ToDoList::new(&report.findings);
    assert_eq!(list.items[0].work(), WorkCount { number: 2 * functions, noun: "deployment" });
}

#[test]
fn images_that_wait_for_a_company_base_are_one_rebuild_of_that_base() {
    let findings = sample::report().findings;
    let list = ToDoList::new(&findings);
    let base = list.items.iter().find(|item| matches!(item.step, ToDoStep::RebuildBase { .. })).unwrap();
    let repository = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme/base".to_owned();
    assert_eq!(base.step, ToDoStep::RebuildBase { base: repository, on: Some("public.ecr.aws/lambda/java:21") });
}
