//! Which images were named by hand, at whatever registry?

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, future::BoxFuture, stream};

use super::{
    Deployment, DeploymentKind, ImageSource, Inventoried, Inventory, Unreadable,
    place::{Findings, Found, Place},
};
use crate::{
    image::{Digest, Reference, Repository},
    store::Images,
};

/// Images by reference: the digest is asked of the registry where the reference has none.
pub struct NamedInventory {
    references: BTreeSet<Reference>,
    images: Arc<Images>,
    concurrency: usize,
}

impl NamedInventory {
    /// The images `references`, `concurrency` at once.
    #[must_use]
    pub fn new(references: Vec<Reference>, images: Arc<Images>, concurrency: usize) -> Self {
        Self { references: references.into_iter().collect(), images, concurrency: concurrency.max(1) }
    }

    /// The references, each with its digest or why there is none.
    async fn pointers(&self) -> Vec<(Reference, Result<Digest, Unreadable>)> {
        stream::iter(self.references.clone())
            .map(|reference| async move {
                let digest = match &reference.digest {
                    Some(digest) => Ok(digest.clone()),
                    None => match self.images.registry().head(&reference).await {
                        Ok(pointer) => Ok(pointer.digest),
                        Err(error) => Err(Unreadable::of_registry(&error)),
                    },
                };
                (reference, digest)
            })
            .buffer_unordered(self.concurrency)
            .collect()
            .await
    }

    /// Reads each of `wanted`; a digest that is in several repositories is read once.
    async fn read(&self, wanted: BTreeSet<(Digest, Repository)>, findings: &mut Findings) {
        let mut answers = stream::iter(wanted)
            .map(|(digest, repository)| async move {
                let found = match self.images.content(&repository, &digest).await {
                    Ok(known) => Ok(Found::from(known)),
                    Err(error) => Err(Unreadable::of_registry(&error)),
                };
                (digest, repository, found)
            })
            .buffer_unordered(self.concurrency);
        while let Some((digest, repository, found)) = answers.next().await {
            findings.add(digest, Some(repository), found);
        }
    }

    async fn look(&self) -> Inventoried {
        let pointers = self.pointers().await;
        let wanted: BTreeSet<_> = pointers
            .iter()
            .filter_map(|(reference, digest)| Some((digest.as_ref().ok()?.clone(), reference.repository.clone())))
            .collect();
        let mut findings = Findings::default();
        self.read(wanted.clone(), &mut findings).await;
        let children = wanted.iter().flat_map(|(digest, repository)| {
            let children = findings.children(digest);
            children.iter().map(|child| (child.digest.clone(), repository.clone())).collect::<Vec<_>>()
        });
        self.read(children.collect(), &mut findings).await;
        let mut deployments: Vec<_> =
            pointers.into_iter().flat_map(|(reference, digest)| deployments(reference, digest, &findings)).collect();
        deployments.sort_by(|a, b| a.id.cmp(&b.id));
        Inventoried { deployments, gaps: Vec::new() }
    }
}

fn deployments(reference: Reference, digest: Result<Digest, Unreadable>, findings: &Findings) -> Vec<Deployment> {
    let place = Place {
        id: format!("image:{reference}"),
        kind: DeploymentKind::Image,
        name: reference.to_string(),
        account: None,
        region: None,
        arn: None,
        reference: ImageSource::Reference(reference),
        pushed_at: None,
    };
    match digest {
        Ok(digest) => place.deployments(&digest, findings),
        Err(why) => vec![place.unreadable(why)],
    }
}

impl Inventory for NamedInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}
