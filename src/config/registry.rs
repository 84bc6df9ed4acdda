//! `[registry."HOST"]`: how one registry is talked to.

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    secret::{HOW, RawSecret, secret},
    tree::KeyPath,
    values::{endpoint, host, registry_host},
};
use crate::registry::{Auth, HostSettings};

/// The tables by host.
pub(super) type RawRegistries = BTreeMap<String, RawRegistry>;

/// How one registry is talked to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegistry {
    /// Where requests go instead of `https://HOST`: a mirror, a pull-through cache, a stand-in. May hold
    /// a path; at a private ECR registry that is the prefix of its pull-through cache, and its own login
    /// is used. Else requests are still authenticated as this registry's.
    #[schemars(example = &"https://mirror.example.com/ecr-public")]
    endpoint: Option<String>,
    /// Whether the endpoint has all that the registry has: it forwards every request, or is a full copy. Otherwise it
    /// counts as a cache: releases are counted "at least", and what it lacks is not called missing. A pull-through cache
    /// of ECR always counts as one.
    #[schemars(extend("default" = false))]
    full_mirror: Option<bool>,
    /// How to authenticate. Without it `basic` if there is a username, else `auto`.
    #[schemars(extend("default" = "auto"))]
    auth: Option<RawAuth>,
    /// The user name of `basic`.
    #[schemars(example = &"auditor")]
    username: Option<String>,
    /// The password of `basic`: where it is, never what it is.
    password: Option<RawSecret>,
    /// Requests per second. Without it, 1 for public.ecr.aws without credentials, 10 with; others are not
    /// limited.
    #[schemars(range(min = 0.01, max = 10_000), example = 1)]
    rate: Option<f64>,
    /// Requests under way at once.
    #[schemars(range(min = 1, max = 1024), extend("default" = 32))]
    connections: Option<i64>,
    /// A file of certificates (PEM) that are trusted besides the system's; relative to this file.
    #[schemars(example = &"./ca.pem")]
    ca_file: Option<String>,
    /// Whether the endpoint may be plain http beyond this machine.
    #[schemars(extend("default" = false))]
    plain_http: Option<bool>,
    /// Further hosts that this registry's credentials may be sent to for a token.
    #[schemars(extend("default" = []), example = ["auth.example.com"])]
    token_hosts: Option<Vec<String>>,
}

/// How to authenticate to a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a way to authenticate such as \"anonymous\"")]
enum RawAuth {
    /// ECR credentials for private ECR; an ECR Public token for public.ecr.aws when there are AWS
    /// credentials; Docker's `config.json` for others; anonymous where there is none.
    Auto,
    /// No credentials, even if there are some.
    Anonymous,
    /// An ECR Public token, or an error.
    EcrPublic,
    /// `username` and `password`.
    Basic,
    /// The login in Docker's `config.json`, or an error.
    DockerConfig,
}

pub(super) fn validate(raw: &RawRegistries, at: &KeyPath, check: &mut Check<'_>) -> BTreeMap<String, HostSettings> {
    let mut hosts = BTreeMap::new();
    for (name, raw) in raw {
        let at = at.key(name);
        let settings = validate_host(raw, name, &at, check);
        let Some(host) = check.accept(&at, registry_host(name)) else { continue };
        if hosts.insert(host, settings).is_some() {
            check.refuse(&at, "this registry has two tables, under two spellings of its host");
        }
    }
    hosts
}

fn validate_host(raw: &RawRegistry, host_name: &str, at: &KeyPath, check: &mut Check<'_>) -> HostSettings {
    let standard = HostSettings::default();
    let plain_http = raw.plain_http.unwrap_or_default();
    let endpoint_at = at.key("endpoint");
    let endpoint = raw.endpoint.as_ref().and_then(|text| check.accept(&endpoint_at, endpoint(text, plain_http)));
    let ca_file = raw.ca_file.as_ref().map(|file| {
        let at = at.key("ca_file");
        let file = check.folder(&at, Path::new(file));
        if !file.is_file() {
            check.refuse(&at, format!("there is no file {}", file.display()));
        }
        file
    });
    if raw.full_mirror == Some(true) && raw.endpoint.is_none() {
        check.refuse(&at.key("full_mirror"), "describes `endpoint`, which is not set: set it, or remove this");
    }
    HostSettings {
        endpoint,
        full_mirror: raw.full_mirror.unwrap_or_default(),
        auth: auth(raw, host_name, at, check),
        rate: raw.rate,
        connections: raw.connections.and_then(|count| count.try_into().ok()).unwrap_or(standard.connections),
        ca_file,
        plain_http,
        token_hosts: check.each(&at.key("token_hosts"), raw.token_hosts.as_deref().unwrap_or_default(), host),
    }
}

fn auth(raw: &RawRegistry, host_name: &str, at: &KeyPath, check: &mut Check<'_>) -> Auth {
    let has_login = raw.username.is_some() || raw.password.is_some();
    let auth = raw.auth.unwrap_or(if has_login { RawAuth::Basic } else { RawAuth::Auto });
    if has_login && auth != RawAuth::Basic {
        check.refuse(&at.key("auth"), "does not use username and password: write \"basic\", or remove them");
    }
    match auth {
        RawAuth::Auto => Auth::Auto,
        RawAuth::Anonymous => Auth::Anonymous,
        RawAuth::DockerConfig => Auth::DockerConfig,
        RawAuth::EcrPublic => {
            if !host_name.eq_ignore_ascii_case("public.ecr.aws") {
                // Its token would go to a host that AWS never meant it for.
                check.refuse(&at.key("auth"), "\"ecr-public\" is only for public.ecr.aws");
            }
            Auth::EcrPublic
        }
        RawAuth::Basic => {
            let username = raw.username.clone().filter(|name| !name.is_empty() && !name.contains(':'));
            if username.is_none() {
                // RFC 7617: a user name with a colon cannot be told from its password.
                check.refuse(&at.key("username"), "\"basic\" needs a user name, without a colon");
            }
            let password_at = at.key("password");
            let password = match &raw.password {
                Some(raw) => secret(raw, &password_at, check),
                None => check.accept(&password_at, Err(format!("\"basic\" needs a password: {HOW}"))),
            };
            match (username, password) {
                (Some(username), Some(password)) => Auth::Basic { username, password },
                _ => Auth::Anonymous,
            }
        }
    }
}
