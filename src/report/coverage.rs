//! Coverage: whether enough of the fleet has a verdict, and the reason of the exit code.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Note, NoteCode, Report, format::count};
use crate::{
    image::{MESSAGE_BYTES, clip},
    inventory::DeploymentKind,
    judge::{ReasonCode, Verdict},
};

/// Maximum number of labels to list in the advice.
const MOST_LABELS: usize = 3;

/// The reason of the exit code: the first that applies of `fail-on`, `incomplete`, `most-unknown` and `problems`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExitReason {
    /// Exit code 0: none of the others applies.
    Clean,
    /// Exit code 1: a finding is at or above `--fail-on`.
    FailOn,
    /// Exit code 3: the audit is incomplete.
    Incomplete,
    /// Exit code 3: the share of judged deployments is below `policy.min_known`.
    MostUnknown,
    /// Exit code 3, only for `run`: the report could not be stored, or a notification or rebuild request failed.
    Problems,
}

/// The numbers of judged and all deployments, without exempted ones and images by reference.
#[derive(Debug, Default)]
pub(super) struct Coverage<'a> {
    judged: u64,
    all: u64,
    /// The first reason codes of the unknown ones.
    unknown: BTreeMap<&'a str, u64>,
}

impl<'a> Coverage<'a> {
    pub(super) fn new(findings: &'a [Finding]) -> Self {
        let mut coverage = Self::default();
        // The result of an image given by reference is obvious.
        let is_named =
            |finding: &&Finding| matches!(finding.deployment.kind, DeploymentKind::Image | DeploymentKind::Layout);
        for finding in findings.iter().filter(|finding| finding.exemption.is_none() && !is_named(finding)) {
            coverage.all += 1;
            if finding.verdict == Verdict::Unknown {
                let code = finding.reasons.first().map_or("", |reason| reason.code.as_str());
                *coverage.unknown.entry(code).or_default() += 1;
            } else {
                coverage.judged += 1;
            }
        }
        coverage
    }

    /// Whether the share of judged deployments is below `min_known`; false without deployments.
    fn is_less_than(&self, min_known: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^53 deployments")]
        let part = self.judged as f64 / self.all as f64;
        self.all > 0 && part < min_known
    }

    /// The note, with advice, if the share of judged deployments is below `min_known`.
    pub(super) fn note(&self, min_known: f64, labels: &[String]) -> Option<Note> {
        if !self.is_less_than(min_known) {
            return None;
        }
        let most_often = self.unknown.iter().max_by_key(|(code, number)| (**number, std::cmp::Reverse(**code)));
        let (code, number) = most_often.map_or(("", 0), |(code, number)| (*code, *number));
        let advice = match code.parse() {
            Ok(ReasonCode::BaseUnidentified | ReasonCode::LabelMalformed) => format!(
                "record the base in a label at build time (supported: {}), or list your own base images in [[identify.base]]",
                label_list(labels)
            ),
            _ => "run basewatch explain IMAGE for details".to_owned(),
        };
        let message = format!(
            "only {} of {} could be judged, below policy.min_known = {min_known}; most frequent reason {code} ({number}): \
            {advice}",
            self.judged,
            count(self.all, "deployment"),
        );
        Some(Note::new(NoteCode::MostUnknown, clip(message, MESSAGE_BYTES)))
    }
}

/// The first few labels that may record a base, and the number of others.
fn label_list(labels: &[String]) -> String {
    let named = labels.iter().take(MOST_LABELS).map(String::as_str);
    let more = labels.len().saturating_sub(MOST_LABELS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named: Vec<_> = named.chain(["org.opencontainers.image.base.name"]).collect();
    format!("{}{more}", named.join(", "))
}

impl Report {
    /// The note that most of the fleet is unknown, if present.
    #[must_use]
    pub fn most_unknown(&self) -> Option<&Note> {
        self.notes.iter().find(|note| note.has_code(NoteCode::MostUnknown))
    }

    /// All other notes. Reports show the most-unknown note at the top.
    pub(crate) fn other_notes(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| !note.has_code(NoteCode::MostUnknown))
    }

    /// The reason of the exit code with `--fail-on` set to `fail_on`.
    pub(super) fn exit_reason(&self, fail_on: Option<Verdict>) -> ExitReason {
        let fails = |fail_on| self.findings.iter().any(|finding| finding.fails(fail_on));
        if fail_on.is_some_and(fails) {
            ExitReason::FailOn
        } else if !self.complete {
            ExitReason::Incomplete
        } else if self.most_unknown().is_some() {
            ExitReason::MostUnknown
        } else {
            ExitReason::Clean
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        judge::Policy,
        report::{ErrorEntry, ExemptionFields, RunMetadata},
    };

    fn finding(kind: &str, verdict: &str, code: &str) -> Finding {
        let reasons = [json!({ "code": code, "message": "" })];
        let finding = json!({
            "id": format!("{kind}:{verdict}"), "deployment": { "kind": kind, "name": "orders" },
            "image": { "reference": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:1" },
            "verdict": verdict, "stale": verdict == "stale", "out_of_date": false, "deprecated": false,
            "severity": "low", "action": "investigate", "reasons": reasons,
        });
        serde_json::from_value(finding).unwrap()
    }

    fn of(kind: &str, fresh: usize, unknown: usize) -> Vec<Finding> {
        let fresh = vec![finding(kind, "fresh", "base-current"); fresh];
        [fresh, vec![finding(kind, "unknown", "base-unidentified"); unknown]].concat()
    }

    fn exempted(finding: Finding) -> Finding {
        let until = "2027-01-31".parse().unwrap();
        let exemption = ExemptionFields { reason: "vendor".to_owned(), owner: "platform".to_owned(), until };
        Finding { exemption: Some(exemption), ..finding }
    }

    fn report(findings: Vec<Finding>, complete: bool, min_known: f64, fail_on: Option<Verdict>) -> Report {
        let run = RunMetadata {
            id: "run".to_owned(),
            now: "2026-11-20T06:00:00Z".parse().unwrap(),
            requests: BTreeMap::new(),
            search: None,
            authentication: BTreeMap::new(),
            caches: BTreeMap::new(),
            notes: Vec::new(),
            fail_on,
            labels: vec!["sdkBaseVersion".to_owned()],
        };
        Report::new(findings, Vec::<ErrorEntry>::new(), complete, &Policy { min_known, ..Policy::default() }, run)
    }

    #[test]
    fn most_unknown_applies_below_min_known() {
        for (fresh, unknown, min_known, is_unknown) in [
            (0, 0, 0.5, false),
            (0, 0, 1.0, false),
            (1, 1, 0.5, false),
            (1, 2, 0.5, true),
            (0, 1, 0.5, true),
            (0, 40, 0.0, false),
            (39, 1, 1.0, true),
            (40, 0, 1.0, false),
            // 0.07 * 100 is slightly more than 7.
            (7, 93, 0.07, false),
            (6, 94, 0.07, true),
        ] {
            for kind in ["lambda", "ecs", "ecr"] {
                let reason = report(of(kind, fresh, unknown), true, min_known, None).summary.exit_reason;
                let expected = if is_unknown { ExitReason::MostUnknown } else { ExitReason::Clean };
                assert_eq!(reason, Some(expected), "{fresh} of {} {kind}, {min_known}", fresh + unknown);
            }
        }
    }

    #[test]
    fn images_by_reference_and_exempted_findings_do_not_count() {
        for kind in ["image", "layout"] {
            assert!(report(of(kind, 0, 9), true, 1.0, None).most_unknown().is_none(), "{kind}");
            let mixed = report([of(kind, 9, 0), of("lambda", 0, 1)].concat(), true, 0.5, None);
            assert!(mixed.most_unknown().is_some(), "{kind}");
            assert_eq!(mixed.summary.judged, Some(9));
        }
        let unknown = of("lambda", 0, 3).into_iter().map(exempted);
        let findings: Vec<_> = unknown.chain(of("lambda", 1, 1)).collect();
        assert!(report(findings, true, 0.5, None).most_unknown().is_none());
        let judged = of("lambda", 3, 0).into_iter().map(exempted);
        let findings: Vec<_> = judged.chain(of("lambda", 1, 2)).collect();
        assert!(report(findings, true, 0.5, None).most_unknown().is_some());
    }

    #[test]
    fn reasons_are_checked_in_the_order_of_the_exit_codes() {
        use ExitReason::{Clean, FailOn, Incomplete, MostUnknown};
        let (blind, seeing) = (of("lambda", 0, 2), of("lambda", 2, 0));
        for (findings, complete, fail_on, expected) in [
            (&blind, true, Some(Verdict::Unknown), FailOn),
            (&blind, false, Some(Verdict::Unknown), FailOn),
            (&blind, false, Some(Verdict::OutOfDate), Incomplete),
            (&blind, true, Some(Verdict::OutOfDate), MostUnknown),
            (&blind, true, None, MostUnknown),
            (&blind, false, None, Incomplete),
            (&seeing, false, Some(Verdict::Stale), Incomplete),
            (&seeing, true, Some(Verdict::Stale), Clean),
            (&seeing, true, Some(Verdict::Fresh), FailOn),
            (&seeing, true, None, Clean),
        ] {
            let report = report(findings.clone(), complete, 0.5, fail_on);
            assert_eq!(report.summary.exit_reason, Some(expected), "{complete} {fail_on:?}");
            assert_eq!(
                report.most_unknown().is_some(),
                findings == &blind,
                "the note does not depend on the exit code"
            );
        }
    }

    #[test]
    fn the_note_contains_advice() {
        let note = |findings| report(findings, true, 0.5, None).notes.remove(0).message;
        assert_eq!(
            note(of("lambda", 1, 39)),
            "only 1 of 40 deployments could be judged, below policy.min_known = 0.5; most frequent reason \
            base-unidentified (39): record the base in a label at build time (supported: sdkBaseVersion, \
            org.opencontainers.image.base.name), or list your own base images in [[identify.base]]"
        );
        let unreadable = [of("lambda", 0, 1), vec![finding("ecs", "unknown", "image-unreadable"); 2]].concat();
        let message = note(unreadable);
        assert!(message.ends_with("image-unreadable (2): run basewatch explain IMAGE for details"), "{message}");
        let labels: Vec<_> = (1..=5).map(|number| format!("label{number}")).collect();
        let named = "label1, label2, label3, org.opencontainers.image.base.name and 2 more";
        assert_eq!(label_list(&labels), named);
    }

    #[test]
    fn a_truncated_report_keeps_the_most_unknown_note() {
        let whole = report(of("lambda", 0, 500), true, 0.5, None);
        let cut: Report = serde_json::from_str(&whole.fitting(2_000)).unwrap();
        assert!(cut.findings.len() < 500 && cut.most_unknown() == whole.most_unknown());
        assert_eq!(cut.summary, whole.summary);
    }

    #[test]
    fn a_report_of_an_earlier_version_can_be_read() {
        let mut earlier = serde_json::to_value(report(of("lambda", 1, 0), true, 0.5, None)).unwrap();
        let summary = earlier["summary"].as_object_mut().unwrap();
        summary.remove("judged");
        summary.remove("exit_reason");
        let read: Report = serde_json::from_value(earlier.clone()).unwrap();
        assert_eq!((read.summary.judged, read.summary.exit_reason), (None, None));
        assert_eq!(serde_json::to_value(read).unwrap(), earlier);
    }
}
