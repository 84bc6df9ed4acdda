//! Company bases in private ECR: their releases and dates come from ECR's API.

use std::collections::BTreeMap;

use basewatch::{
    identify::{BaseRule, BaseRules},
    image::{Annotations, Digest},
    judge::{Action, Verdict},
    report::{Finding, Report},
};
use chrono::{DateTime, Utc};
use testbed::{
    aws::{CloudFunction, CloudImage, FaultScope},
    company::{AGING, BANK, Company, EU, NEWEST, OLD, SHOP, errors, finding, host, instant, layers, version},
    registry::{ImageSpec, LoggedRequest},
};

const BASE: &str = "base/python";
/// When the releases of the company base were pushed.
const PUSHED: [&str; 3] = ["2026-08-02T10:00:00Z", "2026-10-13T10:00:00Z", "2026-11-19T10:00:00Z"];

/// A company with a base repository that the pattern `repository` configures.
fn company(repository: &str) -> Company {
    let mut company = Company::new();
    let rule = BaseRule {
        is_company: Some(true),
        default_tag: Some("3.12".to_owned()),
        ..BaseRule::new(repository.parse().unwrap())
    };
    company.settings.identify.bases = BaseRules::new(vec![rule]);
    company.settings.resolve.bases = company.settings.identify.bases.clone();
    company
}

fn base() -> String {
    format!("{}/{BASE}", host(SHOP, EU))
}

/// A layer that only the release of the company base that was pushed then has.
fn own_layer(pushed_at: &str) -> Vec<u8> {
    format!("company {pushed_at}").into_bytes()
}

/// Pushes a release of the company base, built on the release `below` of AWS's, with a build date or none.
fn release(company: &Company, below: &str, pushed_at: &str, created: Option<&str>, tags: &[&str]) -> Digest {
    let mut layers = layers(instant(below), "amd64");
    layers.push(own_layer(pushed_at));
    let spec = ImageSpec { created: created.map(str::to_owned), layers, ..ImageSpec::default() };
    let digest = company.stock.push_image(BASE, &spec);
    let mut stored = CloudImage::from_stock(&company.stock, BASE, digest.as_str()).unwrap().pushed(instant(pushed_at));
    for tag in tags {
        company.stock.tag(BASE, tag, &digest);
        stored = stored.tagged(tag);
    }
    company.cloud.push(SHOP, EU, BASE, stored);
    digest
}

/// Three releases; the line's tag has moved on to the newest.
fn releases(company: &Company) -> [Digest; 3] {
    let [first, second, third] = PUSHED;
    [
        release(company, OLD, first, Some(first), &["3.12-421", "3.12"]),
        release(company, AGING, second, Some(second), &["3.12-422", "3.12"]),
        release(company, NEWEST, third, Some(third), &["3.12-423", "3.12"]),
    ]
}

/// Runs `function`, whose image is built on the release of the company base that was pushed then, and records `label`.
fn run(company: &Company, function: &str, below: &str, pushed_at: &str, label: Option<&str>) {
    let mut layers = layers(instant(below), "amd64");
    layers.push(own_layer(pushed_at));
    layers.push(function.as_bytes().to_vec());
    let labels: Annotations = label.map(|label| ("sdkBaseVersion".to_owned(), label.to_owned())).into_iter().collect();
    let created = Some("2026-11-19T12:00:00Z".to_owned());
    let digest = company.stock.push_image(function, &ImageSpec { created, labels, layers, ..ImageSpec::default() });
    company.stock.tag(function, "1", &digest);
    let stored = CloudImage::from_stock(&company.stock, function, digest.as_str()).unwrap();
    company.cloud.push(SHOP, EU, function, stored.tagged("1").pushed(instant("2026-11-19T12:00:00Z")));
    let version = version(SHOP, EU, &format!("{function}:1"), &digest);
    company.cloud.function(SHOP, EU, CloudFunction::new(function, version));
}

fn notes(report: &Report) -> Vec<&str> {
    report.notes.iter().map(|note| note.code.as_str()).collect()
}

/// Since when the company base is behind, and by how many releases.
fn behind(finding: &Finding) -> (Option<DateTime<Utc>>, Option<u64>) {
    let behind = finding.behind.as_ref().unwrap();
    (behind.since, behind.releases)
}

/// The manifests requested from the registry of the company base, with the method.
fn manifests(company: &Company) -> Vec<String> {
    let requests: Vec<LoggedRequest> = company.fetched(BASE);
    let request = requests.iter().filter(|request| request.path.contains("/manifests/"));
    request.map(|request| format!("{} {}", request.method, request.path)).collect()
}

#[tokio::test]
async fn an_unlabelled_image_is_built_on_the_release_that_private_ecr_lists() {
    for pattern in [base(), format!("{}/base/*", host(SHOP, EU))] {
        let company = company(&pattern);
        let [first, ..] = releases(&company);
        run(&company, "orders", OLD, PUSHED[0], None);
        let report = company.audit().await;
        let found = finding(&report, "orders");
        assert_eq!((errors(&report), notes(&report)), (vec![], vec![]), "{pattern}");
        let of = found.base.as_ref().unwrap();
        assert_eq!(of.reference.as_str(), format!("{}@{first}", base()), "{pattern}");
        assert_eq!((of.identified_by.as_str(), of.confidence.as_deref().unwrap()), ("layers", "confirmed"));
        assert_eq!(of.published_at, Some(instant(PUSHED[0])));
        assert_eq!(behind(found), (Some(instant(PUSHED[1])), Some(2)), "the second release came first");
        assert!(!found.behind.as_ref().unwrap().exact);
        assert_eq!(found.verdict, Verdict::Stale);
        let calls = company.cloud.calls().tally("ecr:BatchGetImage").calls;
        assert!(manifests(&company).iter().all(|request| request.ends_with("/3.12")), "{:?}", manifests(&company));

        let again = company.audit().await;
        assert_eq!(again.findings, report.findings);
        let second = company.cloud.calls().tally("ecr:BatchGetImage").calls;
        assert_eq!(second, calls, "each manifest is read once ever");
    }
}

#[tokio::test]
async fn a_label_with_the_moving_tag_is_confirmed_by_a_release_that_has_lost_it() {
    let company = company(&base());
    let [first, second, third] = PUSHED;
    let old = release(&company, OLD, first, Some(first), &["3.12"]);
    release(&company, AGING, second, Some(second), &["3.12"]);
    release(&company, NEWEST, third, Some(third), &["3.12"]);
    run(&company, "orders", OLD, first, Some(&format!("{}:3.12", base())));
    let report = company.audit().await;
    let found = finding(&report, "orders");
    let of = found.base.as_ref().unwrap();
    assert_eq!((of.identified_by.as_str(), of.confidence.as_deref().unwrap()), ("label", "confirmed"));
    assert_eq!(of.digest.as_ref(), Some(&old));
    assert_eq!(of.line, Some(format!("{}:3.12", base())));
    assert_eq!(behind(found), (Some(instant(third)), Some(1)), "an untagged build may be of another line");
}

#[tokio::test]
async fn a_base_without_a_build_date_is_bounded_by_its_push_date() {
    let company = company(&base());
    let [first, _, third] = PUSHED;
    for created in [None, Some("1970-01-01T00:00:01Z")] {
        release(&company, OLD, first, created, &["3.12"]);
        release(&company, NEWEST, third, created, &["3.12"]);
        run(&company, "orders", OLD, first, None);
        let report = company.audit().await;
        let of = finding(&report, "orders").base.clone().unwrap();
        assert_eq!(of.published_at, Some(instant(first)), "{created:?}");
        assert_eq!(of.published_source.unwrap().as_str(), "first-seen");
        assert_eq!(behind(finding(&report, "orders")), (Some(instant(third)), Some(1)));
    }
}

#[tokio::test]
async fn a_release_pushed_again_never_makes_an_older_line_fresh() {
    let company = company(&base());
    // The line's release was pushed before the base in use, which was copied there later.
    release(&company, NEWEST, PUSHED[0], None, &["3.12"]);
    release(&company, OLD, PUSHED[2], None, &[]);
    run(&company, "orders", OLD, PUSHED[2], None);
    let report = company.audit().await;
    let found = finding(&report, "orders");
    assert_ne!(found.verdict, Verdict::Fresh, "{:?}", found.reasons);
    let own = report.findings.iter().flat_map(|finding| &finding.reasons).filter(|reason| reason.code == "base-ahead");
    assert_eq!(own.count(), 0);
}

#[tokio::test]
async fn an_unlistable_repository_is_read_by_its_tags_and_noted_once() {
    for action in ["ecr:DescribeImages", "ecr:BatchGetImage"] {
        let mut company = company(&format!("{}/{BASE}", host(BANK, EU)));
        company.settings.lambda[0].selector.include = vec!["orders".parse().unwrap()];
        let digest = company.push(BANK, EU, "base/python:3.12", OLD);
        company.cloud.deny(FaultScope::from_action(action).in_account(BANK));
        let label = format!("{}/{BASE}@{digest}", host(BANK, EU));
        let on_base = layers(instant(OLD), "amd64").into_iter().chain([b"base/python:3.12".to_vec(), b"app".to_vec()]);
        let labels: Annotations = [("sdkBaseVersion".to_owned(), label)].into();
        let spec = ImageSpec { labels, layers: on_base.collect(), ..ImageSpec::default() };
        let image = company.stock.push_image("orders", &spec);
        let stored = CloudImage::from_stock(&company.stock, "orders", image.as_str()).unwrap();
        company.cloud.push(SHOP, EU, "orders", stored.tagged("1").pushed(instant(NEWEST)));
        company.cloud.function(SHOP, EU, CloudFunction::new("orders", version(SHOP, EU, "orders:1", &image)));
        let report = company.audit().await;
        assert_eq!(notes(&report), ["base-releases-unread"], "{action}");
        assert!(report.notes[0].message.contains(action), "{}", report.notes[0].message);
        assert_eq!(errors(&report), [], "no deployment is hidden by it");
        let found = finding(&report, "orders");
        assert_eq!(
            found.base.as_ref().unwrap().confidence.as_deref(),
            Some("confirmed"),
            "{action}: {:?}",
            found.reasons
        );
        assert_ne!(found.action, Action::Investigate);
    }
}

#[tokio::test]
async fn many_releases_are_read_in_hundreds() {
    let company = company(&base());
    let pushed: BTreeMap<_, _> = (0..230).map(|hour| (hour, instant(OLD) + chrono::TimeDelta::hours(hour))).collect();
    for at in pushed.values() {
        let at = at.to_rfc3339();
        release(&company, OLD, &at, None, &[]);
    }
    run(&company, "orders", OLD, &pushed[&7].to_rfc3339(), None);
    let report = company.audit().await;
    assert_eq!(finding(&report, "orders").base.as_ref().unwrap().identified_by.as_str(), "layers");
    let batches = company.cloud.calls().tally("ecr:BatchGetImage").calls;
    assert_eq!(batches, 1 + 3, "one for the image of the function");
    assert_eq!(manifests(&company).iter().filter(|request| request.contains("sha256")).count(), 0);
}
