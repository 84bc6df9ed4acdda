//! Audits of ECS from end to end: services by their revisions, tasks that are in none, every container of them.

use serde_json::json;

use crate::environment::{ACCOUNT, AwsEnvironment, NOW, Release, built_on, built_on_arm64};
use testbed::{
    program::{codes, findings},
    seed::Image,
};

const INVENTORY: &str = r#"
    [[inventory.ecs]]
    regions = ["us-east-1"]
    clusters = ["prod-*"]
"#;

/// The containers in `cluster`: their names, digests and actions.
fn containers<'a>(report: &'a serde_json::Value, name: &str) -> Vec<[&'a str; 4]> {
    let text = |value: &'a serde_json::Value| value.as_str().unwrap_or_default();
    let found = findings(report).iter().filter(|it| it["deployment"]["name"] == name);
    let mut found: Vec<_> = found
        .map(|it| {
            let qualifier = text(&it["deployment"]["qualifier"]);
            [qualifier, text(&it["image"]["digest"]), text(&it["verdict"]), text(&it["action"])]
        })
        .collect();
    found.sort_unstable();
    found
}

/// A published line, a cluster, and tasks `web` of an old application beside a fresh proxy.
struct Web {
    environment: AwsEnvironment,
    releases: Vec<Release>,
    app: Image,
    sidecar: Image,
}

impl Web {
    async fn defined() -> Self {
        let (environment, releases) = AwsEnvironment::published().await;
        let (app, sidecar) = (built_on(&releases[0], "app").build(), built_on(&releases[4], "proxy").build());
        let own = &environment.own;
        own.push("app", "1", &app).await;
        own.push("proxy", "1", &sidecar).await;
        own.define("web", &[("app", own.image("app:1")), ("proxy", own.image("proxy:1"))]).await;
        own.cluster("prod-eu").await;
        Self { environment, releases, app, sidecar }
    }
}

#[tokio::test]
async fn a_service_runs_what_its_revision_pinned_in_each_container() {
    let Web { environment, releases, app, sidecar } = Web::defined().await;
    let own = &environment.own;
    own.cluster("staging").await;
    for cluster in ["prod-eu", "staging"] {
        own.service(cluster, "web", "web", 3, &[]).await;
    }
    own.push("app", "1", &built_on(&releases[4], "newer").build()).await;
    let (_, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    assert_eq!(report["complete"], true, "{report:#}");
    assert_eq!(
        containers(&report, "prod-eu/web"),
        [["app", &app.digest, "stale", "redeploy"], ["proxy", &sidecar.digest, "fresh", "none"]],
        "{report:#}"
    );
    assert_eq!(findings(&report).len(), 2, "three tasks are one deployment, and staging is not selected: {report:#}");
    for finding in findings(&report) {
        assert_eq!(finding["deployment"]["kind"], "ecs");
        assert_eq!(
            (&finding["deployment"]["account"], &finding["deployment"]["state"]),
            (&json!(ACCOUNT), &json!("ACTIVE"))
        );
    }
}

#[tokio::test]
async fn standalone_tasks_are_deployments() {
    let Web { environment, app, .. } = Web::defined().await;
    let own = &environment.own;
    own.task("prod-eu", "web", &[("team", "night-shift")]).await;
    own.task("prod-eu", "web", &[("team", "night-shift")]).await;
    own.delete("app", &app).await;
    let config = format!("{INVENTORY}\n[owners]\ntags = [\"team\"]\n");
    let (_, report) = environment.audits(&config, &[]).audit(NOW, &[]);
    assert_eq!(findings(&report).len(), 2, "two tasks of one family and image are one deployment: {report:#}");
    for finding in findings(&report) {
        assert_eq!(finding["deployment"]["owner"], "night-shift", "{finding:#}");
        let is_app = finding["deployment"]["qualifier"] == "app";
        assert_eq!(finding["action"], if is_app { "restore" } else { "none" }, "{finding:#}");
        assert_eq!(codes(finding).contains(&"image-missing"), is_app, "{finding:#}");
    }
}

#[tokio::test]
async fn an_index_is_distinguished_from_the_image_of_a_platform() {
    let (environment, releases) = AwsEnvironment::published().await;
    let own = &environment.own;
    let amd64 = built_on(&releases[4], "amd64").build();
    let arm64 = built_on_arm64(&releases[4], "arm64").build();
    let index = Image::index(&[amd64.clone(), arm64.clone()]);
    own.push("app", "1", &index).await;
    own.cluster("prod-eu").await;
    own.define("web", &[("app", own.image("app:1"))]).await;
    own.service("prod-eu", "web", "web", 1, &[]).await;
    let (_, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    assert!(!findings(&report).is_empty(), "{report:#}");
    for finding in findings(&report) {
        assert_eq!(finding["verdict"], "fresh", "{finding:#}");
        let digest = &finding["image"]["digest"];
        assert!(*digest == amd64.digest || *digest == arm64.digest, "the digest of a platform: {finding:#}");
    }
}

#[tokio::test]
async fn a_second_audit_sends_list_and_describe_calls_only() {
    let Web { environment, .. } = Web::defined().await;
    let own = &environment.own;
    for number in 0..12 {
        own.service("prod-eu", &format!("web-{number}"), "web", 1, &[]).await;
    }
    own.task("prod-eu", "web", &[]).await;
    let program = environment.audits(INVENTORY, &[]);
    let (_, cold) = program.audit(NOW, &[]);
    assert_eq!(cold["summary"]["deployments"], 2 * (12 + 1), "{cold:#}");
    assert_eq!(cold["summary"]["images"], 2);
    let (moto, registry) = (environment.moto.mark(), own.registry.mark());
    let (_, warm) = program.audit(NOW, &[]);
    assert_eq!(cold["findings"], warm["findings"]);
    assert_eq!(own.registry.requests_since(registry), Vec::<String>::new());
    let mut calls = environment.moto.calls_since(moto);
    calls.sort();
    let two_repositories = ["ecr DescribeImages"; 2];
    // Ten services a call, and all tasks in one.
    let services = ["ecs DescribeServices", "ecs DescribeServices", "ecs DescribeTasks"];
    assert_eq!(calls, [&two_repositories[..], &services, &LISTS].concat());
    assert_eq!(warm["requests"]["ecs"], 6, "{}", warm["requests"]);
}

/// For all clusters, and for the services and tasks of the selected one.
const LISTS: [&str; 3] = ["ecs ListClusters", "ecs ListServices", "ecs ListTasks"];

#[tokio::test]
async fn a_deployment_is_noticed_by_the_next_audit() {
    let Web { environment, releases, app, .. } = Web::defined().await;
    let own = &environment.own;
    own.service("prod-eu", "web", "web", 2, &[]).await;
    let program = environment.audits(INVENTORY, &[]);
    let (_, before) = program.audit(NOW, &[]);
    assert_eq!(containers(&before, "prod-eu/web")[0], ["app", &app.digest, "stale", "rebuild"]);
    let newer = built_on(&releases[4], "newer").build();
    own.push("app", "1", &newer).await;
    let (_, pushed) = program.audit(NOW, &[]);
    assert_eq!(containers(&pushed, "prod-eu/web")[0], ["app", &app.digest, "stale", "redeploy"]);
    own.deploy("prod-eu", "web").await;
    let (_, after) = program.audit(NOW, &[]);
    assert_eq!(containers(&after, "prod-eu/web")[0], ["app", &newer.digest, "fresh", "none"], "{after:#}");
}
