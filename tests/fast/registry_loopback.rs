//! The registry client against the in-process registry: the requests of an audit.

use std::{collections::BTreeMap, sync::Arc};

use basewatch::{
    http::RequestCounter,
    image::{Digest, DigestKind, ImageFacts, ManifestDocument, Platform, Reference, Repository},
    registry::{AuthSettings, DistributionClient, Error, HostSettings, MissingContent, NetworkSettings, Registry as _},
};
use testbed::registry::{Behaviour, ImageSpec, Loopback, Stock};

fn platform(text: &str) -> Platform {
    text.parse().expect("a platform")
}

/// An index `x:1` over two platforms, the second with Docker's media types.
fn stock() -> (Stock, Digest) {
    let stock = Stock::new();
    let image = |platform: &str, docker_media_types| {
        let labels = BTreeMap::from([("sdkBaseVersion".to_owned(), "public.ecr.aws/lambda/java:21".to_owned())]);
        let platform = self::platform(platform);
        let layers = vec![b"os".to_vec(), b"app".to_vec()];
        let created = Some("2026-08-22T00:13:00Z".to_owned());
        stock.push_image(
            "team/x",
            &ImageSpec { platform, created, labels, layers, docker_media_types, ..ImageSpec::default() },
        )
    };
    let children =
        [(image("linux/arm64", false), platform("linux/arm64")), (image("linux/amd64", true), platform("linux/amd64"))];
    let index = stock.push_index("team/x", &children, &BTreeMap::new(), false);
    stock.tag("team/x", "1", &index);
    (stock, index)
}

struct Rig {
    loopback: Loopback,
    client: DistributionClient,
    requests: Arc<RequestCounter>,
}

fn rig(stock: Stock, behaviour: Behaviour) -> Rig {
    let loopback = Loopback::start_as(stock, behaviour).expect("a port");
    let settings = NetworkSettings { allow: vec![loopback.host()], ..NetworkSettings::default() };
    let requests = Arc::new(RequestCounter::default());
    let client = DistributionClient::new(settings, None, Arc::clone(&requests)).expect("valid settings");
    Rig { loopback, client, requests }
}

impl Rig {
    fn repository(&self) -> Repository {
        format!("{}/team/x", self.loopback.host()).parse().expect("a repository")
    }

    fn tag(&self, tag: &str) -> Reference {
        Reference::tagged(self.repository(), tag)
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        self.requests.snapshot().remove(&self.loopback.host()).unwrap_or_default()
    }
}

#[tokio::test]
async fn an_image_is_read_from_its_tag_down_to_its_configuration() {
    let (stock, digest) = stock();
    let rig = rig(stock, Behaviour::default());
    let pointer = rig.client.head(&rig.tag("1")).await.expect("there");
    assert_eq!((pointer.digest, pointer.kind), (digest.clone(), Some(DigestKind::Index)));

    let index = rig.client.manifest(&rig.tag("1")).await.expect("there");
    assert_eq!(index.digest, digest);
    let ManifestDocument::Index(index) = index.document else { panic!("an index") };
    assert_eq!(index.children.len(), 2);
    for child in index.children {
        let reference = Reference::pinned(rig.repository(), child.digest.clone());
        let fetched = rig.client.manifest(&reference).await.expect("there");
        assert_eq!(fetched.digest, child.digest);
        let ManifestDocument::Manifest(manifest) = fetched.document else { panic!("a manifest") };
        let config = rig.client.config(&rig.repository(), &manifest).await.expect("there");
        let facts = ImageFacts::read(manifest, &config).expect("reads");
        assert_eq!(Some(facts.platform), child.platform);
        assert_eq!(facts.diff_ids, [Digest::sha256(b"os"), Digest::sha256(b"app")]);
        assert_eq!(facts.labels["sdkBaseVersion"], "public.ecr.aws/lambda/java:21");
    }
    let expected = [("blob", 2), ("head", 1), ("manifest", 3)].map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(rig.counts(), BTreeMap::from(expected));
    assert_eq!(rig.client.authentication()[&rig.loopback.host()], "anonymous");
}

#[tokio::test]
async fn blobs_are_requested_by_get_only() {
    let (stock, digest) = stock();
    let rig = rig(stock, Behaviour { denies_blob_head: true, ..Behaviour::default() });
    let ManifestDocument::Index(index) =
        rig.client.manifest(&Reference::pinned(rig.repository(), digest)).await.unwrap().document
    else {
        panic!("an index")
    };
    let child = Reference::pinned(rig.repository(), index.children[0].digest.clone());
    let ManifestDocument::Manifest(manifest) = rig.client.manifest(&child).await.unwrap().document else {
        panic!("a manifest")
    };
    assert!(rig.client.config(&rig.repository(), &manifest).await.is_ok());
    let blobs: Vec<_> = rig.loopback.requests().into_iter().filter(|r| r.path.contains("/blobs/")).collect();
    assert_eq!(blobs.iter().map(|r| r.method.as_str()).collect::<Vec<_>>(), ["GET"]);
}

#[tokio::test]
async fn missing_content_costs_one_request_and_is_not_found() {
    let (stock, digest) = stock();
    stock.tag("team/x", "1", &digest);
    let rig = rig(stock, Behaviour::default());
    assert!(rig.client.head(&rig.tag("1")).await.is_ok(), "what HEAD says is believed from now on");
    let not_found = |result: Result<(), Error>| assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    not_found(rig.client.head(&rig.tag("2")).await.map(|_| ()));
    assert_eq!(rig.counts(), BTreeMap::from([("head".to_owned(), 2)]));
    not_found(rig.client.manifest(&rig.tag("2")).await.map(|_| ()));
    let absent: Repository = format!("{}/team/y", rig.loopback.host()).parse().expect("a repository");
    not_found(rig.client.tags(&absent).await.map(|_| ()));
    assert_eq!(rig.counts().values().sum::<u64>(), 4);
}

#[tokio::test]
async fn tags_are_read_page_by_page_by_link_in_any_order() {
    let (stock, digest) = stock();
    for number in 0..2500 {
        stock.tag("team/x", &format!("21.{number}"), &digest);
    }
    let rig = rig(stock, Behaviour::default());
    let list = rig.client.tags(&rig.repository()).await.expect("there");
    assert!(list.is_complete);
    assert!(!list.tags.is_sorted(), "the order is the registry's");
    let mut tags = list.tags;
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 2501);
    let log = rig.loopback.requests();
    assert_eq!(log.len(), 3);
    assert!(log.iter().all(|request| request.path.contains("n=1000")), "{log:?}");
}

#[tokio::test]
async fn a_moved_tag_is_noticed_at_once() {
    let (stock, _) = stock();
    let rig = rig(stock, Behaviour::default());
    let moved = rig.loopback.stock().push_image("team/x", &ImageSpec::default());
    rig.loopback.stock().tag("team/x", "1", &moved);
    let pointer = rig.client.head(&rig.tag("1")).await.expect("there");
    assert_eq!((pointer.digest, pointer.kind), (moved, Some(DigestKind::Manifest)));
}

#[tokio::test]
async fn a_registry_that_is_not_allowed_is_never_contacted() {
    let (stock, _) = stock();
    let loopback = Loopback::start(stock).expect("a port");
    let requests = Arc::new(RequestCounter::default());
    let client = DistributionClient::new(NetworkSettings::default(), None, Arc::clone(&requests)).expect("valid");
    let reference: Reference = format!("{}/team/x:1", loopback.host()).parse().expect("a reference");
    let not_allowed = Error::NotAllowed { registry: loopback.host() };
    assert_eq!(client.head(&reference).await, Err(not_allowed.clone()));
    assert_eq!(client.manifest(&reference).await, Err(not_allowed.clone()));
    assert_eq!(client.tags(&reference.repository).await, Err(not_allowed));
    assert_eq!(loopback.requests(), []);
    assert!(requests.snapshot().is_empty() && client.authentication().is_empty());
}

#[tokio::test]
async fn requests_go_to_the_endpoint_and_count_for_the_registry_that_references_name() {
    let (stock, digest) = stock();
    let loopback = Loopback::start(stock).expect("a port");
    let hosts = BTreeMap::from([(
        "registry.example".to_owned(),
        HostSettings { endpoint: Some(format!("{}/", loopback.endpoint())), ..HostSettings::default() },
    )]);
    let settings = NetworkSettings { allow: vec!["registry.example".into()], hosts, ..NetworkSettings::default() };
    let requests = Arc::new(RequestCounter::default());
    let client = DistributionClient::new(settings, None, Arc::clone(&requests)).expect("valid");
    let reference: Reference = "registry.example/team/x:1".parse().expect("a reference");
    assert_eq!(client.head(&reference).await.expect("there").digest, digest);
    assert_eq!(requests.snapshot()["registry.example"]["head"], 1);
    assert_eq!(client.authentication()["registry.example"], "anonymous");
}

/// ECR serves the repositories of a pull-through cache under a prefix; without internet, the upstream's are read there.
#[tokio::test]
async fn a_line_is_read_through_a_pull_through_cache() {
    const CACHE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let stock = Stock::new();
    let image = stock.push_image("ecr-public/lambda/java", &ImageSpec::default());
    stock.tag("ecr-public/lambda/java", "21", &image);
    let loopback = Loopback::start(stock).expect("a port");
    let at = |endpoint: String| HostSettings {
        endpoint: Some(endpoint),
        auth: AuthSettings::Anonymous,
        rate: Some(f64::from(u16::MAX)),
        ..HostSettings::default()
    };
    let hosts = [
        ("public.ecr.aws", at(format!("https://{CACHE}/ecr-public"))),
        // The endpoint of the cache itself: an interface endpoint of a VPC, here the in-process registry.
        (CACHE, at(loopback.endpoint())),
    ];
    let settings = NetworkSettings {
        allow: vec!["public.ecr.aws".to_owned()],
        hosts: hosts.map(|(name, settings)| (name.to_owned(), settings)).into(),
        ..NetworkSettings::default()
    };
    let client = DistributionClient::new(settings, None, Arc::default()).expect("valid settings");
    assert!(client.caches().is_empty(), "nothing was asked yet");
    let line: Reference = "public.ecr.aws/lambda/java:21".parse().expect("a reference");
    assert_eq!(client.head(&line).await.expect("an answer").digest, image);
    assert_eq!(loopback.requests()[0].path, "/v2/ecr-public/lambda/java/manifests/21");
    let caches = BTreeMap::from([("public.ecr.aws".to_owned(), format!("{CACHE}/ecr-public"))]);
    assert_eq!(client.caches(), caches);

    let cache = format!("{CACHE}/ecr-public/lambda/java").parse().expect("a repository");
    assert_eq!(client.cache_of(&line.repository).as_ref(), Some(&cache));
    let uncached = Reference::tagged(line.repository.clone(), "17");
    let missing = MissingContent::Tag("17".into());
    let expected = Error::NotFound { repository: line.repository, missing, cache: Some(cache) };
    assert_eq!(client.head(&uncached).await, Err(expected));
}

#[tokio::test]
async fn an_unreachable_registry_is_read_through_its_known_cache() {
    const CACHE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let stock = Stock::new();
    let image = stock.push_image("quay/team/x", &ImageSpec::default());
    stock.tag("quay/team/x", "1", &image);
    let loopback = Loopback::start(stock).expect("a port");
    // A closed port.
    let away =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    let anonymous = || HostSettings { auth: AuthSettings::Anonymous, ..HostSettings::default() };
    let cache = HostSettings { endpoint: Some(loopback.endpoint()), ..anonymous() };
    let settings = NetworkSettings {
        allow: vec![away.clone()],
        hosts: [(CACHE.to_owned(), cache), (away.clone(), anonymous())].into(),
        retries: 0,
        ..NetworkSettings::default()
    };
    let client = DistributionClient::new(settings, None, Arc::default()).expect("valid settings");
    let reference: Reference = format!("{away}/team/x:1").parse().expect("a reference");
    assert!(matches!(client.head(&reference).await, Err(Error::Unreachable { .. })));
    assert_eq!(client.cache_of(&reference.repository), None);
    client.offer_cache(&away, &format!("{CACHE}/quay"));
    assert_eq!(client.head(&reference).await.expect("an answer").digest, image);
    assert_eq!(client.caches().into_values().collect::<Vec<_>>(), [format!("{CACHE}/quay")]);
    let cached = format!("{CACHE}/quay/team/x").parse().expect("a repository");
    assert_eq!(client.cache_of(&reference.repository), Some(cached));
}
