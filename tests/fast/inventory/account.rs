//! The audited account: an emulated AWS, filled step by step.

use std::fmt::Debug;

use basewatch::image::Digest;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use testbed::aws::{
    Call, Cloud, CloudContainer, CloudFunction, CloudImage, CloudService, CloudTask, CloudVersion, ContainerDefinition,
    ServiceRevision, TaskDefinition,
};

use crate::inventory::rig::REGION;

/// The account of all resources.
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A container of a revision, a task or a task definition: its name, its image, and its digest if reported.
pub(crate) type Container<'a> = (&'a str, &'a str, Option<&'a Digest>);

/// The account. ECS is used in [`REGION`].
#[derive(Clone, Debug)]
pub(crate) struct Account(pub(crate) Cloud);

impl Account {
    /// An empty account.
    pub(crate) fn new() -> Self {
        Self(Cloud::new(ACCOUNT))
    }

    /// The same with a repository.
    pub(crate) fn images(self, region: &str, name: &str, images: impl IntoIterator<Item = CloudImage>) -> Self {
        self.0.repository(ACCOUNT, region, name);
        images.into_iter().for_each(|image| self.0.push(ACCOUNT, region, name, image));
        self
    }

    /// The same with functions.
    pub(crate) fn functions(self, region: &str, functions: impl IntoIterator<Item = CloudFunction>) -> Self {
        functions.into_iter().for_each(|function| self.0.function(ACCOUNT, region, function));
        self
    }

    /// The same with a service.
    pub(crate) fn service(self, cluster: &str, service: CloudService) -> Self {
        self.0.service(ACCOUNT, REGION, cluster, service);
        self
    }

    /// The same with a task.
    pub(crate) fn task(self, cluster: &str, task: CloudTask) -> Self {
        self.0.task(ACCOUNT, REGION, cluster, task);
        self
    }

    /// The same with a task definition, which names an architecture or not.
    pub(crate) fn definition(self, name: &str, architecture: Option<&str>, containers: &[Container<'_>]) -> Self {
        let (family, revision) = name.split_once(':').unwrap();
        let definition = TaskDefinition {
            family: family.to_owned(),
            revision: revision.parse().unwrap(),
            cpu_architecture: architecture.map(str::to_owned),
            containers: containers.iter().map(|(name, image, _)| ContainerDefinition::new(name, image)).collect(),
            ..TaskDefinition::default()
        };
        self.0.task_definition(ACCOUNT, REGION, definition);
        self
    }

    /// The same with so many entries a page.
    pub(crate) fn paged(self, page_size: usize) -> Self {
        self.0.limit_pages(page_size);
        self
    }
}

/// That second of the epoch.
pub(crate) fn second(second: impl TryInto<i64, Error: Debug>) -> DateTime<Utc> {
    DateTime::from_timestamp(second.try_into().unwrap(), 0).unwrap()
}

/// The function `name`, of which `$LATEST` runs `image`, deployed as `orders:421`.
pub(crate) fn function(region: &str, name: &str, image: &CloudImage) -> CloudFunction {
    let uri = format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/orders:421");
    let last_modified = "2026-11-19T06:00:00Z".parse().unwrap();
    let latest = CloudVersion { memory_mb: 512, last_modified, ..CloudVersion::image(&uri, image.digest()) };
    CloudFunction::new(name, latest).tag("team", "payments")
}

/// A service of `definition` (`orders:7`) without revisions.
pub(crate) fn service(name: &str, definition: &str) -> CloudService {
    CloudService { name: name.to_owned(), task_definition: definition.to_owned(), ..CloudService::default() }
}

/// A revision of `definition`, which was made at this second.
pub(crate) fn revision(id: &str, definition: &str, at: u32, containers: &[Container<'_>]) -> ServiceRevision {
    let (id, task_definition) = (id.to_owned(), definition.to_owned());
    ServiceRevision { id, created_at: second(at), task_definition, containers: resolved(containers) }
}

/// A running task of `definition` in `group`, started at this second.
pub(crate) fn task(group: &str, definition: &str, at: u32, containers: &[Container<'_>]) -> CloudTask {
    CloudTask {
        group: group.to_owned(),
        task_definition: definition.to_owned(),
        started_at: Some(second(at)),
        containers: resolved(containers),
        ..CloudTask::default()
    }
}

/// A running task of the daemon `definition`, started at this second.
pub(crate) fn daemon_task(definition: &str, at: u32, containers: &[Container<'_>]) -> CloudTask {
    task("daemon:x", definition, at, containers)
        .with("taskDefinitionArn", arn(&format!("daemon-task-definition/{definition}")))
        .with("launchType", "MANAGED_INSTANCES")
}

fn resolved(containers: &[Container<'_>]) -> Vec<CloudContainer> {
    containers.iter().map(|(name, image, digest)| CloudContainer::new(name, image, *digest)).collect()
}

/// The ARN of something of ECS.
pub(crate) fn arn(rest: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{rest}")
}

/// The ARN of a task definition.
pub(crate) fn definition_arn(name: &str) -> String {
    arn(&format!("task-definition/{name}"))
}

/// A revision in a service description, with one task.
pub(crate) fn current(cluster: &str, service: &str, id: &str) -> Value {
    json!({
        "arn": arn(&format!("service-revision/{cluster}/{service}/{id}")),
        "requestedTaskCount": 1, "runningTaskCount": 1, "pendingTaskCount": 0,
    })
}

/// The calls of Lambda, shortened: `list`, `aliases orders`, `get orders`, `get orders 3`; in order of their names.
pub(crate) fn asked(calls: &[Call]) -> Vec<String> {
    let mut asked: Vec<_> = calls.iter().filter_map(shortened).collect();
    asked.sort();
    asked
}

fn shortened(call: &Call) -> Option<String> {
    let name = call.segments.get(2).map(String::as_str).unwrap_or_default();
    match call.operation.as_str() {
        "ListFunctions" => Some("list".to_owned()),
        "ListAliases" => Some(format!("aliases {name}")),
        "GetFunction" => {
            let qualifier = call.parameters.get("Qualifier").map(|version| format!(" {version}")).unwrap_or_default();
            Some(format!("get {name}{qualifier}"))
        }
        _ => None,
    }
}
