//! The environment variables of the Lambda runtime. Validated first, because the runtime library panics when they are
//! missing or malformed.

use std::time::Duration;

use anyhow::{Result, bail};
use axum::http::Uri;
use serde_json::json;

use crate::config::EnvironmentVariables;

/// Environment variable with the address of the runtime API.
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Timeout for reporting a failed initialization.
const INIT_ERROR_WAIT: Duration = Duration::from_secs(2);

/// The environment of the Lambda runtime
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LambdaEnvironment {
    /// The function name.
    pub(super) function: String,
    /// The URL of the runtime API: `http://HOST:PORT`, with an optional path.
    endpoint: String,
}

impl LambdaEnvironment {
    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// When variables are missing or malformed; the message lists all.
    pub(super) fn from_environment(environment: &EnvironmentVariables) -> Result<Self> {
        let mut wrong = Vec::new();
        let Some(api) = environment.get(RUNTIME_API) else {
            bail!(
                "`basewatch lambda` requires the Lambda runtime: {RUNTIME_API} is not set; use `basewatch run` to run once"
            );
        };
        let endpoint = endpoint(api);
        if endpoint.is_none() {
            wrong.push(format!("{RUNTIME_API} is {api:?}, not HOST:PORT or http://HOST:PORT with a path"));
        }
        let named = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"];
        wrong.extend(
            named.iter().filter(|name| environment.get(name).is_none()).map(|name| format!("{name} is not set")),
        );
        if let Some(open_store) = environment.get(named[2]).filter(|open_store| open_store.parse::<i32>().is_err()) {
            wrong.push(format!("{} is {open_store:?}, not a number", named[2]));
        }
        match (endpoint, environment.get(named[0])) {
            (Some(endpoint), Some(function)) if wrong.is_empty() => {
                Ok(Self { function: function.to_owned(), endpoint })
            }
            _ => bail!("invalid Lambda runtime environment: {}", wrong.join("; ")),
        }
    }

    /// Reports a failed initialization to the runtime, with the error type `kind`.
    pub(super) async fn init_failed(&self, kind: &str, message: &str) {
        let client = reqwest::Client::builder().no_proxy().timeout(INIT_ERROR_WAIT).build();
        let body = json!({ "errorType": kind, "errorMessage": message, "stackTrace": [] });
        let url = format!("{}/2018-06-01/runtime/init/error", self.endpoint);
        let reported = match client {
            Ok(client) => {
                let request = client.post(url).header("Lambda-Runtime-Function-Error-Type", kind).json(&body);
                request.send().await.map(drop)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = reported {
            tracing::warn!("cannot report the failed initialization to the Lambda runtime: {error}");
        }
    }
}

/// The URL of the API at `api`. Without a scheme, a path is not a valid URI
/// (<https://www.rfc-editor.org/rfc/rfc3986#section-3>).
fn endpoint(api: &str) -> Option<String> {
    let uri: Uri = api.parse().ok()?;
    let authority = uri.authority()?;
    let is_plain = uri.scheme_str().is_none_or(|scheme| scheme == "http");
    let is_whole = uri.query().is_none() && !authority.host().is_empty() && !authority.as_str().contains('@');
    (is_plain && is_whole).then(|| format!("http://{authority}{}", uri.path().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> EnvironmentVariables {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_runtime_api_is_a_host_and_port_or_an_http_url() {
        for (api, expected) in [
            ("127.0.0.1:9001", "http://127.0.0.1:9001"),
            ("http://127.0.0.1:9000/.rt", "http://127.0.0.1:9000/.rt"),
            ("http://localhost:9000/", "http://localhost:9000"),
            ("[::1]:9001", "http://[::1]:9001"),
        ] {
            assert_eq!(endpoint(api).as_deref(), Some(expected), "{api}");
        }
        for api in
            ["127.0.0.1:9000/.rt", "https://127.0.0.1:9001", "/.rt", "a b", "http://", "http://x/?y", "u@h:1", ""]
        {
            assert_eq!(endpoint(api), None, "{api}");
        }
    }

    #[test]
    fn all_missing_variables_are_reported_together() {
        let nothing = LambdaEnvironment::from_environment(&environment(&[])).unwrap_err().to_string();
        assert!(nothing.contains(RUNTIME_API) && nothing.contains("basewatch run"), "{nothing}");
        let some = [(RUNTIME_API, "x/y"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much")];
        let some = LambdaEnvironment::from_environment(&environment(&some)).unwrap_err().to_string();
        for part in ["\"x/y\"", "AWS_LAMBDA_FUNCTION_NAME is not", "AWS_LAMBDA_FUNCTION_VERSION is not", "\"much\""] {
            assert!(some.contains(part), "{part}: {some}");
        }
        let all = [
            (RUNTIME_API, "127.0.0.1:9001"),
            ("AWS_LAMBDA_FUNCTION_NAME", "watch"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ];
        assert_eq!(LambdaEnvironment::from_environment(&environment(&all)).unwrap().function, "watch");
    }
}
