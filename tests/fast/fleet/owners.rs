//! Owners of functions: from their tags, the tags of their repositories, rules and the default.

use basewatch::{
    inventory::{OwnerRule, OwnerSettings},
    report::Report,
};

use testbed::company::{BANK, Company, EU, OLD, SHOP, US, errors, finding, seen};

fn owned() -> Company {
    let mut company = Company::new();
    for (account, region, function) in
        [(SHOP, EU, "cart"), (SHOP, EU, "search"), (BANK, EU, "payments-api"), (BANK, US, "ledger")]
    {
        company.run(account, region, function, OLD);
    }
    company
        .cloud
        .update_function(SHOP, EU, "cart", |function| drop(function.tags.insert("team".into(), "shop".into())));
    // The function's own tag comes before its repository's.
    company.cloud.tag_repository(SHOP, EU, "cart", "team", "someone-else");
    company.cloud.tag_repository(SHOP, EU, "search", "owner", "discovery");
    let rule = |pattern: &str, owner: &str| OwnerRule { pattern: pattern.parse().unwrap(), owner: owner.into() };
    company.settings.owners = OwnerSettings {
        tags: vec!["team".into(), "owner".into()],
        rules: vec![rule("payments-*", "payments"), rule("*", "platform")],
    };
    company
}

fn owners(report: &Report) -> [Option<&str>; 4] {
    ["cart", "search", "payments-api", "ledger"].map(|name| finding(report, name).deployment.owner.as_deref())
}

#[tokio::test]
async fn tags_of_functions_come_before_tags_of_repositories_before_rules() {
    let company = owned();
    let expected = ["shop", "discovery", "payments", "platform"].map(Some);
    let first = company.audit().await;
    assert_eq!((owners(&first), errors(&first)), (expected, vec![]));
    company.cloud.forget_calls();
    assert_eq!(owners(&company.audit().await), expected);
    let calls = company.cloud.calls();
    assert_eq!(
        (calls.tally("ecr:ListTagsForResource").calls, calls.tally("lambda:GetFunction").calls),
        (0, 0),
        "cached"
    );
}

#[tokio::test]
async fn only_deployments_admitted_by_the_filter_are_read_and_reported() {
    let mut company = owned();
    company.settings.filter.owners = vec!["pay*".parse().unwrap(), "shop".parse().unwrap()];
    let report = company.audit().await;
    assert_eq!(seen(&report), ["111111111111 eu-west-1 cart:$LATEST", "222222222222 eu-west-1 payments-api:$LATEST"]);
    assert!(company.fetched("ledger").is_empty() && !company.fetched("cart").is_empty());

    company.settings.filter.regions = vec![US.parse().unwrap()];
    company.settings.filter.owners.clear();
    company.cloud.forget_calls();
    let report = company.audit().await;
    assert_eq!(seen(&report), ["222222222222 us-east-1 ledger:$LATEST"]);
    assert_eq!(company.cloud.calls().sum(|call| call.region == EU).calls, 0);
}
