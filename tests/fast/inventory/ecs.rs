//! The ECS inventory: images of services and tasks, and the number of requests.

use std::sync::Arc;

use crate::inventory::{
    account::{
        ACCOUNT, Account, Container, arn, current, daemon_task, definition_arn, revision, second, service, task,
    },
    lambda::find,
    memory_registry::{MemoryRegistry, index},
    rig::{REGION, Rig, codes, ids, named, regions, unreadable},
};
use basewatch::{
    image::{Digest, LambdaArch},
    inventory::{
        DeployedImage, Deployment, DeploymentKind, EcsInventory, EcsSettings, Inventory, InventoryResult,
        OwnerSettings, Selector, Workload,
    },
    registry::Error,
};
use serde_json::json;
use testbed::aws::{self, Answer, Call, Cloud, CloudImage, CloudService};

/// The calls of a repeated run for one cluster.
const LISTS: &str = "DescribeServices 1, DescribeTasks 1, ListClusters 1, ListServices 1, ListTasks 1";
/// The image that containers of these tests name.
pub(crate) const ORDERS: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421";

/// The repository `orders` with an index and other images.
pub(crate) struct Stock {
    /// The index over the two platforms.
    pub(crate) index: Digest,
    pub(crate) arm: Digest,
    pub(crate) amd: Digest,
    /// A single image.
    pub(crate) old: Digest,
}

pub(crate) fn everything() -> EcsSettings {
    EcsSettings { regions: regions(&[REGION]), clusters: vec!["*".parse().unwrap()], selector: Selector::default() }
}

pub(crate) fn rig_with(model: impl FnOnce(&Stock) -> Account) -> (Rig, Stock) {
    rig_but(model, |_| None)
}

/// The same, with `fault` responding first.
pub(crate) fn rig_but(
    model: impl FnOnce(&Stock) -> Account,
    fault: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static,
) -> (Rig, Stock) {
    let registry = MemoryRegistry::new();
    let (arm, amd) = (registry.image_on("arm", "arm64"), registry.image("amd"));
    let old = registry.image("old");
    let both = index(&[("linux", "arm64", &arm), ("linux", "amd64", &amd)], &[]).with_tags(&["421"]);
    let digest = |image: &CloudImage| image.digest().clone();
    let stock = Stock { index: digest(&both), arm: digest(&arm), amd: digest(&amd), old: digest(&old) };
    let images = [both, arm, amd, old.with_tags(&["420"]).pushed(second(1_755_000_000))];
    let account = model(&stock).images(REGION, "orders", images);
    let rig = Rig::with_faults(registry, account, move |call| {
        assert!(call.operation != "ListTasks" || call.body["desiredStatus"] == "RUNNING");
        fault(call)
    });
    (rig, stock)
}

pub(crate) async fn read_inventory(rig: &Rig, settings: &[EcsSettings]) -> InventoryResult {
    EcsInventory::new(settings.to_vec(), rig.aws_scope()).deployments().await
}

/// The number of calls of each ECS operation after the first `before` calls.
pub(crate) fn calls_since(rig: &Rig, before: usize) -> String {
    let calls = rig.cloud.recorded();
    let mut counts = std::collections::BTreeMap::<_, usize>::new();
    for call in calls[before..].iter().filter(|call| call.service == "ecs") {
        *counts.entry(call.operation.clone()).or_default() += 1;
    }
    counts.into_iter().map(|(operation, count)| format!("{operation} {count}")).collect::<Vec<_>>().join(", ")
}

fn image(deployment: &Deployment) -> &DeployedImage {
    deployment.image.as_ref().unwrap()
}

/// A service of one revision with one container.
pub(crate) fn orders(id: &str, digest: &Digest) -> CloudService {
    service("orders", "orders:7").revised(revision(id, "orders:7", 1, &[("app", ORDERS, Some(digest))]))
}

#[tokio::test]
async fn a_container_is_one_deployment_with_the_data_of_ecs() {
    let (rig, stock) = rig_with(|stock| {
        let sidecar: Container<'_> = ("proxy", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders", Some(&stock.old));
        let app: Container<'_> = ("app", ORDERS, Some(&stock.index));
        let service = service("orders", "orders:7").revised(revision("12", "orders:7", 1, &[app, sidecar]));
        let definition = [("app", ORDERS, None), ("proxy", ORDERS, None)];
        Account::new().service("prod", service).definition("orders:7", Some("ARM64"), &definition)
    });
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(found.errors, []);
    let [deployment, proxy] = found.deployments.as_slice() else { panic!("{found:?}") };
    assert_eq!(deployment.id, "ecs:eu-west-1:123456789012:prod/orders:app");
    assert_eq!((deployment.kind, deployment.name.as_str()), (DeploymentKind::Ecs, "prod/orders"));
    assert_eq!(deployment.qualifier.as_deref(), Some("app"));
    assert_eq!((deployment.account.as_deref(), deployment.region.as_deref()), (Some(ACCOUNT), Some(REGION)));
    assert_eq!(deployment.arn.as_deref(), Some(arn("service/prod/orders").as_str()));
    assert_eq!(deployment.reference.to_string(), ORDERS);
    let workload = Workload {
        version: Some("12".into()),
        state: Some("ACTIVE".into()),
        architecture: Some(LambdaArch::Arm64),
        ..Workload::default()
    };
    assert_eq!(deployment.workload.as_deref(), Some(&workload));
    assert_eq!((&image(deployment).digest, image(deployment).index_annotations["of"].as_str()), (&stock.arm, "index"));
    assert_eq!(proxy.id, "ecs:eu-west-1:123456789012:prod/orders:proxy");
    assert_eq!(proxy.reference.to_string(), "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:latest");
    assert_eq!((&image(proxy).digest, proxy.pushed_at.unwrap().timestamp()), (&stock.old, 1_755_000_000));
    assert_eq!(*rig.accounts.lock().unwrap(), [ACCOUNT], "its registry may now be asked");
    assert_eq!(rig.requests.snapshot()["ecs"]["api"], 6);
}

#[tokio::test]
async fn the_digest_of_a_container_may_be_that_of_an_index_or_of_a_platform() {
    let on = |architecture: Option<&'static str>, launch_type: &'static str, digest: fn(&Stock) -> &Digest| {
        let (rig, stock) = rig_with(|stock| {
            let service = CloudService { launch_type: launch_type.into(), ..service("orders", "orders:7") };
            let service = service.revised(revision("1", "orders:7", 1, &[("app", ORDERS, Some(digest(stock)))]));
            Account::new().service("prod", service).definition("orders:7", architecture, &[("app", ORDERS, None)])
        });
        async move {
            let found = read_inventory(&rig, &[everything()]).await;
            let word = |it: &Deployment| {
                let name = if image(it).digest == stock.arm { "arm" } else { "amd" };
                format!("{} {name}", it.id.rsplit('/').next().unwrap())
            };
            found.deployments.iter().map(word).collect::<Vec<_>>()
        }
    };
    assert_eq!(on(Some("ARM64"), "FARGATE", |stock| &stock.index).await, ["orders:app arm"]);
    assert_eq!(on(None, "FARGATE", |stock| &stock.index).await, ["orders:app amd"], "the default of Fargate");
    assert_eq!(on(Some("ARM64"), "EC2", |stock| &stock.arm).await, ["orders:app arm"]);
    assert_eq!(
        on(Some("X86_64"), "EC2", |stock| &stock.arm).await,
        ["orders:app arm"],
        "it runs, whatever else is said"
    );
    assert_eq!(on(None, "EC2", |stock| &stock.amd).await, ["orders:app amd"]);
    let all = on(None, "EC2", |stock| &stock.index).await;
    assert_eq!(all, ["amd64 amd", "arm64 arm"], "the running platform is unknown");
}

#[tokio::test]
async fn during_a_rolling_deployment_both_revisions_are_deployments() {
    let (rig, stock) = rig_with(|stock| {
        let service = service("orders", "orders:8")
            .revised(revision(
                "1",
                "orders:7",
                1,
                &[("app", ORDERS, Some(&stock.old)), ("proxy", ORDERS, Some(&stock.amd))],
            ))
            .revised(revision(
                "2",
                "orders:8",
                2,
                &[("app", ORDERS, Some(&stock.arm)), ("proxy", ORDERS, Some(&stock.amd))],
            ));
        let containers = [("app", ORDERS, None), ("proxy", ORDERS, None)];
        Account::new()
            .service("prod", service.with("status", "DRAINING"))
            .definition("orders:7", None, &containers)
            .definition("orders:8", None, &containers)
    });
    let found = read_inventory(&rig, &[everything()]).await;
    let id = "ecs:eu-west-1:123456789012:prod/orders";
    let other = format!("{id}:app@{}", stock.old.short());
    assert_eq!(ids(&found.deployments), [&format!("{id}:app"), &other, &format!("{id}:proxy")]);
    let versions = found.deployments.iter().map(|it| it.workload.as_ref().unwrap().version.as_deref().unwrap());
    assert_eq!(versions.collect::<Vec<_>>(), ["2", "1", "2"]);
    assert_eq!(found.deployments[0].workload.as_ref().unwrap().state.as_deref(), Some("DRAINING"));
}

#[tokio::test]
async fn standalone_tasks_are_found_and_tasks_of_services_are_not_counted_twice() {
    let (rig, stock) = rig_with(|stock| {
        let app = [("app", ORDERS, Some(&stock.old))];
        let job =
            |digest| [("job", ORDERS, Some(digest)), ("aws-guardduty-agent-x1Y", "aws/agent:1", Some(&stock.amd))];
        Account::new()
            .service("prod", orders("1", &stock.old))
            .task("prod", task("service:orders", "orders:7", 1, &app))
            .task("prod", task("family:nightly", "nightly:3", 1, &job(&stock.old)))
            .task("prod", task("family:nightly", "nightly:4", 2, &job(&stock.index)))
            .task("prod", task("by-hand", "nightly:4", 3, &job(&stock.index)))
            .definition("orders:7", None, &app)
            .definition("nightly:3", None, &[("job", ORDERS, None)])
            .definition("nightly:4", Some("X86_64"), &[("job", ORDERS, None)])
    });
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(found.errors, []);
    let job = "ecs:eu-west-1:123456789012:prod/task/nightly:job";
    let other = format!("{job}@{}", stock.old.short());
    assert_eq!(ids(&found.deployments), ["ecs:eu-west-1:123456789012:prod/orders:app", job, &other]);
    let newest = find(&found.deployments, "nightly:job");
    assert_eq!(
        (newest.name.as_str(), newest.arn.as_deref()),
        ("prod/nightly", Some(definition_arn("nightly:4").as_str()))
    );
    assert_eq!(image(newest).digest, stock.amd);
    let workload = newest.workload.as_ref().unwrap();
    assert_eq!((workload.version.as_deref(), workload.state.as_deref()), (Some("4"), Some("RUNNING")));
}

#[tokio::test]
async fn clusters_services_and_families_are_selected_by_pattern() {
    let (rig, _) = rig_with(|stock| {
        let job = |family: &str| task("x", &format!("{family}:1"), 1, &[("job", ORDERS, Some(&stock.old))]);
        ["prod-a", "prod-b", "test"].into_iter().fold(Account::new(), |model, cluster| {
            let scratch = service("scratch", "scratch:1");
            let scratch = scratch.revised(revision("1", "scratch:1", 1, &[("app", ORDERS, Some(&stock.old))]));
            let model = model.service(cluster, orders("1", &stock.old)).service(cluster, scratch);
            model.task(cluster, job("nightly")).task(cluster, job("sandbox"))
        })
    });
    let clusters = |pattern: &str| vec![pattern.parse().unwrap()];
    let prod =
        EcsSettings { clusters: clusters("prod-*"), selector: named(&["*"], &["sandbox*", "scratch"]), ..everything() };
    let more = EcsSettings { clusters: clusters("*-a"), selector: named(&["orders", "scratch"], &[]), ..everything() };
    let found = read_inventory(&rig, &[prod, more]).await;
    let names: Vec<_> = found.deployments.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["prod-a/orders", "prod-a/scratch", "prod-a/nightly", "prod-b/orders", "prod-b/nightly"]);
    let services: Vec<_> =
        rig.cloud.recorded_calls("DescribeServices").into_iter().map(|call| call.body["services"].clone()).collect();
    assert!(services.contains(&json!([arn("service/prod-b/orders")])), "others are not even described: {services:?}");
    assert_eq!(rig.cloud.recorded_calls("ListServices").len(), 2, "each cluster once");
}

#[tokio::test]
async fn a_second_run_reads_no_revision_or_definition_again() {
    let model = |ids: &'static [&'static str]| {
        move |stock: &Stock| {
            let service = ids.iter().fold(service("orders", "orders:7"), |service, id| {
                service.revised(revision(id, &format!("orders:{id}"), 1, &[("app", ORDERS, Some(&stock.old))]))
            });
            let definitions = ["1", "2"].iter().fold(Account::new(), |model, id| {
                model.definition(&format!("orders:{id}"), None, &[("app", ORDERS, None)])
            });
            let task = |family: &str| task("x", family, 1, &[("job", ORDERS, Some(&stock.old))]);
            definitions.service("prod", service).task("prod", task("orders:1")).task("prod", task("orders:2"))
        }
    };
    let (first, _) = rig_with(model(&["1"]));
    let found = read_inventory(&first, &[everything()]).await;
    assert_eq!(
        calls_since(&first, 0),
        "DescribeServiceRevisions 1, DescribeServices 1, DescribeTaskDefinition 2, DescribeTasks 1, ListClusters 1, \
         ListServices 1, ListTasks 1"
    );
    let before = first.cloud.recorded().len();
    let again = read_inventory(&first, &[everything()]).await;
    assert_eq!((calls_since(&first, before).as_str(), ids(&again.deployments)), (LISTS, ids(&found.deployments)));

    let since = |rig: Rig| Rig { catalog: Arc::clone(&first.catalog), ..rig };
    let both = since(rig_with(model(&["1", "2"])).0);
    read_inventory(&both, &[everything()]).await;
    assert_eq!(
        both.cloud.recorded_calls("DescribeServiceRevisions")[0].body["serviceRevisionArns"].as_array().unwrap().len(),
        1
    );
    let new = since(rig_with(model(&["2"])).0);
    read_inventory(&new, &[everything()]).await;
    assert_eq!(calls_since(&new, 0), LISTS);
    let back = since(rig_with(model(&["1"])).0);
    read_inventory(&back, &[everything()]).await;
    assert_eq!(back.cloud.recorded_calls("DescribeServiceRevisions").len(), 1, "no service named it any more");
}

#[tokio::test]
async fn lists_are_read_to_their_last_page() {
    let (rig, _) = rig_with(|stock| {
        let model = ["a", "b", "c", "d", "e"].into_iter().fold(Account::new(), |model, name| {
            let app = [("app", ORDERS, Some(&stock.old))];
            let service = service(name, "x:1").revised(revision("1", "x:1", 1, &app));
            let model = model.service("prod", service).task("prod", task("x", &format!("{name}:1"), 1, &app));
            model.service(name, orders("1", &stock.old))
        });
        model.paged(2)
    });
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!(found.deployments.len(), 15);
    let calls = |operation: &str| rig.cloud.recorded_calls(operation);
    assert_eq!(calls("ListClusters").len(), 3);
    let of_prod =
        |operation: &str| calls(operation).iter().filter(|it| it.body["cluster"] == arn("cluster/prod")).count();
    assert_eq!((of_prod("ListServices"), of_prod("ListTasks")), (3, 3));
    let lists = ["ListClusters", "ListServices", "ListTasks"].into_iter().flat_map(calls);
    assert!(lists.into_iter().all(|call| call.body["maxResults"] == 100));
}

#[tokio::test]
async fn services_revisions_and_tasks_are_described_in_the_largest_batches() {
    let (rig, _) = rig_with(|stock| {
        let app = [("app", ORDERS, Some(&stock.old))];
        let model = (0..45).fold(Account::new().definition("x:1", None, &app), |model, n| {
            // Revisions of several clusters, because the call names no cluster.
            let cluster = if n < 25 { "prod" } else { "test" };
            model.service(cluster, service(&format!("s{n}"), "x:1").revised(revision("1", "x:1", 1, &app)))
        });
        (0..250).fold(model, |model, n| model.task("prod", task(&format!("service:s{n}"), "x:1", 1, &app)))
    });
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!((found.deployments.len(), found.errors.as_slice()), (45, [].as_slice()));
    let sizes = |operation: &str, field: &str| {
        let sizes =
            rig.cloud.recorded_calls(operation).into_iter().map(|call| call.body[field].as_array().unwrap().len());
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes("DescribeServices", "services"), [5, 10, 10, 10, 10]);
    assert_eq!(sizes("DescribeServiceRevisions", "serviceRevisionArns"), [5, 20, 20]);
    assert_eq!(sizes("DescribeTasks", "tasks"), [50, 100, 100]);
    assert_eq!(rig.cloud.recorded_calls("DescribeTaskDefinition").len(), 1, "all share one");
}

#[tokio::test]
async fn owners_come_from_the_tags_of_services_and_tasks() {
    let (mut rig, _) = rig_with(|stock| {
        let mut job = task("x", "nightly:1", 1, &[("job", ORDERS, Some(&stock.old))]);
        job.tags.insert("team".into(), "data".into());
        Account::new()
            .service("prod", orders("1", &stock.old).tag("team", "payments").tag("other", "x"))
            .task("prod", job)
    });
    rig.owners = OwnerSettings { tags: vec!["team".into()], ..OwnerSettings::default() };
    let found = read_inventory(&rig, &[everything()]).await;
    let owners: Vec<_> = found.deployments.iter().map(|it| it.owner.as_deref()).collect();
    assert_eq!(owners, [Some("payments"), Some("data")]);
    let other = Selector { resource_tags: vec!["other=x".parse().unwrap()], ..Selector::default() };
    let found = read_inventory(&rig, &[EcsSettings { selector: other, ..everything() }]).await;
    assert_eq!(ids(&found.deployments), ["ecs:eu-west-1:123456789012:prod/orders:app"]);
}

#[tokio::test]
async fn a_digest_that_ecs_does_not_report_is_read_from_the_image_name_or_unknown() {
    let pinned = Digest::sha256(b"pinned");
    let name = format!("quay.io/x/pinned:1@{pinned}");
    let (rig, _) = rig_with(|_| {
        let images = [("plain", "nginx", None), ("pinned", name.as_str(), None)];
        let service = service("web", "web:1").revised(revision("1", "web:1", 1, &images));
        Account::new().service("prod", service).definition("web:1", None, &images)
    });
    rig.registry.fail("quay.io/x/pinned", Error::not_found(&name.parse().unwrap()));
    let found = read_inventory(&rig, &[everything()]).await;
    let reported: Vec<_> = found.deployments.iter().map(|it| (it.reference.to_string(), image_error(it))).collect();
    let missing = format!("the manifest quay.io/x/pinned@{pinned} was not found");
    let message = "ECS does not report which digest of nginx runs".to_owned();
    assert_eq!(reported[0], ("quay.io/x/pinned:1".to_owned(), ("image-missing", Some(pinned), missing)));
    assert_eq!(reported[1], ("docker.io/library/nginx:latest".to_owned(), ("digest-unknown", None, message)));
    assert_eq!(codes(&found.errors), []);
}

fn image_error(deployment: &Deployment) -> (&'static str, Option<Digest>, String) {
    let why = deployment.image.as_ref().unwrap_err().clone();
    (crate::inventory::rig::reason_code(&why), why.digest, why.message)
}

#[tokio::test]
async fn services_without_revisions_run_the_images_of_their_tasks_or_task_definition() {
    let (rig, stock) = rig_with(|stock| {
        let set = json!([{ "status": "PRIMARY", "taskDefinition": definition_arn("sets:2"), "launchType": "EC2" }]);
        let external = service("sets", "none:0").with("taskDefinition", json!(null)).with("taskSets", set);
        let on_arm = task("service:sets", "sets:2", 1, &[("app", ORDERS, Some(&stock.index))]).on("arm64");
        let named = format!("{ORDERS}@{}", stock.old);
        Account::new()
            .service("prod", external.with("launchType", json!(null)))
            .service("prod", service("rest", "rest:9").with("desiredCount", 0))
            .task("prod", on_arm)
            .definition("sets:2", None, &[("app", ORDERS, None)])
            .definition("rest:9", None, &[("app", &named, None)])
    });
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!((unreadable(&found), codes(&found.errors)), (vec![], vec![]));
    let of = |id: &str| {
        let deployment = find(&found.deployments, id);
        (image(deployment).digest.clone(), deployment.workload.as_ref().unwrap().version.clone().unwrap())
    };
    assert_eq!(of("/sets:app"), (stock.arm, "2".to_owned()));
    assert_eq!(of("/rest:app"), (stock.old, "9".to_owned()), "it is meant to run");
}

#[tokio::test]
async fn a_revision_that_is_rolled_back_is_not_the_main_one() {
    let (rig, stock) = rig_with(|stock| {
        let service = service("orders", "orders:7")
            .revised(revision("1", "orders:7", 1, &[("app", ORDERS, Some(&stock.old))]))
            .revised(revision("2", "orders:7", 2, &[("app", ORDERS, Some(&stock.amd))]));
        let mut failed = current("prod", "orders", "2");
        failed["requestedTaskCount"] = 0.into();
        let revisions = json!([failed, current("prod", "orders", "1")]);
        Account::new().service("prod", service.with("currentServiceRevisions", revisions)).definition(
            "orders:7",
            None,
            &[("app", ORDERS, None)],
        )
    });
    let found = read_inventory(&rig, &[everything()]).await;
    let digests: Vec<_> = found.deployments.iter().map(|it| image(it).digest.clone()).collect();
    assert_eq!(digests, [stock.old, stock.amd]);
}

#[tokio::test]
async fn a_large_cluster_is_read_completely() {
    let cloud = Cloud::new(ACCOUNT);
    let containers = |n: usize| {
        let digest = |name: &str| Some(Digest::sha256(format!("{name}{n}").as_bytes()));
        ["app", "log"].map(|name| aws::CloudContainer::new(name, "quay.io/x/app:1", digest(name).as_ref())).to_vec()
    };
    for n in 0..210 {
        let (name, definition) = (format!("s{n}"), format!("s{n}:1"));
        let mut service = aws::CloudService::new(&name, &definition, containers(n));
        if n % 3 == 0 {
            service = aws::CloudService { controller: "EXTERNAL".into(), revisions: Vec::new(), ..service };
        }
        cloud.service(ACCOUNT, REGION, "prod", service);
        let task = aws::CloudTask::standalone(&format!("t{n}"), &definition, containers(n)).of_service(&name);
        cloud.task(ACCOUNT, REGION, "prod", task);
        let named = ["app", "log"].map(|name| aws::ContainerDefinition::new(name, "quay.io/x/app:1")).to_vec();
        let definition = aws::TaskDefinition { family: name, revision: 1, containers: named, ..Default::default() };
        cloud.task_definition(ACCOUNT, REGION, definition);
    }
    let rig = Rig::new(MemoryRegistry::new(), Account(cloud));
    let found = EcsInventory::new(vec![everything()], rig.aws_scope()).deployments().await;
    assert_eq!(found.errors, []);
    let runs: std::collections::BTreeMap<_, _> =
        found.deployments.iter().map(|it| (it.id.as_str(), image_error(it).1.unwrap())).collect();
    assert_eq!(runs.len(), 420);
    for n in 0..210 {
        for name in ["app", "log"] {
            let id = format!("ecs:eu-west-1:123456789012:prod/s{n}:{name}");
            assert_eq!(runs[id.as_str()], Digest::sha256(format!("{name}{n}").as_bytes()), "{id}");
        }
    }
    let cold = rig.requests.snapshot()["ecs"]["api"];
    assert_eq!(cold, 1 + 3 + 21 + 3 + 3 + 7 + 210, "clusters, services, tasks, revisions, and definitions");
    EcsInventory::new(vec![everything()], rig.aws_scope()).deployments().await;
    assert_eq!(rig.requests.snapshot()["ecs"]["api"] - cold, 1 + 3 + 21 + 3 + 3);
}

#[tokio::test]
async fn a_managed_daemon_is_a_deployment_and_its_definition_is_not_read_as_a_task_definition() {
    let (rig, stock) = rig_with(|stock| {
        let agent: [Container<'_>; 2] = [("agent", ORDERS, Some(&stock.old)), ("init", "quay.io/x:1", None)];
        let silent: [Container<'_>; 1] = [("agent", "quay.io/x:1", None)];
        let nightly = [("app", ORDERS, Some(&stock.old))];
        let model = Account::new().definition("agent:3", None, &nightly);
        let model =
            model.task("prod", daemon_task("agent:3", 1, &agent)).task("prod", daemon_task("silent:1", 1, &silent));
        model.task("prod", task("family:agent", "agent:3", 1, &nightly))
    });
    let found = read_inventory(&rig, &[everything()]).await;
    assert_eq!((codes(&found.errors), unreadable(&found)), (vec![], vec![]));
    let id = "ecs:eu-west-1:123456789012:prod";
    assert_eq!(ids(&found.deployments), [format!("{id}/daemon/agent:agent"), format!("{id}/task/agent:app")]);
    let daemon = &found.deployments[0];
    assert_eq!(
        (daemon.name.as_str(), daemon.arn.as_deref()),
        ("prod/agent", Some(&*arn("daemon-task-definition/agent:3")))
    );
    assert_eq!(daemon.workload.as_ref().unwrap().version.as_deref(), Some("3"));
    assert_eq!(image(daemon).digest, stock.old);
    let described: Vec<_> =
        rig.cloud.recorded_calls("DescribeTaskDefinition").into_iter().map(|call| call.body).collect();
    assert_eq!(described, [json!({ "taskDefinition": definition_arn("agent:3") })]);
}
