//! Stage 6: notifications. Selects due alerts, turns them into messages and delivers them to channels.
//!
//! [`select`] does no I/O: findings, ledger and settings in, messages out. Does not depend on how findings are made.

mod aspect;
mod body;
mod by_channel;
mod card;
mod cause;
mod chatbot;
mod details;
mod due_messages;
mod email;
mod fitting;
mod item;
mod json;
mod ledger;
mod ledger_session;
mod lookup;
mod message;
mod page_links;
mod phrases;
pub mod run_health;
mod run_health_texts;
mod security_hub;
pub mod select;
pub mod self_monitor;
mod settings;
mod shown;
mod sns;
mod subject;
mod template_fields;
mod text;
mod webhook;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use by_channel::ByChannel;
pub use details::AlertDetails;
pub use due_messages::{deliver, due};
pub use email::EmailNotifier;
pub use ledger::{
    Alert, AlertEvent, AlertState, DeliveryHistory, FindingSnapshot, Ledger, OutboxEntry, RecordedRun, Snooze,
};
pub use ledger_session::{LedgerSession, read};
pub use lookup::{LookupError, find};
pub use message::{AlertItem, EventKind, Message, MessageKind, SCHEMA, SelfMonitorFields};
pub use security_hub::SecurityHubNotifier;
pub use self_monitor::SelfMonitorSettings;
pub use settings::{
    ChannelKind, EmailSettings, MessageFormat, NotificationChannel, NotifySettings, QuietHours, SmtpEncryption,
    SmtpLogin, SnsSettings, SummarySchedule, WebhookBody, WebhookPreset, WebhookSettings,
};
pub use shown::shown;
pub use sns::SnsNotifier;
pub use subject::{AlertKey, AlertSubject};
pub use webhook::WebhookNotifier;

use crate::outbox::DeliveryTarget;

/// A message as it would be sent, for dry runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessagePreview {
    /// The channel, for people.
    pub to: String,
    /// The subject, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The body, as it will be sent.
    pub body: String,
}

/// A client of one notification channel: an SNS topic, a webhook, mail, or Security Hub.
pub trait Notifier: DeliveryTarget<Message> {
    /// `message` as it would be sent. Sends nothing.
    fn preview(&self, message: &Message) -> MessagePreview;
}

/// Formats text for one medium: prose, or text to be copied, which is code in chat.
type TextFormatter = fn(&str) -> String;
