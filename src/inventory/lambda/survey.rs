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
    inventory::account_region::AccountRegion,
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

/// Reads all that `progress` needs of `account_region`, for functions that `admits` selects by name, with at most
/// `concurrency` calls of one operation. Images known halfway are passed to `read_ahead`.
pub(super) async fn survey<'a>(
    account_region: &'a AccountRegion,
    progress: &mut LambdaSurvey,
    concurrency: usize,
    admits: impl Fn(&str) -> bool + Send,
    read_ahead: impl Fn(BTreeSet<(Digest, Repository)>) -> BoxFuture<'a, ()> + Send,
) {
    let lambda = account_region.session.lambda(&account_region.region);
    let (lambda, region) = (&lambda, account_region.region.as_str());
    let mut under_way = FuturesUnordered::new();
    under_way.push(page(lambda, region, ListMarker::default()));
    let (mut listing, mut getting) = (0, 0);
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
