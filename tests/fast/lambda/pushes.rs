//! Events of pushed images: each is audited at once; notifications, unchanged state, and the next run.

use std::fs;

use serde_json::{Value, json};
use testbed::aws::FaultScope;

use crate::lambda::fleet::{ALL_OF_ECR, Fleet, pushed, scheduled};

const NO_MESSAGES: [[&str; 0]; 0] = [];

fn fleet() -> Fleet {
    let fleet = Fleet::new();
    fleet.configure("store = \"store\"", ALL_OF_ECR, "");
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_on_an_outdated_base_is_notified_immediately_and_only_once() {
    let fleet = fleet();
    let running = fleet.start().await;
    let done = running.invoke(fleet.push("orders:421", true)).await.response();
    assert_eq!(done["findings"], json!([{ "id": "ecr:eu-west-1:123456789012:orders:421", "verdict": "stale" }]));
    assert_eq!((&done["messages"], fleet.notified()), (&1.into(), vec![vec!["orders:421 triggered".to_owned()]]));
    // It was not a run: only the notification is recorded.
    assert!(fleet.stored("reports/latest.json").is_none() && fleet.stored("history.json").is_none());
    let ledger = fleet.stored("ledger.json").unwrap();
    assert_eq!((&ledger["last_run"], ledger["alerts"].as_object().unwrap().len()), (&Value::Null, 1));
    let run = running.invoke(scheduled()).await.response();
    assert_eq!(run["summary"]["by_verdict"]["stale"], 1);
    assert_eq!(fleet.notified().len(), 1, "{:?}", fleet.notified());
    // The same event again, because EventBridge may deliver it twice.
    let again = fleet.push("orders:421", true);
    assert_eq!(running.invoke(again).await.response()["messages"], 0);
    assert!(running.function.metrics().iter().filter(|line| line.get("RunSucceeded").is_some()).count() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_on_a_current_base_sends_nothing_and_resolves_only_its_alert() {
    let fleet = fleet();
    fleet.push("orders:1", true);
    fleet.push("billing:1", true);
    let running = fleet.start().await;
    assert_eq!(running.invoke(fleet.push("fresh:1", false)).await.response()["messages"], 0);
    assert_eq!(fleet.notified(), NO_MESSAGES);
    assert!(fleet.stored("ledger.json").is_none(), "the store is left alone");
    running.invoke(scheduled()).await.response();
    let run = fleet.stored("ledger.json").unwrap()["last_run"].clone();
    let report = fleet.stored("reports/latest.json").unwrap();
    let history = fleet.stored("history.json").unwrap();
    running.invoke(fleet.push("orders:1", false)).await.response();
    assert_eq!(fleet.notified()[1..], [["orders:1 resolved"]]);
    assert_eq!(fleet.stored("ledger.json").unwrap()["last_run"], run);
    assert_eq!(fleet.stored("reports/latest.json").unwrap(), report);
    assert_eq!(fleet.stored("history.json").unwrap(), history);
    running.invoke(scheduled()).await.response();
    assert_eq!(fleet.notified().len(), 2, "{:?}", fleet.notified());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_pushed_under_three_tags_is_one_message_across_invocations() {
    let fleet = fleet();
    let running = fleet.start().await;
    let first = fleet.push("orders:1.2.3", true);
    assert_eq!(running.invoke(first.clone()).await.response()["messages"], 1);
    // The other tags exist by the time their events arrive.
    let digest = first["detail"]["image-digest"].as_str().unwrap().parse().unwrap();
    fleet.store("orders", &digest, &["1.2", "1.2.3", "latest"]);
    for tag in ["1.2", "latest", "1.2.3"] {
        let done = running.invoke(pushed("orders", &digest, Some(tag))).await.response();
        assert_eq!((done["findings"].as_array().unwrap().len(), &done["messages"]), (3, &0.into()), "{done}");
    }
    assert_eq!(fleet.notified(), [["orders:1.2.3 triggered"]]);
    let message_ids = |fleet: &Fleet| {
        let ledger = fleet.stored("ledger.json").unwrap();
        let alerts = ledger["alerts"].as_object().unwrap().clone();
        alerts
            .into_values()
            .map(|alert| alert["deliveries"]["chat"]["events"][0]["message_id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(message_ids(&fleet), vec![Value::from("m-1"); 3]);
    running.invoke(scheduled()).await.response();
    assert_eq!(fleet.notified().len(), 1, "the run knows all of them: {:?}", fleet.notified());
    // The message about an image with several tags lists all of them.
    let digest = fleet.build("search:1", true);
    fleet.store("search", &digest, &["1", "latest"]);
    running.invoke(pushed("search", &digest, Some("latest"))).await.response();
    let log = fleet.hook.log();
    let message: Value = serde_json::from_str(&log.last().unwrap().body).unwrap();
    assert_eq!(message["items"][0]["tags"], json!(["1", "latest"]));
    // All of them are resolved together.
    let fresh = fleet.build("orders:2", false);
    fleet.store("orders", &fresh, &["1.2", "1.2.3", "latest"]);
    running.invoke(scheduled()).await.response();
    let resolved: Vec<_> = fleet.notified().into_iter().flatten().filter(|event| event.contains("resolved")).collect();
    assert_eq!(resolved, ["orders:1.2 resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_index_has_a_finding_for_each_platform() {
    let fleet = fleet();
    let index = fleet.build_index("multi:1", true);
    fleet.store("multi", &index, &["1"]);
    let running = fleet.start().await;
    let done = running.invoke(pushed("multi", &index, Some("1"))).await.response();
    let ids: Vec<_> = done["findings"].as_array().unwrap().iter().map(|finding| finding["id"].clone()).collect();
    assert_eq!(ids, ["linux/amd64", "linux/arm64"].map(|it| format!("ecr:eu-west-1:123456789012:multi:1#{it}")));
    running.invoke(scheduled()).await.response();
    assert_eq!(fleet.notified().len(), 1, "the run knows them by the same names: {:?}", fleet.notified());
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_of_other_artifacts_and_deleted_images_are_ignored() {
    let fleet = fleet();
    let artifact = |kind: &str| {
        json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": kind, "digest": format!("sha256:{}", "a".repeat(64)), "size": 2 },
            "layers": [{
                "mediaType": "application/vnd.in-toto+json", "digest": format!("sha256:{}", "b".repeat(64)), "size": 2,
            }],
        })
        .to_string()
        .into_bytes()
    };
    let running = fleet.start().await;
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    for (repository, kind) in [
        ("chart", "application/vnd.cncf.helm.config.v1+json"),
        // BuildKit's attestations have the media type of an image configuration.
        ("attested", "application/vnd.oci.image.config.v1+json"),
    ] {
        let digest = fleet.stock.push_raw(repository, media_type, artifact(kind));
        fleet.store(repository, &digest, &["1"]);
        let done = running.invoke(pushed(repository, &digest, Some("1"))).await.response();
        assert!(done["ignored"].as_str().unwrap().contains("not an image"), "{done}");
    }
    // The tag moved before the event arrived, or the image or its repository was deleted.
    let late = fleet.push("orders:1", true);
    fleet.push("orders:1", false);
    let gone = pushed("orders", &format!("sha256:{}", "c".repeat(64)).parse().unwrap(), Some("1"));
    let nowhere = pushed("nowhere", &format!("sha256:{}", "c".repeat(64)).parse().unwrap(), Some("1"));
    for event in [late, gone, nowhere] {
        assert!(running.invoke(event).await.response()["ignored"].is_string());
    }
    assert_eq!(
        (fleet.notified(), running.function.log().contains("ERROR")),
        (vec![], false),
        "{}",
        running.function.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unselected_repositories_are_ignored_without_requests() {
    let fleet = Fleet::new();
    let inventory = "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\nexclude = [\"sandbox-*\"]\ntags = [\"v*\"]\n";
    fleet.configure("store = \"store\"", inventory, "");
    let running = fleet.start().await;
    let mut elsewhere = fleet.push("orders:v1", true);
    elsewhere["region"] = "us-east-1".into();
    let mut other = fleet.push("orders:v1", true);
    other["account"] = "210987654321".into();
    let mut deleted = fleet.push("orders:v1", true);
    deleted["detail"]["action-type"] = "DELETE".into();
    let mut failed = fleet.push("orders:v1", true);
    failed["detail"]["result"] = "FAILURE".into();
    let mut untagged = fleet.push("orders:v1", true);
    untagged["detail"].as_object_mut().unwrap().remove("image-tag");
    for event in
        [fleet.push("sandbox-a:v1", true), fleet.push("orders:1", true), elsewhere, other, deleted, failed, untagged]
    {
        let done = running.invoke(event.clone()).await.response();
        assert!(done["ignored"].is_string(), "{event:#}: {done}");
    }
    assert_eq!(fleet.notified(), NO_MESSAGES);
    assert_eq!(running.function.log().matches("ignored").count(), 7, "{}", running.function.log());
    assert_eq!(running.invoke(fleet.push("orders:v2", true)).await.response()["messages"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_ecr_inventory_every_push_is_audited_and_no_run_resolves_its_alert() {
    let fleet = Fleet::new();
    let host = fleet.registry.host();
    fleet.build("named:1", false);
    fleet.configure(
        "store = \"store\"",
        &format!("[inventory]\nimages = [{{ references = [\"{host}/named:1\"] }}]"),
        "",
    );
    let running = fleet.start().await;
    assert_eq!(running.invoke(fleet.push("orders:1", true)).await.response()["messages"], 1);
    assert_eq!(running.invoke(scheduled()).await.response()["complete"], true);
    assert_eq!(fleet.notified(), [["orders:1 triggered"]]);
    running.invoke(fleet.push("orders:1", false)).await.response();
    assert_eq!(fleet.notified()[1..], [["orders:1 resolved"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_cannot_be_audited_yet_fails_and_is_retried() {
    let fleet = fleet();
    let event = fleet.push("orders:1", true);
    let file = fleet.folder.path().join("basewatch.toml");
    let right = fs::read_to_string(&file).unwrap();
    let unreachable =
        right.replace(&format!("endpoint = \"{}\"", fleet.registry.endpoint()), "endpoint = \"http://127.0.0.1:9\"");
    fs::write(&file, unreachable).unwrap();
    let running = fleet.start().await;
    let (kind, message) = running.invoke(event.clone()).await.error();
    assert_eq!(kind, "Basewatch.Failed");
    assert!(message.contains("cannot audit orders:1"), "{message}");
    fs::write(&file, right).unwrap();
    assert_eq!(running.invoke(event.clone()).await.response()["messages"], 1);
    fleet.cloud.cloud().deny(FaultScope::from_action("ecr:DescribeImages"));
    let (kind, message) = running.invoke(event).await.error();
    assert_eq!(kind, "Basewatch.Failed");
    assert!(message.contains("ecr:DescribeImages"), "{message}");
}

/// A fleet whose registry needs the credentials that AWS issues.
fn fleet_with_logins() -> Fleet {
    let fleet = fleet();
    let file = fleet.folder.path().join("basewatch.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("auth = \"anonymous\"", "auth = \"auto\"")).unwrap();
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_event_is_retried_when_ecr_throttles_the_login_or_gives_none() {
    let fleet = fleet_with_logins();
    let event = fleet.push("orders:1", true);
    let running = fleet.start().await;
    let login = || FaultScope::from_action("ecr:GetAuthorizationToken");
    let faults: [&dyn Fn(); 2] =
        [&|| fleet.cloud.cloud().throttle(login(), None), &|| fleet.cloud.cloud().refuse_connections(login())];
    for fault in faults {
        fault();
        let (kind, message) = running.invoke(event.clone()).await.error();
        assert_eq!(kind, "Basewatch.Failed");
        assert!(message.contains("ecr:GetAuthorizationToken"), "{message}");
        fleet.cloud.cloud().heal();
    }
    assert_eq!(fleet.notified(), NO_MESSAGES);
    assert_eq!(running.invoke(event).await.response()["messages"], 1);
    assert_eq!(fleet.notified(), [["orders:1 triggered"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_can_never_be_audited_is_notified() {
    let fleet = fleet_with_logins();
    let event = fleet.push("orders:1", true);
    let running = fleet.start().await;
    fleet.cloud.cloud().deny(FaultScope::from_action("ecr:GetAuthorizationToken"));
    let done = running.invoke(event.clone()).await.response();
    assert_eq!(done["messages"], 1, "{done:#}");
    let message: Value = serde_json::from_str(&fleet.hook.log()[0].body).unwrap();
    assert_eq!((&message["kind"], &message["watch"]["trouble"]), (&"watch".into(), &"failed".into()), "{message:#}");
    let error = &message["watch"]["errors"][0];
    assert_eq!(error["scope"], "push of orders:1");
    assert!(error["message"].as_str().unwrap().contains("ecr:GetAuthorizationToken"), "{error:#}");
    // The notification is not sent a second time, so the invocation must fail.
    assert_eq!(running.invoke(event.clone()).await.error().0, "Basewatch.Failed");
    assert_eq!(fleet.hook.log().len(), 1);
    fleet.cloud.cloud().heal();
    running.invoke(event).await.response();
    assert_eq!(fleet.notified()[1..], [["orders:1 triggered"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_can_never_be_audited_fails_if_no_channel_is_notified() {
    let fleet = fleet_with_logins();
    let event = fleet.push("orders:1", true);
    let file = fleet.folder.path().join("basewatch.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name = \"chat\"", "name = \"chat\"\nthreshold = \"critical\"")).unwrap();
    let running = fleet.start().await;
    fleet.cloud.cloud().deny(FaultScope::from_action("ecr:GetAuthorizationToken"));
    let (kind, message) = running.invoke(event).await.error();
    assert_eq!(kind, "Basewatch.Failed");
    assert!(message.contains("the pushed image orders:1 cannot be audited"), "{message}");
}
