//! Keeps the ledger while a run has its turn with the store: what is due before it is sent, what was answered before
//! the next is sent.

use std::sync::Arc;

use futures::lock::Mutex;

use super::{
    Ledger,
    journal::{Answer, Journal},
};
use crate::store::{self, Kept, Store, Turn};

/// So many answers make it worth writing the whole ledger.
const MOST_ANSWERS: usize = 200;

/// The ledger, while a run has its turn with the store.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<dyn Store>,
    turn: Box<dyn Turn>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ledger: Kept<Ledger>,
    journal: Kept<Journal>,
}

/// The ledger of `store`, with all that was answered; for those who only look.
///
/// # Errors
///
/// When it cannot be read, or is of a newer basewatch.
pub async fn read(store: &dyn Store) -> store::Result<Ledger> {
    Ok(State::load(store).await?.ledger.document)
}

impl State {
    async fn load(store: &dyn Store) -> store::Result<Self> {
        let mut state = Self { ledger: store::load(store).await?, journal: store::load(store).await? };
        let (ledger, journal) = (&mut state.ledger.document, &mut state.journal.document);
        if journal.of == ledger.journal {
            // A run was killed before it could write these into the ledger.
            journal.answers.iter().for_each(|answer| ledger.take(answer));
        } else {
            *journal = Journal { of: ledger.journal, answers: Vec::new() };
        }
        Ok(state)
    }

    /// Writes the ledger. Whatever is in the journal is in it, and is not read from there again.
    async fn settle(&mut self, store: &dyn Store) -> store::Result<()> {
        self.ledger.document.journal += 1;
        self.journal.document = Journal { of: self.ledger.document.journal, answers: Vec::new() };
        self.ledger.save(store).await
    }
}

impl Keeper {
    /// Reads the ledger of `store`; `turn` is a turn with it.
    ///
    /// # Errors
    ///
    /// When the ledger cannot be read, or is of a newer basewatch.
    pub async fn open(store: Arc<dyn Store>, turn: Box<dyn Turn>) -> store::Result<Self> {
        let state = Mutex::new(State::load(&*store).await?);
        Ok(Self { store, turn, state })
    }

    /// The ledger as it is now.
    pub async fn ledger(&self) -> Ledger {
        self.state.lock().await.ledger.document.clone()
    }

    /// Changes the ledger, and returns when that is kept.
    ///
    /// # Errors
    ///
    /// When it could not be kept, or the turn is over: then nothing more may be sent.
    pub async fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> store::Result<T> {
        let mut state = self.state.lock().await;
        let before = state.ledger.document.clone();
        let result = change(&mut state.ledger.document);
        if state.ledger.document != before {
            self.check()?;
            state.settle(&*self.store).await?;
        }
        Ok(result)
    }

    /// Takes `answers` into the ledger, and returns when they are kept.
    ///
    /// # Errors
    ///
    /// As [`Keeper::change`].
    pub async fn answered(&self, answers: Vec<Answer>) -> store::Result<()> {
        let mut state = self.state.lock().await;
        for answer in &answers {
            state.ledger.document.take(answer);
        }
        state.journal.document.answers.extend(answers);
        self.check()?;
        if state.journal.document.answers.len() > MOST_ANSWERS {
            return state.settle(&*self.store).await;
        }
        state.journal.save(&*self.store).await
    }

    /// Fails if another run may have taken over.
    ///
    /// # Errors
    ///
    /// [`store::Error::Busy`] then.
    pub fn check(&self) -> store::Result<()> {
        if self.turn.is_held() {
            return Ok(());
        }
        Err(store::Error::Busy {
            waited: std::time::Duration::ZERO,
            holder: " (this run was held up, and another one took over)".to_owned(),
        })
    }

    /// Writes what was answered into the ledger, and ends the turn.
    pub async fn close(self) {
        let mut state = self.state.into_inner();
        if !state.journal.document.answers.is_empty()
            && self.turn.is_held()
            && let Err(error) = state.settle(&*self.store).await
        {
            // It is in the journal, where the next run finds it.
            tracing::warn!("the ledger was not written: {error}");
        }
        self.turn.end().await;
    }
}
