//! A bucket that fails: successful writes are recognized, failed ones are reported, and writes of others are not
//! mistaken for our own.

use std::{sync::Arc, time::Duration};

use basewatch::store::{Error, Store, WriteCondition};

use crate::store::contract::is_conflict;
use testbed::bucket::{Bucket, Fault, PREFIX};

const KEY: &str = "ledger.json";

fn text(error: &Error) -> String {
    error.to_string()
}

#[tokio::test]
async fn a_throttled_bucket_is_retried() {
    let bucket = Bucket::start();
    let store = bucket.store();
    let busy = |method, key| {
        bucket.recover();
        bucket.fail(method, key, 1, Fault::Refused(503, "SlowDown"));
        bucket.fail(method, key, 1, Fault::Refused(500, "InternalError"));
        bucket.fail(method, key, 1, Fault::Unheard);
    };
    busy("HEAD", "");
    assert_eq!(store.read(KEY).await.unwrap(), None);
    busy("PUT", KEY);
    store.write(KEY, b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    busy("GET", KEY);
    assert_eq!(store.read(KEY).await.unwrap().unwrap().bytes, b"x");
    busy("GET", "");
    assert_eq!(store.list("").await.unwrap(), [KEY]);
    busy("DELETE", KEY);
    store.remove(KEY).await.unwrap();
    assert!(bucket.objects().is_empty());
}

#[tokio::test]
async fn an_unavailable_bucket_is_an_error() {
    let bucket = Bucket::start();
    let store = bucket.store();
    store.write(KEY, b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    bucket.fail("PUT", KEY, 100, Fault::Refused(503, "SlowDown"));
    bucket.fail("GET", KEY, 100, Fault::Unheard);
    let error = store.write(KEY, b"y".to_vec(), WriteCondition::Always).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }) && text(&error).contains("SlowDown"), "{error}");
    assert!(text(&error).contains("cannot write s3://audits/team/basewatch/ledger.json"), "{error}");
    let error = store.read(KEY).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_write_with_a_lost_response_is_recognized() {
    for only_if_absent in [true, false] {
        let bucket = Bucket::start();
        let store = bucket.store();
        let only_if = if only_if_absent {
            WriteCondition::Absent
        } else {
            WriteCondition::Unchanged(store.write(KEY, b"before".to_vec(), WriteCondition::Absent).await.unwrap())
        };
        let before = bucket.requests("PUT", KEY).len();
        bucket.fail("PUT", KEY, 1, Fault::Unanswered);
        let version = store.write(KEY, b"ours".to_vec(), only_if).await.unwrap();
        assert_eq!(bucket.requests("PUT", KEY).len(), before + 2, "it was sent twice and rejected the second time");
        store.write(KEY, b"next".to_vec(), WriteCondition::Unchanged(version)).await.unwrap();
    }
}

#[tokio::test]
async fn a_write_without_a_response_is_looked_up() {
    let bucket = Bucket::start();
    let store = bucket.store();
    bucket.fail("PUT", KEY, 100, Fault::Unanswered);
    let version = store.write(KEY, b"ours".to_vec(), WriteCondition::Always).await.unwrap();
    bucket.recover();
    assert_eq!(store.read(KEY).await.unwrap().unwrap().version, version);
    bucket.fail("PUT", KEY, 100, Fault::Unheard);
    let error = store.write(KEY, b"theirs".to_vec(), WriteCondition::Always).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn equal_bytes_of_another_writer_are_a_conflict() {
    let bucket = Bucket::start();
    let store = bucket.store();
    bucket.fail("PUT", KEY, 1, Fault::Rival("{\"count\":1}"));
    assert!(is_conflict(&store.write(KEY, b"{\"count\":1}".to_vec(), WriteCondition::Absent).await));
}

#[tokio::test]
async fn concurrent_writes_are_conflicts_for_every_status_of_s3() {
    let bucket = Bucket::start();
    let store = bucket.store();
    let version = store.write(KEY, b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    for only_if in [WriteCondition::Absent, WriteCondition::Unchanged(version)] {
        bucket.fail("PUT", KEY, 1, Fault::Refused(409, "ConditionalRequestConflict"));
        assert!(is_conflict(&store.write(KEY, b"y".to_vec(), only_if).await));
    }
    bucket.fail("PUT", KEY, 1, Fault::Refused(409, "OperationAborted"));
    let error = store.write(KEY, b"y".to_vec(), WriteCondition::Always).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "the write had no condition: {error}");
}

#[tokio::test]
async fn an_access_error_names_the_documentation_of_permissions() {
    let bucket = Bucket::start();
    let store = bucket.store();
    for (method, key) in [("HEAD", ""), ("GET", KEY), ("PUT", KEY)] {
        bucket.fail(method, key, 100, Fault::Refused(403, "AccessDenied"));
    }
    for error in
        [store.read(KEY).await.unwrap_err(), store.write(KEY, Vec::new(), WriteCondition::Always).await.unwrap_err()]
    {
        assert!(matches!(error, Error::Denied { .. }) && text(&error).contains("docs/store.md"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_not_an_empty_store() {
    let bucket = Bucket::start();
    bucket.fail("HEAD", "", 1, Fault::Refused(404, "NoSuchBucket"));
    let error = bucket.store().read(KEY).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }) && text(&error).contains("create it first"), "{error}");
    bucket.fail("GET", KEY, 1, Fault::Refused(404, "NoSuchBucket"));
    let error = bucket.store().read(KEY).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "removed in the meantime: {error}");
}

#[tokio::test]
async fn a_bucket_in_another_region_is_accessed_there() {
    let bucket = Bucket::start();
    bucket.in_region("eu-central-1");
    bucket.store().write(KEY, b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    let request = bucket.requests("PUT", KEY);
    assert!(request[0].authorization().unwrap().contains("/eu-central-1/s3/"), "{:?}", request[0].headers);
    bucket.in_region("evil.example.com/");
    bucket.store().write(KEY, b"x".to_vec(), WriteCondition::Always).await.unwrap();
    let request = bucket.requests("PUT", KEY);
    assert!(request[1].authorization().unwrap().contains("/us-east-1/s3/"), "an invalid region is ignored");
}

#[tokio::test]
async fn a_truncated_response_is_retried() {
    let bucket = Bucket::start();
    let store = bucket.store();
    store.write(KEY, b"a whole document".to_vec(), WriteCondition::Absent).await.unwrap();
    bucket.fail("GET", KEY, 2, Fault::Cut);
    assert_eq!(store.read(KEY).await.unwrap().unwrap().bytes, b"a whole document");
    bucket.fail("GET", KEY, 3, Fault::Cut);
    assert!(matches!(store.read(KEY).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn other_objects_in_the_bucket_are_untouched() {
    let bucket = Bucket::start();
    for key in ["ledger.json", "team/basewatch2/x", "team/basewatch/not ours", "team/basewatch/mine.json"] {
        bucket.put(key, "{}");
    }
    let store: Arc<dyn Store> = Arc::new(bucket.store());
    assert_eq!(store.list("").await.unwrap(), ["mine.json"]);
    assert_eq!(store.read("ledger.json").await.unwrap(), None);
    store.write("ledger.json", b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    assert_eq!(bucket.objects()[&format!("{PREFIX}/ledger.json")], "x");
    assert_eq!(bucket.objects()["ledger.json"], "{}");
    assert!(store.lock("x", Duration::ZERO).await.is_ok());
}
