//! A fleet of which most is unknown is not a success: `run`, `audit` and the Lambda function.

use serde_json::Value;
use testbed::{
    bare::{stderr, stdout},
    registry::ImageSpec,
};

use crate::lambda::fleet::{ALL_OF_ECR, Fleet, scheduled};

/// One image with a known base and two without any evidence, in ECR.
fn fleet(policy: &str) -> Fleet {
    let fleet = Fleet::new();
    fleet.push("orders:1", false);
    for name in ["billing", "receipts"] {
        let spec = ImageSpec { layers: vec![name.as_bytes().to_vec()], ..ImageSpec::default() };
        let digest = fleet.stock.push_image(name, &spec);
        fleet.store(name, &digest, &["1"]);
    }
    fleet.configure("store = \"store\"", ALL_OF_ECR, policy);
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_below_min_known_exits_with_3() {
    let fleet = fleet("");
    for (arguments, code, reason) in [
        (&["run", "--format", "json"][..], 3, "most-unknown"),
        (&["run", "--format", "json", "--fail-on", "never"], 3, "most-unknown"),
        (&["run", "--format", "json", "--fail-on", "unknown"], 1, "fail-on"),
        (&["run", "--format", "json", "--dry-run"], 3, "most-unknown"),
        (&["audit", "--format", "json"], 3, "most-unknown"),
        (&["audit", "--format", "json", "--fail-on", "unknown"], 1, "fail-on"),
    ] {
        let output = fleet.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let summary = &printed["summary"];
        let expected = (&3.into(), &1.into(), &Value::from(reason));
        assert_eq!((&summary["deployments"], &summary["judged"], &summary["exit_reason"]), expected, "{arguments:?}");
        assert_eq!(printed["notes"][0]["code"], "most-unknown", "{arguments:?}");
    }
    // The stored report has the same reason, and the table starts with it.
    assert_eq!(fleet.stored("reports/latest.json").unwrap()["summary"]["exit_reason"], "fail-on");
    let table = stdout(&fleet.command(&["audit"]).output().unwrap());
    assert!(table.starts_with("Most of the fleet is unknown: only 1 of 3 deployments could be judged"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn min_known_of_the_policy_sets_the_limit() {
    for (min_known, code, reason) in [("0.3", 0, "clean"), ("0", 0, "clean"), ("0.34", 3, "most-unknown")] {
        let fleet = fleet(&format!("[policy]\nmin_known = {min_known}\n"));
        let output = fleet.command(&["run", "--format", "json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{min_known}: {}", stderr(&output));
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(printed["summary"]["exit_reason"], reason, "{min_known}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_notification_is_the_exit_reason_of_a_clean_audit() {
    let fleet = Fleet::new();
    fleet.push("orders:1", true);
    fleet.configure("store = \"store\"", ALL_OF_ECR, "");
    fleet.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let output = fleet.command(&["run", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&printed["summary"]["exit_reason"], &printed["complete"]), (&"problems".into(), &true.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_reports_most_unknown_and_notifies_once() {
    let fleet = fleet("");
    let running = fleet.start().await;
    let done = running.invoke(scheduled()).await.response();
    assert_eq!(done["summary"]["exit_reason"], "most-unknown");
    assert_eq!(done["messages"][0]["kind"], "watch");
    let [metrics] = running.function.metrics().try_into().unwrap();
    assert_eq!(metrics["MostUnknown"], 1);
    let again = running.invoke(scheduled()).await.response();
    assert_eq!((again["messages"].as_array().unwrap().len(), fleet.notified().len()), (0, 1));
}
