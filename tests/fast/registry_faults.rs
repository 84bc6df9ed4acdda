//! The registry client against registries with failures, wrong content and delays.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use basewatch::{
    image::{Digest, DigestKind, ImageManifest, MANIFEST_MEDIA_TYPES, Reference, Repository},
    registry::{Error, MissingContent, NetworkSettings, Registry as _},
};
use testbed::{
    toxic::{Asked, Reply, Toxic, manifest_of},
    toxic_client::{Rig, settings},
};

const CONFIG: &[u8] = br#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}"#;

fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Toxic, Rig, Reference) {
    let toxic = Toxic::start(reply);
    let rig = Rig::new(settings(&toxic.host()));
    let reference = format!("{}/x:1", toxic.host()).parse().expect("a reference");
    (toxic, rig, reference)
}

fn good() -> Reply {
    Reply::manifest(&manifest_of(CONFIG))
}

fn good_digest() -> Digest {
    Digest::sha256(&manifest_of(CONFIG))
}

fn config_of(digest: Digest, config_bytes: u64) -> ImageManifest {
    ImageManifest::new(digest, Some(config_bytes))
}

#[tokio::test]
async fn a_transient_failure_is_retried() {
    for status in [500, 502, 503, 504, 408, 429] {
        let (toxic, rig, reference) =
            start(move |request| if request.nth < 2 { Reply::error(status, "UNKNOWN", "later") } else { good() });
        assert_eq!(rig.client.head(&reference).await.expect("in the end").digest, good_digest(), "{status}");
        assert_eq!(toxic.log().len(), 3);
        assert_eq!(rig.count(&toxic.host(), "head"), 3, "retries are counted");
    }
}

#[tokio::test]
async fn a_permanent_failure_is_not_retried() {
    for status in [400, 403, 404, 410, 418, 501] {
        let (toxic, rig, reference) = start(move |_| Reply::error(status, "UNKNOWN", "no"));
        assert!(rig.client.manifest(&reference).await.is_err());
        assert_eq!(toxic.lines(), ["GET /v2/x/manifests/1"], "{status}");
    }
}

#[tokio::test]
async fn a_refused_head_is_verified_by_a_get() {
    for status in [400, 403, 404, 405, 501] {
        let refuse = move |request: &Asked| if request.method == "HEAD" { Reply::new(status, "") } else { good() };
        let (toxic, rig, reference) = start(refuse);
        assert_eq!(rig.client.head(&reference).await.expect("by GET").digest, good_digest(), "{status}");
        assert_eq!(rig.client.head(&reference).await.expect("by GET").digest, good_digest(), "{status}");
        let lines = ["HEAD /v2/x/manifests/1", "GET /v2/x/manifests/1", "GET /v2/x/manifests/1"];
        assert_eq!(toxic.lines(), lines, "{status}: HEAD is not tried again");
    }
}

#[tokio::test]
async fn a_head_that_finds_nothing_is_trusted_after_a_successful_head() {
    for status in [403, 404] {
        let (toxic, rig, reference) =
            start(move |request| if request.path.ends_with("/1") { good() } else { Reply::new(status, "") });
        assert!(rig.client.head(&reference).await.is_ok());
        assert!(rig.client.head(&Reference::tagged(reference.repository, "2")).await.is_err());
        assert_eq!(toxic.lines(), ["HEAD /v2/x/manifests/1", "HEAD /v2/x/manifests/2"], "{status}");
    }
}

#[tokio::test]
async fn the_result_of_the_get_after_a_refused_head_counts() {
    let (_toxic, rig, reference) =
        start(|request| Reply::new(if request.method == "HEAD" { 404 } else { 503 }, "").after(Duration::ZERO));
    let error = rig.client.head(&reference).await.expect_err("not known");
    assert!(matches!(error, Error::Status { status: 503, .. }), "{error:?}");

    let denied = |request: &Asked| match request.method.as_str() {
        "HEAD" => Reply::new(404, ""),
        _ => Reply::error(403, "DENIED", "pull access denied"),
    };
    let (_toxic, rig, reference) = start(denied);
    let error = rig.client.head(&reference).await.expect_err("denied");
    assert!(matches!(&error, Error::Denied { message, .. } if message == "pull access denied"), "{error:?}");
}

#[tokio::test]
async fn missing_content_is_named() {
    let (_toxic, rig, reference) = start(|_| Reply::error(404, "UNKNOWN", "no"));
    let Reference { repository, .. } = reference.clone();
    let (pinned, config) = (Reference::pinned(repository.clone(), good_digest()), config_of(Digest::sha256(CONFIG), 1));
    let reported = [
        rig.client.head(&reference).await.expect_err("nothing"),
        rig.client.manifest(&pinned).await.map(drop).expect_err("nothing"),
        rig.client.config(&repository, &config).await.map(drop).expect_err("nothing"),
        rig.client.tags(&repository).await.map(drop).expect_err("nothing"),
    ];
    let missing = [
        MissingContent::Tag("1".into()),
        MissingContent::Manifest(good_digest()),
        MissingContent::Configuration(Digest::sha256(CONFIG)),
        MissingContent::TagList,
    ];
    let not_found = |missing| Error::NotFound { repository: repository.clone(), missing, cache: None };
    assert_eq!(reported, missing.map(not_found));
    assert_eq!(reported[0].to_string(), format!("the tag {reference} was not found"));
    assert_eq!(reported[1].to_string(), format!("the manifest {pinned} was not found"));
}

#[tokio::test]
async fn a_continued_failure_is_reported_after_the_last_attempt() {
    let (toxic, rig, reference) = start(|_| Reply::new(503, ""));
    let what = reference.to_string();
    assert_eq!(rig.client.manifest(&reference).await, Err(Error::Status { registry: toxic.host(), status: 503, what }));
    assert_eq!(toxic.log().len(), 5, "one try and four more");
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let (toxic, _, reference) =
        start(|request| if request.nth == 0 { Reply::new(503, "").header("retry-after", "1") } else { good() });
    let rig = Rig::new(NetworkSettings { retry_wait: Duration::from_secs(5), ..settings(&toxic.host()) });
    assert!(rig.client.head(&reference).await.is_ok());
    let log = toxic.log();
    assert!(log[1].at - log[0].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_retry_after_of_a_day_is_capped_and_reported() {
    let (toxic, rig, reference) = start(|_| Reply::new(429, "").header("retry-after", "86400"));
    let started_at = Instant::now();
    let retry_after = Some(Duration::from_hours(24));
    assert_eq!(rig.client.head(&reference).await, Err(Error::RateLimited { registry: toxic.host(), retry_after }));
    assert!(started_at.elapsed() < Duration::from_secs(5));
    assert_eq!(toxic.log().len(), 5, "a HEAD that is throttled never turns into GETs");
}

#[tokio::test]
async fn a_throttled_request_pauses_the_whole_host() {
    let toxic = Toxic::start(|request| match (request.nth, request.path.ends_with("/1")) {
        (0, _) => Reply::new(429, "").header("retry-after", "1"),
        _ => good(),
    });
    let settings = NetworkSettings { retry_wait: Duration::from_secs(1), retries: 1, ..settings(&toxic.host()) };
    let rig = Arc::new(Rig::new(settings));
    let repository: Repository = format!("{}/x", toxic.host()).parse().expect("a repository");
    let first = {
        let (rig, reference) = (Arc::clone(&rig), Reference::tagged(repository.clone(), "1"));
        tokio::spawn(async move { rig.client.head(&reference).await })
    };
    // The second request only starts once the first was refused, and another tag knows nothing of it.
    let rejected = async {
        while toxic.log().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), rejected).await.expect("the first request arrives");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(rig.client.head(&Reference::tagged(repository, "2")).await.is_ok());
    assert!(first.await.expect("no panic").is_ok());
    let log = toxic.log();
    assert_eq!(log.len(), 3);
    assert!(log[1].at - log[0].at >= Duration::from_millis(950), "{:?}", log[1].at - log[0].at);
}

#[tokio::test]
async fn a_truncated_body_is_fetched_again() {
    let (toxic, rig, reference) = start(|request| if request.nth == 0 { good().cut_after(40) } else { good() });
    assert_eq!(rig.client.manifest(&reference).await.expect("in the end").digest, good_digest());
    assert_eq!(toxic.log().len(), 2);

    let (toxic, rig, reference) = start(|_| good().cut_after(40));
    let error = rig.client.manifest(&reference).await.expect_err("never whole");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(toxic.log().len(), 5);
}

#[tokio::test]
async fn an_error_counts_by_its_status_even_if_its_body_is_slow() {
    let (toxic, rig, reference) = start(|_| Reply::new(404, vec![b'x'; 1000]).dripping(Duration::from_millis(50)));
    let error = rig.client.manifest(&reference).await.expect_err("missing");
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    assert_eq!(toxic.log().len(), 1);
}

#[tokio::test]
async fn a_hanging_or_slow_registry_times_out() {
    for reply in [Reply::hang(), good().dripping(Duration::from_millis(50)), good().after(Duration::from_secs(3))] {
        let toxic = Toxic::start(move |_| reply.clone());
        let settings =
            NetworkSettings { request_timeout: Duration::from_millis(300), retries: 1, ..settings(&toxic.host()) };
        let rig = Rig::new(settings);
        let reference = format!("{}/x:1", toxic.host()).parse().expect("a reference");
        let started_at = Instant::now();
        let error = rig.client.manifest(&reference).await.expect_err("too slow");
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(started_at.elapsed() < Duration::from_secs(2), "{:?}", started_at.elapsed());
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let host = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let rig = Rig::new(NetworkSettings { retries: 1, ..settings(&host) });
    let reference: Reference = format!("{host}/x:1").parse().expect("a reference");
    let error = rig.client.head(&reference).await.expect_err("the port is closed");
    assert!(matches!(&error, Error::Unreachable { registry, .. } if *registry == host), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(rig.count(&host, "head"), 2);
}

#[tokio::test]
async fn requests_after_the_circuit_opened_fail_at_once() {
    let (toxic, rig, reference) = start(|_| good().cut_head());
    assert!(matches!(rig.client.head(&reference).await, Err(Error::Unreachable { .. })));
    assert_eq!(toxic.log().len(), 5);
    for _ in 0..100 {
        assert!(matches!(rig.client.head(&reference).await, Err(Error::Unreachable { .. })));
    }
    assert_eq!(toxic.log().len(), 5, "nothing was sent for them");
}

#[tokio::test]
async fn one_failing_document_does_not_open_the_circuit() {
    let (toxic, rig, reference) =
        start(|request| if request.path.ends_with("/bad") { good().cut_head() } else { good() });
    let bad = Reference::tagged(reference.repository.clone(), "bad");
    let (failed, answered) = tokio::join!(rig.client.head(&bad), async {
        let mut answered = Vec::new();
        for _ in 0..50 {
            answered.push(rig.client.head(&reference).await.is_ok());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        answered
    });
    assert!(matches!(failed, Err(Error::Unreachable { .. })));
    assert!(answered.iter().all(|is_ok| *is_ok), "{answered:?}");
    assert!(toxic.log().len() >= 55);
}

#[tokio::test]
async fn a_head_without_a_valid_digest_is_followed_by_a_get() {
    for digest in [None, Some("latest"), Some("sha256:00"), Some("not a digest")] {
        let (toxic, rig, reference) = start(move |request| {
            let bare = good().without_header("docker-content-digest");
            match digest {
                Some(digest) if request.method == "HEAD" => bare.header("docker-content-digest", digest),
                _ => bare,
            }
        });
        let pointer = rig.client.head(&reference).await.expect("by GET");
        assert_eq!((pointer.digest, pointer.kind), (good_digest(), Some(DigestKind::Manifest)));
        assert_eq!(toxic.lines(), ["HEAD /v2/x/manifests/1", "GET /v2/x/manifests/1"]);
    }
}

#[tokio::test]
async fn a_registry_without_head_is_read_by_get() {
    let (toxic, rig, reference) = start(|request| if request.method == "HEAD" { Reply::new(405, "") } else { good() });
    assert_eq!(rig.client.head(&reference).await.expect("by GET").digest, good_digest());
    assert_eq!(toxic.log().len(), 2);
}

#[tokio::test]
async fn a_head_with_a_wrong_pinned_digest_is_rejected() {
    let (toxic, rig, reference) = start(|_| good());
    let pinned = Reference::pinned(reference.repository, Digest::sha256(b"another"));
    let expected =
        Error::DigestMismatch { what: pinned.to_string(), expected: Digest::sha256(b"another"), actual: good_digest() };
    assert_eq!(rig.client.head(&pinned).await, Err(expected.clone()));
    assert_eq!(rig.client.manifest(&pinned).await, Err(expected));
    assert_eq!(toxic.log().len(), 2, "a wrong digest is not asked for again");
}

#[tokio::test]
async fn a_body_that_differs_from_its_digest_header_is_rejected() {
    let lie = Digest::sha256(b"a lie");
    let (_toxic, rig, reference) = start(move |_| {
        good()
            .without_header("docker-content-digest")
            .header("docker-content-digest", Digest::sha256(b"a lie").as_str())
    });
    let what = reference.to_string();
    assert_eq!(
        rig.client.manifest(&reference).await,
        Err(Error::DigestMismatch { what, expected: lie, actual: good_digest() })
    );
}

#[tokio::test]
async fn a_manifest_served_as_an_index_is_malformed() {
    for media_type in [MANIFEST_MEDIA_TYPES[0], MANIFEST_MEDIA_TYPES[2], MANIFEST_MEDIA_TYPES[3], "text/html"] {
        let (_toxic, rig, reference) =
            start(move |_| good().without_header("content-type").header("content-type", media_type));
        let error = rig.client.manifest(&reference).await.expect_err("a contradiction");
        assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn all_four_manifest_types_are_accepted_and_the_user_agent_is_sent() {
    let (toxic, rig, reference) = start(|_| good());
    rig.client.head(&reference).await.expect("there");
    rig.client.manifest(&reference).await.expect("there");
    for request in toxic.log() {
        let accepted: Vec<_> = request.header("accept").expect("an Accept header").split(',').map(str::trim).collect();
        assert_eq!(accepted, MANIFEST_MEDIA_TYPES);
        assert_eq!(request.header("user-agent"), Some(concat!("basewatch/", env!("CARGO_PKG_VERSION"))));
    }
}

#[tokio::test]
async fn a_configuration_is_verified_by_digest_and_length() {
    let (_toxic, rig, reference) = start(|_| Reply::new(200, CONFIG));
    let (repository, bytes) = (reference.repository, CONFIG.len() as u64);
    let right = config_of(Digest::sha256(CONFIG), bytes);
    assert_eq!(rig.client.config(&repository, &right).await.expect("right"), CONFIG);
    let wrong = rig.client.config(&repository, &config_of(Digest::sha256(b"other"), bytes)).await;
    assert!(matches!(wrong, Err(Error::DigestMismatch { .. })), "{wrong:?}");
    for length in [bytes - 1, bytes + 1] {
        let wrong = rig.client.config(&repository, &config_of(Digest::sha256(CONFIG), length)).await;
        assert!(matches!(wrong, Err(Error::Malformed { .. })), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_blob_from_another_host_is_verified_as_well() {
    let store = Toxic::start(|request| Reply::new(200, if request.path == "/good" { CONFIG } else { b"evil" }));
    let endpoint = store.endpoint();
    let (toxic, rig, reference) =
        start(move |request| Reply::redirect(&format!("{endpoint}/{}", if request.nth == 0 { "good" } else { "bad" })));
    let manifest = config_of(Digest::sha256(CONFIG), CONFIG.len() as u64);
    assert_eq!(rig.client.config(&reference.repository, &manifest).await.expect("by redirect"), CONFIG);
    let evil = config_of(Digest::sha256(CONFIG), 4);
    let wrong = rig.client.config(&reference.repository, &evil).await;
    assert!(matches!(wrong, Err(Error::DigestMismatch { .. })), "{wrong:?}");
    assert_eq!((toxic.log().len(), store.lines()), (2, vec!["GET /good".to_owned(), "GET /bad".to_owned()]));
}

#[tokio::test]
async fn manifests_and_tags_from_another_host_are_refused() {
    let other = Toxic::start(|_| good());
    let endpoint = other.endpoint();
    let (_toxic, rig, reference) = start(move |request| Reply::redirect(&format!("{endpoint}{}", request.path)));
    for error in [
        rig.client.head(&reference).await.expect_err("elsewhere"),
        rig.client.manifest(&reference).await.expect_err("elsewhere"),
        rig.client.tags(&reference.repository).await.expect_err("elsewhere"),
    ] {
        assert!(error.to_string().contains("a redirect to another host"), "{error}");
    }
    assert!(other.log().is_empty());
}

#[tokio::test]
async fn redirects_end_after_five_hops() {
    let (toxic, rig, reference) = start(|request| Reply::redirect(&format!("/hop/{}", request.nth)));
    let error = rig.client.manifest(&reference).await.expect_err("never arrives");
    assert!(matches!(&error, Error::Redirected { why, .. } if why == "too many redirects"), "{error:?}");
    assert_eq!(toxic.log().len(), 6);
}

#[tokio::test]
async fn a_redirect_without_a_location_is_an_error() {
    let (_toxic, rig, reference) = start(|_| Reply::new(302, ""));
    let error = rig.client.manifest(&reference).await.expect_err("no location");
    assert!(matches!(error, Error::Status { status: 302, .. }), "{error:?}");
}

#[tokio::test]
async fn the_foreign_urls_of_a_descriptor_are_never_followed() {
    let elsewhere = Toxic::start(|_| Reply::new(200, CONFIG));
    let url = format!("{}/config", elsewhere.endpoint());
    let body = {
        let mut manifest: serde_json::Value = serde_json::from_slice(&manifest_of(CONFIG)).expect("JSON");
        manifest["config"]["urls"] = serde_json::json!([url]);
        manifest.to_string().into_bytes()
    };
    let (_toxic, rig, reference) = start(move |request| {
        if request.path.contains("/blobs/") {
            Reply::error(404, "BLOB_UNKNOWN", "gone")
        } else {
            Reply::manifest(&body)
        }
    });
    let fetched = rig.client.manifest(&reference).await.expect("there");
    let basewatch::image::ManifestDocument::Manifest(manifest) = fetched.document else { panic!("a manifest") };
    let missing = rig.client.config(&reference.repository, &manifest).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
    assert!(elsewhere.log().is_empty());
}

#[tokio::test]
async fn an_incomplete_or_malformed_reference_is_never_sent() {
    let (toxic, rig, reference) = start(|_| good());
    let bare = Reference { tag: None, ..reference.clone() };
    let nonsense = Reference { tag: Some("../../token".into()), ..reference };
    for reference in [bare, nonsense] {
        let error = rig.client.head(&reference).await.expect_err("nothing to ask for");
        assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    }
    assert!(toxic.log().is_empty());
}
