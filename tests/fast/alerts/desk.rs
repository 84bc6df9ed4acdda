//! A fixture of daily runs over an in-memory store: findings in, messages to mailboxes out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use basewatch::{
    notify::{
        self, ChannelKind, Ledger, LedgerSession, Message, MessageFormat, NotificationChannel, Notifier,
        NotifySettings, SnsSettings,
        select::{self, AlertPlan, NotificationContext},
    },
    outbox::DeliverySummary,
    report::{Report, Summary},
    store::{self, Store as _},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use testbed::{mailbox::Mailbox, memory_store::MemoryStore};

/// The state of the fixture.
pub(crate) struct Desk {
    pub(crate) settings: NotifySettings,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) now: DateTime<Utc>,
    notifiers: BTreeMap<String, Arc<dyn Notifier>>,
    findings: BTreeMap<String, Value>,
}

impl Desk {
    /// Without channels, on a Monday morning.
    pub(crate) fn new() -> Self {
        Self {
            settings: NotifySettings::default(),
            store: MemoryStore::new(),
            now: "2026-11-02T09:00:00Z".parse().unwrap(),
            notifiers: BTreeMap::new(),
            findings: BTreeMap::new(),
        }
    }

    /// Adds a channel subscribed to everything.
    pub(crate) fn add(&mut self, mailbox: &Arc<Mailbox>) -> &mut Self {
        let id = mailbox.channel().to_owned();
        let topic = SnsSettings {
            topic_arn: "arn:aws:sns:eu-west-1:123456789012:basewatch".parse().unwrap(),
            format: MessageFormat::Text,
            formats: BTreeMap::new(),
        };
        self.settings.channels.push(NotificationChannel::new(id.clone(), ChannelKind::Sns(topic)));
        self.notifiers.insert(id, Arc::clone(mailbox) as Arc<dyn Notifier>);
        self
    }

    /// Removes a channel from the configuration.
    pub(crate) fn remove(&mut self, id: &str) {
        self.settings.channels.retain(|channel| channel.id != id);
        self.notifiers.remove(id);
    }

    /// Sets the severity of a function of `owner`: `none`, `medium`, `high`, `critical`.
    pub(crate) fn set(&mut self, name: &str, owner: &str, severity: &str) -> &mut Self {
        let verdict = if severity == "none" { "fresh" } else { "stale" };
        let finding = json!({
            "id": format!("lambda:eu-west-1:123456789012:{name}:$LATEST"),
            "deployment": { "kind": "lambda", "name": name, "owner": owner },
            "image": { "reference": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:1") },
            "verdict": verdict, "stale": severity != "none", "out_of_date": false, "deprecated": false,
            "severity": severity, "action": "rebuild", "reasons": [],
        });
        self.findings.insert(name.to_owned(), finding);
        self
    }

    /// Advances the clock.
    pub(crate) fn after(&mut self, hours: i64) -> &mut Self {
        self.now += TimeDelta::hours(hours);
        self
    }

    fn report(&self) -> Report {
        serde_json::from_value(json!({
            "schema": "basewatch.report/v1", "run_id": self.now.timestamp().to_string(), "generated_at": self.now,
            "complete": true, "policy": { "max_age_days": 45, "grace_days": 14 }, "summary": Summary::new(&[]),
            "findings": self.findings.values().collect::<Vec<_>>(), "errors": [], "requests": {},
        }))
        .unwrap()
    }

    /// Runs now.
    pub(crate) async fn try_run(&self) -> store::Result<(AlertPlan, DeliverySummary<Message>)> {
        let lock = self.store.lock("a run", Duration::ZERO).await?;
        let session = LedgerSession::open(Arc::clone(&self.store) as _, lock).await?;
        let done = self.notify(&session).await;
        session.close().await;
        done
    }

    async fn notify(&self, session: &LedgerSession) -> store::Result<(AlertPlan, DeliverySummary<Message>)> {
        let report = self.report();
        let context = NotificationContext { report: &report, report_location: None };
        let planned = session.change(|ledger| select::plan(ledger, context, &self.settings)).await?;
        Ok((planned, notify::deliver(session, &self.notifiers, &self.settings, self.now).await?))
    }

    /// Runs now, over a working store.
    pub(crate) async fn run(&self) -> DeliverySummary<Message> {
        self.try_run().await.unwrap().1
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        notify::read(&*self.store).await.unwrap()
    }
}

/// The messages that arrived at `mailbox` since the last call, as text: `orders triggered`.
pub(crate) fn received(mailbox: &Mailbox) -> Vec<String> {
    let words = |message: notify::Message| {
        let items = message.items.iter().map(|item| format!("{} {}", item.name, item.event.as_str()));
        items.collect::<Vec<_>>().join(", ")
    };
    mailbox.take().into_iter().map(words).collect()
}
