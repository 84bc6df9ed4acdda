//! Stage 6: notifications. Selects due alerts, turns them into messages and delivers them to channels.
//!
//! [`select`] does no I/O: findings, ledger and settings in, messages out. Does not depend on how findings are made.

mod aspect;
mod body;
mod by_channel;
mod cause;
mod chatbot;
mod deliver;
mod item;
mod journal;
mod json;
mod ledger;
mod ledger_session;
mod message;
mod phrases;
pub mod select;
pub mod self_monitor;
mod settings;
mod sns;
mod subject;
mod text;
mod webhook;

use std::{fmt, time::Duration};

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use by_channel::ByChannel;
pub use deliver::{DeliveryAttempt, DeliverySummary, deliver};
pub use journal::DeliveryRecord;
pub use ledger::{
    Alert, AlertEvent, AlertState, ChannelState, DeliveryHistory, FindingSnapshot, Ledger, OutboxEntry, RecordedRun,
};
pub use ledger_session::{LedgerSession, read};
pub use message::{AlertItem, EventKind, Message, MessageKind, SCHEMA};
pub use self_monitor::SelfMonitorSettings;
pub use settings::{
    ChannelKind, MessageFormat, NotificationChannel, NotifySettings, QuietHours, SnsSettings, WebhookBody,
    WebhookSettings,
};
pub use sns::SnsNotifier;
pub use subject::{AlertKey, AlertSubject};
pub use webhook::WebhookNotifier;

/// Acknowledgement of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryReceipt {
    /// The id that the channel gave the message, if any.
    pub message_id: Option<String>,
}

/// Why a message was not delivered. It stays in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    /// The attempt and the response, for people. Contains no secret.
    pub why: String,
    /// Minimum wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// Whether it concerns this message alone, so that the next one may succeed.
    pub is_about_message: bool,
}

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

/// A client of one notification channel: `SnsNotifier` or `WebhookNotifier`.
pub trait Notifier: fmt::Debug + Send + Sync {
    /// The id of the channel in the ledger.
    fn channel(&self) -> &str;

    /// Preferred number of messages per delivery.
    fn batch(&self) -> usize {
        1
    }

    /// Delivers `messages` in order and returns the outcome of each; only an acknowledged message has a receipt. May stop
    /// at the first failure that is not about one message, and return it for the remaining messages.
    fn deliver<'a>(&'a self, messages: &'a [&'a Message])
    -> BoxFuture<'a, Vec<Result<DeliveryReceipt, DeliveryError>>>;

    /// `message` as it would be sent. Sends nothing.
    fn preview(&self, message: &Message) -> MessagePreview;
}
