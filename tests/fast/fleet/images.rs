//! Images of functions: deleted, archived, replaced by better ones, shared.

use basewatch::{
    judge::{self as rules, Action, RedeployRule, Verdict},
    report::{RenderOptions, table},
};
use testbed::{
    aws::{CloudCacheRule, CloudFunction, CloudVersion, FaultScope, FunctionState},
    company::{
        AGING, BANK, Company, EU, NEWEST, OLD, OWN, PYTHON, SHOP, codes, errors, finding, host, publish, seen, version,
    },
};

#[tokio::test]
async fn a_deleted_image_is_to_be_restored_whether_or_not_it_is_in_the_catalog() {
    let company = Company::new();
    let cart = company.run(SHOP, EU, "cart", OLD);
    company.audit().await;
    let search = company.run(SHOP, EU, "search", OLD);
    for (repository, digest) in [("cart", &cart), ("search", &search)] {
        assert!(company.cloud.remove_image(SHOP, EU, repository, digest));
    }
    let report = company.audit().await;
    assert_eq!(errors(&report), []);
    let (known, unknown) = (finding(&report, "cart"), finding(&report, "search"));
    assert_eq!((known.action, known.verdict), (Action::Restore, Verdict::Stale));
    assert_eq!(codes(known)[0], "image-missing");
    assert_eq!((unknown.action, unknown.verdict), (Action::Restore, Verdict::Unknown));
    assert_eq!(codes(unknown), ["image-missing"]);
    assert_eq!(unknown.image.digest.as_ref(), Some(&search));
}

#[tokio::test]
async fn an_archived_image_is_to_be_restored() {
    let company = Company::new();
    let cart = company.run(SHOP, EU, "cart", NEWEST);
    company.run(SHOP, EU, "search", NEWEST);
    assert!(company.cloud.archive_image(SHOP, EU, "cart", &cart));
    let report = company.audit().await;
    let archived = finding(&report, "cart");
    assert_eq!((archived.action, codes(archived)), (Action::Restore, vec!["image-archived"]));
    assert_eq!(archived.image.holding.as_deref(), Some("archived"));
    assert_eq!((errors(&report), finding(&report, "search").action), (vec![], Action::None));
}

#[tokio::test]
async fn a_function_that_failed_because_of_its_deleted_image_is_reported() {
    let company = Company::new();
    let cart = company.run(SHOP, EU, "cart", OLD);
    assert!(company.cloud.remove_image(SHOP, EU, "cart", &cart));
    let failed = FunctionState::new("Failed", "ImageDeleted", "The image was deleted");
    company.cloud.change_function(SHOP, EU, "cart", |function| function.latest.state = failed);
    let report = company.audit().await;
    let found = finding(&report, "cart");
    assert_eq!((found.action, codes(found)), (Action::Restore, vec!["image-missing", "function-failed"]));
    assert_eq!(found.deployment.state_reason_code.as_deref(), Some("ImageDeleted"));
}

#[tokio::test]
async fn a_better_image_in_the_repository_is_to_be_deployed_and_named() {
    let company = Company::new();
    company.run(SHOP, EU, "cart", OLD);
    company.push(SHOP, EU, "cart:2", AGING);
    let better = company.push(SHOP, EU, "cart:3", NEWEST);
    company.push(BANK, EU, "cart:4", NEWEST);
    let report = company.audit().await;
    let found = finding(&report, "cart");
    assert_eq!((found.verdict, found.action, codes(found)[0]), (Verdict::Stale, Action::Redeploy, "not-deployed"));
    let replacement = found.replacement.as_ref().unwrap();
    assert_eq!(replacement.reference.as_str(), format!("{}/cart:3", host(SHOP, EU)));
    assert_eq!((&replacement.digest, replacement.verdict), (&better, Verdict::Fresh));
}

#[tokio::test]
async fn a_better_image_that_is_out_of_date_itself_still_needs_a_rebuild() {
    let company = Company::new();
    company.run(SHOP, EU, "cart", OLD);
    company.push(SHOP, EU, "cart:2", AGING);
    let report = company.audit().await;
    let found = finding(&report, "cart");
    assert_eq!((found.verdict, found.action), (Verdict::Stale, Action::Rebuild));
    assert!(codes(found).contains(&"not-deployed"));
    assert_eq!(found.replacement.as_ref().unwrap().verdict, Verdict::OutOfDate);
}

/// The action of `cart`, and the tag of the image offered for it.
async fn offered(company: &Company) -> (Action, Option<String>) {
    let report = company.audit().await;
    let found = finding(&report, "cart");
    let tag = |reference: &str| reference.rsplit(':').next().unwrap().to_owned();
    (found.action, found.replacement.as_ref().map(|image| tag(&image.reference)))
}

/// Deploys `cart`, built on an old base, as `name`: with a tag, or by its digest.
fn deploy(company: &Company, tag: &str, is_by_digest: bool) {
    let digest = company.push(SHOP, EU, &format!("cart:{tag}"), OLD);
    let version = if is_by_digest {
        CloudVersion::image(&format!("{}/cart@{digest}", host(SHOP, EU)), &digest)
    } else {
        version(SHOP, EU, &format!("cart:{tag}"), &digest)
    };
    company.cloud.function(SHOP, EU, CloudFunction::new("cart", version));
}

#[tokio::test]
async fn an_image_of_a_branch_a_pull_request_or_a_build_cache_is_no_replacement() {
    for deployed in ["3.3.9", "421"] {
        let company = Company::new();
        deploy(&company, deployed, false);
        for tag in ["3.4.0-feature_x-1234", "pr-77", "buildcache", "latest", "5f3a9c0", "3.4.0-rc1"] {
            company.push(SHOP, EU, &format!("cart:{tag}"), NEWEST);
        }
        assert_eq!(offered(&company).await, (Action::Rebuild, None), "{deployed}");
        let next = if deployed == "421" { "422" } else { "3.4.0" };
        company.push(SHOP, EU, &format!("cart:{next}"), NEWEST);
        assert_eq!(offered(&company).await, (Action::Redeploy, Some(next.to_owned())));
    }
}

#[tokio::test]
async fn images_of_another_tag_series_do_not_count_towards_the_limit_of_five() {
    let company = Company::new();
    deploy(&company, "1", false);
    company.push(SHOP, EU, "cart:2", NEWEST);
    for number in 0..9 {
        company.push(SHOP, EU, &format!("cart:pr-{number}"), NEWEST);
    }
    assert_eq!(offered(&company).await, (Action::Redeploy, Some("2".to_owned())));
}

#[tokio::test]
async fn a_function_deployed_by_digest_has_the_tags_of_its_repository() {
    let company = Company::new();
    deploy(&company, "421", true);
    company.push(SHOP, EU, "cart:pr-77", NEWEST);
    assert_eq!(offered(&company).await, (Action::Rebuild, None));
    company.push(SHOP, EU, "cart:422", NEWEST);
    assert_eq!(offered(&company).await, (Action::Redeploy, Some("422".to_owned())));
}

#[tokio::test]
async fn functions_that_run_one_image_by_different_tags_have_separate_replacements() {
    let company = Company::new();
    let digest = company.push(SHOP, EU, "cart:421", OLD);
    for (name, tag) in [("by-number", "421"), ("by-name", "latest")] {
        let version = version(SHOP, EU, &format!("cart:{tag}"), &digest);
        company.cloud.function(SHOP, EU, CloudFunction::new(name, version));
    }
    company.push(SHOP, EU, "cart:422", NEWEST);
    let report = company.audit().await;
    assert_eq!(finding(&report, "by-number").action, Action::Redeploy);
    assert_eq!(finding(&report, "by-name").action, Action::Rebuild);
}

#[tokio::test]
async fn hashes_and_moving_tags_have_no_replacement_without_a_rule() {
    for (deployed, newer) in [("5f3a9c0", "6a4b0d1"), ("latest", "main"), ("3", "4"), ("main", "main-2")] {
        let mut company = Company::new();
        deploy(&company, deployed, false);
        company.push(SHOP, EU, "cart:3.4.1", OLD);
        company.push(SHOP, EU, &format!("cart:{newer}"), NEWEST);
        assert_eq!(offered(&company).await, (Action::Rebuild, None), "{deployed}");

        let rule = |repository: &str, tags: &[&str]| RedeployRule {
            scope: rules::PolicyScope {
                repository: Some(repository.parse().unwrap()),
                ..rules::PolicyScope::default()
            },
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        };
        company.settings.policy.redeploy = vec![rule("other", &["*"]), rule("cart", &[newer]), rule("*", &[])];
        assert_eq!(offered(&company).await, (Action::Redeploy, Some(newer.to_owned())), "{deployed}");
        company.settings.policy.redeploy = vec![rule("c*", &[])];
        assert_eq!(offered(&company).await, (Action::Rebuild, None), "{deployed}: a rule without tags admits none");
    }
}

#[tokio::test]
async fn many_functions_on_one_image_are_many_findings_and_one_row() {
    let company = Company::new();
    let digest = company.push(SHOP, EU, "workers:7", OLD);
    for number in 0..40 {
        let command = format!("app.handler{number}");
        let version = version(SHOP, EU, "workers:7", &digest).running(&[&command]);
        company.cloud.function(SHOP, EU, CloudFunction::new(&format!("worker-{number:02}"), version));
    }
    let report = company.audit().await;
    assert_eq!((report.findings.len(), report.summary.images), (40, 1));
    assert_eq!(finding(&report, "worker-07").deployment.command, ["app.handler7"]);
    assert_eq!(company.cloud.calls().tally("ecr:BatchGetImage").calls, 1);
    assert_eq!(company.fetched("workers").len(), 1, "its configuration");
    let table = table::render(&report, &RenderOptions { width: Some(160), ..RenderOptions::default() });
    let rows = table.lines().filter(|line| line.contains("worker-")).count();
    assert!(rows <= 2, "{table}");
}

#[tokio::test]
async fn aliases_are_judged_by_the_versions_that_receive_traffic() {
    let company = Company::new();
    let [old, new] = [("cart:1", OLD), ("cart:2", NEWEST)].map(|(name, base)| {
        let digest = company.push(SHOP, EU, name, base);
        version(SHOP, EU, name, &digest)
    });
    let function = CloudFunction::new("cart", new.clone()).publishing(old).publishing(new);
    company.cloud.function(SHOP, EU, function.alias("stable", 1).weighted_alias("canary", 2, 1, 0.1));
    let report = company.audit().await;
    let qualifiers = ["$LATEST", "canary", "canary", "stable"];
    assert_eq!(seen(&report), qualifiers.map(|qualifier| format!("111111111111 eu-west-1 cart:{qualifier}")));
    let verdict = |id: &str| report.findings.iter().find(|finding| finding.id.ends_with(id)).unwrap().verdict;
    assert_eq!([":canary", ":$LATEST"].map(verdict), [Verdict::Fresh; 2]);
    assert_eq!([":canary/1", ":stable"].map(verdict), [Verdict::Stale; 2]);
}

#[tokio::test]
async fn an_image_of_another_accounts_repository_is_read_where_that_is_shared() {
    let company = Company::new();
    let digest = company.push(OWN, EU, "golden:1", OLD);
    company.cloud.function(SHOP, EU, CloudFunction::new("cart", version(OWN, EU, "golden:1", &digest)));
    company.run(SHOP, EU, "search", NEWEST);
    let closed = company.audit().await;
    assert_eq!(errors(&closed), [("ecr eu-west-1 golden of 100000000000", "access-denied")]);
    assert_eq!(codes(finding(&closed, "cart")), ["registry-denied"]);
    assert_eq!(finding(&closed, "search").verdict, Verdict::Fresh);

    company.cloud.share_repositories_of(OWN);
    let open = company.audit().await;
    assert_eq!((errors(&open), finding(&open, "cart").verdict), (vec![], Verdict::Stale));
}

#[tokio::test]
async fn a_central_repository_without_permission_is_one_error_and_its_images_are_audited() {
    let company = Company::new();
    let digest = company.push(OWN, EU, "golden:1", OLD);
    for number in 0..7 {
        let function = CloudFunction::new(&format!("cart-{number}"), version(OWN, EU, "golden:1", &digest));
        company.cloud.function(SHOP, EU, function);
    }
    company.cloud.share_repositories_of(OWN);
    company.cloud.deny(FaultScope::from_action("ecr:DescribeImages"));
    let report = company.audit().await;
    assert_eq!(errors(&report), [("ecr eu-west-1 golden of 100000000000", "access-denied")]);
    assert!(report.errors[0].message.contains("ecr:DescribeImages"), "{}", report.errors[0].message);
    assert_eq!(report.findings.len(), 7);
    for found in &report.findings {
        assert_eq!(
            (found.verdict, found.action, found.image.holding.as_deref()),
            (Verdict::Stale, Action::Rebuild, None)
        );
    }
}

#[tokio::test]
async fn a_base_from_a_pull_through_cache_has_its_upstream_name() {
    let company = Company::new();
    let cached = format!("{}/ecr-public/{PYTHON}@{}", host(SHOP, EU), company.release(OLD));
    let digest = company.push_labelled(SHOP, EU, "cart:1", OLD, &cached);
    company.cloud.function(SHOP, EU, CloudFunction::new("cart", version(SHOP, EU, "cart:1", &digest)));
    company.run(SHOP, EU, "search", NEWEST);
    company.cloud.pull_through(SHOP, EU, CloudCacheRule::ecr_public("ecr-public"));
    let report = company.audit().await;
    let found = finding(&report, "cart");
    let base = found.base.as_ref().unwrap();
    assert_eq!(base.line.as_deref(), Some("public.ecr.aws/lambda/python:3.12"));
    assert_eq!(base.mirror.as_deref(), Some(format!("{}/ecr-public/{PYTHON}", host(SHOP, EU)).as_str()));
    assert_eq!((errors(&report), found.verdict), (vec![], Verdict::Stale));
}

#[tokio::test]
async fn a_base_from_a_cache_with_unreadable_rules_is_resolved_in_the_cache() {
    let company = Company::new();
    let repository = format!("ecr-public/{PYTHON}");
    for at in [OLD, NEWEST] {
        let _ = publish(&company.stock, &repository, at.parse().unwrap());
    }
    let cached = format!("{}/{repository}:3.12@{}", host(SHOP, EU), company.release(OLD));
    let digest = company.push_labelled(SHOP, EU, "cart:1", OLD, &cached);
    company.cloud.function(SHOP, EU, CloudFunction::new("cart", version(SHOP, EU, "cart:1", &digest)));
    company.run(SHOP, EU, "search", NEWEST);
    company.cloud.pull_through(SHOP, EU, CloudCacheRule::ecr_public("ecr-public"));
    company.cloud.deny(FaultScope::from_action("ecr:DescribePullThroughCacheRules"));
    let report = company.audit().await;
    let found = finding(&report, "cart");
    let base = found.base.as_ref().unwrap();
    assert_eq!(
        (base.mirror.as_deref(), base.line.clone().unwrap()),
        (None, format!("{}/{repository}:3.12", host(SHOP, EU)))
    );
    assert_eq!((errors(&report), found.verdict), (vec![], Verdict::Stale));
    assert_eq!(finding(&report, "search").verdict, Verdict::Fresh);
}
