//! Access control and security headers of `serve`.

use testbed::serve_rig::Served;

const NOW: &str = "2025-11-20T06:00:00Z";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn guarded() -> Served {
    let served = Served::prepare(NOW, "[serve]\ntoken = { file = \"token\" }\n");
    std::fs::write(served.folder.path().join("token"), TOKEN).unwrap();
    let mut served = served;
    served.run().await;
    served.wait(async || served.get("/readyz").await.status() == 200, "readiness").await;
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_only_health_checks_are_answered() {
    let served = guarded().await;
    for path in ["/", "/api/v1/report", "/api/v1/findings", "/metrics", "/api/v1/openapi.json", "/nowhere"] {
        let response = served.get(path).await;
        assert_eq!(response.status(), 401, "{path}");
        let how: Vec<_> =
            response.headers().get_all("www-authenticate").iter().map(|how| how.to_str().unwrap()).collect();
        assert_eq!(how, ["Bearer realm=\"basewatch\"", "Basic realm=\"basewatch\", charset=\"UTF-8\""]);
    }
    assert_eq!(served.client.post(served.url("/api/v1/audit")).send().await.unwrap().status(), 401);
    assert_eq!(served.get("/healthz").await.status(), 200);
    let with = served.client.get(served.url("/api/v1/status")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(with.status(), 200);
    let with = served.client.get(served.url("/api/v1/status")).basic_auth("me", Some(TOKEN)).send().await.unwrap();
    assert_eq!(with.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_rebound_host_name_is_rejected() {
    let served = Served::start(NOW, "").await;
    let rebound = served.client.get(served.url("/api/v1/report")).header("host", "rebound.example").send();
    assert_eq!(rebound.await.unwrap().status(), 403);
    let page = served.client.post(served.url("/api/v1/audit")).header("origin", "https://evil.example").send();
    assert_eq!(page.await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_has_security_headers() {
    let served = guarded().await;
    for path in ["/", "/healthz", "/nowhere", "/api/v1/report"] {
        let headers = served.get(path).await.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_requires_a_token_or_a_proxy() {
    let refusal = |serve: &str| {
        let served = Served::prepare(NOW, &format!("[serve]\n{serve}"));
        let environment = basewatch::config::EnvironmentVariables::default();
        let flags = basewatch::config::CliOverrides::default();
        let loaded = basewatch::config::load(&flags, &environment, served.folder.path());
        loaded.map(drop).map_err(|problems| problems.to_string())
    };
    let error = refusal("listen = \"0.0.0.0:8080\"\n").unwrap_err();
    assert!(error.contains("serve.listen") && error.contains("set token or proxy"), "{error}");
    assert_eq!(refusal("listen = \"[::1]:8080\"\n"), Ok(()));
    let proxy = "proxy = { header = \"X-User\", from = [\"10.0.0.0/16\", \"192.0.2.7\"] }\n";
    assert_eq!(refusal(&format!("listen = \"0.0.0.0:8080\"\n{proxy}")), Ok(()));
    let error = refusal("proxy = { header = \"X User\", from = [] }\n").unwrap_err();
    assert!(error.contains("serve.proxy.header") && error.contains("serve.proxy.from"), "{error}");
}
