//! Renders a Dockerfile check as SARIF: a result on the line of each final `FROM` with a problem.

use std::collections::BTreeMap;

use chrono::SecondsFormat;

use super::{
    MESSAGE, MOST_NOTIFICATIONS, MOST_REASONS, MOST_RESULTS, NAME, json, level,
    log::{
        ArtifactLocation, PartialFingerprints, PhysicalLocation, SarifInvocation, SarifLevel, SarifLocation, SarifLog,
        SarifMessage, SarifRegion, SarifResult,
    },
    notification,
    rules::SarifRules,
    sanitize,
    text::{path, plain},
};
use crate::{
    image::Digest,
    judge::{ReasonCode, Severity, Verdict},
    report::dockerfiles::{DockerfileReport, FromFields},
};

/// Renders the report.
#[must_use]
pub fn render(report: &DockerfileReport) -> String {
    let mut rules = SarifRules::known();
    let all = report.files.iter().flat_map(|file| {
        let froms = file.froms.iter().enumerate();
        froms.map(|(position, from)| (file.path.as_str(), position, from))
    });
    // Every base that is not fresh is a result, regardless of `--fail-on`.
    let selected = all.filter(|(_, _, from)| {
        let is_not_fresh = from.verdict.is_some_and(|verdict| verdict != Verdict::Fresh);
        from.counts() && (is_not_fresh || from.fails(Verdict::Deprecated))
    });
    let results = selected.take(MOST_RESULTS).map(|(path, position, from)| result(path, position, from, &mut rules));
    let results = results.collect();
    let errors = report.errors.iter().take(MOST_NOTIFICATIONS).map(|error| {
        let text = format!("{}: {}", plain(&error.scope, NAME), plain(&error.message, MESSAGE));
        notification(&error.code, SarifLevel::Error, text)
    });
    let invocation = SarifInvocation {
        execution_successful: report.complete,
        end_time_utc: report.generated_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        tool_execution_notifications: errors.collect(),
    };
    json::render(&SarifLog::new(rules.into_vec(), invocation, results, BTreeMap::new()))
}

fn result(file: &str, position: usize, from: &FromFields, rules: &mut SarifRules) -> SarifResult {
    let leading = from.reasons.first().map_or(ReasonCode::BaseUnresolved.as_str(), |reason| reason.code.as_str());
    let (rule_id, rule_index) = rules.rule_reference(leading);
    let hash = Digest::sha256(format!("{file}#{position}").as_bytes());
    let hash = hash.hex();
    let region = SarifRegion {
        start_line: from.image_line,
        start_column: from.column,
        end_line: from.image_line,
        end_column: from.end_column,
    };
    SarifResult {
        rule_id,
        rule_index,
        level: from.severity.map_or(SarifLevel::Warning, |severity| level(severity.max(Severity::Low))),
        message: SarifMessage { text: message(from) },
        locations: [SarifLocation {
            physical_location: PhysicalLocation { artifact_location: ArtifactLocation { uri: path(file) }, region },
            logical_locations: Vec::new(),
        }],
        partial_fingerprints: PartialFingerprints {
            line_hash: format!("{}:1", hash.get(..16).unwrap_or(hash)),
            finding: hash.to_owned(),
        },
        suppressions: Vec::new(),
        properties: properties(from),
    }
}

fn message(from: &FromFields) -> String {
    let name = plain(from.reference.as_deref().unwrap_or(&from.written), NAME);
    let verdict = from.verdict.map(|verdict| format!("{name} is {verdict}."));
    let first = verdict.unwrap_or_else(|| format!("{name}."));
    let reasons = from.reasons.iter().take(MOST_REASONS).map(|reason| {
        let message = plain(&reason.message, MESSAGE);
        format!("{}: {}.", plain(&reason.code, NAME), message.trim_end_matches('.'))
    });
    let fix = from.fix.as_ref().map(|fix| format!("Pin to {}.", plain(&fix.reference, MESSAGE)));
    [first].into_iter().chain(reasons).chain(fix).collect::<Vec<_>>().join(" ")
}

fn properties(from: &FromFields) -> BTreeMap<&'static str, String> {
    let current = from.base.as_ref().and_then(|base| base.current.as_ref());
    let known = [
        ("verdict", from.verdict.map(Verdict::as_str)),
        ("severity", from.severity.map(Severity::as_str)),
        ("base", from.reference.as_deref()),
        ("line", current.map(|current| current.reference.as_str())),
        ("fix", from.fix.as_ref().map(|fix| fix.reference.as_str())),
    ];
    known.into_iter().filter_map(|(name, text)| Some((name, sanitize(text?).into_owned()))).collect()
}
