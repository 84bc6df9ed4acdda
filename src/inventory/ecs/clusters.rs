//! The services and tasks of the selected clusters of one region.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt, stream};

use super::{
    arn,
    calls::{CollectedItems, EcsClient, EcsPage, PAGE},
    services::{self, EcsService},
    tasks::{self, EcsTask},
};
use crate::aws::AwsError;

/// A cluster, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct ClusterContents {
    pub(super) name: String,
    pub(super) services: Vec<EcsService>,
    pub(super) tasks: Vec<EcsTask>,
    pub(super) is_whole: bool,
}

/// The clusters of one region.
#[derive(Debug, Default)]
pub(super) struct RegionClusters {
    /// The selected clusters.
    pub(super) read: Vec<ClusterContents>,
    /// The names of clusters that were not read completely: not selected, or unreadable. `None` if the list of clusters
    /// itself is incomplete.
    pub(super) unread: Option<BTreeSet<String>>,
}

/// Reads the clusters whose names `is_selected` selects, with those services that `admits` selects by cluster and name.
pub(super) async fn read(
    ecs: &EcsClient<'_>,
    is_selected: impl Fn(&str) -> bool,
    admits: impl Fn(&str, &str) -> bool + Sync,
) -> RegionClusters {
    let listed = list(ecs).await;
    let (selected, others): (Vec<_>, Vec<_>) =
        listed.items.into_iter().partition(|cluster| is_selected(arn::last(cluster)));
    let admits = &admits;
    let reads = stream::iter(selected).map(|cluster| async move { cluster_at(ecs, &cluster, admits).await }.boxed());
    let read: Vec<_> = reads.buffer_unordered(ecs.concurrency()).collect().await;
    let names = others.iter().map(|cluster| arn::last(cluster).to_owned());
    let partly = read.iter().filter(|cluster| !cluster.is_whole).map(|cluster| cluster.name.clone());
    RegionClusters { unread: listed.is_whole.then(|| names.chain(partly).collect()), read }
}

async fn list(ecs: &EcsClient<'_>) -> CollectedItems<String> {
    let call = ecs.call("ListClusters");
    let page = |token| {
        let sent = ecs.client.list_clusters().max_results(PAGE).set_next_token(token).send();
        async {
            let page = sent.await.map_err(|error| AwsError::from_sdk(&call, &error))?;
            Ok(EcsPage { items: page.cluster_arns, next: page.next_token })
        }
        .boxed()
    };
    ecs.list(&ecs.scope(), &call, page).await
}

async fn cluster_at(
    ecs: &EcsClient<'_>,
    cluster: &str,
    admits: &(impl Fn(&str, &str) -> bool + Sync),
) -> ClusterContents {
    let name = arn::last(cluster);
    let scope = format!("{} {name}", ecs.scope());
    let services = async {
        let mut listed = services::list(ecs, &scope, cluster).await;
        listed.items.retain(|service| admits(name, arn::last(service)));
        let described = services::describe(ecs, &scope, cluster, &listed.items).await;
        CollectedItems { is_whole: listed.is_whole && described.is_whole, ..described }
    };
    // ECS cannot list standalone tasks only. So all tasks of the cluster are read, which also serves services whose
    // images only their tasks show.
    let tasks = async {
        let listed = tasks::list(ecs, &scope, cluster).await;
        tasks::describe(ecs, &scope, cluster, &listed.items).await.items
    };
    let (services, tasks) = futures::join!(services, tasks);
    ClusterContents { name: name.to_owned(), is_whole: services.is_whole, services: services.items, tasks }
}
