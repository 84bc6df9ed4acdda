//! The store in a bucket of moto, with its conditional writes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use basewatch::{
    aws::Aws,
    http::RequestCounter,
    image::{Digest, DigestContent, ImageIndex},
    notify::Ledger,
    secret::Secret,
    store::{self, Catalog, Error, S3Store, Store, WriteCondition},
};

use testbed::{
    counter::{all_are_counted, at_most_one_holds_the_lock},
    peers::{self, Peer},
};

/// The bucket of [`moto`].
pub const BUCKET: &str = "basewatch-audits";

/// moto, with a bucket.
pub async fn moto() -> (Peer, aws_sdk_s3::Client) {
    let moto = peers::moto();
    let client = bucket(&moto).await;
    (moto, client)
}

/// Makes the bucket in `moto`.
pub async fn bucket(moto: &Peer) -> aws_sdk_s3::Client {
    let client = client(moto);
    client.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    client
}

/// The S3 of `moto`.
pub fn client(moto: &Peer) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test"))
        .endpoint_url(moto.http())
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The store in it, for a separate run.
fn store(moto: &Peer) -> S3Store {
    let aws = Aws::new(Arc::new(RequestCounter::default()))
        .with_access_key("AKIDEXAMPLE", &Secret::new("not-a-secret".to_owned()))
        .with_endpoint(moto.http());
    S3Store::new(Arc::new(aws), BUCKET.to_owned(), "team/basewatch".to_owned())
}

fn stores(moto: &Peer, count: usize) -> Vec<Arc<dyn Store>> {
    (0..count).map(|_| Arc::new(store(moto)) as Arc<dyn Store>).collect()
}

fn content() -> DigestContent {
    DigestContent::Index(ImageIndex { children: Vec::new(), annotations: BTreeMap::new() })
}

#[tokio::test]
async fn a_large_ledger_is_stored_in_parts_of_which_replaced_ones_are_removed() {
    let (moto, _client) = moto().await;
    let aws = Aws::new(Arc::new(RequestCounter::default()))
        .with_access_key("AKIDEXAMPLE", &Secret::new("not-a-secret".to_owned()))
        .with_endpoint(moto.http());
    let store = S3Store::limited(Arc::new(aws), BUCKET.to_owned(), "team/basewatch".to_owned(), 40_000);
    let alert = |number: usize| {
        let alert = serde_json::json!({
            "id": format!("{number:012}"), "seen_at": "2026-11-20T06:00:00Z",
            "subject": {
                "name": "orders", "kind": "lambda", "image": "orders:1", "repository": "orders", "verdict": "stale",
                "severity": "high", "action": "rebuild",
            },
        });
        (format!("lambda:{number:05}"), alert)
    };
    let mut stored = store::load::<Ledger>(&store).await.expect("no ledger");
    let alerts: serde_json::Map<_, _> = (0..400).map(alert).collect();
    stored.document = serde_json::from_value(serde_json::json!({ "alerts": alerts })).expect("a ledger");
    for name in ["payments", "search"] {
        for alert in stored.document.alerts.values_mut().take(200) {
            name.clone_into(&mut alert.subject.name);
        }
        stored.save(&store).await.expect("written");
        let read = store::load::<Ledger>(&store).await.expect("a ledger");
        assert_eq!(read.document, stored.document);
    }
    let root = store.read("ledger.json").await.expect("a response").expect("an object");
    let root: serde_json::Value = serde_json::from_slice(&root.bytes).expect("JSON");
    let mut listed: Vec<String> = serde_json::from_value(root["parts"].clone()).expect("names");
    listed.sort();
    assert!(listed.len() > 5, "{listed:?}");
    assert_eq!(store.list("ledger/").await.expect("a response"), listed);
}

#[tokio::test]
async fn a_bucket_keeps_what_is_written_under_its_condition_and_lists_it() {
    let (moto, client) = moto().await;
    let store = store(&moto);
    assert_eq!(store.read("ledger.json").await.expect("a response"), None);
    let first = store.write("ledger.json", b"first".to_vec(), WriteCondition::Absent).await.expect("written");
    let stored = store.read("ledger.json").await.expect("a response").expect("an object");
    assert_eq!((stored.bytes.as_slice(), &stored.version), (&b"first"[..], &first));
    let again = store.write("ledger.json", b"x".to_vec(), WriteCondition::Absent).await;
    assert!(matches!(again, Err(Error::Conflict { .. })), "{again:?}");
    store.write("ledger.json", b"second".to_vec(), WriteCondition::Unchanged(first.clone())).await.expect("written");
    let late = store.write("ledger.json", b"x".to_vec(), WriteCondition::Unchanged(first.clone())).await;
    assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
    store.remove("ledger.json").await.expect("removed");
    store.remove("ledger.json").await.expect("removed already");
    let gone = store.write("ledger.json", b"x".to_vec(), WriteCondition::Unchanged(first)).await;
    assert!(matches!(gone, Err(Error::Conflict { .. })), "{gone:?}");

    client.put_object().bucket(BUCKET).key("team/other").send().await.expect("an object");
    for name in ["reports/2026/11/20/x.json", "reports/2026/11/21/y.json", "history.json"] {
        store.write(name, b"{}".to_vec(), WriteCondition::Always).await.expect("written");
    }
    let names = store.list("reports/").await.expect("a list");
    assert_eq!(names, ["reports/2026/11/20/x.json", "reports/2026/11/21/y.json"]);
    store.lock("x", Duration::ZERO).await.expect("the lock").release().await;
    assert_eq!(store.list("").await.expect("a list").len(), 3, "neither the lease nor what others keep");
}

#[tokio::test]
async fn a_bucket_of_more_than_a_page_is_listed_whole() {
    let (moto, client) = moto().await;
    for start in (0..1_100).step_by(50) {
        let puts = (start..start + 50)
            .map(|nth| client.put_object().bucket(BUCKET).key(format!("team/basewatch/reports/{nth:04}.json")).send());
        futures::future::try_join_all(puts).await.expect("objects");
    }
    let names = store(&moto).list("reports/").await.expect("a list");
    assert_eq!((names.len(), names[1_099].as_str()), (1_100, "reports/1099.json"));
}

#[tokio::test]
async fn a_missing_bucket_is_reported() {
    let moto = peers::moto();
    let error = store(&moto).read("ledger.json").await.expect_err("no bucket");
    assert!(matches!(error, Error::Unavailable { .. }) && error.to_string().contains("create it first"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_writers_of_one_document_lose_nothing() {
    let (moto, _) = moto().await;
    all_are_counted(stores(&moto, 40)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_of_forty_runs_holds_the_lock() {
    let (moto, _) = moto().await;
    at_most_one_holds_the_lock(stores(&moto, 40), Duration::from_mins(3)).await;
}

#[tokio::test]
async fn the_lock_of_a_killed_run_passes_to_the_next() {
    let (moto, _) = moto().await;
    let killed = store(&moto).with_lease(Duration::from_secs(2));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let lock = runtime.block_on(killed.lock("the one that was killed", Duration::ZERO)).expect("the lock");
        runtime.shutdown_background();
        std::mem::forget(lock);
    })
    .join()
    .expect("no panic");
    let next = store(&moto);
    let error = next.lock("next", Duration::ZERO).await.expect_err("not yet");
    assert!(error.to_string().contains("the one that was killed"), "{error}");
    let lock = next.lock("next", Duration::from_secs(30)).await.expect("the lock");
    assert!(lock.is_held());
    lock.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_runs_lose_no_catalog_entries() {
    let (moto, _) = moto().await;
    let digest = |of: u8| Digest::sha256(&[of]);
    for round in 0..2 {
        let runs = stores(&moto, 12).into_iter().zip(round * 12..).map(|(store, of)| {
            tokio::spawn(async move {
                let catalog = Catalog::load(&*store).await;
                catalog.insert_content(&digest(of), content());
                catalog.put_note(&format!("place/{of}"), &of);
                catalog.save(&*store).await.expect("a segment written");
            })
        });
        futures::future::try_join_all(runs).await.expect("no panic");
    }
    let catalog = Catalog::load(&store(&moto)).await;
    for of in 0..24 {
        assert_eq!(catalog.content(&digest(of)).as_deref(), Some(&content()), "{of}");
        assert_eq!(catalog.get_note::<u8>(&format!("place/{of}")), Some(of));
    }
    catalog.save(&store(&moto)).await.expect("a segment written");
    assert!(store(&moto).list("catalog/").await.expect("a list").len() < 24, "they became few");
}
