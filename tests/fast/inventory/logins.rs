//! Logins for the registries of AWS: their requests, and errors without credentials.

use std::time::Instant;

use crate::inventory::{memory_registry::MemoryRegistry, rig::Rig};
use aws_config::{imds::credentials::ImdsCredentialsProvider, provider_config::ProviderConfig};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use basewatch::{
    aws::{AccountSelection, AccountSettings, RoleTemplate},
    image::AwsPartition,
    registry::{AwsLogins, CredentialsErrorKind as Kind, RegistryLogin},
    secret::Secret,
};
use serde_json::json;
use testbed::aws::{Answer, Call};

fn rig(respond: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Rig {
    Rig::answering(MemoryRegistry::new(), respond)
}

fn ecr_token(expires_at: i64) -> Answer {
    let token = "QVdTOnA6dw=="; // AWS:p:w
    Answer::ok(json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": expires_at }] }))
}

#[tokio::test]
async fn an_ecr_login_is_requested_in_the_region_of_the_registry() {
    let rig = rig(|_| ecr_token(4_102_444_800));
    let issued = rig.aws().ecr("123456789012", "eu-north-1").await.unwrap();
    let RegistryLogin::Basic { username, password } = issued.login else { panic!("ECR takes Basic") };
    assert_eq!((username.as_str(), password.reveal()), ("AWS", "p:w"));
    assert_eq!(issued.expires_at, Some("2100-01-01T00:00:00Z".parse().unwrap()));
    let call = &rig.cloud.recorded_calls("GetAuthorizationToken")[0];
    assert_eq!((call.host.as_str(), &call.body), ("api.ecr.eu-north-1.amazonaws.com", &json!({})));
    assert_eq!(rig.requests.snapshot()["ecr"]["token"], 1);
}

#[tokio::test]
async fn an_expiry_in_the_past_is_ignored() {
    let issued = rig(|_| ecr_token(1_420_070_400)).aws().ecr("123456789012", "eu-west-1").await.unwrap();
    assert_eq!(issued.expires_at, None);
}

#[tokio::test]
async fn an_unusable_ecr_response_is_reported_without_its_content() {
    for token in [json!([]), json!([{ "authorizationToken": "%%%secret" }]), json!([{}])] {
        let rig = rig(move |_| Answer::ok(json!({ "authorizationData": token })));
        let reported = rig.aws().ecr("123456789012", "eu-west-1").await.unwrap_err().message;
        assert_eq!(reported, "ecr:GetAuthorizationToken in eu-west-1: the response has no usable token");
    }
}

#[tokio::test]
async fn an_ecr_public_login_is_a_bearer_token_from_us_east_1() {
    let rig = rig(|_| Answer::ok(json!({ "authorizationData": { "authorizationToken": "b3BhcXVl" } })));
    let issued = rig.aws().ecr_public().await.unwrap().unwrap();
    let RegistryLogin::Bearer(token) = issued.login else { panic!("ECR Public takes Bearer") };
    assert_eq!(token.reveal(), "b3BhcXVl");
    assert_eq!(rig.cloud.recorded()[0].host, "api.ecr-public.us-east-1.amazonaws.com");
    assert_eq!(rig.requests.snapshot()["ecr-public"]["token"], 1);
}

#[tokio::test]
async fn a_denied_ecr_public_login_names_both_permissions() {
    let rig = rig(|_| Answer::error("AccessDeniedException", "not authorized to perform: sts:GetServiceBearerToken"));
    let reported = rig.aws().ecr_public().await.unwrap_err().message;
    assert!(reported.contains("AccessDeniedException") && reported.contains("(request req-1)"), "{reported}");
    assert!(reported.ends_with("; allow ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"), "{reported}");
}

#[derive(Debug)]
struct Stub(fn() -> CredentialsError);

impl ProvideCredentials for Stub {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[derive(Debug)]
struct Silence;

impl ProvideCredentials for Silence {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(std::future::pending())
    }
}

#[tokio::test]
async fn without_credentials_ecr_public_is_anonymous_and_ecr_is_an_error() {
    let rig = rig(|_| panic!("nothing is sent"));
    let aws = rig.aws().with_credentials(Stub(|| CredentialsError::not_loaded("none")));
    assert_eq!(aws.ecr_public().await, Ok(None));
    let reported = aws.ecr("123456789012", "eu-west-1").await.unwrap_err().message;
    assert!(reported.starts_with("no AWS credentials were found: set AWS_PROFILE"), "{reported}");
}

#[tokio::test]
async fn a_refusal_of_instance_metadata_means_no_credentials() {
    let rig = rig(|call| match call.host.as_str() {
        "169.254.169.254" => Answer::Http(403, json!("IMDS is disabled")),
        other => panic!("nothing is sent to {other}"),
    });
    let aws = rig.aws().with_credentials(ImdsCredentialsProvider::builder().configure(&provider_config(&rig)).build());
    assert_eq!(aws.ecr_public().await, Ok(None));
    assert!(aws.ecr("123456789012", "eu-west-1").await.unwrap_err().message.contains("IMDS is disabled"));
    assert!(!rig.cloud.recorded().is_empty(), "it was asked");
}

fn provider_config(rig: &Rig) -> ProviderConfig {
    ProviderConfig::without_region().with_http_client(rig.cloud.transport())
}

#[tokio::test]
async fn unusable_credentials_do_not_count_as_missing() {
    let rig = rig(|_| panic!("nothing is sent"));
    let aws = rig.aws().with_credentials(Stub(|| CredentialsError::invalid_configuration("profile `prod` has no key")));
    let reported = aws.ecr_public().await.unwrap_err().message;
    assert!(reported.contains("cannot be used") && reported.contains("profile `prod` has no key"), "{reported}");
}

#[tokio::test]
async fn a_credential_source_without_a_response_times_out_once() {
    let rig = rig(|_| panic!("nothing is sent"));
    let aws = rig.aws().with_credentials(Silence);
    let start = Instant::now();
    assert_eq!(aws.ecr_public().await, Ok(None));
    let first = start.elapsed();
    assert_eq!(aws.ecr_public().await, Ok(None));
    assert!(start.elapsed() < first * 3 / 2, "the second result is cached");
}

#[tokio::test]
async fn credentials_are_looked_up_on_demand() {
    let rig = rig(|_| panic!("nothing is sent"));
    drop(rig.aws());
    assert!(rig.cloud.recorded().is_empty());
}

#[tokio::test]
async fn a_failed_login_is_throttled_unreachable_or_denied() {
    let table: [(fn() -> Answer, Kind); 6] = [
        (|| Answer::Http(400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" })), Kind::Throttled),
        (|| Answer::Http(429, json!("slow down")), Kind::Throttled),
        (|| Answer::Http(500, json!({ "__type": "ServerException", "message": "oops" })), Kind::Unreachable),
        (|| Answer::Refused, Kind::Unreachable),
        (|| Answer::error("AccessDeniedException", "no"), Kind::Denied),
        (|| Answer::error("ExpiredTokenException", "expired"), Kind::Denied),
    ];
    for (response, kind) in table {
        let error = rig(move |_| response()).aws().ecr("123456789012", "eu-west-1").await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        let error = rig(move |_| response()).aws().ecr_public().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

#[tokio::test]
async fn a_role_that_could_not_be_assumed_for_now_is_not_replaced_by_another_identity() {
    let members = || AccountSelection::Listed(["210987654321".parse().unwrap()].into());
    let role: RoleTemplate = "arn:aws:iam::{account}:role/audit".parse().unwrap();
    for (response, kind) in [(503, Some(Kind::Unreachable)), (403, None)] {
        let mut rig = rig(move |call| match call.operation.as_str() {
            "AssumeRole" | "GetCallerIdentity" => {
                let code = if response == 503 { "ServiceUnavailable" } else { "AccessDenied" };
                let error = format!("<Error><Type>x</Type><Code>{code}</Code><Message>no</Message></Error>");
                Answer::Xml(response, format!("<ErrorResponse>{error}</ErrorResponse>"))
            }
            _ => ecr_token(4_102_444_800),
        });
        rig.members =
            Some(AccountSettings { role: role.clone(), external_id: None, members: members(), only: Vec::new() });
        let login = rig.aws().ecr("210987654321", "eu-west-1").await;
        assert_eq!(login.map_err(|error| error.kind).err(), kind, "{response}");
        assert_eq!(rig.cloud.recorded_calls("GetAuthorizationToken").is_empty(), kind.is_some());
    }
}

#[tokio::test]
async fn in_partitions_without_ecr_public_no_token_is_requested() {
    for region in ["us-gov-west-1", "cn-north-1", "eusc-de-east-1"] {
        let rig = rig(|_| panic!("nothing is sent"));
        let aws = rig.aws().with_partition(Some(AwsPartition::from_region(region)));
        assert_eq!(aws.ecr_public().await, Ok(None), "{region}");
    }
}

#[tokio::test]
async fn credentials_with_invalid_characters_are_rejected_and_not_sent() {
    for (id, secret) in [("AKIDEXAMPLE\n", "x"), ("AKID\tEXAMPLE", "x"), ("AKIDEXAMPLE", "x\r\n"), ("AKIDÉ", "x")] {
        let rig = rig(|_| panic!("nothing is sent"));
        let aws = rig.aws().with_access_key(id, &Secret::new(secret.into()));
        let error = aws.ecr("123456789012", "eu-west-1").await.unwrap_err();
        assert_eq!(error.kind, Kind::Denied);
        assert!(error.message.contains("key"), "{error}");
        assert!(aws.ecr_public().await.is_err());
    }
}
