//! Docker's credential helpers, programs that return a login. They are terminated after a timeout.

use std::{process::Stdio, time::Duration};

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

/// The timeout of a helper, which may use a keychain but cannot prompt.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The user name that marks the secret as a refresh token.
const TOKEN_USER: &str = "<token>";

/// Why a helper returned no login.
#[derive(Debug)]
pub(super) enum HelperError {
    /// It timed out.
    TimedOut,
    /// Any other error.
    Failed(CredentialRetrievalError),
}

/// The output of a helper (<https://github.com/docker/docker-credential-helpers#development>).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperOutput {
    username: String,
    secret: String,
}

/// The login for `server` by the helper `docker-credential-<name>`.
pub(super) async fn credential(name: &str, server: &str) -> Result<DockerCredential, HelperError> {
    ask_within(TIMEOUT, &format!("docker-credential-{name}"), server).await
}

async fn ask_within(limit: Duration, program: &str, server: &str) -> Result<DockerCredential, HelperError> {
    use CredentialRetrievalError as E;
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().map_err(|_| HelperError::Failed(E::HelperCommunicationError))?;
    let group = ProcessGroup::new(&child);
    let exchange = async {
        let mut child = child;
        if let Some(mut input) = child.stdin.take() {
            // A helper that ended without reading has its error on its outputs.
            let _ = input.write_all(server.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(limit, exchange).await.map_err(|_| HelperError::TimedOut)?;
    group.ended();
    let output = output.map_err(|_| HelperError::Failed(E::HelperCommunicationError))?;
    if !output.status.success() {
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        return Err(HelperError::Failed(E::HelperFailure { helper: program.to_owned(), stdout, stderr }));
    }
    let printed = serde_json::from_slice::<HelperOutput>(&output.stdout);
    let HelperOutput { username, secret } = printed.map_err(|_| HelperError::Failed(E::MalformedHelperResponse))?;
    Ok(if username == TOKEN_USER {
        DockerCredential::IdentityToken(secret)
    } else {
        DockerCredential::UsernamePassword(username, secret)
    })
}

/// The process group of a helper, terminated when dropped: many helpers are scripts around another program.
struct ProcessGroup(Option<u32>);

impl ProcessGroup {
    fn new(child: &Child) -> Self {
        Self(child.id())
    }

    /// They have ended by themselves.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            // It may have ended already.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Instant};

    use super::*;

    /// A program in `folder` that runs `script`.
    fn program(folder: &Path, script: &str) -> String {
        let path = folder.join("docker-credential-test");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Whether the process `id` runs; a zombie does not.
    fn runs(id: &str) -> bool {
        let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        status.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    }

    #[tokio::test]
    async fn a_hanging_helper_is_terminated_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let ids = folder.path().join("ids");
        let script = format!("sleep 600 & echo $$ $! > {}; wait", ids.display());
        let begun = Instant::now();
        let response =
            ask_within(Duration::from_secs(1), &program(folder.path(), &script), "registry.example.com").await;
        assert!(matches!(response, Err(HelperError::TimedOut)), "{response:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        let ids = fs::read_to_string(ids).expect("it began");
        for _ in 0..100 {
            if !ids.split_whitespace().any(runs) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("still running: {ids}");
    }

    #[tokio::test]
    async fn a_helper_returns_a_login_or_a_token_for_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let limit = Duration::from_secs(10);
        let login = program(folder.path(), r#"read -r server; echo "{\"Username\":\"$server\",\"Secret\":\"s\"}""#);
        let response = ask_within(limit, &login, "registry.example.com\n").await.expect("a login");
        assert_eq!(response, DockerCredential::UsernamePassword("registry.example.com".into(), "s".into()));
        let token = program(folder.path(), r#"cat > /dev/null; echo '{"Username":"<token>","Secret":"t"}'"#);
        let response = ask_within(limit, &token, "registry.example.com").await.expect("a token");
        assert_eq!(response, DockerCredential::IdentityToken("t".into()));
        let failing = program(folder.path(), "cat > /dev/null; echo no such login; exit 1");
        let response = ask_within(limit, &failing, "registry.example.com").await;
        assert!(
            matches!(response, Err(HelperError::Failed(CredentialRetrievalError::HelperFailure { .. }))),
            "{response:?}"
        );
    }
}
