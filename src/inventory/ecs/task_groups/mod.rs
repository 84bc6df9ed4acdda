//! The task groups of a cluster and their images: services, families of standalone tasks, and daemons.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    arn::{self, DefinitionKind, DefinitionName},
    cache::{CachedRevision, ContainerImage, EcsCache},
    clusters::ClusterContents,
    image,
    services::{CurrentRevision, EcsService},
    tasks::EcsTask,
};
use crate::{
    image::{Digest, LambdaArch},
    inventory::ResourceTags,
};

/// Name prefixes of containers that AWS adds to tasks: `GuardDuty` Runtime Monitoring and Service Connect.
const OF_AWS: [&str; 2] = ["aws-guardduty-agent-", "ecs-service-connect-"];

/// A service, or the standalone tasks of one task definition family or daemon.
#[derive(Debug)]
pub(super) struct TaskGroup<'a> {
    pub(super) cluster: &'a str,
    /// The name of the service or of the family.
    pub(super) name: &'a str,
    pub(super) service: Option<&'a EcsService>,
    /// The kind of definition of its tasks.
    pub(super) kind: DefinitionKind,
    /// Newest first.
    tasks: Vec<&'a EcsTask>,
}

/// One revision that a task group runs: a service revision or a task definition.
#[derive(Debug)]
pub(super) struct TaskRevision<'a> {
    /// The ARN of the task definition.
    pub(super) definition: &'a str,
    version: Option<&'a str>,
    is_fargate: bool,
    revision: Option<&'a CachedRevision>,
}

/// An image that a container of a task group runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunningContainer {
    pub(super) container: String,
    /// The image name.
    pub(super) image: Option<String>,
    /// The digest, if ECS reports it.
    pub(super) digest: Option<Digest>,
    /// The id of the service revision, or the revision number of the task definition.
    pub(super) version: Option<String>,
    pub(super) architecture: Option<LambdaArch>,
    /// Whether it is the newest image of this container.
    pub(super) is_main: bool,
}

/// The task groups of `cluster` that `admits` selects by name.
pub(super) fn task_groups(cluster: &ClusterContents, admits: impl Fn(&str) -> bool) -> Vec<TaskGroup<'_>> {
    let mut in_services = BTreeMap::<_, Vec<_>>::new();
    let mut families = BTreeMap::<_, Vec<_>>::new();
    for task in &cluster.tasks {
        if let Some(service) = &task.service {
            in_services.entry(service.as_str()).or_default().push(task);
        } else {
            let DefinitionName { kind, family, .. } = DefinitionName::parse(&task.definition);
            families.entry((kind, family)).or_default().push(task);
        }
    }
    let services = cluster.services.iter().map(|service| {
        let tasks = in_services.remove(service.name.as_str()).unwrap_or_default();
        let kind = DefinitionKind::Task;
        TaskGroup { cluster: &cluster.name, name: &service.name, service: Some(service), kind, tasks }
    });
    let mut task_groups: Vec<_> = services.collect();
    let families = families.into_iter();
    let family = |((kind, name), tasks)| TaskGroup { cluster: &cluster.name, name, service: None, kind, tasks };
    task_groups.extend(families.map(family));
    task_groups.retain(|task_group| admits(task_group.name));
    for task_group in &mut task_groups {
        task_group.tasks.sort_by_key(|task| Reverse(task.started_at));
    }
    task_groups
}

impl<'a> TaskGroup<'a> {
    /// The ARN of the service, or of the task definition of the newest task.
    pub(super) fn arn(&self) -> &'a str {
        match (self.service, self.tasks.first()) {
            (Some(service), _) => &service.arn,
            (None, task) => task.map_or("", |task| &task.definition),
        }
    }

    /// The status of the service, or of the newest task.
    pub(super) fn state(&self) -> Option<&'a str> {
        match self.service {
            Some(service) => service.status.as_deref(),
            None => self.tasks.first()?.status.as_deref(),
        }
    }

    /// The tags of the service, or of the newest task.
    pub(super) fn tags(&self) -> Arc<ResourceTags> {
        let tags = self.service.map(|service| &service.tags).or_else(|| Some(&self.tasks.first()?.tags));
        tags.map(Arc::clone).unwrap_or_default()
    }

    /// The revisions that it runs, as far as `cache` has them, newest first.
    pub(super) fn revisions<'m>(&self, cache: &'m EcsCache) -> Vec<TaskRevision<'m>>
    where
        'a: 'm,
    {
        match self.service.and_then(|service| revised(service, cache)) {
            Some(revisions) => revisions,
            None => self.by_tasks(),
        }
    }

    /// The task definitions of its tasks: that of the primary deployment first, then newest first. Without tasks, that
    /// of the primary deployment.
    fn by_tasks(&self) -> Vec<TaskRevision<'a>> {
        let revision = |definition: &'a str| TaskRevision {
            definition,
            version: DefinitionName::parse(definition).revision,
            is_fargate: self.service.is_some_and(|service| service.is_fargate),
            revision: None,
        };
        let primary = self.service.and_then(|service| service.definition.as_deref());
        let mut definitions: Vec<&str> = self.tasks.iter().map(|task| task.definition.as_str()).collect();
        if definitions.is_empty() {
            definitions.extend(primary);
        }
        definitions.sort_by_key(|definition| Some(*definition) != primary);
        let mut seen = BTreeSet::new();
        definitions.into_iter().filter(|definition| seen.insert(*definition)).map(revision).collect()
    }

    /// The running images, newest first for each container. Daemons have no task definition that names their
    /// containers; images that their tasks do not report are left out.
    pub(super) fn running(&self, cache: &EcsCache) -> Vec<RunningContainer> {
        let is_defined = self.kind == DefinitionKind::Task;
        let mut running = BTreeMap::<String, Vec<RunningContainer>>::new();
        for revision in self.revisions(cache) {
            for image in self.images(&revision, cache) {
                let known = running.entry(image.container.clone()).or_default();
                // An image without name and digest cannot be distinguished from others.
                let is_told = image.digest.is_some() && known.iter().all(|other| other.digest != image.digest);
                if is_told || (known.is_empty() && is_defined) {
                    let is_main = known.is_empty();
                    known.push(RunningContainer { is_main, ..image });
                }
            }
        }
        running.into_values().flatten().collect()
    }

    fn images(&self, revision: &TaskRevision<'_>, cache: &EcsCache) -> Vec<RunningContainer> {
        let tasks: Vec<_> = self.tasks.iter().filter(|task| task.definition == revision.definition).collect();
        let definition = cache.definitions.get(revision.definition);
        let by_definition = definition.and_then(|definition| definition.architecture);
        // Fargate's default (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html).
        let is_fargate = revision.is_fargate || tasks.iter().any(|task| task.is_fargate);
        let by_default = is_fargate.then_some(LambdaArch::X86_64);
        let architecture = by_definition.or_else(|| agreed(&tasks)).or(by_default);
        let version = revision.version.map(str::to_owned);
        let running = |container: &ContainerImage, digest| RunningContainer {
            container: container.name.clone(),
            image: container.image.clone(),
            digest,
            version: version.clone(),
            architecture,
            is_main: false,
        };
        let mut images = Vec::new();
        for container in revision.containers(&tasks, cache) {
            let digests = digests(&container, &tasks);
            if digests.is_empty() {
                images.push(running(&container, None));
            }
            images.extend(digests.into_iter().map(|digest| running(&container, Some(digest))));
        }
        images
    }
}

impl TaskRevision<'_> {
    /// Its containers: those of the task definition, without those that AWS adds.
    fn containers(&self, tasks: &[&&EcsTask], cache: &EcsCache) -> Vec<ContainerImage> {
        let mut seen = BTreeMap::new();
        let by_revision = self.revision.into_iter().flat_map(|revision| &revision.containers);
        for container in by_revision {
            seen.insert(container.name.as_str(), container.clone());
        }
        for container in tasks.iter().flat_map(|task| &task.containers) {
            // The digest of a task applies to this task only.
            let undigested = || ContainerImage { digest: None, ..container.clone() };
            seen.entry(container.name.as_str()).or_insert_with(undigested);
        }
        let definition = cache.definitions.get(self.definition).filter(|it| !it.containers.is_empty());
        let Some(definition) = definition else {
            let is_added = |name: &str| OF_AWS.iter().any(|prefix| name.starts_with(prefix));
            return seen.into_values().filter(|container| !is_added(&container.name)).collect();
        };
        let known = |named: &ContainerImage| match seen.remove(named.name.as_str()) {
            Some(seen) => ContainerImage { image: seen.image.or_else(|| named.image.clone()), ..seen },
            None => named.clone(),
        };
        definition.containers.iter().map(known).collect()
    }
}

/// The revisions of `service`, those with desired tasks first, newest first; `None` if not all of them are cached.
fn revised<'a>(service: &'a EcsService, cache: &'a EcsCache) -> Option<Vec<TaskRevision<'a>>> {
    let known = service.revisions.iter().map(|current| Some((current, &**cache.revisions.get(&current.arn)?)));
    let mut known: Vec<_> = known.collect::<Option<_>>()?;
    // A revision that is being rolled back is the newest, but has no desired tasks.
    known.sort_by_key(|(current, revision)| Reverse((current.requested > 0, revision.created_at)));
    let revision = |(current, revision): (&'a CurrentRevision, &'a CachedRevision)| TaskRevision {
        definition: &revision.definition,
        version: Some(arn::last(&current.arn)),
        is_fargate: revision.is_fargate || service.is_fargate,
        revision: Some(revision),
    };
    (!known.is_empty()).then(|| known.into_iter().map(revision).collect())
}

/// The digests that run in `container`, newest first: the one that ECS resolved its image to, else those of `tasks`,
/// else the one in the image name.
fn digests(container: &ContainerImage, tasks: &[&&EcsTask]) -> Vec<Digest> {
    let reported = |container: &ContainerImage| container.digest.as_deref()?.parse().ok();
    if let Some(digest) = reported(container) {
        return vec![digest];
    }
    let mut digests = Vec::new();
    for ran in tasks.iter().flat_map(|task| &task.containers).filter(|ran| ran.name == container.name) {
        digests.extend(reported(ran).filter(|digest| !digests.contains(digest)));
    }
    if digests.is_empty() {
        digests.extend(container.image.as_deref().and_then(image::digest));
    }
    digests
}

/// The architecture of `tasks`, if they agree.
fn agreed(tasks: &[&&EcsTask]) -> Option<LambdaArch> {
    let first = tasks.first()?.architecture;
    tasks.iter().all(|task| task.architecture == first).then_some(first).flatten()
}

#[cfg(test)]
mod tests;
