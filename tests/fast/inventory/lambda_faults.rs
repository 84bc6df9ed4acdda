//! Failures of Lambda: each is a collection error or an image error with its code, and the rest is still read.

use basewatch::{
    aws::{AccountSelection, AccountSettings},
    inventory::{AffectedScope, DeploymentKind, ImageAvailability, LambdaSettings, OwnerSettings},
};
use serde_json::json;
use testbed::aws::{Answer, Call, CloudImage};

use crate::inventory::{
    account::{Account, asked, function},
    lambda::{find, functions, rig_but, rig_with, since},
    rig::{REGION, Rig, codes, ids, regions, unreadable},
};

const DENIED: &str = "User: arn:aws:iam::123456789012:user/x is not authorized to perform that";

fn denied() -> Answer {
    Answer::Http(403, json!({ "__type": "AccessDeniedException", "Message": DENIED }))
}

fn not_found() -> Answer {
    let body = json!({ "Type": "User", "__type": "ResourceNotFoundException", "Message": "Function not found" });
    Answer::Http(404, body)
}

fn throttled() -> Answer {
    let code = "TooManyRequestsException";
    Answer::Http(429, json!({ "Reason": "CallerRateLimitExceeded", "__type": code, "message": "Rate exceeded" }))
}

/// Functions `a`, `b` and `c`, of which `b` is published; `a` in another region as well.
fn model(image: &CloudImage) -> Account {
    let published = function(REGION, "b", image).published_as(1).alias("live", 1);
    Account::new()
        .functions(REGION, [function(REGION, "a", image), published, function(REGION, "c", image)])
        .functions("us-east-1", [function("us-east-1", "a", image)])
}

fn faulty(fault: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) -> Rig {
    rig_but(model, fault)
}

fn is(call: &Call, what: &str) -> bool {
    asked(std::slice::from_ref(call)) == [what]
}

fn both_regions() -> LambdaSettings {
    LambdaSettings { regions: regions(&[REGION, "us-east-1"]), ..functions() }
}

#[tokio::test]
async fn a_denied_region_leaves_the_others_intact() {
    let rig = faulty(|call| (call.service == "lambda" && call.region == "eu-west-1").then(denied));
    let found = rig.look_at_functions(&[both_regions()]).await;
    assert_eq!(ids(&found.deployments), ["lambda:us-east-1:123456789012:a:$LATEST"]);
    assert_eq!(codes(&found.errors), [("lambda eu-west-1", "access-denied")]);
    let message = format!("lambda:ListFunctions in eu-west-1: AccessDeniedException: {DENIED} (request req-1)");
    assert_eq!(found.errors[0].message, message);
}

#[tokio::test]
async fn a_throttled_region_is_one_error_after_the_last_attempt() {
    let rig =
        Rig { attempts: 5, ..faulty(|call| (call.service == "lambda" && call.region == "eu-west-1").then(throttled)) };
    let found = rig.look_at_functions(&[both_regions()]).await;
    assert_eq!(ids(&found.deployments), ["lambda:us-east-1:123456789012:a:$LATEST"]);
    assert_eq!(codes(&found.errors), [("lambda eu-west-1", "throttled")]);
    let lists = since(&rig, 0).iter().filter(|call| *call == "list").count();
    assert_eq!(lists, 1 + 8, "eight attempts where others get five, and the other region");
}

#[tokio::test]
async fn throttling_that_ends_is_waited_out() {
    let rig = faulty(|call| (is(call, "get a") && call.nth == 0).then(throttled));
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!((found.deployments.len(), codes(&found.errors), unreadable(&found)), (4, vec![], vec![]));
}

#[tokio::test]
async fn a_page_that_fails_midway_keeps_earlier_pages_and_the_cache() {
    let rig = rig_but(
        |image| model(image).paged(2),
        |call| (call.nth > 0 && call.parameters.contains_key("Marker")).then(denied),
    );
    assert_eq!(rig.look_at_functions(&[functions()]).await.deployments.len(), 4);
    let second = rig.look_at_functions(&[functions()]).await;
    assert_eq!(codes(&second.errors), [("lambda eu-west-1", "access-denied")]);
    assert_eq!(second.deployments[0].name, "a");

    let rig = Rig { catalog: rig.catalog.clone(), now: rig.now, ..rig_with(|image| model(image).paged(2)) };
    let third = rig.look_at_functions(&[functions()]).await;
    assert_eq!(third.deployments.len(), 4);
    assert_eq!(since(&rig, 0), ["aliases b", "list", "list"], "all of them are cached");
}

#[tokio::test]
async fn a_list_that_repeats_its_marker_ends() {
    let rig = faulty(|call| is(call, "list").then(|| Answer::ok(json!({ "Functions": [], "NextMarker": "again" }))));
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(codes(&found.errors), [("lambda eu-west-1", "malformed")]);
    assert_eq!(since(&rig, 0), ["list", "list"]);
}

#[tokio::test]
async fn a_function_deleted_during_the_run_is_left_out() {
    let rig = faulty(|call| (is(call, "get a") || is(call, "aliases b") || is(call, "get b")).then(not_found));
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(ids(&found.deployments), ["lambda:eu-west-1:123456789012:c:$LATEST"]);
    assert_eq!(found.errors, []);
}

#[tokio::test]
async fn unreadable_functions_are_reported_and_make_one_error() {
    let rig = faulty(|call| (is(call, "get a") || is(call, "get b 1")).then(denied));
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(unreadable(&found), [("a", "registry-denied"), ("b", "registry-denied")]);
    assert_eq!(codes(&found.errors), [("lambda eu-west-1", "access-denied")]);
    assert!(found.errors[0].message.ends_with("(and 1 more like this)"), "{}", found.errors[0].message);
    let a = find(&found.deployments, ":a:$LATEST");
    let why = &a.image.as_ref().unwrap_err().message;
    assert!(why.starts_with("lambda:GetFunction of a:$LATEST in eu-west-1: AccessDeniedException"), "{why}");
    assert_eq!((a.reference.to_string(), &a.workload), ("unknown".to_owned(), &None));
    assert!(find(&found.deployments, ":c:$LATEST").image.is_ok());
}

#[tokio::test]
async fn the_cached_image_of_a_function_is_used_after_its_permission_was_removed() {
    let before = faulty(|_| None);
    before.look_at_functions(&[functions()]).await;
    let now = before.now + chrono::TimeDelta::days(30);
    let rig = Rig { catalog: before.catalog.clone(), now, ..faulty(|call| is(call, "get a").then(denied)) };
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(unreadable(&found), []);
    assert_eq!(codes(&found.errors), [("lambda eu-west-1", "access-denied")], "its state may be another by now");
}

#[tokio::test]
async fn without_permission_for_aliases_the_functions_are_still_read() {
    let rig = faulty(|call| is(call, "aliases b").then(denied));
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!((found.deployments.len(), codes(&found.errors)), (3, vec![("lambda eu-west-1", "access-denied")]));
    assert!(found.errors[0].message.starts_with("lambda:ListAliases of b in eu-west-1"));
}

#[tokio::test]
async fn unreadable_tags_are_an_error_only_if_they_are_needed() {
    let tags_error = json!({ "ErrorCode": "AccessDeniedException", "Message": "no lambda:ListTags" });
    let mut rig = rig_but(model, move |call| {
        let error = json!({ "TagsError": tags_error, "Configuration": { "State": "Active" } });
        (is(call, "get a")).then(|| Answer::ok(error))
    });
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(codes(&found.errors), []);
    rig.owners = OwnerSettings { tags: vec!["team".into()], ..OwnerSettings::default() };
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(codes(&found.errors), [("lambda eu-west-1", "access-denied")]);
    assert!(found.errors[0].message.contains("no lambda:ListTags"), "{}", found.errors[0].message);
}

#[tokio::test]
async fn a_deleted_image_is_reported_by_the_function_and_by_the_repository() {
    let rig = rig_with(|image| {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders";
        let gone = format!("{host}@{}", basewatch::image::Digest::sha256(b"gone"));
        let failed = function(REGION, "failed", image)
            .coded("ResolvedImageUri", gone)
            .configured("State", "Failed")
            .configured("StateReasonCode", "ImageDeleted")
            .configured("StateReason", "The image was deleted");
        let idle =
            function(REGION, "idle", image).configured("State", "Inactive").configured("StateReasonCode", "Idle");
        Account::new().functions(REGION, [failed, idle])
    });
    let found = rig.look_at_functions(&[functions()]).await;
    let failed = find(&found.deployments, "failed:$LATEST");
    assert_eq!(
        (crate::inventory::rig::reason_code(failed.image.as_ref().unwrap_err()), failed.holding),
        ("image-missing", ImageAvailability::Gone)
    );
    let workload = failed.workload.as_ref().unwrap();
    assert_eq!(
        (workload.state.as_deref(), workload.state_reason_code.as_deref()),
        (Some("Failed"), Some("ImageDeleted"))
    );
    assert_eq!(workload.state_reason.as_deref(), Some("The image was deleted"));
    let idle = find(&found.deployments, "idle:$LATEST");
    assert_eq!(idle.workload.as_ref().unwrap().state.as_deref(), Some("Inactive"));
    assert!(idle.image.is_ok());
}

#[tokio::test]
async fn an_image_without_a_digest_is_reported_with_the_error_of_lambda() {
    let rig = rig_with(|image| {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders";
        let function = |name| function(REGION, name, image);
        let malformed = function("malformed").coded("ResolvedImageUri", format!("{host}@sha256@sha256:00"));
        let untold = function("untold")
            .coded("ResolvedImageUri", json!(null))
            .coded("Error", json!({ "ErrorCode": "ImageNotFound", "Message": "it is gone" }));
        Account::new().functions(REGION, [malformed, untold])
    });
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(unreadable(&found), [("malformed", "registry-malformed"), ("untold", "image-missing")]);
    let why = &found.deployments[1].image.as_ref().unwrap_err().message;
    assert_eq!(why, "Lambda does not report the running image: ImageNotFound: it is gone");
    assert!(found.deployments[1].reference.to_string().ends_with("/orders:421"), "as it was named");
}

#[tokio::test]
async fn a_listed_image_function_without_an_arn_is_an_error() {
    let rig = faulty(|call| {
        let odd = json!({ "PackageType": "Image", "FunctionName": "odd", "Version": "$LATEST", "CodeSize": 0 });
        is(call, "list").then(|| Answer::ok(json!({ "Functions": [odd] })))
    });
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!((found.deployments.len(), codes(&found.errors)), (0, vec![("lambda eu-west-1", "malformed")]));
}

/// The response of STS for a role in `account`.
fn assumed(account: &str) -> Answer {
    Answer::Xml(
        200,
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>y</SessionToken>\
             <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

#[tokio::test]
async fn each_account_is_read_with_its_own_role_and_cached_separately() {
    let fault = |call: &Call| {
        let account = call.body["RoleArn"].as_str().and_then(|arn| arn.split(':').nth(4));
        let is_other = call.access_key == "ASIA210987654321" && call.service == "lambda";
        account.map(assumed).or_else(|| is_other.then(denied))
    };
    let ids_of = |accounts: [&str; 2]| accounts.map(|id| id.parse().unwrap()).into_iter().collect();
    let members = AccountSettings {
        role: "arn:aws:iam::{account}:role/basewatch-audit".parse().unwrap(),
        external_id: None,
        members: AccountSelection::Listed(ids_of(["123456789012", "210987654321"])),
        only: Vec::new(),
    };
    let rig = Rig { members: Some(members), ..faulty(fault) };
    for calls in
        [vec!["aliases b", "get a", "get b", "get b 1", "get c", "list", "list"], vec!["aliases b", "list", "list"]]
    {
        let before = rig.cloud.recorded().len();
        let found = rig.look_at_functions(&[functions()]).await;
        assert_eq!((found.deployments.len(), unreadable(&found)), (4, vec![]));
        assert_eq!(codes(&found.errors), [("lambda eu-west-1 of 210987654321", "access-denied")]);
        let extent = AffectedScope {
            kind: Some(DeploymentKind::Lambda),
            account: "210987654321".parse().ok(),
            region: "eu-west-1".parse().ok(),
            repository: None,
        };
        assert_eq!(found.errors[0].affected, extent);
        assert_eq!(since(&rig, before), calls);
    }
    let calls = rig.cloud.recorded();
    let of_lambda = calls.iter().filter(|call| call.service == "lambda");
    assert!(of_lambda.clone().all(|call| call.access_key.starts_with("ASIA")), "never as basewatch itself");
}
