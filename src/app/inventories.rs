//! Construction of the inventories from the settings.

use std::sync::Arc;

use super::{AppClients, RunInstants};
use crate::{
    audit::AuditSources,
    config::Settings,
    inventory::{
        AwsScope, DeploymentKind, EcrInventory, EcsInventory, ImageSource, Inventory, LambdaInventory, LayoutInventory,
        NamedInventory,
    },
};

/// The inventories of `settings`, read through `clients`.
#[must_use]
pub fn sources(settings: &Settings, clients: &AppClients, instants: RunInstants) -> AuditSources {
    let concurrency = settings.concurrency.0;
    let aws_scope = aws_scope(settings, clients, instants);
    let is_selected = |kind| settings.filter.admits_kind(kind);
    let (mut references, mut layouts) = (Vec::new(), Vec::new());
    for source in &settings.images {
        match source {
            ImageSource::Reference(reference) => references.push(reference.clone()),
            ImageSource::Layout { folder, tag } => layouts.push((folder.clone(), tag.clone())),
            ImageSource::Unknown => {}
        }
    }
    let mut inventories: Vec<Box<dyn Inventory>> = Vec::new();
    if !references.is_empty() && is_selected(DeploymentKind::Image) {
        let images = Arc::clone(&clients.images);
        let named = NamedInventory::new(references, images, concurrency, instants.clock);
        inventories.push(Box::new(named.with_progress(Arc::clone(aws_scope.progress()))));
    }
    if !layouts.is_empty() && is_selected(DeploymentKind::Layout) {
        inventories.push(Box::new(LayoutInventory::new(layouts)));
    }
    if !settings.lambda.is_empty() && is_selected(DeploymentKind::Lambda) {
        inventories.push(Box::new(LambdaInventory::new(settings.lambda.clone(), Arc::clone(&aws_scope))));
    }
    if !settings.ecs.is_empty() && is_selected(DeploymentKind::Ecs) {
        inventories.push(Box::new(EcsInventory::new(settings.ecs.clone(), Arc::clone(&aws_scope))));
    }
    if !settings.ecr.is_empty() && is_selected(DeploymentKind::Ecr) {
        inventories.push(Box::new(EcrInventory::new(settings.ecr.clone(), Arc::clone(&aws_scope))));
    }
    AuditSources { inventories, aws_scope: Some(aws_scope) }
}

/// The AWS context that inventories share.
pub(crate) fn aws_scope(settings: &Settings, clients: &AppClients, instants: RunInstants) -> Arc<AwsScope> {
    let (client, caching) = (Arc::clone(&clients.client), Arc::clone(&clients.client));
    let allow_account = Arc::new(move |account: &str| client.allow_account(account));
    let offer_cache = Arc::new(move |registry: &str, prefix: &str| caching.offer_cache(registry, prefix));
    let (aws, images) = (Arc::clone(&clients.aws), Arc::clone(&clients.images));
    let aws_scope = AwsScope::new(aws, images, allow_account, instants.clock)
        .with_caches(offer_cache)
        .with_concurrency(settings.concurrency.0)
        .with_owners(settings.owners.clone())
        .with_filter(settings.filter.clone());
    Arc::new(aws_scope)
}
