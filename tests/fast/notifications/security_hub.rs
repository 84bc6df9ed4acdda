//! Findings in Security Hub: their form, and calls that fail for all or for some.

use std::{sync::Arc, time::Duration};

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    inventory::DeploymentKind,
    notify::{AlertItem, EventKind, Message, MessageKind, Notifier as _, SecurityHubNotifier},
    outbox::{DeliveryOutcome, DeliveryTarget as _},
    secret::Secret,
};
use serde_json::{Value, json};

use testbed::{
    messages::{self, HOSTILE},
    toxic::{Asked, Reply, Toxic},
};

fn aws() -> Aws {
    Aws::new(Arc::new(RequestCounter::default()))
        .with_access_key("AKIDEXAMPLE", &Secret::new("not-a-secret".to_owned()))
        .with_max_attempts(3)
        .with_first_backoff(Duration::from_millis(1))
}

fn finding(message: &Message) -> Value {
    serde_json::from_str(&SecurityHubNotifier::new(Arc::new(aws())).preview(message).body).unwrap()
}

fn one(item: AlertItem) -> Message {
    messages::message(MessageKind::Findings, vec![item])
}

/// One alert in `account`.
fn in_account(name: &str, account: &str, region: &str) -> Message {
    one(AlertItem { account: Some(account.to_owned()), region: Some(region.to_owned()), ..messages::stale(name) })
}

async fn delivered(server: &Toxic, messages: &[Message]) -> Vec<DeliveryOutcome> {
    let notifier = SecurityHubNotifier::new(Arc::new(aws().with_endpoint(server.endpoint())));
    notifier.deliver(&messages.iter().collect::<Vec<_>>()).await
}

fn findings(request: &Asked) -> Vec<Value> {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    body["Findings"].as_array().unwrap().clone()
}

fn all_imported(request: &Asked) -> Reply {
    Reply::json(&json!({ "FailedCount": 0, "SuccessCount": findings(request).len(), "FailedFindings": [] }))
}

#[test]
fn each_kind_of_deployment_is_a_resource() {
    let ecs = AlertItem {
        kind: DeploymentKind::Ecs,
        arn: Some("arn:aws:ecs:eu-west-1:123456789012:service/prod/checkout".to_owned()),
        runtime: None,
        ..messages::stale("checkout")
    };
    let ecr =
        AlertItem { kind: DeploymentKind::Ecr, arn: None, tags: vec!["421".to_owned()], ..messages::stale("search") };
    let base = AlertItem { kind: DeploymentKind::Image, arn: None, ..messages::stale("company-java") };
    for (name, item) in [("lambda", messages::stale("orders")), ("ecs", ecs), ("ecr", ecr), ("other", base)] {
        let shown = serde_json::to_string_pretty(&finding(&one(item))).unwrap();
        insta::assert_snapshot!(format!("security_hub_{name}"), shown);
    }
}

#[test]
fn a_finding_keeps_its_id_and_is_archived_when_it_ends() {
    let state = |event| {
        let ended = (event == EventKind::Resolved).then(|| "now built on the current release".to_owned());
        finding(&one(AlertItem { event, ended, ..messages::stale("orders") }))
    };
    let new = state(EventKind::Triggered);
    assert_eq!(new["RecordState"], "ACTIVE");
    assert_eq!(new["ProductArn"], "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default");
    for (event, record) in
        [(EventKind::Reminded, "ACTIVE"), (EventKind::Escalated, "ACTIVE"), (EventKind::Resolved, "ARCHIVED")]
    {
        let later = state(event);
        assert_eq!((&later["Id"], later["RecordState"].as_str()), (&new["Id"], Some(record)));
    }
    assert_ne!(finding(&one(messages::stale("cart")))["Id"], new["Id"]);
    let china = finding(&in_account("orders", "123456789012", "cn-north-1"));
    assert!(china["ProductArn"].as_str().unwrap().starts_with("arn:aws-cn:securityhub:cn-north-1:"));
}

#[test]
fn no_finding_exceeds_the_limits() {
    for text in HOSTILE.into_iter().map(str::to_owned).chain(["x".repeat(300_000), "é ".repeat(9000)]) {
        let reasons = vec![messages::stale("x").reasons[0].clone(); 50];
        let item = AlertItem {
            name: text.clone(),
            base: Some(text.clone()),
            line: Some(text.clone()),
            image: text.clone(),
            repository: text.clone(),
            owner: Some(text.clone()),
            arn: Some(text.clone()),
            tags: vec![text.clone()],
            alert: text.clone(),
            reasons,
            ..messages::stale("x")
        };
        let mut message = one(item);
        message.owner = Some(text);
        let finding = finding(&message);
        let chars = |pointer: &str| finding.pointer(pointer).unwrap().as_str().unwrap().chars().count();
        for (pointer, most) in [
            ("/Id", 512),
            ("/GeneratorId", 512),
            ("/Title", 256),
            ("/Description", 1024),
            ("/Remediation/Recommendation/Text", 512),
            ("/Resources/0/Id", 512),
        ] {
            assert!((1..=most).contains(&chars(pointer)), "{pointer}: {}", chars(pointer));
        }
        assert!(finding.to_string().len() < 240 * 1024);
    }
}

#[tokio::test]
async fn each_account_and_region_gets_its_findings_in_one_signed_call() {
    let server = Toxic::start(all_imported);
    let messages = [
        in_account("orders", "111111111111", "eu-west-1"),
        in_account("cart", "222222222222", "eu-west-1"),
        in_account("index", "111111111111", "eu-west-1"),
        in_account("web", "111111111111", "us-east-1"),
    ];
    let outcomes = delivered(&server, &messages).await;
    let ids: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().message_id.unwrap()).collect();
    let expected = messages.each_ref().map(|message| finding(message)["Id"].as_str().unwrap().to_owned());
    assert_eq!(ids, expected, "in the order of the messages");
    let log = server.log();
    assert_eq!(log.iter().map(|request| findings(request).len()).sum::<usize>(), 4);
    assert_eq!(log.len(), 3);
    for request in &log {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/findings/import"));
        let region = findings(request)[0]["Region"].as_str().unwrap().to_owned();
        let signature = request.authorization().unwrap();
        assert!(signature.contains(&format!("/{region}/securityhub/aws4_request")), "{signature}");
    }
}

#[tokio::test]
async fn a_rejected_finding_is_retried_alone() {
    let server = Toxic::start(|request| {
        let rejected = json!({ "Id": findings(request)[1]["Id"], "ErrorCode": "InvalidAccess", "ErrorMessage": "no" });
        Reply::json(&json!({ "FailedCount": 1, "SuccessCount": 2, "FailedFindings": [rejected] }))
    });
    let messages = ["orders", "cart", "index"].map(|name| one(messages::stale(name)));
    let outcomes = delivered(&server, &messages).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let error = outcomes[1].as_ref().unwrap_err();
    assert!(
        error.is_about_entry && error.why.contains("InvalidAccess: no; enable Security Hub in account"),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_account_without_security_hub_does_not_hold_up_the_others() {
    let server = Toxic::start(|request| {
        if findings(request)[0]["AwsAccountId"] == "111111111111" {
            let message = "Account 111111111111 is not subscribed to AWS Security Hub";
            return Reply::new(401, json!({ "Message": message, "Code": "InvalidAccessException" }).to_string())
                .header("x-amzn-ErrorType", "InvalidAccessException");
        }
        all_imported(request)
    });
    let messages = [in_account("orders", "111111111111", "eu-west-1"), in_account("cart", "222222222222", "eu-west-1")];
    let outcomes = delivered(&server, &messages).await;
    let error = outcomes[0].as_ref().unwrap_err();
    assert!(error.is_about_entry, "{error:?}");
    assert!(
        error.why.contains("InvalidAccessException") && error.why.contains("enable Security Hub in account 1111"),
        "{error:?}"
    );
    assert!(outcomes[1].is_ok(), "{outcomes:?}");
}

#[tokio::test]
async fn throttling_and_server_errors_are_retried_within_the_call() {
    for (status, kind) in [(429, "TooManyRequestsException"), (503, "ServiceUnavailable"), (400, "ThrottlingException")]
    {
        let server = Toxic::start(move |request| match request.nth {
            0 | 1 => Reply::new(status, "{}").header("x-amzn-ErrorType", kind),
            _ => all_imported(request),
        });
        let outcomes = delivered(&server, &[messages::small()]).await;
        assert!(outcomes[0].is_ok(), "{status}: {outcomes:?}");
        assert_eq!(server.log().len(), 3, "{status}");
    }
}
