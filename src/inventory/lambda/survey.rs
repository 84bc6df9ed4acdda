//! Reads one region: the list, the aliases and `GetFunction` concurrently, each at its own rate.

use std::{collections::BTreeSet, sync::Arc};

use futures::{FutureExt as _, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use super::{
    function::{self, Absence, Function},
    listing::{self, Alias, Next, Page},
    progress::{Ask, Progress},
};
use crate::{
    aws::{Failure, Lambda},
    image::{Digest, Repository},
    inventory::spot::Spot,
};

/// Concurrent `GetFunction` calls: at a hundred a second, each may take a third of a second.
const GETTING: usize = 32;
/// Concurrent `ListAliases` calls: at fifteen a second, each may take a third of a second.
const LISTING: usize = 5;

/// A response, or the end of reading ahead.
enum Event {
    Page(Page, Option<Failure>),
    Aliases(Arc<str>, Result<Vec<Alias>, Failure>),
    Version(Ask, Result<Function, Absence>),
    /// Images were read ahead.
    ReadAhead,
}

/// Reads all that `progress` needs of `spot`, for functions that `admits` selects by name, with at most `concurrency`
/// calls of one operation. Images known halfway are passed to `read_ahead`.
pub(super) async fn survey<'a>(
    spot: &'a Spot,
    progress: &mut Progress,
    concurrency: usize,
    admits: impl Fn(&str) -> bool + Send,
    read_ahead: impl Fn(BTreeSet<(Digest, Repository)>) -> BoxFuture<'a, ()> + Send,
) {
    let lambda = spot.session.lambda(&spot.region);
    let (lambda, region) = (&lambda, spot.region.as_str());
    let mut under_way = FuturesUnordered::new();
    under_way.push(page(lambda, region, Next::default()));
    let (mut listing, mut getting) = (0, 0);
    loop {
        while listing < LISTING.min(concurrency)
            && let Some(function) = progress.next_to_list()
        {
            listing += 1;
            under_way.push(aliases(lambda, region, function));
        }
        while getting < GETTING.min(concurrency)
            && let Some(ask) = progress.next_to_get()
        {
            getting += 1;
            under_way.push(version(lambda, region, ask));
        }
        match under_way.next().await {
            None => return,
            Some(Event::Page(seen, failure)) => {
                if let Some(next) = progress.listed(seen, failure, &admits) {
                    under_way.push(page(lambda, region, next));
                }
            }
            Some(Event::Aliases(function, aliases)) => {
                listing -= 1;
                progress.aliased(&function, aliases);
            }
            Some(Event::Version(ask, answer)) => {
                getting -= 1;
                progress.got(&ask, answer);
                if let Some(images) = progress.known_halfway() {
                    under_way.push(read_ahead(images).map(|()| Event::ReadAhead).boxed());
                }
            }
            Some(Event::ReadAhead) => {}
        }
    }
}

fn page<'a>(lambda: &'a Lambda, region: &'a str, at: Next) -> BoxFuture<'a, Event> {
    Box::pin(async move {
        let (page, failure) = listing::versions(lambda, region, at).await;
        Event::Page(page, failure)
    })
}

fn aliases<'a>(lambda: &'a Lambda, region: &'a str, function: Arc<str>) -> BoxFuture<'a, Event> {
    Box::pin(async move {
        let aliases = listing::aliases(lambda, region, &function).await;
        Event::Aliases(function, aliases)
    })
}

fn version<'a>(lambda: &'a Lambda, region: &'a str, ask: Ask) -> BoxFuture<'a, Event> {
    Box::pin(async move {
        let answer = function::get(lambda, region, &ask.function, &ask.version).await;
        Event::Version(ask, answer)
    })
}
