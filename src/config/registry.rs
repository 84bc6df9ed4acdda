//! `[registry."HOST"]`: connection settings of one registry.

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::ConfigValidator,
    secret::{HOW, RawSecret, secret},
    tree::KeyPath,
    values::{endpoint, host, registry_host},
};
use crate::registry::{AuthSettings, HostSettings};

/// The tables, by host.
pub(super) type RawRegistries = BTreeMap<String, RawRegistry>;

/// Connection settings of one registry, by the host in references. The registry may be contacted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegistry {
    /// URL to send requests to instead of `https://HOST`: a mirror or a pull-through cache, with an optional path. A
    /// private ECR registry uses its own credentials, and the path is its pull-through cache prefix; any other endpoint
    /// gets the credentials of this registry.
    #[schemars(example = &"https://mirror.example.com/ecr-public")]
    endpoint: Option<String>,
    /// Whether the endpoint is a complete mirror or forwards every request. Otherwise it counts as a cache: numbers of
    /// releases are lower bounds, and what it does not have is not reported as missing. An ECR pull-through cache
    /// always counts as a cache.
    #[schemars(extend("default" = false))]
    full_mirror: Option<bool>,
    /// Authentication method. Defaults to `basic` if `username` is set.
    #[schemars(extend("default" = "auto"))]
    auth: Option<RawAuth>,
    /// User name for `basic`.
    #[schemars(example = &"auditor")]
    username: Option<String>,
    /// Password for `basic`.
    password: Option<RawSecret>,
    /// Maximum requests per second. Defaults to 1 for public.ecr.aws, 10 with credentials; other registries have no
    /// limit.
    #[schemars(range(min = 0.01, max = 10_000), example = 1)]
    rate: Option<f64>,
    /// File of additional trusted certificates (PEM).
    #[schemars(example = &"./ca.pem")]
    ca_file: Option<String>,
    /// Whether to allow plain HTTP to hosts other than loopback.
    #[schemars(extend("default" = false))]
    plain_http: Option<bool>,
    /// Additional hosts that may receive this registry's credentials for a token.
    #[schemars(extend("default" = []), example = ["auth.example.com"])]
    token_hosts: Option<Vec<String>>,
}

/// A registry authentication method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a way to authenticate such as \"anonymous\"")]
enum RawAuth {
    /// ECR credentials for private ECR; an ECR Public token for public.ecr.aws if there are AWS credentials; Docker's
    /// `config.json` for other registries; otherwise anonymous.
    Auto,
    /// No credentials.
    Anonymous,
    /// An ECR Public token; fails without AWS credentials.
    EcrPublic,
    /// `username` and `password`.
    Basic,
    /// The login in Docker's `config.json`; fails if there is none.
    DockerConfig,
}

pub(super) fn validate(
    raw: &RawRegistries,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> BTreeMap<String, HostSettings> {
    let mut hosts = BTreeMap::new();
    for (name, raw) in raw {
        let at = at.key(name);
        let settings = validate_host(raw, name, &at, check);
        let Some(host) = check.accept(&at, registry_host(name)) else { continue };
        if hosts.insert(host, settings).is_some() {
            check.refuse(&at, "another table configures the same registry under a different spelling of its host");
        }
    }
    hosts
}

fn validate_host(raw: &RawRegistry, host_name: &str, at: &KeyPath, check: &mut ConfigValidator<'_>) -> HostSettings {
    let plain_http = raw.plain_http.unwrap_or_default();
    let endpoint_at = at.key("endpoint");
    let endpoint = raw.endpoint.as_ref().and_then(|text| check.accept(&endpoint_at, endpoint(text, plain_http)));
    let ca_file = raw.ca_file.as_ref().map(|file| {
        let at = at.key("ca_file");
        let file = check.folder(&at, Path::new(file));
        if !file.is_file() {
            check.refuse(&at, format!("{} does not exist", file.display()));
        }
        file
    });
    if raw.full_mirror == Some(true) && raw.endpoint.is_none() {
        check.refuse(&at.key("full_mirror"), "has no effect without endpoint: set endpoint, or remove this key");
    }
    HostSettings {
        endpoint,
        full_mirror: raw.full_mirror.unwrap_or_default(),
        auth: auth(raw, host_name, at, check),
        rate: raw.rate,
        ca_file,
        plain_http,
        token_hosts: check.each(&at.key("token_hosts"), raw.token_hosts.as_deref().unwrap_or_default(), host),
        ..HostSettings::default()
    }
}

fn auth(raw: &RawRegistry, host_name: &str, at: &KeyPath, check: &mut ConfigValidator<'_>) -> AuthSettings {
    let has_login = raw.username.is_some() || raw.password.is_some();
    let auth = raw.auth.unwrap_or(if has_login { RawAuth::Basic } else { RawAuth::Auto });
    if has_login && auth != RawAuth::Basic {
        check.refuse(&at.key("auth"), "cannot be combined with username and password: write \"basic\", or remove them");
    }
    match auth {
        RawAuth::Auto => AuthSettings::Auto,
        RawAuth::Anonymous => AuthSettings::Anonymous,
        RawAuth::DockerConfig => AuthSettings::DockerConfig,
        RawAuth::EcrPublic => {
            if !host_name.eq_ignore_ascii_case("public.ecr.aws") {
                // Otherwise the token would be sent to a host that is not AWS.
                check.refuse(&at.key("auth"), "\"ecr-public\" is only for public.ecr.aws");
            }
            AuthSettings::EcrPublic
        }
        RawAuth::Basic => {
            let username = raw.username.clone().filter(|name| !name.is_empty() && !name.contains(':'));
            if username.is_none() {
                // RFC 7617 does not allow a colon in a user name.
                check.refuse(&at.key("username"), "\"basic\" needs a user name, without a colon");
            }
            let password_at = at.key("password");
            let password = match &raw.password {
                Some(raw) => secret(raw, &password_at, check),
                None => check.accept(&password_at, Err(format!("\"basic\" needs a password: {HOW}"))),
            };
            match (username, password) {
                (Some(username), Some(password)) => AuthSettings::Basic { username, password },
                _ => AuthSettings::Anonymous,
            }
        }
    }
}
