//! What changed between two reports: findings that are new, worse or resolved.

use std::sync::Arc;

use super::{FindingOutline, ReportOutline};

/// The findings that changed between two reports. A finding is open at severity `low` and above, unless it is exempted.
#[derive(Clone, Debug, Default)]
pub struct ReportChanges<'a> {
    /// Open now, but not then.
    pub new: Vec<ChangedFinding<'a>>,
    /// Open then and now, with a higher severity or a worse verdict now.
    pub worse: Vec<ChangedFinding<'a>>,
    /// Open then, but not now.
    pub resolved: Vec<ChangedFinding<'a>>,
}

/// A finding that changed.
#[derive(Clone, Copy, Debug)]
pub struct ChangedFinding<'a> {
    /// Its ID.
    pub id: &'a str,
    /// The finding then; `None` if there was none.
    pub was: Option<&'a FindingOutline>,
    /// The finding now; `None` if there is none.
    pub is: Option<&'a FindingOutline>,
}

impl<'a> ReportChanges<'a> {
    /// The changes from `then` to `now`. If `now` is incomplete, a missing finding is not resolved: it may not have been
    /// read.
    #[must_use]
    pub fn between(then: &'a ReportOutline, now: &'a ReportOutline) -> Self {
        let mut changes = Self::default();
        for (id, is) in &now.findings {
            let was = then.findings.get(id);
            let change = ChangedFinding { id, was, is: Some(is) };
            match (was.filter(|was| was.is_open()), is.is_open()) {
                (None, true) => changes.new.push(change),
                (Some(_), false) => changes.resolved.push(change),
                (Some(was), true) if is.rank() > was.rank() => changes.worse.push(change),
                _ => {}
            }
        }
        let is_gone = |(id, was): &(&Arc<str>, &FindingOutline)| was.is_open() && !now.findings.contains_key(*id);
        if now.complete {
            let gone = then.findings.iter().filter(is_gone);
            changes.resolved.extend(gone.map(|(id, was)| ChangedFinding { id, was: Some(was), is: None }));
        }
        for list in [&mut changes.new, &mut changes.worse] {
            list.sort_by_key(|change| std::cmp::Reverse(change.is.map(FindingOutline::rank)));
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outline(complete: bool, findings: &[(&str, &str, &str)]) -> ReportOutline {
        let finding = |(id, verdict, severity): &(&str, &str, &str)| {
            json!({
                "id": id, "deployment": { "kind": "lambda", "name": id }, "image": { "reference": "orders:1" },
                "base": null, "verdict": verdict, "severity": severity, "action": "none",
            })
        };
        let findings: Vec<_> = findings.iter().map(finding).collect();
        let report = json!({
            "run_id": "01A", "generated_at": "2026-11-20T06:00:00Z", "complete": complete, "findings": findings,
        });
        serde_json::from_value(report).unwrap()
    }

    fn ids(changed: &[ChangedFinding<'_>]) -> Vec<String> {
        changed.iter().map(|change| change.id.to_owned()).collect()
    }

    #[test]
    fn findings_are_new_worse_or_resolved() {
        let then = outline(
            true,
            &[
                ("same", "stale", "high"),
                ("mended", "stale", "high"),
                ("worse", "out-of-date", "medium"),
                ("better", "stale", "high"),
                ("gone", "stale", "high"),
                ("aged", "superseded", "info"),
                ("fresh-gone", "fresh", "none"),
            ],
        );
        let findings = [
            ("same", "stale", "high"),
            ("mended", "fresh", "none"),
            ("worse", "stale", "high"),
            ("better", "out-of-date", "medium"),
            ("aged", "out-of-date", "medium"),
            ("deployed", "stale", "high"),
            ("deployed-fresh", "fresh", "none"),
        ];
        let now = outline(true, &findings);
        let changes = ReportChanges::between(&then, &now);
        assert_eq!(ids(&changes.new), ["deployed", "aged"], "the worst first");
        assert_eq!(ids(&changes.worse), ["worse"]);
        assert_eq!(ids(&changes.resolved), ["mended", "gone"]);
        let unread = outline(false, &findings);
        assert_eq!(ids(&ReportChanges::between(&then, &unread).resolved), ["mended"], "absence proves nothing");
    }
}
