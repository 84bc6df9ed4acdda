//! The Lambda inventory: functions with the data of AWS, and the number of requests.

use std::time::Duration;

use crate::inventory::{
    account::{ACCOUNT, Account, asked, function, second},
    memory_registry::MemoryRegistry,
    rig::{REGION, Rig, codes, ids, named, regions, unreadable},
};
use basewatch::{
    image::LambdaArch,
    inventory::{Deployment, DeploymentKind, ImageAvailability, LambdaSettings, OwnerSettings, Selector, Workload},
};
use serde_json::json;
use testbed::aws::{Answer, Call, CloudFunction, CloudImage, CloudVersion};

pub(crate) fn functions() -> LambdaSettings {
    LambdaSettings { regions: regions(&[REGION]), selector: Selector::default(), refresh: Duration::from_hours(24) }
}

/// One image in `orders` of two regions.
pub(crate) fn rig_with(model: impl FnOnce(&CloudImage) -> Account) -> Rig {
    rig_but(model, |_| None)
}

/// The same, with `fault` responding first.
pub(crate) fn rig_but(
    model: impl FnOnce(&CloudImage) -> Account,
    fault: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static,
) -> Rig {
    let registry = MemoryRegistry::new();
    let image = registry.image("orders").with_tags(&["421"]).pushed(second(1_755_000_000));
    let account = model(&image).images(REGION, "orders", [image.clone()]).images("us-east-1", "orders", [image]);
    Rig::with_faults(registry, account, move |call| {
        if call.operation == "ListFunctions" {
            assert_eq!((&*call.parameters["FunctionVersion"], &*call.parameters["MaxItems"]), ("ALL", "50"));
        }
        fault(call)
    })
}

/// The calls of Lambda after the first `before` calls of any service.
pub(crate) fn since(rig: &Rig, before: usize) -> Vec<String> {
    asked(&rig.cloud.recorded()[before..])
}

/// The calls of Lambda of another run over all functions.
async fn look_again(rig: &Rig) -> Vec<String> {
    let before = rig.cloud.recorded().len();
    rig.look_at_functions(&[functions()]).await;
    since(rig, before)
}

pub(crate) fn find<'a>(deployments: &'a [Deployment], id: &str) -> &'a Deployment {
    let found = deployments.iter().find(|deployment| deployment.id.ends_with(id));
    found.unwrap_or_else(|| panic!("no {id} in {:?}", ids(deployments)))
}

#[tokio::test]
async fn a_function_is_one_deployment_with_the_data_of_lambda() {
    let rig = rig_with(|image| {
        let function = function(REGION, "orders", image)
            .changed(|latest| {
                latest.architecture = LambdaArch::Arm64;
                latest.last_modified = "2026-11-18T21:30:00Z".parse().unwrap();
            })
            .configured("ImageConfigResponse", json!({ "ImageConfig": { "Command": ["app.handler"] } }));
        Account::new().functions(REGION, [function])
    });
    let found = rig.look_at_functions(&[functions()]).await;
    assert_eq!(found.errors, []);
    let [deployment] = found.deployments.as_slice() else { panic!("{found:?}") };
    assert_eq!(deployment.id, "lambda:eu-west-1:123456789012:orders:$LATEST");
    assert_eq!((deployment.kind, deployment.name.as_str()), (DeploymentKind::Lambda, "orders"));
    assert_eq!(deployment.qualifier.as_deref(), Some("$LATEST"));
    assert_eq!(deployment.account.as_deref(), Some(ACCOUNT));
    assert_eq!(deployment.region.as_deref(), Some(REGION));
    assert_eq!(deployment.arn.as_deref(), Some("arn:aws:lambda:eu-west-1:123456789012:function:orders:$LATEST"));
    assert_eq!(deployment.reference.to_string(), "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421");
    let workload = Workload {
        version: None,
        state: Some("Active".into()),
        state_reason_code: None,
        state_reason: None,
        last_update_status: None,
        last_update_status_reason_code: None,
        last_update_status_reason: None,
        architecture: Some(LambdaArch::Arm64),
        memory_mb: Some(512),
        command: vec!["app.handler".into()],
        modified_at: "2026-11-18T21:30:00Z".parse().ok(),
    };
    assert_eq!(deployment.workload.as_deref(), Some(&workload));
    assert_eq!(
        (deployment.holding, deployment.pushed_at.unwrap().timestamp()),
        (ImageAvailability::Held, 1_755_000_000)
    );
    assert_eq!(deployment.image.as_ref().unwrap().facts.labels["name"], "orders");
    assert_eq!(*rig.accounts.lock().unwrap(), [ACCOUNT], "its registry may now be asked");
    assert_eq!(since(&rig, 0), ["get orders", "list"]);
    assert_eq!(rig.requests.snapshot()["lambda"]["api"], 2);
}

#[tokio::test]
async fn lists_are_read_to_their_last_page_and_zip_functions_are_ignored() {
    let rig = rig_with(|image| {
        let names = ["a", "b", "c", "d", "e"];
        let images = names.map(|name| function(REGION, name, image));
        let zip = CloudFunction::new("zip", CloudVersion::zip("java21")).published_as(1);
        Account::new().functions(REGION, images).functions(REGION, [zip]).paged(2)
    });
    let found = rig.look_at_functions(&[functions()]).await;
    let names: Vec<_> = found.deployments.iter().map(|deployment| deployment.name.as_str()).collect();
    assert_eq!((names, found.errors.as_slice()), (vec!["a", "b", "c", "d", "e"], [].as_slice()));
    assert_eq!(since(&rig, 0), ["get a", "get b", "get c", "get d", "get e", "list", "list", "list", "list"]);
    assert_eq!(rig.cloud.recorded_calls("BatchGetImage").len(), 1, "they run one image");
}

#[tokio::test]
async fn each_alias_is_a_deployment_and_aliases_are_listed_for_published_functions_only() {
    let rig = rig_with(|image| {
        let published = function(REGION, "orders", image).published_as(7).published_as(8).published_as(9);
        let published = published.weighted_alias("live", 7, 8, 0.1);
        let published = published.alias("old", 7).alias("next", "$LATEST");
        Account::new().functions(REGION, [published, function(REGION, "plain", image)]).paged(2)
    });
    let found = rig.look_at_functions(&[functions()]).await;
    let id = "lambda:eu-west-1:123456789012:orders";
    assert_eq!(
        ids(&found.deployments),
        [
            &format!("{id}:$LATEST"),
            &format!("{id}:live"),
            &format!("{id}:live/8"),
            &format!("{id}:next"),
            &format!("{id}:old"),
            "lambda:eu-west-1:123456789012:plain:$LATEST",
        ]
    );
    let version = |id: &str| find(&found.deployments, id).workload.as_ref().unwrap().version.clone();
    assert_eq!((version(":live"), version(":live/8"), version(":next")), (Some("7".into()), Some("8".into()), None));
    let live = find(&found.deployments, ":live");
    assert_eq!(live.qualifier.as_deref(), Some("live"));
    assert_eq!(live.arn.as_deref(), Some("arn:aws:lambda:eu-west-1:123456789012:function:orders:live"));
    let calls = since(&rig, 0);
    let lists = calls.iter().filter(|call| *call == "list").count();
    assert_eq!(
        calls[..6],
        ["aliases orders", "aliases orders", "get orders", "get orders 7", "get orders 8", "get plain"]
    );
    assert_eq!((lists, calls.len()), (3, 9));
}

#[tokio::test]
async fn a_second_run_over_an_unchanged_fleet_sends_list_calls_only() {
    let rig = rig_with(|image| {
        let published = function(REGION, "orders", image).published_as(7).alias("live", 7);
        Account::new().functions(REGION, [published, function(REGION, "plain", image)])
    });
    let first = rig.look_at_functions(&[functions()]).await;
    let before = rig.cloud.recorded().len();
    let registry = rig.registry.asked();
    let second = rig.look_at_functions(&[functions()]).await;
    assert_eq!(since(&rig, before), ["aliases orders", "list"]);
    let operations: Vec<_> = rig.cloud.recorded()[before..].iter().map(|call| call.operation.clone()).collect();
    assert_eq!(operations.iter().filter(|operation| *operation == "DescribeImages").count(), 1);
    assert_eq!(operations.len(), 3, "{operations:?}");
    assert_eq!(rig.registry.asked(), registry);
    assert_eq!(ids(&first.deployments), ids(&second.deployments));
    assert_eq!(first.deployments[0].workload, second.deployments[0].workload);
    assert_eq!(first.deployments[0].reference, second.deployments[0].reference);
}

#[tokio::test]
async fn a_function_is_read_again_after_a_change_or_its_maximum_cache_age() {
    let model =
        |image: &CloudImage| Account::new().functions(REGION, ["a", "b"].map(|name| function(REGION, name, image)));
    let rig = rig_with(model);
    rig.look_at_functions(&[functions()]).await;

    let changed = |image: &CloudImage| {
        let b = function(REGION, "b", image).changed(|latest| latest.revision += 1);
        Account::new().functions(REGION, [function(REGION, "a", image), b])
    };
    let mut rig = Rig { catalog: rig.catalog.clone(), now: rig.now, ..rig_with(changed) };
    rig.look_at_functions(&[functions()]).await;
    assert_eq!(since(&rig, 0), ["get b", "list"]);

    rig.now += chrono::TimeDelta::hours(23);
    assert_eq!(look_again(&rig).await, ["list"]);

    rig.now += chrono::TimeDelta::hours(1);
    assert_eq!(look_again(&rig).await, ["get a", "get b", "list"]);
}

#[tokio::test]
async fn a_function_that_was_being_created_or_updated_is_read_again() {
    let rig = rig_with(|image| {
        let function = |name| function(REGION, name, image);
        let creating = function("creating").configured("State", "Pending");
        let updating = function("updating").configured("LastUpdateStatus", "InProgress");
        Account::new().functions(REGION, [creating, updating, function("idle").configured("State", "Inactive")])
    });
    let found = rig.look_at_functions(&[functions()]).await;
    let state = |id: &str| find(&found.deployments, id).workload.as_ref().unwrap().state.clone().unwrap();
    assert_eq!((state("creating:$LATEST"), state("idle:$LATEST")), ("Pending".into(), "Inactive".into()));
    assert_eq!(look_again(&rig).await, ["get creating", "get updating", "list"]);
}

#[tokio::test]
async fn functions_excluded_by_name_cost_no_call_and_stay_cached() {
    let rig = rig_with(|image| {
        let names = ["orders", "sandbox-x"];
        Account::new().functions(REGION, names.map(|name| function(REGION, name, image).published_as(1)))
    });
    let chosen = LambdaSettings { selector: named(&["*"], &["sandbox-*"]), ..functions() };
    let found = rig.look_at_functions(std::slice::from_ref(&chosen)).await;
    assert_eq!(ids(&found.deployments), ["lambda:eu-west-1:123456789012:orders:$LATEST"]);
    assert_eq!(since(&rig, 0), ["aliases orders", "get orders", "list"]);

    assert_eq!(look_again(&rig).await, ["aliases orders", "aliases sandbox-x", "get sandbox-x", "list"]);
    rig.look_at_functions(&[chosen]).await;
    assert_eq!(look_again(&rig).await, ["aliases orders", "aliases sandbox-x", "list"]);
}

#[tokio::test]
async fn two_tables_for_one_region_read_it_once_and_find_each_function_once() {
    let rig = rig_with(|image| {
        let names = ["orders", "payments", "other"];
        Account::new().functions(REGION, names.map(|name| function(REGION, name, image)))
    });
    let table = |include: &[&str]| LambdaSettings {
        regions: regions(&[REGION, REGION]),
        selector: named(include, &[]),
        ..functions()
    };
    let found = rig.look_at_functions(&[table(&["o*s", "payments"]), table(&["orders"])]).await;
    let names: Vec<_> = found.deployments.iter().map(|deployment| deployment.name.as_str()).collect();
    assert_eq!(names, ["orders", "payments"]);
    assert_eq!(since(&rig, 0), ["get orders", "get payments", "list"]);
}

#[tokio::test]
async fn each_region_has_its_own_functions() {
    let rig = rig_with(|image| {
        let functions = [function(REGION, "orders", image)];
        let elsewhere = function("us-east-1", "orders", image);
        Account::new().functions(REGION, functions).functions("us-east-1", [elsewhere])
    });
    let both = LambdaSettings { regions: regions(&[REGION, "us-east-1"]), ..functions() };
    let found = rig.look_at_functions(&[both]).await;
    let latest = |region: &str| format!("lambda:{region}:123456789012:orders:$LATEST");
    assert_eq!(ids(&found.deployments), [latest(REGION), latest("us-east-1")]);
    assert_eq!((unreadable(&found), codes(&found.errors)), (vec![], vec![]));
}

#[tokio::test]
async fn owners_and_selectors_use_the_function_tags_for_every_alias() {
    let mut rig = rig_with(|image| {
        let published = function(REGION, "orders", image).published_as(7).alias("live", 7);
        let ignored = function(REGION, "attic", image).tag("basewatch", "ignore");
        Account::new().functions(REGION, [published, ignored])
    });
    rig.owners = OwnerSettings { tags: vec!["team".into()], ..OwnerSettings::default() };
    let choice = Selector { exclude_resource_tags: vec!["basewatch=ignore".parse().unwrap()], ..Selector::default() };
    for _ in 0..2 {
        let settings = LambdaSettings { selector: choice.clone(), ..functions() };
        let found = rig.look_at_functions(&[settings]).await;
        let owners: Vec<_> = found.deployments.iter().map(|it| (it.id.as_str(), it.owner.as_deref())).collect();
        assert_eq!(
            owners,
            [
                ("lambda:eu-west-1:123456789012:orders:$LATEST", Some("payments")),
                ("lambda:eu-west-1:123456789012:orders:live", Some("payments")),
            ]
        );
    }
}

#[tokio::test]
async fn a_function_deployed_by_digest_has_a_reference_with_that_digest() {
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders";
    let rig = rig_with(|image| {
        let pinned = format!("{host}@{}", image.digest());
        Account::new().functions(REGION, [function(REGION, "orders", image).coded("ImageUri", pinned)])
    });
    let found = rig.look_at_functions(&[functions()]).await;
    let digest = &found.deployments[0].image.as_ref().unwrap().digest;
    assert_eq!(found.deployments[0].reference.to_string(), format!("{host}@{digest}"));
}

#[tokio::test]
async fn on_managed_instances_the_unqualified_deployment_is_the_latest_published_version() {
    let model = |image: &CloudImage| {
        let managed = function(REGION, "orders", image);
        let published = managed.latest.clone();
        let managed = managed.managed(published).published_as(7).weighted_alias("live", "$LATEST.PUBLISHED", 7, 0.5);
        Account::new().functions(REGION, [managed, function(REGION, "plain", image)])
    };
    let rig = rig_with(model);
    let found = rig.look_at_functions(&[functions()]).await;
    let id = "lambda:eu-west-1:123456789012";
    assert_eq!(
        ids(&found.deployments),
        [
            &format!("{id}:orders:$LATEST.PUBLISHED"),
            &format!("{id}:orders:live"),
            &format!("{id}:orders:live/7"),
            &format!("{id}:plain:$LATEST"),
        ]
    );
    let published = &found.deployments[0];
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:$LATEST.PUBLISHED";
    assert_eq!((published.qualifier.as_deref(), published.arn.as_deref()), (Some("$LATEST.PUBLISHED"), Some(arn)));
    assert_eq!(since(&rig, 0), ["aliases orders", "get orders $LATEST.PUBLISHED", "get orders 7", "get plain", "list"]);
    assert_eq!(look_again(&rig).await, ["aliases orders", "list"]);
}
