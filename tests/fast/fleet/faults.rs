//! Fleets with faults: denied, throttled and silent regions.

use basewatch::{
    inventory::DeploymentKind,
    judge::Verdict,
    report::{ErrorAbout, Report},
};
use testbed::{
    aws::FaultScope,
    company::{AGING, BANK, Company, EU, NEWEST, OLD, SHOP, US, codes, errors, finding, seen},
};

const SHOPS: [&str; 2] = ["111111111111 eu-west-1 cart:$LATEST", "111111111111 us-east-1 search:$LATEST"];
const LEDGER: &str = "222222222222 eu-west-1 ledger:$LATEST";
const PAYOUT: &str = "222222222222 us-east-1 payout:$LATEST";

fn four_places() -> Company {
    let company = Company::new();
    company.run(SHOP, EU, "cart", NEWEST);
    company.run(SHOP, US, "search", AGING);
    company.run(BANK, EU, "ledger", OLD);
    company.run(BANK, US, "payout", OLD);
    company
}

fn bank_in_us(action: &str) -> FaultScope {
    FaultScope::from_action(action).in_account(BANK).in_region(US)
}

/// Checks that only the bank's functions in one region are missing, for this reason.
fn assert_only_payout_is_missing(report: &Report, code: &str) {
    assert_eq!(errors(report), [("lambda us-east-1 of 222222222222", code)]);
    let error = &report.errors[0];
    assert_eq!((error.about, error.kind), (ErrorAbout::Inventory, Some(DeploymentKind::Lambda)));
    assert_eq!((error.account.as_deref(), error.region.as_deref()), (Some(BANK), Some(US)));
    assert_eq!(seen(report), [SHOPS[0], SHOPS[1], LEDGER]);
    assert_eq!(finding(report, "ledger").verdict, Verdict::Stale);
}

#[tokio::test]
async fn a_denied_region_is_one_error() {
    let company = four_places();
    company.cloud.deny(bank_in_us("*"));
    assert_only_payout_is_missing(&company.audit().await, "access-denied");
}

#[tokio::test]
async fn a_throttled_region_is_one_error_after_all_retries_and_leaves_its_neighbours_alone() {
    let company = four_places();
    company.cloud.throttle(bank_in_us("lambda:*"), None);
    assert_only_payout_is_missing(&company.audit().await, "throttled");
    assert_eq!(company.cloud.calls().sum(|call| call.region == US).throttled, 3);
}

#[tokio::test]
async fn a_region_that_refuses_connections_is_one_error() {
    let company = four_places();
    company.cloud.refuse_connections(bank_in_us("*"));
    assert_only_payout_is_missing(&company.audit().await, "unreachable");
}

#[tokio::test]
async fn temporary_throttling_is_retried_until_it_ends() {
    let company = four_places();
    company.cloud.throttle(bank_in_us("lambda:*"), Some(2));
    let report = company.audit().await;
    assert_eq!((errors(&report), report.findings.len()), (vec![], 4));
}

#[tokio::test]
async fn a_listed_but_unreadable_function_is_an_unknown_finding_and_one_error() {
    let company = four_places();
    company.run(BANK, US, "refund", OLD);
    company.cloud.deny(FaultScope::from_action("lambda:GetFunction").in_account(BANK));
    let report = company.audit().await;
    let denied = ["lambda eu-west-1 of 222222222222", "lambda us-east-1 of 222222222222"];
    assert_eq!(errors(&report), denied.map(|scope| (scope, "access-denied")));
    assert_eq!(seen(&report), [SHOPS[0], SHOPS[1], LEDGER, PAYOUT, "222222222222 us-east-1 refund:$LATEST"]);
    for name in ["ledger", "payout", "refund"] {
        assert_eq!(codes(finding(&report, name)), ["registry-denied"]);
    }
    assert_eq!(finding(&report, "cart").verdict, Verdict::Fresh);
}

#[tokio::test]
async fn cached_functions_are_used_while_they_are_unreadable() {
    let company = four_places();
    company.audit().await;
    company.cloud.deny(FaultScope::from_action("lambda:GetFunction").in_account(BANK));
    let report = company.audit().await;
    assert_eq!((errors(&report), finding(&report, "ledger").verdict), (vec![], Verdict::Stale), "nothing is asked");

    company.cloud.update_function(BANK, EU, "ledger", |function| function.latest.memory_mb = 1024);
    let report = company.audit().await;
    assert_eq!(errors(&report), [("lambda eu-west-1 of 222222222222", "access-denied")]);
    assert_eq!(finding(&report, "ledger").verdict, Verdict::Stale, "its code is the same");
}

#[tokio::test]
async fn unlistable_repositories_of_the_same_name_are_distinguished_by_account() {
    let company = Company::new();
    for account in [SHOP, BANK] {
        company.run(account, EU, "api", OLD);
    }
    company.cloud.deny(FaultScope::from_action("ecr:DescribeImages"));
    let report = company.audit().await;
    let denied = ["ecr eu-west-1 api of 111111111111", "ecr eu-west-1 api of 222222222222"];
    assert_eq!(errors(&report), denied.map(|scope| (scope, "access-denied")));
    assert!(report.findings.iter().all(|finding| finding.verdict == Verdict::Stale), "their images can be read");
}

#[tokio::test]
async fn an_unchanged_fleet_needs_list_calls_only() {
    let company = four_places();
    let first = company.audit().await;
    company.cloud.forget_calls();
    let second = company.audit().await;
    let operations: Vec<_> = company.cloud.calls().by_action().into_keys().collect();
    assert_eq!(operations, ["ecr:DescribeImages", "lambda:ListFunctions", "sts:AssumeRole"]);
    assert_eq!((errors(&second), &second.findings), (vec![], &first.findings));
}
