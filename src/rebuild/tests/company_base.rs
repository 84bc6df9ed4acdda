//! Images on a base that is itself outdated: one rebuild, of that base.

use super::*;
use crate::report::{BaseLink, ReasonFields};

/// The function `name` on release `company` of a company base that is built on release `inner` of lambda/java:21, of
/// which 9 is the current one. The current release of the company base is `newest`.
fn function_on_company_base(name: &str, company: u32, newest: u32, inner: u32, adopted: Option<bool>) -> Finding {
    let on_java = function(name, name, inner, 9);
    let line = format!("{REGISTRY}/acme/base:1");
    let built = |number: u32| Digest::sha256(format!("company {number}").as_bytes());
    let is_awaited = on_java.behind.is_some() && adopted == Some(false);
    let below = BaseLink {
        base: on_java.base.clone().unwrap(),
        current: on_java.current.clone(),
        behind: on_java.behind.clone(),
        verdict: on_java.verdict,
        adopted,
    };
    let base = BaseInUse {
        reference: format!("{REGISTRY}/acme/base@{}", built(company)).into(),
        digest: Some(built(company)),
        line: Some(line.clone()),
        release: None,
        chain: vec![below],
        ..base(1)
    };
    let current = CurrentRelease {
        reference: line.into(),
        digest: built(newest),
        release: None,
        ..on_java.current.clone().unwrap()
    };
    let is_behind = on_java.behind.is_some() || company < newest;
    Finding {
        image: ImageFields { reference: format!("{REGISTRY}/{name}:{company}").into(), ..on_java.image.clone() },
        base: Some(base),
        current: Some(current),
        behind: on_java.behind.clone().filter(|_| company < newest),
        action: if is_behind && !is_awaited { Action::Rebuild } else { Action::None },
        reasons: is_awaited
            .then(|| ReasonFields { code: "waits-for-base".to_owned(), message: String::new() })
            .into_iter()
            .collect(),
        ..on_java
    }
}

fn repositories(runs: &Runs, planned: &RebuildPlan) -> Vec<String> {
    planned.due.iter().map(|key| runs.known[key].request.repository.clone()).collect()
}

#[test]
fn the_base_is_rebuilt_first_and_then_the_images_built_on_it() {
    let mut runs = Runs::new();
    let fleet = |company, newest, inner, adopted| {
        let names = ["orders", "invoices", "refunds"];
        report(names.map(|name| function_on_company_base(name, company, newest, inner, adopted)).to_vec())
    };
    let planned = runs.run(0, &fleet(1, 1, 3, Some(false)));
    assert_eq!(repositories(&runs, &planned), ["acme/base"]);
    let request = &runs.known[&planned.due[0]].request;
    assert_eq!((request.registry.as_str(), request.line.as_str()), (REGISTRY, "public.ecr.aws/lambda/java:21"));
    assert_eq!(request.base, format!("public.ecr.aws/lambda/java@{}", digest(9)));
    assert_eq!(Vec::from_iter(&request.from), [&release(3)]);
    assert_eq!(runs.run(1, &fleet(1, 1, 3, Some(false))), RebuildPlan::default(), "it is open");

    // The base was rebuilt, and nothing on it: now each image is.
    let planned = runs.run(5, &fleet(1, 2, 3, Some(true)));
    let [followed] = &planned.followed[..] else { panic!("{planned:?}") };
    assert_eq!(followed.outcome, RebuildConclusion::Rebuilt);
    assert_eq!(followed.image.as_deref(), Some("acme/base is built on 21.2026.11.09.13"));
    assert_eq!(repositories(&runs, &planned), ["invoices", "orders", "refunds"]);

    let planned = runs.run(9, &fleet(2, 2, 9, Some(true)));
    assert!(
        planned.due.is_empty() && planned.followed.iter().all(|it| it.outcome == RebuildConclusion::Rebuilt),
        "{planned:?}"
    );
}

#[test]
fn an_unknown_base_requests_nothing_and_ends_nothing() {
    let mut runs = Runs::new();
    let unknown = || report(vec![function_on_company_base("orders", 1, 1, 9, None)]);
    assert_eq!(runs.run(0, &unknown()), RebuildPlan::default());
    runs.run(1, &report(vec![function_on_company_base("orders", 1, 1, 3, Some(false))]));
    assert_eq!(runs.run(2, &unknown()), RebuildPlan::default(), "the rebuild is open still");
}

#[test]
fn a_base_in_the_inventory_is_rebuilt_once() {
    let mut runs = Runs::new();
    let mut own = tag(function("acme/base", "acme/base:1", 3, 9));
    own.id = "ecr:acme/base:1".to_owned();
    let planned = runs.run(0, &report(vec![function_on_company_base("orders", 1, 1, 3, Some(false)), own]));
    assert_eq!(repositories(&runs, &planned), ["acme/base"]);
    assert_eq!(runs.known[&planned.due[0]].request.deployments.len(), 1);
}
