//! A fixture whose store is a folder and whose channels are mailboxes.

use std::{collections::BTreeMap, sync::Arc};

use basewatch::{
    app::{AppClients, AppContext, OutboundClients},
    aws::Aws,
    config::Settings,
    http::RequestCounter,
    notify::{ChannelKind, MessageFormat, NotificationChannel, Notifier, SnsSettings},
    registry::NetworkSettings,
    run,
    store::{Catalog, FolderStore, Store},
};
use tempfile::TempDir;

use crate::mailbox::Mailbox;

/// The settings, the store and the mailboxes.
pub struct Rig {
    pub settings: Settings,
    pub mailboxes: Vec<Arc<Mailbox>>,
    pub folder: TempDir,
    /// Overrides the size limit of the store.
    pub most_bytes: Option<u64>,
}

impl Rig {
    /// One channel subscribed to everything, with default settings.
    pub fn new() -> Self {
        let mut rig = Self {
            settings: Settings::default(),
            mailboxes: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            most_bytes: None,
        };
        rig.add("all", &[]);
        rig
    }

    /// A channel for `owners`.
    pub fn add(&mut self, id: &str, owners: &[&str]) {
        let topic = SnsSettings {
            topic_arn: "arn:aws:sns:eu-west-1:123456789012:basewatch".parse().unwrap(),
            format: MessageFormat::Text,
            formats: BTreeMap::new(),
        };
        self.settings.notify.channels.push(NotificationChannel {
            owners: owners.iter().map(|owner| owner.parse().unwrap()).collect(),
            ..NotificationChannel::new(id.to_owned(), ChannelKind::Sns(topic))
        });
        self.mailboxes.push(Mailbox::new(id));
    }

    /// The context of a run.
    pub fn context(&self) -> AppContext {
        let requests = Arc::new(RequestCounter::default());
        let aws = Arc::new(Aws::new(Arc::clone(&requests)));
        let mut outbound = OutboundClients::open(&Settings::default(), &aws, &requests).unwrap();
        for mailbox in &self.mailboxes {
            let id = mailbox.channel().to_owned();
            outbound.notifiers.insert(id, Arc::clone(mailbox) as Arc<dyn Notifier>);
        }
        let clients = AppClients::over(NetworkSettings::default(), aws, requests, Catalog::in_memory()).unwrap();
        AppContext { clients, store: self.store(), outbound, keeps_catalog: false }
    }

    /// The store.
    pub fn store(&self) -> Arc<dyn Store> {
        let folder = self.folder.path().to_owned();
        Arc::new(match self.most_bytes {
            Some(most_bytes) => FolderStore::limited(folder, most_bytes),
            None => FolderStore::new(folder),
        })
    }

    /// Records `report` and sends notifications.
    pub async fn run(&self, report: &basewatch::report::Report) -> run::RunReport {
        let instants = basewatch::app::RunInstants::at(report.generated_at);
        run::complete(&self.settings, &self.context(), report, instants, run::Deadlines::default()).await.outcome
    }
}
