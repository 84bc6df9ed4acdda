//! The base of an image without a label, by the provenance of its build.

use std::fs;

use basewatch::{identify::PrefixCheck, image::Digest, inventory::StoredImage};
use chrono::TimeDelta;
use serde_json::json;
use testbed::registry::ImageSpec;

use crate::evidence::rig::{BASE, Form, Rig, attestation, conclusion, index, now, statement};

fn stored_image(digest: &Digest, seconds: i64) -> StoredImage {
    StoredImage {
        digest: digest.clone(),
        tags: ["421".to_owned()].into(),
        pushed_at: Some(now() - TimeDelta::days(1) + TimeDelta::seconds(seconds)),
        is_archived: false,
        is_index: false,
        attested: None,
    }
}

fn expected(rig: &Rig) -> (&'static str, &'static str, String) {
    ("provenance", "confirmed", format!("{BASE}:3.12@{}", rig.base))
}

#[tokio::test]
async fn the_base_is_the_material_whose_layers_are_a_prefix() {
    let rig = Rig::new(false);
    let image = rig.image();
    let other = |uri: &str| json!({ "uri": uri, "digest": { "sha256": "a".repeat(64) } });
    let materials = [
        other("pkg:docker/docker/dockerfile@1"),
        other("pkg:docker/golang@1.24-alpine?platform=linux%2Famd64"),
        other("pkg:docker/public.ecr.aws/awsguru/aws-lambda-adapter@1.1.0?platform=linux%2Farm64"),
        rig.material("linux/arm64"),
    ];
    let attestation = rig.attest(&image, &materials);
    let identification = rig.named(&rig.index(&image, &attestation)).await;
    assert_eq!(conclusion(&identification), Some(expected(&rig)), "{:#?}", identification.records);
    assert_eq!(rig.requests("awsguru") + rig.requests("golang"), 0, "other repositories than bases are not read");
}

#[tokio::test]
async fn a_base_that_is_not_configured_is_reported_but_not_used() {
    let rig = Rig::new(false);
    let image = rig.image();
    let copy = rig.copied_base("team/python");
    let attestation = rig.attest(&image, &[copy]);
    let found = rig.named(&rig.index(&image, &attestation)).await;
    assert_eq!(conclusion(&found), None);
    let checks: Vec<_> = found.layers.checks.values().collect();
    assert_eq!(checks, [&PrefixCheck::Prefix { layer_count: 3 }], "so that it can be said what to configure");
}

#[tokio::test]
async fn an_attestation_is_read_once_ever() {
    let rig = Rig::new(true);
    let image = rig.image();
    let attestation = rig.attest(&image, &[rig.material("linux/arm64")]);
    let index = rig.index(&image, &attestation);
    for _ in 0..3 {
        assert_eq!(conclusion(&rig.named(&index).await), Some(expected(&rig)));
    }
    assert_eq!(rig.requests(attestation.as_str()), 1);
    assert_eq!(rig.requests("/referrers/"), 0, "the index names it already");
}

#[tokio::test]
async fn a_material_of_another_platform_is_not_the_base() {
    let rig = Rig::new(false);
    let image = rig.image();
    let attestation = rig.attest(&image, &[rig.material("linux/amd64")]);
    assert_eq!(conclusion(&rig.named(&rig.index(&image, &attestation)).await), None);
}

#[tokio::test]
async fn a_material_whose_layers_are_not_in_the_image_is_not_the_base() {
    let rig = Rig::new(false);
    let image = rig.stock.push_image(
        "orders",
        &ImageSpec {
            platform: crate::evidence::rig::arm64(),
            layers: ["other os", "emulator", "python", "app"].map(|layer| layer.as_bytes().to_vec()).to_vec(),
            ..Default::default()
        },
    );
    let attestation = rig.attest(&image, &[rig.material("linux/arm64")]);
    assert_eq!(conclusion(&rig.named(&rig.index(&image, &attestation)).await), None);
}

#[tokio::test]
async fn the_attestation_of_one_image_of_an_index_is_found_by_referrers() {
    let rig = Rig::new(true);
    let image = rig.image();
    rig.attest(&image, &[rig.material("linux/arm64")]);
    assert_eq!(conclusion(&rig.named(&image).await), Some(expected(&rig)));
}

#[tokio::test]
async fn without_the_referrers_api_the_referrers_tag_is_read() {
    let rig = Rig::new(false);
    let image = rig.image();
    assert_eq!(conclusion(&rig.named(&image).await), None);
    let requests = rig.requests("/referrers/");
    assert_eq!(conclusion(&rig.named(&image).await), None);
    assert_eq!(rig.requests("/referrers/"), requests, "the absence is cached for days");

    let rig = Rig::new(false);
    let image = rig.image();
    let attestation = rig.attest(&image, &[rig.material("linux/arm64")]);
    let referrers = json!({
        "schemaVersion": 2, "mediaType": crate::evidence::rig::OCI_INDEX,
        "manifests": [{ "mediaType": crate::evidence::rig::OCI_MANIFEST, "digest": attestation, "size": 1,
            "artifactType": "application/vnd.docker.attestation.manifest.v1+json" }],
    });
    let referrers = rig.stock.push_raw("orders", crate::evidence::rig::OCI_INDEX, referrers.to_string().into_bytes());
    rig.stock.tag("orders", &format!("sha256-{}", image.hex()), &referrers);
    assert_eq!(conclusion(&rig.named(&image).await), Some(expected(&rig)));
}

#[tokio::test]
async fn the_attestation_of_a_function_image_is_found_in_the_index_that_lists_it() {
    let rig = Rig::new(false);
    let image = rig.image();
    let attestation = rig.attest(&image, &[rig.material("linux/arm64")]);
    let index = StoredImage { is_index: true, ..stored_image(&rig.index(&image, &attestation), 2) };
    let older = StoredImage { is_index: true, ..stored_image(&Digest::sha256(b"gone"), 1) };
    let found = rig.deployed(&image, vec![stored_image(&image, 0), older, index]).await;
    assert_eq!(conclusion(&found), Some(expected(&rig)));
    assert_eq!(rig.requests("/referrers/"), 0, "a repository that was listed has said what refers to an image");
}

#[tokio::test]
async fn referrers_in_a_listed_repository_need_no_further_list() {
    let rig = Rig::new(true);
    let image = rig.image();
    let attestation = rig.attest(&image, &[rig.material("linux/arm64")]);
    let artifact = StoredImage { attested: Some(image.clone()), ..stored_image(&attestation, 5000) };
    let found = rig.deployed(&image, vec![stored_image(&image, 0), artifact]).await;
    assert_eq!(conclusion(&found), Some(expected(&rig)));
    assert_eq!(rig.requests("/referrers/"), 0);
}

#[tokio::test]
async fn missing_or_malformed_attestations_leave_the_base_unknown() {
    let rig = Rig::new(false);
    let image = rig.image();
    let config = rig.stock.push_blob("orders", b"{}".to_vec());
    let garbage = rig.stock.push_blob("orders", b"<html>".to_vec());
    for (statement, size) in [(garbage, 6), (Digest::sha256(b"never pushed"), 100)] {
        let manifest = attestation(&image, &statement, size, &config).to_string().into_bytes();
        let attestation = rig.stock.push_raw("orders", crate::evidence::rig::OCI_MANIFEST, manifest);
        for _ in 0..2 {
            let found = rig.named(&rig.index(&image, &attestation)).await;
            assert_eq!(conclusion(&found), None);
            let provenance = found.provenance.expect("it was looked for");
            let unusable: Vec<_> = provenance.unusable.iter().map(|it| &it.digest).collect();
            assert!(unusable.contains(&&attestation), "it is reported and cached: {provenance:?}");
        }
    }
    assert_eq!(conclusion(&rig.named(&rig.index(&image, &Digest::sha256(b"nowhere"))).await), None);
}

#[tokio::test]
async fn a_statement_in_an_envelope_or_bundle_is_read_like_a_plain_one() {
    for form in [Form::Dsse, Form::Bundle] {
        let rig = Rig::new(true);
        let image = rig.image();
        let attestation = rig.attest_as(form, &image, &[rig.material("linux/arm64")]);
        let found = rig.named(&image).await;
        assert_eq!(conclusion(&found), Some(expected(&rig)), "{form:?}: {:?}", found.provenance);
        assert_eq!(rig.requests(attestation.as_str()), 1);
    }
}

#[tokio::test]
async fn a_bundle_that_signs_something_else_is_not_read() {
    let rig = Rig::new(true);
    let image = rig.image();
    let signature = rig.attest_as(Form::Signature, &image, &[]);
    let found = rig.named(&image).await;
    assert_eq!((conclusion(&found), rig.requests(signature.as_str())), (None, 0));
    assert_eq!(found.provenance.expect("it was looked for").attestation_count, 0);
}

#[tokio::test]
async fn a_malformed_envelope_is_reported_as_unusable() {
    let rig = Rig::new(true);
    let image = rig.image();
    rig.attest_as(Form::Broken, &image, &[rig.material("linux/arm64")]);
    let found = rig.named(&image).await;
    assert_eq!(conclusion(&found), None);
    let provenance = found.provenance.expect("it was looked for");
    assert!(provenance.unusable[0].why.contains("not base64"), "{provenance:?}");
}

#[tokio::test]
async fn provenance_is_not_read_if_other_evidence_decides() {
    let rig = Rig::new(true);
    let label = format!("{BASE}:3.12@{}", rig.base);
    let layers = ["os", "emulator", "python", "app"].map(|layer| layer.as_bytes().to_vec()).to_vec();
    let labels = [("sdkBaseVersion".to_owned(), label)].into();
    let spec = ImageSpec { platform: crate::evidence::rig::arm64(), labels, layers, ..ImageSpec::default() };
    let found = rig.named(&rig.stock.push_image("orders", &spec)).await;
    assert_eq!(found.chain[0].confidence.as_str(), "confirmed");
    assert_eq!((found.provenance, rig.requests("/referrers/")), (None, 0));
}

#[tokio::test]
async fn the_attestations_of_an_image_in_a_folder_are_read_from_that_folder() {
    let rig = Rig::new(false);
    let image = rig.image();
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = folder.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("is made");
    let put = |bytes: &[u8]| {
        let digest = Digest::sha256(bytes);
        fs::write(blobs.join(digest.hex()), bytes).expect("is written");
        digest
    };
    let layers = ["os", "emulator", "python", "app"].map(|layer| Digest::sha256(layer.as_bytes()));
    let config = json!({ "os": "linux", "architecture": "arm64", "rootfs": { "type": "layers", "diff_ids": layers } });
    let config = put(config.to_string().as_bytes());
    let manifest = json!({ "schemaVersion": 2, "config": { "digest": config }, "layers": [] });
    let image_here = put(manifest.to_string().as_bytes());
    assert_ne!(image, image_here);
    let content = statement(&image_here, &[rig.material("linux/arm64")]);
    let statement = put(&content);
    let attestation = put(attestation(&image_here, &statement, content.len(), &config).to_string().as_bytes());
    let index = put(index(&image_here, &attestation).to_string().as_bytes());
    let entries =
        json!({ "schemaVersion": 2, "manifests": [{ "mediaType": crate::evidence::rig::OCI_INDEX, "digest": index }] });
    fs::write(folder.path().join("index.json"), entries.to_string()).expect("is written");
    fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("is written");
    assert_eq!(conclusion(&rig.layout(folder.path()).await), Some(expected(&rig)));
}
