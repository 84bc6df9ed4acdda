//! A direct invocation: the report on the images that it names.

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

/// The largest answer to an invocation, in bytes
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>), and a little less.
const MOST_BYTES: usize = 6 * 1024 * 1024 - 16 * 1024;

/// Audits the images of `settings`, and returns the report, or as much of it as Lambda gives back. Nothing is recorded, nobody told; with a store, what was
/// learned is kept there.
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
        let ports = forgetful(settings, aws).await?;
        let report = within(until.audit, report_on(settings, &ports, instants, progress)).await;
        metrics.count("Requests", ports.requests.total());
        report
    };
    let report = report.ok_or_else(|| Failure::unfinished("all images were audited"))?;
    if let Some(why) = stopped_before_it_began(&report) {
        return Err(Failure::new(Kind::Failed, why));
    }
    let answer = serde_json::from_str(&report.fitting(MOST_BYTES));
    answer.map_err(|error| Failure::new(Kind::Failed, format!("the report has no JSON form: {error}")))
}

/// Ports for who has no store: Lambda has no disk worth remembering on.
async fn forgetful(settings: &Settings, aws: &Aws) -> Result<Ports, Failure> {
    let requests = Arc::new(Requests::default());
    let aws = aws.for_another_run(Arc::clone(&requests)).await;
    let aws = aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition());
    let ports = Ports::over(settings.network.clone(), Arc::new(aws), requests, Catalog::in_memory());
    ports.map_err(|error| Failure::of(Kind::Configuration, &error))
}

/// Whether Lambda would not give `answer` back.
pub(super) fn is_too_large(answer: &Value) -> bool {
    serde_json::to_vec(answer).map_or(0, |bytes| bytes.len()) > MOST_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_to_fit_into_what_lambda_gives_back() {
        assert!(!is_too_large(&"x".repeat(6_000_000).into()));
        assert!(is_too_large(&"x".repeat(6 * 1024 * 1024).into()));
    }
}
