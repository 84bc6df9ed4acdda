//! Renders a report as SARIF 2.1.0: a rule per reason code, a result per finding that is not fresh.
//!
//! Follows the requirements and limits of GitHub
//! (<https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>).

mod dockerfiles;
mod log;
mod rules;
mod text;

use std::collections::BTreeMap;

use chrono::SecondsFormat;

use super::{CurrentRelease, Finding, Report, format, json, sanitize};
use crate::{
    image::Digest,
    judge::{Action, Severity},
};
pub use dockerfiles::render as render_dockerfiles;
use log::{
    ArtifactLocation, DescriptorReference, LogicalLocation, PartialFingerprints, PhysicalLocation, SarifInvocation,
    SarifLevel, SarifLocation, SarifLog, SarifMessage, SarifNotification, SarifRegion, SarifSuppression,
};
use rules::SarifRules;
use text::{path, plain};

/// The maximum number of results that GitHub accepts; it shows the 5,000 worst.
pub const MOST_RESULTS: usize = 25_000;

/// Maximum number of notifications of each kind.
const MOST_NOTIFICATIONS: usize = 1_000;

/// Maximum width of a name and a message in columns, and maximum number of reasons per result.
const NAME: usize = 200;
const MESSAGE: usize = 500;
const MOST_REASONS: usize = 20;

/// Renders the report.
#[must_use]
pub fn render(report: &Report) -> String {
    render_within(report, MOST_RESULTS)
}

/// Renders at most `most` results, worst first; a notification counts the others.
#[must_use]
pub fn render_within(report: &Report, most: usize) -> String {
    let mut rules = SarifRules::known();
    let noteworthy = report.findings.iter().filter(|finding| !finding.needs_no_action());
    // Exempted findings are omitted first.
    let (exempted, open): (Vec<_>, Vec<_>) = noteworthy.partition(|finding| finding.exemption.is_some());
    let left_out = (exempted.len() + open.len()).saturating_sub(most);
    let kept = open.into_iter().chain(exempted).take(most);
    let results = kept.map(|finding| result(finding, &mut rules)).collect();
    let invocation = SarifInvocation {
        // GitHub closes alerts without a result, but rejects files of failed invocations, so that an incomplete audit
        // does not close alerts.
        execution_successful: report.complete,
        end_time_utc: report.generated_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        tool_execution_notifications: notifications(report, left_out),
    };
    let properties = BTreeMap::from([("runId", sanitize(&report.run_id).into_owned())]);
    json::render(&SarifLog::new(rules.into_vec(), invocation, results, properties))
}

fn result(finding: &Finding, rules: &mut SarifRules) -> log::SarifResult {
    let leading = finding.reasons.first().map_or(finding.verdict.as_str(), |reason| reason.code.as_str());
    let (rule_id, rule_index) = rules.rule_reference(leading);
    let hash = Digest::sha256(finding.id.as_bytes());
    let hash = hash.hex();
    let suppression = finding.exemption.as_ref().map(|exemption| SarifSuppression {
        kind: "external",
        status: "accepted",
        justification: plain(&format::exempted(exemption), MESSAGE),
    });
    log::SarifResult {
        rule_id,
        rule_index,
        level: level(finding.severity),
        message: SarifMessage { text: message(finding) },
        locations: [location(finding)],
        partial_fingerprints: PartialFingerprints {
            line_hash: format!("{}:1", hash.get(..16).unwrap_or(hash)),
            finding: hash.to_owned(),
        },
        suppressions: suppression.into_iter().collect(),
        properties: properties(finding),
    }
}

fn level(severity: Severity) -> SarifLevel {
    match severity {
        Severity::None => SarifLevel::None,
        Severity::Info | Severity::Low => SarifLevel::Note,
        Severity::Medium => SarifLevel::Warning,
        Severity::High | Severity::Critical => SarifLevel::Error,
    }
}

/// The verdict in the first sentence, which GitHub shows in lists, then the reasons and the action.
fn message(finding: &Finding) -> String {
    let name = plain(&format::deployment_name(&finding.deployment), NAME);
    let base = finding.base.as_ref().map(|base| format!(" on {}", plain(&format::base_in_use(base), NAME)));
    let age = Some(format::base_age(finding)).filter(|age| age != format::NOTHING).map(|age| format!(", {age} old"));
    let first = format!("{name} is {}{}{}.", finding.verdict, base.unwrap_or_default(), age.unwrap_or_default());
    let reasons = finding.reasons.iter().take(MOST_REASONS).map(|reason| {
        let message = plain(&reason.message, MESSAGE);
        format!("{}: {}.", plain(&reason.code, NAME), message.trim_end_matches('.'))
    });
    let chain = finding.base.as_ref().and_then(format::chain);
    let chain = chain.map(|chain| format!("The base is built on {}.", plain(&chain, MESSAGE)));
    [first].into_iter().chain(chain).chain(reasons).chain(advice(finding)).collect::<Vec<_>>().join(" ")
}

fn advice(finding: &Finding) -> Option<String> {
    let named =
        |name: Option<&str>, otherwise: &str| name.map_or_else(|| otherwise.to_owned(), |name| plain(name, NAME));
    match finding.action {
        Action::None => finding.awaited_base().map(|(outer, link)| {
            let line = named(link.base.line.as_deref(), "its current base");
            format!("Rebuild the base {} on {line} first.", plain(&outer.reference, NAME))
        }),
        Action::Rebuild => {
            let line = named(finding.current.as_ref().map(CurrentRelease::build_on), "its current base");
            Some(format!("Rebuild the image on {line} and deploy it."))
        }
        Action::Redeploy => {
            let image = named(finding.replacement.as_ref().map(|image| image.reference.as_str()), "the newer image");
            Some(format!("Deploy {image} instead."))
        }
        Action::Upgrade => {
            let runtime = named(finding.runtime.as_ref().map(|runtime| runtime.name.as_str()), "its runtime");
            let to = finding.runtime.as_ref().and_then(|runtime| runtime.upgrade_to.as_deref());
            Some(format!("Upgrade from {runtime} to {}.", named(to, "a supported runtime")))
        }
        Action::Restore => Some("Restore the deployed image or deploy another one.".to_owned()),
        Action::Repair => Some("Repair the function, which cannot be invoked.".to_owned()),
        Action::Investigate => Some("Run basewatch explain for details.".to_owned()),
    }
}

/// The image repository and the deployment.
///
/// GitHub requires a path, and treats a result with a different path as a new alert. It therefore has no tag.
fn location(finding: &Finding) -> SarifLocation {
    let reference = &finding.image.reference;
    let named = reference.strip_prefix("oci:").unwrap_or(reference);
    let named = named.split('@').next().unwrap_or_default();
    let repository = match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => named,
    };
    SarifLocation {
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: path(repository) },
            region: SarifRegion { start_line: 1, start_column: 1, end_line: 1, end_column: 1 },
        },
        logical_locations: vec![LogicalLocation {
            name: sanitize(&format::deployment_name(&finding.deployment)).into_owned(),
            fully_qualified_name: sanitize(&finding.id).into_owned(),
            kind: "resource",
        }],
    }
}

fn properties(finding: &Finding) -> BTreeMap<&'static str, String> {
    let base = finding.base.as_ref();
    let known = [
        ("verdict", Some(finding.verdict.as_str())),
        ("severity", Some(finding.severity.as_str())),
        ("action", Some(finding.action.as_str())),
        ("owner", finding.deployment.owner.as_deref()),
        ("account", finding.deployment.account.as_deref()),
        ("region", finding.deployment.region.as_deref()),
        ("image", Some(finding.image.reference.as_str())),
        ("base", base.map(|base| base.reference.as_str())),
        ("confidence", base.and_then(|base| base.confidence.as_deref())),
        ("line", base.and_then(|base| base.line.as_deref())),
        ("replacement", finding.replacement.as_ref().map(|image| image.reference.as_str())),
        ("policyRule", finding.policy_rule.as_deref()),
    ];
    let shown = known.into_iter().filter_map(|(name, text)| Some((name, sanitize(text?).into_owned())));
    shown.collect()
}

/// Notifications for errors, omitted results and notes.
fn notifications(report: &Report, left_out: usize) -> Vec<SarifNotification> {
    let mut notifications = Vec::new();
    if left_out > 0 {
        let what = format::count(left_out as u64, "result");
        let text = format!("{what} omitted because of the limit of code scanning. See the json or csv format for all.");
        notifications.push(notification("results-left-out", SarifLevel::Warning, text));
    }
    notifications.extend(report.errors.iter().take(MOST_NOTIFICATIONS).map(|error| {
        let text = format!("{}: {}", plain(&error.scope, NAME), plain(&error.message, MESSAGE));
        notification(&error.code, SarifLevel::Error, text)
    }));
    if let Some(more @ 1..) = report.errors.len().checked_sub(MOST_NOTIFICATIONS) {
        let text = format!("{} omitted.", format::count(more as u64, "error"));
        notifications.push(notification("errors-left-out", SarifLevel::Error, text));
    }
    let notes = report.notes.iter().take(MOST_NOTIFICATIONS);
    notifications.extend(notes.map(|note| notification(&note.code, SarifLevel::Note, plain(&note.message, MESSAGE))));
    notifications
}

fn notification(code: &str, level: SarifLevel, text: String) -> SarifNotification {
    // Text must not be empty (section 3.11.8).
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    let id = or(plain(code, NAME), "unexplained");
    SarifNotification {
        descriptor: DescriptorReference { id },
        level,
        message: SarifMessage { text: or(text, "no message") },
    }
}
