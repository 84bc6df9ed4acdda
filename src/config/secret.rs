//! Secrets by reference: a variable, a file or an ARN, never the secret itself.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath};
use crate::{
    image::{Arn, ArnParts},
    secret::{Secret, SecretSource},
};

/// Where a secret is: in an environment variable or in a file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "{ env = \"NAME\" } or { file = \"PATH\" }, as secrets are never written here")]
pub(super) struct RawSecret {
    /// The environment variable that holds it.
    #[schemars(example = &"REGISTRY_PASSWORD")]
    env: Option<String>,
    /// The file that holds it; relative to this file.
    #[schemars(example = &"./password")]
    file: Option<String>,
}

/// How to write one.
pub(super) const HOW: &str = "write { env = \"NAME\" } or { file = \"PATH\" }";

/// The secret that `raw` leads to.
pub(super) fn secret(raw: &RawSecret, at: &KeyPath, check: &mut Check<'_>) -> Option<Secret> {
    match (&raw.env, &raw.file) {
        (Some(name), None) => check.secret_in_variable(&at.key("env"), name),
        (None, Some(file)) => check.secret_in_file(&at.key("file"), file),
        _ => check.accept(at, Err(format!("names not one place but none or two: {HOW}"))),
    }
}

/// Where a secret is: in an environment variable, in a file, or in AWS Secrets Manager.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "{ env = \"NAME\" }, { file = \"PATH\" } or { secretsmanager = \"ARN\" }, as secrets are never written here"
)]
pub(super) struct RawSecretSource {
    /// The environment variable that holds it.
    #[schemars(example = &"HOOK_SECRET")]
    env: Option<String>,
    /// The file that holds it; relative to this file.
    #[schemars(example = &"./hook-secret")]
    file: Option<String>,
    /// The ARN of the secret in AWS Secrets Manager; with `#KEY` behind it, that key of a secret that is JSON.
    #[schemars(example = &"arn:aws:secretsmanager:eu-west-1:123456789012:secret:basewatch-AbCdEf")]
    secretsmanager: Option<String>,
}

/// The place that `raw` leads to, with the secret where it is here.
pub(super) fn source(raw: &RawSecretSource, at: &KeyPath, check: &mut Check<'_>) -> Option<SecretSource> {
    match (&raw.env, &raw.file, &raw.secretsmanager) {
        (Some(name), None, None) => check.secret_in_variable(&at.key("env"), name).map(SecretSource::Here),
        (None, Some(file), None) => check.secret_in_file(&at.key("file"), file).map(SecretSource::Here),
        (None, None, Some(arn)) => check.accept(&at.key("secretsmanager"), secrets_manager(arn)),
        _ => check.accept(
            at,
            Err(format!("names not one place but none or several: {HOW} or {{ secretsmanager = \"ARN\" }}")),
        ),
    }
}

/// `ARN` or `ARN#KEY`.
fn secrets_manager(text: &str) -> Result<SecretSource, String> {
    let (arn, key) = text.split_once('#').map_or((text, None), |(arn, key)| (arn, Some(key.to_owned())));
    let is_secret = |arn: &Arn| {
        let ArnParts { service, region, account, resource, .. } = arn.parts();
        let name = resource.strip_prefix("secret:").unwrap_or_default();
        service == "secretsmanager" && !region.is_empty() && !account.is_empty() && !name.is_empty()
    };
    match arn.parse::<Arn>() {
        Ok(arn) if is_secret(&arn) => Ok(SecretSource::SecretsManager { arn, key }),
        _ => Err(format!(
            "{text:?} is no ARN of a secret: write it as in \"arn:aws:secretsmanager:eu-west-1:123456789012:secret:NAME\""
        )),
    }
}
