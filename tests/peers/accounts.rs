//! Audits of several accounts from end to end, as the roles assumed in them.

use std::collections::BTreeSet;

use crate::{
    account::{Account, Function},
    environment::{AwsEnvironment, NOW, Release, built_on},
};
use testbed::program::{Program, codes, finding, findings};

const OTHER: &str = "210987654321";
const THIRD: &str = "345678901234";
const ROLE: &str = "basewatch-audit";
const EXTERNAL_ID: &str = "the-external-id";

/// Makes `name` run in `account`, on an image of its own, on `release`.
async fn run(account: &Account, name: &str, release: &Release) {
    account.prepare_functions().await;
    account.push(name, "1", &built_on(release, name).build()).await;
    account.function(&Function::new(name, account.image(&format!("{name}:1")))).await;
}

fn program(environment: &AwsEnvironment, others: &[&Account], which: &str) -> Program {
    let inventories = format!(
        r#"
        [[inventory.lambda]]
        regions = ["us-east-1"]

        [accounts]
        role = "arn:aws:iam::{{account}}:role/{ROLE}"
        external_id = {{ env = "AUDIT_EXTERNAL_ID" }}
        {which}
        "#
    );
    environment.audits(&inventories, others).env("AUDIT_EXTERNAL_ID", EXTERNAL_ID)
}

fn deployments(report: &serde_json::Value) -> BTreeSet<(&str, &str)> {
    findings(report)
        .iter()
        .map(|it| &it["deployment"])
        .map(|it| (it["account"].as_str().expect("an account"), it["name"].as_str().expect("a name")))
        .collect()
}

#[tokio::test]
async fn functions_of_two_accounts_are_read_with_their_roles() {
    let (environment, releases) = AwsEnvironment::published().await;
    let one = Account::join(&environment.moto, OTHER).await;
    let two = Account::join(&environment.moto, THIRD).await;
    for (account, name) in [(&one, "orders"), (&two, "stock")] {
        account.role(ROLE, Some(EXTERNAL_ID)).await;
        run(account, name, &releases[0]).await;
    }
    let program = program(&environment, &[&one, &two], &format!("ids = [\"{OTHER}\", \"{THIRD}\"]"));
    let (code, report) = program.audit(NOW, &[]);
    assert_eq!((code, &report["complete"]), (1, &true.into()), "{report:#}");
    assert_eq!(deployments(&report), BTreeSet::from([(OTHER, "orders"), (THIRD, "stock")]), "{report:#}");
    for finding in findings(&report) {
        assert_eq!(finding["verdict"], "stale", "the image is read as the role of its account: {finding:#}");
    }
    assert!(!report.to_string().contains(EXTERNAL_ID), "the external id is in the report");

    let (_, report) = program.audit(NOW, &["--account", THIRD]);
    assert_eq!(deployments(&report), BTreeSet::from([(THIRD, "stock")]));
}

#[tokio::test]
async fn an_account_that_denies_the_role_is_an_error_and_the_rest_is_audited() {
    let (environment, releases) = AwsEnvironment::published().await;
    let open = Account::join(&environment.moto, OTHER).await;
    open.role(ROLE, Some(EXTERNAL_ID)).await;
    run(&open, "orders", &releases[4]).await;
    let closed = Account::join(&environment.moto, THIRD).await;
    closed.role(ROLE, Some("another-external-id")).await;
    run(&closed, "stock", &releases[0]).await;
    let missing = "456789012345";
    let which = format!("ids = [\"{OTHER}\", \"{THIRD}\", \"{missing}\"]");
    let (code, report) = program(&environment, &[&open, &closed], &which).audit(NOW, &[]);
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(report["complete"], false);
    assert_eq!(deployments(&report), BTreeSet::from([(OTHER, "orders")]));
    assert_eq!(finding(&report, "orders")["verdict"], "fresh");
    let errors: BTreeSet<_> = report["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| (error["scope"].as_str().expect("a scope"), error["code"].as_str().expect("a code")))
        .collect();
    let [closed, missing] = [THIRD, missing].map(|id| format!("account {id}"));
    assert_eq!(errors, BTreeSet::from([(&*closed, "access-denied"), (&*missing, "access-denied")]), "{report:#}");
}

#[tokio::test]
async fn an_organization_is_audited_without_excluded_accounts() {
    let (environment, releases) = AwsEnvironment::published().await;
    let ids = crate::account::organization(&environment.moto, &["orders", "sandbox"]).await;
    let orders = Account::join(&environment.moto, &ids[0]).await;
    orders.role(ROLE, Some(EXTERNAL_ID)).await;
    run(&orders, "orders", &releases[0]).await;
    let sandbox = Account::join(&environment.moto, &ids[1]).await;
    sandbox.role(ROLE, Some(EXTERNAL_ID)).await;
    run(&sandbox, "toys", &releases[0]).await;
    // The role is in no stack set: the managing account is audited as itself.
    run(&environment.own, "books", &releases[0]).await;
    let which = format!("ids = [\"*\"]\nexclude = [\"{}\"]", sandbox.id);
    let (_, report) = program(&environment, &[&orders, &sandbox], &which).audit(NOW, &[]);
    assert_eq!(report["complete"], true, "{report:#}");
    assert_eq!(
        deployments(&report),
        BTreeSet::from([(&*orders.id, "orders"), (&*environment.own.id, "books")]),
        "{report:#}"
    );
}

#[tokio::test]
async fn a_second_audit_of_two_accounts_assumes_their_roles_and_lists() {
    let (environment, releases) = AwsEnvironment::published().await;
    let other = Account::join(&environment.moto, OTHER).await;
    other.role(ROLE, Some(EXTERNAL_ID)).await;
    run(&other, "orders", &releases[0]).await;
    let program = program(&environment, &[&other], &format!("ids = [\"{OTHER}\"]"));
    let (_, cold) = program.audit(NOW, &[]);
    let mark = environment.moto.mark();
    let (_, warm) = program.audit(NOW, &[]);
    assert_eq!(cold["findings"], warm["findings"]);
    assert_eq!(environment.moto.calls_since(mark), ["sts AssumeRole", "lambda ListFunctions", "ecr DescribeImages"]);
    assert_eq!(warm["requests"]["sts"], 1);
}

#[tokio::test]
async fn an_image_of_another_account_is_read_with_the_role_in_that_account() {
    let (environment, releases) = AwsEnvironment::published().await;
    let builds = Account::join(&environment.moto, OTHER).await;
    let runs = Account::join(&environment.moto, THIRD).await;
    for account in [&builds, &runs] {
        account.role(ROLE, Some(EXTERNAL_ID)).await;
    }
    let [old, new] = [&releases[0], &releases[4]].map(|release| built_on(release, "orders").build());
    builds.push("orders", "1", &old).await;
    runs.prepare_functions().await;
    runs.function(&Function::new("orders", builds.image("orders:1"))).await;
    builds.push("orders", "2", &new).await;
    let program = program(&environment, &[&builds, &runs], &format!("ids = [\"{OTHER}\", \"{THIRD}\"]"));
    let (_, report) = program.audit(NOW, &[]);
    assert_eq!(report["complete"], true, "{report:#}");
    let finding = finding(&report, "orders");
    assert_eq!(finding["deployment"]["account"], THIRD);
    assert_eq!((&finding["verdict"], &finding["action"]), (&"stale".into(), &"redeploy".into()), "{finding:#}");
    assert_eq!(finding["replacement"]["digest"], new.digest);
}

#[tokio::test]
async fn an_image_of_an_account_that_is_not_audited_is_denied() {
    let (environment, releases) = AwsEnvironment::published().await;
    let builds = Account::join(&environment.moto, OTHER).await;
    builds.push("orders", "1", &built_on(&releases[0], "orders").build()).await;
    environment.own.prepare_functions().await;
    environment.own.function(&Function::new("orders", builds.image("orders:1"))).await;
    let (_, report) = environment.audits("[[inventory.lambda]]\nregions = [\"us-east-1\"]\n", &[]).audit(NOW, &[]);
    let finding = finding(&report, "orders");
    assert_eq!((&finding["verdict"], &finding["action"]), (&"unknown".into(), &"investigate".into()), "{finding:#}");
    assert!(codes(finding).contains(&"registry-denied"), "{finding:#}");
    assert_eq!(report["complete"], false, "{report:#}");
}
