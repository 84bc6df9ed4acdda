//! The content of the pages: the report, the activity of `serve`, alerts, and what the reader may do.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    judge::{Severity, Verdict},
    report::{Finding, FindingQuery, Report, ReportOutline, query::NO_OWNER},
};

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
    /// Served by `serve`, with the assets, further pages and the API.
    Served(ServerActivity<'a>),
    /// One file without external resources.
    SelfContained,
}

/// What `serve` adds to the report.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerActivity<'a> {
    /// The start of the current run; `None` if none is in progress.
    pub running_since: Option<DateTime<Utc>>,
    /// The last run, if it failed.
    pub failed_run: Option<FailedRun<'a>>,
    /// The outlines of stored reports, oldest first; `None` while they are being read.
    pub past: Option<&'a [Arc<ReportOutline>]>,
    /// The alerts in the ledger, the most severe first.
    pub alerts: &'a [AlertView],
    /// Whether the reader may start runs and snooze alerts.
    pub access: WriteAccess<'a>,
}

/// A run that failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedRun<'a> {
    /// The end of the run.
    pub at: DateTime<Utc>,
    /// The error message.
    pub message: &'a str,
}

/// Whether the reader may start runs and snooze alerts.
#[derive(Clone, Copy, Debug, Default)]
pub enum WriteAccess<'a> {
    /// Nobody may: no token for writing is configured.
    #[default]
    ReadOnly,
    /// The reader may sign in.
    SignedOut,
    /// The reader has signed in.
    SignedIn {
        /// The name of the reader.
        name: &'a str,
        /// The token that forms must send, against forged requests from other sites.
        csrf: &'a str,
    },
}

/// The findings that a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageScope<'a> {
    /// All.
    Fleet,
    /// Those of an owner; `-` for no owner.
    Owner(&'a str),
    /// Those with a base of a release line.
    Line(&'a str),
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

/// An alert in the ledger.
#[derive(Clone, Debug)]
pub struct AlertView {
    /// The ID of the alert.
    pub id: String,
    /// The ID of the finding.
    pub finding: String,
    /// The subject of the alert: `base` or `workload`.
    pub about: &'static str,
    /// The display name of the deployment.
    pub name: String,
    /// The owner.
    pub owner: Option<String>,
    /// The verdict when the finding was last judged.
    pub verdict: Verdict,
    /// The severity then.
    pub severity: Severity,
    /// Whether the alert is open on a channel.
    pub is_open: bool,
    /// The first notification of this episode.
    pub since: Option<DateTime<Utc>>,
    /// The snooze, if it has not ended.
    pub snooze: Option<SnoozeView>,
    /// The notifications by channel.
    pub channels: Vec<ChannelView>,
}

/// A snooze of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnoozeView {
    /// The end of the snooze.
    pub until: DateTime<Utc>,
    /// Who snoozed the alert, if known.
    pub by: Option<String>,
    /// The reason, if known.
    pub reason: Option<String>,
}

/// The notifications of an alert to one channel.
#[derive(Clone, Debug)]
pub struct ChannelView {
    /// The ID of the channel.
    pub channel: String,
    /// The events, oldest first.
    pub events: Vec<NotifiedEvent>,
    /// Why the last attempt to send the latest event failed.
    pub last_error: Option<String>,
}

/// An event that a channel was or will be notified of.
#[derive(Clone, Copy, Debug)]
pub struct NotifiedEvent {
    /// `triggered`, `escalated`, `reminded` or `resolved`.
    pub kind: &'static str,
    /// The severity that was notified.
    pub severity: Severity,
    /// When the event was recorded.
    pub due_at: DateTime<Utc>,
    /// When the channel acknowledged it; `None` while it is due.
    pub sent_at: Option<DateTime<Utc>>,
}

impl<'a> PageMode<'a> {
    pub(super) fn is_file(self) -> bool {
        matches!(self, Self::SelfContained)
    }

    /// The activity of `serve`; the default for a file.
    pub(super) fn served(self) -> ServerActivity<'a> {
        match self {
            Self::Served(served) => served,
            Self::SelfContained => ServerActivity::default(),
        }
    }
}

impl PageScope<'_> {
    /// Whether the page is about `finding`.
    pub(super) fn has(self, finding: &Finding) -> bool {
        match self {
            Self::Fleet => true,
            Self::Owner(owner) => finding.deployment.owner.as_deref().unwrap_or(NO_OWNER) == owner,
            Self::Line(line) => finding.base.as_ref().and_then(|base| base.line.as_deref()) == Some(line),
        }
    }

    /// The findings of `outline` that the page is about.
    pub(super) fn narrowed(self, outline: &ReportOutline) -> ReportOutline {
        outline.narrowed(|finding| match self {
            Self::Fleet => true,
            Self::Owner(owner) => finding.owner.as_deref().unwrap_or(NO_OWNER) == owner,
            Self::Line(line) => finding.line.as_deref() == Some(line),
        })
    }

    /// The filter with the same findings, as a parameter and its value.
    pub(super) fn filter(self) -> Option<(&'static str, String)> {
        match self {
            Self::Fleet => None,
            Self::Owner(owner) => Some(("owner", owner.to_owned())),
            Self::Line(line) => Some(("line", line.to_owned())),
        }
    }
}
