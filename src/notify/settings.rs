//! Settings of alerts, already validated.

use std::{collections::BTreeMap, fmt, time::Duration};

use chrono::{DateTime, Datelike as _, NaiveTime, Utc, Weekday};

use crate::{glob::Glob, image::Arn, judge::Severity, secret::SecretSource};

/// When who is told what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The least severity that is told.
    pub threshold: Severity,
    /// How long a finding has to last before it is told.
    pub grace: Duration,
    /// How long after it was last told a finding that lasts is told again; never if `None`.
    pub remind_every: Option<Duration>,
    /// When nothing is sent that can wait.
    pub quiet_hours: Option<QuietHours>,
    /// A receiver that is told for the first time gets one summary if more findings than this are open.
    pub backlog: usize,
    /// How many findings one message lists.
    pub max_items: usize,
    /// How many messages one receiver gets in one run; the rest is told in the last of them.
    pub max_messages: usize,
    /// How long a message that no receiver accepts is tried again, before its findings count as never told.
    pub keep_trying: Duration,
    /// Who is told.
    pub receivers: Vec<Receiver>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: Severity::Medium,
            grace: Duration::ZERO,
            remind_every: Some(Duration::from_hours(7 * 24)),
            quiet_hours: None,
            backlog: 20,
            max_items: 20,
            max_messages: 50,
            keep_trying: Duration::from_hours(14 * 24),
            receivers: Vec::new(),
        }
    }
}

/// Hours of the day in which people sleep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin, by the clock on the wall.
    pub from: NaiveTime,
    /// When they end; before `from`, they end on the next day.
    pub to: NaiveTime,
    /// Days that are quiet from midnight to midnight.
    pub days: Vec<Weekday>,
    /// Where the clock hangs.
    pub time_zone: chrono_tz::Tz,
    /// What is told all the same: this severity and worse.
    pub except: Severity,
}

impl QuietHours {
    /// Whether they hold at `now`.
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

/// Who is told, and of what.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// What the ledger calls it; stable as long as messages go to the same place: a topic's ARN, or the name of a
    /// webhook.
    pub id: String,
    /// Whose findings; all, those of nobody too, if empty.
    pub owners: Vec<Glob>,
    /// The least severity, where it is more than the general one.
    pub threshold: Option<Severity>,
    /// What is told of the end of a finding: whether at all.
    pub resolved: bool,
    /// How it is told.
    pub channel: Channel,
}

impl Receiver {
    /// Whether findings of `owner` are told here.
    #[must_use]
    pub fn is_for(&self, owner: Option<&str>) -> bool {
        self.owners.is_empty() || owner.is_some_and(|owner| self.owners.iter().any(|glob| glob.matches(owner)))
    }
}

/// How a receiver is told.
#[derive(Clone, Debug)]
pub enum Channel {
    /// An SNS topic.
    Sns(SnsSettings),
    /// A webhook.
    Webhook(WebhookSettings),
}

/// An SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnsSettings {
    /// The topic. One that ends in `.fifo` is a FIFO topic.
    pub topic_arn: Arn,
    /// The format that every subscriber gets, unless its protocol has one of its own.
    pub format: MessageFormat,
    /// Formats by the subscriber's protocol (`email`, `https`, `sqs`, …), for `MessageStructure=json`.
    pub formats: BTreeMap<String, MessageFormat>,
}

impl SnsSettings {
    /// Whether it is a FIFO topic: the end of its name says so, in small letters
    /// (<https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>).
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.topic_arn.strip_suffix(".fifo").is_some()
    }
}

/// A webhook that is told.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Where messages go.
    pub url: crate::secret::Secret,
    /// What they look like.
    pub body: WebhookBody,
    /// What proves that they are ours.
    pub secret: Option<SecretSource>,
    /// How they are signed with it.
    pub signature: crate::webhook::Signature,
    /// Further headers, by name.
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A header may well hold a token.
        let headers: Vec<_> = self.headers.keys().collect();
        let mut shown = f.debug_struct("WebhookSettings");
        shown.field("secret", &self.secret).field("signature", &self.signature).field("headers", &headers);
        shown.finish_non_exhaustive()
    }
}

/// What a webhook's messages look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookBody {
    /// One of the formats.
    Format(MessageFormat),
    /// A template over the message, in which every value comes out as JSON.
    Template(String),
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: `basewatch.alert/v1`.
    Json,
    /// For chat: the custom notification of Amazon Q Developer in chat applications.
    Chatbot,
}
