//! Direct invocations, which return a report on the given images.

use std::sync::Arc;

use serde_json::Value;

use super::{
    context::open,
    event::DirectInvocation,
    failure::{InvocationFailure, InvocationFailureKind, InvocationResult},
    metrics::LambdaMetrics,
};
use crate::{
    app::{
        AppClients, RunInstants,
        audit::{report as report_on, stopped_before_it_began},
    },
    aws::Aws,
    config::Settings,
    http::RequestCounter,
    run::{Deadlines, keep_catalog, within},
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
    direct: &DirectInvocation,
    deadlines: Deadlines,
    metrics: &mut LambdaMetrics,
) -> InvocationResult {
    let instants = RunInstants::new(direct.as_of);
    let progress = &|_| ();
    let report = if settings.store.is_some() {
        let context = open(settings, aws, deadlines).await?;
        let report = within(deadlines.audit, report_on(settings, &context.clients, instants, progress)).await;
        if let Some(why) = keep_catalog(&context, deadlines).await {
            tracing::warn!("{why}");
        }
        metrics.count("Requests", context.clients.requests.total());
        report
    } else {
        let clients = without_store(settings, aws).await?;
        let report = within(deadlines.audit, report_on(settings, &clients, instants, progress)).await;
        metrics.count("Requests", clients.requests.total());
        report
    };
    let report = report.ok_or_else(|| InvocationFailure::timed_out("all images were audited"))?;
    if let Some(why) = stopped_before_it_began(&report) {
        return Err(InvocationFailure::new(InvocationFailureKind::Failed, why));
    }
    let response = serde_json::from_str(&report.fitting(MOST_BYTES));
    response.map_err(|error| {
        InvocationFailure::new(InvocationFailureKind::Failed, format!("cannot serialize the report: {error}"))
    })
}

/// Clients with an in-memory catalog, for configurations without a store.
async fn without_store(settings: &Settings, aws: &Aws) -> Result<AppClients, InvocationFailure> {
    let requests = Arc::new(RequestCounter::default());
    let aws = aws.for_another_run(Arc::clone(&requests)).await;
    let aws = aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition());
    let clients = AppClients::over(settings.network.clone(), Arc::new(aws), requests, Catalog::in_memory());
    clients.map_err(|error| InvocationFailure::from_error(InvocationFailureKind::Configuration, &error))
}

/// Whether `response` exceeds the response limit.
pub(super) fn is_too_large(response: &Value) -> bool {
    serde_json::to_vec(response).map_or(0, |bytes| bytes.len()) > MOST_BYTES
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
