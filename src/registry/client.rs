//! The [`Registry`] over HTTP: requests for documents, and their verification.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{FutureExt as _, future::BoxFuture};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, LINK},
};

use super::{
    AwsLogins, Error, FetchedManifest, HostSettings, MissingContent, NetworkSettings, Registry, Result, SettingsError,
    TagList, TagTarget,
    allow::AllowList,
    host::{self, RegistryHost},
    link,
    tag_page::{TAGS_PER_PAGE, TagPage},
    verify::{announced_digest, expect_pinned, verify},
};
use crate::{
    http::{HostResolver, HostTrust, HttpClient, HttpRequest, RequestCounter, RequestKind, ResponseBody, TimeBudget},
    image::{Digest, DigestKind, ImageManifest, ManifestDocument, Reference, Repository, StatementDescriptor, is_tag},
};

/// The longest manifest or index, in bytes (OCI distribution specification, "Pushing Manifests").
const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;
/// The longest page of a tag list, in bytes.
const TAGS_BYTES: u64 = 4 * 1024 * 1024;
/// The time limit of a tag list with all pages and retries, in timeouts of one request.
const TAGS_TIMEOUTS: u32 = 6;
/// All of [`crate::image::MANIFEST_MEDIA_TYPES`]; a registry converts or denies types that are not accepted.
const ACCEPT_MANIFEST: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Registries over HTTP.
pub struct DistributionClient {
    allow: AllowList,
    network: NetworkSettings,
    pub(super) aws: Option<Arc<dyn AwsLogins>>,
    http: HttpClient,
    hosts: Mutex<HashMap<Arc<str>, Arc<RegistryHost>>>,
    /// Pull-through caches of registries, by the registry.
    offered: Mutex<HashMap<String, String>>,
}

impl DistributionClient {
    /// A client with `settings`, and the logins of `aws` if there are AWS credentials. Requests are counted in
    /// `requests`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if an endpoint or a CA file is unusable. No request is sent.
    pub fn new(
        settings: NetworkSettings,
        aws: Option<Arc<dyn AwsLogins>>,
        requests: Arc<RequestCounter>,
    ) -> Result<Self, SettingsError> {
        Self::with_resolver(settings, aws, requests, HostResolver::new(HostTrust::Public))
    }

    /// The same, with names resolved by `resolver`.
    pub(super) fn with_resolver(
        settings: NetworkSettings,
        aws: Option<Arc<dyn AwsLogins>>,
        requests: Arc<RequestCounter>,
        resolver: HostResolver,
    ) -> Result<Self, SettingsError> {
        let http = HttpClient::new(settings.connect_timeout, resolver, requests);
        for (name, host) in &settings.hosts {
            host.check(name)?;
            RegistryHost::check(name, host, &http)?;
        }
        // A configured host may also be the target of a redirect.
        for host in settings.allow.iter().filter(|pattern| !pattern.contains('*')) {
            http.resolver.trust(host::without_port(host), HostTrust::Private);
        }
        Ok(Self {
            allow: AllowList::new(&settings.allow),
            network: settings,
            aws,
            http,
            hosts: Mutex::default(),
            offered: Mutex::default(),
        })
    }

    /// Allows the private ECR registries of `account`, which is being audited.
    pub fn allow_account(&self, account: &str) {
        self.allow.add_account(account);
    }

    /// The authentication of each contacted host: `anonymous`, `ecr`, `ecr-public`, `basic` or `docker-config`.
    #[must_use]
    pub fn authentication(&self) -> BTreeMap<String, String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().map(|(name, host)| (name.to_string(), host.authenticator.used().to_owned())).collect()
    }

    /// The hosts read through a pull-through cache or a mirror, each with that:
    /// `123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public`.
    #[must_use]
    pub fn caches(&self) -> BTreeMap<String, String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().filter_map(|(name, host)| Some((name.to_string(), host.cache.clone()?))).collect()
    }

    /// Lets `registry` be read through the pull-through cache `prefix`, as in
    /// `123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public`, if it is unreachable.
    pub fn offer_cache(&self, registry: &str, prefix: &str) {
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        offered.entry(registry.to_owned()).or_insert_with(|| format!("https://{prefix}"));
    }

    /// The response of `registry`, or that of its pull-through cache if the registry is unreachable, as from a VPC
    /// without internet access.
    fn reach<'a, T: Send>(
        &'a self,
        registry: &'a Arc<str>,
        send: impl Fn() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move {
            let response = match send().await {
                Err(Error::Unreachable { .. }) if self.turn_to_cache(registry) => send().await,
                response => response,
            };
            response.map_err(|error| self.redacted(registry, error))
        })
    }

    /// `error`, with credentials redacted that it quotes from `registry`.
    pub(super) fn redacted(&self, registry: &str, error: Error) -> Error {
        let host = self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(registry).cloned();
        match host {
            Some(host) => host.authenticator.sent.removed_from(error),
            // Nothing was sent to it.
            None => error,
        }
    }

    /// Whether `registry` is read through a cache from now on.
    fn turn_to_cache(&self, registry: &Arc<str>) -> bool {
        let offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner).get(&**registry).cloned();
        let settings = self.network.hosts.get(&**registry).cloned().unwrap_or_default();
        let Some(endpoint) = offered.filter(|_| settings.endpoint.is_none()) else { return false };
        let settings = HostSettings { endpoint: Some(endpoint), ..settings };
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.get(registry).is_some_and(|host| host.cache.is_some()) {
            return true;
        }
        // A cache is in ECR and may be reachable through a VPC endpoint.
        let connected =
            RegistryHost::new(registry, &settings, &self.network, &self.http, self.aws.clone(), HostTrust::Private);
        let Ok(host) = connected else { return false };
        hosts.insert(Arc::clone(registry), Arc::new(host));
        true
    }

    /// The host, if it is allowed.
    pub(super) fn host(&self, repository: &Repository) -> Result<Arc<RegistryHost>> {
        let registry = &repository.registry;
        let not_allowed = || Error::NotAllowed { registry: registry.to_string() };
        let trust = self.allow.trust(registry).ok_or_else(not_allowed)?;
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let malformed = |error: SettingsError| Error::Malformed { what: registry.to_string(), why: error.to_string() };
        let settings = self.network.hosts.get(&**registry).cloned().unwrap_or_default();
        // The endpoint is configured.
        let trust = if settings.endpoint.is_some() { HostTrust::Loopback } else { trust };
        let host = RegistryHost::new(registry, &settings, &self.network, &self.http, self.aws.clone(), trust);
        let host = Arc::new(host.map_err(malformed)?);
        hosts.insert(Arc::clone(registry), Arc::clone(&host));
        Ok(host)
    }

    async fn head_of(&self, reference: &Reference) -> Result<TagTarget> {
        let host = self.host(&reference.repository)?;
        let request = manifest_request(&host, reference, RequestKind::Head)?;
        let mut is_refused = false;
        if host.head.is_useful() {
            let missing = Some(MissingContent::from_reference(reference));
            match host.send(&reference.repository, &request, missing).await {
                Ok(response) => {
                    host.head.succeeded();
                    if let Some(digest) = announced_digest(&response.http) {
                        expect_pinned(reference, &digest)?;
                        let media_type = response.http.header(CONTENT_TYPE).and_then(|value| value.split(';').next());
                        let kind = media_type.and_then(|value| DigestKind::from_media_type(value.trim()));
                        return Ok(TagTarget { digest, kind });
                    }
                }
                Err(error) if host.head.is_doubtful(&error) => is_refused = true,
                Err(error) => return Err(error),
            }
        }
        let fetched = self.manifest_of(reference).await?;
        if is_refused {
            host.head.contradicted();
        }
        Ok(TagTarget { kind: Some(fetched.document.kind()), digest: fetched.digest })
    }

    async fn manifest_of(&self, reference: &Reference) -> Result<FetchedManifest> {
        let host = self.host(&reference.repository)?;
        let request = manifest_request(&host, reference, RequestKind::Manifest)?;
        let missing = Some(MissingContent::from_reference(reference));
        let response = host.send(&reference.repository, &request, missing).await?;
        // A manifest GET on public.ecr.aws carries no digest header (aws/containers-roadmap#1931), so the hash of the
        // body counts; a different header is still an error.
        for expected in reference.digest.iter().chain(announced_digest(&response.http).iter()) {
            verify(&request.what, expected, &response.http.body)?;
        }
        let digest = reference.digest.clone().unwrap_or_else(|| Digest::sha256(&response.http.body));
        let document = ManifestDocument::parse(response.document(), response.http.header(CONTENT_TYPE))
            .map_err(|error| Error::Malformed { what: request.what, why: error.to_string() })?;
        Ok(FetchedManifest { digest, document })
    }

    async fn tags_of(&self, repository: &Repository) -> Result<TagList> {
        let host = self.host(repository)?;
        let what = format!("the tag list of {repository}");
        let mut request = HttpRequest {
            limit_bytes: TAGS_BYTES,
            accept: "application/json",
            budget: Some(Arc::new(TimeBudget::new(self.network.request_timeout * TAGS_TIMEOUTS))),
            ..host.request(&repository.name, &["tags", "list"], RequestKind::Tags, what)
        };
        request.url.set_query(Some(&format!("n={TAGS_PER_PAGE}")));
        let malformed = |why: String| Error::Malformed { what: format!("the tag list of {repository}"), why };
        let mut tags = Vec::new();
        let mut requested = HashSet::new();
        // A tag that contains our credentials is left out, so the list is incomplete.
        let mut is_whole = true;
        for _ in 0..self.network.tag_pages {
            requested.insert(request.url.clone());
            let response = host.send(repository, &request, Some(MissingContent::TagList)).await?;
            let page = TagPage::parse(response.document()).map_err(|error| malformed(error.to_string()))?;
            is_whole &= response.redacted.is_none();
            tags.extend(page.tags);
            if page.has_more {
                break;
            }
            let links = response.http.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
            let Some(target) = link::next(links) else { return Ok(TagList { tags, is_complete: is_whole }) };
            request.url = link::resolve(&request.url, target).map_err(malformed)?;
            // The list repeats itself, or pages exceed the requested size.
            if requested.contains(&request.url) || tags.len() >= TAGS_PER_PAGE.saturating_mul(self.network.tag_pages) {
                break;
            }
        }
        Ok(TagList { tags, is_complete: false })
    }
}

impl Registry for DistributionClient {
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<TagTarget>> {
        self.reach(&reference.repository.registry, || self.head_of(reference).boxed())
    }

    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<FetchedManifest>> {
        self.reach(&reference.repository.registry, || self.manifest_of(reference).boxed())
    }

    fn config<'a>(
        &'a self,
        repository: &'a Repository,
        manifest: &'a ImageManifest,
    ) -> BoxFuture<'a, Result<ResponseBody>> {
        self.reach(&repository.registry, || self.config_of(repository, manifest).boxed())
    }

    fn statement<'a>(
        &'a self,
        repository: &'a Repository,
        statement: &'a StatementDescriptor,
    ) -> BoxFuture<'a, Result<ResponseBody>> {
        self.reach(&repository.registry, || self.statement_of(repository, statement).boxed())
    }

    fn attestations<'a>(&'a self, repository: &'a Repository, image: &'a Digest) -> BoxFuture<'a, Result<Vec<Digest>>> {
        self.reach(&repository.registry, || self.attestations_of(repository, image).boxed())
    }

    fn tags<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<TagList>> {
        self.reach(&repository.registry, || self.tags_of(repository).boxed())
    }

    fn is_allowed(&self, repository: &Repository) -> bool {
        self.allow.trust(&repository.registry).is_some()
    }

    fn cache_of(&self, repository: &Repository) -> Option<Repository> {
        let registry = &repository.registry;
        let connected = self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(registry).cloned();
        let cache = match connected {
            Some(host) => host.cache.clone(),
            None => RegistryHost::cache_name(registry, self.network.hosts.get(&**registry)?),
        };
        cache.map(|cache| host::cached(&cache, repository))
    }
}

/// The request for the manifest of `reference`: by digest, else by tag.
pub(super) fn manifest_request(host: &RegistryHost, reference: &Reference, kind: RequestKind) -> Result<HttpRequest> {
    let what = reference.to_string();
    let malformed = |why: &str| Error::Malformed { what: what.clone(), why: why.to_owned() };
    let name = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.as_str(),
        (None, Some(tag)) if is_tag(tag) => tag,
        (None, Some(_)) => return Err(malformed("its tag is malformed")),
        (None, None) => return Err(malformed("it names neither a tag nor a digest")),
    };
    let request = host.request(&reference.repository.name, &["manifests", name], kind, what.clone());
    let method = if kind == RequestKind::Head { Method::HEAD } else { Method::GET };
    Ok(HttpRequest { method, limit_bytes: MANIFEST_BYTES, accept: ACCEPT_MANIFEST, ..request })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use reqwest::{Url, dns::Resolve as _};

    use testbed::registry::{ImageSpec, Loopback, Stock};

    use super::*;
    use crate::{http::next_hop, registry::redirects::OBJECT_STORES};

    /// A client for whom every name leads to `address`; plain HTTP is spoken with `registry`.
    fn client(allow: &[&str], registry: &str, address: &str) -> DistributionClient {
        let address: IpAddr = address.parse().expect("an address");
        let plain = HostSettings { plain_http: true, ..HostSettings::default() };
        let settings = NetworkSettings {
            allow: allow.iter().map(|&pattern| pattern.to_owned()).collect(),
            hosts: [(registry.to_owned(), plain)].into(),
            ..NetworkSettings::default()
        };
        let resolver =
            HostResolver::with_lookup(HostTrust::Public, move |_| Box::pin(async move { Ok(vec![address]) }));
        DistributionClient::with_resolver(settings, None, Arc::default(), resolver).expect("valid settings")
    }

    /// A registry with one image, and its port.
    fn registry() -> (Loopback, String) {
        let stock = Stock::new();
        let digest = stock.push_image("x", &ImageSpec::default());
        stock.tag("x", "1", &digest);
        let loopback = Loopback::start(stock).expect("a port");
        let port = loopback.host().rsplit_once(':').expect("a port").1.to_owned();
        (loopback, port)
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_contacted_only_if_it_is_configured() {
        let (loopback, port) = registry();
        let host = format!("dev.example.com:{port}");
        let reference = format!("{host}/x:1").parse().expect("a reference");
        let covered = client(&[&format!("*.example.com:{port}")], &host, "127.0.0.1");
        let error = covered.manifest(&reference).await.expect_err("not by a pattern").to_string();
        assert!(error.contains("dev.example.com resolves to an internal address (127.0.0.1)"), "{error}");
        assert!(loopback.requests().is_empty());
        let named = client(&[&host], &host, "127.0.0.1");
        named.manifest(&reference).await.expect("the configuration names it");
        assert!(!loopback.requests().is_empty());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_metadata_service_is_never_contacted() {
        let reference = "dev.example.com/x:1".parse().expect("a reference");
        for address in ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "240.0.0.1"]
        {
            let error = client(&["dev.example.com"], "dev.example.com", address).head(&reference).await;
            let error = error.expect_err(address).to_string();
            assert!(error.contains("internal address") && !error.contains("network.allow"), "{error}");
        }
    }

    #[tokio::test]
    async fn ecr_and_its_layers_are_read_through_vpc_endpoints() {
        const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        const S3: &str = "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com";
        let client = client(&[], ECR, "10.0.1.5");
        client.allow_account("123456789012");
        let repository = format!("{ECR}/orders").parse().expect("a repository");
        client.host(&repository).expect("an audited account");
        let resolver = &client.http.resolver;
        let is_reached = async |host: &str| resolver.resolve(host.parse().expect("a name")).await.is_ok();
        let redirected = |origin: &str, to: &str| {
            let origin: Url = format!("https://{origin}/v2/x/blobs/y").parse().expect("a URL");
            let next = next_hop(&origin, &origin, &format!("https://{to}/z"), OBJECT_STORES);
            let (to, trust) = next.expect("allowed");
            resolver.trust(to.host_str().expect("a host"), trust);
        };
        assert!(is_reached(ECR).await && !is_reached(S3).await);
        redirected("registry.example.com", S3);
        assert!(!is_reached(S3).await, "another registry does not lead into the VPC");
        redirected(ECR, "cdn.example.com");
        assert!(!is_reached("cdn.example.com").await);
        redirected(ECR, S3);
        assert!(is_reached(S3).await);
    }

    #[tokio::test]
    async fn a_redirect_by_name_to_this_machine_is_not_followed() {
        let (inside, port) = registry();
        let client = client(&["127.0.0.1:1"], "127.0.0.1:1", "127.0.0.1");
        let at: Url = "http://127.0.0.1:1/v2/x/blobs/y".parse().expect("a URL");
        let location = format!("http://cdn.example.com:{port}/z");
        let (to, trust) = next_hop(&at, &at, &location, OBJECT_STORES).expect("a public name");
        client.http.resolver.trust("cdn.example.com", trust);
        client.http.resolver.check(&to).expect("by its name");
        let http = client.http.client(None, false).expect("a client");
        let error = http.get(to).send().await.expect_err("refused");
        assert!(format!("{error:?}").contains("ForbiddenAddress"), "{error:?}");
        assert!(inside.requests().is_empty());
    }
}
