//! Which permissions does it take to remember and to tell? Writes, and so only to what the configuration names; and
//! to read that, where it is in a bucket itself.

use std::collections::BTreeSet;

use super::policy::{Statement, statement};
use crate::{config::Settings, notify::Channel, secret::SecretSource, store::Place};

/// What basewatch itself needs for the store, the topics and the secrets of `settings`, and to read them.
pub(super) fn statements(settings: &Settings) -> [Option<Statement>; 5] {
    [configuration(settings), store_listed(settings), store(settings), topics(settings), secrets(settings)]
}

fn configuration(settings: &Settings) -> Option<Statement> {
    let object = settings.config_object.as_ref()?;
    let arn = format!("arn:{}:s3:::{}/{}", partition(settings), object.bucket(), object.key());
    Some(statement("ReadTheConfiguration", &["s3:GetObject"], vec![arn]))
}

/// The bucket of the store, and what its objects begin with; nothing if the store is none.
fn bucket(settings: &Settings) -> Option<(String, String)> {
    let Some(Place::S3 { bucket, prefix }) = &settings.store else { return None };
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Some((format!("arn:{}:s3:::{bucket}", partition(settings)), prefix))
}

/// That of the first topic or secret; a bucket's name does not say it.
fn partition(settings: &Settings) -> String {
    let of = |arn: &String| arn.split(':').nth(1).map(str::to_owned);
    let named = topic_arns(settings).first().and_then(of).or_else(|| secret_arns(settings).first().and_then(of));
    named.unwrap_or_else(|| "aws".to_owned())
}

fn store_listed(settings: &Settings) -> Option<Statement> {
    // Without a condition on the prefix: `docs/store.md` says why.
    let (bucket, _) = bucket(settings)?;
    Some(statement("ListTheStore", &["s3:ListBucket"], vec![bucket]))
}

fn store(settings: &Settings) -> Option<Statement> {
    let (bucket, prefix) = bucket(settings)?;
    let actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
    Some(statement("KeepTheStore", &actions, vec![format!("{bucket}/{prefix}*")]))
}

fn topics(settings: &Settings) -> Option<Statement> {
    let arns = topic_arns(settings);
    (!arns.is_empty()).then(|| statement("PublishToTheTopics", &["sns:Publish"], arns.into_iter().collect()))
}

fn secrets(settings: &Settings) -> Option<Statement> {
    let arns = secret_arns(settings);
    let actions = ["secretsmanager:GetSecretValue"];
    (!arns.is_empty()).then(|| statement("ReadTheSecrets", &actions, arns.into_iter().collect()))
}

fn topic_arns(settings: &Settings) -> BTreeSet<String> {
    let topic = |channel: &Channel| match channel {
        Channel::Sns(topic) => Some(topic.topic_arn.clone()),
        Channel::Webhook(_) => None,
    };
    settings.notify.receivers.iter().filter_map(|receiver| topic(&receiver.channel)).collect()
}

fn secret_arns(settings: &Settings) -> BTreeSet<String> {
    let webhooks = settings.notify.receivers.iter().filter_map(|receiver| match &receiver.channel {
        Channel::Webhook(webhook) => webhook.secret.as_ref(),
        Channel::Sns(_) => None,
    });
    let rebuilds = settings.rebuild.rules.iter().filter_map(|rule| rule.secret.as_ref());
    let arn = |source: &SecretSource| match source {
        SecretSource::SecretsManager(name) => Some(whole(name.split('#').next().unwrap_or(name))),
        SecretSource::Here(_) => None,
    };
    let watch = settings.watch.heartbeat.iter().chain(&settings.watch.heartbeat_fail);
    let all = webhooks.chain(rebuilds).chain(watch).chain(&settings.serve.token);
    all.filter_map(arn).collect()
}

/// The ARN of a secret as IAM knows it: with the six characters that Secrets Manager puts behind the name
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html>).
fn whole(arn: &str) -> String {
    let suffix = arn.rsplit_once('-').map_or("", |(_, suffix)| suffix);
    let has_suffix = suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if has_suffix { arn.to_owned() } else { format!("{arn}-??????") }
}
