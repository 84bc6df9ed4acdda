//! The examples in `docs/webhooks.md` work.

use std::{collections::BTreeSet, fs, sync::Arc};

use basewatch::{
    aws::Aws,
    config::{CliOverrides, EnvironmentVariables, Settings, load},
    http::RequestCounter,
    notify::{ChannelKind, Message, Notifier as _, WebhookNotifier},
};
use serde_json::Value;

use crate::webhooks::calls::{quick, webhooks};
use testbed::messages;

const PAGE: &str = include_str!("../../../docs/webhooks.md");

/// The code blocks of `language` in the page.
fn blocks(language: &str) -> Vec<&'static str> {
    let fences = PAGE.split("\n```").skip(1).step_by(2);
    fences.filter_map(|fenced| fenced.strip_prefix(language)?.strip_prefix('\n')).collect()
}

fn settings(block: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("basewatch.toml"), block).unwrap();
    let secrets =
        [("HOOK_SECRET", "hush"), ("PAGERDUTY_KEY", "hush"), ("HOOK_URL", "https://hooks.example.com/s3cret")];
    let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned()));
    // A file that no setting names would be a mistake.
    let environment: EnvironmentVariables = secrets.into_iter().filter(|(name, _)| block.contains(name)).collect();
    let loaded = load(&CliOverrides::default(), &environment, folder.path());
    loaded.unwrap_or_else(|problems| panic!("{block}\n{problems}")).settings
}

/// The body of `message` that the webhook `name` of the page receives.
fn sent(name: &str, message: &Message) -> Value {
    let block = blocks("toml").into_iter().find(|block| block.contains(&format!("name = \"{name}\""))).unwrap();
    let channel = settings(block).notify.channels.remove(0);
    let ChannelKind::Webhook(webhook) = channel.kind else { panic!("{name} is a webhook") };
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    let body = WebhookNotifier::new(channel.id, webhook, Arc::new(webhooks(quick())), aws).preview(message).body;
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{name}: {error} in {body}"))
}

#[test]
fn every_webhook_of_the_page_is_a_configuration() {
    let shown = blocks("toml").into_iter().filter(|block| block.contains("[[notify.webhook]]"));
    let names: BTreeSet<_> =
        shown.flat_map(|block| settings(block).notify.channels).map(|channel| channel.id).collect();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["chat of payments", "hooks.example.com", "pagerduty", "tickets"]
    );
}

#[test]
fn the_template_of_the_page_renders_every_message() {
    for (sample, message) in messages::all() {
        let ticket = sent("tickets", &message);
        assert_eq!(ticket["title"], message.fields()["subject"], "{sample}");
        assert!(ticket["body"].as_str().unwrap().chars().count() <= 2900, "{sample}");
        assert_eq!(ticket["resources"].as_array().unwrap().len(), message.items.len().min(20), "{sample}");
    }
}
