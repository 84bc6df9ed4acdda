//! File locks with the name of the holder. The kernel releases them with the process.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use futures::future::{BoxFuture, FutureExt as _};

use super::super::StoreLock;

/// Maximum length of a displayed holder, in bytes.
const MOST_SHOWN: u64 = 200;

/// A file lock. Released when dropped or when the process ends.
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock of the file at `path`, which is created if missing; `None` if another process holds it.
    pub(super) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let lock = Self { file, path: path.to_owned() };
        // The file may have been removed in between.
        Ok(lock.is_of_the_file().then_some(lock))
    }

    /// Whether the file at the path is still the locked one: the folder may have been emptied.
    #[cfg(unix)]
    pub(super) fn is_of_the_file(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let (Ok(own), Ok(there)) = (self.file.metadata(), std::fs::metadata(&self.path)) else { return false };
        (own.dev(), own.ino()) == (there.dev(), there.ino())
    }

    /// Locked files cannot be removed on this platform.
    #[cfg(not(unix))]
    pub(super) fn is_of_the_file(&self) -> bool {
        true
    }

    /// Writes the holder into the file.
    pub(super) fn sign(&mut self, holder: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(holder.as_bytes())
    }
}

/// The holder of the lock at `path` as ` (…)`; empty if unknown.
pub(super) fn signature(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_SHOWN).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || text.is_empty() { String::new() } else { format!(" ({text})") }
}

/// The store lock of a folder.
pub(super) struct FolderLock {
    lock: FileLock,
}

impl FolderLock {
    pub(super) fn new(lock: FileLock) -> Self {
        Self { lock }
    }
}

impl fmt::Debug for FolderLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FolderTurn({:?})", self.lock.path)
    }
}

impl StoreLock for FolderLock {
    fn is_held(&self) -> bool {
        self.lock.is_of_the_file()
    }

    fn release(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            let ended = tokio::task::spawn_blocking(move || {
                // Informational only: the lock itself is released with the file.
                let _ = self.lock.sign("");
            });
            let _ = ended.await;
        }
        .boxed()
    }
}
