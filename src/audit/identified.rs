//! Identification of all deployments, with bases under their upstream names.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::AuditSources;
use crate::{
    identify::{self, Identification, LayerEvidence, RegistryMirror, combine, identify},
    image::{Digest, Repository},
    inventory::Deployment,
};

/// The records of each deployment's image, and the settings that they were read with, completed by the pull-through
/// caches of the named registries.
pub(super) async fn identify_all(
    deployments: Vec<Deployment>,
    settings: &identify::IdentifySettings,
    sources: &AuditSources,
) -> (Vec<(Deployment, Arc<Identification>)>, identify::IdentifySettings) {
    let mut settings = settings.clone();
    let identification = identify_each(&deployments, &settings);
    let bases = identification.iter().filter_map(|identification| identification.best());
    let mut hosts: BTreeSet<_> = bases.map(|(_, base)| base.repository.registry.to_string()).collect();
    // An image that is a base itself may have come through a cache.
    let own: BTreeSet<_> = deployments.iter().filter_map(Deployment::repository).collect();
    let cached = own.into_iter().filter(|own| !settings.is_base(own) && settings.may_cache_bases(own));
    hosts.extend(cached.map(|repository| repository.registry.to_string()));
    let rules = match &sources.aws_scope {
        Some(aws_scope) => aws_scope.pull_through_rules(hosts).await,
        None => Vec::new(),
    };
    let is_known = rules.is_empty();
    // Configured mirrors come last and win for the same prefix.
    let rules = rules.into_iter().map(|rule| RegistryMirror { prefix: rule.prefix, upstream: rule.upstream });
    settings.mirrors.splice(0..0, rules);
    let identification = if is_known { identification } else { identify_each(&deployments, &settings) };
    (deployments.into_iter().zip(identification).collect(), settings)
}

/// Combines records and layer evidence for each deployment, once for each image.
pub(super) fn combine_all(
    deployments: Vec<(Deployment, Arc<Identification>)>,
    evidence: Vec<Arc<LayerEvidence>>,
    settings: &identify::IdentifySettings,
) -> Vec<(Deployment, Arc<Identification>)> {
    let mut known: HashMap<(Digest, Option<Repository>), Arc<Identification>> = HashMap::new();
    let combined = deployments.into_iter().zip(evidence).map(|((deployment, identification), layers)| {
        let Ok(image) = &deployment.image else { return (deployment, identification) };
        let repository = deployment.repository();
        let concluded = || {
            let concluded = combine(identification.records.clone(), layers, image, repository, settings);
            Arc::new(Identification { provenance: identification.provenance.clone(), ..concluded })
        };
        let concluded = known.entry((image.digest.clone(), repository.cloned())).or_insert_with(concluded);
        let concluded = Arc::clone(concluded);
        (deployment, concluded)
    });
    combined.collect()
}

/// Identifies each image once, however many deployments run it.
fn identify_each(deployments: &[Deployment], settings: &identify::IdentifySettings) -> Vec<Arc<Identification>> {
    let mut known: HashMap<(&Digest, Option<&Repository>), Arc<Identification>> = HashMap::new();
    let identification = deployments.iter().map(|deployment| {
        let Ok(image) = &deployment.image else { return Arc::default() };
        let repository = deployment.repository();
        let identification = || Arc::new(identify(image, repository, settings));
        Arc::clone(known.entry((&image.digest, repository)).or_insert_with(identification))
    });
    identification.collect()
}
