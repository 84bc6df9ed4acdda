//! Which images do Lambda functions run? Each function's own version, and those that aliases point to.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Estate, Inventoried, Inventory, LambdaSettings};

/// The functions of an estate that are packaged as images.
pub struct LambdaInventory {
    settings: Vec<LambdaSettings>,
    estate: Arc<Estate>,
}

impl LambdaInventory {
    /// The functions of `estate` that `settings` choose.
    #[must_use]
    pub fn new(settings: Vec<LambdaSettings>, estate: Arc<Estate>) -> Self {
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

impl Inventory for LambdaInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}
