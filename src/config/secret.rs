//! References to secrets: an environment variable, a file or an ARN.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath, values::webhook_url};
use crate::{
    image::{Arn, ArnParts},
    secret::{Secret, SecretSource},
};

/// A reference to a secret in an environment variable or a file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "{ env = \"NAME\" } or { file = \"PATH\" }, because the file must not contain secrets")]
pub(super) struct RawSecret {
    /// Environment variable.
    #[schemars(example = &"REGISTRY_PASSWORD")]
    env: Option<String>,
    /// File.
    #[schemars(example = &"./password")]
    file: Option<String>,
}

/// How to write a reference.
pub(super) const HOW: &str = "write { env = \"NAME\" } or { file = \"PATH\" }";

/// Reads the secret that `raw` refers to.
pub(super) fn secret(raw: &RawSecret, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<Secret> {
    match (&raw.env, &raw.file) {
        (Some(name), None) => check.secret_in_variable(&at.key("env"), name),
        (None, Some(file)) => check.secret_in_file(&at.key("file"), file),
        _ => check.accept(at, Err(format!("needs exactly one source: {HOW}"))),
    }
}

/// A reference to a secret in an environment variable, a file or AWS Secrets Manager.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "{ env = \"NAME\" }, { file = \"PATH\" } or { secretsmanager = \"ARN\" }, because the file must not contain secrets"
)]
pub(super) struct RawSecretSource {
    /// Environment variable.
    #[schemars(example = &"HOOK_SECRET")]
    env: Option<String>,
    /// File.
    #[schemars(example = &"./hook-secret")]
    file: Option<String>,
    /// ARN of the secret in AWS Secrets Manager; append `#KEY` for one key of a JSON secret.
    #[schemars(example = &"arn:aws:secretsmanager:eu-west-1:123456789012:secret:basewatch-AbCdEf")]
    secretsmanager: Option<String>,
}

/// The source that `raw` refers to. Secrets in variables and files are read now.
pub(super) fn source(raw: &RawSecretSource, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<SecretSource> {
    match (&raw.env, &raw.file, &raw.secretsmanager) {
        (Some(name), None, None) => check.secret_in_variable(&at.key("env"), name).map(SecretSource::Here),
        (None, Some(file), None) => check.secret_in_file(&at.key("file"), file).map(SecretSource::Here),
        (None, None, Some(arn)) => check.accept(&at.key("secretsmanager"), secrets_manager(arn)),
        _ => check.accept(at, Err(format!("needs exactly one source: {HOW} or {{ secretsmanager = \"ARN\" }}"))),
    }
}

/// A URL, or a reference to a secret that holds it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "a URL, { env = \"NAME\" }, { file = \"PATH\" } or { secretsmanager = \"ARN\" }")]
pub(super) enum RawUrl {
    /// The URL itself.
    Text(String),
    /// Where it is.
    Secret(RawSecretSource),
}

/// The URL of a webhook.
pub(super) struct SecretUrl {
    /// The host, with the port if the URL has one; `None` if the URL is read later.
    pub(super) host: Option<String>,
    /// Where the URL is.
    pub(super) url: SecretSource,
}

/// The URL of a webhook that `raw` holds or refers to. A URL in a variable or file is validated now.
pub(super) fn url(raw: &RawUrl, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<SecretUrl> {
    let source = match raw {
        RawUrl::Text(text) => SecretSource::Here(Secret::new(text.clone())),
        RawUrl::Secret(raw) => source(raw, at, check)?,
    };
    let host = match &source {
        SecretSource::Here(secret) => Some(check.accept(at, webhook_url(secret.reveal()))?.0),
        SecretSource::SecretsManager { .. } => None,
    };
    Some(SecretUrl { host, url: source })
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
            "{text:?} is not a secret ARN: write it as in \"arn:aws:secretsmanager:eu-west-1:123456789012:secret:NAME\""
        )),
    }
}
