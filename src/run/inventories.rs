//! Which inventories the settings ask for.

use std::sync::Arc;

use super::{Instants, Ports};
use crate::{
    config::Settings,
    inventory::{EcrInventory, ImageSource, Inventory, LayoutInventory, NamedInventory},
};

/// The inventories that `settings` ask for, over `ports`, as seen at the clock's now.
#[must_use]
pub fn inventories(settings: &Settings, ports: &Ports, instants: Instants) -> Vec<Box<dyn Inventory>> {
    let concurrency = settings.concurrency.0;
    let (mut references, mut layouts) = (Vec::new(), Vec::new());
    for source in &settings.images {
        match source {
            ImageSource::Reference(reference) => references.push(reference.clone()),
            ImageSource::Layout { folder, tag } => layouts.push((folder.clone(), tag.clone())),
        }
    }
    let mut inventories: Vec<Box<dyn Inventory>> = Vec::new();
    if !references.is_empty() {
        inventories.push(Box::new(NamedInventory::new(
            references,
            Arc::clone(&ports.images),
            concurrency,
            instants.clock,
        )));
    }
    if !layouts.is_empty() {
        inventories.push(Box::new(LayoutInventory::new(layouts)));
    }
    if !settings.ecr.is_empty() {
        let client = Arc::clone(&ports.client);
        let allow_account = Arc::new(move |account: &str| client.allow_account(account));
        let (aws, images) = (Arc::clone(&ports.aws), Arc::clone(&ports.images));
        inventories.push(Box::new(EcrInventory::new(settings.ecr.clone(), aws, images, allow_account, concurrency)));
    }
    inventories
}
