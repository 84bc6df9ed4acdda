//! Validated settings of notifications.

use std::{collections::BTreeMap, fmt, time::Duration};

use chrono::{DateTime, Datelike as _, NaiveTime, Utc, Weekday};
use lettre::message::Mailbox;

use crate::{glob::Glob, image::Arn, judge::Severity, schedule::Timetable, secret::SecretSource};

/// Which channels are notified of which findings, and when.
#[derive(Clone, Debug)]
pub struct NotifySettings {
    /// Minimum severity of an alert.
    pub threshold: Severity,
    /// Interval of reminders of open alerts; `None`: no reminders.
    pub remind_every: Option<Duration>,
    /// Hours in which only urgent messages are sent.
    pub quiet_hours: Option<QuietHours>,
    /// A new channel gets one summary if more findings than this are open.
    pub backlog: usize,
    /// Maximum number of findings listed in a message.
    pub max_items: usize,
    /// Maximum number of messages to one channel in one run; the last one covers the rest.
    pub max_messages: usize,
    /// How long a message is retried. After that it is dropped, and its findings trigger again.
    pub keep_trying: Duration,
    /// The notification channels.
    pub channels: Vec<NotificationChannel>,
    /// The URL of the dashboard for people, without a slash at the end; `None`: messages have no links to it.
    pub dashboard: Option<String>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            threshold: Severity::Medium,
            remind_every: Some(Duration::from_hours(7 * 24)),
            quiet_hours: None,
            // As many as one message lists.
            backlog: 20,
            // What a reader takes in; the rest is counted, and in the report.
            max_items: 20,
            // With one call a second to a webhook, a channel takes less than a minute of a run.
            max_messages: 50,
            // Longer than holidays; findings of dropped messages trigger again.
            keep_trying: Duration::from_hours(14 * 24),
            channels: Vec::new(),
            dashboard: None,
        }
    }
}

/// Quiet hours of the day, in local time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin, in local time.
    pub from: NaiveTime,
    /// When they end; if before `from`, on the next day.
    pub to: NaiveTime,
    /// Days that are quiet from midnight to midnight.
    pub days: Vec<Weekday>,
    /// The time zone of `from`, `to` and `days`.
    pub time_zone: chrono_tz::Tz,
    /// Minimum severity of messages that are sent nonetheless.
    pub except: Severity,
}

impl QuietHours {
    /// Whether `now` is within them.
    #[must_use]
    pub fn hold(&self, now: DateTime<Utc>) -> bool {
        let local = now.with_timezone(&self.time_zone);
        let time = local.time();
        let is_within = if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        };
        is_within || self.days.contains(&local.weekday())
    }
}

/// A notification channel and its filter.
#[derive(Clone, Debug)]
pub struct NotificationChannel {
    /// Its id in the ledger, stable as long as the destination is the same: the ARN of a topic, or the name of a webhook.
    pub id: String,
    /// Owners whose findings it receives; if empty, all findings, including those without an owner.
    pub owners: Vec<Glob>,
    /// Minimum severity, if higher than the general one.
    pub threshold: Option<Severity>,
    /// Whether it is notified of resolved alerts.
    pub resolved: bool,
    /// When it receives one message about all owners instead of one message for each; `None`: never.
    pub summary: Option<SummarySchedule>,
    /// Kind and destination.
    pub kind: ChannelKind,
}

impl NotificationChannel {
    /// A channel that receives everything, in a message for each owner.
    #[must_use]
    pub fn new(id: String, kind: ChannelKind) -> Self {
        Self { id, owners: Vec::new(), threshold: None, resolved: true, summary: None, kind }
    }

    /// Whether it receives findings of `owner`.
    #[must_use]
    pub fn is_for(&self, owner: Option<&str>) -> bool {
        self.owners.is_empty() || owner.is_some_and(|owner| self.owners.iter().any(|glob| glob.matches(owner)))
    }
}

/// When a channel receives a summary.
#[derive(Clone, Debug, PartialEq)]
pub enum SummarySchedule {
    /// After each run.
    EveryRun,
    /// After the first run that is due by a schedule. Until then, changes wait.
    Scheduled(Timetable),
}

/// Kind and destination of a channel.
#[derive(Clone, Debug)]
pub enum ChannelKind {
    /// An SNS topic.
    Sns(SnsSettings),
    /// A webhook.
    Webhook(WebhookSettings),
    /// Mail over SMTP.
    Email(EmailSettings),
    /// AWS Security Hub, in the account and region of each deployment.
    SecurityHub,
}

impl ChannelKind {
    /// Whether it stores the state of each alert, so that each message is about one alert: an incident in `PagerDuty` or
    /// a finding in Security Hub.
    #[must_use]
    pub fn tracks_alerts(&self) -> bool {
        match self {
            Self::Webhook(webhook) => webhook.body == WebhookBody::Preset(WebhookPreset::PagerDuty),
            Self::SecurityHub => true,
            Self::Sns(_) | Self::Email(_) => false,
        }
    }

    /// Whether it takes messages about the runs of basewatch, which concern no account.
    #[must_use]
    pub fn can_report_runs(&self) -> bool {
        !matches!(self, Self::SecurityHub)
    }

    /// What receives the messages, in the words of their last line: `this topic`.
    #[must_use]
    pub fn recipient(&self) -> &'static str {
        match self {
            Self::Sns(_) => "this topic",
            Self::Webhook(_) => "this webhook",
            Self::Email(_) => "this address",
            Self::SecurityHub => "this account",
        }
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSource> {
        let (url, secret) = match self {
            Self::Webhook(webhook) => (Some(&webhook.url), webhook.secret.as_ref()),
            Self::Email(email) => (None, email.login.as_ref().map(|login| &login.password)),
            Self::Sns(_) | Self::SecurityHub => (None, None),
        };
        url.into_iter().chain(secret)
    }
}

/// An SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnsSettings {
    /// The topic. One that ends in `.fifo` is a FIFO topic.
    pub topic_arn: Arn,
    /// The format for subscribers whose protocol is not in `formats`.
    pub format: MessageFormat,
    /// Formats by the subscriber's protocol (`email`, `https`, `sqs`, …), for `MessageStructure=json`.
    pub formats: BTreeMap<String, MessageFormat>,
}

impl SnsSettings {
    /// Whether it is a FIFO topic: its name ends in `.fifo`, in lower case
    /// (<https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>).
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.topic_arn.strip_suffix(".fifo").is_some()
    }
}

/// A webhook.
#[derive(Clone)]
pub struct WebhookSettings {
    /// The destination. A secret, because many webhooks are authenticated by their URL alone.
    pub url: SecretSource,
    /// The format of messages.
    pub body: WebhookBody,
    /// The secret that signs messages; for `PagerDuty`, the integration key.
    pub secret: Option<SecretSource>,
    /// How messages are signed.
    pub signature: crate::webhook::SignatureScheme,
    /// Further headers, by name.
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values may be tokens.
        let headers: Vec<_> = self.headers.keys().collect();
        let mut shown = f.debug_struct("WebhookSettings");
        shown.field("secret", &self.secret).field("signature", &self.signature).field("headers", &headers);
        shown.finish_non_exhaustive()
    }
}

/// Body format of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookBody {
    /// One of the formats.
    Format(MessageFormat),
    /// A template over the message. Every value is rendered as JSON.
    Template(String),
    /// What a service expects.
    Preset(WebhookPreset),
}

/// A service with a format of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookPreset {
    /// An incoming webhook of Slack.
    Slack,
    /// A workflow of Microsoft Teams that starts when a webhook request is received.
    Teams,
    /// A webhook of a Discord channel.
    Discord,
    /// The Events API v2 of `PagerDuty`.
    PagerDuty,
}

/// Mail over SMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailSettings {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: SmtpEncryption,
    /// The login, if the server requires one.
    pub login: Option<SmtpLogin>,
    /// The sender, with or without a display name.
    pub from: Mailbox,
    /// The recipients.
    pub to: Vec<Mailbox>,
}

/// A login at a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpLogin {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: SecretSource,
}

/// Encryption of a connection to a mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// Required after the greeting (RFC 3207).
    #[default]
    StartTls,
    /// From the first byte (RFC 8314).
    Tls,
    /// None; for a mail server on the same machine only.
    None,
}

/// Format of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageFormat {
    /// Plain text, for people.
    #[default]
    Text,
    /// For machines: `basewatch.alert/v1`.
    Json,
    /// For chat: the custom notification of Amazon Q Developer in chat applications.
    Chatbot,
}
