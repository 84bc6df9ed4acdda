//! CloudWatch metrics of an invocation, as one line in embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    judge::{Severity, Verdict},
    report::Report,
    run::{CompletedRun, RunReport},
};

/// The namespace of all metrics.
const NAMESPACE: &str = "basewatch";
/// Their only dimension.
const DIMENSION: &str = "FunctionName";

/// The metrics of one invocation, in order of recording.
#[derive(Clone, Debug, Default)]
pub(super) struct LambdaMetrics(Vec<(&'static str, &'static str, Value)>);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunEnding {
    Succeeded,
    Failed,
    Unfinished,
}

impl LambdaMetrics {
    /// Records a count.
    pub(super) fn count(&mut self, name: &'static str, value: u64) {
        self.0.push((name, "Count", value.into()));
    }

    /// Records how a run ended and how long it took. All three outcomes are emitted, so that alarms on any of them have
    /// data.
    pub(super) fn run(&mut self, ended: RunEnding, took: Duration) {
        let ways = [
            ("RunSucceeded", RunEnding::Succeeded),
            ("RunFailed", RunEnding::Failed),
            ("RunUnfinished", RunEnding::Unfinished),
        ];
        for (name, way) in ways {
            self.count(name, u64::from(way == ended));
        }
        self.0.push(("RunDuration", "Milliseconds", u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into()));
    }

    /// Records the findings and notifications of a run.
    pub(super) fn completed(&mut self, CompletedRun { report, outcome }: &CompletedRun) {
        self.found(report);
        self.notified(outcome);
    }

    fn found(&mut self, report: &Report) {
        let summary = &report.summary;
        self.count("Deployments", summary.deployments);
        let verdicts = [
            ("Fresh", Verdict::Fresh),
            ("Superseded", Verdict::Superseded),
            ("OutOfDate", Verdict::OutOfDate),
            ("Stale", Verdict::Stale),
            ("Deprecated", Verdict::Deprecated),
            ("Unknown", Verdict::Unknown),
        ];
        for (name, verdict) in verdicts {
            self.count(name, summary.by_verdict.get(&verdict).copied().unwrap_or_default());
        }
        let severities = [
            ("Critical", Severity::Critical),
            ("High", Severity::High),
            ("Medium", Severity::Medium),
            ("Low", Severity::Low),
        ];
        for (name, severity) in severities {
            self.count(name, report.findings.iter().filter(|finding| finding.severity == severity).count() as u64);
        }
        if let Some(ages) = &summary.base_age_days {
            // CloudWatch has no unit for days.
            self.0.push(("BaseAgeP50Days", "None", ages.p50.into()));
            self.0.push(("BaseAgeP90Days", "None", ages.p90.into()));
        }
        self.count("ReportComplete", u64::from(report.complete));
        self.count("MostUnknown", u64::from(report.most_unknown().is_some()));
    }

    /// Records the sent and failed notifications.
    pub(super) fn notified(&mut self, outcome: &RunReport) {
        let sent = outcome.messages.iter().filter(|message| message.sent).count();
        self.count("MessagesSent", sent as u64);
        self.count("MessagesFailed", (outcome.messages.len() - sent) as u64);
    }

    /// The line for `function` at `at_ms`, in milliseconds since the Unix epoch; `None` without metrics.
    pub(super) fn line(&self, function: &str, at_ms: i64) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let definitions: Vec<_> = self.0.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions });
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({ "Timestamp": at_ms, "CloudWatchMetrics": [directive] }));
        line.insert(DIMENSION.to_owned(), function.into());
        line.extend(self.0.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
        Some(format!("{}\n", Value::Object(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metrics_line_defines_its_metrics() {
        let mut metrics = LambdaMetrics::default();
        assert_eq!(metrics.line("f", 0), None);
        metrics.run(RunEnding::Unfinished, Duration::from_millis(1500));
        let line = metrics.line("f\n\"", 1_795_240_800_000).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], 1_795_240_800_000_i64);
        assert_eq!(line["FunctionName"], "f\n\"");
        let ended = ["RunSucceeded", "RunFailed", "RunUnfinished", "RunDuration"].map(|name| line[name].clone());
        assert_eq!(ended, [0, 0, 1, 1500]);
    }
}
