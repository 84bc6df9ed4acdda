//! The API of `serve`: report, filtered findings, bases, history, metrics and OpenAPI document.

use std::io::Read as _;

use basewatch::report::Report;
use serde_json::{Value, json};

use testbed::serve_rig::Served;

const NOW: &str = "2025-11-20T06:00:00Z";

async fn served() -> Served {
    Served::start(NOW, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_the_stored_one_and_supports_conditional_requests() {
    let served = served().await;
    let response = served.get("/api/v1/report").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let tag = response.headers()["etag"].clone();
    let bytes = response.bytes().await.unwrap();
    let stored = std::fs::read(served.folder.path().join("store/reports/latest.json")).unwrap();
    assert_eq!(bytes, stored);
    let report: Report = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(report.summary.deployments, 3);

    let again = served.client.get(served.url("/api/v1/report")).header("if-none-match", tag.clone()).send();
    let again = again.await.unwrap();
    assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag));
    assert_eq!(again.bytes().await.unwrap().len(), 0);

    let packed = served.client.get(served.url("/api/v1/report")).header("accept-encoding", "gzip").send();
    let packed = packed.await.unwrap();
    assert_eq!((&packed.headers()["content-encoding"], &packed.headers()["etag"]), (&"gzip".parse().unwrap(), &tag));
    let packed = packed.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == stored && packed.len() < stored.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_filtered_sorted_and_paginated() {
    let served = served().await;
    let names = |body: &Value| {
        let findings = body["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["deployment"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let host = served.fleet.host();
    // Descending: the oldest first.
    let ages = |findings: &Value| -> Vec<Option<i64>> {
        let findings = findings["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["base"]["age_days"].as_i64()).collect()
    };
    let (oldest, youngest) =
        (served.json("/api/v1/findings?sort=-age").await, served.json("/api/v1/findings?sort=age").await);
    assert!(ages(&oldest).is_sorted_by(|one, other| one >= other), "{:?}", ages(&oldest));
    assert!(ages(&youngest).is_sorted() && ages(&youngest) != ages(&oldest), "{:?}", ages(&youngest));
    let all = served.json("/api/v1/findings?sort=-name").await;
    assert_eq!(all["total"], 3);
    assert_eq!(names(&all), ["orders", "fresh", "billing"].map(|name| format!("{host}/{name}:1")));
    let stale = served.json("/api/v1/findings?verdict=stale&verdict=deprecated&owner=payments&limit=1").await;
    assert_eq!((&stale["total"], names(&stale)), (&json!(2), vec![format!("{host}/billing:1")]));
    let next = stale["next"].as_str().unwrap();
    let last = served.json(next).await;
    assert_eq!((names(&last), &last["next"]), (vec![format!("{host}/orders:1")], &Value::Null), "{next}");
    let found = served.json("/api/v1/findings?q=ORD+payments").await;
    assert_eq!(names(&found), [format!("{host}/orders:1")]);
    assert_eq!(served.json("/api/v1/findings?owner=-").await["total"], 0);
    assert_eq!(served.json("/api/v1/findings?offset=99").await["findings"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_downloaded_as_csv_with_the_same_filters() {
    let served = served().await;
    let response = served.get("/api/v1/findings?verdict=stale&format=csv&limit=1").await;
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"basewatch-findings.csv\"");
    let text = response.text().await.unwrap();
    assert_eq!(text.lines().count(), 3, "a header and all stale findings: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_are_answered_with_a_hint() {
    let served = served().await;
    let table = [
        ("/api/v1/findings?verdict=old", 400, "verdict must be fresh, superseded, out-of-date"),
        ("/api/v1/findings?colour=red", 400, "unknown parameter \"colour\""),
        ("/api/v1/findings?format=xml", 400, "format must be json or csv"),
        ("/api/v1/history?days=0", 400, "days must be an integer from 1 to 400"),
        ("/api/v1/history?weeks=1", 400, "unknown parameter \"weeks\""),
        ("/nowhere", 404, "no such path"),
        ("/api/v1/audit", 405, "method not allowed"),
    ];
    for (path, status, detail) in table {
        let response = served.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{path}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bases_history_and_status_describe_the_fleet_over_time() {
    let served = served().await;
    let bases = served.json("/api/v1/bases").await;
    let line = &bases["lines"][0];
    assert_eq!(line["reference"], format!("{}/java:21", served.fleet.host()));
    assert_eq!(line["by_verdict"], json!({ "fresh": 1, "stale": 2 }));
    let counts: Vec<_> = line["releases"].as_array().unwrap().iter().map(|release| &release["deployments"]).collect();
    assert_eq!(counts, [&json!(1), &json!(2)], "the newest first");
    assert_eq!(line["releases"][0]["current"], true);

    let history = served.json("/api/v1/history").await;
    assert_eq!(history["days"][0]["by_verdict"]["stale"], 2);
    let status = served.json("/api/v1/status").await;
    assert_eq!(status["next_run_at"], "2025-11-21T06:00:00Z");
    assert_eq!((&status["last_run"]["succeeded"], &status["running"]), (&json!(true), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_exist_from_the_start_and_have_bounded_labels() {
    let served = served().await;
    served.get("/nowhere").await;
    served.get("/elsewhere").await;
    let text = served.get("/metrics").await.text().await.unwrap();
    for line in [
        "basewatch_build_info{version=\"0.1.0\"} 1",
        "basewatch_deployments{verdict=\"stale\"} 2",
        "basewatch_deployments{verdict=\"deprecated\"} 0",
        "basewatch_findings{severity=\"high\"} 2",
        "basewatch_owner_findings{owner=\"payments\"} 2",
        "basewatch_base_age_days{quantile=\"1\"} 90",
        "basewatch_report_complete 1",
        "basewatch_report_timestamp_seconds 1763618400.0",
        "basewatch_last_run_success 1",
        "basewatch_next_run_timestamp_seconds 1763704800.0",
        "basewatch_runs_total{outcome=\"complete\"} 1",
        "basewatch_runs_total{outcome=\"failed\"} 0",
        "basewatch_messages_total{outcome=\"sent\"} 0",
        "basewatch_http_requests_total{route=\"other\",status=\"404\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("basewatch_upstream_requests_total{service=\"127.0.0.1:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_run_the_api_responds_with_503() {
    let mut served = Served::prepare(NOW, "");
    // Its only registry does not respond in time.
    served.fleet.registry.stock().untag("java", "21");
    served.run().await;
    served.wait(async || served.get("/readyz").await.status() == 200, "readiness").await;
    assert_eq!(served.get("/healthz").await.text().await.unwrap(), "ok\n");
    served.wait_for_report().await;
    assert_eq!(served.stop().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_requested_but_not_concurrently_or_immediately_again() {
    let served = served().await;
    let request = async || served.client.post(served.url("/api/v1/audit")).send().await.unwrap();
    let soon = request().await;
    assert_eq!((soon.status().as_u16(), &soon.headers()["retry-after"]), (429, &"60".parse().unwrap()));
    served.clock.set(chrono::TimeDelta::seconds(61));
    assert_eq!(request().await.status(), 202);
    served.wait(async || served.runs().len() == 2, "a second run").await;
    assert_eq!(served.runs(), ["20251120T060000Z", "20251120T060101Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_serves_the_last_report_immediately() {
    let mut served = served().await;
    let before = served.json("/api/v1/report").await;
    assert_eq!(served.stop().await.code(), 0);
    served.run().await;
    served.wait(async || served.get("/readyz").await.status() == 200, "readiness").await;
    assert_eq!(served.json("/api/v1/report").await, before);
    assert_eq!(served.runs().len(), 1, "no run was missed, and none is repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_describes_every_path() {
    let served = served().await;
    let document = served.json("/api/v1/openapi.json").await;
    assert_eq!(document, basewatch::serve::openapi::document());
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_some() {
            let status = served.get(path).await.status().as_u16();
            assert!(operations["get"]["responses"].get(status.to_string()).is_some(), "{path} answers {status}");
        }
    }
    let text = document.to_string();
    let references = text.match_indices("#/components/schemas/").map(|(at, found)| {
        let name = &text[at + found.len()..];
        &name[..name.find('"').unwrap()]
    });
    for name in references {
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}
