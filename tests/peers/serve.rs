//! `basewatch serve` with other tools: its OpenAPI document, and Prometheus.

use std::{fs, path::Path};

use serde_json::Value;

use testbed::{peers, serve_rig::Served};

const NOW: &str = "2025-11-20T06:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn the_api_matches_its_openapi_document() {
    let served = Served::start(NOW, "").await;
    let document = served.url("/api/v1/openapi.json");
    // A second thread of this process serves the requests meanwhile.
    let (succeeded, printed) = tokio::task::spawn_blocking(move || peers::ask_api(&document)).await.unwrap();
    assert!(succeeded, "{printed}");
    assert!(printed.contains("Tested: 9\n"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_parses_the_metrics_and_no_label_comes_from_requests() {
    let served = Served::start(NOW, "").await;
    for path in ["/a", "/b?c", "/api/v1/findings?q=d", "/assets/e", "/%F0%9F"] {
        served.get(path).await;
    }
    let text = served.get("/metrics").await.text().await.unwrap();
    let file = served.folder.path().join("metrics");
    fs::write(&file, &text).unwrap();
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/read_metrics.py");
    let families: Value = serde_json::from_str(&peers::run_python(&[&reader, &file])).unwrap();
    let families = families.as_object().unwrap();
    assert_eq!(families.len(), 16, "{:?}", families.keys().collect::<Vec<_>>());
    assert!(families.values().all(|family| family["help"].as_str().is_some_and(|help| !help.is_empty())));
    let routes = families["basewatch_http_requests"]["samples"].as_array().unwrap();
    let mut routes: Vec<_> = routes.iter().map(|sample| sample[1]["route"].as_str().unwrap()).collect();
    routes.sort_unstable();
    routes.dedup();
    assert_eq!(routes, ["/api/v1/findings", "/api/v1/report", "/assets/{name}", "other"]);
}
