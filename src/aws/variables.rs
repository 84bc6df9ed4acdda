//! Validation of AWS's own environment variables: values that cannot be sent.

use std::env;

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};

use crate::{image::is_region, secret::character_name};

/// The variables that become part of requests: headers, host names, parameters.
const SENT: [&str; 14] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL",
    "AWS_SDK_UA_APP_ID",
];

/// The parts of an access key.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The problems of AWS's variables in `get`, each with its name. Nothing is trimmed: the AWS CLI and every SDK use
/// these values unchanged.
pub fn unusable_variables(get: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let wrong = |name: &'static str| {
        let value = get(name).filter(|value| !is_unset(name, value))?;
        let what = if name.ends_with("TOKEN_FILE") || name == "AWS_PROFILE" {
            // Freely chosen names.
            wrong_white_space(&value)
        } else {
            wrong_with(&value)
        };
        Some((name, what?))
    };
    SENT.into_iter().filter_map(wrong).collect()
}

/// The SDK treats a blank key as absent.
fn is_unset(name: &str, value: &str) -> bool {
    value.is_empty() || (value.trim().is_empty() && KEYS.contains(&name))
}

/// Why `value` cannot be sent, as the end of a sentence; never includes a part of it that may be secret.
pub(super) fn wrong_with(value: &str) -> Option<String> {
    wrong_white_space(value).or_else(|| {
        let is_sent = |c: char| c.is_ascii_graphic() || c == ' ';
        (!value.chars().all(is_sent)).then(|| "holds a character outside ASCII".to_owned())
    })
}

fn wrong_white_space(value: &str) -> Option<String> {
    let is_wrong = |c: &char| c.is_control() || c.is_whitespace();
    if let Some(last) = value.chars().next_back().filter(is_wrong) {
        return Some(format!("ends in a {}", character_name(last)));
    }
    if let Some(first) = value.chars().next().filter(is_wrong) {
        return Some(format!("begins with a {}", character_name(first)));
    }
    let inner = value.chars().find(|c| c.is_control())?;
    Some(format!("holds a {}", character_name(inner)))
}

/// Whether the environment has an access key, which takes precedence over every profile.
pub(super) fn has_access_key() -> bool {
    let is_set = |name| env::var(name).is_ok_and(|value| !value.trim().is_empty());
    is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY")
}

/// A provider for an unusable environment: every request for credentials fails with the reason.
#[derive(Debug)]
pub(super) struct FailingProvider(String);

impl FailingProvider {
    /// The failing provider, if the variables of this process or the configured region are unusable.
    pub(super) fn find(region: &str) -> Option<Self> {
        let wrong = unusable_variables(|name| env::var(name).ok());
        if let Some((name, what)) = wrong.first() {
            return Some(Self(format!("the environment variable {name} {what}")));
        }
        (!is_region(region)).then(|| Self(format!("{region:?} is not the name of an AWS region: set AWS_REGION")))
    }
}

impl ProvideCredentials for FailingProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::invalid_configuration(self.0.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
        unusable_variables(|request| (request == name).then(|| value.to_owned()))
    }

    #[test]
    fn a_value_that_cannot_be_sent_is_reported_with_its_variable() {
        for (name, value, expected) in [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n", "ends in a line feed (U+000A)"),
            ("AWS_SECRET_ACCESS_KEY", "hush\r", "ends in a carriage return (U+000D)"),
            ("AWS_SESSION_TOKEN", " hush", "begins with a space (U+0020)"),
            ("AWS_SESSION_TOKEN", "hu\nsh", "holds a line feed (U+000A)"),
            ("AWS_REGION", "eu-west-1\n", "ends in a line feed (U+000A)"),
            ("AWS_DEFAULT_REGION", "\n", "ends in a line feed (U+000A)"),
            ("AWS_PROFILE", "prod\n", "ends in a line feed (U+000A)"),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/é", "holds a character outside ASCII"),
        ] {
            assert_eq!(wrong(name, value), [(name, expected.to_owned())], "{name}");
        }
    }

    #[test]
    fn values_that_the_sdk_accepts_are_valid() {
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SESSION_TOKEN", " "),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPx="),
            ("AWS_PROFILE", "my präsentation"),
            ("AWS_EXECUTION_ENV", "x\n"),
        ] {
            assert_eq!(wrong(name, value), [], "{name}");
        }
    }
}
