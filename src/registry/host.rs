//! One registry: its endpoint, its settings, and authenticated requests to it.

use std::sync::Arc;

use reqwest::{StatusCode, Url};
use tokio::sync::Semaphore;

use super::{
    AwsLogins, ECR_PUBLIC, EcrHost, Error, HostSettings, MissingContent, NetworkSettings, Result, SettingsError,
    auth::Authenticator,
    credential_source::CredentialSource,
    error_response,
    head::HeadSupport,
    redirects::{OBJECT_STORES, OWN_HOST},
    token::{BearerChallenge, TokenRules},
};
use crate::{
    http::{AddressScope, HostLimits, HostTrust, HttpClient, HttpHost, HttpRequest, HttpResponse, RequestKind},
    image::{DOCKER_HUB, Repository, normalize_host},
};

/// Requests a second to public.ecr.aws, per the service quotas of Amazon ECR Public.
const ANONYMOUS_RATE: f64 = 1.0;
const GRANTED_RATE: f64 = 10.0;

/// One registry.
pub(super) struct RegistryHost {
    /// The endpoint, without a trailing slash in its path.
    base: Url,
    /// The prefix of every repository name: that of a pull-through cache.
    prefix: Vec<String>,
    /// The pull-through cache or mirror that serves it, as references name it.
    pub(super) cache: Option<String>,
    pub(super) head: HeadSupport,
    /// The host that references name.
    name: Arc<str>,
    http: HttpHost,
    pub(super) authenticator: Authenticator,
    /// Lets one request through until its result, then all; see [`RegistryHost::first`].
    first_request: Semaphore,
}

impl RegistryHost {
    pub(super) fn new(
        host: &Arc<str>,
        settings: &HostSettings,
        network: &NetworkSettings,
        http: &HttpClient,
        aws: Option<Arc<dyn AwsLogins>>,
        trust: HostTrust,
    ) -> Result<Self, SettingsError> {
        let mut base = base_of(host, settings)?;
        let cache = pull_through_cache(&mut base);
        if let Some(cache) = cache.as_ref().filter(|cache| *cache.host != **host) {
            // The cache is a registry itself and may have its own endpoint.
            if let Some(settings) = network.hosts.get(&*cache.host) {
                base = base_of(&cache.host, settings)?;
            }
        }
        http.resolver.trust(base.host_str().unwrap_or_default(), trust);
        for listed in &settings.token_hosts {
            http.resolver.trust(without_port(listed), HostTrust::Loopback);
        }
        let is_ecr_public = &**host == ECR_PUBLIC && cache.is_none();
        let limits = HostLimits {
            request_timeout: network.request_timeout,
            retries: network.retries,
            retry_wait: network.retry_wait,
            // An audit has no later attempt.
            is_deferrable: false,
            rate: settings.rate.or(is_ecr_public.then_some(ANONYMOUS_RATE)),
            connections: settings.connections,
            failures_to_open: 1,
            is_throttled: error_response::is_throttled,
        };
        let http = http.host(Arc::clone(host), &base, settings.ca_file.as_deref(), limits)?;
        let rules = TokenRules { base: base.clone(), token_hosts: settings.token_hosts.clone() };
        let issuer = cache.as_ref().map_or(host, |cache| &cache.host);
        let authenticator = Authenticator::new(
            Arc::clone(host),
            CredentialSource::new(issuer, settings.auth.clone(), aws),
            rules,
            (is_ecr_public && settings.endpoint.is_none()).then(ecr_public_challenge).flatten(),
            (is_ecr_public && settings.rate.is_none()).then_some((ANONYMOUS_RATE, GRANTED_RATE)),
        );
        let named = Self::cache_name(host, settings);
        let prefix = cache.map(|cache| cache.prefix).unwrap_or_default();
        Ok(Self {
            base,
            prefix,
            cache: named,
            head: HeadSupport::default(),
            name: Arc::clone(host),
            http,
            authenticator,
            first_request: Semaphore::new(1),
        })
    }

    /// Checks that the endpoint of `host` and its certificates are usable.
    pub(super) fn check(host: &str, settings: &HostSettings, http: &HttpClient) -> Result<(), SettingsError> {
        let base = base_of(host, settings)?;
        if let Some(ca_file) = &settings.ca_file {
            http.client(Some(ca_file), is_loopback(&base))?;
        }
        Ok(())
    }

    /// The pull-through cache or mirror that `host` is read through by these settings, as references name it.
    pub(super) fn cache_name(host: &str, settings: &HostSettings) -> Option<String> {
        let mut base = base_of(host, settings).ok()?;
        match pull_through_cache(&mut base) {
            Some(cache) => (*cache.host != *host).then(|| format!("{}/{}", cache.host, cache.prefix.join("/"))),
            None => mirror(host, settings, &base),
        }
    }

    /// The request for `path` below `/v2/<repository>/`.
    pub(super) fn request(&self, repository: &str, path: &[&str], kind: RequestKind, what: String) -> HttpRequest {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v2").extend(&self.prefix);
            segments.extend(repository.split('/')).extend(path);
        }
        let redirects = if kind == RequestKind::Blob { OBJECT_STORES } else { OWN_HOST };
        HttpRequest { redirects, ..HttpRequest::get(url, kind, what) }
    }

    /// The response to `request` about `repository`, with authentication and retries; `missing` is what the repository
    /// lacks if the registry answers 404.
    pub(super) async fn send(
        &self,
        repository: &Repository,
        request: &HttpRequest,
        missing: Option<MissingContent>,
    ) -> Result<RegistryResponse> {
        let name = &repository.name;
        let mut first = self.first().await;
        let mut authorization = self.authenticator.authorization(&self.http, name).await?;
        let mut is_renewed = false;
        tracing::debug!(registry = %self.name, path = request.url.path(), "asking");
        let mut attempts = self.http.attempts(request);
        loop {
            let attempt = attempts.next(&authorization.headers()).await;
            match attempt.map_err(|error| error_response::failed(&self.name, &request.what, &error))? {
                Some(http) if http.status.is_success() => {
                    let redacted = self.authenticator.sent.removed_from_document(&http.body, &authorization);
                    return Ok(RegistryResponse { http, redacted });
                }
                Some(response)
                    if !is_renewed && Authenticator::is_curable(&request.method, &response, &authorization) =>
                {
                    authorization =
                        self.authenticator.renew(&self.http, request, name, &response, &authorization).await?;
                    is_renewed = true;
                }
                Some(response) => {
                    return Err(match missing.filter(|_| response.status == StatusCode::NOT_FOUND) {
                        Some(missing) => Error::NotFound {
                            repository: repository.clone(),
                            missing,
                            cache: self.cache.as_ref().map(|cache| cached(cache, repository)),
                        },
                        None => error_response::refused(&self.name, &request.what, &response),
                    });
                }
                // A throttling registry has sent no challenge yet.
                None if attempts.is_throttled => {}
                // The failure may concern this document only, so others need not wait for its retries.
                None => drop(first.take()),
            }
        }
    }

    /// Lets the first request to a registry receive its challenge while the others wait, instead of each being refused.
    async fn first(&self) -> Option<FirstRequest<'_>> {
        let permit = self.first_request.acquire().await.ok()?;
        permit.forget();
        Some(FirstRequest(&self.first_request))
    }
}

/// Held by the first request until its result.
struct FirstRequest<'a>(&'a Semaphore);

impl Drop for FirstRequest<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A successful response of a registry. It must not be logged, because it may have a token.
pub(super) struct RegistryResponse {
    pub(super) http: HttpResponse,
    /// The body with credentials redacted; `None` if it contains none.
    pub(super) redacted: Option<Vec<u8>>,
}

impl RegistryResponse {
    /// The body, with credentials redacted.
    pub(super) fn document(&self) -> &[u8] {
        self.redacted.as_deref().unwrap_or(&self.http.body)
    }
}

fn is_loopback(url: &Url) -> bool {
    AddressScope::from_url(url) == AddressScope::Loopback
}

/// The host of `listed` without its port.
pub(super) fn without_port(listed: &str) -> &str {
    let port = listed.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    port.map_or(listed, |(host, _)| host)
}

/// The endpoint of `host`.
fn base_of(host: &str, settings: &HostSettings) -> Result<Url, SettingsError> {
    let wrong = |why: String| SettingsError::Endpoint(host.to_owned(), why);
    let text = match &settings.endpoint {
        Some(endpoint) => endpoint.clone(),
        None if host == DOCKER_HUB => "https://registry-1.docker.io".to_owned(),
        None => default_endpoint(host, settings),
    };
    let mut base: Url = text.parse().map_err(|error| wrong(format!("it is not a URL: {error}")))?;
    if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
        return Err(wrong("it must start with https:// or http://".to_owned()));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("it must not contain credentials".to_owned()));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("it must not have a query or fragment".to_owned()));
    }
    if base.scheme() == "http" && !is_loopback(&base) && !settings.plain_http {
        return Err(SettingsError::PlainHttp(host.to_owned()));
    }
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    Ok(base)
}

/// A pull-through cache: a private ECR registry that serves another registry's repositories under a prefix.
struct PullThroughCache {
    host: Arc<str>,
    prefix: Vec<String>,
}

/// The pull-through cache of `base`, whose path is removed: ECR serves `/v2/` at its root, so a path at an ECR host is
/// the prefix of the cached repositories
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-working.html>).
fn pull_through_cache(base: &mut Url) -> Option<PullThroughCache> {
    let host: Arc<str> = base.host_str().filter(|host| EcrHost::parse(host).is_some())?.into();
    let prefix: Vec<_> = base.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    base.set_path("");
    Some(PullThroughCache { host, prefix })
}

/// The name of `repository` in `cache`.
pub(super) fn cached(cache: &str, repository: &Repository) -> Repository {
    let (registry, prefix) = cache.split_once('/').unwrap_or((cache, ""));
    let name = if prefix.is_empty() { repository.name.to_string() } else { format!("{prefix}/{}", repository.name) };
    Repository { registry: registry.into(), name: name.into() }
}

/// The mirror that serves `host`, if its endpoint is one. A private ECR endpoint is not a mirror: it may be a VPC
/// endpoint, and caches repositories under a prefix only.
fn mirror(host: &str, settings: &HostSettings, base: &Url) -> Option<String> {
    let is_itself = settings.endpoint.is_none() || settings.full_mirror || EcrHost::parse(host).is_some();
    let address = match (base.host_str()?, base.port()) {
        (name, Some(port)) => format!("{name}:{port}"),
        (name, None) => name.to_owned(),
    };
    let is_same = normalize_host(&address) == normalize_host(host);
    (!is_itself && !is_same).then(|| format!("{address}{}", base.path().trim_end_matches('/')))
}

fn default_endpoint(host: &str, settings: &HostSettings) -> String {
    let https = format!("https://{host}");
    let is_loopback = https.parse().is_ok_and(|url| is_loopback(&url));
    let is_plain = settings.plain_http || (is_loopback && settings.ca_file.is_none());
    if is_plain { format!("http://{host}") } else { https }
}

/// ECR Public uses the same token for everything, so the first 401 is not needed.
fn ecr_public_challenge() -> Option<BearerChallenge> {
    Some(BearerChallenge {
        realm: format!("https://{ECR_PUBLIC}/token/").parse().ok()?,
        service: Some(ECR_PUBLIC.to_owned()),
        scope: Some("aws".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(host: &str, settings: &HostSettings) -> String {
        base_of(host, settings).map_or_else(|error| error.to_string(), String::from)
    }

    #[test]
    fn requests_go_where_the_registry_is() {
        let plain = HostSettings { plain_http: true, ..HostSettings::default() };
        let with_ca = HostSettings { ca_file: Some("ca.pem".into()), ..HostSettings::default() };
        let at = |endpoint: &str| HostSettings { endpoint: Some(endpoint.into()), ..HostSettings::default() };
        let default = HostSettings::default();
        for (host, settings, expected) in [
            ("public.ecr.aws", &default, "https://public.ecr.aws/"),
            ("docker.io", &default, "https://registry-1.docker.io/"),
            ("127.0.0.1:5000", &default, "http://127.0.0.1:5000/"),
            ("localhost", &default, "http://localhost/"),
            ("localhost:5000", &with_ca, "https://localhost:5000/"),
            ("r.corp:5000", &plain, "http://r.corp:5000/"),
            ("public.ecr.aws", &at("http://127.0.0.1:5001"), "http://127.0.0.1:5001/"),
            ("public.ecr.aws", &at("https://mirror.corp/ecr-public/"), "https://mirror.corp/ecr-public"),
        ] {
            assert_eq!(base(host, settings), expected, "{host}");
        }
    }

    #[test]
    fn the_path_of_a_pull_through_cache_is_the_prefix_of_its_repositories() {
        let cache =
            |url: &str| pull_through_cache(&mut url.parse().expect(url)).map(|cache| (cache.host, cache.prefix));
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        assert_eq!(
            cache(&format!("https://{host}/ecr-public")),
            Some((host.into(), vec!["ecr-public".to_owned()])),
            "public.ecr.aws/lambda/java is asked for as ecr-public/lambda/java"
        );
        assert_eq!(cache(&format!("https://{host}")), Some((host.into(), Vec::new())));
        assert_eq!(cache("https://mirror.corp/ecr-public"), None);
    }

    #[test]
    fn an_endpoint_elsewhere_is_a_mirror_unless_it_is_configured_as_complete() {
        let named = |host: &str, endpoint: &str, full_mirror| {
            let settings = HostSettings { endpoint: Some(endpoint.into()), full_mirror, ..HostSettings::default() };
            mirror(host, &settings, &base_of(host, &settings).expect("a base"))
        };
        for (host, endpoint, mirror) in [
            ("public.ecr.aws", "https://mirror.corp/ecr-public/", Some("mirror.corp/ecr-public")),
            ("public.ecr.aws", "http://127.0.0.1:5001", Some("127.0.0.1:5001")),
            ("docker.io", "https://mirror.corp:8443", Some("mirror.corp:8443")),
            ("docker.io", "https://registry-1.docker.io", None),
            ("127.0.0.1:5000", "https://127.0.0.1:5000", None),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "https://vpce-1.ecr.eu-west-1.vpce.amazonaws.com", None),
        ] {
            assert_eq!(named(host, endpoint, false).as_deref(), mirror, "{host} {endpoint}");
            assert_eq!(named(host, endpoint, true), None);
        }
        assert_eq!(mirror("quay.io", &HostSettings::default(), &"https://quay.io".parse().expect("a URL")), None);
    }

    #[test]
    fn a_token_of_ecr_public_is_requested_before_the_first_refusal() {
        let challenge = ecr_public_challenge().expect("a challenge");
        assert_eq!(challenge.realm.as_str(), "https://public.ecr.aws/token/");
        assert!(!challenge.is_per_repository(), "one token for all repositories");
        let base = base_of(ECR_PUBLIC, &HostSettings::default()).expect("a base");
        assert!(TokenRules { base, token_hosts: Vec::new() }.check(&challenge.realm, true).is_ok());
    }

    #[test]
    fn plain_http_beyond_loopback_has_to_be_configured() {
        let at = |endpoint: &str, plain_http| HostSettings {
            endpoint: Some(endpoint.into()),
            plain_http,
            ..HostSettings::default()
        };
        for endpoint in ["http://mirror.corp", "http://10.0.0.1:5000", "http://localhost.corp"] {
            assert!(matches!(base_of("r.io", &at(endpoint, false)), Err(SettingsError::PlainHttp { .. })));
            assert!(base_of("r.io", &at(endpoint, true)).is_ok());
        }
        assert!(base_of("r.io", &at("http://[::1]:5000", false)).is_ok());
        for endpoint in ["", "mirror", "ftp://x", "https://u:p@x", "https://x?y=z", "https://"] {
            assert!(matches!(base_of("r.io", &at(endpoint, true)), Err(SettingsError::Endpoint { .. })), "{endpoint}");
        }
    }
}
