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

/// The links of a page to other pages.
fn links(page: &str, start: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut links: Vec<_> = links.filter(|link| link.starts_with(start)).map(str::to_owned).collect();
    links.sort();
    links.dedup();
    links
}

#[tokio::test(flavor = "multi_thread")]
async fn each_owner_line_and_deployment_has_a_page_of_its_own() {
    let served = Served::start(NOW, "").await;
    let page = served.get("/").await.text().await.unwrap();
    for (start, count, title, others) in [
        ("/owners/", 1, "payments: 2 of 3 deployments are built on an outdated base", ["orders:1", "fresh:1"]),
        ("/lines/", 1, "java:21", ["orders:1", "fresh:1"]),
        ("/deployments/", 3, "billing:1", ["Evidence", "What to do next"]),
    ] {
        let links = links(&page, start);
        assert_eq!(links.len(), count, "{links:?}");
        let link = links.iter().find(|link| count == 1 || link.contains("billing")).unwrap();
        let response = served.get(link).await;
        assert_eq!(response.status(), 200, "{link}");
        let text = response.text().await.unwrap();
        let head = text.split("</title>").next().unwrap();
        assert!(head.contains(title), "{head}");
        assert!(others.iter().all(|other| text.contains(other)), "{text}");
        assert!(text.contains("class=\"tiles"), "{link} has tiles");
    }
    for nowhere in ["/owners/nobody", "/lines/x/y:1", "/deployments/lambda:x", "/alerts/0", "/changes/2020-01-01"] {
        let response = served.get(nowhere).await;
        assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (404, &HTML.parse().unwrap()));
    }
}

const HTML: &str = "text/html; charset=utf-8";

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_links_to_the_documentation_of_each_reason() {
    let served = Served::start(NOW, "").await;
    let page = served.get("/").await.text().await.unwrap();
    let deployment = links(&page, "/deployments/").into_iter().find(|link| link.contains("orders")).unwrap();
    let text = served.get(&deployment).await.text().await.unwrap();
    let reasons = links(&text, "/docs/verdicts#");
    assert!(reasons.contains(&"/docs/verdicts#base-too-old".to_owned()), "{reasons:?}");
    let documentation = served.get("/docs/verdicts").await.text().await.unwrap();
    for reason in reasons {
        let id = reason.split_once('#').unwrap().1;
        assert!(documentation.contains(&format!("<h3 id=\"{id}\">")), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_top_shows_what_changed_since_earlier_reports_also_after_a_restart() {
    let mut served = Served::start(NOW, "[serve]\nschedule = \"0 6 * * *\"\n").await;
    let page = served.get("/").await.text().await.unwrap();
    assert_eq!(page.matches("no report of that time is stored").count(), 2, "no zeros without a report");
    // The next day, an image is deployed that was not there.
    served.clock.run_until("2025-11-21T06:00:00Z");
    served.wait(async || served.runs().len() == 2, "the second run").await;
    let path = served.folder.path().join("store/reports/2025/11/20");
    let first = std::fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&first).unwrap();
    // As if `orders` had been fresh and `gone` been there.
    let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
    for finding in report["findings"].as_array_mut().unwrap() {
        if finding["id"].as_str().unwrap().contains("orders") {
            finding["severity"] = "none".into();
            finding["verdict"] = "fresh".into();
        }
    }
    let mut gone = report["findings"].as_array().unwrap().iter().find(|one| one["verdict"] != "fresh").unwrap().clone();
    gone["id"] = "image:gone".into();
    report["findings"].as_array_mut().unwrap().push(gone);
    std::fs::write(&first, report.to_string()).unwrap();
    served.stop().await;
    served.run().await;
    let ready = async || served.get("/").await.text().await.unwrap().contains("1 resolved");
    served.wait(ready, "the earlier report").await;
    let page = served.get("/").await.text().await.unwrap();
    let changes = links(&page, "/changes/2025-11-20");
    assert_eq!(changes, ["/changes/2025-11-20#new", "/changes/2025-11-20#resolved"]);
    assert!(page.contains(">1 new</a>") && page.contains(">0 worse</span>"), "{page}");
    let listed = served.get("/changes/2025-11-20").await.text().await.unwrap();
    assert!(listed.contains("orders:1") && listed.contains("gone"), "{listed}");
    // The history of the deployment has both days.
    let deployment = links(&page, "/deployments/").into_iter().find(|link| link.contains("orders")).unwrap();
    let history = served.get(&deployment).await.text().await.unwrap();
    let history = history.split("id=\"history\"").nth(1).unwrap();
    assert!(history.contains("2025-11-20") && history.contains("2025-11-21"), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_a_script_leads_to_a_short_address() {
    let mut served = Served::prepare(NOW, "");
    let policy = reqwest::redirect::Policy::none();
    served.client = reqwest::Client::builder().redirect(policy).build().unwrap();
    served.run().await;
    served.wait_for_report().await;
    for (path, short) in [
        ("/?q=&verdict=stale&owner=", "/?verdict=stale"),
        ("/?q=+&verdict=", "/"),
        ("/owners/payments?q=&sort=-age", "/owners/payments?sort=-age"),
    ] {
        let response = served.get(path).await;
        assert_eq!((response.status().as_u16(), &response.headers()["location"]), (303, &short.parse().unwrap()));
    }
}
