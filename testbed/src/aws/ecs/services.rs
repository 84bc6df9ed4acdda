//! ECS services and their revisions.

use serde_json::{Value, json};

use super::{
    CloudCluster, CloudContainer, CloudService, ServiceRevision,
    wire::{EcsCall, last, missing},
};
use crate::aws::{
    paging::PageLimits,
    reply::{CallRefusal, replace_fields},
};

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>
const LIMITS: PageLimits = PageLimits { default: 10, most: 100 };
/// The maximum number of services in one `DescribeServices` call.
const MOST_SERVICES: usize = 10;
/// The maximum number of service revisions in one `DescribeServiceRevisions` call.
const MOST_REVISIONS: usize = 20;

pub(super) fn list(here: &EcsCall<'_>) -> Result<Value, CallRefusal> {
    let cluster = here.cluster()?;
    here.list("serviceArns", cluster.services.keys().map(|name| service_arn(here, cluster, name)), LIMITS)
}

pub(super) fn describe(here: &EcsCall<'_>) -> Result<Value, CallRefusal> {
    let cluster = here.cluster()?;
    let names = here.named("services", MOST_SERVICES)?;
    if names.is_empty() {
        return Err(CallRefusal::invalid(here.request, "Services cannot be empty."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match cluster.services.get(last(name)) {
            Some(service) => found.push(described(here, cluster, service)),
            None => failures.push(missing(&service_arn(here, cluster, last(name)))),
        }
    }
    Ok(json!({ "services": found, "failures": failures }))
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html>
fn described(here: &EcsCall<'_>, cluster: &CloudCluster, service: &CloudService) -> Value {
    let running = |revision: &ServiceRevision| {
        json!({
            "arn": revision_arn(here, cluster, service, revision),
            "requestedTaskCount": service.desired_count,
            "runningTaskCount": service.desired_count,
            "pendingTaskCount": 0,
        })
    };
    let is_ecs = service.controller == "ECS";
    let mut described = json!({
        "serviceArn": service_arn(here, cluster, &service.name),
        "serviceName": service.name,
        "clusterArn": here.cluster_arn(&cluster.name),
        "status": "ACTIVE",
        "desiredCount": service.desired_count,
        "runningCount": service.desired_count,
        "pendingCount": 0,
        "launchType": service.launch_type,
        "schedulingStrategy": "REPLICA",
        "deploymentController": { "type": service.controller },
        "taskDefinition": here.definition_arn(&service.task_definition),
    });
    if is_ecs {
        described["currentServiceRevisions"] = service.revisions.iter().map(running).collect();
    }
    here.put_tags(&mut described, &service.tags);
    replace_fields(&mut described, &service.fields);
    described
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html>
pub(super) fn describe_revisions(here: &EcsCall<'_>) -> Result<Value, CallRefusal> {
    let arns = here.named("serviceRevisionArns", MOST_REVISIONS)?;
    if arns.is_empty() {
        return Err(CallRefusal::invalid(here.request, "serviceRevisionArns cannot be empty."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match find(here, arn) {
            Some((cluster, service, revision)) => found.push(json!({
                "serviceRevisionArn": arn,
                "serviceArn": service_arn(here, cluster, &service.name),
                "clusterArn": here.cluster_arn(&cluster.name),
                "taskDefinition": here.definition_arn(definition(service, revision)),
                "launchType": service.launch_type,
                "containerImages": revision.containers.iter().map(image).collect::<Vec<_>>(),
                "createdAt": revision.created_at.timestamp(),
            })),
            None => failures.push(missing(arn)),
        }
    }
    Ok(json!({ "serviceRevisions": found, "failures": failures }))
}

fn find<'a>(here: &EcsCall<'a>, arn: &str) -> Option<(&'a CloudCluster, &'a CloudService, &'a ServiceRevision)> {
    let mut parts = arn.rsplit('/');
    let (id, service, cluster) = (parts.next()?, parts.next()?, parts.next()?);
    let cluster = here.find_cluster(cluster)?;
    let service = cluster.services.get(service)?;
    let revision = service.revisions.iter().find(|revision| revision.id == id)?;
    (arn == revision_arn(here, cluster, service, revision)).then_some((cluster, service, revision))
}

fn definition<'a>(service: &'a CloudService, revision: &'a ServiceRevision) -> &'a str {
    if revision.task_definition.is_empty() { &service.task_definition } else { &revision.task_definition }
}

fn image(container: &CloudContainer) -> Value {
    let mut image = json!({ "containerName": container.name, "image": container.image });
    if let Some(digest) = &container.digest {
        image["imageDigest"] = json!(digest);
    }
    image
}

fn service_arn(here: &EcsCall<'_>, cluster: &CloudCluster, service: &str) -> String {
    here.arn(&format!("service/{}/{service}", cluster.name))
}

fn revision_arn(
    here: &EcsCall<'_>,
    cluster: &CloudCluster,
    service: &CloudService,
    revision: &ServiceRevision,
) -> String {
    here.arn(&format!("service-revision/{}/{}/{}", cluster.name, service.name, revision.id))
}
