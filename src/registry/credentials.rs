//! Whose name does basewatch go by at a registry? Settings and Docker's `config.json`.

use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};

use super::{Error, Result};
use crate::{image::host_spellings, secret::Secret};

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
    let servers = docker_names(registry);
    let failed = |why: &str| Error::Credentials { registry: registry.to_owned(), why: why.to_owned() };
    // Reading it opens a file and may start a helper program.
    let reading = tokio::task::spawn_blocking(move || first_login(&servers, docker_credential::get_credential));
    let found = tokio::time::timeout(HELPER_TIMEOUT, reading)
        .await
        .map_err(|_| failed("Docker's credential helper gave no answer in time"))?
        .map_err(|_| failed("Docker's configuration could not be read"))?;
    match found {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credential::Basic { username, password: Secret::new(password) }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity(Secret::new(token)))),
        Err(error) => why_not(&error).map_or(Ok(None), |why| Err(failed(why))),
    }
}

/// The names that a registry's login may be kept under, the usual one first: `docker login` writes Docker Hub's as a
/// URL of its old API, other tools and people write its hosts.
fn docker_names(registry: &str) -> Vec<String> {
    let hub = (registry == "docker.io").then_some("https://index.docker.io/v1/");
    hub.into_iter().chain(host_spellings(registry)).map(str::to_owned).collect()
}

/// The first login that `ask` has for one of `servers`, else why it has none.
fn first_login(
    servers: &[String],
    ask: impl Fn(&str) -> Result<DockerCredential, CredentialRetrievalError>,
) -> Result<DockerCredential, CredentialRetrievalError> {
    let mut answer = Err(CredentialRetrievalError::NoCredentialConfigured);
    for server in servers {
        answer = ask(server);
        if answer.as_ref().err().is_none_or(|error| why_not(error).is_some()) {
            break;
        }
    }
    answer
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
    fn a_login_to_docker_hub_is_found_under_each_of_its_names() {
        use CredentialRetrievalError as E;
        let names = docker_names("docker.io");
        assert_eq!(names, ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]);
        assert_eq!(docker_names("ghcr.io"), ["ghcr.io"]);
        for name in &names {
            let ask = |server: &str| {
                let login = DockerCredential::IdentityToken(server.to_owned());
                if server == name { Ok(login) } else { Err(E::NoCredentialConfigured) }
            };
            assert_eq!(first_login(&names, ask), Ok(DockerCredential::IdentityToken(name.clone())));
        }
        let broken = |_: &str| Err(E::HelperCommunicationError);
        assert_eq!(first_login(&names, broken), Err(E::HelperCommunicationError), "it is not asked four times");
    }
}
