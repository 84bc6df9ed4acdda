//! The report as a web page: the dashboard of `serve`, or one self-contained file. Pure.
//!
//! Each file is a section of the page; its template is the `.html` file beside it. Values are sanitized by `shown`, and
//! templates escape them.

mod actions;
mod embed;
mod filters;
mod findings;
mod frame;
mod links;
mod message_pages;
mod owners;
mod problems;
mod row;
mod status;
mod timeline;
mod trend;
mod verdict_style;

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    judge::Verdict,
    report::{FindingQuery, Report},
};

pub use frame::{POLICY, StaticAsset, assets};
pub use message_pages::{bad_request, waiting};

/// The content of the dashboard.
#[derive(Clone, Copy, Debug)]
pub struct DashboardView<'a> {
    /// The last report.
    pub report: &'a Report,
    /// The history, oldest day first; the dashboard shows at most 90 days. If empty, the section is omitted.
    pub trend: &'a [TrendDay],
    /// The filters, order and page of findings.
    pub query: &'a FindingQuery,
    /// The current time, for relative times.
    pub now: DateTime<Utc>,
    /// The start of the next run; `None` if none is planned.
    pub next_run_at: Option<DateTime<Utc>>,
    /// Served or self-contained.
    pub mode: PageMode<'a>,
}

/// Served or self-contained.
#[derive(Clone, Copy, Debug)]
pub enum PageMode<'a> {
    /// Served by `serve`, with [`assets`] and the API.
    Served(ServerActivity<'a>),
    /// One file without external resources.
    SelfContained,
}

/// The status of `serve`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerActivity<'a> {
    /// The start of the current run; `None` if none is in progress.
    pub running_since: Option<DateTime<Utc>>,
    /// The last run, if it failed.
    pub failed_run: Option<FailedRun<'a>>,
}

/// A run that failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedRun<'a> {
    /// The end of the run.
    pub at: DateTime<Utc>,
    /// The error message.
    pub message: &'a str,
}

/// The results of the last run of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrendDay {
    /// The day, in UTC.
    pub date: NaiveDate,
    /// Whether the report was complete.
    pub complete: bool,
    /// The number of deployments.
    pub deployments: u64,
    /// The number of deployments by verdict, without zeros.
    pub by_verdict: BTreeMap<Verdict, u64>,
    /// The median base age in days; `None` if unknown.
    pub age_p50_days: Option<u64>,
    /// The 90th percentile of base ages in days; `None` if unknown.
    pub age_p90_days: Option<u64>,
    /// The number of alerts sent that day.
    pub alerts_sent: u64,
}

impl PageMode<'_> {
    fn is_file(self) -> bool {
        matches!(self, Self::SelfContained)
    }
}

/// Renders `report` as one self-contained file.
#[must_use]
pub fn render(report: &Report) -> String {
    page(&DashboardView {
        report,
        trend: &[],
        query: &FindingQuery::default(),
        now: report.generated_at,
        next_run_at: None,
        mode: PageMode::SelfContained,
    })
}

/// Renders the dashboard.
#[must_use]
pub fn page(view: &DashboardView<'_>) -> String {
    let findings = findings::FindingsTable::new(view);
    let embedded = embed::EmbeddedData::new(view, &findings);
    let body = DashboardBody {
        status: status::StatusOverview::new(view),
        owners: owners::OwnerList::new(view.report),
        timeline: timeline::Timeline::new(view.report),
        next: actions::ActionList::new(view.report),
        trend: trend::TrendChart::new(view),
        problems: problems::ErrorsAndNotes::new(view.report),
        findings,
        embedded,
    };
    let title = body.status.headline();
    frame::page(view.mode.is_file(), &title, body.sections(), body)
}

/// The sections of the dashboard, in order.
#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardBody<'a> {
    status: status::StatusOverview,
    owners: owners::OwnerList,
    timeline: timeline::Timeline,
    next: actions::ActionList,
    trend: trend::TrendChart,
    problems: problems::ErrorsAndNotes,
    findings: findings::FindingsTable<'a>,
    embedded: embed::EmbeddedData,
}

impl askama::filters::HtmlSafe for DashboardBody<'_> {}

impl DashboardBody<'_> {
    /// The sections with content, for the navigation.
    fn sections(&self) -> Vec<(&'static str, &'static str)> {
        let sections = [
            (true, "overview", "Overview"),
            (!self.timeline.is_empty(), "lines", "Base lines"),
            (!self.next.is_empty(), "next", "What to do"),
            (!self.owners.is_empty(), "owners", "Owners"),
            (!self.trend.is_empty(), "history", "History"),
            (true, "findings", "Findings"),
            (!self.problems.is_empty(), "problems", "Errors and notes"),
        ];
        sections.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, id, title)| (id, title)).collect()
    }
}
