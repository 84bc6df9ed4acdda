//! Writes the catalog's files while its owner goes on learning: an audit should wait for registries, not
//! for a disk.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::atomic::{Outlives, replace};

/// How many files may wait to be written.
const QUEUE: usize = 1024;

/// A file to be written.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) file: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// The folder of the store that it is in.
    pub(super) store: Option<Arc<Path>>,
}

/// A thread that writes files in the order they are given; dropping it waits for the last one.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start() -> Self {
        let (queue, files) = sync_channel::<Job>(QUEUE);
        let thread = thread::spawn(move || {
            let mut has_warned = false;
            for Job { file, bytes, store } in files {
                // Told once: a full disk must not end an audit, nor fill the log.
                if let Err(error) = replace(&file, &bytes, Outlives::Process, store.as_deref())
                    && !std::mem::replace(&mut has_warned, true)
                {
                    tracing::warn!(
                        "the catalog cannot be written, so the next run will ask again: {}: {error}",
                        file.display()
                    );
                }
            }
        });
        Self { queue: Some(queue), thread: Some(thread) }
    }

    pub(super) fn write(&self, job: Job) {
        if let Some(queue) = &self.queue {
            // It fails only if the thread is gone, and then there is nobody left to write.
            let _ = queue.send(job);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
