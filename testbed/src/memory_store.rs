//! An in-memory store that counts writes and fails on demand.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use basewatch::store::{Error, ObjectVersion, Result, Store, StoreLock, StoredObject, WriteCondition};
use futures::future::{BoxFuture, FutureExt as _, ready};
use tokio::sync::OwnedMutexGuard;

/// The store.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Mutex<BTreeMap<String, (Vec<u8>, usize)>>,
    writes: AtomicUsize,
    failing: Mutex<Option<Error>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many writes there were.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// Fails every write from now on, or no more.
    pub fn fail(&self, error: Option<Error>) {
        *self.failing.lock().unwrap() = error;
    }

    fn write_now(&self, name: &str, bytes: Vec<u8>, only_if: &WriteCondition) -> Result<ObjectVersion> {
        if let Some(error) = self.failing.lock().unwrap().clone() {
            return Err(error);
        }
        let mut objects = self.objects.lock().unwrap();
        let now = objects.get(name).map(|(_, version)| *version);
        let holds = match only_if {
            WriteCondition::Always => true,
            WriteCondition::Absent => now.is_none(),
            WriteCondition::Unchanged(known) => now.is_some_and(|now| version(now) == *known),
        };
        if !holds {
            return Err(Error::Conflict { name: name.to_owned() });
        }
        let next = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        objects.insert(name.to_owned(), (bytes, next));
        Ok(version(next))
    }
}

fn version(number: usize) -> ObjectVersion {
    ObjectVersion::new(number.to_string())
}

#[derive(Debug)]
struct MemoryTurn(OwnedMutexGuard<()>);

impl StoreLock for MemoryTurn {
    fn is_held(&self) -> bool {
        true
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        drop(self.0);
        ready(()).boxed()
    }
}

impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>>> {
        let found = self.objects.lock().unwrap().get(name).cloned();
        ready(Ok(found.map(|(bytes, number)| StoredObject { bytes, version: version(number) }))).boxed()
    }

    fn write<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
        only_if: WriteCondition,
    ) -> BoxFuture<'a, Result<ObjectVersion>> {
        ready(self.write_now(name, bytes, &only_if)).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let objects = self.objects.lock().unwrap();
        ready(Ok(objects.keys().filter(|name| name.starts_with(prefix)).cloned().collect())).boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        self.objects.lock().unwrap().remove(name);
        ready(Ok(())).boxed()
    }

    fn lock<'a>(&'a self, _holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn StoreLock>>> {
        async move {
            match tokio::time::timeout(wait, Arc::clone(&self.turn).lock_owned()).await {
                Ok(guard) => Ok(Box::new(MemoryTurn(guard)) as Box<dyn StoreLock>),
                Err(_) => Err(Error::Busy { waited: wait, holder: String::new() }),
            }
        }
        .boxed()
    }
}
