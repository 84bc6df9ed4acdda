//! How does a report look in a browser? The dashboard of `serve`, and the same as one self-contained file.
//!
//! Pure: a view in, a page out. Knows no network, no clock and no store; `serve` hands it what it has. A file of
//! this folder is a part of the page, with its template beside it. Values reach a template through `harmless`, and
//! the templates escape them besides.

mod embed;
mod filters;
mod findings;
mod frame;
mod links;
mod look;
mod next;
mod owners;
mod plain;
mod problems;
mod row;
mod status;
mod timeline;
mod trend;

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};

use super::{Query, Report};
use crate::judge::Verdict;

pub use frame::{Asset, POLICY, assets};
pub use plain::{refused, waiting};

/// What the dashboard shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The last report.
    pub report: &'a Report,
    /// The last days, oldest first; the dashboard shows at most ninety of them. Without any, there is no history.
    pub trend: &'a [TrendDay],
    /// Which findings are wanted, and in which order.
    pub query: &'a Query,
    /// Now, for "5 hours ago".
    pub now: DateTime<Utc>,
    /// When the next run begins; nothing if none is planned.
    pub next_run_at: Option<DateTime<Utc>>,
    /// How the page gets to its reader.
    pub mode: Mode<'a>,
}

/// How the page gets to its reader.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// By `serve`, which also has the files of [`assets`] and the API.
    Served(Served<'a>),
    /// As one file, which holds all that it needs.
    SelfContained,
}

/// What `serve` is doing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served<'a> {
    /// Since when a run is on; nothing if none is.
    pub running_since: Option<DateTime<Utc>>,
    /// The last run, if it failed; nothing if it has not.
    pub failed_run: Option<FailedRun<'a>>,
}

/// A run that failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedRun<'a> {
    /// When it did.
    pub at: DateTime<Utc>,
    /// Why, for people.
    pub message: &'a str,
}

/// What the last run of a day found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrendDay {
    /// The day, in UTC.
    pub date: NaiveDate,
    /// Whether the run saw everything it was to see.
    pub complete: bool,
    /// How many deployments there were.
    pub deployments: u64,
    /// How many by verdict; those that are missing count as none.
    pub by_verdict: BTreeMap<Verdict, u64>,
    /// Half of the bases were at most so many days old; nothing if no age was known.
    pub age_p50_days: Option<u64>,
    /// Nine in ten were.
    pub age_p90_days: Option<u64>,
    /// How many alerts were sent that day.
    pub alerts_sent: u64,
}

impl Mode<'_> {
    fn is_file(self) -> bool {
        matches!(self, Self::SelfContained)
    }
}

/// `report` as one self-contained file.
#[must_use]
pub fn render(report: &Report) -> String {
    page(&View {
        report,
        trend: &[],
        query: &Query::default(),
        now: report.generated_at,
        next_run_at: None,
        mode: Mode::SelfContained,
    })
}

/// The dashboard.
#[must_use]
pub fn page(view: &View<'_>) -> String {
    let findings = findings::Findings::of(view);
    let embedded = embed::Embedded::of(view, &findings);
    let body = Body {
        status: status::Status::of(view),
        owners: owners::Owners::of(view.report),
        timeline: timeline::Timeline::of(view.report),
        next: next::Next::of(view.report),
        trend: trend::Trend::of(view),
        problems: problems::Problems::of(view.report),
        findings,
        embedded,
    };
    let title = body.status.headline();
    frame::page(view.mode.is_file(), &title, body.sections(), body)
}

/// The parts of the dashboard, in the order in which they answer.
#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "minimize",
    source = r#"
{{ status }}
{{ timeline }}
<div class="pair">
{{ next }}
{{ owners }}
</div>
{{ trend }}
{{ findings }}
{{ problems }}
{{ embedded }}
"#
)]
struct Body<'a> {
    status: status::Status,
    owners: owners::Owners,
    timeline: timeline::Timeline,
    next: next::Next,
    trend: trend::Trend,
    problems: problems::Problems,
    findings: findings::Findings<'a>,
    embedded: embed::Embedded,
}

impl askama::filters::HtmlSafe for Body<'_> {}

impl Body<'_> {
    /// The sections that are there, for the navigation.
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
