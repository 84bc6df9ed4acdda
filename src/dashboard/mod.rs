//! The report as a web page: the dashboard of `serve`, or one self-contained file. Pure.
//!
//! Each file is a section of the page; its template is the `.html` file beside it. Values are sanitized by `shown`, and
//! templates escape them.

mod actions;
mod alerts;
mod changes;
mod deployment;
mod documentation;
mod embed;
mod filters;
mod findings;
mod frame;
mod links;
mod message_pages;
mod owners;
mod problems;
mod row;
mod sign_in;
mod status;
mod task;
mod timeline;
mod trend;
mod verdict_style;
mod view;

use askama::Template;

use crate::report::{FindingQuery, Report, ReportOutline};

pub use alerts::{LONGEST_REASON, SNOOZE_DAYS, alert_page, alerts_page};
pub use changes::changes_page;
pub use deployment::deployment_page;
pub use documentation::documentation_page;
pub use frame::{POLICY, StaticAsset, assets};
pub use message_pages::{bad_request, message_page, waiting};
pub use sign_in::{LONGEST_NAME, sign_in_page};
pub use view::{
    AlertView, ChannelView, DashboardView, FailedRun, NotifiedEvent, PageMode, PageScope, ServerActivity, SnoozeView,
    TrendDay, WriteAccess,
};

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

/// Renders the dashboard of all deployments.
#[must_use]
pub fn page(view: &DashboardView<'_>) -> String {
    render_page(view, PageScope::Fleet)
}

/// Renders the dashboard of an owner or a release line; `None` if there are no such deployments.
#[must_use]
pub fn scoped_page(view: &DashboardView<'_>, scope: PageScope<'_>) -> Option<String> {
    let report = view.report.narrowed(|finding| scope.has(finding));
    if report.findings.is_empty() {
        return None;
    }
    let trend: Vec<_> = view.mode.served().past.unwrap_or_default().iter().map(|past| trend_day(past, scope)).collect();
    Some(render_page(&DashboardView { report: &report, trend: &trend, ..*view }, scope))
}

/// The counts of a stored report within `scope`.
fn trend_day(past: &ReportOutline, scope: PageScope<'_>) -> TrendDay {
    let past = scope.narrowed(past);
    let mut day = TrendDay {
        date: past.generated_at.date_naive(),
        complete: past.complete,
        deployments: past.findings.len() as u64,
        ..TrendDay::default()
    };
    for finding in past.findings.values() {
        *day.by_verdict.entry(finding.verdict).or_default() += 1;
    }
    day
}

fn render_page(view: &DashboardView<'_>, scope: PageScope<'_>) -> String {
    let findings = findings::FindingsTable::new(view, scope);
    let embedded = embed::EmbeddedData::new(view, &findings);
    let body = DashboardBody {
        status: status::StatusOverview::new(view, scope),
        owners: owners::OwnerList::new(view, scope),
        timeline: timeline::Timeline::new(view, scope),
        next: actions::ActionList::new(view.report),
        trend: trend::TrendChart::new(view),
        problems: problems::ErrorsAndNotes::new(view.report),
        findings,
        embedded,
    };
    let title = body.status.headline();
    let nav = body.nav(scope, view.mode);
    let options =
        frame::FrameOptions { is_file: view.mode.is_file(), title: &title, nav, access: view.mode.served().access };
    frame::page(&options, body)
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
    /// The sections with content and the other pages, for the navigation.
    fn nav(&self, scope: PageScope<'_>, mode: PageMode<'_>) -> Vec<(String, &'static str)> {
        let sections = [
            (true, "#overview", "Overview"),
            (!self.timeline.is_empty(), "#lines", "Release lines"),
            (!self.next.is_empty(), "#next", "What to do"),
            (!self.owners.is_empty(), "#owners", "Owners"),
            (!self.trend.is_empty(), "#history", "History"),
            (true, "#findings", "Findings"),
            (!self.problems.is_empty(), "#problems", "Errors and notes"),
        ];
        let up = (scope != PageScope::Fleet).then_some(("/", "All deployments"));
        let pages = [links::ALERTS, links::DOCUMENTATION].into_iter().filter(|_| !mode.is_file());
        let sections = sections.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, id, title)| (id, title));
        up.into_iter().chain(sections).chain(pages).map(|(link, title)| (link.to_owned(), title)).collect()
    }
}
