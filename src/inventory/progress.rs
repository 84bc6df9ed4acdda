//! How far the inventories have been read, for people who wait.

use std::sync::{Mutex, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

/// What has been found and read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InventoryCounts {
    /// The Lambda functions found.
    pub functions: usize,
    /// The function versions to read; unchanged ones are known from earlier runs and not read.
    pub versions: ReadCount,
    /// The ECS services and task families found.
    pub services: usize,
    /// The ECR repositories found.
    pub repositories: usize,
    /// The images to read; those in the catalog are not read.
    pub images: ReadCount,
}

/// How much of something has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCount {
    /// Read, successfully or not.
    pub done: usize,
    /// To be read, as far as known.
    pub total: usize,
}

/// The counts of all inventories of a run, which one listener can follow.
#[derive(Debug, Default)]
pub struct InventoryProgress(Mutex<(InventoryCounts, Option<UnboundedSender<InventoryCounts>>)>);

impl InventoryProgress {
    /// The counts after each change from now on, until [`stop_listening`](Self::stop_listening). Replaces an earlier
    /// listener. Needs no bound: there is one small message for each function and image.
    pub fn listen(&self) -> UnboundedReceiver<InventoryCounts> {
        let (sender, receiver) = unbounded();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(sender);
        receiver
    }

    /// Ends the stream of [`listen`](Self::listen).
    pub fn stop_listening(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = None;
    }

    /// Changes the counts.
    pub(super) fn update(&self, change: impl FnOnce(&mut InventoryCounts)) {
        let (counts, listener) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(counts);
        if let Some(listener) = listener {
            // An error means that the listener is gone.
            drop(listener.unbounded_send(*counts));
        }
    }
}
