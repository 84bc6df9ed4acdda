//! Failures of ECS: each is a collection error with its code, and the rest is still read.

use std::sync::Arc;

use basewatch::inventory::EcsSettings;
use serde_json::json;
use testbed::aws::{Answer, Call};

use crate::inventory::{
    account::{Account, arn, revision, service, task},
    ecs::{ORDERS, Stock, calls_since, everything, orders, read_inventory, rig_but, rig_with},
    rig::{REGION, Rig, codes, ids, regions, unreadable},
};

const DENIED: &str = "User: arn:aws:iam::123456789012:user/x is not authorized to perform that";

fn denied() -> Answer {
    Answer::error("AccessDeniedException", DENIED)
}

fn throttled() -> Answer {
    Answer::error("ThrottlingException", "Rate exceeded")
}

/// Two clusters with a service and a task each.
fn model(stock: &Stock) -> Account {
    let app = [("app", ORDERS, Some(&stock.old))];
    let with = |model: Account, cluster| {
        let model = model.service(cluster, orders("1", &stock.old));
        let model = model.task(cluster, task("service:orders", "orders:7", 1, &app));
        model.task(cluster, task("family:nightly", "nightly:1", 1, &app))
    };
    let both = with(with(Account::new(), "prod"), "test");
    both.definition("orders:7", None, &app).definition("nightly:1", None, &app)
}

fn faulty(fault: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) -> Rig {
    rig_but(model, fault).0
}

fn of_test(call: &Call) -> bool {
    call.body["cluster"] == arn("cluster/test")
}

fn names(found: &basewatch::inventory::InventoryResult) -> Vec<&str> {
    found.deployments.iter().map(|deployment| deployment.name.as_str()).collect()
}

#[tokio::test]
async fn a_denied_region_leaves_the_others_intact() {
    let rig = faulty(|call| (call.service == "ecs" && call.region == "us-east-1").then(denied));
    let both = EcsSettings { regions: regions(&[REGION, "us-east-1"]), ..everything() };
    let found = read_inventory(&rig, &[both]).await;
    assert_eq!(names(&found), ["prod/orders", "prod/nightly", "test/orders", "test/nightly"]);
    assert_eq!(codes(&found.errors), [("ecs us-east-1", "access-denied")]);
    let message = format!("ecs:ListClusters in us-east-1: AccessDeniedException: {DENIED} (request req-1)");
    assert_eq!(found.errors[0].message, message);
}

#[tokio::test]
async fn a_denied_cluster_is_one_error_and_leaves_the_others_intact() {
    let found = read_inventory(&faulty(|call| of_test(call).then(denied)), &[everything()]).await;
    assert_eq!(names(&found), ["prod/orders", "prod/nightly"]);
    assert_eq!(codes(&found.errors), [("ecs eu-west-1 test", "access-denied")]);
}

#[tokio::test]
async fn a_temporarily_denied_cluster_stays_cached() {
    let first = faulty(|_| None);
    read_inventory(&first, &[everything()]).await;
    let since = |rig: Rig| Rig { catalog: Arc::clone(&first.catalog), ..rig };
    read_inventory(&since(faulty(|call| of_test(call).then(denied))), &[everything()]).await;
    read_inventory(&since(faulty(|call| (call.operation == "ListClusters").then(denied))), &[everything()]).await;
    let third = since(faulty(|_| None));
    read_inventory(&third, &[everything()]).await;
    assert!(!calls_since(&third, 0).contains("DescribeServiceRevisions"), "{}", calls_since(&third, 0));
}

#[tokio::test]
async fn a_throttled_cluster_is_an_error_unless_it_recovers_before_the_last_attempt() {
    let found = read_inventory(&faulty(|call| of_test(call).then(throttled)), &[everything()]).await;
    assert_eq!(codes(&found.errors), [("ecs eu-west-1 test", "throttled")]);
    assert_eq!(names(&found), ["prod/orders", "prod/nightly"]);
    let found = read_inventory(&faulty(|call| (call.nth == 0).then(throttled)), &[everything()]).await;
    assert_eq!((found.deployments.len(), codes(&found.errors)), (4, vec![]));
}

#[tokio::test]
async fn a_region_without_responses_is_given_up() {
    let (rig, _) = rig_but(
        |stock| (0..50).fold(Account::new(), |model, n| model.service(&format!("c{n}"), orders("1", &stock.old))),
        |call| (call.operation != "ListClusters" && call.service == "ecs").then(throttled),
    );
    let found = read_inventory(&rig, &[everything()]).await;
    let whole: Vec<_> = found.errors.iter().filter(|error| error.scope == "ecs eu-west-1").collect();
    assert_eq!((whole.len(), whole[0].code.as_str()), (1, "throttled"));
    assert!(whole[0].message.ends_with("; the rest of this region was skipped"), "{}", whole[0].message);
    // The eight concurrent calls at that time still finish.
    assert!(found.errors.len() <= 1 + 5 + 8, "{:?}", codes(&found.errors));
}

#[tokio::test]
async fn a_missing_resource_is_left_out_and_other_failures_are_errors() {
    let failing = |reason: &'static str| {
        move |call: &Call| {
            let failure = |arn: String| json!([{ "arn": arn, "reason": reason }]);
            match call.operation.as_str() {
                "DescribeServices" if of_test(call) => {
                    Some(Answer::ok(json!({ "services": [], "failures": failure(arn("service/test/orders")) })))
                }
                "DescribeTasks" if of_test(call) => {
                    Some(Answer::ok(json!({ "tasks": [], "failures": failure(arn("task/test/0")) })))
                }
                _ => None,
            }
        }
    };
    let gone = read_inventory(&faulty(failing("MISSING")), &[everything()]).await;
    assert_eq!((names(&gone), codes(&gone.errors)), (vec!["prod/orders", "prod/nightly"], vec![]));
    let denied = read_inventory(&faulty(failing("ACCESS_DENIED")), &[everything()]).await;
    assert_eq!(codes(&denied.errors), [("ecs eu-west-1 test", "access-denied")]);
    let broken = read_inventory(&faulty(failing("INTERNAL")), &[everything()]).await;
    assert_eq!(codes(&broken.errors), [("ecs eu-west-1 test", "failed")]);
    assert!(broken.errors[0].message.contains(": INTERNAL for arn:aws:ecs:"), "{}", broken.errors[0].message);
}

#[tokio::test]
async fn without_permission_for_revisions_the_images_come_from_tasks() {
    let found =
        read_inventory(&faulty(|call| (call.operation == "DescribeServiceRevisions").then(denied)), &[everything()])
            .await;
    assert_eq!(codes(&found.errors), [("ecs eu-west-1", "access-denied")]);
    assert_eq!((found.deployments.len(), unreadable(&found)), (4, vec![]));
    assert_eq!(found.deployments[0].workload.as_ref().unwrap().version.as_deref(), Some("7"), "of the definition");
}

#[tokio::test]
async fn without_permission_for_tasks_services_are_still_read() {
    let found = read_inventory(&faulty(|call| (call.operation == "ListTasks").then(denied)), &[everything()]).await;
    assert_eq!(names(&found), ["prod/orders", "test/orders"]);
    let expected = [("ecs eu-west-1 prod", "access-denied"), ("ecs eu-west-1 test", "access-denied")];
    assert_eq!((codes(&found.errors), unreadable(&found)), (expected.to_vec(), vec![]));
}

#[tokio::test]
async fn without_permission_for_task_definitions_only_their_data_is_missing() {
    let rig = faulty(|call| (call.operation == "DescribeTaskDefinition").then(denied));
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(codes(&found.errors), [("ecs eu-west-1", "access-denied")]);
    assert_eq!((found.deployments.len(), unreadable(&found)), (4, vec![]));
}

#[tokio::test]
async fn a_denied_task_definition_stops_further_requests_for_definitions() {
    let (rig, _) = rig_but(
        |stock| {
            (0..100).fold(Account::new(), |model, n| {
                model.task("prod", task("x", &format!("f{n}:1"), 1, &[("job", ORDERS, Some(&stock.old))]))
            })
        },
        |call| (call.operation == "DescribeTaskDefinition").then(denied),
    );
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(found.deployments.len(), 100);
    assert!(rig.cloud.recorded_calls("DescribeTaskDefinition").len() <= 8, "so many are under way at once");
}

#[tokio::test]
async fn a_page_that_fails_midway_keeps_what_was_read() {
    let (rig, _) = rig_but(
        |stock| model(stock).paged(1),
        |call| (call.operation == "ListTasks" && call.body.get("nextToken").is_some() && of_test(call)).then(denied),
    );
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(names(&found), ["prod/orders", "prod/nightly", "test/orders"]);
    assert_eq!(codes(&found.errors), [("ecs eu-west-1 test", "access-denied")]);
}

#[tokio::test]
async fn a_list_that_repeats_its_token_ends() {
    let again = |call: &Call| {
        (call.operation == "ListClusters").then(|| Answer::ok(json!({ "clusterArns": [], "nextToken": "again" })))
    };
    let rig = faulty(again);
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(
        (codes(&found.errors), calls_since(&rig, 0).as_str()),
        (vec![("ecs eu-west-1", "malformed")], "ListClusters 2")
    );
}

#[tokio::test]
async fn a_failed_connection_is_reported_as_unreachable() {
    let rig = faulty(|call| (call.service == "ecs").then_some(Answer::Refused));
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!((codes(&found.errors), found.deployments.len()), (vec![("ecs eu-west-1", "unreachable")], 0));
}

#[tokio::test]
async fn a_cluster_deleted_during_the_run_is_not_found() {
    let gone = |call: &Call| of_test(call).then(|| Answer::error("ClusterNotFoundException", "Cluster not found."));
    let found = read_inventory(&faulty(gone), &[everything()]).await;
    assert_eq!(codes(&found.errors), [("ecs eu-west-1 test", "not-found")]);
    assert_eq!(ids(&found.deployments).len(), 2);
}

#[tokio::test]
async fn a_malformed_image_name_is_reported_and_affects_no_other_container() {
    let (rig, _) = rig_with(|stock| {
        let images = [("bad", "Not an image", Some(&stock.old)), ("good", ORDERS, Some(&stock.old))];
        Account::new()
            .service("prod", service("web", "web:1").revised(revision("1", "web:1", 1, &images)))
            .definition("web:1", None, &images)
    });
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(unreadable(&found), [("prod/web", "image-malformed")]);
    assert_eq!(found.deployments.len(), 2);
}
