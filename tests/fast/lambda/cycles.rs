//! Scheduled events start runs, and state persists between invocations.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use serde_json::{Value, json};

use crate::lambda::fleet::{Fleet, scheduled};

fn fleet() -> Fleet {
    let fleet = Fleet::new();
    let host = fleet.registry.host();
    for (name, is_old) in [("orders:1", true), ("billing:1", true), ("fresh:1", false)] {
        fleet.build(name, is_old);
    }
    let references = ["orders:1", "billing:1", "fresh:1"].map(|name| format!("\"{host}/{name}\"")).join(", ");
    fleet.configure("store = \"store\"", &format!("[inventory]\nimages = [{{ references = [{references}] }}]"), "");
    fleet
}

fn numbers(metrics: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| metrics[name].as_u64().unwrap_or_else(|| panic!("{name} in {metrics:#}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_event_is_a_run_with_its_report_alerts_and_metrics() {
    let fleet = fleet();
    let running = fleet.start().await;
    let done = running.invoke(scheduled()).await.response();
    assert_eq!((&done["complete"], &done["summary"]["deployments"]), (&true.into(), &3.into()));
    assert_eq!(fleet.notified().concat().len(), 2, "{:?}", fleet.notified());
    let report = fleet.stored("reports/latest.json").unwrap();
    assert_eq!(report["run_id"], done["run_id"]);
    let [metrics] = running.function.metrics().try_into().unwrap();
    assert_eq!(metrics["FunctionName"], "base-watch");
    let found = ["Deployments", "Fresh", "Superseded", "OutOfDate", "Stale", "Deprecated", "Unknown"];
    assert_eq!(numbers(&metrics, &found), [3, 1, 0, 0, 2, 0, 0]);
    assert_eq!(numbers(&metrics, &["Critical", "High", "Medium", "Low"]), [0, 2, 0, 0]);
    assert_eq!(numbers(&metrics, &["BaseAgeP50Days", "BaseAgeP90Days", "ReportComplete"]), [90, 90, 1]);
    assert_eq!(numbers(&metrics, &["RunSucceeded", "RunFailed", "RunUnfinished"]), [1, 0, 0]);
    assert_eq!(numbers(&metrics, &["MessagesSent", "MessagesFailed"]), [1, 0]);
    let requests: u64 = done_requests(&report);
    let sent = numbers(&metrics, &["Requests"])[0];
    assert!(sent > requests, "those of the report, and the message: {sent} and {requests}");
    assert!(metrics["RunDuration"].is_u64());
    // The page lists exactly these.
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lambda.md")).unwrap();
    let (_, table) = page.split_once("| metric | unit | of |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|')).skip(1);
    let first = rows.map(|row| row.split('|').nth(1).unwrap());
    let listed: BTreeSet<_> = first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let defined = metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    let defined: BTreeSet<_> = defined.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
    assert_eq!(listed, defined);
}

fn done_requests(report: &Value) -> u64 {
    report["requests"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_in_the_same_process_has_its_own_counters_and_reads_changes() {
    let fleet = fleet();
    let running = fleet.start().await;
    let first = running.invoke(scheduled()).await.response();
    fleet.build("orders:1", false);
    for event in [json!({ "source": "aws.scheduler" }), json!({}), Value::Null] {
        let next = running.invoke(event).await.response();
        assert_ne!(next["run_id"], first["run_id"]);
        assert!(next["at"].as_str() > first["at"].as_str(), "its own now");
        assert_eq!(next["summary"]["by_verdict"]["stale"], 1);
    }
    assert_eq!(fleet.notified().len(), 2, "{:?}", fleet.notified());
    let requests: Vec<_> = running.function.metrics().iter().map(|line| numbers(line, &["Requests"])[0]).collect();
    // Everything except the tags is cached; the second run reads the new image and resolves one alert.
    assert!(requests[0] > requests[1] && requests[1] > requests[2] && requests[2] == requests[3], "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undelivered_message_is_counted_and_retried() {
    let fleet = fleet();
    fleet.is_down.store(true, Ordering::SeqCst);
    let running = fleet.start().await;
    let done = running.invoke(scheduled()).await.response();
    assert_eq!(done["messages"][0]["sent"], false);
    let ledger = fleet.stored("ledger.json").unwrap();
    assert_eq!(ledger["outbox"].as_array().unwrap().len(), 1, "it stays due");
    let metrics = running.function.metrics();
    assert_eq!(numbers(&metrics[0], &["MessagesSent", "MessagesFailed", "RunSucceeded"]), [0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_is_a_failed_invocation_and_the_next_one_is_handled() {
    let fleet = fleet();
    let running = fleet.start().await;
    running.invoke(scheduled()).await.response();
    let ledger = fleet.store_folder().join("ledger.json");
    let before = std::fs::read(&ledger).unwrap();
    std::fs::write(&ledger, "{").unwrap();
    let (kind, message) = running.invoke(scheduled()).await.error();
    assert_eq!(kind, "Basewatch.Failed");
    assert!(message.contains("ledger.json") && message.contains("cannot be parsed"), "{message}");
    std::fs::write(&ledger, before).unwrap();
    running.invoke(scheduled()).await.response();
    let ended: Vec<_> =
        running.function.metrics().iter().map(|line| numbers(line, &["RunSucceeded", "RunFailed"])).collect();
    assert_eq!(ended, [[1, 0], [0, 1], [1, 0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_needs_a_store_and_something_to_audit() {
    let fleet = fleet();
    for (top, inventory, expected) in [
        ("store = \"store\"", "", "nothing to audit"),
        ("", "[[inventory.ecr]]\nregions = [\"eu-west-1\"]", "no store"),
    ] {
        fleet.configure(top, inventory, "");
        let running = fleet.start().await;
        let (kind, message) = running.invoke(scheduled()).await.error();
        assert_eq!(kind, "Basewatch.Configuration");
        assert!(message.contains(expected), "{message}");
        assert_eq!(numbers(&running.function.metrics()[0], &["RunSucceeded", "RunFailed"]), [0, 1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_event_is_rejected_with_a_hint() {
    let fleet = fleet();
    let running = fleet.start().await;
    for event in [json!({ "Records": [] }), json!({ "image": "x" }), json!("run"), json!({ "source": "aws.s3" })] {
        let (kind, message) = running.invoke(event).await.error();
        assert_eq!(kind, "Basewatch.UnknownEvent");
        assert!(message.contains("\"images\"") && message.contains("scheduled event"), "{message}");
    }
    assert_eq!((running.function.metrics().len(), fleet.notified().len()), (0, 0));
}
