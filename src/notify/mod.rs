//! Stage 6: who has to be told? Alerts that are due, as messages; and the receivers they are delivered to.
//!
//! What is due is worked out by pure code from findings, ledger and settings. Knows nothing of how findings
//! came about.

mod aspect;
mod body;
mod cause;
mod chatbot;
mod deliver;
mod item;
mod journal;
mod json;
mod keeper;
mod ledger;
mod message;
mod phrases;
pub mod select;
mod settings;
mod shed;
mod sns;
mod subject;
mod text;
pub mod watch;
mod webhook;

use std::{fmt, time::Duration};

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use deliver::{Delivered, Delivery, deliver};
pub use journal::Answer;
pub use keeper::{Keeper, read};
pub use ledger::{Alert, Due, Event, LastRun, Ledger, ReceiverState, State, Subject, Told};
pub use message::{EventKind, Item, Message, MessageKind, SCHEMA};
pub use settings::{Channel, MessageFormat, QuietHours, Receiver, Settings, SnsSettings, WebhookBody, WebhookSettings};
pub use sns::SnsNotifier;
pub use subject::{AlertKey, AlertSubject};
pub use watch::WatchSettings;
pub use webhook::WebhookNotifier;

/// What a receiver said to a message it accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The id it gave the message, if it gave one.
    pub message_id: Option<String>,
}

/// Why a message was not delivered. It stays due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// What was tried and what was said to it, for people; no secret.
    pub why: String,
    /// Not to be tried again before that has passed.
    pub retry_after: Option<Duration>,
    /// Whether it was about this message alone, so that the next one is still worth a try.
    pub is_about_message: bool,
}

/// How a message will look to its receiver, for dry runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// To whom, for people.
    pub to: String,
    /// The subject, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The body, as it will be sent.
    pub body: String,
}

/// A receiver of messages: `SnsNotifier` or `WebhookNotifier`.
pub trait Notifier: fmt::Debug + Send + Sync {
    /// The id in the ledger.
    fn receiver(&self) -> &str;

    /// How many messages are best delivered together.
    fn batch(&self) -> usize {
        1
    }

    /// Delivers `messages`, in order, and says of each what came of it. Only what was acknowledged is a receipt.
    /// May stop at the first failure that is not about one message, and repeat it for those after it.
    fn deliver<'a>(&'a self, messages: &'a [&'a Message]) -> BoxFuture<'a, Vec<Result<Receipt, Undelivered>>>;

    /// What `message` will look like. Sends nothing.
    fn preview(&self, message: &Message) -> Preview;
}
