//! Audits of images at docker-registry in its many forms: TLS with a password, tokens, redirects, a mirror.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Client;
use serde_json::{Value, json};

use crate::{environment::NOW, object_store::ObjectStore};
use testbed::{
    peers::{self, Access, Certificate, PASSWORD, Peer, Registry, USER},
    program::{Program, codes, finding},
    seed::{Image, Recipe, Target},
};

const APP: &str = "team/app";
const BASE: &str = "team/base";

/// A base 80 days old with its successor, and an image on it that names it; all in one registry. The
/// digest of the image.
async fn fill(registry: &Peer, target: &Target) -> String {
    let old = Recipe::new("2026-09-01T00:00:00Z", &["os", "old"]).build();
    let new = Recipe::new("2026-09-20T00:00:00Z", &["os", "new"]).build();
    old.push(target, BASE, Some("1.0")).await;
    new.push(target, BASE, Some("1")).await;
    let label = format!("{}/{BASE}:1@{}", registry.address, old.digest);
    let app = Recipe::new("2026-09-02T00:00:00Z", &["os", "old", "app"]).label("sdkBaseVersion", &label).build();
    app.push(target, APP, Some("7")).await;
    app.digest
}

fn config(registry: &Peer, settings: &str) -> String {
    let host = &registry.address;
    format!("[[inventory.images]]\nreferences = [\"{host}/{APP}:7\"]\n\n[registry.\"{host}\"]\n{settings}\n")
}

/// The finding about the one image, which must have been read and judged.
fn judged(program: &Program, digest: &str) -> Value {
    let (code, report) = program.audit(NOW, &[]);
    let finding = only(&report).clone();
    assert_eq!(finding["image"]["digest"], digest, "{report:#}");
    assert_eq!(finding["verdict"], "stale", "{report:#}");
    assert_eq!((code, &report["complete"]), (1, &Value::Bool(true)), "{report:#}");
    report
}

fn only(report: &Value) -> &Value {
    let findings = report["findings"].as_array().expect("a list of findings");
    assert_eq!(findings.len(), 1, "{report:#}");
    &findings[0]
}

/// The code of the first reason why the one image could not be judged, of an audit that is incomplete.
fn refused(program: &Program) -> String {
    let (code, report) = program.audit(NOW, &[]);
    assert_eq!((code, &report["complete"]), (3, &Value::Bool(false)), "{report:#}");
    let finding = only(&report);
    assert_eq!(finding["verdict"], "unknown", "{finding:#}");
    assert!(!report.to_string().contains(PASSWORD), "the password is in the report: {report:#}");
    codes(finding)[0].to_owned()
}

struct Guarded {
    certificate: Certificate,
    registry: Peer,
    digest: String,
}

/// A registry behind TLS of a private authority and a password.
async fn guarded() -> Guarded {
    let certificate = Certificate::generate();
    let tls = Some(&certificate);
    let registry = Registry { access: Access::Basic(USER, PASSWORD), tls, ..Registry::default() }.start();
    let authority = std::fs::read(&certificate.authority).expect("the authority's certificate");
    let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate in PEM");
    let client = Client::builder().add_root_certificate(authority).build().expect("a client");
    let target = Target { endpoint: registry.https(), client, login: Some((USER.to_owned(), PASSWORD.to_owned())) };
    let digest = fill(&registry, &target).await;
    Guarded { certificate, registry, digest }
}

#[tokio::test]
async fn a_password_is_sent_over_tls_of_a_private_authority() {
    let Guarded { certificate, registry, digest } = guarded().await;
    let login = format!("username = \"{USER}\"\npassword = {{ env = \"REGISTRY_PASSWORD\" }}");
    let endpoint = format!("endpoint = {:?}", registry.https());
    let trust = format!("{endpoint}\nca_file = {:?}", certificate.authority);
    let with = |settings: String, password: &str| {
        Program::with_config(&config(&registry, &settings)).env("REGISTRY_PASSWORD", password)
    };
    let report = judged(&with(format!("{trust}\n{login}"), PASSWORD), &digest);
    assert_eq!(report["authentication"][&registry.address], "basic");
    assert_eq!(refused(&with(format!("{trust}\n{login}"), "wrong")), "registry-denied");
    assert_eq!(refused(&with(format!("{trust}\nauth = \"anonymous\""), "")), "registry-denied");
    assert_eq!(
        refused(&with(format!("{endpoint}\n{login}"), PASSWORD)),
        "registry-unreachable",
        "an unknown authority"
    );
}

#[tokio::test]
async fn the_login_in_dockers_configuration_is_used() {
    let Guarded { certificate, registry, digest } = guarded().await;
    for auth in ["docker-config", "auto"] {
        let settings =
            format!("endpoint = {:?}\nauth = {auth:?}\nca_file = {:?}", registry.https(), certificate.authority);
        let program = Program::with_config(&config(&registry, &settings));
        let login = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let docker = json!({ "auths": { registry.address.as_str(): { "auth": login } } });
        std::fs::create_dir(program.home().join(".docker")).expect("a folder made");
        std::fs::write(program.home().join(".docker/config.json"), docker.to_string()).expect("a file written");
        let report = judged(&program, &digest);
        assert_eq!(report["authentication"][&registry.address], "docker-config", "{auth}");
    }
}

#[tokio::test]
async fn tokens_are_requested_once_per_repository_and_for_pull_only() {
    let certificate = Certificate::generate();
    let tokens = peers::token_server(&certificate);
    let registry = Registry { access: Access::Token(&tokens, &certificate), ..Registry::default() }.start();
    let digest = fill(&registry, &token_target(&registry, &tokens).await).await;
    let seeded = tokens.log().len();

    let report = judged(&Program::with_config(&config(&registry, "auth = \"anonymous\"")), &digest);
    assert_eq!(report["authentication"][&registry.address], "anonymous");
    let requested = token_requests(&tokens, seeded);
    let mut scopes: Vec<&str> = requested.iter().filter_map(|request| request["scopes"][0].as_str()).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, [format!("repository:{APP}:pull"), format!("repository:{BASE}:pull")], "{requested:?}");
    assert!(requested.iter().all(|request| request["login"] == false), "{requested:?}");
}

#[tokio::test]
async fn a_password_is_exchanged_for_tokens() {
    let certificate = Certificate::generate();
    let tokens = peers::token_server(&certificate);
    let registry = Registry { access: Access::Token(&tokens, &certificate), ..Registry::default() }.start();
    let digest = fill(&registry, &token_target(&registry, &tokens).await).await;
    let seeded = tokens.log().len();
    let login = format!("username = \"{USER}\"\npassword = {{ env = \"REGISTRY_PASSWORD\" }}");
    let with = |password| Program::with_config(&config(&registry, &login)).env("REGISTRY_PASSWORD", password);
    judged(&with(PASSWORD), &digest);
    let requested = token_requests(&tokens, seeded);
    assert!(!requested.is_empty() && requested.iter().all(|request| request["user"] == true), "{requested:?}");
    assert_eq!(refused(&with("wrong")), "registry-denied");
}

/// Token requests logged since `seeded` bytes.
fn token_requests(tokens: &Peer, seeded: usize) -> Vec<Value> {
    tokens.log()[seeded..].lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// A target that may push to both repositories.
async fn token_target(registry: &Peer, tokens: &Peer) -> Target {
    let scopes = [APP, BASE].map(|name| ("scope", format!("repository:{name}:pull,push")));
    let request = Client::new().get(format!("{}/token", tokens.http())).query(&[("service", "registry.test")]);
    let response = request.query(&scopes).basic_auth(USER, Some(PASSWORD)).send().await.expect("a token");
    let response: Value = response.json().await.expect("a token in JSON");
    let bearer = format!("Bearer {}", response["token"].as_str().expect("a token"));
    let headers = [(reqwest::header::AUTHORIZATION, bearer.parse().expect("a header"))].into_iter().collect();
    let client = Client::builder().default_headers(headers).build().expect("a client");
    Target { endpoint: registry.http(), client, login: None }
}

// The object store runs on this runtime while the test waits for the audit.
#[tokio::test(flavor = "multi_thread")]
async fn no_credentials_are_sent_to_the_host_of_a_blob() {
    let store = ObjectStore::start().await;
    let endpoint = store.endpoint();
    let access = Access::Basic(USER, PASSWORD);
    let registry = Registry { access, redirect: Some(&endpoint), is_on_disk: true, ..Registry::default() }.start();
    store.serve(registry.folder().join("data"));
    let digest = fill(&registry, &Target::with_login(registry.http(), USER, PASSWORD)).await;
    let login = format!("username = \"{USER}\"\npassword = {{ env = \"REGISTRY_PASSWORD\" }}");
    let program = Program::with_config(&config(&registry, &login)).env("REGISTRY_PASSWORD", PASSWORD);
    judged(&program, &digest);
    let got = store.requests();
    assert!(!got.is_empty(), "no blob was redirected:\n{}", registry.log());
    for headers in got {
        assert!(!headers.contains_key("authorization"), "credentials reached another host: {headers:?}");
        assert!(!headers.contains_key("cookie"), "{headers:?}");
    }
}

#[tokio::test]
async fn a_pull_through_mirror_serves_public_ecr() {
    let upstream = Registry::default().start();
    let target = Target::open(upstream.http());
    let releases = ["2026-09-01T00:00:00Z", "2026-09-20T00:00:00Z"]
        .map(|created| Image::index(&[Recipe::new(created, &["al2023", created]).docker().build()]));
    for (release, dated) in releases.iter().zip(["21.2026.09.01.00", "21.2026.09.20.00"]) {
        release.push(&target, "lambda/java", Some(dated)).await;
        release.children[0].push_manifest(&target, "lambda/java", &format!("{dated}-x86_64")).await;
    }
    releases[1].push_manifest(&target, "lambda/java", "21").await;
    let label = format!("public.ecr.aws/lambda/java:21@{}", releases[0].digest);
    let layers = ["al2023", "2026-09-01T00:00:00Z", "app"];
    let app = Recipe::new("2026-09-02T00:00:00Z", &layers).label("sdkBaseVersion", &label).build();
    let apps = Registry::default().start();
    app.push(&Target::open(apps.http()), APP, Some("7")).await;
    let upstream_url = upstream.http();
    let mirror = Registry { mirror_of: Some(&upstream_url), ..Registry::default() }.start();

    let public = format!("[registry.\"public.ecr.aws\"]\nendpoint = {:?}\nrate = 1000\n", mirror.http());
    let config = config(&apps, "auth = \"anonymous\"") + &public + "auth = \"anonymous\"\n";
    let report = judged(&Program::with_config(&config), &app.digest);
    let finding = only(&report);
    assert_eq!(finding["base"]["line"], "public.ecr.aws/lambda/java:21", "{finding:#}");
    assert_eq!(finding["current"]["digest"], releases[1].digest);
    assert!(!mirror.requests_since(0).is_empty(), "the mirror got no request");
    assert_eq!(finding["behind"]["exact"], false, "a mirror need not have every release: {finding:#}");
    assert!(codes(finding).contains(&"read-through-cache"), "{finding:#}");
}

#[tokio::test]
async fn an_unreachable_registry_makes_no_base_fresh() {
    let registry = Registry::default().start();
    fill(&registry, &Target::open(registry.http())).await;
    let settings = config(&registry, "auth = \"anonymous\"");
    drop(registry);
    assert_eq!(refused(&Program::with_config(&settings)), "registry-unreachable");
}

#[tokio::test]
async fn an_image_named_twice_is_fetched_once() {
    let registry = Registry::default().start();
    let digest = fill(&registry, &Target::open(registry.http())).await;
    let host = &registry.address;
    let config = format!(
        "[[inventory.images]]\nreferences = [\"{host}/{APP}:7\", \"{host}/{APP}:8@{digest}\", \"{host}/{APP}@{digest}\"]\n\n\
         [registry.\"{host}\"]\nauth = \"anonymous\"\n"
    );
    let mark = registry.mark();
    let (_, report) = Program::with_config(&config).audit(NOW, &[]);
    assert_eq!(report["summary"]["deployments"], 3, "{report:#}");
    assert_eq!(report["summary"]["images"], 1, "{report:#}");
    let mut fetched = registry.requests_since(mark);
    fetched.retain(|request| request.starts_with(&format!("GET /v2/{APP}/")));
    let all = fetched.len();
    fetched.sort();
    fetched.dedup();
    assert_eq!(fetched.len(), all, "something was fetched twice");
    assert_eq!(finding(&report, &format!("{host}/{APP}:7"))["image"]["digest"], digest);
}
