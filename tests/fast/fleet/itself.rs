//! Functions that run a base image of AWS directly, through a pull-through cache.

use basewatch::{
    image::{Digest, Platform},
    judge::{Action, Verdict},
    report::Finding,
};
use chrono::TimeDelta;
use testbed::{
    aws::{CloudCacheRule, CloudFunction, CloudImage},
    company::{Company, EU, NEWEST, OLD, PYTHON, SHOP, errors, finding, instant, layers, version},
    registry::ImageSpec,
};

const CACHED: &str = "ecr-public/lambda/python";

/// Runs `function` on an image of `layers` that the cache has as `tag`.
fn run(company: &Company, function: &str, tag: &str, built_at: &str, layers: Vec<Vec<u8>>) -> Digest {
    let created = Some((instant(built_at) + TimeDelta::minutes(13)).to_rfc3339());
    let platform = Platform::new("linux", "amd64", None);
    let digest = company.stock.push_image(CACHED, &ImageSpec { platform, created, layers, ..ImageSpec::default() });
    let stored = CloudImage::from_stock(&company.stock, CACHED, digest.as_str()).unwrap();
    company.cloud.push(SHOP, EU, CACHED, stored.tagged(tag).pushed(instant(built_at) + TimeDelta::days(1)));
    let named = format!("{CACHED}:{tag}");
    company.cloud.function(SHOP, EU, CloudFunction::new(function, version(SHOP, EU, &named, &digest)));
    digest
}

fn identified_by(finding: &Finding) -> &str {
    finding.base.as_ref().map_or("nothing", |base| &base.identified_by)
}

#[tokio::test]
async fn a_function_on_a_cached_release_is_on_its_own_base() {
    let company = Company::new();
    company.cloud.pull_through(SHOP, EU, CloudCacheRule::ecr_public("ecr-public"));
    let cart = run(&company, "cart", "3.12-old", OLD, layers(instant(OLD), "amd64"));
    let search = run(&company, "search", "3.12", NEWEST, layers(instant(NEWEST), "amd64"));
    // As AWS tags the images of its releases.
    company.stock.tag(PYTHON, "3.12.2026.08.01.04-x86_64", &cart);
    company.stock.tag(PYTHON, "3.12.2026.11.19.04-x86_64", &search);
    let report = company.audit().await;
    assert_eq!(errors(&report), []);
    for (name, verdict, action) in
        [("cart", Verdict::Stale, Action::Redeploy), ("search", Verdict::Fresh, Action::None)]
    {
        let found = finding(&report, name);
        assert_eq!((identified_by(found), found.verdict, found.action), ("itself", verdict, action), "{name}");
        let line = found.base.as_ref().unwrap().line.as_deref();
        assert_eq!(line, Some("public.ecr.aws/lambda/python:3.12"), "{name}");
    }
    let replacement = finding(&report, "cart").replacement.as_ref().unwrap();
    assert!(replacement.reference.starts_with(&format!("public.ecr.aws/{PYTHON}:3.12.2026.11.19.04@")));
}

#[tokio::test]
async fn an_image_that_was_pushed_to_the_cache_is_no_base() {
    let company = Company::new();
    company.cloud.pull_through(SHOP, EU, CloudCacheRule::ecr_public("ecr-public"));
    run(&company, "cart", "3.12", NEWEST, vec![b"os amd64".to_vec(), b"own".to_vec()]);
    let report = company.audit().await;
    let found = finding(&report, "cart");
    assert_eq!((identified_by(found), found.verdict), ("nothing", Verdict::Unknown));
}
