//! The page of a deployment: verdict, what to do, evidence, history and alerts.

use std::sync::Arc;

use askama::{Template, filters::HtmlSafe};
use chrono::NaiveDate;

use super::{
    AlertView, DashboardView,
    alerts::AlertDetails,
    frame, links,
    row::{DeploymentDetails, FindingRow, VerdictDetails},
    task::{self, TaskText},
    verdict_style::{VerdictStyle, shown, urgency},
};
use crate::report::{
    BaseLink, CurrentRelease, FindingOutline, ReportOutline,
    console::{self, ConsoleLink},
    format,
    group::DeploymentNames,
};

/// Maximum number of changes to list.
const MOST_CHANGES: usize = 60;

/// The page of a deployment.
#[derive(Template)]
#[template(path = "deployment.html")]
struct DeploymentPage {
    title: String,
    row: FindingRow,
    kind: &'static str,
    owner: Option<(String, String)>,
    line: Option<(String, String)>,
    consoles: Vec<ConsoleLink>,
    urgency: &'static str,
    task: Option<TaskText>,
    why: VerdictDetails,
    own: DeploymentDetails,
    chain: Vec<ChainRow>,
    is_loading: bool,
    since: Option<NaiveDate>,
    history: Vec<HistoryRow>,
    alerts: Vec<AlertDetails>,
}

impl HtmlSafe for DeploymentPage {}

/// A base below the base of the image.
struct ChainRow {
    base: String,
    style: VerdictStyle,
    age: String,
    current: String,
    adopted: &'static str,
}

/// A day on which the finding changed.
struct HistoryRow {
    date: NaiveDate,
    state: Option<HistoryState>,
}

struct HistoryState {
    style: VerdictStyle,
    severity: &'static str,
    image: String,
    release: String,
}

/// Renders the page of the deployment with the finding `id`; `None` if there is none.
#[must_use]
pub fn deployment_page(view: &DashboardView<'_>, id: &str) -> Option<String> {
    let finding = view.report.findings.iter().find(|finding| finding.id == id)?;
    let served = view.mode.served();
    let names = DeploymentNames::new(&view.report.findings);
    let row = FindingRow::new(finding, &names.qualifier(finding), view.mode);
    let title = [row.name.as_str(), row.qualifier.as_str()].join(" ").trim().to_owned();
    let past = served.past.unwrap_or_default();
    let line = finding.base.as_ref().and_then(|base| base.line.as_deref());
    let is_about = |alert: &&AlertView| alert.finding == id;
    let page = DeploymentPage {
        title: title.clone(),
        kind: finding.deployment.kind.as_str(),
        owner: finding.deployment.owner.as_deref().map(|owner| (shown(owner), links::owner(owner))),
        line: line.map(|line| (shown(format::short_name(line)), links::line(line))),
        consoles: console::links(finding),
        urgency: urgency(finding.severity),
        task: task::task(finding),
        why: VerdictDetails::served(finding),
        own: DeploymentDetails::new(finding),
        chain: finding.base.iter().flat_map(|base| &base.chain).map(ChainRow::new).collect(),
        is_loading: served.past.is_none(),
        since: past.first().map(|oldest| oldest.generated_at.date_naive()),
        history: history(past, id),
        alerts: served.alerts.iter().filter(is_about).map(|alert| AlertDetails::new(alert, served.access)).collect(),
        row,
    };
    Some(frame::page(&frame::FrameOptions::of_page(&title, view.mode), page))
}

impl ChainRow {
    fn new(link: &BaseLink) -> Self {
        let current =
            |current: &CurrentRelease| current.release.clone().unwrap_or_else(|| format::short_digest(&current.digest));
        Self {
            base: shown(&format::base_in_use(&link.base)),
            style: VerdictStyle::new(link.verdict),
            age: format::age(link.base.age_days, link.base.published_source),
            current: link.current.as_ref().map_or_else(|| format::NOTHING.to_owned(), |found| shown(&current(found))),
            adopted: match link.adopted {
                Some(true) => "yes",
                Some(false) => "not yet",
                None => format::NOTHING,
            },
        }
    }
}

/// The days on which the finding was first reported, changed or disappeared, latest first.
fn history(past: &[Arc<ReportOutline>], id: &str) -> Vec<HistoryRow> {
    let mut rows: Vec<HistoryRow> = Vec::new();
    let mut last: Option<&FindingOutline> = None;
    for outline in past {
        let state = outline.findings.get(id);
        // In an incomplete report, absence proves nothing.
        if state.is_none() && (last.is_none() || !outline.complete) {
            continue;
        }
        if state != last {
            rows.push(HistoryRow { date: outline.generated_at.date_naive(), state: state.map(HistoryState::new) });
        }
        last = state;
    }
    rows.reverse();
    rows.truncate(MOST_CHANGES);
    rows
}

impl HistoryState {
    fn new(finding: &FindingOutline) -> Self {
        Self {
            style: VerdictStyle::new(finding.verdict),
            severity: finding.severity.as_str(),
            image: shown(task::without_registry(&finding.image)),
            release: finding.release.as_deref().map_or_else(|| format::NOTHING.to_owned(), shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn outline(day: u32, complete: bool, verdict: Option<&str>) -> Arc<ReportOutline> {
        let finding = |verdict: &str| {
            json!({
                "id": "a", "deployment": { "kind": "lambda", "name": "a" }, "image": { "reference": "orders:1" },
                "base": null, "verdict": verdict, "severity": "low", "action": "none",
            })
        };
        let findings: Vec<Value> = verdict.map(finding).into_iter().collect();
        let report = json!({
            "run_id": "1", "generated_at": format!("2026-11-{day:02}T06:00:00Z"), "complete": complete,
            "findings": findings,
        });
        Arc::new(serde_json::from_value(report).unwrap())
    }

    #[test]
    fn the_history_lists_only_changes_latest_first() {
        let past = [
            outline(1, true, None),
            outline(2, true, Some("fresh")),
            outline(3, true, Some("fresh")),
            outline(4, true, Some("stale")),
            outline(5, false, None),
            outline(6, true, Some("stale")),
            outline(7, true, None),
        ];
        let rows: Vec<_> = history(&past, "a")
            .into_iter()
            .map(|row| (row.date.to_string(), row.state.map_or("gone", |state| state.style.word)))
            .collect();
        let expected = [("2026-11-07", "gone"), ("2026-11-04", "stale"), ("2026-11-02", "fresh")];
        assert_eq!(rows, expected.map(|(date, word)| (date.to_owned(), word)));
    }
}
