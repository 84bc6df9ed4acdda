//! Secrets: values that never show, and the places they are kept in.
//!
//! Knows no place itself: whoever may talk to one fetches what it holds.

use std::fmt;

/// A secret value: it never shows in debug output, logs or errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It was in the environment or in a file, and is here.
    Here(Secret),
    /// In AWS Secrets Manager, under this ARN; fetched when it is first needed.
    SecretsManager(String),
}
