//! Concurrent clients of one store: they count in one document, and take the lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use basewatch::store::{self, Error, Store, StoredDocument};
use futures::future::join_all;
use serde::{Deserialize, Serialize};

/// Maximum attempts at a concurrent write.
const ATTEMPTS: usize = 500;

/// A document to count in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// The count.
    pub count: u64,
    /// The clients in order.
    pub who: Vec<usize>,
}

impl StoredDocument for Counter {
    const SCHEMA: &'static str = "basewatch.counter/v1";
    const NAME: &'static str = "counter.json";
}

async fn increment(store: &dyn Store, who: usize) {
    for _ in 0..ATTEMPTS {
        let mut stored = store::load::<Counter>(store).await.expect("a readable document");
        stored.document.count += 1;
        stored.document.who.push(who);
        match stored.save(store).await {
            Ok(()) => return,
            Err(Error::Conflict { .. }) => tokio::time::sleep(Duration::from_millis(fastrand::u64(1..50))).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("never got through");
}

/// Lets each of `stores` count once, all at the same time, and checks that each is counted exactly once.
pub async fn all_are_counted(stores: Vec<Arc<dyn Store>>) {
    let last = Arc::clone(&stores[0]);
    let count = stores.len();
    join_all(stores.into_iter().enumerate().map(|(who, store)| {
        tokio::spawn(async move {
            increment(&*store, who).await;
        })
    }))
    .await
    .into_iter()
    .for_each(|ended| ended.expect("no panic"));
    let mut counter = store::load::<Counter>(&*last).await.expect("a readable document").document;
    counter.who.sort_unstable();
    assert_eq!(counter, Counter { count: count as u64, who: (0..count).collect() });
}

/// Lets all `stores` take the lock concurrently, and checks that no two hold it together.
pub async fn at_most_one_holds_the_lock(stores: Vec<Arc<dyn Store>>, wait: Duration) {
    let (holders, acquisitions) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = stores.len();
    join_all(stores.into_iter().enumerate().map(|(who, store)| {
        let (holders, acquisitions) = (Arc::clone(&holders), Arc::clone(&acquisitions));
        tokio::spawn(async move {
            let turn = store.lock(&format!("run {who}"), wait).await.expect("the lock");
            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "another holder has the lock");
            assert!(turn.is_held());
            // Long enough for others to try.
            store.list("x").await.expect("a list");
            assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1, "another holder has the lock");
            acquisitions.fetch_add(1, Ordering::SeqCst);
            turn.release().await;
        })
    }))
    .await
    .into_iter()
    .for_each(|ended| ended.expect("no panic"));
    assert_eq!(acquisitions.load(Ordering::SeqCst), count);
}
