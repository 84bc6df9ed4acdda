//! Failures of private ECR: each is a collection error or an image error with its code, and the rest is still read.

use crate::inventory::{
    account::{ACCOUNT, Account},
    memory_registry::MemoryRegistry,
    rig::{REGION, Rig, SECRET, codes, names, regions, settings, unreadable},
};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use basewatch::{
    inventory::{AffectedScope, DeploymentKind, EcrInventory, EcrSettings, Inventory},
    registry::{CredentialsErrorKind, Error},
};
use serde_json::json;
use testbed::aws::{Answer, Call};

const DENIED: &str = "User: arn:aws:iam::123456789012:user/x is not authorized to perform that";

/// An account with two repositories in one region and one in another.
fn model(registry: &MemoryRegistry) -> Account {
    let image = |name: &str| registry.image(name).with_tags(&["v1"]);
    Account::new().images(REGION, "a", [image("a")]).images(REGION, "b", [image("b")]).images(
        "us-east-1",
        "c",
        [image("c")],
    )
}

fn both_regions() -> EcrSettings {
    EcrSettings { regions: regions(&[REGION, "us-east-1"]), ..settings() }
}

fn rig_with(fault: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) -> Rig {
    let registry = MemoryRegistry::new();
    let model = model(&registry);
    Rig::with_faults(registry, model, fault)
}

#[tokio::test]
async fn a_denied_region_leaves_the_others_intact() {
    let rig = rig_with(|call| (call.region == "us-east-1").then(|| Answer::error("AccessDeniedException", DENIED)));
    let found = rig.read_inventory(&[both_regions()]).await;
    assert_eq!(names(&found), ["a:v1", "b:v1"]);
    assert_eq!(codes(&found.errors), [("ecr us-east-1", "access-denied")]);
    let us =
        AffectedScope { kind: Some(DeploymentKind::Ecr), region: "us-east-1".parse().ok(), ..AffectedScope::default() };
    assert_eq!(found.errors[0].affected, us);
    assert_eq!(
        found.errors[0].message,
        format!("ecr:DescribeRepositories in us-east-1: AccessDeniedException: {DENIED} (request req-1)")
    );
}

#[tokio::test]
async fn a_denied_repository_leaves_the_others_intact() {
    let rig = rig_with(|call| {
        let denied = call.operation == "DescribeImages" && call.body["repositoryName"] == "a";
        denied.then(|| Answer::error("AccessDeniedException", DENIED))
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!((names(&found), codes(&found.errors)), (vec!["b:v1"], vec![("ecr eu-west-1 a", "access-denied")]));
    let repository = AffectedScope {
        kind: Some(DeploymentKind::Ecr),
        account: ACCOUNT.parse().ok(),
        region: REGION.parse().ok(),
        repository: Some("a".into()),
    };
    assert_eq!(found.errors[0].affected, repository);
}

#[tokio::test]
async fn a_repository_deleted_during_the_run_is_not_found() {
    let rig = rig_with(|call| {
        let gone = call.operation == "DescribeImages" && call.body["repositoryName"] == "a";
        gone.then(|| Answer::error("RepositoryNotFoundException", "gone"))
    });
    assert_eq!(codes(&rig.read_inventory(&[settings()]).await.errors), [("ecr eu-west-1 a", "not-found")]);
}

#[tokio::test]
async fn a_page_that_fails_midway_keeps_what_was_read() {
    let registry = MemoryRegistry::new();
    let images: Vec<_> = (0..4).map(|n| registry.image(&n.to_string()).with_tags(&[&format!("v{n}")])).collect();
    let model = Account::new().images(REGION, "a", images).paged(2);
    let rig = Rig::with_faults(registry, model, |call| {
        call.body["nextToken"].as_str().map(|_| Answer::error("InvalidParameterException", "Invalid next token"))
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!((found.deployments.len(), codes(&found.errors)), (2, vec![("ecr eu-west-1 a", "failed")]));
}

#[tokio::test]
async fn a_list_that_repeats_its_token_ends() {
    let rig = rig_with(|call| {
        let endless = json!({ "imageDetails": [], "nextToken": "again" });
        (call.operation == "DescribeImages").then(|| Answer::ok(endless))
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(codes(&found.errors), [("ecr eu-west-1 a", "malformed"), ("ecr eu-west-1 b", "malformed")]);
    assert_eq!(rig.cloud.recorded_calls("DescribeImages").len(), 4);
}

#[tokio::test]
async fn throttling_is_waited_out_and_every_attempt_counted() {
    let rig = rig_with(|call| {
        let first = call.operation == "DescribeImages" && call.nth == 0;
        first.then(|| Answer::error("ThrottlingException", "Rate exceeded"))
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!((names(&found), codes(&found.errors)), (vec!["a:v1", "b:v1"], vec![]));
    assert_eq!(rig.requests.snapshot()["ecr"]["api"], 1 + 4 + 2);
}

#[tokio::test]
async fn continued_throttling_is_an_error_after_the_last_attempt() {
    let rig = rig_with(|call| {
        let endless = call.operation == "DescribeImages" && call.body["repositoryName"] == "a";
        endless.then(|| Answer::error("ThrottlingException", "Rate exceeded"))
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!((names(&found), codes(&found.errors)), (vec!["b:v1"], vec![("ecr eu-west-1 a", "throttled")]));
    assert_eq!(rig.cloud.recorded_calls("DescribeImages").len(), 3 + 1);
}

#[tokio::test]
async fn an_unreachable_region_is_an_error() {
    let rig = rig_with(|call| (call.region == "us-east-1").then_some(Answer::Refused));
    let found = rig.read_inventory(&[both_regions()]).await;
    assert_eq!((found.deployments.len(), codes(&found.errors)), (2, vec![("ecr us-east-1", "unreachable")]));
    assert!(found.errors[0].message.contains("connection refused"), "{}", found.errors[0].message);
}

#[tokio::test]
async fn expired_credentials_are_reported_and_never_shown() {
    let rig = rig_with(|_| {
        Some(Answer::error("ExpiredTokenException", "The security token included in the request is expired"))
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(codes(&found.errors), [("ecr eu-west-1", "credentials")]);
    assert!(found.errors[0].message.contains("have expired: sign in again"));
    let shown = format!("{found:?} {:?}", rig.aws());
    assert!(!shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn a_rejected_signature_is_reported_without_the_request_that_aws_quotes() {
    let quoted = "The Canonical String for this request should have been 'x-amz-security-token:FwoGZXIvYXdz'";
    let rig = rig_with(move |_| Some(Answer::error("InvalidSignatureException", quoted)));
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(codes(&found.errors), [("ecr eu-west-1", "credentials")]);
    assert!(!found.errors[0].message.contains("FwoG"), "{}", found.errors[0].message);
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("nothing configured")))
    }
}

#[tokio::test]
async fn without_credentials_there_is_one_error_and_no_call() {
    let rig = rig_with(|_| None);
    let aws_scope = rig.aws_scope_of(rig.aws().with_credentials(NoCredentials));
    let found = EcrInventory::new(vec![both_regions()], aws_scope).deployments().await;
    assert_eq!(codes(&found.errors), [("aws", "credentials")]);
    assert!(found.errors[0].message.starts_with("no AWS credentials were found"));
    assert!(rig.cloud.recorded().is_empty());
}

#[tokio::test]
async fn failures_inside_an_http_200_are_reported_for_each_image() {
    let registry = MemoryRegistry::new();
    let image = |name: &str| registry.image(name).with_tags(&[name]);
    let images = [image("fine"), image("gone"), image("locked"), image("busy"), image("odd")];
    let codes = ["", "ImageNotFound", "KmsError", "UpstreamTooManyRequests", "SomethingNew"];
    let digests = images.clone().map(|image| image.digest().clone());
    let model = Account::new().images(REGION, "a", images);
    let rig = Rig::new(registry.clone(), model);
    rig.cloud.revise(move |_, response| {
        for (digest, code) in digests.iter().zip(codes).filter(|(_, code)| !code.is_empty()) {
            if let Some(images) = response["images"].as_array_mut() {
                images.retain(|image| image["imageId"]["imageDigest"] != digest.as_str());
                let id = json!({ "imageDigest": digest });
                let failure = json!({ "imageId": id, "failureCode": code, "failureReason": "because" });
                response["failures"].as_array_mut().unwrap().push(failure);
            }
        }
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(
        unreadable(&found),
        [
            ("a:busy", "registry-throttled"),
            ("a:gone", "image-missing"),
            ("a:locked", "registry-denied"),
            ("a:odd", "registry-unreachable"),
        ]
    );
    let gone = found.deployments.iter().find(|one| one.name == "a:gone").unwrap();
    let why = gone.image.as_ref().unwrap_err();
    assert_eq!(why.message, "ecr:BatchGetImage of a in eu-west-1: ImageNotFound: because");
    assert!(why.digest.is_some());
    assert_eq!(found.errors, []);
}

#[tokio::test]
async fn denied_manifests_are_deployments_that_cannot_be_read() {
    let rig =
        rig_with(|call| (call.operation == "BatchGetImage").then(|| Answer::error("AccessDeniedException", DENIED)));
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(unreadable(&found), [("a:v1", "registry-denied"), ("b:v1", "registry-denied")]);
    let message = |at: usize| found.deployments[at].image.as_ref().unwrap_err().message.clone();
    assert!(message(0).starts_with("ecr:BatchGetImage of a in") && message(1).starts_with("ecr:BatchGetImage of b in"));
}

#[tokio::test]
async fn a_digest_refused_by_one_repository_is_read_from_another_one() {
    let registry = MemoryRegistry::new();
    let image = registry.image("same").with_tags(&["v1"]);
    let model = Account::new().images(REGION, "a", [image.clone()]).images(REGION, "b", [image]);
    for denied in ["a", "b"] {
        let rig = Rig::with_faults(registry.clone(), model.clone(), move |call| {
            let is_denied = call.operation == "BatchGetImage" && call.body["repositoryName"] == denied;
            is_denied.then(|| Answer::error("AccessDeniedException", DENIED))
        });
        let found = rig.read_inventory(&[settings()]).await;
        assert_eq!((names(&found), unreadable(&found)), (vec!["a:v1", "b:v1"], vec![]));
    }
}

#[tokio::test]
async fn a_manifest_with_another_digest_is_rejected() {
    let registry = MemoryRegistry::new();
    let model = model(&registry);
    let rig = Rig::new(registry, model);
    rig.cloud.revise(|call, response| {
        if call.operation == "BatchGetImage" {
            for image in response["images"].as_array_mut().unwrap() {
                image["imageManifest"] = format!("{} ", image["imageManifest"].as_str().unwrap()).into();
            }
        }
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(unreadable(&found), [("a:v1", "registry-malformed"), ("b:v1", "registry-malformed")]);
    assert!(rig.registry.asked().is_empty(), "its configuration is not asked for");
}

#[tokio::test]
async fn manifests_too_large_for_one_response_are_read_in_halves() {
    let registry = MemoryRegistry::new();
    let model = model(&registry);
    let images: Vec<_> =
        (0..5).map(|number| registry.image(&format!("large{number}")).with_tags(&[&number.to_string()])).collect();
    let model = model.images(REGION, "large", images);
    let rig = Rig::new(registry, model);
    rig.cloud.revise(|call, response| {
        let count = response["images"].as_array().map_or(0, Vec::len);
        // White space in the response but in no manifest.
        if call.operation == "BatchGetImage" && count > 1 {
            response["filler"] = " ".repeat(3 << 20).into();
        }
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(unreadable(&found), []);
    assert_eq!(names(&found), ["a:v1", "b:v1", "large:0", "large:1", "large:2", "large:3", "large:4"]);
    let batches: Vec<_> = rig.cloud.recorded_calls("BatchGetImage");
    let mut sizes: Vec<_> = batches.iter().map(|call| call.body["imageIds"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 5]);
}

#[tokio::test]
async fn a_manifest_missing_in_the_response_is_reported() {
    let rig = rig_with(|call| (call.operation == "BatchGetImage").then(|| Answer::ok(json!({}))));
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(unreadable(&found), [("a:v1", "registry-malformed"), ("b:v1", "registry-malformed")]);
}

#[tokio::test]
async fn an_unreadable_configuration_is_reported_with_the_error_of_the_registry() {
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com".to_owned();
    let credentials = |kind| Error::Credentials { registry: host.clone(), kind, why: "expired".into() };
    let cases = [
        (Error::NotAllowed { registry: host.clone() }, "registry-not-allowed"),
        (Error::RateLimited { registry: host.clone(), retry_after: None }, "registry-throttled"),
        (credentials(CredentialsErrorKind::Denied), "registry-denied"),
        (credentials(CredentialsErrorKind::Throttled), "registry-throttled"),
        (credentials(CredentialsErrorKind::Unreachable), "registry-unreachable"),
        (Error::Unreachable { registry: host.clone(), why: "refused".into() }, "registry-unreachable"),
        (Error::TooLarge { what: "x".into(), limit_bytes: 1 }, "registry-malformed"),
        (Error::Malformed { what: "x".into(), why: "y".into() }, "image-malformed"),
    ];
    for (error, code) in cases {
        let rig = rig_with(|_| None);
        rig.registry.fail(&format!("{host}/a"), error.clone());
        let found = rig.read_inventory(&[settings()]).await;
        assert_eq!(unreadable(&found), [("a:v1", code)]);
        assert_eq!(found.deployments[0].image.as_ref().unwrap_err().message, error.to_string());
    }
}

#[tokio::test]
async fn a_repository_with_a_malformed_uri_is_an_error() {
    let rig = rig_with(|call| {
        let odd = json!({ "repositoryName": "x", "registryId": "1", "repositoryUri": "no host" });
        let none = json!({ "repositoryName": "y" });
        (call.operation == "DescribeRepositories").then(|| Answer::ok(json!({ "repositories": [odd, none] })))
    });
    let found = rig.read_inventory(&[settings()]).await;
    assert_eq!(codes(&found.errors), [("ecr eu-west-1 x", "malformed"), ("ecr eu-west-1 y", "malformed")]);
}
