//! The alerts of the ledger: the page that lists the open ones, the page of one alert, and its form to snooze it.

use std::collections::HashSet;

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};

use super::{
    AlertView, DashboardView, NotifiedEvent, PageMode, PageScope, ServerActivity, WriteAccess, frame, links,
    owners::owner_name,
    verdict_style::{VerdictStyle, counted, more, shown, shown_or},
};
use crate::report::{format, query::NO_OWNER};

/// Maximum number of alerts to list.
const MOST: usize = 300;
/// The choices for the length of a snooze, in days.
pub const SNOOZE_DAYS: [u64; 4] = [1, 7, 14, 30];
/// The maximum length of the reason of a snooze, in characters.
pub const LONGEST_REASON: usize = 200;

/// An alert with its notifications.
#[derive(Template)]
#[template(path = "alert.html")]
pub(super) struct AlertDetails {
    id: String,
    link: String,
    about: &'static str,
    style: VerdictStyle,
    severity: &'static str,
    since: Option<String>,
    is_open: bool,
    snooze: String,
    channels: Vec<ChannelEvents>,
    form: Option<SnoozeForm>,
}

impl HtmlSafe for AlertDetails {}

struct ChannelEvents {
    channel: String,
    events: Vec<EventEntry>,
    error: Option<String>,
}

struct EventEntry {
    kind: &'static str,
    severity: &'static str,
    at: String,
    sent: String,
}

/// The form to snooze an alert, or to end its snooze.
struct SnoozeForm {
    csrf: String,
    is_snoozed: bool,
}

impl AlertDetails {
    pub(super) fn new(alert: &AlertView, access: WriteAccess<'_>) -> Self {
        let channels = alert.channels.iter().map(|channel| ChannelEvents {
            channel: shown(&channel.channel),
            events: channel.events.iter().rev().map(EventEntry::new).collect(),
            error: channel.last_error.as_deref().map(shown),
        });
        let form = match access {
            WriteAccess::SignedIn { csrf, .. } if alert.is_open || alert.snooze.is_some() => {
                Some(SnoozeForm { csrf: csrf.to_owned(), is_snoozed: alert.snooze.is_some() })
            }
            _ => None,
        };
        Self {
            id: shown(&alert.id),
            link: links::alert(&alert.id),
            about: alert.about,
            style: VerdictStyle::new(alert.verdict),
            severity: alert.severity.as_str(),
            since: alert.since.map(format::instant),
            is_open: alert.is_open,
            snooze: snooze(alert),
            channels: channels.collect(),
            form,
        }
    }
}

impl EventEntry {
    fn new(event: &NotifiedEvent) -> Self {
        let sent = match event.sent_at {
            None => "not delivered yet".to_owned(),
            Some(at) if at == event.due_at => "delivered".to_owned(),
            Some(at) => format!("delivered {}", format::instant(at)),
        };
        Self { kind: event.kind, severity: event.severity.as_str(), at: format::instant(event.due_at), sent }
    }
}

/// `until 2026-12-01 00:00 UTC by ada: waits for the vendor`; empty if not snoozed.
fn snooze(alert: &AlertView) -> String {
    let Some(snooze) = &alert.snooze else { return String::new() };
    let by = snooze.by.as_deref().map(|by| format!(" by {}", shown(by))).unwrap_or_default();
    let reason = snooze.reason.as_deref().map(|reason| format!(": {}", shown(reason))).unwrap_or_default();
    format!("until {}{by}{reason}", format::instant(snooze.until))
}

/// The numbers of open and snoozed alerts, for the top of the dashboard.
#[derive(Template)]
#[template(path = "alert_counts.html")]
pub(super) struct AlertCounts {
    open: u64,
    open_text: String,
    snoozed: u64,
    link: String,
}

impl HtmlSafe for AlertCounts {}

impl AlertCounts {
    /// The numbers of the alerts of `view` that are about its findings.
    pub(super) fn new(view: &DashboardView<'_>, scope: PageScope<'_>) -> Self {
        let owner = match scope {
            PageScope::Owner(owner) => Some(owner),
            _ => None,
        };
        let ids: HashSet<_> = match scope {
            PageScope::Line(_) => view.report.findings.iter().map(|finding| finding.id.as_str()).collect(),
            _ => HashSet::new(),
        };
        let is_in = |alert: &&AlertView| match scope {
            PageScope::Line(_) => ids.contains(alert.finding.as_str()),
            _ => is_of(alert, owner),
        };
        let alerts: Vec<_> = view.mode.served().alerts.iter().filter(is_in).collect();
        let open = alerts.iter().filter(|alert| alert.is_open).count() as u64;
        Self {
            open,
            open_text: counted(open, "open alert"),
            snoozed: alerts.iter().filter(|alert| alert.snooze.is_some()).count() as u64,
            link: links::alerts(owner),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open == 0 && self.snoozed == 0
    }
}

/// Whether the alert is of `owner`; `-` for no owner.
fn is_of(alert: &AlertView, owner: Option<&str>) -> bool {
    owner.is_none_or(|owner| alert.owner.as_deref().unwrap_or(NO_OWNER) == owner)
}

/// The page that lists open and snoozed alerts.
#[derive(Template)]
#[template(path = "alerts_page.html")]
struct AlertsPage {
    title: String,
    rows: Vec<ListedAlert>,
    rest: String,
    can_sign_in: bool,
}

impl HtmlSafe for AlertsPage {}

struct ListedAlert {
    name: String,
    id: String,
    link: String,
    about: &'static str,
    style: VerdictStyle,
    severity: &'static str,
    owner: String,
    since: String,
    last: String,
    snooze: String,
}

impl ListedAlert {
    fn new(alert: &AlertView) -> Self {
        let day =
            |at: Option<DateTime<Utc>>| at.map_or_else(|| format::NOTHING.to_owned(), |at| at.date_naive().to_string());
        let events = alert.channels.iter().flat_map(|channel| &channel.events);
        Self {
            name: shown(&alert.name),
            id: shown(&alert.id),
            link: links::alert(&alert.id),
            about: alert.about,
            style: VerdictStyle::new(alert.verdict),
            severity: alert.severity.as_str(),
            owner: shown_or(alert.owner.as_deref(), format::NOTHING).into_owned(),
            since: day(alert.since),
            last: day(events.map(|event| event.due_at).max()),
            snooze: snooze(alert),
        }
    }
}

/// Renders the list of open and snoozed alerts, of all owners or of one; `-` for no owner.
#[must_use]
pub fn alerts_page(served: ServerActivity<'_>, owner: Option<&str>) -> String {
    let is_listed = |alert: &&AlertView| (alert.is_open || alert.snooze.is_some()) && is_of(alert, owner);
    let listed: Vec<_> = served.alerts.iter().filter(is_listed).collect();
    let rest = listed.len().saturating_sub(MOST);
    let whose = owner.map(|owner| format!("{}: ", shown(owner_name(owner)))).unwrap_or_default();
    let open = listed.iter().filter(|alert| alert.is_open).count() as u64;
    let title = format!("{whose}{}", counted(open, "open alert"));
    let page = AlertsPage {
        title: title.clone(),
        rows: listed.iter().take(MOST).map(|alert| ListedAlert::new(alert)).collect(),
        rest: match rest {
            0 => String::new(),
            _ => format!("And {}: basewatch alerts list.", more(rest, "alert")),
        },
        can_sign_in: matches!(served.access, WriteAccess::SignedOut),
    };
    frame::page(&frame::FrameOptions::of_page(&title, PageMode::Served(served)), page)
}

/// The page of one alert.
#[derive(Template)]
#[template(path = "alert_page.html")]
struct AlertPage {
    title: String,
    deployment: String,
    owner: Option<(String, String)>,
    details: AlertDetails,
}

impl HtmlSafe for AlertPage {}

/// Renders the alert with the ID `id`; `None` if there is none.
#[must_use]
pub fn alert_page(served: ServerActivity<'_>, id: &str) -> Option<String> {
    let alert = served.alerts.iter().find(|alert| alert.id == id)?;
    let title = format!("Alert about the {} of {}", alert.about, shown(&alert.name));
    let page = AlertPage {
        title: title.clone(),
        deployment: links::deployment(&alert.finding),
        owner: alert.owner.as_deref().map(|owner| (shown(owner), links::owner(owner))),
        details: AlertDetails::new(alert, served.access),
    };
    Some(frame::page(&frame::FrameOptions::of_page(&title, PageMode::Served(served)), page))
}
