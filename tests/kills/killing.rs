//! A store that kills its process at a chosen moment: before or after a write, a removal, or a change of the lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use basewatch::store::{ObjectVersion, Result, Store, StoreLock, StoredObject, WriteCondition};
use futures::future::{BoxFuture, FutureExt as _};
use rustix::process::{Signal, getpid, kill_process};

/// Counts the moments of a run and kills the process at one of them.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    passed: AtomicUsize,
    /// The moment of the kill, counted from 0.
    last: Option<usize>,
}

impl Moments {
    /// Kills the process at the moment `last`, if given.
    pub(crate) fn until(last: Option<usize>) -> Arc<Self> {
        Arc::new(Self { passed: AtomicUsize::new(0), last })
    }

    /// Number of moments so far.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    fn pass(&self) {
        if Some(self.passed.fetch_add(1, Ordering::SeqCst)) == self.last {
            kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
            unreachable!("SIGKILL ends the process");
        }
    }
}

/// The store, with a moment before and after each change.
#[derive(Debug)]
pub(crate) struct KillingStore {
    inner: Arc<dyn Store>,
    moments: Arc<Moments>,
}

impl KillingStore {
    pub(crate) fn new(inner: Arc<dyn Store>, moments: Arc<Moments>) -> Self {
        Self { inner, moments }
    }

    async fn between<T>(&self, work: BoxFuture<'_, T>) -> T {
        self.moments.pass();
        let done = work.await;
        self.moments.pass();
        done
    }
}

impl Store for KillingStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>>> {
        self.inner.read(name)
    }

    fn write<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
        only_if: WriteCondition,
    ) -> BoxFuture<'a, Result<ObjectVersion>> {
        self.between(self.inner.write(name, bytes, only_if)).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        self.inner.list(prefix)
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        self.between(self.inner.remove(name)).boxed()
    }

    fn lock<'a>(&'a self, holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn StoreLock>>> {
        let moments = Arc::clone(&self.moments);
        async move {
            let inner = self.between(self.inner.lock(holder, wait)).await?;
            Ok(Box::new(KillingLock { inner, moments }) as Box<dyn StoreLock>)
        }
        .boxed()
    }
}

#[derive(Debug)]
struct KillingLock {
    inner: Box<dyn StoreLock>,
    moments: Arc<Moments>,
}

impl StoreLock for KillingLock {
    fn is_held(&self) -> bool {
        self.inner.is_held()
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            self.moments.pass();
            self.inner.release().await;
            self.moments.pass();
        }
        .boxed()
    }
}
