//! ECS tasks and their task definitions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use aws_sdk_ecs::types::{self, CpuArchitecture, DesiredStatus, LaunchType, TaskField};
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, stream};

use super::{
    cache::{CachedDefinition, ContainerImage},
    calls::{CollectedItems, DescribeOutput, EcsClient, EcsPage, PAGE},
};
use crate::{
    aws::AwsError,
    image::{ErrorCode, LambdaArch},
    inventory::ResourceTags,
};

/// The most tasks that one `DescribeTasks` takes (its API reference).
const TASKS: usize = 100;
/// Task definitions read at once: each takes a call, and more would be throttled
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>).
const DEFINITIONS: usize = 10;

/// A task that is running or pending.
#[derive(Clone, Debug, Default)]
pub(super) struct EcsTask {
    /// The ARN of its task definition.
    pub(super) definition: String,
    /// The name of its service.
    pub(super) service: Option<String>,
    pub(super) started_at: Option<DateTime<Utc>>,
    /// `RUNNING`, `PENDING`, …
    pub(super) status: Option<String>,
    /// Its architecture, if ECS reports it.
    pub(super) architecture: Option<LambdaArch>,
    pub(super) is_fargate: bool,
    pub(super) containers: Vec<ContainerImage>,
    pub(super) tags: Arc<ResourceTags>,
}

/// The ARNs of the tasks in `cluster` whose desired status is running.
pub(super) async fn list(ecs: &EcsClient<'_>, scope: &str, cluster: &str) -> CollectedItems<String> {
    let call = ecs.call("ListTasks");
    let page = |token| {
        let sent = ecs.client.list_tasks().cluster(cluster).desired_status(DesiredStatus::Running);
        let sent = sent.max_results(PAGE).set_next_token(token).send();
        async {
            let page = sent.await.map_err(|error| AwsError::from_sdk(&call, &error))?;
            Ok(EcsPage { items: page.task_arns, next: page.next_token })
        }
        .boxed()
    };
    ecs.list(scope, &call, page).await
}

/// The tasks of `cluster` with these ARNs.
pub(super) async fn describe(
    ecs: &EcsClient<'_>,
    scope: &str,
    cluster: &str,
    arns: &[String],
) -> CollectedItems<EcsTask> {
    let call = ecs.call("DescribeTasks");
    let batch = |names| {
        let sent = ecs.client.describe_tasks().cluster(cluster).include(TaskField::Tags);
        let sent = sent.set_tasks(Some(names)).send();
        async {
            let response = sent.await.map_err(|error| AwsError::from_sdk(&call, &error))?;
            let items = response.tasks.unwrap_or_default().into_iter().filter_map(EcsTask::from_sdk).collect();
            Ok(DescribeOutput { items, failures: response.failures })
        }
        .boxed()
    };
    ecs.batches((scope, &call), (arns, TASKS), batch).await
}

/// The task definitions with these ARNs.
pub(super) async fn definitions(ecs: &EcsClient<'_>, arns: Vec<String>) -> Vec<(String, CachedDefinition)> {
    let scope = ecs.scope();
    // Without permission for one there is none for any: the permission has no resource level
    // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html).
    let is_denied = AtomicBool::new(false);
    let responses = stream::iter(arns).map(|arn| {
        let (scope, is_denied) = (&scope, &is_denied);
        async move {
            if is_denied.load(Ordering::Relaxed) {
                return None;
            }
            let sent = ecs.client.describe_task_definition().task_definition(&arn).send();
            let call = ecs.call(&format!("DescribeTaskDefinition of {arn}"));
            let response = async {
                let response = sent.await.map_err(|error| AwsError::from_sdk(&call, &error));
                response.inspect_err(|failure| {
                    is_denied.fetch_or(failure.code == ErrorCode::AccessDenied, Ordering::Relaxed);
                })
            };
            let definition = ecs.send(scope, response.boxed()).await?.task_definition?;
            Some((arn.clone(), CachedDefinition::from_sdk(definition)))
        }
        .boxed()
    });
    let responses = responses.buffer_unordered(DEFINITIONS.min(ecs.concurrency()));
    responses.filter_map(|definition| async { definition }).collect().await
}

impl EcsTask {
    /// `None` for a task that has stopped meanwhile.
    fn from_sdk(task: types::Task) -> Option<Self> {
        if task.desired_status.as_deref() == Some("STOPPED") {
            return None;
        }
        let attribute = task.attributes().iter().find(|attribute| attribute.name == "ecs.cpu-architecture");
        let architecture = attribute.and_then(|attribute| architecture(attribute.value()?));
        let containers = task.containers.unwrap_or_default().into_iter().filter_map(|container| {
            Some(ContainerImage { name: container.name?, image: container.image, digest: container.image_digest })
        });
        let is_provided = matches!(task.capacity_provider_name.as_deref(), Some("FARGATE" | "FARGATE_SPOT"));
        Some(Self {
            definition: task.task_definition_arn?,
            service: task.group.as_deref().and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
            started_at: task.started_at.as_ref().and_then(instant),
            status: task.last_status,
            architecture,
            is_fargate: is_provided || task.launch_type == Some(LaunchType::Fargate),
            containers: containers.collect(),
            tags: Arc::new(tags(task.tags)),
        })
    }
}

impl CachedDefinition {
    fn from_sdk(definition: types::TaskDefinition) -> Self {
        let platform_architecture = definition.runtime_platform.and_then(|platform| platform.cpu_architecture);
        let containers = definition.container_definitions.unwrap_or_default().into_iter();
        let container =
            |it: types::ContainerDefinition| Some(ContainerImage { name: it.name?, image: it.image, digest: None });
        Self {
            architecture: platform_architecture.as_ref().map(CpuArchitecture::as_str).and_then(architecture),
            containers: containers.filter_map(container).collect(),
        }
    }
}

/// An architecture, in upper case as in task definitions or in lower case as in attributes.
fn architecture(name: &str) -> Option<LambdaArch> {
    match name.to_ascii_lowercase().as_str() {
        "arm64" => Some(LambdaArch::Arm64),
        "x86_64" => Some(LambdaArch::X86_64),
        _ => None,
    }
}

pub(super) fn instant(at: &aws_sdk_ecs::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

pub(super) fn tags(tags: Option<Vec<types::Tag>>) -> ResourceTags {
    let tags = tags.unwrap_or_default().into_iter();
    tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_read_in_both_spellings() {
        for (name, expected) in [
            ("X86_64", Some(LambdaArch::X86_64)),
            ("x86_64", Some(LambdaArch::X86_64)),
            ("ARM64", Some(LambdaArch::Arm64)),
            ("arm64", Some(LambdaArch::Arm64)),
            ("riscv", None),
        ] {
            assert_eq!(architecture(name), expected, "{name}");
        }
    }

    #[test]
    fn a_task_is_in_the_service_that_its_group_names() {
        let task = |group: &str, status: &str| {
            let task = types::Task::builder().task_definition_arn("x:1").group(group).desired_status(status);
            EcsTask::from_sdk(task.capacity_provider_name("FARGATE_SPOT").build())
        };
        let service = task("service:orders", "RUNNING").unwrap();
        assert_eq!((service.service.as_deref(), service.is_fargate), (Some("orders"), true));
        assert_eq!(task("family:orders", "RUNNING").unwrap().service, None);
        assert!(task("family:orders", "STOPPED").is_none());
    }
}
