//! Reads one region: the list, the aliases and `GetFunction` concurrently, each at its own rate.

use std::{collections::BTreeSet, sync::Arc};

use futures::{FutureExt as _, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use super::{
    function::{self, FunctionDetails, FunctionReadError},
    listing::{self, FunctionAlias, ListMarker, VersionPage},
    progress::{LambdaSurvey, VersionRequest},
};
use crate::{
    aws::{AwsError, LambdaClient},
    image::{Digest, Repository},
    inventory::{InventoryProgress, account_region::AccountRegion},
};

/// Concurrent `GetFunction` calls: at a hundred a second, each may take a third of a second.
const GETTING: usize = 32;
/// Concurrent `ListAliases` calls: at fifteen a second, each may take a third of a second.
const LISTING: usize = 5;

/// A response, or the end of reading ahead.
enum SurveyEvent {
    Page(VersionPage, Option<AwsError>),
    Aliases(Arc<str>, Result<Vec<FunctionAlias>, AwsError>),
    Version(VersionRequest, Result<FunctionDetails, FunctionReadError>),
    /// Images were read ahead.
    ReadAhead,
}

/// What the survey has found and read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SurveyCounts {
    functions: usize,
    /// The versions that are not cached.
    requested: usize,
    /// Those that were read, or given up.
    read: usize,
}

/// Reads one region.
pub(super) struct Surveyor<'a> {
    pub(super) account_region: &'a AccountRegion,
    /// The maximum number of concurrent calls of one operation.
    pub(super) concurrency: usize,
    pub(super) inventory_progress: &'a InventoryProgress,
}

impl<'a> Surveyor<'a> {
    /// Reads all that `progress` needs, for functions that `admits` selects by name. Images known halfway are passed to
    /// `read_ahead`.
    pub(super) async fn survey(
        &self,
        progress: &mut LambdaSurvey,
        admits: impl Fn(&str) -> bool + Send,
        read_ahead: impl Fn(BTreeSet<(Digest, Repository)>) -> BoxFuture<'a, ()> + Send,
    ) {
        let Self { account_region, concurrency, .. } = *self;
        let lambda = account_region.session.lambda(&account_region.region);
        let (lambda, region) = (&lambda, account_region.region.as_str());
        let mut under_way = FuturesUnordered::new();
        under_way.push(page(lambda, region, ListMarker::default()));
        let (mut listing, mut getting) = (0, 0);
        let mut shown = SurveyCounts::default();
        loop {
            while listing < LISTING.min(concurrency)
                && let Some(function) = progress.next_to_list()
            {
                listing += 1;
                under_way.push(aliases(lambda, region, function));
            }
            while getting < GETTING.min(concurrency)
                && let Some(request) = progress.next_to_get()
            {
                getting += 1;
                under_way.push(version(lambda, region, request));
            }
            let (functions, requested, waiting) = progress.counts();
            let read = requested.saturating_sub(waiting + getting);
            self.show(SurveyCounts { functions, requested, read }, &mut shown);
            match under_way.next().await {
                None => return,
                Some(SurveyEvent::Page(listed, failure)) => {
                    if let Some(next) = progress.add_page(listed, failure, &admits) {
                        under_way.push(page(lambda, region, next));
                    }
                }
                Some(SurveyEvent::Aliases(function, aliases)) => {
                    listing -= 1;
                    progress.add_aliases(&function, aliases);
                }
                Some(SurveyEvent::Version(request, response)) => {
                    getting -= 1;
                    progress.add_version(&request, response);
                    if let Some(images) = progress.known_halfway() {
                        under_way.push(read_ahead(images).map(|()| SurveyEvent::ReadAhead).boxed());
                    }
                }
                Some(SurveyEvent::ReadAhead) => {}
            }
        }
    }

    /// Adds what has changed since `shown` to the progress of all regions.
    fn show(&self, counts: SurveyCounts, shown: &mut SurveyCounts) {
        let last = std::mem::replace(shown, counts);
        if last != counts {
            self.inventory_progress.update(|all| {
                all.functions += counts.functions - last.functions;
                all.versions.done += counts.read - last.read;
                all.versions.total += counts.requested - last.requested;
            });
        }
    }
}

fn page<'a>(lambda: &'a LambdaClient, region: &'a str, at: ListMarker) -> BoxFuture<'a, SurveyEvent> {
    Box::pin(async move {
        let (page, failure) = listing::versions(lambda, region, at).await;
        SurveyEvent::Page(page, failure)
    })
}

fn aliases<'a>(lambda: &'a LambdaClient, region: &'a str, function: Arc<str>) -> BoxFuture<'a, SurveyEvent> {
    Box::pin(async move {
        let aliases = listing::aliases(lambda, region, &function).await;
        SurveyEvent::Aliases(function, aliases)
    })
}

fn version<'a>(lambda: &'a LambdaClient, region: &'a str, request: VersionRequest) -> BoxFuture<'a, SurveyEvent> {
    Box::pin(async move {
        let response = function::get(lambda, region, &request.function, &request.version).await;
        SurveyEvent::Version(request, response)
    })
}
