//! The list of alerts: the JSON contract `basewatch.alerts/v1`, and its text.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    notify::{
        Alert, AlertDetails, AlertEvent, AlertKey, AlertState, AlertSubject, DeliveryHistory, FindingSnapshot, Ledger,
        OutboxEntry, Snooze,
    },
    report::{
        RenderOptions, Report, format,
        grid::{Grid, GridCell, GridColumn},
        style::{TextPage, TextStyle},
    },
};

/// The value of `schema` in every list.
pub const ALERTS_SCHEMA: &str = "basewatch.alerts/v1";

const COLUMNS: [GridColumn; 8] = [
    GridColumn { title: "ID", least: None },
    GridColumn { title: "SEVERITY", least: None },
    GridColumn { title: "ABOUT", least: None },
    GridColumn { title: "DEPLOYMENT", least: Some(12) },
    GridColumn { title: "OWNER", least: Some(8) },
    GridColumn { title: "SINCE", least: None },
    GridColumn { title: "LAST NOTIFIED", least: None },
    GridColumn { title: "STATE", least: Some(8) },
];

const INDENT: usize = 10;

/// Alerts, the most severe first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch alerts", extend("$id" = ALERTS_SCHEMA))]
pub struct AlertList {
    /// Always `basewatch.alerts/v1`.
    pub schema: String,
    /// The alerts.
    pub alerts: Vec<AlertRow>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertRow {
    /// The id of the alert.
    pub id: String,
    /// The id of the finding.
    pub finding: String,
    /// The subject of the alert.
    #[serde(default)]
    pub about: AlertSubject,
    /// The finding when a run last concluded something about it.
    pub subject: FindingSnapshot,
    /// When a run last reported it.
    pub seen_at: DateTime<Utc>,
    /// Its last snooze, which may have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze: Option<Arc<Snooze>>,
    /// What the last report says about it; only in `basewatch alerts show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<AlertDetails>,
    /// Notifications by channel.
    pub channels: Vec<ChannelRow>,
}

/// Notifications of an alert to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelRow {
    /// The id of the channel.
    pub channel: String,
    /// Delivery state of the latest event.
    pub state: AlertState,
    /// What was history.
    #[serde(flatten)]
    pub history: DeliveryHistory,
    /// Why the last attempt to deliver it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl AlertList {
    /// What `ledger` knows of alerts that a channel was or will be notified of.
    #[must_use]
    pub fn from_ledger(ledger: &Ledger) -> Self {
        Self::select(ledger, |_, alert| !alert.deliveries.is_empty() || alert.snooze.is_some())
    }

    /// What `ledger` knows of the alerts for which `is_selected` holds.
    pub(super) fn select(ledger: &Ledger, is_selected: impl Fn(&AlertKey, &Alert) -> bool) -> Self {
        let rows = ledger.alerts.iter().filter(|(key, alert)| is_selected(key, alert));
        let mut alerts: Vec<_> = rows.map(|(key, alert)| AlertRow::from_alert(key, alert, &ledger.outbox)).collect();
        alerts.sort_by_key(|alert| (Reverse(alert.is_open()), Reverse(alert.subject.severity), alert.since()));
        Self { schema: ALERTS_SCHEMA.to_owned(), alerts }
    }

    /// Adds what `report` says about the alerts.
    pub(super) fn add_details(&mut self, report: &Report) {
        let report = report.with_company_bases();
        let findings: HashMap<_, _> = report.findings.iter().map(|finding| (finding.id.as_str(), finding)).collect();
        for alert in &mut self.alerts {
            let finding = findings.get(alert.finding.as_str());
            let details =
                finding.map(|finding| AlertDetails::new(&alert.key(), &alert.subject, finding, report.generated_at));
            alert.details = details;
        }
    }
}

impl AlertRow {
    fn from_alert(key: &AlertKey, alert: &Alert, outbox: &[OutboxEntry]) -> Self {
        let channels = alert.deliveries.iter().map(|(channel, history)| ChannelRow {
            channel: channel.to_owned(),
            state: history.state(),
            last_error: history.last_error(channel, outbox),
            history: history.clone(),
        });
        Self {
            id: alert.id.clone(),
            finding: key.finding.clone(),
            about: key.about,
            subject: alert.subject.clone(),
            seen_at: alert.seen_at,
            snooze: alert.snooze.clone(),
            details: None,
            channels: channels.collect(),
        }
    }

    /// The key of the alert.
    pub(super) fn key(&self) -> AlertKey {
        AlertKey::new(&self.finding, self.about)
    }

    /// Whether it is open on any channel.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.channels.iter().any(|row| row.history.is_open())
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        self.channels.iter().filter_map(|row| row.history.since()).min()
    }

    fn last_notified(&self) -> Option<DateTime<Utc>> {
        self.channels.iter().filter_map(|row| row.history.last_at()).max()
    }

    /// Its states: `sent`, `due, sent`.
    fn states(&self) -> String {
        let mut states: Vec<_> = self.channels.iter().map(|row| row.state.as_str()).collect();
        states.sort_unstable();
        states.dedup();
        if self.snooze.as_ref().is_some_and(|snooze| snooze.is_active(self.seen_at)) {
            states.push("snoozed");
        }
        states.join(", ")
    }
}

/// The list for a terminal.
pub(super) fn table(list: &AlertList, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    if list.alerts.is_empty() {
        page.line(TextStyle::Plain, "no alerts");
        return page.into_text();
    }
    let day =
        |at: Option<DateTime<Utc>>| at.map_or_else(|| format::NOTHING.to_owned(), |at| at.format("%F").to_string());
    let rows: Vec<Vec<GridCell>> = list
        .alerts
        .iter()
        .map(|alert| {
            let severity = alert.subject.severity;
            vec![
                GridCell::new(TextStyle::Plain, alert.id.as_str()),
                GridCell::new(TextStyle::Severity(severity), severity.as_str()),
                GridCell::new(TextStyle::Plain, alert.about.as_str()),
                GridCell::new(TextStyle::Plain, alert.subject.name.as_str()),
                GridCell::new(TextStyle::Plain, alert.subject.owner.as_deref().unwrap_or(format::NOTHING)),
                GridCell::new(TextStyle::Plain, day(alert.since())),
                GridCell::new(TextStyle::Plain, day(alert.last_notified())),
                GridCell::new(TextStyle::Plain, alert.states()),
            ]
        })
        .collect();
    let grid = Grid::fit(&COLUMNS, &rows, &page);
    grid.titles(&mut page);
    for row in &rows {
        grid.row(&mut page, row);
    }
    page.into_text()
}

/// Alerts with what to do and their notifications, for a terminal.
pub(super) fn details(list: &AlertList, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    for (number, alert) in list.alerts.iter().enumerate() {
        if number > 0 {
            page.end();
        }
        alert_details(alert, &mut page);
    }
    page.into_text()
}

fn alert_details(alert: &AlertRow, page: &mut TextPage) {
    let subject = &alert.subject;
    let severity = subject.severity.as_str();
    let what = match alert.about {
        AlertSubject::Base => format!("{}: {}, severity {severity}", subject.name, subject.verdict.as_str()),
        AlertSubject::Workload => format!("{}: {}, severity {severity}", subject.name, subject.action.as_str()),
    };
    page.evidence(TextStyle::Bold, 0, what);
    page.end();
    page.entry(INDENT, "alert", alert.id.as_str());
    let mut groups: Vec<_> = alert.channels.iter().filter_map(|row| row.history.group()).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        page.entry(INDENT, "group", &**group);
    }
    page.entry(INDENT, "about", format!("the {}", alert.about.as_str()));
    page.entry(INDENT, "finding", alert.finding.as_str());
    page.entry(INDENT, "image", subject.image.as_str());
    page.entry(INDENT, "owner", subject.owner.as_deref().unwrap_or(format::NOTHING));
    page.entry(INDENT, "seen", format::instant(alert.seen_at));
    if let Some(details) = &alert.details {
        if let Some(base) = &details.base {
            page.entry(INDENT, "base", base.as_str());
        }
        for reason in &details.reasons {
            page.entry(INDENT, "reason", format!("{}: {}", reason.code, reason.message));
        }
        page.entry(INDENT, "action", details.to_do.as_str());
    }
    if let Some(snooze) = &alert.snooze {
        page.entry(INDENT, "snoozed", snooze_line(snooze));
    }
    for row in &alert.channels {
        page.end();
        page.evidence(TextStyle::Bold, 0, format!("{}: {}", row.channel, row.state.as_str()));
        for event in &row.history.events {
            page.entry(INDENT, event.kind.as_str(), event_line(event));
        }
        if let Some(error) = &row.last_error {
            page.entry(INDENT, "not sent", error.as_str());
        }
    }
}

/// `until 2026-12-01 00:00 UTC, by alice on 2026-11-20 06:00 UTC: base image is being replaced`.
fn snooze_line(snooze: &Snooze) -> String {
    let by = snooze.by.as_ref().map(|by| format!("by {by} ")).unwrap_or_default();
    let reason = snooze.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("until {}, {by}on {}{reason}", format::instant(snooze.until), format::instant(snooze.at))
}

fn event_line(event: &AlertEvent) -> String {
    let sent = match event.sent_at {
        Some(_) if event.dedup_key.is_empty() => ", not sent to this channel".to_owned(),
        Some(at) if at == event.due_at => String::new(),
        Some(at) => format!(", delivered {}", format::instant(at)),
        None => ", not delivered yet".to_owned(),
    };
    let id = event.message_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    format!("{}{sent}{id}", format::instant(event.due_at))
}
