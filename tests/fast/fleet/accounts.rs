//! Fleets over accounts: by list and by organization, with sessions that expire.

use std::{collections::BTreeSet, time::Duration};

use basewatch::{aws::AccountSelection, judge::Verdict, secret::Secret};
use testbed::{
    aws::AccountStatus,
    company::{AGING, BANK, Company, EU, NEWEST, OLD, OWN, SHOP, US, codes, errors, finding, seen},
};

const CLOSED: &str = "333333333333";
const SANDBOX: &str = "444444444444";

fn four_places() -> Company {
    let company = Company::new();
    for (account, region, function, base) in
        [(SHOP, EU, "cart", NEWEST), (SHOP, US, "search", AGING), (BANK, EU, "ledger", OLD), (BANK, US, "payout", OLD)]
    {
        company.run(account, region, function, base);
    }
    company
}

/// The accounts whose role was assumed.
fn assumed(company: &Company) -> u64 {
    company.cloud.calls().tally("sts:AssumeRole").calls
}

#[tokio::test]
async fn functions_of_all_accounts_and_regions_are_in_one_report() {
    let company = four_places();
    let report = company.audit().await;
    assert_eq!(
        seen(&report),
        [
            "111111111111 eu-west-1 cart:$LATEST",
            "111111111111 us-east-1 search:$LATEST",
            "222222222222 eu-west-1 ledger:$LATEST",
            "222222222222 us-east-1 payout:$LATEST",
        ]
    );
    let verdicts = ["cart", "search", "ledger"].map(|name| finding(&report, name).verdict);
    assert_eq!(verdicts, [Verdict::Fresh, Verdict::OutOfDate, Verdict::Stale]);
    assert_eq!((errors(&report), assumed(&company)), (vec![], 2));
    let own = company.cloud.calls().sum(|call| call.account == OWN && call.service != "sts");
    assert_eq!(own.calls, 0, "nothing of its own account is audited");
}

#[tokio::test]
async fn an_account_that_denies_the_role_is_one_error_and_the_others_are_read() {
    let mut company = four_places();
    company.cloud.require_external_id(SHOP, "the-right-one");
    company.settings.accounts.as_mut().unwrap().external_id = Some(Secret::new("the-right-one".into()));
    company.cloud.deny_roles_of(BANK);
    let report = company.audit().await;
    assert_eq!(errors(&report), [("account 222222222222", "access-denied")]);
    assert_eq!(seen(&report), ["111111111111 eu-west-1 cart:$LATEST", "111111111111 us-east-1 search:$LATEST"]);
}

#[tokio::test]
async fn an_organization_is_audited_without_excluded_and_suspended_accounts() {
    let mut company = four_places();
    for (account, name) in [(SHOP, "shop"), (BANK, "bank"), (SANDBOX, "sandbox")] {
        company.cloud.member(account, name, AccountStatus::Active);
    }
    company.cloud.member(CLOSED, "closed", AccountStatus::Suspended);
    company.run(OWN, EU, "landing-zone", NEWEST);
    company.accounts(AccountSelection::Organization { exclude: BTreeSet::from([SANDBOX.parse().unwrap()]) });
    let report = company.audit().await;
    assert_eq!(errors(&report), []);
    let accounts: BTreeSet<_> = report.findings.iter().filter_map(|it| it.deployment.account.as_deref()).collect();
    assert_eq!(accounts, BTreeSet::from([OWN, SHOP, BANK]));
    assert_eq!((report.findings.len(), assumed(&company)), (5, 3));
}

#[tokio::test]
async fn an_organization_without_permission_to_list_is_an_error() {
    let mut company = four_places();
    company.accounts(AccountSelection::Organization { exclude: BTreeSet::new() });
    let report = company.audit().await;
    assert_eq!((report.errors[0].scope.as_str(), report.findings.len()), ("organization", 0));
}

/// A function in each of eight accounts.
fn eight_accounts() -> Company {
    let mut company = Company::new();
    let accounts: Vec<_> = (1..=8).map(|number| format!("{number:012}")).collect();
    for account in &accounts {
        company.open(account);
        company.run(account, EU, "cart", NEWEST);
    }
    company.accounts(AccountSelection::Listed(accounts.iter().map(|id| id.parse().unwrap()).collect()));
    company
}

#[tokio::test]
async fn sessions_that_expire_during_a_run_are_renewed() {
    let company = eight_accounts();
    // The SDK renews them at an instant that it draws from the ten seconds before their end, so that each of these
    // is renewed for the next call with a chance of four in five.
    company.cloud.let_sessions_last(Duration::from_secs(2));
    let report = company.audit().await;
    assert_eq!((errors(&report), report.findings.len()), (vec![], 8));
    assert!(assumed(&company) > 16, "{}", assumed(&company));
}

#[tokio::test]
async fn a_session_about_to_expire_before_its_first_call_is_renewed() {
    let company = eight_accounts();
    company.cloud.let_sessions_last(Duration::from_secs(9));
    let report = company.audit().await;
    assert_eq!((errors(&report), report.findings.len()), (vec![], 8));
    assert!(assumed(&company) >= 16, "to see whether they can be, and to ask: {}", assumed(&company));
}

#[tokio::test]
async fn sessions_revoked_midway_lose_only_the_parts_not_read_yet() {
    let mut company = four_places();
    company.run(OWN, EU, "landing-zone", OLD);
    company.cloud.deny_roles_of(OWN);
    company.accounts(AccountSelection::Listed([OWN, SHOP, BANK].map(|id| id.parse().unwrap()).into()));
    let cloud = company.cloud.clone();
    company.before_reading("ledger", move || cloud.expire_sessions());
    let report = company.audit().await;
    let scopes = errors(&report);
    assert!(scopes.iter().all(|(_, code)| *code == "credentials"), "{scopes:?}");
    assert!(scopes.contains(&("lambda eu-west-1 of 222222222222", "credentials")), "{scopes:?}");
    assert_eq!(codes(finding(&report, "ledger")), ["registry-denied"], "it was listed but not readable");
    assert_eq!(finding(&report, "landing-zone").verdict, Verdict::Stale, "its own account is asked with its own key");

    let again = company.audit().await;
    assert_eq!((errors(&again), again.findings.len()), (vec![], 5));
}
