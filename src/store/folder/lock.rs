//! Who may? A lock on an open file, which ends with its process, and says whose it is.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use futures::future::{BoxFuture, FutureExt as _};

use super::super::Turn;

/// The longest signature that is shown, in bytes.
const MOST_SHOWN: u64 = 200;

/// A lock that is held until it is dropped, or the process ends.
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of the file at `path`, which is made if there is none; nothing if somebody else has it.
    pub(super) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let lock = Self { file, path: path.to_owned() };
        // Whoever removed the file in between left a lock of nothing.
        Ok(lock.is_of_the_file().then_some(lock))
    }

    /// Whether the file at the path still is the one that is locked: somebody may have emptied the folder.
    #[cfg(unix)]
    pub(super) fn is_of_the_file(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let (Ok(own), Ok(there)) = (self.file.metadata(), std::fs::metadata(&self.path)) else { return false };
        (own.dev(), own.ino()) == (there.dev(), there.ino())
    }

    /// A locked file cannot be removed there.
    #[cfg(not(unix))]
    pub(super) fn is_of_the_file(&self) -> bool {
        true
    }

    /// Writes whose it is into the file.
    pub(super) fn sign(&mut self, holder: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(holder.as_bytes())
    }
}

/// Whose the lock of the file at `path` is, as ` (…)`; nothing if that is not known.
pub(super) fn signature(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_SHOWN).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || text.is_empty() { String::new() } else { format!(" ({text})") }
}

/// A run's turn with a folder.
pub(super) struct FolderTurn {
    lock: Lock,
}

impl FolderTurn {
    pub(super) fn new(lock: Lock) -> Self {
        Self { lock }
    }
}

impl fmt::Debug for FolderTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FolderTurn({:?})", self.lock.path)
    }
}

impl Turn for FolderTurn {
    fn is_held(&self) -> bool {
        self.lock.is_of_the_file()
    }

    fn end(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            let ended = tokio::task::spawn_blocking(move || {
                // Only for those who look at it: the lock itself ends now, signed or not.
                let _ = self.lock.sign("");
            });
            let _ = ended.await;
        }
        .boxed()
    }
}
