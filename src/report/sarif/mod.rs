//! How does code scanning read a report? As SARIF 2.1.0: a rule for each reason code, a result for each finding that is
//! not fresh.
//!
//! Within the limits of GitHub, which reads a part of the format and wants more than the format does
//! (<https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>).

mod dockerfiles;
mod log;
mod rules;
mod text;

use std::collections::BTreeMap;

use chrono::SecondsFormat;

use super::{CurrentRelease, Finding, Report, harmless, json, words};
use crate::{
    image::Digest,
    judge::{Action, Severity},
};
pub use dockerfiles::render as render_dockerfiles;
use log::{
    ArtifactLocation, DescriptorReference, Fingerprints, Invocation, Level, Location, Log, LogicalLocation, Message,
    Notification, PhysicalLocation, Region, Suppression,
};
use rules::Rules;
use text::{path, plain};

/// More results than this in a run and GitHub refuses the file; of these it shows the 5,000 worst.
pub const MOST_RESULTS: usize = 25_000;

/// Nobody reads more of what could not be seen.
const MOST_NOTIFICATIONS: usize = 1_000;

/// The columns of text that a name and a message may take, and how many reasons are told.
const NAME: usize = 200;
const MESSAGE: usize = 500;
const MOST_REASONS: usize = 20;

/// The report in SARIF.
#[must_use]
pub fn render(report: &Report) -> String {
    render_within(report, MOST_RESULTS)
}

/// The same with the worst results only, at most `most`; a notification counts the others.
#[must_use]
pub fn render_within(report: &Report, most: usize) -> String {
    let mut rules = Rules::known();
    let noteworthy = report.findings.iter().filter(|finding| !finding.is_quiet());
    // What somebody answers for is left out first.
    let (exempted, open): (Vec<_>, Vec<_>) = noteworthy.partition(|finding| finding.exemption.is_some());
    let left_out = (exempted.len() + open.len()).saturating_sub(most);
    let kept = open.into_iter().chain(exempted).take(most);
    let results = kept.map(|finding| result(finding, &mut rules)).collect();
    let invocation = Invocation {
        // GitHub takes what is not in a file for fixed, and refuses the file of a run that did not succeed: what was
        // not seen must not look fixed.
        execution_successful: report.complete,
        end_time_utc: report.generated_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        tool_execution_notifications: notifications(report, left_out),
    };
    let properties = BTreeMap::from([("runId", harmless(&report.run_id).into_owned())]);
    json::render(&Log::new(rules, invocation, results, properties))
}

fn result(finding: &Finding, rules: &mut Rules) -> log::Finding {
    let leading = finding.reasons.first().map_or(finding.verdict.as_str(), |reason| reason.code.as_str());
    let (rule_id, rule_index) = rules.place(leading);
    let hash = Digest::of(finding.id.as_bytes());
    let hash = hash.hex();
    let suppression = finding.exemption.as_ref().map(|exemption| Suppression {
        kind: "external",
        status: "accepted",
        justification: plain(&words::exempted(exemption), MESSAGE),
    });
    log::Finding {
        rule_id,
        rule_index,
        level: level(finding.severity),
        message: Message { text: message(finding) },
        locations: [location(finding)],
        partial_fingerprints: Fingerprints {
            line_hash: format!("{}:1", hash.get(..16).unwrap_or(hash)),
            finding: hash.to_owned(),
        },
        suppressions: suppression.into_iter().collect(),
        properties: properties(finding),
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::None => Level::None,
        Severity::Info | Severity::Low => Level::Note,
        Severity::Medium => Level::Warning,
        Severity::High | Severity::Critical => Level::Error,
    }
}

/// What it is in the first sentence, which is all that is shown in a list; then why, and what to do.
fn message(finding: &Finding) -> String {
    let name = plain(&words::deployment_name(&finding.deployment), NAME);
    let base = finding.base.as_ref().map(|base| format!(" on {}", plain(&words::base_in_use(base), NAME)));
    let age = Some(words::base_age(finding)).filter(|age| age != words::NOTHING).map(|age| format!(", {age} old"));
    let first = format!("{name} is {}{}{}.", finding.verdict, base.unwrap_or_default(), age.unwrap_or_default());
    let reasons = finding.reasons.iter().take(MOST_REASONS).map(|reason| {
        let message = plain(&reason.message, MESSAGE);
        format!("{}: {}.", plain(&reason.code, NAME), message.trim_end_matches('.'))
    });
    let chain = finding.base.as_ref().and_then(words::chain);
    let chain = chain.map(|chain| format!("The base is built on {}.", plain(&chain, MESSAGE)));
    [first].into_iter().chain(chain).chain(reasons).chain(advice(finding)).collect::<Vec<_>>().join(" ")
}

fn advice(finding: &Finding) -> Option<String> {
    let named =
        |name: Option<&str>, otherwise: &str| name.map_or_else(|| otherwise.to_owned(), |name| plain(name, NAME));
    match finding.action {
        Action::None => finding.awaited().map(|(outer, link)| {
            let line = named(link.base.line.as_deref(), "its current base");
            format!("Rebuild the base {} on {line} first.", plain(&outer.reference, NAME))
        }),
        Action::Rebuild => {
            let line = named(finding.current.as_ref().map(CurrentRelease::build_on), "its current base");
            Some(format!("Rebuild the image on {line} and deploy it."))
        }
        Action::Redeploy => {
            let image = named(finding.replacement.as_ref().map(|image| image.reference.as_str()), "the better image");
            Some(format!("Deploy {image} instead."))
        }
        Action::Upgrade => {
            let runtime = named(finding.runtime.as_ref().map(|runtime| runtime.name.as_str()), "its runtime");
            Some(format!("Move from {runtime} to a supported runtime."))
        }
        Action::Restore => Some("Push the image that runs again, or deploy another one.".to_owned()),
        Action::Repair => Some("Repair what prevents the function from being invoked.".to_owned()),
        Action::Investigate => Some("Look into it with basewatch explain.".to_owned()),
    }
}

/// In which repository of images, and in which deployment.
///
/// GitHub wants a path, and takes an alert for another one where the path differs: so there is no tag in it.
fn location(finding: &Finding) -> Location {
    let reference = &finding.image.reference;
    let named = reference.strip_prefix("oci:").unwrap_or(reference);
    let named = named.split('@').next().unwrap_or_default();
    let repository = match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => named,
    };
    Location {
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: path(repository) },
            region: Region { start_line: 1, start_column: 1, end_line: 1, end_column: 1 },
        },
        logical_locations: vec![LogicalLocation {
            name: harmless(&words::deployment_name(&finding.deployment)).into_owned(),
            fully_qualified_name: harmless(&finding.id).into_owned(),
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
    let shown = known.into_iter().filter_map(|(name, text)| Some((name, harmless(text?).into_owned())));
    shown.collect()
}

/// What could not be seen, what is left out and what is to be known.
fn notifications(report: &Report, left_out: usize) -> Vec<Notification> {
    let mut told = Vec::new();
    if left_out > 0 {
        let what = words::count(left_out as u64, "result");
        let text = format!("{what} left out: code scanning takes no more. The formats json and csv have them all.");
        told.push(notification("results-left-out", Level::Warning, text));
    }
    told.extend(report.errors.iter().take(MOST_NOTIFICATIONS).map(|error| {
        let text = format!("{}: {}", plain(&error.scope, NAME), plain(&error.message, MESSAGE));
        notification(&error.code, Level::Error, text)
    }));
    if let Some(more @ 1..) = report.errors.len().checked_sub(MOST_NOTIFICATIONS) {
        let text = format!("{} left out.", words::count(more as u64, "error"));
        told.push(notification("errors-left-out", Level::Error, text));
    }
    let notes = report.notes.iter().take(MOST_NOTIFICATIONS);
    told.extend(notes.map(|note| notification(&note.code, Level::Note, plain(&note.message, MESSAGE))));
    told
}

fn notification(code: &str, level: Level, text: String) -> Notification {
    // No text may be empty (section 3.11.8).
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    let id = or(plain(code, NAME), "unexplained");
    Notification { descriptor: DescriptorReference { id }, level, message: Message { text: or(text, "no message") } }
}
