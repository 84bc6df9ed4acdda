//! The served dashboard: its content, and that it loads no external resources.

use basewatch::dashboard;

use testbed::serve_rig::Served;

const NOW: &str = "2025-11-20T06:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_the_last_report_with_filters() {
    let served = Served::start(NOW, "").await;
    let response = served.get("/").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let page = response.text().await.unwrap();
    for text in ["orders:1", "billing:1", "fresh:1", "payments", "java:21"] {
        assert!(page.contains(text), "{text}");
    }
    let narrow = served.get("/?verdict=fresh").await.text().await.unwrap();
    let rows = |page: &str| page.matches("id=\"f-").count();
    assert_eq!((rows(&page), rows(&narrow)), (3, 1));
    let refused = served.get("/?verdict=old").await;
    assert_eq!(refused.status(), 400);
    let text = refused.text().await.unwrap();
    assert!(text.contains("verdict must be fresh") && text.contains("<html"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_assets_of_a_page_exist_and_are_immutable() {
    let served = Served::start(NOW, "").await;
    let page = served.get("/").await.text().await.unwrap();
    for asset in dashboard::assets() {
        assert!(page.contains(&asset.path), "{}", asset.path);
        let response = served.get(&asset.path).await;
        assert_eq!(response.headers()["content-type"], asset.content_type);
        assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(response.bytes().await.unwrap(), asset.bytes);
    }
    assert_eq!(served.get("/assets/nothing.css").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_a_failed_run() {
    let served = Served::start(NOW, "").await;
    let ledger = served.folder.path().join("store/ledger.json");
    std::fs::write(&ledger, "{ no ledger").unwrap();
    served.clock.set(chrono::TimeDelta::minutes(5));
    assert_eq!(served.client.post(served.url("/api/v1/audit")).send().await.unwrap().status(), 202);
    served.wait(async || served.json("/api/v1/status").await["last_run"]["succeeded"] == false, "a failure").await;
    let page = served.get("/").await.text().await.unwrap();
    assert!(page.contains("orders:1"), "the last report is shown all the same");
    assert!(page.contains("ledger"), "and why there is no newer one");
    let metrics = served.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("basewatch_last_run_success 0"));
}
