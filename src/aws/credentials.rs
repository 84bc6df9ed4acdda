//! Whose credentials does AWS get? Looked for once, and if they cannot be used, why and what helps.

use std::{error::Error, fmt, fs::File, time::Duration};

use aws_config::{imds::client::error::ImdsError, profile::ProfileSet};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use tokio::time::timeout;

use super::{Aws, Failure, failure, profiles, variables};
use crate::image::ErrorCode;

/// How long credentials may take that are needed: a role may have to be assumed first.
const CREDENTIALS_WAIT: Duration = Duration::from_secs(10);
/// The variable that names the file of a web identity token.
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// What came of looking for credentials.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    /// There are some.
    Found,
    /// There are none; with what is known of why.
    Nothing(String),
    /// Some are configured and cannot be used.
    Broken(Failure),
}

impl Lookup {
    /// Instance metadata is asked last, when nothing is configured: that it refuses, as it does where it is
    /// switched off for containers, is no credentials and not broken ones.
    fn of(error: &CredentialsError) -> Self {
        // The SDK lists every place it looked at, each with the reason why it was not looked at.
        if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
            return Self::Nothing(
                "neither the environment, nor the profile of AWS_PROFILE or the default one, nor a role has any"
                    .to_owned(),
            );
        }
        let why = failure::chain(error);
        if failure::causes(error).any(|cause| cause.downcast_ref::<ImdsError>().is_some()) {
            return Self::Nothing(why);
        }
        // The place is in a warning of the SDK only.
        let place = if why.contains("parse profile file") {
            "; look at ~/.aws/config and ~/.aws/credentials, and for the line with BASEWATCH_LOG=warn"
        } else {
            ""
        };
        let message = format!("the AWS credentials that are configured cannot be used: {why}{place}");
        Self::Broken(Failure { code: failure::code_of_credentials(error), message })
    }
}

impl Aws {
    /// Fails unless there are credentials; the lookup is shared by all who ask.
    pub(crate) async fn require_credentials(&self) -> Result<(), Failure> {
        match self.credentials().await {
            Lookup::Found => Ok(()),
            Lookup::Broken(failure) => Err(failure.clone()),
            Lookup::Nothing(why) => Err(Failure::credentials(format!(
                "no AWS credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run where a role is attached \
                 ({why})"
            ))),
        }
    }

    /// What there is in the way of credentials, looked for once.
    pub(super) async fn credentials(&self) -> &Lookup {
        self.found.get_or_init(|| self.look_for_credentials()).await
    }

    async fn look_for_credentials(&self) -> Lookup {
        let Some(provider) = self.config().await.credentials_provider() else {
            return Lookup::Nothing("no source is configured".to_owned());
        };
        match timeout(CREDENTIALS_WAIT, provider.provide_credentials()).await {
            Ok(Ok(_)) => Lookup::Found,
            Ok(Err(error)) => Lookup::of(&error),
            Err(_) => Lookup::Nothing(format!("no answer within {} seconds", CREDENTIALS_WAIT.as_secs())),
        }
    }
}

/// A provider whose credentials can be sent, and whose errors say what helps.
#[derive(Debug)]
pub(super) struct Checked {
    provider: SharedCredentialsProvider,
    /// Whether the provider is the SDK's own search, and not one that the caller gave.
    is_search: bool,
}

impl Checked {
    pub(super) fn new(provider: SharedCredentialsProvider, is_search: bool) -> Self {
        Self { provider, is_search }
    }

    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let profiles = if self.is_search && !variables::has_access_key() { profiles::read().await } else { None };
        // The SDK would go on to the next source, and then use another identity than that of AWS_PROFILE.
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

impl ProvideCredentials for Checked {
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

/// Why `credentials` cannot be sent: the SDK panics at an access key or a session token that no header may hold
/// (`aws-sigv4`, `http_request/sign.rs`).
fn unsendable(credentials: &Credentials) -> Option<String> {
    let parts = [
        ("access key id", Some(credentials.access_key_id())),
        ("secret access key", Some(credentials.secret_access_key())),
        ("session token", credentials.session_token()),
    ];
    let wrong = |(name, value): (&str, Option<&str>)| Some(format!("the {name} {}", variables::wrong_with(value?)?));
    parts.into_iter().find_map(wrong)
}

/// An error of the SDK's search, with what helps.
#[derive(Debug)]
struct Explained {
    message: String,
    source: CredentialsError,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn explained(error: CredentialsError, profiles: Option<&ProfileSet>) -> CredentialsError {
    let Some(advice) = advice(&error, profiles) else { return error };
    CredentialsError::provider_error(Explained {
        message: format!("{}; {advice}", failure::chain(&error)),
        source: error,
    })
}

/// What helps against `error`, as far as the environment and the profiles show.
fn advice(error: &CredentialsError, profiles: Option<&ProfileSet>) -> Option<String> {
    if let Some(why) = missing_token_file(profiles) {
        return Some(why);
    }
    // An answer that did not come, or a mistake in the profile, is not mended by signing in.
    let is_refusal = matches!(error, CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_))
        && failure::code_of_credentials(error) == ErrorCode::Credentials;
    let is_forbidden = failure::chain(error).contains("ForbiddenException");
    profiles.filter(|_| is_refusal && !is_forbidden).and_then(profiles::sign_in)
}

/// That the file of the web identity token cannot be read, which the SDK says without the file's name.
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
    fn credentials_that_no_header_may_hold_are_named_and_not_shown() {
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
