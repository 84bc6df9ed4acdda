//! ECS tasks and task definitions.

use serde_json::{Value, json};

use super::{
    CloudCluster, CloudContainer, CloudTask, TaskDefinition,
    wire::{EcsCall, last, missing, tags},
};
use crate::aws::{
    paging::PageLimits,
    reply::{CallRefusal, replace_fields},
};

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
const LIMITS: PageLimits = PageLimits { default: 100, most: 100 };
/// The maximum number of tasks in one `DescribeTasks` call.
const MOST_TASKS: usize = 100;

pub(super) fn list(here: &EcsCall<'_>) -> Result<Value, CallRefusal> {
    let cluster = here.cluster()?;
    let wanted_status = here.request.text("desiredStatus").unwrap_or("RUNNING");
    let service = here.request.text("serviceName").map(|name| format!("service:{}", last(name)));
    let (family, started_by) = (here.request.text("family"), here.request.text("startedBy"));
    let tasks = cluster.tasks.iter().filter(|task| {
        desired_status(task) == wanted_status
            && service.as_ref().is_none_or(|service| task.group == *service)
            && family.is_none_or(|family| task.task_definition.split(':').next() == Some(family))
            && started_by.is_none_or(|started_by| task.started_by.as_deref() == Some(started_by))
    });
    here.list("taskArns", tasks.map(|task| task_arn(here, cluster, &task.id)), LIMITS)
}

pub(super) fn describe(here: &EcsCall<'_>) -> Result<Value, CallRefusal> {
    let cluster = here.cluster()?;
    let names = here.named("tasks", MOST_TASKS)?;
    if names.is_empty() {
        return Err(CallRefusal::invalid(here.request, "Tasks cannot be empty."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match cluster.tasks.iter().find(|task| task.id == last(name)) {
            Some(task) => found.push(described(here, cluster, task)),
            None => failures.push(missing(&task_arn(here, cluster, last(name)))),
        }
    }
    Ok(json!({ "tasks": found, "failures": failures }))
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
fn described(here: &EcsCall<'_>, cluster: &CloudCluster, task: &CloudTask) -> Value {
    let arn = task_arn(here, cluster, &task.id);
    let attributes = task.attributes.iter().map(|(name, value)| json!({ "name": name, "value": value }));
    let containers = task.containers.iter().map(|container| container_of(here, cluster, task, container));
    let mut described = json!({
        "taskArn": arn,
        "clusterArn": here.cluster_arn(&cluster.name),
        "taskDefinitionArn": here.definition_arn(&task.task_definition),
        "group": task.group,
        "lastStatus": task.last_status,
        "desiredStatus": desired_status(task),
        "launchType": "FARGATE",
        "platformFamily": "Linux",
        "platformVersion": "1.4.0",
        "attributes": attributes.collect::<Vec<_>>(),
        "containers": containers.collect::<Vec<_>>(),
        "version": 1,
    });
    if let Some(started_by) = &task.started_by {
        described["startedBy"] = json!(started_by);
    }
    if let Some(started_at) = task.started_at {
        described["createdAt"] = json!(started_at.timestamp());
        described["startedAt"] = json!(started_at.timestamp());
    }
    here.put_tags(&mut described, &task.tags);
    replace_fields(&mut described, &task.fields);
    described
}

fn container_of(here: &EcsCall<'_>, cluster: &CloudCluster, task: &CloudTask, container: &CloudContainer) -> Value {
    let mut described = json!({
        "containerArn": here.arn(&format!("container/{}/{}/{}", cluster.name, task.id, container.name)),
        "taskArn": task_arn(here, cluster, &task.id),
        "name": container.name,
        "image": container.image,
        "lastStatus": task.last_status,
    });
    if let Some(digest) = &container.digest {
        described["imageDigest"] = json!(digest);
    }
    described
}

/// A family alone means its newest revision
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html>).
pub(super) fn describe_definition(here: &EcsCall<'_>) -> Result<Value, CallRefusal> {
    let named = last(here.request.text("taskDefinition").unwrap_or_default());
    let (family, revision) = match named.split_once(':') {
        Some((family, revision)) => (family, Some(revision)),
        None => (named, None),
    };
    let definitions = here.region.into_iter().flat_map(|region| region.task_definitions.values());
    let found = definitions
        .filter(|known| known.family == family)
        .rfind(|known| revision.is_none_or(|revision| known.revision.to_string() == revision));
    let definition =
        found.ok_or_else(|| CallRefusal::new(400, "ClientException", "Unable to describe task definition."))?;
    let mut response = json!({ "taskDefinition": definition_of(here, definition) });
    if here.request.texts("include").contains(&"TAGS") {
        response["tags"] = tags(&definition.tags);
    }
    Ok(response)
}

fn definition_of(here: &EcsCall<'_>, definition: &TaskDefinition) -> Value {
    let containers = definition.containers.iter().map(|container| {
        json!({ "name": container.name, "image": container.image, "essential": container.is_essential, "cpu": 0 })
    });
    let mut described = json!({
        "taskDefinitionArn": here.definition_arn(&format!("{}:{}", definition.family, definition.revision)),
        "family": definition.family,
        "revision": definition.revision,
        "status": "ACTIVE",
        "containerDefinitions": containers.collect::<Vec<_>>(),
        "requiresCompatibilities": ["FARGATE"],
    });
    if definition.cpu_architecture.is_some() || definition.operating_system.is_some() {
        let mut platform = serde_json::Map::new();
        if let Some(architecture) = &definition.cpu_architecture {
            platform.insert("cpuArchitecture".into(), json!(architecture));
        }
        if let Some(family) = &definition.operating_system {
            platform.insert("operatingSystemFamily".into(), json!(family));
        }
        described["runtimePlatform"] = Value::Object(platform);
    }
    described
}

/// The desired status of a task: `RUNNING` for a pending one.
fn desired_status(task: &CloudTask) -> &'static str {
    if task.last_status == "STOPPED" { "STOPPED" } else { "RUNNING" }
}

fn task_arn(here: &EcsCall<'_>, cluster: &CloudCluster, id: &str) -> String {
    here.arn(&format!("task/{}/{id}", cluster.name))
}
