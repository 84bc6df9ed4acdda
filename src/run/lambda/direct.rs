//! Direct invocations, which return a report on the given images.

use std::sync::Arc;

use serde_json::Value;

use super::{
    event::Direct,
    failure::{Failure, Kind},
    handler::{Done, open},
    metrics::Metrics,
};
use crate::{
    aws::Aws,
    config::Settings,
    registry::Requests,
    run::{
        Instants, Ports,
        audit::{report as report_on, stopped_before_it_began},
        cycle::{Until, keep_catalog, within},
    },
    store::Catalog,
};

/// The response limit in bytes, with a margin
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MOST_BYTES: usize = 6 * 1024 * 1024 - 16 * 1024;

/// Audits the images of `settings` and returns the report, truncated to the response limit. Sends no notifications and
/// stores no report; with a store, saves the catalog.
pub(super) async fn report(
    settings: &Settings,
    aws: &Aws,
    direct: &Direct,
    until: Until,
    metrics: &mut Metrics,
) -> Done {
    let instants = Instants::new(direct.as_of);
    let progress = &|_| ();
    let report = if settings.store.is_some() {
        let world = open(settings, aws, until).await?;
        let report = within(until.audit, report_on(settings, &world.ports, instants, progress)).await;
        if let Some(why) = keep_catalog(&world, until).await {
            tracing::warn!("{why}");
        }
        metrics.count("Requests", world.ports.requests.total());
        report
    } else {
        let ports = without_store(settings, aws).await?;
        let report = within(until.audit, report_on(settings, &ports, instants, progress)).await;
        metrics.count("Requests", ports.requests.total());
        report
    };
    let report = report.ok_or_else(|| Failure::unfinished("all images were audited"))?;
    if let Some(why) = stopped_before_it_began(&report) {
        return Err(Failure::new(Kind::Failed, why));
    }
    let answer = serde_json::from_str(&report.fitting(MOST_BYTES));
    answer.map_err(|error| Failure::new(Kind::Failed, format!("cannot serialize the report: {error}")))
}

/// Clients with an in-memory catalog, for configurations without a store.
async fn without_store(settings: &Settings, aws: &Aws) -> Result<Ports, Failure> {
    let requests = Arc::new(Requests::default());
    let aws = aws.for_another_run(Arc::clone(&requests)).await;
    let aws = aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition());
    let ports = Ports::over(settings.network.clone(), Arc::new(aws), requests, Catalog::in_memory());
    ports.map_err(|error| Failure::of(Kind::Configuration, &error))
}

/// Whether `answer` exceeds the response limit.
pub(super) fn is_too_large(answer: &Value) -> bool {
    serde_json::to_vec(answer).map_or(0, |bytes| bytes.len()) > MOST_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_over_the_lambda_limit_are_detected() {
        assert!(!is_too_large(&"x".repeat(6_000_000).into()));
        assert!(is_too_large(&"x".repeat(6 * 1024 * 1024).into()));
    }
}
