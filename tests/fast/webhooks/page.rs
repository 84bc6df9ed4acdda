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
    let hook_secret = ("HOOK_SECRET".to_owned(), "hush".to_owned());
    // A file that no setting names would be a mistake.
    let environment: EnvironmentVariables =
        Some(hook_secret).filter(|(name, _)| block.contains(name)).into_iter().collect();
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
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["discord", "hooks.example.com", "slack", "teams"]);
}

#[test]
fn every_chat_of_the_page_takes_every_message_within_its_limits() {
    for (sample, message) in messages::all() {
        let subject = &message.fields()["subject"];
        let slack = sent("slack", &message);
        let section = slack["blocks"][0]["text"]["text"].as_str().unwrap();
        assert!((1..=3000).contains(&section.chars().count()), "{sample}");
        assert!(!slack["text"].as_str().unwrap().contains('<'), "{sample}: no mention");

        let teams = sent("teams", &message);
        let card = &teams["attachments"][0]["content"];
        assert_eq!((&card["type"], &card["body"][0]["text"]), (&"AdaptiveCard".into(), subject), "{sample}");
        assert!(teams.to_string().len() <= 28 * 1024, "{sample}: {} bytes", teams.to_string().len());

        let discord = sent("discord", &message);
        let content = discord["content"].as_str().unwrap();
        assert!(content.chars().count() <= 2000, "{sample}");
        assert_eq!(content.matches('`').count(), 6, "{sample}: nothing ends the block but its end");
        assert_eq!(discord["allowed_mentions"]["parse"], Value::Array(Vec::new()));
    }
}
