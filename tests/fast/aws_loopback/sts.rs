//! STS: caller identity, roles of other accounts, and session expiry.

use std::time::Duration;

use aws_config::{BehaviorVersion, sts::AssumeRoleProvider};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::{
    error::SdkError,
    operation::assume_role::{AssumeRoleError, AssumeRoleOutput},
};
use aws_smithy_runtime_api::http::Response;
use chrono::Utc;
use testbed::aws::{AccountStatus, Cloud, CloudFunction, CloudVersion};

use crate::aws_loopback::rig::{OTHER, OWN, REGION, Way, both_ways, key, refusal};

fn role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/audit/basewatch-audit")
}

async fn assume(
    way: &Way,
    account: &str,
    external_id: Option<&str>,
    seconds: Option<i32>,
) -> Result<AssumeRoleOutput, SdkError<AssumeRoleError, Response>> {
    let call = way.sts().assume_role().role_arn(role(account)).role_session_name("basewatch");
    call.set_external_id(external_id.map(str::to_owned)).set_duration_seconds(seconds).send().await
}

fn session(assumed: &AssumeRoleOutput) -> SharedCredentialsProvider {
    let credentials = assumed.credentials().unwrap();
    key(credentials.access_key_id(), Some(credentials.session_token()))
}

fn two_accounts() -> Cloud {
    let cloud = Cloud::new(OWN);
    cloud.function(OWN, REGION, CloudFunction::new("mine", CloudVersion::default()));
    cloud.function(OTHER, REGION, CloudFunction::new("theirs", CloudVersion::default()));
    cloud
}

#[tokio::test]
async fn a_role_gives_access_to_its_account_only() {
    let cloud = two_accounts();
    for way in both_ways(&cloud) {
        let own = way.sts().get_caller_identity().send().await.unwrap();
        assert_eq!((own.account(), own.arn()), (Some(OWN), Some("arn:aws:iam::123456789012:user/basewatch")));
        let assumed = assume(&way, OTHER, None, None).await.unwrap();
        let left = assumed.credentials().unwrap().expiration().secs() - Utc::now().timestamp();
        assert!((3590..=3600).contains(&left), "{left} seconds");
        let config = way.with(session(&assumed), REGION);
        let there = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
        let arn = "arn:aws:sts::210987654321:assumed-role/basewatch-audit/basewatch";
        assert_eq!((there.account(), there.arn()), (Some(OTHER), Some(arn)));
        assert_eq!(assumed.assumed_role_user().unwrap().arn(), arn);
        let functions = aws_sdk_lambda::Client::new(&config).list_functions().send().await.unwrap();
        assert_eq!(functions.functions()[0].function_name(), Some("theirs"));
        assert_eq!(functions.functions().len(), 1);
    }
}

#[tokio::test]
async fn the_sdks_own_provider_of_assumed_roles_is_served() {
    let cloud = two_accounts();
    cloud.require_external_id(OTHER, "shared");
    for way in both_ways(&cloud) {
        let provider = AssumeRoleProvider::builder(role(OTHER)).external_id("shared").session_name("basewatch");
        // The provider wants a clock, which only a loaded configuration has.
        let loaded = aws_config::defaults(BehaviorVersion::latest()).region(REGION).load().await;
        let config = way.config.to_builder().time_source(loaded.time_source().unwrap()).build();
        let provider = provider.configure(&config).build().await;
        let lambda = aws_sdk_lambda::Client::new(&way.with(SharedCredentialsProvider::new(provider), REGION));
        for _ in 0..3 {
            let functions = lambda.list_functions().send().await.unwrap();
            assert_eq!(functions.functions()[0].function_name(), Some("theirs"));
        }
    }
    assert_eq!(cloud.calls().tally("sts:AssumeRole").calls, 2, "once for each client");
}

#[tokio::test]
async fn a_role_requires_the_external_id_of_its_trust_policy() {
    let cloud = two_accounts();
    cloud.require_external_id(OTHER, "shared");
    cloud.member("333333333333", "closed", AccountStatus::Suspended);
    let denied = ("AccessDenied".to_owned(), 403);
    for way in both_ways(&cloud) {
        assert_eq!(refusal(assume(&way, OTHER, None, None).await), denied);
        assert_eq!(refusal(assume(&way, OTHER, Some("guessed"), None).await), denied);
        assert!(assume(&way, OTHER, Some("shared"), None).await.is_ok());
        assert_eq!(refusal(assume(&way, "333333333333", None, None).await), denied, "suspended");
        assert_eq!(refusal(assume(&way, "999999999999", None, None).await), denied, "unheard of");
        cloud.deny_roles_of(OTHER);
        assert_eq!(refusal(assume(&way, OTHER, Some("shared"), None).await), denied);
        cloud.heal();
    }
}

#[tokio::test]
async fn a_session_lasts_no_longer_than_its_role_allows() {
    let cloud = two_accounts();
    for way in both_ways(&cloud) {
        for seconds in [899, 3601, 43_201] {
            let rejected = assume(&way, OTHER, None, Some(seconds)).await;
            assert_eq!(refusal(rejected), ("ValidationError".to_owned(), 400), "{seconds} seconds");
        }
        assert!(assume(&way, OTHER, None, Some(900)).await.is_ok());
        let unnamed = way.sts().assume_role().role_arn("basewatch-audit").role_session_name("x y").send().await;
        assert_eq!(refusal(unnamed).0, "ValidationError");
    }
}

#[tokio::test]
async fn an_expired_session_is_refused_by_every_protocol_until_the_next_one() {
    let cloud = two_accounts();
    for way in both_ways(&cloud) {
        let config = way.with(session(&assume(&way, OTHER, None, None).await.unwrap()), REGION);
        let lambda = aws_sdk_lambda::Client::new(&config);
        assert!(lambda.list_functions().send().await.is_ok());
        cloud.expire_sessions();
        assert_eq!(refusal(lambda.list_functions().send().await), ("ExpiredTokenException".to_owned(), 403));
        let ecr = aws_sdk_ecr::Client::new(&config).describe_repositories().send().await;
        assert_eq!(refusal(ecr), ("ExpiredTokenException".to_owned(), 400));
        let sts = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        assert_eq!(refusal(sts), ("ExpiredToken".to_owned(), 403));
        assert!(way.lambda().list_functions().send().await.is_ok(), "the account's own key does not expire");
        let config = way.with(session(&assume(&way, OTHER, None, None).await.unwrap()), REGION);
        assert!(aws_sdk_lambda::Client::new(&config).list_functions().send().await.is_ok());
    }
}

#[tokio::test]
async fn a_lifetime_that_is_set_is_kept() {
    let cloud = two_accounts();
    cloud.let_sessions_last(Duration::ZERO);
    let [way, _] = both_ways(&cloud);
    let assumed = assume(&way, OTHER, None, None).await.unwrap();
    assert!(assumed.credentials().unwrap().expiration().secs() <= Utc::now().timestamp());
    let lambda = aws_sdk_lambda::Client::new(&way.with(session(&assumed), REGION));
    assert_eq!(refusal(lambda.list_functions().send().await).0, "ExpiredTokenException");
}

#[tokio::test]
async fn the_key_of_another_cloud_is_rejected() {
    let (cloud, other) = (two_accounts(), two_accounts());
    let [there, _] = both_ways(&other);
    let foreign = session(&assume(&there, OTHER, None, None).await.unwrap());
    for way in both_ways(&cloud) {
        let lambda = aws_sdk_lambda::Client::new(&way.with(foreign.clone(), REGION));
        assert_eq!(refusal(lambda.list_functions().send().await), ("UnrecognizedClientException".to_owned(), 403));
    }
}
