//! Registry credentials from the settings and from Docker's `config.json`.

use std::{env, path::PathBuf};

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde_json::{Map, Value};

use super::{
    CredentialsErrorKind, Error, Result,
    helper::{self, HelperError},
};
use crate::{
    image::{DOCKER_HUB, host_spellings},
    secret::Secret,
};

/// A configured credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RegistryCredential {
    /// A user name and a password.
    Basic { username: String, password: Secret },
    /// A refresh token for a token server.
    Identity(Secret),
}

/// The login for `registry` in Docker's `config.json` or a credential helper; `None` if there is none.
pub(super) async fn docker_credential(registry: &str) -> Result<Option<RegistryCredential>> {
    match read_config().await {
        Some(config) => login_in(config, registry).await,
        None => Ok(None),
    }
}

/// The login for `registry` in `config`, under its first name that has one.
async fn login_in(mut config: Map<String, Value>, registry: &str) -> Result<Option<RegistryCredential>> {
    let error = |kind, why: &str| Error::Credentials { registry: registry.to_owned(), kind, why: why.to_owned() };
    // Helpers are run here, so that a hanging one can be terminated.
    let text = |value: Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (helpers, store) = (config.remove("credHelpers"), config.remove("credsStore").and_then(text));
    let mut found = Err(HelperError::Failed(CredentialRetrievalError::NoCredentialConfigured));
    for server in docker_names(registry) {
        let helper = helpers.as_ref().and_then(|helpers| text(helpers.get(&server)?.clone()));
        found = match (helper, stored(&config, &server), &store) {
            (Some(helper), _, _) => helper::credential(&helper, &server).await,
            (None, Err(CredentialRetrievalError::NoCredentialConfigured), Some(helper)) => {
                helper::credential(helper, &server).await
            }
            (None, stored, _) => stored.map_err(HelperError::Failed),
        };
        if !matches!(&found, Err(HelperError::Failed(why)) if why_not(why).is_none()) {
            break;
        }
    }
    match found {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(RegistryCredential::Basic { username, password: Secret::new(password) }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(RegistryCredential::Identity(Secret::new(token)))),
        Err(HelperError::TimedOut) => {
            Err(error(CredentialsErrorKind::Unreachable, "Docker's credential helper timed out"))
        }
        Err(HelperError::Failed(why)) => {
            why_not(&why).map_or(Ok(None), |why| Err(error(CredentialsErrorKind::Denied, why)))
        }
    }
}

/// Docker's `config.json`; `None` if there is no readable one.
async fn read_config() -> Option<Map<String, Value>> {
    let of_home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(of_home)?;
    let text = tokio::fs::read(folder.join("config.json")).await.ok()?;
    serde_json::from_slice(&text).ok()
}

/// The login for `server` in `config` itself.
fn stored(config: &Map<String, Value>, server: &str) -> Result<DockerCredential, CredentialRetrievalError> {
    let text = Value::Object(config.clone()).to_string();
    docker_credential::get_credential_from_reader(text.as_bytes(), server)
}

/// The names under which a registry's login may be stored, the usual one first: for Docker Hub, `docker login` writes a
/// URL of its old API, other tools its hosts.
fn docker_names(registry: &str) -> Vec<String> {
    let hub = (registry == DOCKER_HUB).then_some("https://index.docker.io/v1/");
    hub.into_iter().chain(host_spellings(registry)).map(str::to_owned).collect()
}

/// Why there is no login although one is configured. The text of the error is not included, because it has the output
/// of the helper.
fn why_not(error: &CredentialRetrievalError) -> Option<&'static str> {
    use CredentialRetrievalError as E;
    match error {
        E::NoCredentialConfigured | E::ConfigNotFound | E::ConfigReadError => None,
        // A helper reports "not found" this way, with its own text.
        E::HelperFailure { stdout, stderr, .. } if is_not_found(stdout) || is_not_found(stderr) => None,
        E::HelperFailure { .. } => Some("Docker's credential helper failed"),
        E::HelperCommunicationError => Some("Docker's credential helper could not be started"),
        E::MalformedHelperResponse => Some("Docker's credential helper returned no login"),
        E::CredentialDecodingError | E::CredentialMismatchError => {
            Some("the login in Docker's config.json is malformed")
        }
    }
}

fn is_not_found(text: &str) -> bool {
    text.contains("not found")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    #[tokio::test]
    async fn a_login_to_docker_hub_is_found_under_each_of_its_names() {
        let names = docker_names("docker.io");
        assert_eq!(names, ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]);
        assert_eq!(docker_names("ghcr.io"), ["ghcr.io"]);
        let config = |value: Value| value.as_object().cloned().expect("an object");
        for name in &names {
            let auths = config(json!({ "auths": { (name): { "auth": "YWxpY2U6aHVzaA==" } } }));
            let found = login_in(auths, "docker.io").await;
            let alice = RegistryCredential::Basic { username: "alice".into(), password: Secret::new("hush".into()) };
            assert_eq!(found, Ok(Some(alice)), "{name}");
        }
        let broken = json!({
            "credHelpers": { "https://index.docker.io/v1/": "basewatch-has-no-such-helper" },
            "auths": { "docker.io": { "auth": "YWxpY2U6aHVzaA==" } },
        });
        let found = login_in(config(broken), "docker.io").await;
        let Err(Error::Credentials { why, .. }) = found else { unreachable!("{found:?}") };
        assert!(why.contains("could not be started"), "no other name is tried: {why}");
    }
}
