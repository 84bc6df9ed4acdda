//! A desk that runs day after day over a store in memory: findings in, messages to mailboxes out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use basewatch::{
    notify::{
        self, Channel, Delivered, Keeper, Ledger, MessageFormat, Notifier, Receiver, Settings, SnsSettings,
        select::{self, News, Planned},
    },
    report::{Report, Summary},
    store::{self, Store as _},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{mailbox::Mailbox, memory_store::MemoryStore};

/// The desk.
pub(crate) struct Desk {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) now: DateTime<Utc>,
    notifiers: BTreeMap<String, Arc<dyn Notifier>>,
    findings: BTreeMap<String, Value>,
}

impl Desk {
    /// One without receivers, on a Monday morning.
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings::default(),
            store: MemoryStore::new(),
            now: "2026-11-02T09:00:00Z".parse().unwrap(),
            notifiers: BTreeMap::new(),
            findings: BTreeMap::new(),
        }
    }

    /// Adds a receiver that is told everything.
    pub(crate) fn add(&mut self, mailbox: &Arc<Mailbox>) -> &mut Self {
        let id = mailbox.receiver().to_owned();
        let topic = SnsSettings {
            topic_arn: "arn:aws:sns:eu-west-1:123456789012:basewatch".parse().unwrap(),
            format: MessageFormat::Text,
            formats: BTreeMap::new(),
        };
        self.settings.receivers.push(Receiver {
            id: id.clone(),
            owners: Vec::new(),
            threshold: None,
            resolved: true,
            channel: Channel::Sns(topic),
        });
        self.notifiers.insert(id, Arc::clone(mailbox) as Arc<dyn Notifier>);
        self
    }

    /// Takes a receiver out of the configuration.
    pub(crate) fn remove(&mut self, id: &str) {
        self.settings.receivers.retain(|receiver| receiver.id != id);
        self.notifiers.remove(id);
    }

    /// A function of `owner` is so bad from now on: `none`, `medium`, `high`, `critical`.
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

    /// Lets so many hours pass.
    pub(crate) fn after(&mut self, hours: i64) -> &mut Self {
        self.now += TimeDelta::hours(hours);
        self
    }

    fn report(&self) -> Report {
        serde_json::from_value(json!({
            "schema": "basewatch.report/v1", "run_id": self.now.timestamp().to_string(), "generated_at": self.now,
            "complete": true, "policy": { "max_age_days": 45, "grace_days": 14 }, "summary": Summary::of(&[]),
            "findings": self.findings.values().collect::<Vec<_>>(), "errors": [], "requests": {},
        }))
        .unwrap()
    }

    /// Runs now.
    pub(crate) async fn try_run(&self) -> store::Result<(Planned, Delivered)> {
        let turn = self.store.turn("a run", Duration::ZERO).await?;
        let keeper = Keeper::open(Arc::clone(&self.store) as _, turn).await?;
        let done = self.tell(&keeper).await;
        keeper.close().await;
        done
    }

    async fn tell(&self, keeper: &Keeper) -> store::Result<(Planned, Delivered)> {
        let report = self.report();
        let news = News { report: &report, place: None };
        let planned = keeper.change(|ledger| select::plan(ledger, news, &self.settings)).await?;
        Ok((planned, notify::deliver(keeper, &self.notifiers, &self.settings, self.now).await?))
    }

    /// Runs now, over a store that works.
    pub(crate) async fn run(&self) -> Delivered {
        self.try_run().await.unwrap().1
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        notify::read(&*self.store).await.unwrap()
    }
}

/// What arrived at `mailbox` since it was last asked: `orders triggered`, the findings of a message by their names.
pub(crate) fn told(mailbox: &Mailbox) -> Vec<String> {
    let words = |message: notify::Message| {
        let items = message.items.iter().map(|item| format!("{} {}", item.name, item.event.as_str()));
        items.collect::<Vec<_>>().join(", ")
    };
    mailbox.take().into_iter().map(words).collect()
}
