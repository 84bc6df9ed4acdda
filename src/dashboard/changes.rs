//! What changed since yesterday and since last week, in numbers, and the page that lists the changes.

use std::sync::Arc;

use askama::{Template, filters::HtmlSafe};
use chrono::{Days, NaiveDate};

use super::{
    DashboardView, PageScope, frame, links,
    owners::owner_name,
    task::without_registry,
    verdict_style::{VerdictStyle, grouped, more, shown},
};
use crate::report::{ChangedFinding, ReportChanges, ReportOutline, format};

/// How many days older than wanted a report may be, for schedules without weekends.
const MOST_DAYS_OLDER: u64 = 3;
/// Maximum number of findings to list per kind of change.
const MOST: usize = 300;

/// The changes since yesterday and since last week.
#[derive(Template)]
#[template(path = "changes.html")]
pub(super) struct ChangeSummary {
    is_loading: bool,
    periods: Vec<ChangePeriod>,
}

impl HtmlSafe for ChangeSummary {}

struct ChangePeriod {
    title: &'static str,
    /// The day of the earlier report, and the numbers; `None` without a report.
    changes: Option<ChangeCounts>,
}

struct ChangeCounts {
    date: NaiveDate,
    is_complete: bool,
    new: u64,
    worse: u64,
    resolved: u64,
    link: String,
}

impl ChangeSummary {
    pub(super) fn new(view: &DashboardView<'_>, scope: PageScope<'_>) -> Self {
        let served = view.mode.served();
        let Some(past) = served.past.filter(|_| !view.mode.is_file()) else {
            return Self { is_loading: !view.mode.is_file(), periods: Vec::new() };
        };
        let now = ReportOutline::from(view.report);
        let period = |title, days| {
            let then = earlier(past, now.generated_at.date_naive(), days);
            let counts = |then: &Arc<ReportOutline>| {
                let date = then.generated_at.date_naive();
                let then = scope.narrowed(then);
                let changes = ReportChanges::between(&then, &now);
                ChangeCounts {
                    date,
                    is_complete: then.complete,
                    new: changes.new.len() as u64,
                    worse: changes.worse.len() as u64,
                    resolved: changes.resolved.len() as u64,
                    link: links::changes(date, scope),
                }
            };
            ChangePeriod { title, changes: then.map(counts) }
        };
        Self { is_loading: false, periods: vec![period("Since yesterday", 1), period("Since last week", 7)] }
    }

    fn is_empty(&self) -> bool {
        self.periods.is_empty() && !self.is_loading
    }
}

/// The latest report that is `days` older than `today`, or up to [`MOST_DAYS_OLDER`] more.
fn earlier(past: &[Arc<ReportOutline>], today: NaiveDate, days: u64) -> Option<&Arc<ReportOutline>> {
    let wanted = today.checked_sub_days(Days::new(days))?;
    let oldest = wanted.checked_sub_days(Days::new(MOST_DAYS_OLDER))?;
    let date = |outline: &Arc<ReportOutline>| outline.generated_at.date_naive();
    past.iter().rfind(|outline| date(outline) <= wanted).filter(|outline| date(outline) >= oldest)
}

/// The page that lists the changes since a day.
#[derive(Template)]
#[template(path = "changes_page.html")]
struct ChangesPage {
    title: String,
    is_complete: bool,
    lists: [ChangeList; 3],
}

impl HtmlSafe for ChangesPage {}

struct ChangeList {
    id: &'static str,
    title: String,
    rows: Vec<ChangeRow>,
    rest: String,
}

struct ChangeRow {
    name: String,
    link: Option<String>,
    owner: String,
    was: Option<VerdictStyle>,
    is: Option<VerdictStyle>,
    image: String,
}

/// Renders the changes since the report of `date`; `None` if no report of that day is stored.
#[must_use]
pub fn changes_page(view: &DashboardView<'_>, scope: PageScope<'_>, date: NaiveDate) -> Option<String> {
    let past = view.mode.served().past.unwrap_or_default();
    let then = past.iter().rfind(|outline| outline.generated_at.date_naive() == date)?;
    let (then, now) = (scope.narrowed(then), scope.narrowed(&ReportOutline::from(view.report)));
    let changes = ReportChanges::between(&then, &now);
    let whose = match scope {
        PageScope::Fleet => String::new(),
        PageScope::Owner(owner) => format!("{}: ", shown(owner_name(owner))),
        PageScope::Line(line) => format!("{}: ", shown(format::short_name(line))),
    };
    let title = format!("{whose}changes since {date}");
    let page = ChangesPage {
        title: title.clone(),
        is_complete: then.complete,
        lists: [
            ChangeList::new("new", "new", &changes.new),
            ChangeList::new("worse", "worse", &changes.worse),
            ChangeList::new("resolved", "resolved", &changes.resolved),
        ],
    };
    Some(frame::page(&frame::FrameOptions::of_page(&title, view.mode), page))
}

impl ChangeList {
    fn new(id: &'static str, word: &str, changed: &[ChangedFinding<'_>]) -> Self {
        let rest = changed.len().saturating_sub(MOST);
        Self {
            id,
            title: format!("{} {word}", grouped(changed.len() as u64)),
            rows: changed.iter().take(MOST).map(ChangeRow::new).collect(),
            rest: if rest == 0 { String::new() } else { format!("And {}.", more(rest, "deployment")) },
        }
    }
}

impl ChangeRow {
    fn new(change: &ChangedFinding<'_>) -> Self {
        let known = change.is.or(change.was);
        Self {
            name: known.map(|finding| shown(&finding.name)).unwrap_or_default(),
            link: change.is.map(|_| links::deployment(change.id)),
            owner: known.and_then(|finding| finding.owner.as_deref()).map_or_else(|| format::NOTHING.to_owned(), shown),
            was: change.was.map(|finding| VerdictStyle::new(finding.verdict)),
            is: change.is.map(|finding| VerdictStyle::new(finding.verdict)),
            image: known.map(|finding| shown(without_registry(&finding.image))).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_week_with_a_weekend_has_an_earlier_report_and_a_longer_gap_has_none() {
        let outline = |date: &str| {
            let report = json!({
                "run_id": date, "generated_at": format!("{date}T06:00:00Z"), "complete": true, "findings": [],
            });
            Arc::new(serde_json::from_value::<ReportOutline>(report).unwrap())
        };
        // A Friday, and the Monday after it.
        let past = ["2026-11-06", "2026-11-13", "2026-11-20"].map(outline);
        let found = |today: &str, days| {
            let found = earlier(&past, today.parse().unwrap(), days)?;
            Some(found.generated_at.date_naive().to_string())
        };
        assert_eq!(found("2026-11-23", 1).as_deref(), Some("2026-11-20"));
        assert_eq!(found("2026-11-23", 7).as_deref(), Some("2026-11-13"));
        assert_eq!(found("2026-11-25", 1), None, "four days older than yesterday");
        assert_eq!(found("2026-11-06", 1), None, "no earlier report");
    }
}
