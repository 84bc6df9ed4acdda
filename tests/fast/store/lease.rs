//! The lease, which is the store lock of a bucket.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use basewatch::store::{Error, Store};

use testbed::bucket::{Bucket, Fault, PREFIX};

const LEASE: &str = "lock.json";
/// Long enough for a busy machine.
const SHORT: Duration = Duration::from_secs(3);

/// Waits until `is_so`, for a bounded time.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "never {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Takes the lock like a process that is then killed.
fn take_and_be_killed(bucket: &Bucket) {
    let store = bucket.store();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let lock = runtime.block_on(store.lock("the one that was killed", Duration::ZERO)).unwrap();
        runtime.shutdown_background();
        std::mem::forget(lock);
    })
    .join()
    .unwrap();
}

#[tokio::test]
async fn the_lease_of_a_killed_process_lasts_a_minute_of_the_bucket_clock() {
    let bucket = Bucket::start();
    take_and_be_killed(&bucket);
    let store = bucket.store();
    bucket.advance(Duration::from_secs(58));
    let error = store.lock("next", Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }) && error.to_string().contains("the one that was killed"), "{error}");
    bucket.advance(Duration::from_secs(4));
    let lock = store.lock("next", Duration::ZERO).await.unwrap();
    assert!(lock.is_held());
    let error = bucket.store().lock("too late", Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("next"), "{error}");
    lock.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_takes_an_expired_lease() {
    let bucket = Bucket::start();
    take_and_be_killed(&bucket);
    bucket.advance(Duration::from_secs(62));
    let takers = (0..20).map(|_| {
        let store = bucket.store();
        tokio::spawn(async move { store.lock("taker", Duration::ZERO).await })
    });
    let taken = futures::future::join_all(takers).await.into_iter().map(Result::unwrap);
    let turns: Vec<_> = taken.filter_map(Result::ok).collect();
    assert_eq!(turns.len(), 1);
    assert!(turns[0].is_held());
}

#[tokio::test]
async fn a_lease_is_renewed_while_held_and_released_at_the_end() {
    let bucket = Bucket::start();
    let lock = bucket.store().with_lease(SHORT).lock("one", Duration::ZERO).await.unwrap();
    until("renewed for longer than it lasts", || bucket.requests("PUT", LEASE).len() > 4).await;
    assert!(lock.is_held());
    assert!(bucket.store().lock("another", Duration::ZERO).await.is_err());
    lock.release().await;
    let lease = &bucket.objects()[&format!("{PREFIX}/{LEASE}")];
    assert!(lease.contains("\"is_free\":true") && lease.contains("basewatch.lease/v1"), "{lease}");
    let writes = bucket.requests("PUT", LEASE).len();
    let lock = bucket.store().lock("another", Duration::ZERO).await.unwrap();
    assert_eq!(bucket.requests("PUT", LEASE).len(), writes + 1, "a released lease is not renewed");
    lock.release().await;
}

#[tokio::test]
async fn a_lease_that_cannot_be_renewed_is_lost_before_another_takes_it() {
    let bucket = Bucket::start();
    let lock = bucket.store().with_lease(SHORT).lock("one", Duration::ZERO).await.unwrap();
    bucket.fail("PUT", LEASE, usize::MAX, Fault::Unheard);
    let began = Instant::now();
    loop {
        let at = began.elapsed();
        if !lock.is_held() {
            break;
        }
        assert!(at < SHORT, "the lease may have been taken over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lock.release().await;
}

#[tokio::test]
async fn a_failed_renewal_is_retried_in_time() {
    let bucket = Bucket::start();
    let lock = bucket.store().with_lease(SHORT).lock("one", Duration::ZERO).await.unwrap();
    // The write succeeds without a response and is not found: the next renewal meets an unknown version.
    bucket.fail("PUT", LEASE, 5, Fault::Unanswered);
    bucket.fail("HEAD", LEASE, 5, Fault::Unheard);
    until("renewed after that", || bucket.requests("PUT", LEASE).len() > 8).await;
    assert!(lock.is_held());
    lock.release().await;
    bucket.store().lock("another", Duration::ZERO).await.unwrap().release().await;
}

#[tokio::test]
async fn a_lease_taken_by_another_is_lost() {
    let bucket = Bucket::start();
    let lock = bucket.store().with_lease(SHORT).lock("one", Duration::ZERO).await.unwrap();
    let theirs = "{\"schema\":\"basewatch.lease/v1\",\"holder\":\"another\",\"turn\":\"01J\",\"renewals\":0,\"lasts_ms\":60000,\"is_free\":false}";
    let key = format!("{PREFIX}/{LEASE}");
    bucket.put(&key, theirs);
    until("lost", || !lock.is_held()).await;
    lock.release().await;
    assert_eq!(bucket.objects()[&key], theirs, "a former holder changes nothing");
    let error = bucket.store().lock("a third", Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("another"), "{error}");
}

#[tokio::test]
async fn an_invalid_lease_lasts_a_minute_and_a_newer_format_indefinitely() {
    let bucket = Bucket::start();
    let key = format!("{PREFIX}/{LEASE}");
    bucket.put(&key, "{");
    let store: Arc<dyn Store> = Arc::new(bucket.store());
    assert!(matches!(store.lock("one", Duration::ZERO).await, Err(Error::Busy { .. })));
    bucket.advance(Duration::from_secs(62));
    store.lock("one", Duration::ZERO).await.unwrap().release().await;
    bucket.put(&key, "{\"schema\":\"basewatch.lease/v2\"}");
    bucket.advance(Duration::from_hours(48));
    assert!(matches!(store.lock("one", Duration::ZERO).await, Err(Error::Newer { .. })));
}
