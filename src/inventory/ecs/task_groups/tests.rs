//! Tests of task groups, one rule each.

use chrono::{DateTime, Utc};

use super::*;
use crate::inventory::ecs::{cache::CachedDefinition, services::CurrentRevision};

fn arn(definition: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{definition}")
}

fn revision_arn(id: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:service-revision/prod/orders/{id}")
}

fn at(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

fn digest(content: &str) -> Digest {
    Digest::sha256(content.as_bytes())
}

/// A container whose digest is that of `content`.
fn container(name: &str, content: Option<&str>) -> ContainerImage {
    ContainerImage {
        name: name.into(),
        image: Some("quay.io/x:1".into()),
        digest: content.map(|content| digest(content).to_string()),
    }
}

fn task(service: Option<&str>, definition: &str, started_at: i64, containers: Vec<ContainerImage>) -> EcsTask {
    EcsTask {
        definition: arn(definition),
        service: service.map(str::to_owned),
        started_at: at(started_at),
        containers,
        ..EcsTask::default()
    }
}

fn service(definition: &str, revisions: &[(&str, i32)]) -> EcsService {
    let revision =
        |(id, requested): &(&str, i32)| CurrentRevision { arn: revision_arn(id), requested: *requested, tasks: 1 };
    EcsService {
        name: "orders".into(),
        definition: Some(arn(definition)),
        revisions: revisions.iter().map(revision).collect(),
        ..EcsService::default()
    }
}

fn remembering(revisions: &[(&str, i64, Vec<ContainerImage>)], definitions: &[(&str, &[&str])]) -> EcsCache {
    let revision = |(id, created_at, containers): &(&str, i64, Vec<ContainerImage>)| {
        let definition = arn(&format!("orders:{id}"));
        let revision = CachedRevision {
            definition,
            created_at: at(*created_at),
            is_fargate: false,
            containers: containers.clone(),
        };
        (revision_arn(id), Arc::new(revision))
    };
    let definition = |(name, containers): &(&str, &[&str])| {
        let containers = containers.iter().map(|name| container(name, None)).collect();
        (arn(name), Arc::new(CachedDefinition { architecture: None, containers }))
    };
    EcsCache {
        revisions: revisions.iter().map(revision).collect(),
        definitions: definitions.iter().map(definition).collect(),
    }
}

fn cluster(services: Vec<EcsService>, tasks: Vec<EcsTask>) -> ClusterContents {
    ClusterContents { name: "prod".into(), services, tasks, ..ClusterContents::default() }
}

/// Container, content, version and whether it is the main one, of each image in `cluster`.
fn running(cluster: &ClusterContents, cache: &EcsCache, contents: &[&str]) -> Vec<String> {
    let content = |found: &Digest| *contents.iter().find(|content| digest(content) == *found).unwrap();
    let word = |it: RunningContainer| {
        let runs = it.digest.as_ref().map_or("?", content);
        format!("{} {runs} {}{}", it.container, it.version.unwrap_or_default(), if it.is_main { "" } else { " other" })
    };
    task_groups(cluster, |_| true).iter().flat_map(|task_group| task_group.running(cache)).map(word).collect()
}

#[test]
fn a_service_runs_the_images_of_its_revision_and_its_tasks_are_not_counted_again() {
    let cache = remembering(&[("7", 1, vec![container("app", Some("a")), container("proxy", Some("p"))])], &[]);
    let tasks = vec![task(Some("orders"), "orders:7", 1, vec![container("app", Some("b"))])];
    let cluster = cluster(vec![service("orders:7", &[("7", 1)])], tasks);
    assert_eq!(running(&cluster, &cache, &["a", "p", "b"]), ["app a 7", "proxy p 7"]);
}

#[test]
fn the_newest_revision_with_desired_tasks_is_the_main_one() {
    let both = |app: &str| vec![container("app", Some(app)), container("proxy", Some("p"))];
    let cache = remembering(&[("7", 1, both("a")), ("8", 2, both("b"))], &[]);
    let rolling = cluster(vec![service("orders:8", &[("7", 1), ("8", 1)])], Vec::new());
    assert_eq!(running(&rolling, &cache, &["a", "b", "p"]), ["app b 8", "app a 7 other", "proxy p 8"]);
    let rolled_back = cluster(vec![service("orders:7", &[("8", 0), ("7", 1)])], Vec::new());
    assert_eq!(running(&rolled_back, &cache, &["a", "b", "p"]), ["app a 7", "app b 8 other", "proxy p 7"]);
}

#[test]
fn digests_that_a_revision_lacks_come_from_its_tasks() {
    let cache = remembering(&[("7", 1, vec![container("app", Some("a")), container("log", None)])], &[]);
    let log =
        |definition, started_at, content| task(Some("orders"), definition, started_at, vec![container("log", content)]);
    let tasks = vec![
        log("orders:7", 1, Some("l1")),
        log("orders:7", 3, Some("l3")),
        log("orders:7", 2, Some("l1")),
        log("orders:7", 9, None),
        log("orders:6", 9, Some("not of this revision")),
    ];
    let reported = cluster(vec![service("orders:7", &[("7", 1)])], tasks);
    assert_eq!(running(&reported, &cache, &["a", "l1", "l3"]), ["app a 7", "log l3 7", "log l1 7 other"]);
    let untold = cluster(vec![service("orders:7", &[("7", 1)])], Vec::new());
    assert_eq!(running(&untold, &cache, &["a"]), ["app a 7", "log ? 7"]);
}

#[test]
fn without_revisions_the_tasks_of_the_primary_deployment_come_first() {
    let cache = remembering(&[], &[("orders:7", &["app"]), ("orders:8", &["app"])]);
    let of = |definition, started_at, content| {
        let containers = vec![container("app", Some(content)), container("ecs-service-connect-x1", Some("aws"))];
        task(Some("orders"), definition, started_at, containers)
    };
    let tasks = || vec![of("orders:7", 2, "a"), of("orders:8", 1, "b"), of("orders:8", 0, "b")];
    let deployed = cluster(vec![service("orders:8", &[])], tasks());
    assert_eq!(running(&deployed, &cache, &["a", "b"]), ["app b 8", "app a 7 other"]);
    let unknown_revision = cluster(vec![service("orders:8", &[("9", 1)])], tasks());
    assert_eq!(running(&unknown_revision, &cache, &["a", "b"]), ["app b 8", "app a 7 other"]);
    let without_definitions = running(&deployed, &EcsCache::default(), &["a", "b"]);
    assert_eq!(without_definitions, ["app b 8", "app a 7 other"], "containers of AWS are known by their names");
}

#[test]
fn a_service_without_tasks_runs_the_images_of_its_task_definition() {
    let pinned = format!("quay.io/x@{}", digest("p"));
    let mut cache = remembering(&[], &[("orders:7", &["app"])]);
    let containers =
        vec![container("app", None), ContainerImage { name: "pin".into(), image: Some(pinned), digest: None }];
    cache.definitions.insert(arn("orders:7"), Arc::new(CachedDefinition { architecture: None, containers }));
    let resting = cluster(vec![service("orders:7", &[])], Vec::new());
    assert_eq!(running(&resting, &cache, &["p"]), ["app ? 7", "pin p 7"]);
}

#[test]
fn a_daemon_runs_the_images_that_its_tasks_report() {
    let daemon = |containers: Vec<ContainerImage>| EcsTask {
        definition: "arn:aws:ecs:eu-west-1:123456789012:daemon-task-definition/agent:3".into(),
        ..task(None, "agent:3", 1, containers)
    };
    let of_family = task(None, "agent:3", 1, vec![container("app", Some("c"))]);
    let reported = daemon(vec![container("agent", Some("a")), container("init", None)]);
    let cluster = cluster(Vec::new(), vec![reported, daemon(vec![container("agent", Some("b"))]), of_family]);
    let task_groups = task_groups(&cluster, |_| true);
    let kinds: Vec<_> = task_groups.iter().map(|task_group| (task_group.kind, task_group.name)).collect();
    assert_eq!(kinds, [(DefinitionKind::Task, "agent"), (DefinitionKind::Daemon, "agent")]);
    let running = task_groups[1].running(&EcsCache::default());
    let running: Vec<_> = running.iter().map(|it| (it.container.as_str(), it.digest.clone(), it.is_main)).collect();
    assert_eq!(running, [("agent", Some(digest("a")), true), ("agent", Some(digest("b")), false)]);
    assert_eq!(task_groups[1].running(&EcsCache::default())[0].version.as_deref(), Some("3"));
}

#[test]
fn standalone_tasks_form_one_group_for_each_family() {
    let cache = remembering(&[], &[("nightly:3", &["job"]), ("nightly:4", &["job"]), ("other:1", &["job"])]);
    let of =
        |definition, started_at, content| task(None, definition, started_at, vec![container("job", Some(content))]);
    let tasks = vec![of("nightly:3", 1, "a"), of("nightly:4", 2, "b"), of("nightly:4", 3, "b"), of("other:1", 1, "c")];
    let cluster = cluster(Vec::new(), tasks);
    assert_eq!(running(&cluster, &cache, &["a", "b", "c"]), ["job b 4", "job a 3 other", "job c 1"]);
    let task_groups = task_groups(&cluster, |name| name == "nightly");
    assert_eq!(
        task_groups.iter().map(|task_group| (task_group.name, task_group.arn())).collect::<Vec<_>>(),
        [("nightly", &*arn("nightly:4"))]
    );
}

#[test]
fn the_architecture_is_that_of_the_definition_then_of_the_tasks_then_of_fargate() {
    use LambdaArch::{Arm64, X86_64};
    let found = |definition: Option<LambdaArch>, tasks: &[Option<LambdaArch>], is_fargate: bool| {
        let definition = CachedDefinition { architecture: definition, containers: vec![container("job", Some("a"))] };
        let cache = EcsCache { definitions: [(arn("x:1"), Arc::new(definition))].into(), ..EcsCache::default() };
        let on = |architecture: &Option<LambdaArch>| EcsTask {
            architecture: *architecture,
            is_fargate,
            ..task(None, "x:1", 1, vec![container("job", Some("a"))])
        };
        let cluster = cluster(Vec::new(), tasks.iter().map(on).collect());
        task_groups(&cluster, |_| true)[0].running(&cache)[0].architecture
    };
    assert_eq!(found(Some(Arm64), &[Some(X86_64)], true), Some(Arm64));
    assert_eq!(found(None, &[Some(Arm64)], true), Some(Arm64));
    assert_eq!(found(None, &[None], true), Some(X86_64));
    assert_eq!(found(None, &[None], false), None);
    assert_eq!(found(None, &[Some(Arm64), Some(X86_64)], false), None, "it runs on both");
}
