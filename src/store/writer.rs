//! Writes the catalog's files while its owner goes on learning: an audit should wait for registries, not
//! for a disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// How many files may wait to be written.
const QUEUE: usize = 1024;

/// A thread that writes files in the order they are given; dropping it waits for the last one.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<(PathBuf, Vec<u8>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start() -> Self {
        let (queue, files) = sync_channel::<(PathBuf, Vec<u8>)>(QUEUE);
        let thread = thread::spawn(move || {
            let mut has_warned = false;
            for (file, bytes) in files {
                // Told once: a full disk must not end an audit, nor fill the log.
                if let Err(error) = write_atomically(&file, &bytes)
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

    pub(super) fn write(&self, file: PathBuf, bytes: Vec<u8>) {
        if let Some(queue) = &self.queue {
            // It fails only if the thread is gone, and then there is nobody left to write.
            let _ = queue.send((file, bytes));
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

/// Writes beside and renames, so that a reader sees the old file or the new one.
fn write_atomically(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let beside = folder.join(format!(".{}.{}", std::process::id(), fastrand::u64(..)));
    let written = match fs::write(&beside, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).and_then(|()| fs::write(&beside, bytes))
        }
        written => written,
    };
    let renamed = written.and_then(|()| fs::rename(&beside, file));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed
}
