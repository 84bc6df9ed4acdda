//! Metrics of `serve` in OpenMetrics format. The number of label values is bounded.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
};

use chrono::{DateTime, Utc};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};

use crate::{
    judge::{Severity, Verdict},
    notify::self_monitor::FinishedRun,
    report::Report,
    run::CompletedRun,
};

/// Maximum number of owners as label values; the others are `other`.
const MOST_OWNERS: usize = 100;
/// Maximum number of services as label values; the others are `other`.
const MOST_SERVICES: usize = 50;

/// A gauge with a fraction.
type FloatGauge = Gauge<f64, AtomicU64>;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident: $($label:ident),+) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
        struct $name {
            $($label: String,)+
        }
    };
}

labels!(ByVerdict: verdict);
labels!(BySeverity: severity);
labels!(ByOwner: owner);
labels!(ByQuantile: quantile);
labels!(ByOutcome: outcome);
labels!(ByService: service);
labels!(ByRoute: route, status);

/// The metrics.
pub(super) struct ServeMetrics {
    registry: Registry,
    deployments: Family<ByVerdict, Gauge>,
    findings: Family<BySeverity, Gauge>,
    owners: Family<ByOwner, Gauge>,
    age: Family<ByQuantile, Gauge>,
    complete: Gauge,
    most_unknown: Gauge,
    reported_at: FloatGauge,
    ran_at: FloatGauge,
    succeeded: Gauge,
    took: FloatGauge,
    next_at: FloatGauge,
    runs: Family<ByOutcome, Counter>,
    messages: Family<ByOutcome, Counter>,
    requests: Family<ByService, Counter>,
    services: Mutex<Vec<String>>,
    responses: Family<ByRoute, Counter>,
}

impl Default for ServeMetrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            deployments: Family::default(),
            findings: Family::default(),
            owners: Family::default(),
            age: Family::default(),
            complete: Gauge::default(),
            most_unknown: Gauge::default(),
            reported_at: FloatGauge::default(),
            ran_at: FloatGauge::default(),
            succeeded: Gauge::default(),
            took: FloatGauge::default(),
            next_at: FloatGauge::default(),
            runs: Family::default(),
            messages: Family::default(),
            requests: Family::default(),
            services: Mutex::default(),
            responses: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl ServeMetrics {
    fn register(&mut self) {
        let mut registry = Registry::with_prefix("basewatch");
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "Version of basewatch", Info::new(version));
        registry.register("deployments", "Deployments by verdict in the last report", self.deployments.clone());
        registry.register("findings", "Findings by severity in the last report", self.findings.clone());
        let help = "Findings that are not fresh, by owner, in the last report; - for no owner";
        registry.register("owner_findings", help, self.owners.clone());
        registry.register("base_age_days", "Age of the bases in use", self.age.clone());
        let help = "Whether the last report covers the whole inventory";
        registry.register("report_complete", help, self.complete.clone());
        let help = "Whether the last report is below policy.min_known";
        registry.register("report_most_unknown", help, self.most_unknown.clone());
        registry.register("report_timestamp_seconds", "Time of the last report", self.reported_at.clone());
        registry.register("last_run_timestamp_seconds", "End of the last run", self.ran_at.clone());
        registry.register("last_run_success", "Whether the last run completed", self.succeeded.clone());
        registry.register("last_run_duration_seconds", "Duration of the last run", self.took.clone());
        registry.register(
            "next_run_timestamp_seconds",
            "Start of the next run, or 0 if none is planned",
            self.next_at.clone(),
        );
        registry.register("runs", "Runs by outcome", self.runs.clone());
        registry.register("messages", "Notification messages by outcome", self.messages.clone());
        registry.register("upstream_requests", "Requests to registries and AWS services", self.requests.clone());
        registry.register("http_requests", "HTTP requests by route and status", self.responses.clone());
        for outcome in ["complete", "incomplete", "failed"] {
            drop(self.runs.get_or_create(&ByOutcome { outcome: outcome.to_owned() }));
        }
        for outcome in ["sent", "failed"] {
            drop(self.messages.get_or_create(&ByOutcome { outcome: outcome.to_owned() }));
        }
        self.registry = registry;
    }

    /// Updates the metrics of the last report.
    pub(super) fn show(&self, report: &Report) {
        for verdict in Verdict::ALL {
            let count = report.summary.by_verdict.get(&verdict).copied().unwrap_or_default();
            self.deployments.get_or_create(&ByVerdict { verdict: verdict.as_str().to_owned() }).set(whole(count));
        }
        let mut severities: BTreeMap<Severity, u64> = Severity::ALL.into_iter().map(|severity| (severity, 0)).collect();
        let mut owners: BTreeMap<&str, u64> = BTreeMap::new();
        for finding in &report.findings {
            *severities.entry(finding.severity).or_default() += 1;
            let is_fresh = finding.verdict == Verdict::Fresh;
            *owners.entry(finding.deployment.owner.as_deref().unwrap_or("-")).or_default() += u64::from(!is_fresh);
        }
        for (severity, count) in severities {
            self.findings.get_or_create(&BySeverity { severity: severity.as_str().to_owned() }).set(whole(count));
        }
        self.show_owners(owners);
        self.age.clear();
        if let Some(age) = report.summary.base_age_days {
            for (quantile, days) in [("0.5", age.p50), ("0.9", age.p90), ("1", age.max)] {
                self.age.get_or_create(&ByQuantile { quantile: quantile.to_owned() }).set(days);
            }
        }
        self.complete.set(report.complete.into());
        self.most_unknown.set(report.most_unknown().is_some().into());
        self.reported_at.set(seconds(report.generated_at));
    }

    /// Updates the owners with the most findings, and removes the others.
    fn show_owners(&self, owners: BTreeMap<&str, u64>) {
        let mut owners: Vec<_> = owners.into_iter().collect();
        owners.sort_by_key(|(owner, count)| (std::cmp::Reverse(*count), *owner));
        let others: u64 = owners.iter().skip(MOST_OWNERS).map(|(_, count)| count).sum();
        let named = owners.into_iter().take(MOST_OWNERS);
        self.owners.clear();
        for (owner, count) in named.chain((others > 0).then_some(("other", others))) {
            self.owners.get_or_create(&ByOwner { owner: owner.to_owned() }).set(whole(count));
        }
    }

    /// Counts a completed run.
    pub(super) fn completed(&self, run: &CompletedRun) {
        self.ended(if run.report.complete { "complete" } else { "incomplete" });
        let sent = run.outcome.messages.iter().filter(|message| message.sent).count() as u64;
        let failed = run.outcome.messages.len() as u64 - sent;
        for (outcome, count) in [("sent", sent), ("failed", failed)] {
            self.messages.get_or_create(&ByOutcome { outcome: outcome.to_owned() }).inc_by(count);
        }
        for (service, count) in &run.report.requests {
            let service = self.service(service);
            self.requests.get_or_create(&ByService { service }).inc_by(*count);
        }
    }

    /// The label value of a service.
    fn service(&self, service: &str) -> String {
        let mut known = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|name| name == service) {
            if known.len() >= MOST_SERVICES {
                return "other".to_owned();
            }
            known.push(service.to_owned());
        }
        service.to_owned()
    }

    /// Counts a run that failed.
    pub(super) fn failed(&self) {
        self.ended("failed");
    }

    fn ended(&self, outcome: &str) {
        self.runs.get_or_create(&ByOutcome { outcome: outcome.to_owned() }).inc();
    }

    /// Updates the metrics of the last run, which may be one of an earlier process.
    pub(super) fn last_run(&self, run: &FinishedRun) {
        self.succeeded.set(run.succeeded.into());
        self.ran_at.set(seconds(run.ended_at));
        self.took.set(seconds(run.ended_at) - seconds(run.began_at));
    }

    /// Updates the start of the next run; 0 for none.
    pub(super) fn next_run(&self, at: Option<DateTime<Utc>>) {
        self.next_at.set(at.map_or(0.0, seconds));
    }

    /// Counts a response.
    pub(super) fn record_response(&self, route: &str, status: u16) {
        let labels = ByRoute { route: route.to_owned(), status: status.to_string() };
        self.responses.get_or_create(&labels).inc();
    }

    /// The metrics as OpenMetrics text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "instants in milliseconds have 41 bits")]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}
