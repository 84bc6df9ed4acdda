//! One inventory of private ECR, with everything around it in memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use basewatch::{
    aws::Aws,
    inventory::{Deployment, EcrInventory, EcrSettings, Inventoried, Inventory},
    registry::{Registry, Requests, Secret},
    store::{Catalog, Images},
};

use crate::{
    aws_replay::{Answer, AwsReplay, Call},
    ecr_model::EcrModel,
    memory_registry::MemoryRegistry,
};

pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI-never-shown";

pub(crate) struct Rig {
    pub(crate) replay: AwsReplay,
    pub(crate) registry: Arc<MemoryRegistry>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) accounts: Arc<Mutex<Vec<String>>>,
    pub(crate) catalog: Arc<Catalog>,
}

impl Rig {
    pub(crate) fn new(registry: Arc<MemoryRegistry>, model: EcrModel) -> Self {
        Self::answering(registry, move |call| model.answer(call))
    }

    pub(crate) fn answering(
        registry: Arc<MemoryRegistry>,
        answers: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self {
            replay: AwsReplay::new(answers),
            registry,
            requests: Arc::default(),
            accounts: Arc::default(),
            catalog: Arc::new(Catalog::in_memory()),
        }
    }

    pub(crate) fn aws(&self) -> Aws {
        Aws::new(Arc::clone(&self.requests))
            .with_transport(self.replay.clone())
            .with_access_key("AKIDEXAMPLE", &Secret::new(SECRET.into()))
            .with_max_attempts(3)
            .with_first_backoff(Duration::from_millis(1))
    }

    pub(crate) async fn look(&self, settings: &[EcrSettings]) -> Inventoried {
        let registry: Arc<dyn Registry> = self.registry.clone();
        let images = Arc::new(Images::new(registry, Arc::clone(&self.catalog)));
        let accounts = Arc::clone(&self.accounts);
        let allow = Arc::new(move |account: &str| accounts.lock().unwrap().push(account.to_owned()));
        EcrInventory::new(settings.to_vec(), Arc::new(self.aws()), images, allow, 8).deployments().await
    }
}

pub(crate) fn settings() -> EcrSettings {
    let all = || vec!["*".parse().unwrap()];
    EcrSettings {
        regions: vec![REGION.into()],
        repositories: all(),
        exclude: Vec::new(),
        tags: all(),
        newest: None,
        untagged: false,
    }
}

pub(crate) fn ids(deployments: &[Deployment]) -> Vec<&str> {
    deployments.iter().map(|deployment| deployment.id.as_str()).collect()
}

pub(crate) fn names(found: &Inventoried) -> Vec<&str> {
    found.deployments.iter().map(|deployment| deployment.name.as_str()).collect()
}

/// The reason codes of the images that cannot be read, by name.
pub(crate) fn unreadable(found: &Inventoried) -> Vec<(&str, &str)> {
    let code = |deployment: &Deployment| deployment.image.as_ref().err().map(|why| why.code);
    found.deployments.iter().filter_map(|deployment| Some((deployment.name.as_str(), code(deployment)?))).collect()
}
