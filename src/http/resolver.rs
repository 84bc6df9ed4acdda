//! Name resolution without forbidden addresses. The connection uses its result, so a second lookup cannot differ.

use std::{
    collections::HashMap,
    env, fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};

use futures::future::BoxFuture;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use super::{AddressScope, HostTrust};

/// The variables that name proxies, as reqwest reads them.
pub(super) const PROXY_VARIABLES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// A function that looks up a name.
type DnsLookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// A request that is not sent because of its destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} resolves to an internal address ({address}), which is not contacted")]
pub(crate) struct ForbiddenAddress {
    /// The host.
    host: String,
    /// The address, or the host itself if its name decides.
    address: String,
    reach: AddressScope,
}

impl ForbiddenAddress {
    /// Whether it would be allowed if the configuration named it.
    pub(crate) fn is_private(&self) -> bool {
        self.reach == AddressScope::Private
    }
}

/// Resolves host names, restricted by the trust of each host.
pub(crate) struct HostResolver {
    /// The trust of other hosts.
    standard: HostTrust,
    /// The trust by host, in lower case and without a port.
    hosts: RwLock<HashMap<String, HostTrust>>,
    lookup: Arc<DnsLookup>,
}

impl HostResolver {
    /// A resolver with the trust `standard` for hosts without their own. Proxies of the environment are always trusted,
    /// because the operator named them.
    pub(crate) fn new(standard: HostTrust) -> Self {
        let resolver = Self::with_lookup(standard, |name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        });
        for proxy in PROXY_VARIABLES.iter().filter_map(|name| env::var(name).ok()) {
            // The scheme may be missing.
            let url =
                Url::parse(&proxy).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("http://{proxy}")).ok());
            if let Some(host) = url.as_ref().and_then(Url::host_str) {
                resolver.trust(host, HostTrust::Loopback);
            }
        }
        resolver
    }

    /// A resolver that looks names up with `lookup`.
    pub(crate) fn with_lookup(
        standard: HostTrust,
        lookup: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync + 'static,
    ) -> Self {
        Self { standard, hosts: RwLock::default(), lookup: Arc::new(lookup) }
    }

    /// Raises the trust of `host` to `trust`.
    pub(crate) fn trust(&self, host: &str, trust: HostTrust) {
        if trust > self.standard {
            let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
            let known = hosts.entry(key(host)).or_insert(trust);
            *known = (*known).max(trust);
        }
    }

    /// The trust of `host`.
    pub(crate) fn trust_in(&self, host: &str) -> HostTrust {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.get(&key(host)).copied().unwrap_or(self.standard)
    }

    /// Checks the host of `url` by its name or address alone.
    ///
    /// # Errors
    ///
    /// If it must not be contacted.
    pub(crate) fn check(&self, url: &Url) -> Result<(), ForbiddenAddress> {
        let host = url.host_str().unwrap_or_default();
        let reach = AddressScope::from_host(host);
        if self.trust_in(host).permits(reach) {
            return Ok(());
        }
        Err(ForbiddenAddress { host: host.to_owned(), address: host.to_owned(), reach })
    }
}

impl fmt::Debug for HostResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("standard", &self.standard).finish_non_exhaustive()
    }
}

impl Resolve for HostResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let (trust, looked_up) = (self.trust_in(&host), (self.lookup)(host.clone()));
        Box::pin(async move {
            let found = looked_up.await?;
            let permitted: Vec<_> =
                found.iter().filter(|address| trust.permits(AddressScope::from_address(**address))).copied().collect();
            match found.first() {
                Some(refused) if permitted.is_empty() => {
                    let (address, reach) = (refused.to_string(), AddressScope::from_address(*refused));
                    Err(ForbiddenAddress { host, address, reach }.into())
                }
                _ => Ok(Box::new(permitted.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs),
            }
        })
    }
}

fn key(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A resolver that finds `addresses` under every name.
    fn resolver(standard: HostTrust, addresses: &[&str]) -> HostResolver {
        let found: Vec<IpAddr> = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        HostResolver::with_lookup(standard, move |_| {
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        })
    }

    async fn addresses(resolver: &HostResolver, host: &str) -> Result<Vec<String>, String> {
        let found = resolver.resolve(host.parse().expect("a name")).await;
        found.map(|found| found.map(|at| at.ip().to_string()).collect()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_public_name_that_resolves_to_an_internal_address_is_not_contacted() {
        for internal in ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "64:ff9b::a9fe:a9fe", "::ffff:192.168.0.1"]
        {
            let error =
                addresses(&resolver(HostTrust::Public, &[internal]), "cdn.example.com").await.expect_err(internal);
            assert!(error.contains("cdn.example.com resolves to an internal address"), "{error}");
        }
        let mixed = resolver(HostTrust::Public, &["10.0.0.1", "8.8.8.8", "127.0.0.1"]);
        assert_eq!(addresses(&mixed, "cdn.example.com").await, Ok(vec!["8.8.8.8".to_owned()]));
    }

    #[tokio::test]
    async fn a_named_host_may_be_private_and_this_machine_but_never_a_metadata_service() {
        let all = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00:ec2::254"];
        let resolver = resolver(HostTrust::Public, &all);
        resolver.trust("Registry.Example.com", HostTrust::Private);
        resolver.trust("dev.example.com.", HostTrust::Loopback);
        resolver.trust("dev.example.com", HostTrust::Private);
        assert_eq!(addresses(&resolver, "registry.example.com.").await, Ok(vec!["10.0.0.1".to_owned()]));
        let both = vec!["10.0.0.1".to_owned(), "127.0.0.1".to_owned()];
        assert_eq!(addresses(&resolver, "dev.example.com").await, Ok(both));
        assert!(addresses(&resolver, "other.example.com").await.is_err());
    }

    #[tokio::test]
    async fn an_unknown_name_is_distinguished_from_a_forbidden_one() {
        assert_eq!(addresses(&resolver(HostTrust::Public, &[]), "gone.example.com").await, Ok(Vec::new()));
    }

    #[test]
    fn a_host_is_checked_by_name_before_it_is_resolved() {
        let resolver = resolver(HostTrust::Public, &[]);
        resolver.trust("minio.corp", HostTrust::Private);
        resolver.trust("127.0.0.1", HostTrust::Loopback);
        let check = |url: &str| resolver.check(&url.parse().expect("a URL")).is_ok();
        assert!(check("https://cdn.example.com/x") && check("https://minio.corp/") && check("http://127.0.0.1:5000/"));
        assert!(!check("https://10.0.0.1/") && !check("https://other.corp/") && !check("http://127.0.0.2/"));
        assert!(!check("http://localhost./") && !check("http://0x7f.2/") && !check("http://[64:ff9b::7f00:1]/"));
    }
}
