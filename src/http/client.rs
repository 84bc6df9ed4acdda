//! The clients of all hosts of one caller.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, Url};
use tokio::sync::Semaphore;

use super::{
    AddressScope, HostLimits, HostResolver, HttpHost, RateLimiter, RequestCounter, circuit_breaker::CircuitBreaker,
    error::innermost, memory_budget::MemoryBudget,
};

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The certificates cannot be read.
    #[error("{file} holds no usable certificates: {1}", file = _0.display())]
    CaFile(PathBuf, String),
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// The key of clients: the CA file, and whether requests stay on this machine.
type ClientKey = (Option<PathBuf>, bool);

/// What the hosts of one caller share: name resolution, the memory for bodies, the counts of requests, and connections.
#[derive(Debug)]
pub(crate) struct HttpClient {
    connect_timeout: Duration,
    pub(crate) resolver: Arc<HostResolver>,
    requests: Arc<RequestCounter>,
    memory: MemoryBudget,
    clients: Mutex<HashMap<ClientKey, Client>>,
}

impl HttpClient {
    /// A client that opens connections within `connect_timeout`, to addresses that `resolver` permits, and counts into
    /// `requests`.
    pub(crate) fn new(connect_timeout: Duration, resolver: HostResolver, requests: Arc<RequestCounter>) -> Self {
        let (resolver, memory, clients) = (Arc::new(resolver), MemoryBudget::default(), Mutex::default());
        Self { connect_timeout, resolver, requests, memory, clients }
    }

    /// The host at `url`, which is called `name` in the counts of requests. Nothing is sent.
    pub(crate) fn host(
        &self,
        name: Arc<str>,
        url: &Url,
        ca_file: Option<&Path>,
        limits: HostLimits,
    ) -> Result<HttpHost, ClientError> {
        Ok(HttpHost {
            name,
            http: self.client(ca_file, AddressScope::from_url(url) == AddressScope::Loopback)?,
            resolver: Arc::clone(&self.resolver),
            requests: Arc::clone(&self.requests),
            share: self.memory.share(),
            connections: Semaphore::new(limits.connections),
            rate_limiter: RateLimiter::new(limits.rate),
            circuit_breaker: CircuitBreaker::new(limits.failures_to_open),
            limits,
        })
    }

    /// The client with the certificates in `ca_file` in addition to the system's, and for hosts on this machine without
    /// a proxy. Built on demand because loading certificates is slow.
    pub(crate) fn client(&self, ca_file: Option<&Path>, is_loopback: bool) -> Result<Client, ClientError> {
        let key = (ca_file.map(Path::to_owned), is_loopback);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .user_agent(concat!("basewatch/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            .dns_resolver(Arc::clone(&self.resolver))
            // `HttpHost` checks each hop; the client follows none itself.
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_merge(ca_file.map(certificates_in).transpose()?.unwrap_or_default());
        if is_loopback {
            builder = builder.no_proxy();
        }
        let client =
            builder.build().map_err(|error| ClientError::Tls(innermost(&error).unwrap_or(&error).to_string()))?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

fn certificates_in(file: &Path) -> Result<Vec<Certificate>, ClientError> {
    let wrong = |why: String| ClientError::CaFile(file.to_owned(), why);
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() { Err(wrong("it contains no PEM certificate".to_owned())) } else { Ok(certificates) }
}
