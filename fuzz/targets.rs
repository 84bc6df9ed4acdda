//! The targets, with the properties of every input.

use std::{fs, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Url;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::fuzz;
use crate::{
    config::{self, CliOverrides, EnvironmentVariables},
    dockerfile::{BaseImage, BuildOptions, Dockerfile, ImagePin},
    http::Redactor,
    identify::{BaseRule, BaseRules, IdentifySettings, RegistryMirror, identify},
    image::{
        Annotations, BuildMaterial, CHILD_ANNOTATIONS, Digest, DigestContent, DigestKind, ImageFacts, ImageIndex,
        ImageManifest, LambdaTag, MESSAGE_BYTES, ManifestDocument, Reference, VALUE_BYTES, build_materials, is_tag,
        layout_entries, provenance_referrers,
    },
    inventory::{DeployedImage, ImageSource},
    lambda::InvocationEvent,
    notify::Ledger,
    registry::{next_link, parse_challenges, refusal_message, resolve_link},
    store::{self, StoredDocument as _},
    webhook::quoted_refusal,
};

/// The longest reference, in bytes: a host, a port, a repository, a tag and a digest of the greatest lengths.
const REFERENCE_BYTES: usize = 253 + ":65535/".len() + 255 + ":".len() + 128 + "@sha512:".len() + 128;
/// The longest error of a document, in bytes: the message of its parser with a prefix.
const ERROR_BYTES: usize = MESSAGE_BYTES + 100;
/// The longest annotations or labels of one document, in bytes.
const ANNOTATIONS_BYTES: usize = 64 * 1024;

/// The media types of documents, and `None`.
const SERVED: [Option<&str>; 4] = [
    None,
    Some("application/vnd.oci.image.index.v1+json"),
    Some("application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"),
    Some("text/html"),
];

/// The secret in seeds.
const SECRET: &str = "correct-horse-battery-staple";

fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// Text for a terminal: short, on one line, and without control characters.
fn assert_readable(message: &str, most_bytes: usize) {
    assert!(message.len() <= most_bytes, "{} bytes: {message}", message.len());
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    assert!(!message.contains(acts), "{message:?}");
}

/// Values survive a round trip through the store.
fn assert_survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(kept: &T) {
    let written = serde_json::to_string(kept).expect("has a JSON form");
    assert_eq!(serde_json::from_str::<T>(&written).as_ref().map_err(ToString::to_string), Ok(kept), "{written}");
}

fn assert_bounded(annotations: &Annotations) {
    let bytes: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(bytes <= ANNOTATIONS_BYTES && annotations.values().all(|value| value.len() <= VALUE_BYTES), "{bytes}");
}

fn assert_index_bounded(index: &ImageIndex) {
    assert!(index.children.len() <= 128, "{} children", index.children.len());
    assert_bounded(&index.annotations);
    for child in &index.children {
        assert_bounded(&child.annotations);
        assert!(child.annotations.keys().all(|key| CHILD_ANNOTATIONS.contains(&key.as_str())), "{child:?}");
        assert!(child.platform.as_ref().is_none_or(|platform| platform.to_string().len() < 400), "{child:?}");
    }
}

#[test]
fn a_reference_is_rejected_or_prints_as_an_equal_one() {
    fuzz("reference", |input| {
        let text = text(input);
        match text.parse::<Reference>() {
            Ok(reference) => {
                assert_eq!(reference.to_string().parse().as_ref(), Ok(&reference));
                assert!(reference.tag.as_deref().is_none_or(is_tag), "{reference}");
                let is_plain = reference.to_string().bytes().all(|byte| byte.is_ascii_graphic());
                assert!(is_plain && reference.to_string().len() <= REFERENCE_BYTES, "{reference}");
            }
            Err(why) => assert_readable(&why.to_string(), MESSAGE_BYTES),
        }
        if let Err(why) = text.parse::<ImageSource>() {
            assert_readable(&why, 2 * MESSAGE_BYTES);
        }
    });
}

/// The manifest of the images whose configurations are read.
fn manifest() -> ImageManifest {
    ImageManifest::new(Digest::sha256(b""), None)
}

/// Settings that accept every form of a base.
fn settings() -> IdentifySettings {
    let rule = |repository: &str, is_bare: bool| BaseRule {
        default_tag: Some("latest".to_owned()),
        bare: is_bare.then(|| repository.parse().expect("a repository")),
        ..BaseRule::new(repository.parse().expect("a pattern"))
    };
    let mirror =
        |prefix: &str, upstream: &str| RegistryMirror { prefix: prefix.to_owned(), upstream: upstream.to_owned() };
    IdentifySettings {
        bases: BaseRules::new(vec![rule("public.ecr.aws/lambda/java", true), rule("docker.io/python", false)]),
        mirrors: vec![mirror("mirror.example.com/hub", "docker.io"), mirror("mirror.example.com", "ghcr.io/acme")],
        ..IdentifySettings::default()
    }
}

/// The first line of an input is the label and `base.name`, the rest is `base.digest`.
#[test]
fn a_label_names_a_base_that_is_a_reference_or_is_malformed() {
    let settings = settings();
    fuzz("label", |input| {
        let text = text(input);
        let (name, digest) = text.split_once('\n').unwrap_or((&text, ""));
        let labels = json!({
            "sdkBaseVersion": name,
            "org.opencontainers.image.base.name": name,
            "org.opencontainers.image.base.digest": digest,
        });
        let config = json!({ "os": "linux", "architecture": "arm64", "config": { "Labels": labels } });
        let image = DeployedImage {
            digest: Digest::sha256(b""),
            facts: Arc::new(ImageFacts::read(manifest(), config.to_string().as_bytes()).expect("a configuration")),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        };
        for reading in identify(&image, None, &settings).records {
            assert!(reading.value.len() <= 2 * VALUE_BYTES + 1, "{}", reading.value);
            match reading.base {
                Ok(base) => {
                    let reference = base.reference();
                    assert_eq!(reference.to_string().parse().as_ref(), Ok(&reference));
                    assert!(base.tag.iter().chain(&base.further_tag).all(|tag| is_tag(tag)), "{base:?}");
                    assert!(base.further_digests.len() <= 2, "{base:?}");
                }
                Err(why) => assert_readable(&why.to_string(), MESSAGE_BYTES),
            }
        }
    });
}

#[test]
fn a_document_is_rejected_or_parsed_within_limits() {
    fuzz("document", |input| {
        for served in SERVED {
            let document = ManifestDocument::parse(input, served);
            if let (Ok(document), Some(kind)) = (&document, served.and_then(DigestKind::from_media_type)) {
                assert_eq!(document.kind(), kind);
            }
            match document {
                Ok(ManifestDocument::Index(index)) => {
                    assert_index_bounded(&index);
                    assert_survives(&DigestContent::Index(index));
                }
                Ok(ManifestDocument::Manifest(manifest)) => assert_bounded(&manifest.annotations),
                Err(why) => assert!(why.to_string().len() <= ERROR_BYTES, "{why}"),
            }
        }
        match layout_entries(input) {
            Ok(entries) => {
                for entry in entries {
                    assert!(entry.name.as_ref().is_none_or(|name| name.len() <= VALUE_BYTES), "{entry:?}");
                    assert_index_bounded(&ImageIndex { children: vec![entry.child], annotations: Annotations::new() });
                }
            }
            Err(why) => assert!(why.to_string().len() <= ERROR_BYTES, "{why}"),
        }
    });
}

#[test]
fn an_image_config_is_rejected_or_survives_the_catalog() {
    fuzz("image_config", |input| match ImageFacts::read(manifest(), input) {
        Ok(facts) => {
            assert_bounded(&facts.labels);
            assert!(facts.diff_ids.len() <= 1000 && facts.platform.to_string().len() < 400, "{facts:?}");
            assert_survives(&DigestContent::Image(facts));
        }
        Err(why) => assert!(why.to_string().len() <= ERROR_BYTES, "{why}"),
    });
}

#[test]
fn a_lambda_tag_is_a_tag_and_prints_as_it_was_written() {
    fuzz("lambda_tag", |input| {
        let text = text(input);
        let Some(tag) = LambdaTag::parse(&text) else { return };
        assert_eq!(tag.to_string(), text);
        assert!(is_tag(&text), "{text}");
        let release = tag.release();
        assert_eq!(LambdaTag::parse(&release.to_string()).as_ref(), Some(&release));
        assert_eq!((release.built_at, release.family.as_str()), (tag.built_at, tag.family.as_str()));
    });
}

/// A statement is equivalent in a DSSE envelope and in a Sigstore bundle.
#[test]
fn the_images_of_a_build_are_few_and_references_with_a_digest() {
    let image = format!("sha256:{}", "d".repeat(64)).parse().expect("a digest");
    fuzz("provenance", |input| {
        let materials = match build_materials(input, &image) {
            Ok(materials) => materials,
            Err(why) => return assert_readable(&why.to_string(), ERROR_BYTES),
        };
        assert!(materials.len() <= 64, "{} images", materials.len());
        for BuildMaterial { reference, layers, .. } in &materials {
            assert!(reference.digest.is_some() && layers.len() <= 1000, "{reference}");
            assert_eq!(reference.to_string().parse().as_ref(), Ok(reference));
            assert!(reference.to_string().len() <= REFERENCE_BYTES, "{reference}");
        }
        assert_survives(&materials);
        let payload = STANDARD.encode(input);
        let envelope = json!({ "payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [] });
        let has_predicate = serde_json::from_slice::<Value>(input).is_ok_and(|it| it.get("predicateType").is_some());
        for body in [&envelope, &json!({ "dsseEnvelope": envelope })] {
            let read = build_materials(body.to_string().as_bytes(), &image);
            // An envelope in an envelope is not opened.
            assert!(!has_predicate || read.as_ref() == Ok(&materials), "{read:?}");
        }
    });
}

#[test]
fn referrers_are_a_short_list_of_digests() {
    fuzz("referrers", |input| match provenance_referrers(input) {
        Ok(referrers) => assert!(referrers.len() <= 8, "{} referrers", referrers.len()),
        Err(why) => assert_readable(&why.to_string(), ERROR_BYTES),
    });
}

#[test]
fn a_challenge_survives_a_round_trip() {
    fuzz("challenge", |input| {
        let text = text(input);
        let lines: Vec<_> = text.lines().collect();
        let challenges = parse_challenges(lines.iter().copied());
        assert!(challenges.len() <= text.len());
        for challenge in challenges {
            assert_eq!(challenge.scheme, challenge.scheme.to_ascii_lowercase());
            let parameters = ["realm", "service", "scope"].map(|name| challenge.parameter(name));
            assert!(parameters.iter().flatten().all(|value| value.len() <= text.len()), "{parameters:?}");
            let quoted = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"");
            let [realm, service, scope] = parameters.map(|value| quoted(value.unwrap_or_default()));
            let written = format!("{} realm=\"{realm}\", service=\"{service}\",scope=\"{scope}\"", challenge.scheme);
            if written.len() <= 8 * 1024 {
                let [again] = &parse_challenges([written.as_str()])[..] else { panic!("{written}") };
                let read = ["realm", "service", "scope"].map(|name| again.parameter(name).unwrap_or_default());
                assert_eq!((&again.scheme, read), (&challenge.scheme, parameters.map(Option::unwrap_or_default)));
            }
        }
    });
}

#[test]
fn a_link_has_the_same_origin() {
    let page: Url = "https://registry.example/v2/x/tags/list?n=1000".parse().expect("a URL");
    fuzz("link", |input| {
        let text = text(input);
        let lines: Vec<_> = text.lines().collect();
        let Some(target) = next_link(lines.iter().copied()) else { return };
        assert!(lines.iter().any(|line| line.contains(target)), "{target}");
        match resolve_link(&page, target) {
            Ok(url) => {
                assert_eq!(url.origin(), page.origin());
                assert!(url.username().is_empty() && url.password().is_none(), "{url}");
            }
            Err(why) => assert_readable(&why, MESSAGE_BYTES),
        }
    });
}

#[test]
fn an_error_body_becomes_one_short_readable_line_without_secrets() {
    let mut redactor = Redactor::default();
    redactor.hide_secret(SECRET);
    fuzz("error_body", |input| {
        assert_readable(&refusal_message(input), MESSAGE_BYTES);
        let said = quoted_refusal(input, &redactor);
        assert_readable(&said, MESSAGE_BYTES);
        assert!(!said.to_ascii_lowercase().contains(SECRET), "{said}");
    });
}

#[test]
fn an_event_is_parsed_or_rejected_with_a_short_message() {
    fuzz("event", |input| {
        let Ok(payload) = serde_json::from_slice::<Value>(input) else { return };
        match InvocationEvent::read(&payload) {
            Ok(InvocationEvent::Run) => {}
            Ok(InvocationEvent::Pushed(push)) => {
                assert!(is_tag(&push.tag), "{push:?}");
                let host = format!("{}.dkr.ecr.{}.amazonaws.com", push.account, push.region);
                let named = format!("{host}/{}:{}@{}", push.repository, push.tag, push.digest);
                assert!(named.parse::<Reference>().is_ok_and(|read| read.to_string() == named), "{named}");
            }
            Ok(InvocationEvent::Direct(direct)) => {
                assert!((1..=1000).contains(&direct.images.len()));
                let are_references = direct.images.iter().all(|image| matches!(image, ImageSource::Reference(_)));
                assert!(are_references, "{direct:?}");
                assert_survives(&direct.as_of);
            }
            Ok(InvocationEvent::Ignored(why)) | Err(why) => assert_readable(&why, 3 * MESSAGE_BYTES),
        }
    });
}

#[test]
fn a_configuration_is_loaded_or_its_problems_are_reported_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = format!("https://hooks.example.com/{SECRET}");
    for name in ["ca.pem", "heartbeat-fail", "hook-secret", "password", "trigger-token"] {
        fs::write(folder.path().join(name), &secret).expect("a writable folder");
    }
    let variables = [
        "AUDIT_EXTERNAL_ID",
        "BUILDS_SECRET",
        "DASHBOARD_TOKEN",
        "GITHUB_TOKEN",
        "HEARTBEAT_URL",
        "HOOK_SECRET",
        "REGISTRY_PASSWORD",
    ];
    let environment: EnvironmentVariables =
        variables.map(|name| (name.to_owned(), secret.clone())).into_iter().collect();
    fuzz("configuration", |input| {
        let config = Some("s3://bucket/basewatch.toml".into());
        let flags = CliOverrides { config, fetched: Some(text(input)), ..CliOverrides::default() };
        if let Err(problems) = config::load(&flags, &environment, folder.path()) {
            assert!(!problems.0.is_empty());
            assert!(problems.0.iter().all(|problem| !problem.message.is_empty()));
            assert!(!problems.to_string().contains(SECRET), "{problems}");
        }
    });
}

#[test]
fn a_ledger_is_rejected_or_survives_a_round_trip_as_a_whole_and_in_entries() {
    fuzz("ledger", |input| {
        let Ok(ledger) = store::read_stored::<Ledger>(input) else { return };
        let stored = store::to_stored(&ledger);
        assert_eq!(store::read_stored::<Ledger>(&stored).map_err(|error| error.to_string()).as_ref(), Ok(&ledger));
        let head = serde_json::to_value(ledger.without_entries()).expect("it has a JSON form");
        let mut texts = store::SharedTexts::default();
        let mut rebuilt: Ledger = serde_json::from_value(head).expect("it can be read again");
        for entry in ledger.entries() {
            assert!(!entry.contains(&b'\n'), "an entry is one line");
            rebuilt.add_entry(&entry, &mut texts).expect("it can be read again");
        }
        assert_eq!(rebuilt, ledger);
    });
}

#[test]
fn a_dockerfile_is_rejected_or_pinned_idempotently() {
    let keys = ["sdkBaseVersion".to_owned()];
    let digest = Digest::sha256(b"current");
    let fixed = |text: &str| {
        let dockerfile = Dockerfile::parse(text).ok()?;
        let plan = dockerfile.plan(BuildOptions::default()).ok()?;
        let pins = plan.froms.iter().enumerate().filter_map(|(position, from)| {
            let is_image = matches!(from.image, BaseImage::Reference(_));
            is_image.then(|| (position, ImagePin { tag: None, digest: digest.clone() }))
        });
        Some(plan.edits(&pins.collect(), &keys).apply(text))
    };
    fuzz("dockerfile", |input| {
        let text = text(input);
        let Some(once) = fixed(&text) else { return };
        assert_eq!(fixed(&once).as_ref(), Some(&once), "{text}");
    });
}
