//! States of functions: Managed Instances, and functions that cannot be invoked.

use aws_sdk_lambda::types::StateReasonCode;
use basewatch::{
    judge::{Action, Severity, Verdict},
    report::{Finding, RenderOptions, markdown, sarif, table},
};
use testbed::{
    aws::{CloudFunction, FunctionState},
    company::{Company, EU, NEWEST, OLD, SHOP, codes, errors, finding, seen, version},
};

#[tokio::test]
async fn on_managed_instances_the_published_version_is_judged_and_the_draft_is_not() {
    let company = Company::new();
    let [old, new] = [("cart:1", OLD), ("cart:2", NEWEST)].map(|(name, base)| {
        let digest = company.push(SHOP, EU, name, base);
        version(SHOP, EU, name, &digest)
    });
    let cart = CloudFunction::new("cart", new.clone()).publishing(old.clone()).publishing(new).managed(old);
    company.cloud.function(SHOP, EU, cart.weighted_alias("live", 1, 2, 0.1));
    company.run(SHOP, EU, "search", NEWEST);
    let report = company.audit().await;
    let qualifiers = ["cart:$LATEST.PUBLISHED", "cart:live", "cart:live", "search:$LATEST"];
    assert_eq!(seen(&report), qualifiers.map(|qualifier| format!("111111111111 eu-west-1 {qualifier}")));
    let verdict = |id: &str| report.findings.iter().find(|finding| finding.id.ends_with(id)).unwrap().verdict;
    assert_eq!([":$LATEST.PUBLISHED", ":live"].map(verdict), [Verdict::Stale; 2]);
    assert_eq!([":live/2", "search:$LATEST"].map(verdict), [Verdict::Fresh; 2]);
    assert_eq!(errors(&report), []);
}

#[tokio::test]
async fn a_function_on_managed_instances_without_a_published_version_receives_no_calls() {
    let company = Company::new();
    let digest = company.push(SHOP, EU, "cart:1", OLD);
    let mut cart = CloudFunction::new("cart", version(SHOP, EU, "cart:1", &digest));
    cart.is_managed = true;
    company.cloud.function(SHOP, EU, cart);
    let report = company.audit().await;
    assert_eq!((seen(&report), errors(&report)), (vec![], vec![]));
}

#[tokio::test]
async fn a_function_that_cannot_be_invoked_is_to_be_repaired_until_it_can() {
    let company = Company::new();
    for name in ["cart", "search", "idle"] {
        company.run(SHOP, EU, name, NEWEST);
    }
    let change = |name: &str, state: FunctionState| {
        assert!(company.cloud.change_function(SHOP, EU, name, |function| function.latest.state = state));
    };
    change("cart", FunctionState::new("Inactive", "ImageAccessDenied", "Lambda may not read the image."));
    change("search", FunctionState::new("Failed", "KMSKeyNotFound", "The key does not exist."));
    change("idle", FunctionState::new("Inactive", "Idle", "The function is idle."));
    let report = company.audit().await;
    for name in ["cart", "search"] {
        let broken = finding(&report, name);
        assert_eq!(
            (broken.verdict, broken.severity, broken.action),
            (Verdict::Fresh, Severity::Medium, Action::Repair)
        );
        assert_eq!(codes(broken), ["function-failed"]);
        assert!(broken.reasons[0].message.contains("to repair it, "), "{}", broken.reasons[0].message);
    }
    assert_eq!(
        (finding(&report, "idle").action, codes(finding(&report, "idle"))),
        (Action::None, vec!["function-inactive"])
    );
    let table = table::render(&report, &RenderOptions { width: Some(160), ..RenderOptions::default() });
    let markdown = markdown::render(&report);
    for (format, text) in [("table", table), ("markdown", markdown)] {
        assert!(text.contains("cart") && text.contains("epair") && !text.contains("idle"), "{format}: {text}");
    }
    let sarif = sarif::render(&report);
    assert!(sarif.contains("cart is fresh") && !sarif.contains("idle is fresh"), "{sarif}");

    change("cart", FunctionState::active());
    change("search", FunctionState::active());
    let repaired = company.audit().await;
    for name in ["cart", "search"] {
        assert_eq!(finding(&repaired, name).action, Action::None, "the grant shows without a new revision");
    }
}

#[tokio::test]
async fn a_failed_update_is_shown_with_the_reason_of_lambda() {
    let company = Company::new();
    company.run(SHOP, EU, "cart", NEWEST);
    assert!(company.cloud.change_function(SHOP, EU, "cart", |function| {
        function.latest = function.latest.clone().failing_to_update("InvalidImage", "The image has no entrypoint.");
    }));
    let report = company.audit().await;
    let found = finding(&report, "cart");
    assert_eq!(
        (found.severity, found.action, codes(found)),
        (Severity::Low, Action::Investigate, vec!["update-failed"])
    );
    let deployment = &found.deployment;
    let shown = [&deployment.last_update_status, &deployment.last_update_status_reason_code];
    assert_eq!(shown.map(Option::as_deref), [Some("Failed"), Some("InvalidImage")]);
    assert_eq!(deployment.last_update_status_reason.as_deref(), Some("The image has no entrypoint."));
}

#[tokio::test]
async fn a_run_fails_for_a_deleted_image_but_not_for_findings_without_a_remedy() {
    let company = Company::new();
    let cart = company.run(SHOP, EU, "cart", OLD);
    company.run(SHOP, EU, "search", OLD);
    assert!(company.cloud.remove_image(SHOP, EU, "cart", &cart));
    let report = company.audit().await;
    let unknown = finding(&report, "cart");
    assert_eq!((unknown.verdict, unknown.action), (Verdict::Unknown, Action::Restore));
    assert!(unknown.fails(Verdict::Unknown) && unknown.fails(Verdict::OutOfDate) && !unknown.fails(Verdict::Stale));
    let quiet = Finding { action: Action::None, ..finding(&report, "search").clone() };
    assert_eq!(quiet.verdict, Verdict::Stale);
    assert!(quiet.fails(Verdict::Unknown) && !quiet.fails(Verdict::OutOfDate) && !quiet.fails(Verdict::Stale));
    let fresh = Finding { verdict: Verdict::Fresh, ..quiet };
    assert!(fresh.fails(Verdict::Fresh) && !fresh.fails(Verdict::Superseded));
}

#[tokio::test]
async fn every_reason_code_of_the_api_has_its_own_advice() {
    let company = Company::new();
    let digest = company.push(SHOP, EU, "cart:1", NEWEST);
    let codes = StateReasonCode::values();
    for code in codes {
        let state = FunctionState::new("Inactive", code, "Lambda says more");
        let function = CloudFunction::new(&code.replace('.', "-"), version(SHOP, EU, "cart:1", &digest).being(state));
        company.cloud.function(SHOP, EU, function);
    }
    let report = company.audit().await;
    assert!(codes.len() >= 40 && report.findings.len() == codes.len());
    for found in &report.findings {
        let (code, message) = (found.deployment.state_reason_code.as_deref(), &found.reasons[0].message);
        let is_general = message.contains("follow the reason that Lambda gives");
        let expected = if code == Some("Idle") { Action::None } else { Action::Repair };
        assert_eq!((found.action, is_general), (expected, false), "{message}");
    }
}
