//! ECS: clusters with their services and tasks.

mod services;
mod tasks;
mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Cloud, Fields, Tags};
use basewatch::image::Digest;

pub(super) use wire::respond;

/// A cluster.
#[derive(Clone, Debug, Default)]
pub struct CloudCluster {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Tags,
    pub(super) services: BTreeMap<String, CloudService>,
    pub(super) tasks: Vec<CloudTask>,
}

/// A service.
#[derive(Clone, Debug)]
pub struct CloudService {
    /// Its name.
    pub name: String,
    /// `family:revision`.
    pub task_definition: String,
    /// What it runs now; more than one while a deployment is under way.
    pub revisions: Vec<ServiceRevision>,
    /// The desired number of tasks.
    pub desired_count: u32,
    /// Its deployment controller: `ECS`, `CODE_DEPLOY` or `EXTERNAL`; only `ECS` creates service revisions.
    pub controller: String,
    /// Its launch type: `FARGATE` or `EC2`.
    pub launch_type: String,
    /// Its tags.
    pub tags: Tags,
    /// Fields of its description that replace those made from the rest.
    pub fields: Fields,
}

/// A service revision: for each container the image, and its digest when the deployment began.
#[derive(Clone, Debug, Default)]
pub struct ServiceRevision {
    /// The last part of its ARN.
    pub id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The task definition, `family:revision`; if empty, the service's.
    pub task_definition: String,
    /// The containers.
    pub containers: Vec<CloudContainer>,
}

/// A container of a task or of a service revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudContainer {
    /// Its name in the task definition.
    pub name: String,
    /// The image as the task definition has it.
    pub image: String,
    /// Its resolved digest, if ECS reports it.
    pub digest: Option<Digest>,
}

/// A task.
#[derive(Clone, Debug)]
pub struct CloudTask {
    /// The last part of its ARN; if empty, the number of the task in its cluster.
    pub id: String,
    /// `service:NAME` for those of a service, else `family:NAME`.
    pub group: String,
    /// `startedBy`, if set.
    pub started_by: Option<String>,
    /// The task definition, `family:revision`.
    pub task_definition: String,
    /// The containers.
    pub containers: Vec<CloudContainer>,
    /// Attributes by name: `ecs.cpu-architecture` is `x86_64` or `arm64`.
    pub attributes: BTreeMap<String, String>,
    /// When it started; none while it is pending.
    pub started_at: Option<DateTime<Utc>>,
    /// `RUNNING`, `PENDING` or `STOPPED`.
    pub last_status: String,
    /// Its tags.
    pub tags: Tags,
    /// Fields of its description that replace those made from the rest.
    pub fields: Fields,
}

/// A task definition.
#[derive(Clone, Debug, Default)]
pub struct TaskDefinition {
    /// Its family.
    pub family: String,
    /// Its revision, from 1.
    pub revision: u32,
    /// `X86_64` or `ARM64`, if set.
    pub cpu_architecture: Option<String>,
    /// `LINUX`, or one of the Windows families, if set.
    pub operating_system: Option<String>,
    /// The containers.
    pub containers: Vec<ContainerDefinition>,
    /// Its tags.
    pub tags: Tags,
}

/// A container as a task definition has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerDefinition {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
    /// Whether the task ends with it.
    pub is_essential: bool,
}

impl CloudContainer {
    /// A container of `image`, resolved to `digest`.
    #[must_use]
    pub fn new(name: &str, image: &str, digest: Option<&Digest>) -> Self {
        Self { name: name.to_owned(), image: image.to_owned(), digest: digest.cloned() }
    }
}

impl ContainerDefinition {
    /// An essential container of `image`.
    #[must_use]
    pub fn new(name: &str, image: &str) -> Self {
        Self { name: name.to_owned(), image: image.to_owned(), is_essential: true }
    }
}

impl Default for CloudService {
    fn default() -> Self {
        Self {
            name: String::new(),
            task_definition: String::new(),
            revisions: Vec::new(),
            desired_count: 1,
            controller: "ECS".into(),
            launch_type: "FARGATE".into(),
            tags: Tags::new(),
            fields: Fields::new(),
        }
    }
}

impl CloudService {
    /// A service of `task_definition` (`family:revision`) that runs these containers.
    #[must_use]
    pub fn new(name: &str, task_definition: &str, containers: Vec<CloudContainer>) -> Self {
        let revision = ServiceRevision { id: "1000000000000000001".into(), containers, ..ServiceRevision::default() };
        Self {
            name: name.to_owned(),
            task_definition: task_definition.to_owned(),
            revisions: vec![revision],
            ..Self::default()
        }
    }

    /// The same with another revision.
    #[must_use]
    pub fn revised(mut self, revision: ServiceRevision) -> Self {
        self.revisions.push(revision);
        self
    }

    /// The same with a field of its description replaced; null leaves it out.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The same with a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }
}

impl Default for CloudTask {
    fn default() -> Self {
        Self {
            id: String::new(),
            group: String::new(),
            started_by: None,
            task_definition: String::new(),
            containers: Vec::new(),
            attributes: BTreeMap::new(),
            started_at: Some(DateTime::UNIX_EPOCH),
            last_status: "RUNNING".into(),
            tags: Tags::new(),
            fields: Fields::new(),
        }
    }
}

impl CloudTask {
    /// A running task of no service.
    #[must_use]
    pub fn standalone(id: &str, task_definition: &str, containers: Vec<CloudContainer>) -> Self {
        let family = task_definition.split(':').next().unwrap_or_default();
        Self {
            id: id.to_owned(),
            group: format!("family:{family}"),
            task_definition: task_definition.to_owned(),
            containers,
            ..Self::default()
        }
    }

    /// The same as a task of `service`.
    #[must_use]
    pub fn of_service(self, service: &str) -> Self {
        Self { group: format!("service:{service}"), started_by: Some("ecs-svc/1000000000000000001".into()), ..self }
    }

    /// The same with a field of its description replaced; null leaves it out.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The same on a processor of that `architecture`: `x86_64` or `arm64`.
    #[must_use]
    pub fn on(mut self, architecture: &str) -> Self {
        self.attributes.insert("ecs.cpu-architecture".into(), architecture.to_owned());
        self
    }
}

impl Cloud {
    /// Adds an empty cluster with these tags, or changes the tags of the one of that name; adding a service or task
    /// also adds its cluster.
    pub fn cluster(&self, account: &str, region: &str, name: &str, tags: Tags) {
        self.in_cluster(account, region, name, |cluster| cluster.tags = tags);
    }

    /// Adds a service, or replaces the one of that name.
    pub fn service(&self, account: &str, region: &str, cluster: &str, service: CloudService) {
        self.in_cluster(account, region, cluster, |cluster| {
            cluster.services.insert(service.name.clone(), service);
        });
    }

    /// Adds a task, or replaces the one of that id.
    pub fn task(&self, account: &str, region: &str, cluster: &str, mut task: CloudTask) {
        self.in_cluster(account, region, cluster, |cluster| {
            if task.id.is_empty() {
                task.id = format!("{:032x}", cluster.tasks.len());
            }
            cluster.tasks.retain(|known| known.id != task.id);
            cluster.tasks.push(task);
        });
    }

    /// Adds a task definition, or replaces the one of that family and revision.
    pub fn task_definition(&self, account: &str, region: &str, definition: TaskDefinition) {
        let key = (definition.family.clone(), definition.revision);
        self.change().region_mut(account, region).task_definitions.insert(key, definition);
    }

    fn in_cluster(&self, account: &str, region: &str, name: &str, change: impl FnOnce(&mut CloudCluster)) {
        let mut world = self.change();
        let clusters = &mut world.region_mut(account, region).clusters;
        let new = || CloudCluster { name: name.to_owned(), ..CloudCluster::default() };
        change(clusters.entry(name.to_owned()).or_insert_with(new));
    }
}
