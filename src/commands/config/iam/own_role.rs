//! The permissions of basewatch's own role: configuration, release catalog, store, topics and secrets.

use std::collections::BTreeSet;

use super::statement::{IamStatement, partition, statement};
use crate::{
    config::Settings,
    registry::EcrHost,
    release_catalog::{CatalogSource, SIGNATURE_SUFFIX},
    store::StoreLocation,
};

/// The statements of basewatch's own role for `settings`.
pub(super) fn statements(settings: &Settings) -> [Option<IamStatement>; 8] {
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

/// Reads a release catalog and its signature from S3.
fn releases_object(settings: &Settings) -> Option<IamStatement> {
    let Some(CatalogSource::S3(object)) = &settings.releases.source else { return None };
    let arn = format!("arn:{}:s3:::{}/{}", partition(settings), object.bucket(), object.key());
    let signature = format!("{arn}{SIGNATURE_SUFFIX}");
    Some(statement("ReleaseCatalogRead", &["s3:GetObject"], vec![arn, signature]))
}

/// The ECR host and repository of the release catalog.
fn releases_repository(settings: &Settings) -> Option<(EcrHost<'_>, &str)> {
    let Some(CatalogSource::Oci(reference)) = &settings.releases.source else { return None };
    Some((EcrHost::parse(&reference.repository.registry)?, &reference.repository.name))
}

/// The token for the registry of the release catalog, an action without resource-level permissions.
fn releases_login(settings: &Settings) -> Option<IamStatement> {
    releases_repository(settings)?;
    Some(statement("ReleaseCatalogToken", &["ecr:GetAuthorizationToken"], vec!["*".to_owned()]))
}

fn releases_artifact(settings: &Settings) -> Option<IamStatement> {
    let (host, name) = releases_repository(settings)?;
    let partition = partition(settings);
    let arn = format!("arn:{partition}:ecr:{}:{}:repository/{name}", host.region, host.account);
    let actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    Some(statement("ReleaseCatalogPull", &actions, vec![arn]))
}

fn configuration(settings: &Settings) -> Option<IamStatement> {
    let object = settings.config_object.as_ref()?;
    let arn = format!("arn:{}:s3:::{}/{}", partition(settings), object.bucket(), object.key());
    Some(statement("ConfigurationRead", &["s3:GetObject"], vec![arn]))
}

/// The bucket ARN and key prefix of a store in S3.
fn bucket(settings: &Settings) -> Option<(String, String)> {
    let Some(StoreLocation::S3 { bucket, prefix }) = &settings.store else { return None };
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Some((format!("arn:{}:s3:::{bucket}", partition(settings)), prefix))
}

fn store_listed(settings: &Settings) -> Option<IamStatement> {
    // Without a condition on the prefix; see `docs/store.md`.
    let (bucket, _) = bucket(settings)?;
    Some(statement("StoreList", &["s3:ListBucket"], vec![bucket]))
}

fn store(settings: &Settings) -> Option<IamStatement> {
    let (bucket, prefix) = bucket(settings)?;
    let actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
    Some(statement("StoreReadWrite", &actions, vec![format!("{bucket}/{prefix}*")]))
}

fn topics(settings: &Settings) -> Option<IamStatement> {
    let arns = topic_arns(settings);
    (!arns.is_empty()).then(|| statement("TopicsPublish", &["sns:Publish"], arns.into_iter().collect()))
}

fn secrets(settings: &Settings) -> Option<IamStatement> {
    let arns = secret_arns(settings);
    let actions = ["secretsmanager:GetSecretValue"];
    (!arns.is_empty()).then(|| statement("SecretsRead", &actions, arns.into_iter().collect()))
}

fn topic_arns(settings: &Settings) -> BTreeSet<String> {
    settings.topic_arns().map(ToString::to_string).collect()
}

fn secret_arns(settings: &Settings) -> BTreeSet<String> {
    settings.secret_arns().map(|arn| whole(arn)).collect()
}

/// The full ARN of a secret, with the six characters that Secrets Manager appends to its name
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html>).
fn whole(arn: &str) -> String {
    let suffix = arn.rsplit_once('-').map_or("", |(_, suffix)| suffix);
    let has_suffix = suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if has_suffix { arn.to_owned() } else { format!("{arn}-??????") }
}
