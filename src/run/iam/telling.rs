//! Which permissions does it take to remember and to tell? Writes, and so only to what the configuration names; and
//! to read that, where it is in a bucket itself.

use std::collections::BTreeSet;

use super::policy::{Statement, partition, statement};
use crate::{
    config::Settings,
    registry::EcrHost,
    release_catalog::{CatalogSource, SIGNATURE_SUFFIX},
    store::Place,
};

/// What basewatch itself needs for the store, the topics and the secrets of `settings`, and to read them.
pub(super) fn statements(settings: &Settings) -> [Option<Statement>; 8] {
    [
        configuration(settings),
        releases_object(settings),
        releases_login(settings),
        releases_artifact(settings),
        store_listed(settings),
        store(settings),
        topics(settings),
        secrets(settings),
    ]
}

/// To load a release catalog from a bucket, with the signature beside it.
fn releases_object(settings: &Settings) -> Option<Statement> {
    let Some(CatalogSource::S3(object)) = &settings.releases.source else { return None };
    let arn = format!("arn:{}:s3:::{}/{}", partition(settings), object.bucket(), object.key());
    let signature = format!("{arn}{SIGNATURE_SUFFIX}");
    Some(statement("ReadTheReleaseCatalog", &["s3:GetObject"], vec![arn, signature]))
}

/// The repository of ECR in which a release catalog is published, and its host.
fn releases_repository(settings: &Settings) -> Option<(EcrHost<'_>, &str)> {
    let Some(CatalogSource::Oci(reference)) = &settings.releases.source else { return None };
    Some((EcrHost::parse(&reference.repository.registry)?, &reference.repository.name))
}

/// The login to its registry, which takes no resource.
fn releases_login(settings: &Settings) -> Option<Statement> {
    releases_repository(settings)?;
    Some(statement("LogInToTheReleaseCatalog", &["ecr:GetAuthorizationToken"], vec!["*".to_owned()]))
}

fn releases_artifact(settings: &Settings) -> Option<Statement> {
    let (host, name) = releases_repository(settings)?;
    let partition = partition(settings);
    let arn = format!("arn:{partition}:ecr:{}:{}:repository/{name}", host.region, host.account);
    let actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    Some(statement("PullTheReleaseCatalog", &actions, vec![arn]))
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
    settings.topic_arns().map(ToString::to_string).collect()
}

fn secret_arns(settings: &Settings) -> BTreeSet<String> {
    settings.secret_arns().map(|arn| whole(arn)).collect()
}

/// The ARN of a secret as IAM knows it: with the six characters that Secrets Manager puts behind the name
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html>).
fn whole(arn: &str) -> String {
    let suffix = arn.rsplit_once('-').map_or("", |(_, suffix)| suffix);
    let has_suffix = suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if has_suffix { arn.to_owned() } else { format!("{arn}-??????") }
}
