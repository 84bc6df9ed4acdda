//! ECS services and their service revisions.

use std::sync::Arc;

use aws_sdk_ecs::types::{self, CapacityProviderStrategyItem, LaunchType, ServiceField};
use futures::FutureExt;

use super::{
    arn,
    cache::{CachedRevision, ContainerImage},
    calls::{CollectedItems, DescribeOutput, EcsClient, EcsPage, PAGE},
    tasks::{instant, tags},
};
use crate::{aws::AwsError, inventory::ResourceTags};

/// The most services that one `DescribeServices` takes (its API reference).
const SERVICES: usize = 10;
/// The most revisions that one `DescribeServiceRevisions` takes (its API reference).
const REVISIONS: usize = 20;

/// A service.
#[derive(Clone, Debug, Default)]
pub(super) struct EcsService {
    pub(super) name: String,
    pub(super) arn: String,
    /// `ACTIVE` or `DRAINING`.
    pub(super) status: Option<String>,
    /// The ARN of the task definition that its primary deployment runs.
    pub(super) definition: Option<String>,
    /// Its service revisions; empty if it is not deployed by revisions.
    pub(super) revisions: Vec<CurrentRevision>,
    pub(super) is_fargate: bool,
    pub(super) tags: Arc<ResourceTags>,
}

/// A service revision in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CurrentRevision {
    pub(super) arn: String,
    /// The desired number of tasks.
    pub(super) requested: i32,
    /// The number of tasks, running and pending.
    pub(super) tasks: i32,
}

/// The ARNs of the services of `cluster`.
pub(super) async fn list(ecs: &EcsClient<'_>, scope: &str, cluster: &str) -> CollectedItems<String> {
    let call = ecs.call("ListServices");
    let page = |token| {
        let sent = ecs.client.list_services().cluster(cluster).max_results(PAGE).set_next_token(token).send();
        async {
            let page = sent.await.map_err(|error| AwsError::from_sdk(&call, &error))?;
            Ok(EcsPage { items: page.service_arns, next: page.next_token })
        }
        .boxed()
    };
    ecs.list(scope, &call, page).await
}

/// The services of `cluster` with these ARNs.
pub(super) async fn describe(
    ecs: &EcsClient<'_>,
    scope: &str,
    cluster: &str,
    arns: &[String],
) -> CollectedItems<EcsService> {
    let call = ecs.call("DescribeServices");
    let batch = |names| {
        let sent = ecs.client.describe_services().cluster(cluster).include(ServiceField::Tags);
        let sent = sent.set_services(Some(names)).send();
        async {
            let response = sent.await.map_err(|error| AwsError::from_sdk(&call, &error))?;
            let items = response.services.unwrap_or_default().into_iter().filter_map(EcsService::from_sdk).collect();
            Ok(DescribeOutput { items, failures: response.failures })
        }
        .boxed()
    };
    ecs.batches((scope, &call), (arns, SERVICES), batch).await
}

/// The service revisions with these ARNs.
pub(super) async fn revisions(ecs: &EcsClient<'_>, arns: &[String]) -> Vec<(String, CachedRevision)> {
    let call = ecs.call("DescribeServiceRevisions");
    let batch = |names| {
        let sent = ecs.client.describe_service_revisions().set_service_revision_arns(Some(names)).send();
        async {
            let response = sent.await.map_err(|error| AwsError::from_sdk(&call, &error))?;
            let items = response
                .service_revisions
                .unwrap_or_default()
                .into_iter()
                .filter_map(CachedRevision::from_sdk)
                .collect();
            Ok(DescribeOutput { items, failures: response.failures })
        }
        .boxed()
    };
    ecs.batches((&ecs.scope(), &call), (arns, REVISIONS), batch).await.items
}

impl EcsService {
    /// `None` for a deleted service.
    fn from_sdk(service: types::Service) -> Option<Self> {
        if service.status.as_deref() == Some("INACTIVE") {
            return None;
        }
        let is_primary = |status: &Option<String>| status.as_deref() == Some("PRIMARY");
        // Services with an external deployment controller or CodeDeploy have their task definitions in task sets.
        let deployed = service.deployments().iter().find(|it| is_primary(&it.status));
        let set = service.task_sets().iter().find(|it| is_primary(&it.status));
        let deployed = deployed.and_then(|it| it.task_definition.clone());
        let definition = deployed.or_else(|| set?.task_definition.clone()).or_else(|| service.task_definition.clone());
        let is_fargate = is_fargate(service.launch_type(), service.capacity_provider_strategy())
            || set.is_some_and(|it| is_fargate(it.launch_type(), it.capacity_provider_strategy()));
        let arn = service.service_arn?;
        Some(Self {
            name: service.service_name.unwrap_or_else(|| arn::last(&arn).to_owned()),
            arn,
            status: service.status,
            definition,
            revisions: current(service.current_service_revisions.unwrap_or_default()),
            is_fargate,
            tags: Arc::new(tags(service.tags)),
        })
    }
}

/// The revisions in use: those with running or desired tasks; all of them if the service has none.
fn current(revisions: Vec<types::ServiceCurrentRevisionSummary>) -> Vec<CurrentRevision> {
    let revisions = revisions.into_iter().filter_map(|summary| {
        let tasks = summary.running_task_count + summary.pending_task_count;
        Some(CurrentRevision { arn: summary.arn?, requested: summary.requested_task_count, tasks })
    });
    let (busy, idle): (Vec<_>, Vec<_>) = revisions.partition(|it| it.requested + it.tasks > 0);
    if busy.is_empty() { idle } else { busy }
}

impl CachedRevision {
    fn from_sdk(revision: types::ServiceRevision) -> Option<(String, Self)> {
        let is_fargate = is_fargate(revision.launch_type(), revision.capacity_provider_strategy());
        let containers = revision.container_images.unwrap_or_default().into_iter().filter_map(|image| {
            Some(ContainerImage { name: image.container_name?, image: image.image, digest: image.image_digest })
        });
        let containers = containers.collect();
        let created_at = revision.created_at.as_ref().and_then(instant);
        let definition = revision.task_definition?;
        Some((revision.service_revision_arn?, Self { definition, created_at, is_fargate, containers }))
    }
}

/// Whether tasks run on Fargate, by launch type or capacity provider.
fn is_fargate(launch_type: Option<&LaunchType>, strategy: &[CapacityProviderStrategyItem]) -> bool {
    let provides = |item: &CapacityProviderStrategyItem| matches!(item.capacity_provider(), "FARGATE" | "FARGATE_SPOT");
    launch_type == Some(&LaunchType::Fargate) || strategy.iter().any(provides)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(arn: &str, requested: i32, running: i32) -> types::ServiceCurrentRevisionSummary {
        let summary = types::ServiceCurrentRevisionSummary::builder().arn(arn).requested_task_count(requested);
        summary.running_task_count(running).pending_task_count(0).build()
    }

    #[test]
    fn a_revision_without_tasks_counts_only_if_the_service_has_none() {
        let arns = |revisions: &[CurrentRevision]| revisions.iter().map(|it| it.arn.clone()).collect::<Vec<_>>();
        let rolling = current(vec![summary("old", 0, 2), summary("failed", 0, 0), summary("new", 2, 0)]);
        assert_eq!(arns(&rolling), ["old", "new"]);
        assert_eq!(arns(&current(vec![summary("only", 0, 0)])), ["only"]);
    }

    #[test]
    fn a_service_with_task_sets_runs_its_primary_task_set() {
        let set = |status: &str, definition: &str| {
            types::TaskSet::builder()
                .status(status)
                .task_definition(definition)
                .launch_type(LaunchType::Fargate)
                .build()
        };
        let service = types::Service::builder().service_arn("arn:aws:ecs:r:1:service/prod/orders").status("ACTIVE");
        let service = service.task_sets(set("ACTIVE", "green")).task_sets(set("PRIMARY", "blue"));
        let read = EcsService::from_sdk(service.clone().build()).unwrap();
        assert_eq!((read.name.as_str(), read.definition.as_deref(), read.is_fargate), ("orders", Some("blue"), true));
        assert!(EcsService::from_sdk(service.status("INACTIVE").build()).is_none());
    }

    #[test]
    fn fargate_is_recognized_by_launch_type_or_capacity_provider() {
        let item = |name: &str| CapacityProviderStrategyItem::builder().capacity_provider(name).build().unwrap();
        assert!(is_fargate(Some(&LaunchType::Fargate), &[]) && is_fargate(None, &[item("FARGATE_SPOT")]));
        assert!(!is_fargate(Some(&LaunchType::Ec2), &[]) && !is_fargate(None, &[item("mine")]));
    }
}
