//! The registry client against registries with authentication.

use std::{
    ffi::OsStr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use basewatch::{
    image::{Digest, ImageManifest, Reference, Repository},
    registry::{
        AuthSettings, AwsLogins, CredentialsErrorKind, Error, HostSettings, IssuedLogin, LoginError, NetworkSettings,
        Registry as _, RegistryLogin,
    },
    secret::Secret,
};
use chrono::{DateTime, Duration, Utc};
use futures::future::{BoxFuture, join_all};
use serde_json::json;
use testbed::{
    registry::{Behaviour, ImageSpec, Loopback, Stock},
    run_alone,
    toxic::{Asked, Reply, Toxic, manifest_of},
    toxic_client::{Rig, settings, settings_with},
};

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const ECR_PUBLIC: &str = "public.ecr.aws";

/// A fake of AWS logins, which are numbered.
#[derive(Default)]
struct FakeAws {
    issued: AtomicUsize,
    expires_at: Option<DateTime<Utc>>,
    public: Option<Result<(), LoginError>>,
    /// The error of the first login.
    first: Option<LoginError>,
}

impl AwsLogins for FakeAws {
    fn ecr<'a>(&'a self, account: &'a str, region: &'a str) -> BoxFuture<'a, Result<IssuedLogin, LoginError>> {
        let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        let password = Secret::new(format!("{account}-{region}-{number}"));
        let login = RegistryLogin::Basic { username: "AWS".into(), password };
        Box::pin(async move {
            tokio::task::yield_now().await;
            if let Some(error) = self.first.as_ref().filter(|_| number == 1) {
                return Err(error.clone());
            }
            Ok(IssuedLogin { login, expires_at: self.expires_at })
        })
    }

    fn ecr_public(&self) -> BoxFuture<'_, Result<Option<IssuedLogin>, LoginError>> {
        let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        let issued = IssuedLogin {
            login: RegistryLogin::Bearer(Secret::new(format!("public-{number}"))),
            expires_at: Some(Utc::now() + Duration::hours(12)),
        };
        Box::pin(async move {
            match &self.public {
                None => Ok(None),
                Some(Ok(())) => Ok(Some(issued)),
                Some(Err(why)) => Err(why.clone()),
            }
        })
    }
}

fn basic(username: &str, password: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

fn given(username: &str, password: &str) -> AuthSettings {
    AuthSettings::Basic { username: username.into(), password: Secret::new(password.into()) }
}

fn good() -> Reply {
    Reply::manifest(&manifest_of(b"{}"))
}

fn reference(registry: &str, repository: &str) -> Reference {
    format!("{registry}/{repository}:1").parse().expect("a reference")
}

/// `registry`, served by `endpoint`.
fn at(endpoint: String, auth: AuthSettings) -> HostSettings {
    HostSettings { endpoint: Some(endpoint), auth, rate: Some(1000.0), ..HostSettings::default() }
}

/// ECR Public on loopback with some repositories, unlimited.
fn ecr_public() -> Loopback {
    let stock = Stock::new();
    for repository in ["lambda/java", "lambda/python", "docker/library/busybox"] {
        let digest = stock.push_image(repository, &ImageSpec::default());
        stock.tag(repository, "1", &digest);
    }
    Loopback::start_as(stock, Behaviour { rate: None, ..Behaviour::ecr_public() }).expect("a port")
}

#[tokio::test]
async fn one_token_of_scope_aws_serves_every_repository() {
    let loopback = ecr_public();
    let rig = Rig::new(settings_with(ECR_PUBLIC, at(loopback.endpoint(), AuthSettings::Auto)));
    for repository in ["lambda/java", "lambda/python", "docker/library/busybox"] {
        let reference = reference(ECR_PUBLIC, repository);
        let pointer = rig.client.head(&reference).await.expect("there");
        let fetched = rig.client.manifest(&reference).await.expect("there");
        assert_eq!(fetched.digest, pointer.digest, "a GET without a digest header is hashed");
    }
    let log = loopback.requests();
    let tokens: Vec<_> = log.iter().filter(|request| request.path.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].path, "/token/?service=public.ecr.aws&scope=aws");
    assert_eq!(log.iter().filter(|request| !request.is_authorized).count(), 2, "one 401 and the token: {log:?}");
    assert_eq!((rig.count(ECR_PUBLIC, "token"), rig.count(ECR_PUBLIC, "head")), (1, 4));
    assert_eq!(rig.client.authentication()[ECR_PUBLIC], "anonymous");
}

#[tokio::test]
async fn sixty_four_concurrent_requests_share_one_token() {
    let loopback = ecr_public();
    let rig = Rig::new(settings_with(ECR_PUBLIC, at(loopback.endpoint(), AuthSettings::Auto)));
    let reference = reference(ECR_PUBLIC, "lambda/java");
    let responses = join_all((0..64).map(|_| rig.client.head(&reference))).await;
    assert!(responses.iter().all(Result::is_ok));
    assert_eq!(rig.count(ECR_PUBLIC, "token"), 1);
    let rejected = loopback.requests().iter().filter(|request| !request.is_authorized).count();
    assert_eq!(rejected, 2, "the first request and the token: no other request is sent to be refused");
}

#[tokio::test]
async fn an_expired_token_that_gets_400_denied_is_renewed_once() {
    let loopback = ecr_public();
    let rig = Rig::new(settings_with(ECR_PUBLIC, at(loopback.endpoint(), AuthSettings::Auto)));
    let reference = reference(ECR_PUBLIC, "lambda/java");
    rig.client.manifest(&reference).await.expect("there");
    loopback.expire_tokens();
    rig.client.manifest(&reference).await.expect("the body said DENIED");
    loopback.expire_tokens();
    rig.client.head(&reference).await.expect("a HEAD has no body to say so");
    loopback.expire_tokens();
    let responses = join_all((0..32).map(|_| rig.client.manifest(&reference))).await;
    assert!(responses.iter().all(Result::is_ok));
    assert_eq!(rig.count(ECR_PUBLIC, "token"), 4);
}

/// A token server and registry in one; `scope_of` is the scope in a repository's 401.
fn token_registry(expires_in: serde_json::Value) -> Toxic {
    Toxic::start(move |request| {
        if request.path.starts_with("/auth") {
            return Reply::json(&json!({ "access_token": format!("t{}", request.nth), "expires_in": expires_in }));
        }
        if request.authorization().is_some_and(|value| value.starts_with("Bearer t")) {
            return good();
        }
        let repository = request.path.trim_start_matches("/v2/").split("/manifests").next().unwrap_or_default();
        let endpoint = &request.endpoint;
        Reply::challenge(&format!(
            "Bearer realm=\"{endpoint}/auth\",service=\"registry\",scope=\"repository:{repository}:pull\""
        ))
    })
}

#[tokio::test]
async fn a_token_per_repository_costs_one_401_for_all_of_them() {
    let toxic = token_registry(json!(300));
    let rig = Rig::new(settings(&toxic.host()));
    for repository in ["a/x", "b/y", "c"] {
        for _ in 0..3 {
            rig.client.head(&reference(&toxic.host(), repository)).await.expect("there");
        }
    }
    let lines = toxic.lines();
    let tokens: Vec<_> = lines.iter().filter(|line| line.contains("/auth")).collect();
    assert_eq!(
        tokens,
        [
            "GET /auth?service=registry&scope=repository%3Aa%2Fx%3Apull",
            "GET /auth?service=registry&scope=repository%3Ab%2Fy%3Apull",
            "GET /auth?service=registry&scope=repository%3Ac%3Apull",
        ]
    );
    assert_eq!(toxic.log().len(), 3 + 1 + 9);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let toxic = token_registry(json!(0.001));
    let rig = Rig::new(settings(&toxic.host()));
    for _ in 0..4 {
        rig.client.head(&reference(&toxic.host(), "x")).await.expect("there");
    }
    let rejected = toxic
        .log()
        .iter()
        .filter(|request| request.path.starts_with("/v2") && request.authorization().is_none())
        .count();
    assert_eq!(rejected, 1, "only the very first request");
    assert_eq!(rig.count(&toxic.host(), "token"), 4);
}

#[tokio::test]
async fn a_token_that_is_always_refused_is_renewed_once_and_then_denied() {
    let toxic = Toxic::start(|request| {
        if request.path.starts_with("/auth") {
            Reply::json(&json!({ "token": "useless" }))
        } else {
            Reply::challenge(&format!("Bearer realm=\"{}/auth\"", request.endpoint))
        }
    });
    let rig = Rig::new(settings(&toxic.host()));
    let error = rig.client.manifest(&reference(&toxic.host(), "x")).await.expect_err("denied");
    assert!(matches!(&error, Error::Denied { message, .. } if message == "authentication required"), "{error:?}");
    assert_eq!(toxic.log().len(), 3);
    let error = rig.client.manifest(&reference(&toxic.host(), "x")).await.expect_err("denied");
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert_eq!(toxic.log().len(), 3 + 3, "the known token, a new one, and the end");
}

#[tokio::test]
async fn an_unavailable_token_server_is_an_error_for_all_waiting_requests() {
    let toxic = Toxic::start(|request| {
        if request.path.starts_with("/auth") {
            Reply::new(503, "")
        } else {
            Reply::challenge(&format!("Bearer realm=\"{}/auth\",scope=\"aws\"", request.endpoint))
        }
    });
    let rig = Rig::new(settings(&toxic.host()));
    let reference = reference(&toxic.host(), "x");
    let responses = join_all((0..16).map(|_| rig.client.head(&reference))).await;
    assert!(responses.iter().all(|answer| matches!(answer, Err(Error::Status { status: 503, .. }))), "{responses:?}");
    assert!(rig.count(&toxic.host(), "token") <= 10, "{}", rig.count(&toxic.host(), "token"));
}

#[tokio::test]
async fn a_missing_token_server_is_not_reported_as_a_missing_image() {
    let toxic = Toxic::start(|request| {
        if request.path.starts_with("/auth") {
            Reply::error(404, "NOT_FOUND", "no such page")
        } else {
            Reply::challenge(&format!("Bearer realm=\"{}/auth\"", request.endpoint))
        }
    });
    let rig = Rig::new(settings(&toxic.host()));
    let error = rig.client.head(&reference(&toxic.host(), "x")).await.expect_err("no token");
    assert!(matches!(error, Error::Status { status: 404, .. }), "{error:?}");
}

#[tokio::test]
async fn ecr_logins_are_sent_as_basic_without_a_challenge() {
    let toxic = Toxic::start(|_| good());
    let aws = Arc::new(FakeAws { expires_at: Some(Utc::now() + Duration::hours(12)), ..FakeAws::default() });
    let rig = Rig::with_aws(settings_with(ECR, at(toxic.endpoint(), AuthSettings::Auto)), Some(aws.clone()));
    let reference = reference(ECR, "orders");
    assert!(join_all((0..64).map(|_| rig.client.head(&reference))).await.iter().all(Result::is_ok));
    assert_eq!(aws.issued.load(Ordering::SeqCst), 1);
    let expected = basic("AWS", "123456789012-eu-west-1-1");
    assert!(toxic.log().iter().all(|request| request.authorization() == Some(&expected)));
    assert_eq!(rig.client.authentication()[ECR], "ecr");
}

#[tokio::test]
async fn an_ecr_registry_of_an_audited_account_is_allowed_from_then_on() {
    let toxic = Toxic::start(|_| good());
    let mut settings = settings_with(ECR, at(toxic.endpoint(), AuthSettings::Anonymous));
    settings.allow.clear();
    let rig = Rig::new(settings);
    let reference = reference(ECR, "orders");
    assert!(matches!(rig.client.head(&reference).await, Err(Error::NotAllowed { .. })));
    rig.client.allow_account("123456789012");
    assert!(rig.client.head(&reference).await.is_ok());
}

#[tokio::test]
async fn an_expired_ecr_login_is_renewed_once_and_another_403_is_denied() {
    let toxic = Toxic::start(|request| {
        let is_second = request.authorization() == Some(&basic("AWS", "123456789012-eu-west-1-2"));
        match (request.path.contains("/secret/"), is_second) {
            (true, _) => Reply::error(403, "DENIED", "not authorized to perform ecr:BatchGetImage"),
            (_, true) => good(),
            _ => Reply::error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."),
        }
    });
    let aws = Arc::new(FakeAws { expires_at: Some(Utc::now() + Duration::hours(12)), ..FakeAws::default() });
    let rig = Rig::with_aws(settings_with(ECR, at(toxic.endpoint(), AuthSettings::Auto)), Some(aws.clone()));
    assert!(rig.client.manifest(&reference(ECR, "orders")).await.is_ok());
    assert_eq!((aws.issued.load(Ordering::SeqCst), toxic.log().len()), (2, 2));
    let error = rig.client.manifest(&reference(ECR, "secret")).await.expect_err("denied");
    assert!(matches!(&error, Error::Denied { message, .. } if message.contains("BatchGetImage")), "{error:?}");
    assert_eq!((aws.issued.load(Ordering::SeqCst), toxic.log().len()), (2, 3));
}

#[tokio::test]
async fn an_ecr_login_issued_with_an_expiry_in_the_past_is_used() {
    let toxic = Toxic::start(|_| good());
    let aws = Arc::new(FakeAws { expires_at: Some(Utc::now() - Duration::hours(12)), ..FakeAws::default() });
    let rig = Rig::with_aws(settings_with(ECR, at(toxic.endpoint(), AuthSettings::Auto)), Some(aws.clone()));
    for _ in 0..10 {
        rig.client.head(&reference(ECR, "orders")).await.expect("there");
    }
    assert_eq!(aws.issued.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn with_aws_credentials_ecr_public_receives_a_bearer_token() {
    for auth in [AuthSettings::Auto, AuthSettings::EcrPublic] {
        let toxic = Toxic::start(|request| match request.authorization() {
            Some("Bearer public-2") => good(),
            _ => Reply::error(400, "DENIED", "Your Authorization Token is invalid."),
        });
        let aws = Arc::new(FakeAws { public: Some(Ok(())), ..FakeAws::default() });
        let rig = Rig::with_aws(settings_with(ECR_PUBLIC, at(toxic.endpoint(), auth)), Some(aws));
        assert!(rig.client.manifest(&reference(ECR_PUBLIC, "lambda/java")).await.is_ok());
        assert_eq!(rig.client.authentication()[ECR_PUBLIC], "ecr-public");
        let sent: Vec<_> =
            toxic.log().iter().map(|request| request.authorization().unwrap_or("none").to_owned()).collect();
        assert_eq!(sent, ["Bearer public-1", "Bearer public-2"]);
    }
}

#[tokio::test]
async fn without_aws_credentials_ecr_public_is_anonymous_unless_a_token_is_required() {
    let failed = |kind| Some(Err(LoginError { kind, message: "sts:GetServiceBearerToken".to_owned() }));
    for (public, kind) in [
        (None, CredentialsErrorKind::Denied),
        (failed(CredentialsErrorKind::Denied), CredentialsErrorKind::Denied),
        (failed(CredentialsErrorKind::Throttled), CredentialsErrorKind::Throttled),
    ] {
        let loopback = ecr_public();
        let reference = reference(ECR_PUBLIC, "lambda/java");
        let rig_with = |auth| {
            let aws = Arc::new(FakeAws { public: public.clone(), ..FakeAws::default() });
            Rig::with_aws(settings_with(ECR_PUBLIC, at(loopback.endpoint(), auth)), Some(aws))
        };
        let rig = rig_with(AuthSettings::Auto);
        assert!(rig.client.head(&reference).await.is_ok());
        assert_eq!(rig.client.authentication()[ECR_PUBLIC], "anonymous");
        let error = rig_with(AuthSettings::EcrPublic).client.head(&reference).await.expect_err("no login");
        assert!(matches!(error, Error::Credentials { kind: found, .. } if found == kind), "{error:?}");
    }
}

#[tokio::test]
async fn a_failed_login_is_classified_and_requested_again() {
    for kind in [CredentialsErrorKind::Throttled, CredentialsErrorKind::Unreachable, CredentialsErrorKind::Denied] {
        let toxic = Toxic::start(|_| good());
        let first = Some(LoginError { kind, message: "ecr:GetAuthorizationToken failed".to_owned() });
        let aws = Arc::new(FakeAws { first, ..FakeAws::default() });
        let rig = Rig::with_aws(settings_with(ECR, at(toxic.endpoint(), AuthSettings::Auto)), Some(aws.clone()));
        let error = rig.client.head(&reference(ECR, "orders")).await.expect_err("no login");
        assert!(matches!(error, Error::Credentials { kind: found, .. } if found == kind), "{error:?}");
        assert!(toxic.log().is_empty(), "nothing is sent without a login");
        assert!(rig.client.head(&reference(ECR, "orders")).await.is_ok());
        assert_eq!(aws.issued.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn with_anonymous_auth_an_existing_login_is_not_sent() {
    let toxic =
        Toxic::start(
            |request| {
                if request.authorization().is_none() { Reply::challenge("Basic realm=\"x\"") } else { good() }
            },
        );
    let aws = Arc::new(FakeAws { public: Some(Ok(())), ..FakeAws::default() });
    let rig = Rig::with_aws(settings_with(ECR, at(toxic.endpoint(), AuthSettings::Anonymous)), Some(aws.clone()));
    let error = rig.client.head(&reference(ECR, "orders")).await.expect_err("denied");
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert_eq!((aws.issued.load(Ordering::SeqCst), toxic.log().len()), (0, 1));
}

fn password_registry() -> Toxic {
    Toxic::start(|request| match request.authorization() {
        Some(sent) if sent == basic("alice", "hush") => good(),
        _ => Reply::challenge("Basic realm=\"Registry\""),
    })
}

#[tokio::test]
async fn a_password_is_sent_after_the_first_challenge_and_then_without() {
    let toxic = password_registry();
    let host = HostSettings { auth: given("alice", "hush"), ..HostSettings::default() };
    let rig = Rig::new(settings_with(&toxic.host(), host));
    for _ in 0..3 {
        rig.client.head(&reference(&toxic.host(), "x")).await.expect("there");
    }
    assert_eq!(
        toxic.log().iter().map(|request| request.authorization().is_some()).collect::<Vec<_>>(),
        [false, true, true, true]
    );
    assert_eq!(rig.client.authentication()[&toxic.host()], "basic");
}

#[tokio::test]
async fn a_wrong_password_is_denied_without_a_retry_and_never_shown() {
    let toxic = password_registry();
    let host = HostSettings { auth: given("alice", "wrong-secret"), ..HostSettings::default() };
    let settings = settings_with(&toxic.host(), host);
    assert!(!format!("{settings:?}").contains("wrong-secret"));
    let rig = Rig::new(settings);
    let error = rig.client.head(&reference(&toxic.host(), "x")).await.expect_err("denied");
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("wrong-secret"));
    assert_eq!(toxic.log().len(), 2);
    rig.client.head(&reference(&toxic.host(), "x")).await.expect_err("denied");
    assert_eq!(toxic.log().len(), 3);
}

#[tokio::test]
async fn a_password_is_sent_to_the_token_server_only() {
    let toxic = Toxic::start(|request| match request.authorization() {
        Some("Bearer t") => good(),
        Some(sent) if request.path.starts_with("/auth") && sent == basic("alice", "hush") => {
            Reply::json(&json!({ "token": "t" }))
        }
        _ => Reply::challenge(&format!("Bearer realm=\"{}/auth\",scope=\"repository:x:pull\"", request.endpoint)),
    });
    let host = HostSettings { auth: given("alice", "hush"), ..HostSettings::default() };
    let rig = Rig::new(settings_with(&toxic.host(), host));
    rig.client.head(&reference(&toxic.host(), "x")).await.expect("there");
    let sent: Vec<_> = toxic.log().iter().map(|request| request.authorization().map(str::to_owned)).collect();
    assert_eq!(sent, [None, Some(basic("alice", "hush")), Some("Bearer t".into())]);
    assert_eq!(rig.client.authentication()[&toxic.host()], "basic");
}

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_has_a_password_or_a_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let toxic = Toxic::start(|request| match request.authorization() {
        Some("Bearer t0ken") => Reply::new(503, "t0ken"),
        Some(_) => Reply::json(&json!({ "token": "t0ken" })),
        _ => Reply::challenge(&format!("Bearer realm=\"{}/auth\",scope=\"repository:x:pull\"", request.endpoint)),
    });
    let host = HostSettings { auth: given("alice", "hush"), ..HostSettings::default() };
    let rig = Rig::new(settings_with(&toxic.host(), host));
    rig.client.head(&reference(&toxic.host(), "x")).await.expect_err("down");
    let text = String::from_utf8_lossy(&log.0.lock().expect("no panic")).into_owned();
    assert!(text.contains("/v2/x/manifests/1") && text.contains("trying again"), "{text}");
    let encoded = basic("alice", "hush");
    for secret in ["hush", "t0ken", encoded.trim_start_matches("Basic ")] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn a_password_is_never_sent_to_a_foreign_realm() {
    for realm in ["https://evil.example/token", "http://evil.example/token", "http://169.254.169.254/token", "nonsense"]
    {
        let toxic = Toxic::start(move |_| Reply::challenge(&format!("Bearer realm=\"{realm}\"")));
        let host = HostSettings { auth: given("alice", "hush"), ..HostSettings::default() };
        let rig = Rig::new(settings_with(&toxic.host(), host));
        let error = rig.client.head(&reference(&toxic.host(), "x")).await.expect_err("refused");
        assert!(matches!(error, Error::Credentials { .. } | Error::Malformed { .. }), "{realm}: {error:?}");
        assert_eq!(rig.count(&toxic.host(), "token"), 0, "{realm}");
    }
}

#[tokio::test]
async fn authorization_is_not_sent_after_a_redirect_to_another_port_or_back() {
    let config = b"{}";
    let store = Toxic::start(|request| {
        let home = request.path.trim_start_matches("/back-to/").to_owned();
        if request.path.starts_with("/back-to/") {
            Reply::redirect(&format!("http://{home}/blob"))
        } else {
            Reply::new(404, "")
        }
    });
    let away = store.endpoint();
    let toxic = Toxic::start(move |request| {
        if request.path == "/blob" {
            Reply::new(200, config.as_slice())
        } else {
            let host = request.endpoint.trim_start_matches("http://");
            Reply::redirect(&format!("{away}/back-to/{host}"))
        }
    });
    let aws = Arc::new(FakeAws::default());
    let rig = Rig::with_aws(settings_with(ECR, at(toxic.endpoint(), AuthSettings::Auto)), Some(aws));
    let repository: Repository = format!("{ECR}/orders").parse().expect("a repository");
    let manifest = ImageManifest::new(Digest::sha256(config), Some(2));
    assert_eq!(rig.client.config(&repository, &manifest).await.expect("by redirects"), config);
    let sent = |toxic: &Toxic| toxic.log().iter().map(|request| request.authorization().is_some()).collect::<Vec<_>>();
    assert_eq!((sent(&toxic), sent(&store)), (vec![true, false], vec![false]));
}

#[tokio::test]
async fn a_challenge_from_the_host_of_a_redirect_is_not_answered() {
    let store = Toxic::start(|request| {
        if request.path.starts_with("/token") {
            Reply::json(&json!({ "token": "t" }))
        } else {
            Reply::challenge(&format!("Bearer realm=\"{}/token\"", request.endpoint))
        }
    });
    let away = store.endpoint();
    let toxic = Toxic::start(move |_| Reply::redirect(&format!("{away}/blob")));
    let host = HostSettings { auth: given("alice", "hush"), ..HostSettings::default() };
    let rig = Rig::new(settings_with(&toxic.host(), host));
    let repository: Repository = format!("{}/x", toxic.host()).parse().expect("a repository");
    let manifest = ImageManifest::new(Digest::sha256(b"{}"), Some(2));
    let error = rig.client.config(&repository, &manifest).await.expect_err("denied");
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert_eq!(store.lines(), ["GET /blob"]);
}

/// Runs the ignored test `name` in a process of its own, whose Docker configuration is `config`.
fn run_with_docker_config(name: &str, config: &serde_json::Value, endpoint: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("written");
    let variables = [("DOCKER_CONFIG", folder.path().as_os_str()), ("BASEWATCH_TEST_REGISTRY", OsStr::new(endpoint))];
    run_alone(&format!("registry_auth::{name}"), variables);
}

#[tokio::test]
#[ignore = "run by the tests that set up a Docker configuration"]
async fn head_with_dockers_login() {
    let registry = std::env::var("BASEWATCH_TEST_REGISTRY").expect("set by the caller");
    let rig = Rig::new(settings(&registry));
    rig.client.head(&reference(&registry, "x")).await.expect("logged in");
    assert_eq!(rig.client.authentication()[&registry], "docker-config");
}

#[test]
fn a_login_of_dockers_config_is_used_if_there_is_no_other() {
    let toxic = password_registry();
    let login = basic("alice", "hush").trim_start_matches("Basic ").to_owned();
    let config = json!({ "auths": { toxic.host(): { "auth": login } } });
    run_with_docker_config("head_with_dockers_login", &config, &toxic.host());
    assert_eq!(toxic.log().len(), 2);
}

#[test]
fn a_refresh_token_of_dockers_config_is_exchanged_by_form() {
    let toxic = Toxic::start(|request| {
        let expected_form = "service=registry&scope=repository%3Ax%3Apull&grant_type=refresh_token\
                      &client_id=basewatch&refresh_token=refresh%26me";
        if request.path == "/auth" && request.method == "POST" && request.body == expected_form {
            Reply::json(&json!({ "access_token": "t" }))
        } else if request.authorization() == Some("Bearer t") {
            good()
        } else {
            let realm = format!("{}/auth", request.endpoint);
            Reply::challenge(&format!("Bearer realm=\"{realm}\",service=\"registry\",scope=\"repository:x:pull\""))
        }
    });
    let config = json!({ "auths": { toxic.host(): { "identitytoken": "refresh&me" } } });
    run_with_docker_config("head_with_dockers_login", &config, &toxic.host());
    assert!(toxic.log().iter().any(|request: &Asked| request.method == "POST"));
}

#[tokio::test]
#[ignore = "run by the tests that set up a Docker configuration"]
async fn head_without_dockers_login() {
    let registry = std::env::var("BASEWATCH_TEST_REGISTRY").expect("set by the caller");
    let reference = reference(&registry, "x");
    let error = Rig::new(settings(&registry)).client.head(&reference).await.expect_err("a login is needed");
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let host = HostSettings { auth: AuthSettings::DockerConfig, ..HostSettings::default() };
    let error = Rig::new(settings_with(&registry, host)).client.head(&reference).await.expect_err("a login is needed");
    assert!(matches!(error, Error::Credentials { .. }), "{error:?}");
}

#[test]
fn without_a_docker_login_auto_is_anonymous_and_docker_config_fails() {
    let toxic = password_registry();
    for config in [
        json!({ "auths": { "other.example": { "auth": "YTpi" } } }),
        json!({ "credsStore": "does-not-exist-anywhere" }),
        json!({ "auths": { toxic.host(): { "auth": "%%%" } } }),
    ] {
        run_with_docker_config("head_without_dockers_login", &config, &toxic.host());
    }
}

#[tokio::test]
async fn a_malformed_token_response_is_an_error_without_its_content() {
    for answer in ["", "{}", r#"{"token":5}"#, r#"{"token":"secret\nvalue"}"#, "<html>secret</html>"] {
        let toxic = Toxic::start(move |request| {
            if request.path.starts_with("/auth") {
                Reply::new(200, answer)
            } else {
                Reply::challenge(&format!("Bearer realm=\"{}/auth\"", request.endpoint))
            }
        });
        let rig = Rig::new(settings(&toxic.host()));
        let error = rig.client.head(&reference(&toxic.host(), "x")).await.expect_err("no token");
        assert!(matches!(error, Error::Malformed { .. }), "{answer}: {error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

/// The credentials of `auditor` at the registry: password and token.
const PASSWORD: &str = "correct horse/battery+staple";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhdWRpdG9yIn0.c2lnbmF0dXJlMDEyMzQ1Njc4OQ";

/// Every form of them that must never be shown.
fn secrets() -> Vec<String> {
    let login = basic("auditor", PASSWORD).trim_start_matches("Basic ").to_owned();
    let encoded = PASSWORD.replace('/', "%2F").replace('+', "%2B");
    let forms = [&login, PASSWORD, TOKEN, &encoded.replace(' ', "+"), &encoded.replace(' ', "%20"), &login[..20]];
    forms.into_iter().map(str::to_owned).collect()
}

/// Reads everything from a registry with a password, and returns all results as text.
async fn everything_shown(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> String {
    let toxic = Toxic::start(reply);
    let host = HostSettings { auth: given("auditor", PASSWORD), ..HostSettings::default() };
    let client = Rig::new(NetworkSettings { retries: 0, ..settings_with(&toxic.host(), host) }).client;
    let reference = reference(&toxic.host(), "x");
    let manifest = ImageManifest::new(Digest::sha256(b"{}"), Some(2));
    let config = client.config(&reference.repository, &manifest).await.map(|body| String::from_utf8(body.to_vec()));
    let reported = (client.head(&reference).await, client.manifest(&reference).await);
    let reported = (reported, client.tags(&reference.repository).await, config);
    let errors = [
        reported.0.0.as_ref().err(),
        reported.0.1.as_ref().err(),
        reported.1.as_ref().err(),
        reported.2.as_ref().err(),
    ];
    let errors: Vec<_> = errors.into_iter().flatten().map(ToString::to_string).collect();
    assert!(toxic.log().iter().any(|request| request.authorization().is_some()), "it was sent what it could repeat");
    format!("{reported:?} {errors:?}")
}

/// The request, as a registry may repeat it.
fn echo(request: &Asked) -> String {
    let sent = request.authorization().unwrap_or_default().to_owned();
    let url = PASSWORD.replace('/', "%2F").replace('+', "%2B").replace(' ', "+");
    format!("no access with {sent}, which is {PASSWORD} or {url}")
}

#[tokio::test]
async fn credentials_repeated_by_a_registry_are_redacted() {
    type Repeats = fn(&Asked) -> Reply;
    let table: [(&str, Repeats); 11] = [
        ("a refusal", |request| Reply::error(403, "DENIED", &echo(request))),
        ("a refusal without JSON", |request| Reply::new(403, echo(request))),
        ("an error code", |request| Reply::error(403, &echo(request), "")),
        ("a refusal of the password", |request| Reply::error(401, "UNAUTHORIZED", &echo(request))),
        ("a media type", |request| {
            Reply::new(200, "{}")
                .header("content-type", &format!("application/{}", request.authorization().unwrap_or("x")))
        }),
        ("a redirect", |request| {
            let sent = request.authorization().unwrap_or_default().replace(['=', ' '], "-").to_ascii_lowercase();
            Reply::redirect(&format!("https://{sent}.localhost/{sent}"))
        }),
        ("JSON of another shape", |request| {
            Reply::json(&json!({ "tags": echo(request), "schemaVersion": echo(request) }))
        }),
        ("tags", |request| {
            let sent = request.authorization().unwrap_or_default().trim_start_matches("Basic ").trim_end_matches('=');
            Reply::json(&json!({ "tags": ["1", sent, format!("v{sent}")] }))
        }),
        ("an annotation", |request| {
            let mut manifest: serde_json::Value = serde_json::from_slice(&manifest_of(b"{}")).expect("JSON");
            manifest["annotations"] = json!({ "org.opencontainers.image.base.name": echo(request) });
            Reply::new(200, manifest.to_string()).header("content-type", basewatch::image::MANIFEST_MEDIA_TYPES[1])
        }),
        ("a digest", |request| Reply::manifest(b"{}").header("docker-content-digest", &echo(request))),
        ("a next page", |request| {
            let next = format!("<https://{}/x>; rel=\"next\"", request.authorization().unwrap_or("x").replace(' ', ""));
            Reply::json(&json!({ "tags": [] })).header("link", &next)
        }),
    ];
    for (what, reply) in table {
        let reported = everything_shown(move |request| match request.authorization() {
            Some(_) => reply(request),
            None => Reply::challenge("Basic realm=\"x\""),
        })
        .await;
        for secret in secrets() {
            assert!(
                !reported.contains(&secret) && !reported.contains(&secret.to_ascii_lowercase()),
                "{what}: {reported}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_repeated_by_a_registry_is_redacted() {
    let reported = everything_shown(|request| match request.authorization() {
        Some(sent) if sent.starts_with("Basic ") => Reply::json(&json!({ "token": TOKEN })),
        Some(_) if request.path.contains("/tags/") => Reply::json(&json!({ "tags": ["1", TOKEN] })),
        Some(_) => Reply::error(403, "DENIED", &format!("{TOKEN} of {PASSWORD} may not, nor {}", &TOKEN[..30])),
        None => Reply::challenge(&format!("Bearer realm=\"{}/auth\",scope=\"repository:x:pull\"", request.endpoint)),
    })
    .await;
    for secret in secrets() {
        assert!(!reported.contains(&secret), "{reported}");
    }
    assert!(!reported.contains(&TOKEN[..20]), "{reported}");
    assert!(
        reported.contains("tags: [\"1\"], is_complete: false"),
        "a list without one of its tags is not whole: {reported}"
    );
}

#[tokio::test]
async fn a_password_repeated_by_a_token_server_is_redacted() {
    let responses: [fn(&Asked) -> Reply; 3] = [
        |request| Reply::json(&json!({ "error_description": echo(request) })),
        |request| Reply::new(401, json!({ "error_description": echo(request) }).to_string()),
        |request| {
            let sent = request.authorization().unwrap_or_default().replace(['=', ' '], "");
            Reply::challenge(&format!(
                "Bearer realm=\"https://{sent}.example.com/{sent}\",service=\"{}\"",
                echo(request)
            ))
        },
    ];
    for answer in responses {
        let reported = everything_shown(move |request| match request.authorization() {
            Some(_) => answer(request),
            None => Reply::challenge(&format!("Bearer realm=\"{}/auth\"", request.endpoint)),
        })
        .await;
        for secret in secrets() {
            assert!(!reported.contains(&secret), "{secret}: {reported}");
        }
    }
}
