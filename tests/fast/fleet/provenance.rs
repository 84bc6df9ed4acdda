//! Referrers of images in private ECR.

use basewatch::{
    image::Digest,
    inventory::{EcrSettings, RegionSelection, Selector},
};
use serde_json::json;
use testbed::{
    aws::{CloudImage, FaultScope},
    company::{Company, EU, NEWEST, OLD, PYTHON, SHOP, errors, finding, instant, layers},
    registry::ImageSpec,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A company whose images in private ECR are audited, with one on an old release that records no base.
fn company() -> (Company, Digest) {
    let mut company = Company::new();
    company.settings.lambda.clear();
    company.settings.identify.search.request_count = 0;
    company.settings.ecr = vec![EcrSettings {
        regions: RegionSelection::Listed(vec![EU.parse().unwrap()]),
        selector: Selector::default(),
        tags: vec!["*".parse().unwrap()],
        newest: None,
        untagged: false,
    }];
    let layers = layers(instant(OLD), "amd64").into_iter().chain([b"app".to_vec()]).collect();
    let image = company.stock.push_image("orders", &ImageSpec { layers, ..ImageSpec::default() });
    let stored = CloudImage::from_stock(&company.stock, "orders", image.as_str()).unwrap();
    company.cloud.push(SHOP, EU, "orders", stored.tagged("1").pushed(instant(OLD)));
    (company, image)
}

/// Attaches the statement of the build of `image`, which pulled the old release, to it.
fn attest(company: &Company, image: &Digest) -> Digest {
    let uri = format!("pkg:docker/public.ecr.aws/{PYTHON}@3.12?platform=linux%2Famd64");
    let material = json!({ "uri": uri, "digest": { "sha256": company.release(OLD).hex() } });
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{ "name": "orders", "digest": { "sha256": image.hex() } }],
        "predicate": { "buildDefinition": { "resolvedDependencies": [material] } },
    });
    let statement = statement.to_string().into_bytes();
    let size = statement.len();
    let statement = company.stock.push_blob("orders", statement);
    let config = company.stock.push_blob("orders", b"{}".to_vec());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.in-toto+json",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
        "layers": [{ "mediaType": "application/vnd.in-toto+json", "digest": statement, "size": size,
            "annotations": { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1" } }],
        "subject": { "mediaType": MANIFEST, "digest": image, "size": 1 },
    });
    let attestation = company.stock.push_raw("orders", MANIFEST, manifest.to_string().into_bytes());
    let stored = CloudImage::from_stock(&company.stock, "orders", attestation.as_str()).unwrap();
    company.cloud.push(SHOP, EU, "orders", stored.pushed(instant(OLD)));
    attestation
}

fn lists(company: &Company) -> u64 {
    company.cloud.calls().tally("ecr:ListImageReferrers").calls
}

#[tokio::test]
async fn referrers_are_listed_once_in_several_days() {
    let (company, image) = company();
    attest(&company, &image);
    for _ in 0..2 {
        let report = company.audit().await;
        assert_eq!(errors(&report), []);
        let base = finding(&report, "orders:1").base.clone().unwrap();
        assert_eq!(base.identified_by.as_str(), "provenance");
        assert_eq!((base.confidence.as_deref(), base.digest.as_ref()), (Some("confirmed"), Some(company.release(OLD))));
        assert_eq!(lists(&company), 1);
    }
    assert!(company.fetched("orders").iter().all(|request| !request.path.contains("/referrers/")));
}

#[tokio::test]
async fn referrers_of_an_image_that_records_its_base_are_not_listed() {
    let (company, _) = company();
    // On another release, because a labelled release would be known for the other image as well.
    company.push(SHOP, EU, "payments:1", NEWEST);
    company.audit().await;
    assert_eq!(lists(&company), 1, "for the other image only");
}

#[tokio::test]
async fn an_archived_attestation_is_not_read() {
    let (company, image) = company();
    let attestation = attest(&company, &image);
    assert!(company.cloud.archive_image(SHOP, EU, "orders", &attestation));
    let report = company.audit().await;
    assert_eq!((errors(&report), finding(&report, "orders:1").base.is_none()), (vec![], true));
}

#[tokio::test]
async fn unlistable_referrers_are_listed_again_in_the_next_run() {
    let (company, image) = company();
    attest(&company, &image);
    company.cloud.deny(FaultScope::from_action("ecr:ListImageReferrers"));
    for run in 1..=2 {
        let report = company.audit().await;
        assert_eq!((errors(&report), finding(&report, "orders:1").base.is_none()), (vec![], true), "it hides nothing");
        assert_eq!(lists(&company), run);
    }
}
