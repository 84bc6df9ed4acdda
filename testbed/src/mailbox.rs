//! An in-memory notification channel: stores acknowledged messages, and fails on demand.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use basewatch::{
    notify::{Message, MessagePreview, Notifier},
    outbox::{DeliveryError, DeliveryOutcome, DeliveryReceipt, DeliveryTarget},
};
use futures::future::{BoxFuture, FutureExt as _, ready};

/// The receiver.
#[derive(Debug, Default)]
pub struct Mailbox {
    id: String,
    batch: usize,
    messages: Mutex<Vec<Message>>,
    refusal: Mutex<Option<DeliveryError>>,
    refusals: Mutex<BTreeMap<String, DeliveryError>>,
    tried: Mutex<Vec<String>>,
    taking: Taking,
}

type Take = Box<dyn Fn(&Message) + Send>;

/// What happens whenever a message is taken.
#[derive(Default)]
struct Taking(Mutex<Option<Take>>);

impl fmt::Debug for Taking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Taking")
    }
}

impl Mailbox {
    /// One that the ledger calls `id`.
    pub fn new(id: &str) -> Arc<Self> {
        Arc::new(Self { id: id.to_owned(), batch: 1, ..Self::default() })
    }

    /// One that gets up to so many messages at once.
    pub fn in_batches(id: &str, batch: usize) -> Arc<Self> {
        Arc::new(Self { id: id.to_owned(), batch, ..Self::default() })
    }

    /// Its id in the ledger.
    pub fn channel(&self) -> &str {
        &self.id
    }

    /// Refuses what is about `owner` from now on, or takes that too.
    pub fn refuse_of(&self, owner: &str, refusal: Option<DeliveryError>) {
        let mut refusals = self.refusals.lock().unwrap();
        refusals.remove(owner);
        refusals.extend(refusal.map(|refusal| (owner.to_owned(), refusal)));
    }

    /// Calls `taking` with every message that is taken from now on.
    pub fn when_it_takes(&self, taking: impl Fn(&Message) + Send + 'static) {
        *self.taking.0.lock().unwrap() = Some(Box::new(taking));
    }

    /// Refuses everything from now on, or nothing.
    pub fn refuse(&self, refusal: Option<DeliveryError>) {
        *self.refusal.lock().unwrap() = refusal;
    }

    /// What was acknowledged since it was last asked.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.messages.lock().unwrap())
    }

    /// The keys of all that was tried.
    pub fn tried(&self) -> Vec<String> {
        self.tried.lock().unwrap().clone()
    }

    fn one(&self, message: &Message) -> DeliveryOutcome {
        self.tried.lock().unwrap().push(message.dedup_key.clone());
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let owner = message.owner.as_deref().unwrap_or_default();
        if let Some(refusal) = self.refusals.lock().unwrap().get(owner).cloned() {
            return Err(refusal);
        }
        if let Some(taking) = &*self.taking.0.lock().unwrap() {
            taking(message);
        }
        self.messages.lock().unwrap().push(message.clone());
        Ok(DeliveryReceipt { message_id: Some(format!("m-{}", &message.dedup_key[..8])) })
    }
}

/// A receiver that is down.
pub fn down() -> DeliveryError {
    DeliveryError::for_target("hooks.example.com answered 503".to_owned())
}

impl DeliveryTarget<Message> for Mailbox {
    fn batch(&self) -> usize {
        self.batch
    }

    fn deliver<'a>(&'a self, messages: &'a [&'a Message]) -> BoxFuture<'a, Vec<DeliveryOutcome>> {
        ready(messages.iter().map(|message| self.one(message)).collect()).boxed()
    }
}

impl Notifier for Mailbox {
    fn preview(&self, message: &Message) -> MessagePreview {
        MessagePreview { to: self.id.clone(), subject: None, body: format!("{} findings", message.count()) }
    }
}
