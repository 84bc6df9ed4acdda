//! Findings in moto's Security Hub, which have to follow the API model of AWS.

use std::sync::Arc;

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    inventory::DeploymentKind,
    notify::{AlertItem, EventKind, Message, MessageKind, SecurityHubNotifier},
    outbox::DeliveryTarget as _,
    secret::Secret,
};

use testbed::{
    messages,
    peers::{self, Peer},
};

async fn import(moto: &Peer, messages: &[Message]) {
    let aws = Aws::new(Arc::new(RequestCounter::default()))
        .with_access_key("AKIDEXAMPLE", &Secret::new("not-a-secret".to_owned()))
        .with_endpoint(moto.http());
    let notifier = SecurityHubNotifier::new(Arc::new(aws));
    for batch in messages.chunks(notifier.batch()) {
        for outcome in notifier.deliver(&batch.iter().collect::<Vec<_>>()).await {
            outcome.expect("imported");
        }
    }
}

fn one(item: AlertItem) -> Message {
    messages::message(MessageKind::Findings, vec![item])
}

#[tokio::test]
async fn findings_follow_the_model_of_aws_and_are_archived_when_they_end() {
    let moto = peers::moto();
    let item = |name: &str| AlertItem { account: Some("123456789012".to_owned()), ..messages::stale(name) };
    let ecs = AlertItem {
        kind: DeploymentKind::Ecs,
        arn: Some("arn:aws:ecs:eu-west-1:123456789012:service/prod/checkout".to_owned()),
        ..item("checkout")
    };
    let ecr = AlertItem { kind: DeploymentKind::Ecr, tags: vec!["421".to_owned()], ..item("search") };
    import(&moto, &[one(item("orders")), one(ecs), one(ecr), messages::test()]).await;
    let found = peers::security_hub_findings(&moto, "eu-west-1", "123456789012");
    let kinds: Vec<_> = found.iter().map(|finding| finding["Resources"][0]["Type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["AwsLambdaFunction", "AwsEcsService", "AwsEcrContainerImage"]);
    let own = peers::security_hub_findings(&moto, "us-east-1", "123456789012");
    assert_eq!((own.len(), own[0]["RecordState"].as_str()), (1, Some("ARCHIVED")), "a test leaves nothing to do");

    let ended = Some("now built on the current release".to_owned());
    import(&moto, &[one(AlertItem { event: EventKind::Resolved, ended, ..item("orders") })]).await;
    let after = peers::security_hub_findings(&moto, "eu-west-1", "123456789012");
    assert_eq!(after.len(), 3, "updated, and not added");
    let states: Vec<_> = after.iter().map(|finding| finding["RecordState"].as_str().expect("a state")).collect();
    assert_eq!(states, ["ARCHIVED", "ACTIVE", "ACTIVE"]);
}

#[tokio::test]
async fn a_thousand_findings_take_ten_calls() {
    let moto = peers::moto();
    let mark = moto.mark();
    let messages: Vec<_> = (0..1000).map(|number| one(messages::stale(&format!("orders-{number}")))).collect();
    import(&moto, &messages).await;
    let calls = moto.calls_since(mark);
    assert_eq!(calls, vec!["securityhub BatchImportFindings"; 10]);
}
