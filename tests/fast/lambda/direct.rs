//! A direct invocation returns a report and changes no state.

use basewatch::image::{Annotations, Platform};
use serde_json::json;

use crate::lambda::fleet::Fleet;

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_invocation_returns_the_report_on_its_images() {
    let fleet = Fleet::new();
    let host = fleet.registry.host();
    let (orders, fresh) = (format!("{host}/orders:1"), format!("{host}/fresh:1"));
    fleet.build("orders:1", true);
    fleet.build("fresh:1", false);
    // With and without a store.
    for top in ["store = \"store\"", ""] {
        fleet.configure(top, "[[inventory.ecr]]\nregions = [\"eu-west-1\"]", "");
        let running = fleet.start().await;
        let report = running.invoke(json!({ "images": [orders, fresh] })).await.response();
        assert_eq!(report["schema"], "basewatch.report/v1");
        let verdicts: Vec<_> = report["findings"].as_array().unwrap().iter().map(|it| it["verdict"].clone()).collect();
        assert_eq!(verdicts, ["stale", "fresh"], "those that are named, and nothing of the configured inventory");
        let past = running.invoke(json!({ "images": [orders], "as_of": "2020-01-01" })).await.response();
        assert_eq!(past["generated_at"], "2020-01-01T00:00:00Z");
        assert!(running.function.metrics().iter().all(|line| line.get("RunSucceeded").is_none()), "it was no run");
    }
    assert_eq!(fleet.notified().len(), 0);
    assert!(fleet.stored("ledger.json").is_none() && fleet.stored("reports/latest.json").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_image_is_a_finding_and_not_an_error() {
    let fleet = Fleet::new();
    fleet.configure("", "", "");
    let running = fleet.start().await;
    let missing = format!("{}/nothing:1", fleet.registry.host());
    let report = running.invoke(json!({ "images": [missing] })).await.response();
    assert_eq!(report["findings"][0]["verdict"], "unknown");
    for (event, expected) in [
        (json!({ "images": [] }), "list of image references"),
        (json!({ "images": ["oci:/etc"] }), "in a folder"),
        (json!({ "images": ["x"], "output": "y" }), "\"output\""),
    ] {
        let (kind, message) = running.invoke(event).await.error();
        assert_eq!(kind, "Basewatch.UnknownEvent");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_over_the_response_limit_is_truncated_with_a_note() {
    let fleet = Fleet::new();
    fleet.configure("", "", "");
    let host = fleet.registry.host();
    let image = fleet.build("big:0", true);
    // A finding for each platform of each tag.
    let platforms = (0..100).map(|number| (image.clone(), Platform::new("linux", "arm", Some(&format!("v{number}")))));
    let index = fleet.stock.push_index("big", &platforms.collect::<Vec<_>>(), &Annotations::new(), false);
    let images: Vec<_> = (1..=80).map(|tag| format!("{host}/big:{tag}")).collect();
    (1..=80).for_each(|tag| fleet.stock.tag("big", &tag.to_string(), &index));
    let running = fleet.start().await;
    let part = running.invoke(json!({ "images": images })).await.response();
    assert!(part.to_string().len() < 6 * 1024 * 1024);
    let findings = part["findings"].as_array().unwrap().len();
    assert!((1000..8000).contains(&findings), "{findings}");
    assert_eq!((&part["summary"]["deployments"], &part["complete"]), (&json!(8000), &json!(false)));
    let note = part["notes"].as_array().unwrap().last().unwrap();
    assert_eq!(note["code"], "report-cut");
    let missing = format!("{} of 8000 findings are omitted", 8000 - findings);
    assert!(note["message"].as_str().unwrap().starts_with(&missing), "{note}");
    let some = running.invoke(json!({ "images": images[..10] })).await.response();
    assert_eq!(some["findings"].as_array().unwrap().len(), 1000);
    assert_eq!((&some["complete"], &some["notes"]), (&json!(true), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_json_is_rejected_and_the_function_continues() {
    let fleet = Fleet::new();
    fleet.configure("", "", "");
    let running = fleet.start().await;
    let deep = "[".repeat(300) + &"]".repeat(300);
    for payload in [b"{\"images\": [".as_slice(), b"", b"{} {}", b"run", &[0xff, 0xfe, b'"'], deep.as_bytes()] {
        let (kind, message) = running.invoke_with(payload).await.error();
        assert_eq!(kind, "Basewatch.UnknownEvent", "{message}");
        assert!(message.contains("not a JSON object"), "{message}");
    }
    let missing = format!("{}/nothing:1", fleet.registry.host());
    assert_eq!(running.invoke(json!({ "images": [missing] })).await.response()["schema"], "basewatch.report/v1");
}
