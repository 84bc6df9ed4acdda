//! ECR: the bytes a registry serves, pages, the archive, pull-through caches, other accounts' registries.

use std::collections::BTreeSet;

use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageFailureCode, ImageIdentifier, ImageStatusFilter, SubjectIdentifier, TagStatus,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use basewatch::image::{Annotations, Digest, Platform};
use testbed::{
    aws::{Cloud, CloudCacheRule, CloudImage},
    registry::{ImageSpec, Stock},
};

use crate::aws_loopback::rig::{OTHER, OWN, REGION, at, both_ways, digest, refusal};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// `orders` with an image `1`, and an index `2` over it.
fn stocked(cloud: &Cloud) -> (Stock, Digest, Digest) {
    let stock = Stock::new();
    let image = stock.push_image("orders", &ImageSpec { layers: vec![b"four".to_vec()], ..ImageSpec::default() });
    let platform = Platform::new("linux", "amd64", None);
    let index = stock.push_index("orders", &[(image.clone(), platform)], &Annotations::new(), false);
    stock.tag("orders", "1", &image);
    stock.tag("orders", "2", &index);
    let repository = (OWN, REGION, "orders");
    assert!(cloud.push_tags(repository, &stock, &["1"], at("2026-08-01T00:00:00Z")));
    assert!(cloud.push_tags(repository, &stock, &["2"], at("2026-08-02T00:00:00Z")));
    assert!(!cloud.push_tags(repository, &stock, &["3"], at("2026-08-03T00:00:00Z")), "there is no 3");
    (stock, image, index)
}

fn by_digest(digest: &Digest) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(digest.as_str()).build()
}

#[tokio::test]
async fn images_are_described_and_handed_out_with_the_bytes_of_the_registry() {
    let cloud = Cloud::new(OWN);
    let (_, image, index) = stocked(&cloud);
    for way in both_ways(&cloud) {
        let listed = way.ecr().describe_images().repository_name("orders").send().await.unwrap();
        assert_eq!(listed.image_details().len(), 2);
        let detail = listed.image_details().iter().find(|detail| detail.image_tags() == ["1"]).unwrap();
        assert_eq!(detail.image_digest(), Some(image.as_str()));
        assert_eq!(detail.image_pushed_at().unwrap().secs(), at("2026-08-01T00:00:00Z").timestamp());
        assert_eq!((detail.image_size_in_bytes(), detail.image_manifest_media_type()), (Some(4), Some(MANIFEST)));
        assert!(detail.artifact_media_type().is_some());
        let ids = ["1", "gone"].map(|tag| ImageIdentifier::builder().image_tag(tag).build());
        let absent = digest("absent");
        let ids = ids.into_iter().chain([by_digest(&index), by_digest(&absent)]).collect();
        let got = way.ecr().batch_get_image().repository_name("orders").set_image_ids(Some(ids)).send().await.unwrap();
        let digests: Vec<_> =
            got.images().iter().map(|image| Digest::sha256(image.image_manifest().unwrap().as_bytes())).collect();
        assert_eq!(digests, [image.clone(), index.clone()]);
        let failures: Vec<_> = got.failures().iter().filter_map(|failure| failure.failure_code()).collect();
        assert_eq!(failures, [&ImageFailureCode::ImageNotFound; 2]);
    }
}

#[tokio::test]
async fn repositories_and_images_come_in_pages_of_at_most_a_thousand() {
    let cloud = Cloud::new(OWN);
    let stock = Stock::new();
    for number in 0..1005 {
        let bytes = format!("{{\"number\":{number}}}").into_bytes();
        let digest = stock.push_raw("many", MANIFEST, bytes);
        cloud.push(OWN, REGION, "many", CloudImage::from_stock(&stock, "many", digest.as_str()).unwrap());
        cloud.repository(OWN, REGION, &format!("r{number:04}"));
    }
    for way in both_ways(&cloud) {
        cloud.forget_calls();
        let ecr = way.ecr();
        let mut pages = ecr.describe_images().repository_name("many").max_results(1000).into_paginator().send();
        let mut digests = BTreeSet::new();
        while let Some(page) = pages.next().await {
            digests.extend(page.unwrap().image_details().iter().map(|image| image.image_digest().unwrap().to_owned()));
        }
        assert_eq!(digests.len(), 1005);
        assert_eq!(cloud.calls().tally("ecr:DescribeImages").calls, 2);
        let default = ecr.describe_repositories().send().await.unwrap();
        assert_eq!((default.repositories().len(), default.next_token().is_some()), (100, true));
        let most = ecr.describe_repositories().max_results(1000).send().await.unwrap();
        assert_eq!(most.repositories().len(), 1000);
        let invalid = ("InvalidParameterException".to_owned(), 400);
        assert_eq!(refusal(ecr.describe_repositories().max_results(1001).send().await), invalid);
        assert_eq!(refusal(ecr.describe_repositories().next_token("made up").send().await), invalid);
        let ids = digests.iter().take(101).map(|digest| ImageIdentifier::builder().image_digest(digest).build());
        let too_many = ecr.batch_get_image().repository_name("many").set_image_ids(Some(ids.collect())).send().await;
        assert_eq!(refusal(too_many), invalid);
    }
}

#[tokio::test]
async fn archived_images_are_listed_on_request() {
    let cloud = Cloud::new(OWN);
    let (_, image, index) = stocked(&cloud);
    assert!(cloud.archive_image(OWN, REGION, "orders", &image));
    let [way, _] = both_ways(&cloud);
    let list = async |status: Option<ImageStatusFilter>| {
        let filter = DescribeImagesFilter::builder().set_image_status(status).tag_status(TagStatus::Any).build();
        let listed = way.ecr().describe_images().repository_name("orders").filter(filter).send().await.unwrap();
        listed.image_details().iter().map(|detail| detail.image_digest().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(None).await, [index.as_str()]);
    assert_eq!(list(Some(ImageStatusFilter::Archived)).await, [image.as_str()]);
    assert_eq!(list(Some(ImageStatusFilter::Any)).await.len(), 2);
    let got = way.ecr().batch_get_image().repository_name("orders").image_ids(by_digest(&image)).send().await.unwrap();
    assert_eq!(got.failures()[0].failure_code(), Some(&ImageFailureCode::ImageInaccessible));
    let named = way.ecr().describe_images().repository_name("orders").image_ids(by_digest(&image)).send().await;
    assert_eq!(refusal(named).0, "ImageNotFoundException");
}

#[tokio::test]
async fn a_removed_image_is_not_found_and_a_moved_tag_names_another_image() {
    let cloud = Cloud::new(OWN);
    let (stock, image, index) = stocked(&cloud);
    let moved = CloudImage::from_stock(&stock, "orders", image.as_str()).unwrap().tagged("1").tagged("2");
    cloud.push(OWN, REGION, "orders", moved);
    let [way, _] = both_ways(&cloud);
    let untagged = DescribeImagesFilter::builder().tag_status(TagStatus::Untagged).build();
    let listed = way.ecr().describe_images().repository_name("orders").filter(untagged).send().await.unwrap();
    assert_eq!(listed.image_details()[0].image_digest(), Some(index.as_str()));
    assert!(cloud.remove_image(OWN, REGION, "orders", &index));
    let gone = way.ecr().describe_images().repository_name("orders").image_ids(by_digest(&index)).send().await;
    assert_eq!(refusal(gone), ("ImageNotFoundException".to_owned(), 400));
    let nowhere = way.ecr().describe_images().repository_name("nothing").send().await;
    assert_eq!(refusal(nowhere).0, "RepositoryNotFoundException");
}

#[tokio::test]
async fn referrers_are_listed_in_pages_of_at_most_fifty() {
    let cloud = Cloud::new(OWN);
    let (stock, image, _) = stocked(&cloud);
    for number in 0..60 {
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"application/vnd.in-toto+json",
                "config":{{"digest":"{image}"}},"annotations":{{"n":"{number}"}},"subject":{{"digest":"{image}"}}}}"#
        );
        let referrer = stock.push_raw("orders", MANIFEST, manifest.into_bytes());
        cloud.push(OWN, REGION, "orders", CloudImage::from_stock(&stock, "orders", referrer.as_str()).unwrap());
        assert!(number > 0 || cloud.archive_image(OWN, REGION, "orders", &referrer));
    }
    let other = digest("another");
    let subject = |digest: &Digest| SubjectIdentifier::builder().image_digest(digest.as_str()).build().unwrap();
    for way in both_ways(&cloud) {
        let referrers_of =
            |digest| way.ecr().list_image_referrers().repository_name("orders").subject_id(subject(digest));
        let first = referrers_of(&image).max_results(50).send().await.unwrap();
        let last = referrers_of(&image).max_results(50).next_token(first.next_token().unwrap()).send().await.unwrap();
        let listed = [first.referrers(), last.referrers()].concat();
        assert_eq!((listed.len(), last.next_token()), (59, None), "the archived one is left out");
        assert_eq!(listed[0].artifact_type(), Some("application/vnd.in-toto+json"));
        assert!(listed[0].annotations().unwrap().contains_key("n"));
        assert!(referrers_of(&other).send().await.unwrap().referrers().is_empty());
        let (code, _) = refusal(referrers_of(&image).max_results(51).send().await);
        assert_eq!(code, "InvalidParameterException");
    }
}

#[tokio::test]
async fn tags_rules_and_tokens_are_returned() {
    let cloud = Cloud::new(OWN);
    cloud.tag_repository(OWN, REGION, "orders", "team", "payments");
    cloud.pull_through(OWN, REGION, CloudCacheRule::ecr_public("ecr-public"));
    let mirror = CloudCacheRule { upstream_prefix: Some("lambda".into()), ..CloudCacheRule::ecr_public("bases") };
    cloud.pull_through(OWN, REGION, mirror);
    for way in both_ways(&cloud) {
        let ecr = way.ecr();
        let described = ecr.describe_repositories().repository_names("orders").send().await.unwrap();
        let arn = described.repositories()[0].repository_arn().unwrap();
        let tags = ecr.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
        assert_eq!((tags.tags()[0].key(), tags.tags()[0].value()), ("team", "payments"));
        let rules = ecr.describe_pull_through_cache_rules().send().await.unwrap();
        let rules: Vec<_> = rules
            .pull_through_cache_rules()
            .iter()
            .map(|rule| {
                (
                    rule.ecr_repository_prefix().unwrap(),
                    rule.upstream_registry_url().unwrap(),
                    rule.upstream_repository_prefix(),
                )
            })
            .collect();
        assert_eq!(rules, [("ecr-public", "public.ecr.aws", None), ("bases", "public.ecr.aws", Some("lambda"))]);
        let issued = ecr.get_authorization_token().send().await.unwrap();
        let token = STANDARD.decode(issued.authorization_data()[0].authorization_token().unwrap()).unwrap();
        assert!(token.starts_with(b"AWS:"));
        assert_eq!(ecr.describe_registry().send().await.unwrap().registry_id(), Some(OWN));
        let public = aws_sdk_ecrpublic::Client::new(&way.config);
        assert_eq!(refusal(public.get_authorization_token().send().await).0, "AccessDeniedException");
    }
    cloud.open_ecr_public();
    for way in both_ways(&cloud) {
        let public = aws_sdk_ecrpublic::Client::new(&way.config).get_authorization_token().send().await.unwrap();
        assert!(public.authorization_data().unwrap().authorization_token().is_some());
    }
}

#[tokio::test]
async fn the_registry_of_another_account_is_closed_until_it_is_shared() {
    let cloud = Cloud::new(OWN);
    let (stock, image, _) = stocked(&cloud);
    cloud.push(OTHER, REGION, "orders", CloudImage::from_stock(&stock, "orders", image.as_str()).unwrap());
    let [way, _] = both_ways(&cloud);
    let ask = || way.ecr().describe_images().registry_id(OTHER).repository_name("orders").send();
    assert_eq!(refusal(ask().await).0, "AccessDeniedException");
    cloud.share_repositories_of(OTHER);
    assert_eq!(ask().await.unwrap().image_details()[0].registry_id(), Some(OTHER));
}
