//! The services and tasks of the selected clusters of one region.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt, stream};

use super::{
    arn,
    calls::{Ecs, Gathered, PAGE, Page},
    services::{self, Service},
    tasks::{self, Task},
};
use crate::aws::Failure;

/// A cluster, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) services: Vec<Service>,
    pub(super) tasks: Vec<Task>,
    pub(super) is_whole: bool,
}

/// The clusters of one region.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    /// The selected clusters.
    pub(super) read: Vec<Cluster>,
    /// The names of clusters that were not read completely: not selected, or unreadable. `None` if the list of clusters
    /// itself is incomplete.
    pub(super) unread: Option<BTreeSet<String>>,
}

/// Reads the clusters whose names `is_meant` selects, with those services that `admits` selects by cluster and name.
pub(super) async fn read(
    ecs: &Ecs<'_>,
    is_meant: impl Fn(&str) -> bool,
    admits: impl Fn(&str, &str) -> bool + Sync,
) -> Clusters {
    let listed = list(ecs).await;
    let (meant, others): (Vec<_>, Vec<_>) = listed.items.into_iter().partition(|cluster| is_meant(arn::last(cluster)));
    let admits = &admits;
    let reads = stream::iter(meant).map(|cluster| async move { cluster_at(ecs, &cluster, admits).await }.boxed());
    let read: Vec<_> = reads.buffer_unordered(ecs.concurrency()).collect().await;
    let names = others.iter().map(|cluster| arn::last(cluster).to_owned());
    let partly = read.iter().filter(|cluster| !cluster.is_whole).map(|cluster| cluster.name.clone());
    Clusters { unread: listed.is_whole.then(|| names.chain(partly).collect()), read }
}

async fn list(ecs: &Ecs<'_>) -> Gathered<String> {
    let call = ecs.call("ListClusters");
    let page = |token| {
        let sent = ecs.client.list_clusters().max_results(PAGE).set_next_token(token).send();
        async {
            let page = sent.await.map_err(|error| Failure::of(&call, &error))?;
            Ok(Page { items: page.cluster_arns, next: page.next_token })
        }
        .boxed()
    };
    ecs.list(&ecs.scope(), &call, page).await
}

async fn cluster_at(ecs: &Ecs<'_>, cluster: &str, admits: &(impl Fn(&str, &str) -> bool + Sync)) -> Cluster {
    let name = arn::last(cluster);
    let scope = format!("{} {name}", ecs.scope());
    let services = async {
        let mut listed = services::list(ecs, &scope, cluster).await;
        listed.items.retain(|service| admits(name, arn::last(service)));
        let described = services::describe(ecs, &scope, cluster, &listed.items).await;
        Gathered { is_whole: listed.is_whole && described.is_whole, ..described }
    };
    // ECS cannot list standalone tasks only. So all tasks of the cluster are read, which also serves services whose
    // images only their tasks show.
    let tasks = async {
        let listed = tasks::list(ecs, &scope, cluster).await;
        tasks::describe(ecs, &scope, cluster, &listed.items).await.items
    };
    let (services, tasks) = futures::join!(services, tasks);
    Cluster { name: name.to_owned(), is_whole: services.is_whole, services: services.items, tasks }
}
