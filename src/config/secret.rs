//! Secrets by reference: a variable or a file, never the secret itself.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath};
use crate::secret::Secret;

/// Where a secret is: in an environment variable or in a file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "{ env = \"NAME\" } or { file = \"PATH\" }, as secrets are never written here")]
pub(super) struct RawSecret {
    /// The environment variable that holds it.
    #[schemars(example = &"REGISTRY_PASSWORD")]
    env: Option<String>,
    /// The file that holds it; relative to this file. A line break at its end is no part of it.
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
