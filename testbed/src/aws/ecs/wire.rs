//! The JSON API of ECS over the clusters of a region.

use serde_json::{Value, json};

use super::{CloudCluster, services, tasks};
use crate::aws::{
    Tags,
    paging::{PageLimits, page},
    reply::{CallRefusal, Reply},
    request::Call,
    sessions::Caller,
    world::{CloudRegion, CloudWorld},
};

const CURSOR: (&str, &str) = ("nextToken", "maxResults");

/// ECS in one region of one account.
pub(super) struct EcsCall<'a> {
    pub(super) request: &'a Call,
    caller: &'a Caller,
    pub(super) region: Option<&'a CloudRegion>,
}

pub(in crate::aws) fn respond(world: &CloudWorld, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    let here = EcsCall { request, caller, region: world.region(&caller.account, &request.region) };
    let body = match request.operation.as_str() {
        "ListClusters" => here.clusters(),
        "DescribeClusters" => here.cluster_details(),
        "ListServices" => services::list(&here),
        "DescribeServices" => services::describe(&here),
        "DescribeServiceRevisions" => services::describe_revisions(&here),
        "ListTasks" => tasks::list(&here),
        "DescribeTasks" => tasks::describe(&here),
        "DescribeTaskDefinition" => tasks::describe_definition(&here),
        _ => Err(CallRefusal::unknown_operation(request)),
    }?;
    Ok(Reply::json(request, &body))
}

impl<'a> EcsCall<'a> {
    fn clusters(&self) -> Result<Value, CallRefusal> {
        let names = self.region.into_iter().flat_map(|region| region.clusters.keys());
        self.list("clusterArns", names.map(|name| self.cluster_arn(name)), PageLimits { default: 100, most: 100 })
    }

    fn cluster_details(&self) -> Result<Value, CallRefusal> {
        let mut names = self.named("clusters", 100)?;
        if names.is_empty() {
            names.push("default");
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            let Some(cluster) = self.find_cluster(name) else {
                failures.push(missing(&self.cluster_arn(last(name))));
                continue;
            };
            let mut described = json!({
                "clusterArn": self.cluster_arn(&cluster.name),
                "clusterName": cluster.name,
                "status": "ACTIVE",
                "activeServicesCount": cluster.services.len(),
                "runningTasksCount": cluster.tasks.iter().filter(|task| task.last_status == "RUNNING").count(),
                "pendingTasksCount": cluster.tasks.iter().filter(|task| task.last_status == "PENDING").count(),
            });
            self.put_tags(&mut described, &cluster.tags);
            found.push(described);
        }
        Ok(json!({ "clusters": found, "failures": failures }))
    }

    /// One page of `arns` under the name `field`.
    pub(super) fn list(
        &self,
        field: &str,
        arns: impl Iterator<Item = String>,
        limits: PageLimits,
    ) -> Result<Value, CallRefusal> {
        let page = page(self.request, arns, CURSOR, limits)?;
        Ok(json!({ field: page.items, "nextToken": page.next }))
    }

    /// The texts of the list `field`, at most `most`.
    pub(super) fn named(&self, field: &str, most: usize) -> Result<Vec<&'a str>, CallRefusal> {
        let named = self.request.texts(field);
        if named.len() > most {
            return Err(CallRefusal::invalid(self.request, format!("{field} must have at most {most} members")));
        }
        Ok(named)
    }

    /// The cluster of the call; `default` if omitted.
    pub(super) fn cluster(&self) -> Result<&'a CloudCluster, CallRefusal> {
        let cluster = self.find_cluster(self.request.text("cluster").unwrap_or("default"));
        cluster.ok_or_else(|| CallRefusal::new(400, "ClusterNotFoundException", "Cluster not found."))
    }

    pub(super) fn find_cluster(&self, name: &str) -> Option<&'a CloudCluster> {
        let cluster = self.region?.clusters.get(last(name))?;
        (!name.contains(':') || name == self.cluster_arn(&cluster.name)).then_some(cluster)
    }

    /// The tags, if requested.
    pub(super) fn put_tags(&self, described: &mut Value, tags: &Tags) {
        if self.request.texts("include").contains(&"TAGS") {
            described["tags"] = self::tags(tags);
        }
    }

    pub(super) fn cluster_arn(&self, cluster: &str) -> String {
        self.arn(&format!("cluster/{cluster}"))
    }

    pub(super) fn definition_arn(&self, definition: &str) -> String {
        self.arn(&format!("task-definition/{definition}"))
    }

    pub(super) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{resource}", self.request.region, self.caller.account)
    }
}

/// The failure for a missing resource.
pub(super) fn missing(arn: &str) -> Value {
    json!({ "arn": arn, "reason": "MISSING" })
}

/// The last part of an ARN, or the name itself.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Tags as ECS writes them.
pub(super) fn tags(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}
