//! The registry client against registries that send too much or too slowly, and its rate limits.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use basewatch::{
    http::{ClientError, RequestCounter},
    image::{Digest, ImageManifest, Reference, Repository},
    registry::{
        AwsLogins, DistributionClient, Error, HostSettings, IssuedLogin, LoginError, NetworkSettings, Registry as _,
        RegistryLogin, SettingsError, TagList,
    },
    secret::Secret,
};
use futures::future::{BoxFuture, join_all};
use serde_json::json;
use testbed::{
    registry::{Behaviour, ImageSpec, Loopback, Stock},
    toxic::{Asked, Reply, Toxic, manifest_of},
    toxic_client::{Rig, settings, settings_with},
};

const MIB: usize = 1024 * 1024;

fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Toxic, Rig, Reference) {
    let toxic = Toxic::start(reply);
    let rig = Rig::new(settings(&toxic.host()));
    let reference = format!("{}/x:1", toxic.host()).parse().expect("a reference");
    (toxic, rig, reference)
}

fn too_large<T: std::fmt::Debug>(result: &Result<T, Error>, limit: usize) {
    assert!(matches!(result, Err(Error::TooLarge { limit_bytes, .. }) if *limit_bytes == limit as u64), "{result:?}");
}

#[tokio::test]
async fn a_manifest_over_four_mebibytes_is_too_large_announced_or_not() {
    for reply in [Reply::new(200, vec![b' '; 4 * MIB + 1]), Reply::endless(200)] {
        let (toxic, rig, reference) = start(move |_| reply.clone());
        too_large(&rig.client.manifest(&reference).await, 4 * MIB);
        assert_eq!(toxic.log().len(), 1, "it is not asked for again");
    }
}

#[tokio::test]
async fn a_manifest_of_four_mebibytes_is_read() {
    let body = {
        let mut body = manifest_of(b"{}");
        body.resize(4 * MIB, b' ');
        body
    };
    let digest = Digest::sha256(&body);
    let (_toxic, rig, reference) = start(move |_| Reply::manifest(&body));
    assert_eq!(rig.client.manifest(&reference).await.expect("just fits").digest, digest);
}

#[tokio::test]
async fn a_page_of_tags_over_four_mebibytes_is_too_large() {
    let (_toxic, rig, reference) = start(|_| Reply::endless(200));
    too_large(&rig.client.tags(&reference.repository).await, 4 * MIB);
}

#[tokio::test]
async fn a_configuration_over_eight_mebibytes_is_not_requested() {
    let (toxic, rig, reference) = start(|_| Reply::endless(200));
    let manifest = |bytes| ImageManifest::new(Digest::sha256(b"x"), Some(bytes));
    too_large(&rig.client.config(&reference.repository, &manifest(8 * MIB as u64 + 1)).await, 8 * MIB);
    assert!(toxic.log().is_empty());
    too_large(&rig.client.config(&reference.repository, &manifest(100)).await, 8 * MIB);
    assert_eq!(toxic.log().len(), 1);
}

#[tokio::test]
async fn large_bodies_over_the_memory_budget_are_read_sequentially() {
    // With and without a length, far more than may be in memory together.
    for is_announced in [true, false] {
        let body = vec![b'a'; 8 * MIB];
        let manifest = ImageManifest::new(Digest::sha256(&body), Some(body.len() as u64));
        let reply = if is_announced { Reply::new(200, body) } else { Reply::unannounced(200, body) };
        let (toxic, rig, reference) = start(move |_| reply.clone());
        let reads = join_all((0..12).map(|_| async {
            // Dropped at once, as by callers.
            rig.client.config(&reference.repository, &manifest).await.map(|body| body.len())
        }));
        assert!(reads.await.iter().all(|read| *read == Ok(8 * MIB)));
        assert_eq!(toxic.log().len(), 12, "none had to be asked for again");
    }
}

#[tokio::test]
async fn slow_bodies_do_not_delay_small_ones() {
    let (_toxic, rig, reference) = start(|request| {
        if request.path.contains("/blobs/") {
            Reply::new(200, vec![b'a'; MIB]).dripping(Duration::from_millis(1))
        } else {
            Reply::manifest(&manifest_of(b"{}"))
        }
    });
    let manifest = ImageManifest::new(Digest::sha256(b"x"), Some(MIB as u64));
    let slow = join_all((0..16).map(|_| rig.client.config(&reference.repository, &manifest)));
    let fast = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.client.manifest(&reference).await
    };
    tokio::select! {
        _ = slow => panic!("the slow ones were first"),
        read = fast => assert!(read.is_ok(), "{read:?}"),
    }
}

#[tokio::test]
async fn a_page_with_too_many_tags_is_cut_and_incomplete() {
    let (toxic, rig, reference) = start(|_| page(&vec!["a".to_owned(); 100_001], None));
    let list = rig.client.tags(&reference.repository).await.expect("some");
    assert_eq!((list.tags.len(), list.is_complete, toxic.log().len()), (100_000, false, 1));
}

#[tokio::test]
async fn a_token_over_a_quarter_mebibyte_is_too_large() {
    let (_toxic, rig, reference) = start(|request| {
        if request.path.starts_with("/auth") {
            Reply::endless(200)
        } else {
            Reply::challenge(&format!("Bearer realm=\"{}/auth\"", request.endpoint))
        }
    });
    too_large(&rig.client.head(&reference).await, MIB / 4);
}

#[tokio::test]
async fn an_endless_error_body_is_cut_and_made_printable() {
    let (_toxic, rig, reference) = start(|_| Reply::endless(403));
    let error = rig.client.manifest(&reference).await.expect_err("denied");
    let Error::Denied { message, .. } = error else { panic!("denied: {error:?}") };
    assert_eq!(message.chars().count(), 201, "{message}");

    let (_toxic, rig, reference) = start(|_| Reply::error(403, "DENIED", "\u{1b}[2J\r\nInjected: yes\u{202e}"));
    let error = rig.client.manifest(&reference).await.expect_err("denied");
    assert!(error.to_string().ends_with("[2J Injected: yes"), "{error}");
}

fn page(tags: &[String], next: Option<&str>) -> Reply {
    let page = Reply::json(&json!({ "name": "x", "tags": tags }));
    next.map_or(page.clone(), |next| page.header("link", &format!("<{next}>; rel=\"next\"")))
}

#[tokio::test]
async fn an_endless_tag_list_is_read_up_to_the_page_limit_and_is_incomplete() {
    let toxic = Toxic::start(|request| {
        page(&[format!("t{}", request.nth)], Some(&format!("/v2/x/tags/list?n=1000&last={}", request.nth)))
    });
    let rig = Rig::new(NetworkSettings { tag_pages: 7, ..settings(&toxic.host()) });
    let repository: Repository = format!("{}/x", toxic.host()).parse().expect("a repository");
    let list = rig.client.tags(&repository).await.expect("some");
    assert_eq!((list.tags.len(), list.is_complete), (7, false));
    assert_eq!(rig.count(&toxic.host(), "tags"), 7);
}

#[tokio::test]
async fn a_cyclic_tag_list_ends_and_is_incomplete() {
    let (toxic, rig, reference) = start(|request| {
        let next = if request.path.contains("last=a") { "?n=1000&last=b" } else { "?n=1000&last=a" };
        page(&[format!("t{}", request.nth)], Some(next))
    });
    let list = rig.client.tags(&reference.repository).await.expect("some");
    assert_eq!(list, TagList { tags: vec!["t0".into(), "t1".into(), "t2".into()], is_complete: false });
    assert_eq!(toxic.log().len(), 3);
}

#[tokio::test]
async fn oversized_pages_do_not_exhaust_memory() {
    let toxic = Toxic::start(|request| {
        let tags: Vec<_> = (0..5000).map(|number| format!("{}-{number}", request.nth)).collect();
        page(&tags, Some(&format!("/v2/x/tags/list?last={}", request.nth)))
    });
    let rig = Rig::new(NetworkSettings { tag_pages: 10, ..settings(&toxic.host()) });
    let repository: Repository = format!("{}/x", toxic.host()).parse().expect("a repository");
    let list = rig.client.tags(&repository).await.expect("some");
    assert_eq!((list.tags.len(), list.is_complete, toxic.log().len()), (10_000, false, 2));
}

#[tokio::test]
async fn a_next_page_at_another_host_is_malformed() {
    let other = Toxic::start(|_| page(&["evil".into()], None));
    let next = format!("{}/v2/x/tags/list", other.endpoint());
    let (_toxic, rig, reference) = start(move |_| page(&["t".into()], Some(&next)));
    let error = rig.client.tags(&reference.repository).await.expect_err("elsewhere");
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    assert!(other.log().is_empty());
}

#[tokio::test]
async fn a_failing_later_page_is_an_error() {
    let (_toxic, rig, reference) = start(|request| {
        if request.nth == 0 {
            page(&["t".into()], Some("?last=x"))
        } else {
            Reply::error(405, "UNSUPPORTED", "Invalid parameter at 'NextToken'")
        }
    });
    let error = rig.client.tags(&reference.repository).await.expect_err("a partial list is an error");
    assert!(matches!(error, Error::Status { status: 405, .. }), "{error:?}");
}

#[tokio::test]
async fn malformed_tags_are_left_out() {
    let (_toxic, rig, reference) = start(|request| match request.nth {
        0 => Reply::json(&json!({ "tags": ["21", "\u{1b}[31m", "", "../x", "a b", "21.2026.07.16.13-x86_64"] })),
        1 => Reply::json(&json!({ "tags": null })),
        _ => Reply::new(200, "<html>"),
    });
    let list = rig.client.tags(&reference.repository).await.expect("some");
    assert_eq!(list, TagList { tags: vec!["21".into(), "21.2026.07.16.13-x86_64".into()], is_complete: true });
    assert_eq!(rig.client.tags(&reference.repository).await.expect("none").tags, [""; 0]);
    assert!(matches!(rig.client.tags(&reference.repository).await, Err(Error::Malformed { .. })));
}

#[tokio::test]
async fn concurrent_requests_are_limited_to_the_connections() {
    let toxic = Toxic::start(|_| Reply::manifest(&manifest_of(b"{}")).after(Duration::from_millis(20)));
    let host = HostSettings { connections: 3, ..HostSettings::default() };
    let rig = Rig::new(settings_with(&toxic.host(), host));
    let reference: Reference = format!("{}/x:1", toxic.host()).parse().expect("a reference");
    assert!(join_all((0..24).map(|_| rig.client.manifest(&reference))).await.iter().all(Result::is_ok));
    assert_eq!((toxic.log().len(), toxic.most_at_once()), (24, 3));
}

fn ecr_public(rate: usize) -> (Loopback, Reference) {
    let stock = Stock::new();
    let digest = stock.push_image("lambda/java", &ImageSpec::default());
    stock.tag("lambda/java", "21", &digest);
    let loopback =
        Loopback::start_as(stock, Behaviour { rate: Some(rate), ..Behaviour::ecr_public() }).expect("a port");
    (loopback, "public.ecr.aws/lambda/java:21".parse().expect("a reference"))
}

fn ecr_public_settings(loopback: &Loopback, rate: Option<f64>) -> NetworkSettings {
    let host = HostSettings { endpoint: Some(loopback.endpoint()), rate, ..HostSettings::default() };
    NetworkSettings { retries: 0, ..settings_with("public.ecr.aws", host) }
}

#[tokio::test]
async fn anonymous_requests_to_ecr_public_are_a_second_apart() {
    let (loopback, reference) = ecr_public(1);
    let rig = Rig::new(ecr_public_settings(&loopback, None));
    let started_at = Instant::now();
    // A 401, a token and two answers; without retries, a single 429 would show.
    let responses = join_all((0..2).map(|_| rig.client.head(&reference))).await;
    assert!(responses.iter().all(Result::is_ok), "{responses:?}");
    assert!(started_at.elapsed() >= Duration::from_secs(3), "{:?}", started_at.elapsed());
}

struct PublicLogin;

impl AwsLogins for PublicLogin {
    fn ecr<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<IssuedLogin, LoginError>> {
        Box::pin(async { unreachable!("not asked for here") })
    }

    fn ecr_public(&self) -> BoxFuture<'_, Result<Option<IssuedLogin>, LoginError>> {
        let login = RegistryLogin::Bearer(Secret::new("t".into()));
        Box::pin(async move { Ok(Some(IssuedLogin { login, expires_at: None })) })
    }
}

#[tokio::test]
async fn with_credentials_ecr_public_receives_ten_requests_a_second() {
    let toxic = Toxic::start(|_| Reply::manifest(&manifest_of(b"{}")));
    let host = HostSettings { endpoint: Some(toxic.endpoint()), ..HostSettings::default() };
    let rig = Rig::with_aws(settings_with("public.ecr.aws", host), Some(Arc::new(PublicLogin)));
    let reference: Reference = "public.ecr.aws/lambda/java:21".parse().expect("a reference");
    let started_at = Instant::now();
    assert!(join_all((0..11).map(|_| rig.client.head(&reference))).await.iter().all(Result::is_ok));
    let elapsed = started_at.elapsed();
    assert!(elapsed >= Duration::from_secs(1) && elapsed < Duration::from_secs(5), "{elapsed:?}");
}

#[tokio::test]
async fn a_configured_rate_replaces_the_default() {
    let (loopback, reference) = ecr_public(1000);
    let rig = Rig::new(ecr_public_settings(&loopback, Some(500.0)));
    let started_at = Instant::now();
    assert!(join_all((0..20).map(|_| rig.client.head(&reference))).await.iter().all(Result::is_ok));
    assert!(started_at.elapsed() < Duration::from_secs(5), "{:?}", started_at.elapsed());
}

#[test]
fn invalid_settings_are_rejected_before_any_request() {
    let refuse = |host: HostSettings| {
        let made = DistributionClient::new(settings_with("r.corp", host), None, Arc::new(RequestCounter::default()));
        made.err().expect("refused")
    };
    let default = HostSettings::default;
    let at = |endpoint: &str| HostSettings { endpoint: Some(endpoint.into()), ..default() };
    assert!(matches!(refuse(at("http://mirror.corp")), SettingsError::PlainHttp { .. }));
    assert!(matches!(refuse(at("mirror.corp")), SettingsError::Endpoint { .. }));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(refuse(HostSettings { rate: Some(rate), ..default() }), SettingsError::NotPositive { .. }));
    }
    assert!(matches!(refuse(HostSettings { connections: 0, ..default() }), SettingsError::NotPositive { .. }));
    let file = tempfile::NamedTempFile::new().expect("a file");
    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(file.path(), text).expect("written");
        let error = refuse(HostSettings { ca_file: Some(file.path().to_owned()), ..default() });
        assert!(matches!(error, SettingsError::Client(_)), "{text}: {error:?}");
    }
    assert!(matches!(
        refuse(HostSettings { ca_file: Some("/does/not/exist.pem".into()), ..default() }),
        SettingsError::Client(ClientError::CaFile { .. })
    ));
}

/// A registry whose tag list has a next page for ever, each `after` so long.
fn endless_tags(after: Duration) -> Toxic {
    Toxic::start(move |request| {
        let next = format!("</v2/x/tags/list?n=1000&last={}>; rel=\"next\"", request.nth);
        let tag = format!("3.12-{}", request.nth);
        Reply::json(&json!({ "name": "x", "tags": [tag] })).header("link", &next).after(after)
    })
}

#[tokio::test]
async fn a_slow_tag_list_ends_at_its_total_deadline() {
    let toxic = endless_tags(Duration::from_millis(250));
    let patience = NetworkSettings { request_timeout: Duration::from_millis(500), ..settings(&toxic.host()) };
    let rig = Rig::new(patience);
    let begun = Instant::now();
    let repository: Repository = format!("{}/x", toxic.host()).parse().expect("a repository");
    let error = rig.client.tags(&repository).await.expect_err("a hundred pages would take 25 seconds");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(error.to_string().contains("the tag list of"), "{error}");
    assert!(toxic.log().len() < 20, "{}", toxic.log().len());
}

#[tokio::test]
async fn retries_of_pages_count_towards_the_deadline_of_the_list() {
    let toxic = Toxic::start(|request| {
        let next = format!("</v2/x/tags/list?n=1000&last={}>; rel=\"next\"", request.nth);
        match request.nth % 2 {
            0 => Reply::new(503, "").after(Duration::from_millis(250)),
            _ => Reply::json(&json!({ "name": "x", "tags": ["1"] })).header("link", &next),
        }
    });
    let patience = NetworkSettings { request_timeout: Duration::from_millis(500), ..settings(&toxic.host()) };
    let begun = Instant::now();
    let repository: Repository = format!("{}/x", toxic.host()).parse().expect("a repository");
    Rig::new(patience).client.tags(&repository).await.expect_err("a hundred pages would take 25 seconds");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn waiting_for_the_rate_limiter_does_not_count_towards_the_deadline_of_a_list() {
    let toxic = Toxic::start(|request| {
        let page = Reply::json(&json!({ "name": "x", "tags": [format!("1.{}", request.nth)] }));
        let next = format!("</v2/x/tags/list?n=1000&last={}>; rel=\"next\"", request.nth);
        if request.nth < 11 { page.header("link", &next) } else { page }
    });
    let host = HostSettings { rate: Some(3.0), ..HostSettings::default() };
    let patience =
        NetworkSettings { request_timeout: Duration::from_millis(500), ..settings_with(&toxic.host(), host) };
    let repository: Repository = format!("{}/x", toxic.host()).parse().expect("a repository");
    let list = Rig::new(patience).client.tags(&repository).await.expect("twelve pages at three a second");
    assert_eq!((list.tags.len(), list.is_complete), (12, true));
}
