//! Settings of the registry client, validated.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{http::ClientError, secret::Secret};

/// How to authenticate at a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AuthSettings {
    /// ECR credentials for private ECR, an ECR Public token for public.ecr.aws when AWS credentials exist, Docker's
    /// `config.json` for others; anonymous if there is none.
    #[default]
    Auto,
    /// No credentials, even if there are some.
    Anonymous,
    /// `ecr-public:GetAuthorizationToken`, or an error.
    EcrPublic,
    /// A configured user name and password.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// The login in Docker's `config.json`, or an error.
    DockerConfig,
}

/// Settings of one registry, by the host that references name.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSettings {
    /// The endpoint instead of `https://<host>`: a mirror, a pull-through cache, an emulator. Without a trailing slash;
    /// may have a path before `/v2/`.
    pub endpoint: Option<String>,
    /// Whether the endpoint has the complete content of the registry. Otherwise it counts as a cache.
    pub full_mirror: bool,
    /// How to authenticate.
    pub auth: AuthSettings,
    /// Requests per second; `None` is the default for that registry (public.ecr.aws: 1 anonymous,
    /// 10 with credentials; others: unlimited).
    pub rate: Option<f64>,
    /// The most concurrent requests.
    pub connections: usize,
    /// A file with PEM certificates that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether plain HTTP is accepted beyond loopback.
    pub plain_http: bool,
    /// Further hosts that credentials may be sent to for a token: the realm of a Bearer challenge.
    pub token_hosts: Vec<String>,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            full_mirror: false,
            auth: AuthSettings::Auto,
            rate: None,
            // Enough to keep a fast registry busy; registries throttle by rate, not by connections.
            connections: 32,
            ca_file: None,
            plain_http: false,
            token_hosts: Vec::new(),
        }
    }
}

/// Why the client cannot be built from its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The endpoint is invalid.
    #[error("the endpoint of {0} cannot be used: {1}")]
    Endpoint(String, String),
    /// The endpoint is plain HTTP beyond loopback.
    #[error("the endpoint of {0} is plain HTTP beyond loopback: set plain_http to allow it")]
    PlainHttp(String),
    /// The rate or the number of connections is not positive.
    #[error("the {1} of {0} must be greater than zero")]
    NotPositive(String, &'static str),
    /// The certificates cannot be read, or TLS cannot be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl HostSettings {
    /// Checks the constraints that types do not express.
    pub(super) fn check(&self, host: &str) -> Result<(), SettingsError> {
        let not_positive = |what| Err(SettingsError::NotPositive(host.to_owned(), what));
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return not_positive("rate");
        }
        if self.connections == 0 {
            return not_positive("number of connections");
        }
        Ok(())
    }
}

/// Settings of all registries.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// Hosts that may be contacted: exact, or with `*` for one or more characters. ECR registries of
    /// audited accounts are added while the inventory is read.
    pub allow: Vec<String>,
    /// By host; hosts without an entry have the default settings.
    pub hosts: BTreeMap<String, HostSettings>,
    /// The connect timeout.
    pub connect_timeout: Duration,
    /// The timeout of one request, including the body.
    pub request_timeout: Duration,
    /// The number of retries of a transient failure.
    pub retries: u32,
    /// The longest wait between attempts, including `Retry-After`.
    pub retry_wait: Duration,
    /// The most pages of a tag list that are read (1,000 tags each).
    pub tag_pages: usize,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            allow: vec!["public.ecr.aws".to_owned()],
            hosts: BTreeMap::new(),
            // A host that takes longer to accept a connection is down, and a longer transfer of a few kilobytes has stalled.
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            // Rides out a throttle of a minute; after that, the next run continues.
            retries: 4,
            retry_wait: Duration::from_secs(30),
            // 100,000 tags, more than all of public.ecr.aws/lambda/* has.
            tag_pages: 100,
        }
    }
}
