//! Whose name does basewatch go by at a registry? Settings and Docker's `config.json`.

use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};

use super::{CredentialsErrorKind, Error, Result};
use crate::secret::Secret;

/// How long Docker's credential helper may take; it may ask a keychain, but nobody is there to type.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);

/// A login of somebody's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// A user name and a password.
    Basic { username: String, password: Secret },
    /// A refresh token that only a token server takes.
    Identity(Secret),
}

/// The login for `registry` in Docker's `config.json` or one of its helpers; `None` when there is none.
pub(super) async fn of_docker(registry: &str) -> Result<Option<Credential>> {
    let server = docker_name(registry).to_owned();
    let error = |kind, why: &str| Error::Credentials { registry: registry.to_owned(), kind, why: why.to_owned() };
    let failed = |why| error(CredentialsErrorKind::Denied, why);
    // Reading it opens a file and may start a helper program.
    let reading = tokio::task::spawn_blocking(move || docker_credential::get_credential(&server));
    let found = tokio::time::timeout(HELPER_TIMEOUT, reading)
        .await
        .map_err(|_| error(CredentialsErrorKind::Unreachable, "Docker's credential helper gave no answer in time"))?
        .map_err(|_| failed("Docker's configuration could not be read"))?;
    match found {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credential::Basic { username, password: Secret::new(password) }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity(Secret::new(token)))),
        Err(error) => why_not(&error).map_or(Ok(None), |why| Err(failed(why))),
    }
}

/// The name that Docker keeps a registry's login under.
fn docker_name(registry: &str) -> &str {
    if matches!(registry, "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        "https://index.docker.io/v1/"
    } else {
        registry
    }
}

/// Why there is no login although there should be one. The error's own text is not repeated: it holds what
/// a helper printed.
fn why_not(error: &CredentialRetrievalError) -> Option<&'static str> {
    use CredentialRetrievalError as E;
    match error {
        E::NoCredentialConfigured | E::ConfigNotFound | E::ConfigReadError => None,
        // A helper answers "not found" this way, with a text that depends on the helper.
        E::HelperFailure { stdout, stderr, .. } if is_not_found(stdout) || is_not_found(stderr) => None,
        E::HelperFailure { .. } => Some("Docker's credential helper failed"),
        E::HelperCommunicationError => Some("Docker's credential helper could not be started"),
        E::MalformedHelperResponse => Some("Docker's credential helper gave no login"),
        E::CredentialDecodingError | E::CredentialMismatchError => Some("the login in Docker's config.json is garbled"),
    }
}

fn is_not_found(text: &str) -> bool {
    text.contains("not found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_login_is_none_and_a_broken_one_is_an_error_without_its_text() {
        use CredentialRetrievalError as E;
        let helper =
            |stdout: &str| E::HelperFailure { helper: "h".into(), stdout: stdout.into(), stderr: String::new() };
        assert_eq!(why_not(&E::NoCredentialConfigured), None);
        assert_eq!(why_not(&E::ConfigNotFound), None);
        assert_eq!(why_not(&helper("credentials not found in native keychain")), None);
        assert_eq!(why_not(&helper("panic: password=hush")), Some("Docker's credential helper failed"));
        assert!(why_not(&E::CredentialDecodingError).is_some());
    }

    #[test]
    fn docker_hub_goes_by_its_old_name() {
        assert_eq!(docker_name("docker.io"), "https://index.docker.io/v1/");
        assert_eq!(docker_name("ghcr.io"), "ghcr.io");
    }
}
