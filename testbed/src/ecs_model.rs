//! ECS in memory: clusters of one region with their services and tasks, listed in pages, described in batches.

use std::collections::BTreeMap;

use basewatch::image::Digest;
use serde_json::{Value, json};

use crate::{
    aws_replay::{Answer, Call},
    ecr_model::ACCOUNT,
};

/// A container of a revision, a task or a task definition: its name, its image, and its digest if reported.
pub type Container<'a> = (&'a str, &'a str, Option<&'a Digest>);

/// A service.
#[derive(Clone)]
pub struct Service {
    name: String,
    described: Value,
    /// The revisions that it runs, by their ids.
    revisions: BTreeMap<String, Value>,
}

impl Service {
    /// A service of `definition` (`orders:7`) without revisions.
    pub fn new(name: &str, definition: &str) -> Self {
        let described = json!({
            "serviceName": name, "status": "ACTIVE", "desiredCount": 1, "runningCount": 1, "pendingCount": 0,
            "launchType": "FARGATE", "taskDefinition": definition_arn(definition), "tags": [],
            "deploymentController": { "type": "ECS" }, "currentServiceRevisions": [],
        });
        Self { name: name.to_owned(), described, revisions: BTreeMap::new() }
    }

    /// The same with a revision of `definition`, which was made at this second.
    pub fn revision(mut self, id: &str, definition: &str, at: u32, containers: &[Container<'_>]) -> Self {
        let images: Vec<_> = containers.iter().map(|container| image(container, "containerName")).collect();
        let revision = json!({
            "taskDefinition": definition_arn(definition), "launchType": self.described["launchType"],
            "createdAt": at, "containerImages": images,
        });
        self.revisions.insert(id.to_owned(), revision);
        self
    }

    /// The same with a part changed: `with("status", …)`.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.described[field] = value;
        self
    }

    /// The same with a tag.
    pub fn tagged(mut self, key: &str, value: &str) -> Self {
        self.described["tags"].as_array_mut().unwrap().push(json!({ "key": key, "value": value }));
        self
    }
}

/// A running task of `definition` in `group`, started at this second.
pub fn task(group: &str, definition: &str, at: u32, containers: &[Container<'_>]) -> Value {
    json!({
        "group": group, "taskDefinitionArn": definition_arn(definition), "startedAt": at, "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING", "launchType": "FARGATE", "attributes": [],
        "containers": containers.iter().map(|container| image(container, "name")).collect::<Vec<_>>(),
    })
}

/// A running task of the daemon `definition`, started at this second.
pub fn daemon_task(definition: &str, at: u32, containers: &[Container<'_>]) -> Value {
    let mut task = task("daemon:x", definition, at, containers);
    task["taskDefinitionArn"] = arn(&format!("daemon-task-definition/{definition}")).into();
    task["launchType"] = "MANAGED_INSTANCES".into();
    task
}

/// The clusters of one region.
#[derive(Clone, Default)]
pub struct EcsModel {
    clusters: BTreeMap<String, (Vec<Service>, Vec<Value>)>,
    definitions: BTreeMap<String, Value>,
    page: Option<usize>,
}

impl EcsModel {
    /// The same with a service.
    pub fn service(mut self, cluster: &str, service: Service) -> Self {
        self.clusters.entry(cluster.to_owned()).or_default().0.push(service);
        self
    }

    /// The same with a task.
    pub fn task(mut self, cluster: &str, task: Value) -> Self {
        self.clusters.entry(cluster.to_owned()).or_default().1.push(task);
        self
    }

    /// The same with a task definition, which names an architecture or not.
    pub fn definition(mut self, name: &str, architecture: Option<&str>, containers: &[Container<'_>]) -> Self {
        let containers: Vec<_> = containers.iter().map(|container| image(container, "name")).collect();
        let mut definition = json!({ "taskDefinitionArn": definition_arn(name), "containerDefinitions": containers });
        if let Some(architecture) = architecture {
            definition["runtimePlatform"] = json!({ "cpuArchitecture": architecture });
        }
        self.definitions.insert(definition_arn(name), definition);
        self
    }

    /// The same with so many entries a page.
    pub fn paged(self, page: usize) -> Self {
        Self { page: Some(page), ..self }
    }

    /// The response of ECS.
    pub fn answer(&self, call: &Call) -> Answer {
        let response = match call.operation.as_str() {
            "ListClusters" => {
                let arns = self.clusters.keys().map(|name| arn(&format!("cluster/{name}")));
                Ok(self.list(call, "clusterArns", &arns.collect::<Vec<_>>()))
            }
            "DescribeServiceRevisions" => self.revisions(call),
            "DescribeTaskDefinition" => self.definition_of(call),
            _ => self.in_cluster(call),
        };
        response.map_or_else(|refusal| Answer::error(refusal, "no such thing"), Answer::ok)
    }

    fn in_cluster(&self, call: &Call) -> Result<Value, &'static str> {
        let name = call.body["cluster"].as_str().unwrap().rsplit('/').next().unwrap();
        let (services, tasks) = self.clusters.get(name).ok_or("ClusterNotFoundException")?;
        let service_arn = |service: &Service| arn(&format!("service/{name}/{}", service.name));
        let task_arn = |index: usize| arn(&format!("task/{name}/{index:032x}"));
        match call.operation.as_str() {
            "ListServices" => Ok(self.list(call, "serviceArns", &services.iter().map(service_arn).collect::<Vec<_>>())),
            "ListTasks" => {
                assert_eq!(call.body["desiredStatus"], "RUNNING");
                Ok(self.list(call, "taskArns", &(0..tasks.len()).map(task_arn).collect::<Vec<_>>()))
            }
            "DescribeServices" => describe(call, ("services", "services", 10), |requested| {
                let service = services.iter().find(|service| service_arn(service) == requested)?;
                let mut described = with_tags(call, service.described.clone());
                described["serviceArn"] = requested.into();
                if described["currentServiceRevisions"] == json!([]) {
                    described["currentServiceRevisions"] =
                        service.revisions.keys().map(|id| current(name, &service.name, id)).collect();
                }
                Some(described)
            }),
            "DescribeTasks" => describe(call, ("tasks", "tasks", 100), |requested| {
                let index = (0..tasks.len()).find(|index| task_arn(*index) == requested)?;
                let mut described = with_tags(call, tasks[index].clone());
                described["taskArn"] = requested.into();
                Some(described)
            }),
            _ => Err("UnknownOperationException"),
        }
    }

    fn revisions(&self, call: &Call) -> Result<Value, &'static str> {
        describe(call, ("serviceRevisionArns", "serviceRevisions", 20), |requested| {
            let mut parts = requested.rsplit('/');
            let (id, service, cluster) = (parts.next()?, parts.next()?, parts.next()?);
            let service = self.clusters.get(cluster)?.0.iter().find(|it| it.name == service)?;
            let mut revision = service.revisions.get(id)?.clone();
            revision["serviceRevisionArn"] = requested.into();
            Some(revision)
        })
    }

    fn definition_of(&self, call: &Call) -> Result<Value, &'static str> {
        let requested = call.body["taskDefinition"].as_str().unwrap();
        let definition = self.definitions.get(requested).ok_or("ClientException")?;
        Ok(json!({ "taskDefinition": definition }))
    }

    fn list(&self, call: &Call, field: &str, arns: &[String]) -> Value {
        let start: usize = call.body["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let requested = call.body["maxResults"].as_u64().unwrap_or(10);
        assert!(requested <= 100, "the API rejects more than a hundred");
        let end = arns.len().min(start + self.page.unwrap_or(usize::try_from(requested).unwrap()));
        let mut response = json!({ field: arns[start..end] });
        if end < arns.len() {
            response["nextToken"] = end.to_string().into();
        }
        response
    }
}

/// The ARN of something in the region of the model.
pub fn arn(rest: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:{ACCOUNT}:{rest}")
}

/// The ARN of a task definition.
pub fn definition_arn(name: &str) -> String {
    arn(&format!("task-definition/{name}"))
}

/// A revision in a service description, with one task.
pub fn current(cluster: &str, service: &str, id: &str) -> Value {
    json!({
        "arn": arn(&format!("service-revision/{cluster}/{service}/{id}")),
        "requestedTaskCount": 1, "runningTaskCount": 1, "pendingTaskCount": 0,
    })
}

fn image((name, image, digest): &Container<'_>, name_field: &str) -> Value {
    let mut container = json!({ name_field: name, "image": image });
    if let Some(digest) = digest {
        container["imageDigest"] = digest.as_str().into();
    }
    container
}

/// Tags are returned on request.
fn with_tags(call: &Call, mut described: Value) -> Value {
    if call.body["include"] != json!(["TAGS"]) {
        described.as_object_mut().unwrap().remove("tags");
    }
    described
}

/// The items that `find` returns for the names in the field, and the failures of the others.
fn describe(
    call: &Call,
    (requested, field, most): (&str, &str, usize),
    find: impl Fn(&str) -> Option<Value>,
) -> Result<Value, &'static str> {
    let requested = call.body[requested].as_array().unwrap();
    if requested.is_empty() || requested.len() > most {
        return Err("InvalidParameterException");
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in requested.iter().map(|name| name.as_str().unwrap()) {
        match find(name) {
            Some(described) => found.push(described),
            None => failures.push(json!({ "arn": name, "reason": "MISSING" })),
        }
    }
    Ok(json!({ field: found, "failures": failures }))
}
