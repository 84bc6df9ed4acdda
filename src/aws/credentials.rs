//! AWS credentials: looked up once, with errors that include the remedy.

use std::{error::Error, fmt, fs::File, time::Duration};

use aws_config::{imds::client::error::ImdsError, profile::ProfileSet};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use tokio::time::timeout;

use super::{Aws, AwsError, error, profiles, variables};
use crate::image::ErrorCode;

/// The timeout of the credential lookup, which may include assuming a role.
const CREDENTIALS_WAIT: Duration = Duration::from_secs(10);
/// The variable that names the file of a web identity token.
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// The result of the credential lookup.
#[derive(Clone, Debug)]
pub(super) enum CredentialLookup {
    /// Credentials were found.
    Found,
    /// There are none, with the reason.
    Nothing(String),
    /// The configured credentials cannot be used.
    Broken(AwsError),
}

impl CredentialLookup {
    /// Instance metadata is the last source, when nothing is configured: if it refuses, as when disabled for
    /// containers, there are no credentials rather than unusable ones.
    fn from_error(error: &CredentialsError) -> Self {
        // The SDK lists every source with the reason why it was skipped.
        if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
            return Self::Nothing(
                "neither the environment, nor the profile of AWS_PROFILE or the default one, nor a role has any"
                    .to_owned(),
            );
        }
        let why = error::chain(error);
        if error::causes(error).any(|cause| cause.downcast_ref::<ImdsError>().is_some()) {
            return Self::Nothing(why);
        }
        // The location is only in a warning of the SDK.
        let advice = if why.contains("parse profile file") {
            "; check ~/.aws/config and ~/.aws/credentials, and set BASEWATCH_LOG=warn to see the line"
        } else {
            ""
        };
        let message = format!("the configured AWS credentials cannot be used: {why}{advice}");
        Self::Broken(AwsError { code: error::code_of_credentials(error), message })
    }
}

impl Aws {
    /// Fails without credentials. The lookup is shared.
    pub(crate) async fn require_credentials(&self) -> Result<(), AwsError> {
        match self.credentials().await {
            CredentialLookup::Found => Ok(()),
            CredentialLookup::Broken(failure) => Err(failure.clone()),
            CredentialLookup::Nothing(why) => Err(AwsError::credentials(format!(
                "no AWS credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run where a role is attached \
                 ({why})"
            ))),
        }
    }

    /// The result of the credential lookup, done once.
    pub(super) async fn credentials(&self) -> &CredentialLookup {
        self.found.get_or_init(|| self.look_for_credentials()).await
    }

    async fn look_for_credentials(&self) -> CredentialLookup {
        let Some(provider) = self.config().await.credentials_provider() else {
            return CredentialLookup::Nothing("no source is configured".to_owned());
        };
        match timeout(CREDENTIALS_WAIT, provider.provide_credentials()).await {
            Ok(Ok(_)) => CredentialLookup::Found,
            Ok(Err(error)) => CredentialLookup::from_error(&error),
            Err(_) => CredentialLookup::Nothing(format!("no response within {} seconds", CREDENTIALS_WAIT.as_secs())),
        }
    }
}

/// A provider that rejects credentials that cannot be sent, and adds the remedy to errors.
#[derive(Debug)]
pub(super) struct CheckedProvider {
    provider: SharedCredentialsProvider,
    /// Whether the provider is the SDK's default chain instead of one that the caller set.
    is_search: bool,
}

impl CheckedProvider {
    pub(super) fn new(provider: SharedCredentialsProvider, is_search: bool) -> Self {
        Self { provider, is_search }
    }

    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let profiles = if self.is_search && !variables::has_access_key() { profiles::read().await } else { None };
        // The SDK would continue with the next source, and might use an identity other than that of AWS_PROFILE.
        if let Some(why) = profiles.as_ref().and_then(profiles::unknown) {
            return Err(CredentialsError::invalid_configuration(why));
        }
        match self.provider.provide_credentials().await {
            Ok(credentials) => match unsendable(&credentials) {
                Some(why) => Err(CredentialsError::invalid_configuration(why)),
                None => Ok(credentials),
            },
            Err(error) if self.is_search => Err(explained(error, profiles.as_ref())),
            Err(error) => Err(error),
        }
    }
}

impl ProvideCredentials for CheckedProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

/// Why `credentials` cannot be sent: the SDK panics for an access key or session token with characters that a header
/// must not have (`aws-sigv4`, `http_request/sign.rs`).
fn unsendable(credentials: &Credentials) -> Option<String> {
    let parts = [
        ("access key id", Some(credentials.access_key_id())),
        ("secret access key", Some(credentials.secret_access_key())),
        ("session token", credentials.session_token()),
    ];
    let wrong = |(name, value): (&str, Option<&str>)| Some(format!("the {name} {}", variables::wrong_with(value?)?));
    parts.into_iter().find_map(wrong)
}

/// An error of the SDK's default chain, with the remedy.
#[derive(Debug)]
struct ExplainedError {
    message: String,
    source: CredentialsError,
}

impl fmt::Display for ExplainedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ExplainedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn explained(error: CredentialsError, profiles: Option<&ProfileSet>) -> CredentialsError {
    let Some(advice) = advice(&error, profiles) else { return error };
    CredentialsError::provider_error(ExplainedError {
        message: format!("{}; {advice}", error::chain(&error)),
        source: error,
    })
}

/// The remedy for `error`, from environment and profiles.
fn advice(error: &CredentialsError, profiles: Option<&ProfileSet>) -> Option<String> {
    if let Some(why) = missing_token_file(profiles) {
        return Some(why);
    }
    // Signing in does not fix a timeout or an error in the profile.
    let is_refusal = matches!(error, CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_))
        && error::code_of_credentials(error) == ErrorCode::Credentials;
    let is_forbidden = error::chain(error).contains("ForbiddenException");
    profiles.filter(|_| is_refusal && !is_forbidden).and_then(profiles::sign_in)
}

/// The message that the web identity token file cannot be read; that of the SDK has no file name.
fn missing_token_file(profiles: Option<&ProfileSet>) -> Option<String> {
    let in_variable = std::env::var(TOKEN_FILE).ok().filter(|path| !path.is_empty());
    let in_profile = || {
        let profile = profiles?.get_profile(profiles?.selected_profile())?;
        profile.get("web_identity_token_file").map(|path| (path.to_owned(), "the profile's web_identity_token_file"))
    };
    let (path, named_by) = in_variable.map(|path| (path, TOKEN_FILE)).or_else(in_profile)?;
    let why = File::open(&path).err()?;
    Some(format!("the web identity token file {path:?}, named by {named_by}, cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_with_invalid_characters_are_named_but_not_shown() {
        for (id, secret, token, expected) in [
            ("AKIDEXAMPLE", "wJalrXUtnFEMI", Some("token"), None),
            ("AKIDEXAMPLE\n", "wJalrXUtnFEMI", None, Some("the access key id ends in a line feed (U+000A)")),
            ("AKID\0EXAMPLE", "wJalrXUtnFEMI", None, Some("the access key id holds a NUL (U+0000)")),
            ("AKIDEXAMPLE", "wJalrXUtnFEMI\r\n", None, Some("the secret access key ends in a line feed (U+000A)")),
            ("AKIDEXAMPLE", "wJalr", Some("to\tken"), Some("the session token holds a tab (U+0009)")),
            ("AKIDÉXAMPLE", "wJalr", None, Some("the access key id holds a character outside ASCII")),
        ] {
            let credentials = Credentials::new(id, secret, token.map(str::to_owned), None, "test");
            assert_eq!(unsendable(&credentials).as_deref(), expected);
        }
    }
}
