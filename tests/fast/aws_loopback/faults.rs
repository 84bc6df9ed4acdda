//! Injected faults: denied and throttled calls, silent regions, quotas; and the call log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_config::retry::RetryConfig;
use basewatch::{
    aws::Aws,
    http::RequestCounter,
    registry::{AwsLogins as _, RegistryLogin},
    secret::Secret,
};
use futures::{StreamExt as _, stream};
use testbed::aws::{CallKey, Cloud, CloudFunction, CloudQuotas, CloudVersion, FaultScope};

use crate::aws_loopback::rig::{OWN, REGION, both_ways, is_unreachable, key, refusal};

fn cloud() -> Cloud {
    let cloud = Cloud::new(OWN);
    cloud.function(OWN, REGION, CloudFunction::new("orders", CloudVersion::default()));
    cloud
}

#[tokio::test]
async fn a_denied_operation_leaves_the_others_alone() {
    let cloud = cloud();
    cloud.deny(FaultScope::from_action("lambda:GetFunction"));
    cloud.deny(FaultScope::from_action("ecr:*").in_region(REGION));
    for way in both_ways(&cloud) {
        let denied = way.lambda().get_function().function_name("orders").send().await;
        assert_eq!(refusal(denied), ("AccessDeniedException".to_owned(), 403));
        assert!(way.lambda().list_functions().send().await.is_ok());
        assert_eq!(refusal(way.ecr().describe_repositories().send().await).0, "AccessDeniedException");
        let elsewhere = aws_sdk_ecr::Client::new(&way.with(key("AKIDEXAMPLE", None), "us-east-1"));
        assert!(elsewhere.describe_repositories().send().await.is_ok());
    }
}

#[tokio::test]
async fn a_throttled_region_returns_the_error_code_of_each_service() {
    let cloud = cloud();
    cloud.throttle(FaultScope::from_action("*").in_region(REGION), None);
    for way in both_ways(&cloud) {
        let throttled = way.lambda().list_functions().send().await;
        let headers = throttled.as_ref().unwrap_err().raw_response().unwrap().headers();
        assert!(headers.get("retry-after").is_none());
        assert_eq!(refusal(throttled), ("TooManyRequestsException".to_owned(), 429));
        assert_eq!(refusal(way.ecr().describe_repositories().send().await), ("ThrottlingException".to_owned(), 400));
        assert_eq!(refusal(way.ecs().list_clusters().send().await), ("ThrottlingException".to_owned(), 400));
        assert_eq!(refusal(way.sts().get_caller_identity().send().await), ("Throttling".to_owned(), 400));
    }
    assert_eq!(cloud.calls().total().throttled, 8);
}

#[tokio::test]
async fn the_sdk_retries_until_throttling_ends() {
    let cloud = cloud();
    for way in both_ways(&cloud) {
        cloud.forget_calls();
        cloud.throttle(FaultScope::from_action("lambda:ListFunctions"), Some(2));
        let retry = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1));
        let config = way.config.to_builder().retry_config(retry).build();
        assert!(aws_sdk_lambda::Client::new(&config).list_functions().send().await.is_ok());
        let tally = cloud.calls().tally("lambda:ListFunctions");
        assert_eq!((tally.calls, tally.throttled, tally.refused), (3, 2, 0));
    }
}

#[tokio::test]
async fn a_silent_region_does_not_respond_until_it_recovers() {
    let cloud = cloud();
    for way in both_ways(&cloud) {
        cloud.refuse_connections(FaultScope::from_action("*").in_region(REGION));
        assert!(is_unreachable(&way.lambda().list_functions().send().await));
        assert!(is_unreachable(&way.ecr().describe_repositories().send().await));
        let elsewhere = aws_sdk_lambda::Client::new(&way.with(key("AKIDEXAMPLE", None), "us-east-1"));
        assert!(elsewhere.list_functions().send().await.is_ok());
        cloud.heal();
        assert!(way.lambda().list_functions().send().await.is_ok());
    }
}

#[tokio::test]
async fn an_unknown_call_is_rejected() {
    let cloud = cloud();
    for way in both_ways(&cloud) {
        assert_eq!(refusal(way.ecs().list_account_settings().send().await).0, "UnknownOperationException");
        assert_eq!(refusal(way.lambda().list_layers().send().await).0, "UnknownOperationException");
    }
}

#[tokio::test]
async fn our_own_adapter_is_served() {
    let cloud = cloud();
    let aws = || Aws::new(Arc::new(RequestCounter::default())).with_transport(cloud.transport());
    let login = aws().with_access_key("AKIDEXAMPLE", &Secret::new("secret".into())).ecr(OWN, REGION).await.unwrap();
    assert!(matches!(login.login, RegistryLogin::Basic { username, .. } if username == "AWS"));
    let denied = aws().with_access_key("AKIDEXAMPLE", &Secret::new("secret".into())).ecr_public().await.unwrap_err();
    assert!(denied.message.contains("AccessDeniedException"), "{denied}");
}

#[tokio::test]
async fn calls_over_the_quotas_are_throttled() {
    let cloud = cloud();
    for way in both_ways(&cloud) {
        cloud.forget_calls();
        cloud.limit(CloudQuotas::real());
        let started = Instant::now();
        let lambda = way.lambda();
        stream::iter(0..150)
            .for_each_concurrent(16, async |number| {
                let _ = lambda.get_function().function_name("orders").send().await;
                let _ = match number % 2 {
                    0 => lambda.list_functions().send().await.map(|_| ()).map_err(|_| ()),
                    _ => lambda.list_aliases().function_name("orders").send().await.map(|_| ()).map_err(|_| ()),
                };
            })
            .await;
        let passed = started.elapsed().as_secs_f64();
        let admitted = |selected: &dyn Fn(&str) -> bool| {
            let tally = cloud.calls().sum(|call| selected(&call.operation));
            assert_eq!((tally.calls, tally.refused), (150, 0));
            u32::try_from(tally.calls - tally.throttled).unwrap()
        };
        for (rate, admitted) in
            [(100, admitted(&|name| name == "GetFunction")), (15, admitted(&|name| name != "GetFunction"))]
        {
            assert!(admitted >= rate, "{admitted} of a full bucket of {rate}");
            assert!(f64::from(admitted) <= f64::from(rate) * (1.0 + passed), "{admitted} in {passed} s at {rate}/s");
        }
    }
    cloud.limit(CloudQuotas::none());
    let [way, _] = both_ways(&cloud);
    for _ in 0..50 {
        assert!(way.lambda().list_functions().send().await.is_ok());
    }
}

#[tokio::test]
async fn every_call_is_logged_and_counted() {
    let cloud = cloud();
    let [way, _] = both_ways(&cloud);
    let _ = way.lambda().list_functions().send().await.unwrap();
    let _ = way.lambda().get_function().function_name("unknown").send().await.unwrap_err();
    let _ = way.lambda().list_functions().send().await.unwrap();
    let list: Vec<_> = cloud.call_list().iter().map(CallKey::action).collect();
    assert_eq!(list, ["lambda:ListFunctions", "lambda:GetFunction", "lambda:ListFunctions"]);
    let calls = cloud.calls();
    assert_eq!(
        calls.by_action().into_iter().collect::<Vec<_>>(),
        [("lambda:GetFunction".to_owned(), 1), ("lambda:ListFunctions".to_owned(), 2),]
    );
    assert_eq!(calls.tally("lambda:GetFunction").refused, 1);
    assert!(calls.iter().all(|(call, _)| call.account == OWN && call.region == REGION));
}
