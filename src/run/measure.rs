//! The figures of a run as metrics.

use std::{collections::BTreeMap, time::Duration};

use super::CompletedRun;
use crate::{
    judge::{Severity, Verdict},
    telemetry::RunMeasurements,
};

/// The figures of `run`; those of a failed run (`None`) have only its outcome and duration.
pub(super) fn measured(run: Option<&CompletedRun>, took: Duration) -> RunMeasurements<'_> {
    let mut figures = RunMeasurements {
        outcome: "failed",
        took,
        deployments: BTreeMap::new(),
        findings: BTreeMap::new(),
        base_age_days: BTreeMap::new(),
        messages_sent: 0,
        messages_failed: 0,
        requests: BTreeMap::new(),
    };
    let Some(CompletedRun { report, outcome }) = run else { return figures };
    figures.outcome = if report.complete { "complete" } else { "incomplete" };
    let count = |verdict: Verdict| report.summary.by_verdict.get(&verdict).copied().unwrap_or_default();
    figures.deployments = Verdict::ALL.into_iter().map(|verdict| (verdict.as_str(), count(verdict))).collect();
    figures.findings = Severity::ALL.into_iter().map(|severity| (severity.as_str(), 0)).collect();
    for finding in &report.findings {
        *figures.findings.entry(finding.severity.as_str()).or_default() += 1;
    }
    if let Some(ages) = report.summary.base_age_days {
        let days = |days: i64| u64::try_from(days).unwrap_or_default();
        figures.base_age_days = [("0.5", days(ages.p50)), ("0.9", days(ages.p90)), ("1", days(ages.max))].into();
    }
    figures.messages_sent = outcome.messages.iter().filter(|message| message.sent).count() as u64;
    figures.messages_failed = outcome.messages.len() as u64 - figures.messages_sent;
    figures.requests = report.requests.iter().map(|(service, count)| (service.as_str(), *count)).collect();
    figures
}
