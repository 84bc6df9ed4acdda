//! Eager resolution: bases that an image records and its layers confirm are resolved while the inventory is still being
//! read.
//!
//! It only fills the caches of catalog and resolver, so the report does not depend on how far it came.

use std::sync::Arc;

use futures::{StreamExt, channel::mpsc::UnboundedReceiver};

use super::AuditOptions;
use crate::{
    identify::{Base, Confidence, combine, identify},
    image::DigestContent,
    inventory::{DeployedImage, InventoryFilter},
    resolve::{BaseQuery, BaseResolver, ComparedImage, LayerSearcher},
    store::InventoryImage,
};

/// Resolves bases ahead of the audit.
pub(super) struct EagerResolver<'a> {
    pub(super) resolver: &'a BaseResolver,
    pub(super) searcher: &'a LayerSearcher<'a>,
    pub(super) options: &'a AuditOptions,
}

impl EagerResolver<'_> {
    /// Resolves the bases of `images` as they arrive.
    pub(super) async fn resolve(&self, images: UnboundedReceiver<InventoryImage>) {
        // It is unknown yet which images the filter admits.
        if self.options.filter != InventoryFilter::default() {
            return;
        }
        let mut under_way = images.map(|image| self.resolve_base(image)).buffer_unordered(self.options.concurrency);
        while under_way.next().await.is_some() {}
    }

    async fn resolve_base(&self, read: InventoryImage) {
        let DigestContent::Image(facts) = &*read.content else { return };
        // Annotations of the index are added when the inventory is complete.
        let image = DeployedImage {
            digest: read.digest.clone(),
            facts: Arc::new(facts.clone()),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        };
        let repository = Some(&read.repository);
        let identification = identify(&image, repository, &self.options.identify);
        let compared = ComparedImage {
            image: &image,
            repository,
            tag: None,
            identification: &identification,
            existed_at: None,
            is_listed: false,
        };
        let Some(layers) = self.searcher.confirm_ahead(compared).await else { return };
        let readings = identification.records.clone();
        let identification = combine(readings, Arc::new(layers), &image, repository, &self.options.identify);
        // Inner bases are known after all layers were compared.
        let Some(identified) = identification.chain.first().filter(|base| base.confidence == Confidence::Confirmed)
        else {
            return;
        };
        let base = Base { mirror: None, ..identified.base.clone() };
        let query = BaseQuery { base, platform: facts.platform.clone(), built_at: facts.created_at };
        self.resolver.find(&query).await;
    }
}
