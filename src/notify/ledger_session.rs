//! A session with the ledger under the store lock. Due messages are stored before they are sent, outcomes before the next
//! message is sent.

use std::{
    hash::{DefaultHasher, Hasher as _},
    io,
    sync::Arc,
};

use futures::lock::Mutex;

use super::Ledger;
use crate::{
    outbox::{DeliveryJournal, DeliveryRecord, OutboxSession},
    store::{self, Store, StoreLock, VersionedDocument},
};

/// Number of journal entries after which the whole ledger is written.
const MAX_JOURNAL_ENTRIES: usize = 200;

/// The ledger while this process holds the store lock.
#[derive(Debug)]
pub struct LedgerSession {
    store: Arc<dyn Store>,
    lock: Box<dyn StoreLock>,
    state: Mutex<LedgerDocuments>,
}

#[derive(Debug)]
struct LedgerDocuments {
    ledger: VersionedDocument<Ledger>,
    journal: VersionedDocument<DeliveryJournal>,
}

/// The ledger of `store` with all recorded outcomes, for reading only.
///
/// # Errors
///
/// When it cannot be read, or a newer basewatch wrote it.
pub async fn read(store: &dyn Store) -> store::Result<Ledger> {
    Ok(LedgerDocuments::load(store).await?.ledger.document)
}

impl LedgerDocuments {
    async fn load(store: &dyn Store) -> store::Result<Self> {
        let mut state = Self { ledger: store::load(store).await?, journal: store::load(store).await? };
        let (ledger, journal) = (&mut state.ledger.document, &mut state.journal.document);
        if journal.generation == ledger.generation {
            // A run was killed before it wrote these into the ledger.
            journal.entries.iter().for_each(|entry| ledger.record(entry));
        } else {
            *journal = DeliveryJournal { generation: ledger.generation, entries: Vec::new() };
        }
        Ok(state)
    }

    /// Writes the ledger, which contains the journal, and starts a new journal.
    async fn settle(&mut self, store: &dyn Store) -> store::Result<()> {
        self.ledger.document.generation += 1;
        self.journal.document = DeliveryJournal { generation: self.ledger.document.generation, entries: Vec::new() };
        self.ledger.save(store).await
    }
}

impl LedgerSession {
    /// Reads the ledger of `store` under its `lock`.
    ///
    /// # Errors
    ///
    /// When the ledger cannot be read, or a newer basewatch wrote it.
    pub async fn open(store: Arc<dyn Store>, lock: Box<dyn StoreLock>) -> store::Result<Self> {
        let state = Mutex::new(LedgerDocuments::load(&*store).await?);
        Ok(Self { store, lock, state })
    }

    /// What `look` finds in the ledger as it is now.
    pub async fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.state.lock().await.ledger.document)
    }

    /// Changes the ledger and returns once the change is stored.
    ///
    /// # Errors
    ///
    /// When it cannot be stored or the lock was lost. Nothing more may be sent then.
    pub async fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> store::Result<T> {
        let mut state = self.state.lock().await;
        let before = fingerprint(&state.ledger.document);
        let result = change(&mut state.ledger.document);
        if fingerprint(&state.ledger.document) != before {
            self.check()?;
            state.settle(&*self.store).await?;
        }
        Ok(result)
    }

    /// Writes the journal into the ledger and releases the lock.
    pub async fn close(self) {
        let mut state = self.state.into_inner();
        if !state.journal.document.entries.is_empty()
            && self.lock.is_held()
            && let Err(error) = state.settle(&*self.store).await
        {
            // The next run reads the outcomes from the journal.
            tracing::warn!("cannot write the ledger: {error}");
        }
        self.lock.release().await;
    }
}

impl OutboxSession for LedgerSession {
    fn lock(&self) -> &dyn StoreLock {
        &*self.lock
    }

    async fn record(&self, outcomes: Vec<DeliveryRecord>) -> store::Result<()> {
        let mut state = self.state.lock().await;
        for outcome in &outcomes {
            state.ledger.document.record(outcome);
        }
        state.journal.document.entries.extend(outcomes);
        self.check()?;
        if state.journal.document.entries.len() > MAX_JOURNAL_ENTRIES {
            return state.settle(&*self.store).await;
        }
        state.journal.save(&*self.store).await
    }
}

/// A hash of `ledger`. A large ledger is not copied to find out whether it has changed.
fn fingerprint(ledger: &Ledger) -> u64 {
    let mut hash = HashWriter::default();
    serde_json::to_writer(&mut hash, ledger).expect("a ledger has only strings as keys");
    hash.0.finish()
}

#[derive(Default)]
struct HashWriter(DefaultHasher);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
