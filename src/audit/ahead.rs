//! Bases are resolved while the inventory is still being read: those that an image records and its layers confirm.
//!
//! Nothing is decided here. What is learned is in the catalog and in the resolver when the audit asks for it, so a report
//! does not depend on how far this came.

use std::sync::Arc;

use futures::{StreamExt, channel::mpsc::UnboundedReceiver};

use super::Terms;
use crate::{
    identify::{Base, Confidence, combine, identify},
    image::Content,
    inventory::{DeployedImage, Filter},
    resolve::{ComparedImage, Question, Resolver, Searcher},
    store::InventoryImage,
};

/// Resolves bases ahead of the audit.
pub(super) struct ResolvesAhead<'a> {
    pub(super) resolver: &'a Resolver,
    pub(super) searcher: &'a Searcher<'a>,
    pub(super) terms: &'a Terms,
}

impl ResolvesAhead<'_> {
    /// Resolves the bases of `images` as they are read, until there are no more.
    pub(super) async fn resolve(&self, images: UnboundedReceiver<InventoryImage>) {
        // It is not known yet which images the filter leaves.
        if self.terms.filter != Filter::default() {
            return;
        }
        let mut under_way = images.map(|image| self.resolve_base(image)).buffer_unordered(self.terms.concurrency);
        while under_way.next().await.is_some() {}
    }

    async fn resolve_base(&self, read: InventoryImage) {
        let Content::Image(facts) = &*read.content else { return };
        // What an index says of the image besides is looked at when the inventory is complete.
        let image = DeployedImage {
            digest: read.digest.clone(),
            facts: Arc::new(facts.clone()),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        };
        let repository = Some(&read.repository);
        let identification = identify(&image, repository, &self.terms.identify);
        let compared =
            ComparedImage { image: &image, repository, tag: None, identification: &identification, existed_at: None };
        let Some(layers) = self.searcher.confirm_ahead(compared).await else { return };
        let readings = identification.readings.clone();
        let identification = combine(readings, Arc::new(layers), &image, repository, &self.terms.identify);
        // The others of a chain are known when all layers were compared.
        let Some(identified) = identification.chain.first().filter(|base| base.confidence == Confidence::Confirmed)
        else {
            return;
        };
        let base = Base { mirror: None, ..identified.base.clone() };
        let question = Question { base, platform: facts.platform.clone(), built_at: facts.created_at };
        self.resolver.find(&question).await;
    }
}
