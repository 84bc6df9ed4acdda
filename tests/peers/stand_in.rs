//! Checks of the AWS emulator where moto alone differs from AWS, with the SDK only.

use aws_sdk_ecr::{
    error::ProvideErrorMetadata as _,
    types::{DescribeImagesFilter, ImageIdentifier, ImageStatusFilter},
};
use aws_sdk_ecs::types::DesiredStatus;
use aws_sdk_lambda::types::{FunctionVersion, State};
use serde_json::json;

use crate::{
    account::{Account, Function, REGION, owner},
    environment::ACCOUNT,
};
use testbed::{
    peers,
    seed::{Image, Recipe},
};

fn image(application: &str) -> Image {
    Recipe::new("2026-11-19T20:00:00Z", &["al2023", application]).build()
}

#[tokio::test]
async fn a_function_keeps_the_image_its_tag_pointed_at() {
    let moto = peers::moto();
    let own = Account::of(&moto, ACCOUNT, REGION, owner());
    own.prepare_functions().await;
    let (old, new) = (image("old"), image("new"));
    own.push("orders", "1", &old).await;
    own.function(&Function::new("orders", own.image("orders:1"))).await;
    own.push("orders", "1", &new).await;
    let get = || own.lambda().get_function().function_name("orders");
    let before = get().send().await.expect("a function");
    let code = before.code().expect("its code");
    assert_eq!(code.image_uri(), Some(&*own.image("orders:1")));
    assert_eq!(code.resolved_image_uri(), Some(&*own.image(&format!("orders@{}", old.digest))));
    let before = before.configuration().expect("its configuration");
    assert_eq!(Some(before.code_sha256().expect("a hash")), old.digest.strip_prefix("sha256:"));
    assert_eq!(own.publish("orders").await, "1");
    own.update("orders", &own.image("orders:1")).await;
    let after = get().send().await.expect("a function");
    assert_eq!(after.code().unwrap().resolved_image_uri(), Some(&*own.image(&format!("orders@{}", new.digest))));
    assert_ne!(after.configuration().unwrap().revision_id(), before.revision_id());
    let published = get().qualifier("1").send().await.expect("a version");
    assert_eq!(published.code().unwrap().resolved_image_uri(), code.resolved_image_uri(), "versions are immutable");
    own.bring_into("orders", json!({ "State": "Failed", "StateReasonCode": "ImageDeleted" })).await;
    let failed = get().send().await.expect("a function");
    assert_eq!(failed.configuration().unwrap().state(), Some(&State::Failed));
    let missing = own.lambda().update_function_code().function_name("orders").image_uri(own.image("orders:none"));
    assert_eq!(missing.send().await.unwrap_err().code(), Some("InvalidParameterValueException"));
}

#[tokio::test]
async fn functions_are_listed_fifty_a_page_without_their_states() {
    let moto = peers::moto();
    let own = Account::of(&moto, ACCOUNT, REGION, owner());
    own.prepare_functions().await;
    own.push("orders", "1", &image("one")).await;
    for number in 0..50 {
        own.function(&Function::new(&format!("orders-{number}"), own.image("orders:1"))).await;
    }
    own.publish("orders-7").await;
    let request = || own.lambda().list_functions().function_version(FunctionVersion::All).max_items(1000);
    let first = request().send().await.expect("a page");
    let last = request().marker(first.next_marker().expect("there is more")).send().await.expect("a page");
    assert_eq!((first.functions().len(), last.functions().len(), last.next_marker()), (50, 1, None));
    for listed in first.functions().iter().chain(last.functions()) {
        assert!(listed.state().is_none() && listed.last_update_status().is_none(), "{listed:?}");
        assert!(listed.revision_id().is_some() && listed.code_sha256().is_some(), "{listed:?}");
    }
    assert_eq!(request().marker("x").send().await.unwrap_err().code(), Some("InvalidParameterValueException"));
}

#[tokio::test]
async fn images_stay_when_their_tag_moves_and_when_they_are_archived() {
    let moto = peers::moto();
    let own = Account::of(&moto, ACCOUNT, REGION, owner());
    let (old, new) = (image("old"), image("new"));
    own.push("orders", "1", &old).await;
    own.push("orders", "1", &new).await;
    own.archive("orders", &new).await;
    let list = |status| {
        let filter = DescribeImagesFilter::builder().image_status(status).build();
        own.ecr().describe_images().repository_name("orders").filter(filter).max_results(1)
    };
    let first = list(ImageStatusFilter::Any).send().await.expect("a page");
    let second = list(ImageStatusFilter::Any).next_token(first.next_token().expect("there is more"));
    let second = second.send().await.expect("a page");
    let (first, second) = (&first.image_details()[0], &second.image_details()[0]);
    assert_eq!(first.image_digest(), Some(&*old.digest));
    assert!(first.image_tags().is_empty() && first.image_pushed_at() < second.image_pushed_at());
    assert_eq!((second.image_digest(), second.image_tags()), (Some(&*new.digest), &["1".to_owned()][..]));
    let active = list(ImageStatusFilter::Active).send().await.expect("a page");
    assert_eq!(active.image_details().iter().filter_map(|it| it.image_digest()).collect::<Vec<_>>(), [&old.digest]);
    let id = ImageIdentifier::builder().image_tag("1").build();
    let got = own.ecr().batch_get_image().repository_name("orders").image_ids(id).send().await.expect("a response");
    assert!(got.images().is_empty() && got.failures().len() == 1, "{got:?}");
    let token = own.ecr().get_authorization_token().send().await.expect("a token");
    assert!(token.authorization_data()[0].expires_at().expect("an end").secs() > chrono::Utc::now().timestamp());
}

#[tokio::test]
async fn services_have_revisions_and_tasks_that_run_on() {
    let moto = peers::moto();
    let own = Account::of(&moto, ACCOUNT, REGION, owner());
    let (app, sidecar) = (image("app"), image("sidecar"));
    own.push("app", "1", &app).await;
    own.push("sidecar", "1", &sidecar).await;
    own.cluster("prod").await;
    own.cluster("prod-eu").await;
    own.define("web", &[("app", own.image("app:1")), ("proxy", own.image("sidecar:1"))]).await;
    own.service("prod", "web", "web", 2, &[]).await;
    own.task("prod", "web", &[]).await;
    own.push("app", "1", &image("newer")).await;
    let tasks = own.ecs().list_tasks().cluster("prod").desired_status(DesiredStatus::Running);
    let tasks = tasks.send().await.expect("a list").task_arns.unwrap_or_default();
    assert_eq!(tasks.len(), 3);
    assert!(own.ecs().list_tasks().cluster("prod-eu").send().await.expect("a list").task_arns().is_empty());
    for _ in 0..6 {
        let request = own.ecs().describe_tasks().cluster("prod").set_tasks(Some(tasks.clone()));
        for task in request.send().await.expect("tasks").tasks() {
            assert_eq!(task.last_status(), Some("RUNNING"));
            let images: Vec<_> = task.containers().iter().map(|it| (it.name(), it.image_digest())).collect();
            assert_eq!(images, [(Some("app"), Some(&*app.digest)), (Some("proxy"), Some(&*sidecar.digest))]);
        }
    }
    let service = own.ecs().describe_services().cluster("prod").services("web").send().await.expect("a service");
    let revision = service.services()[0].current_service_revisions()[0].arn().expect("an ARN").to_owned();
    let revision = own.ecs().describe_service_revisions().service_revision_arns(revision).send().await;
    let revision = revision.expect("a revision");
    let images = revision.service_revisions()[0].container_images().iter();
    let images: Vec<_> = images.map(|it| (it.container_name(), it.image_digest())).collect();
    assert_eq!(images, [(Some("app"), Some(&*app.digest)), (Some("proxy"), Some(&*sidecar.digest))]);
}

#[tokio::test]
async fn a_role_has_to_exist_and_to_trust() {
    let moto = peers::moto();
    let other = Account::join(&moto, "210987654321").await;
    let own = Account::of(&moto, ACCOUNT, REGION, owner());
    let sts = crate::account::sts(&moto);
    let assume = || {
        let request = sts.assume_role().role_arn("arn:aws:iam::210987654321:role/basewatch-audit");
        request.role_session_name("tests")
    };
    assert_eq!(assume().send().await.unwrap_err().code(), Some("AccessDenied"), "there is no such role");
    other.role("basewatch-audit", Some("the-secret")).await;
    assert_eq!(assume().send().await.unwrap_err().code(), Some("AccessDenied"), "without the external id");
    assert!(assume().external_id("the-secret").send().await.is_ok());
    other.push("orders", "1", &image("one")).await;
    let list = own.ecr().describe_repositories().send().await.expect("a list");
    assert!(list.repositories().is_empty(), "accounts do not see each other's repositories");
}
