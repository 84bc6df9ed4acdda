//! A store in a folder, on a local or shared file system. One file per object.
//!
//! Files are replaced atomically and flushed. A write lock is held during each write, the store lock by the run that sends
//! notifications. Both are `flock`s of open files, which the kernel releases with the process.

mod lock;

use std::{
    collections::HashSet,
    fmt,
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, FutureExt as _};
use sha2::{Digest as _, Sha256};

use self::lock::{FileLock, FolderLock};
use super::{
    Error, ObjectVersion, Result, Store, StoreLock, StoredObject, WriteCondition,
    atomic::{self, Durability},
    limit::ObjectSizeLimit,
    name,
    port::LONGEST_WAIT,
};

/// File of the write lock.
const WRITE_LOCK: &str = ".write.lock";
/// File of the store lock.
const STORE_LOCK: &str = ".run.lock";
/// Maximum wait for the write lock. Each write takes as long as flushing a file.
const WRITE_WAIT: Duration = Duration::from_secs(30);
/// Poll interval while waiting for the store lock.
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Size of a read, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// A store in a folder. The folder is created by the first write, accessible to its owner only, because its contents reveal
/// which deployments are outdated. Files in it have default permissions: to share the store, change the permissions of the
/// folder or create it beforehand.
#[derive(Clone)]
pub struct FolderStore {
    files: Arc<StoreFolder>,
}

/// The folder. All methods block.
struct StoreFolder {
    folder: PathBuf,
    limit: ObjectSizeLimit,
    /// Folders that were cleared of files of killed runs.
    swept: Mutex<HashSet<PathBuf>>,
}

impl FolderStore {
    /// A store in `folder`. Does no I/O yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self::with_limit(folder, ObjectSizeLimit::default())
    }

    /// With a size limit of `most_bytes` per object instead of 32 MiB.
    #[must_use]
    pub fn limited(folder: PathBuf, most_bytes: u64) -> Self {
        Self::with_limit(folder, ObjectSizeLimit::new(most_bytes))
    }

    fn with_limit(folder: PathBuf, limit: ObjectSizeLimit) -> Self {
        Self { files: Arc::new(StoreFolder { folder, limit, swept: Mutex::default() }) }
    }

    /// Runs `call` on a blocking thread.
    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&StoreFolder) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let files = Arc::clone(&self.files);
        async move {
            let done = tokio::task::spawn_blocking(move || call(&files)).await;
            done.unwrap_or_else(|error| {
                Err(Error::Unavailable {
                    what: "the store operation was interrupted".to_owned(),
                    why: error.to_string(),
                })
            })
        }
        .boxed()
    }
}

impl fmt::Debug for FolderStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FolderStore({:?})", self.files.folder)
    }
}

impl Store for FolderStore {
    fn location(&self) -> String {
        self.files.folder.display().to_string()
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>>> {
        let name = name.to_owned();
        self.blocking(move |files| files.read(&name))
    }

    fn most_bytes(&self) -> u64 {
        self.files.limit.most_bytes()
    }

    fn write<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
        only_if: WriteCondition,
    ) -> BoxFuture<'a, Result<ObjectVersion>> {
        let name = name.to_owned();
        self.blocking(move |files| files.write(&name, &bytes, &only_if))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let prefix = prefix.to_owned();
        self.blocking(move |files| files.names(&prefix))
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        let name = name.to_owned();
        self.blocking(move |files| files.remove(&name))
    }

    fn lock<'a>(&'a self, holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn StoreLock>>> {
        async move {
            let deadline = Instant::now() + wait.min(LONGEST_WAIT);
            loop {
                let text = holder.to_owned();
                let by = match self.blocking(move |files| files.try_store_lock(&text)).await? {
                    Ok(lock) => return Ok(Box::new(FolderLock::new(lock)) as Box<dyn StoreLock>),
                    Err(by) => by,
                };
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Error::Busy { waited: wait, holder: by });
                }
                tokio::time::sleep(left.min(LOCK_POLL)).await;
            }
        }
        .boxed()
    }
}

impl StoreFolder {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn cannot(&self, what: &str, name: &str) -> String {
        format!("cannot {what} {}", self.path(name).display())
    }

    /// The failure with `error`: `cannot write /var/lib/basewatch/ledger.json`.
    fn failed(&self, what: &str, name: &str, error: &io::Error) -> Error {
        let what = self.cannot(what, name);
        let why = in_words(error);
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::Denied { what, why },
            _ => Error::Unavailable { what, why },
        }
    }

    fn read(&self, name: &str) -> Result<Option<StoredObject>> {
        let mut bytes = Vec::new();
        let version = self.pieces(name, |piece| bytes.extend_from_slice(piece))?;
        Ok(version.map(|version| StoredObject { bytes, version }))
    }

    /// Passes the object `name` to `take` in pieces and returns its version; `None` if it does not exist.
    fn pieces(&self, name: &str, mut take: impl FnMut(&[u8])) -> Result<Option<ObjectVersion>> {
        name::check(name)?;
        let failed = |error: &io::Error| self.failed("read", name, error);
        let mut file = match File::open(self.path(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let mut hash = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut read_bytes = 0;
        loop {
            let length = match file.read(&mut piece) {
                Ok(0) => return Ok(Some(version(hash))),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(&error)),
            };
            read_bytes += length as u64;
            self.limit.check(read_bytes, || self.cannot("read", name))?;
            hash.update(&piece[..length]);
            take(&piece[..length]);
        }
    }

    fn write(&self, name: &str, bytes: &[u8], only_if: &WriteCondition) -> Result<ObjectVersion> {
        name::check(name)?;
        self.limit.check(bytes.len() as u64, || self.cannot("write", name))?;
        let _lock = self.write_lock()?;
        let path = self.path(name);
        let holds = match only_if {
            WriteCondition::Always => true,
            WriteCondition::Absent => !path.try_exists().map_err(|error| self.failed("read", name, &error))?,
            WriteCondition::Unchanged(known) => self.pieces(name, |_| ())?.as_ref() == Some(known),
        };
        if !holds {
            return Err(Error::Conflict { name: name.to_owned() });
        }
        self.sweep_once(path.parent().unwrap_or(&self.folder));
        atomic::replace(&path, bytes, Durability::Power, Some(&self.folder))
            .map_err(|error| self.failed("write", name, &error))?;
        Ok(version(Sha256::new_with_prefix(bytes)))
    }

    fn names(&self, prefix: &str) -> Result<Vec<String>> {
        name::check_prefix(prefix)?;
        let first = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut names = Vec::new();
        let mut folders = vec![first.to_owned()];
        while let Some(folder) = folders.pop() {
            for (name, is_folder) in self.list(&folder)? {
                let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                match (name.starts_with(prefix) && name::is_name(&name), is_folder) {
                    (true, true) => folders.push(name),
                    (true, false) => names.push(name),
                    (false, _) => {}
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The entries of `folder`, and whether each is a folder.
    fn list(&self, folder: &str) -> Result<Vec<(String, bool)>> {
        let failed = |error: &io::Error| self.failed("list", folder, error);
        let entries = match fs::read_dir(self.path(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(&error))?;
            // Follows links: large folders may be on other disks.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if let Ok(name) = entry.file_name().into_string() {
                found.push((name, metadata.is_dir()));
            }
        }
        Ok(found)
    }

    fn remove(&self, name: &str) -> Result<()> {
        name::check(name)?;
        let path = self.path(name);
        if !path.try_exists().map_err(|error| self.failed("remove", name, &error))? {
            return Ok(());
        }
        let _lock = self.write_lock()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.failed("remove", name, &error)),
            _ => {}
        }
        // Removes empty folders, such as those of dated reports. `remove_dir` fails if a folder is not empty.
        let above = path.ancestors().skip(1).take_while(|folder| *folder != self.folder);
        let emptied = above.take_while(|folder| {
            self.sweep_once(folder);
            fs::remove_dir(folder).is_ok()
        });
        let kept = path.ancestors().nth(1 + emptied.count()).unwrap_or(&self.folder);
        atomic::flush_folder(kept).map_err(|error| self.failed("remove", name, &error))
    }

    /// Clears `folder` of files of killed runs, once per process.
    fn sweep_once(&self, folder: &Path) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.insert(folder.to_owned()) {
            drop(swept);
            atomic::sweep(folder);
        }
    }

    /// Waits for the write lock.
    fn write_lock(&self) -> Result<FileLock> {
        let deadline = Instant::now() + WRITE_WAIT;
        loop {
            if let Some(lock) = self.lock(WRITE_LOCK)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(Error::Busy { waited: WRITE_WAIT, holder: " (write lock)".to_owned() });
            }
            std::thread::sleep(Duration::from_micros(fastrand::u64(500..5_000)));
        }
    }

    /// The store lock, or its holder as ` (…)`.
    fn try_store_lock(&self, holder: &str) -> Result<Result<FileLock, String>> {
        match self.lock(STORE_LOCK)? {
            Some(mut lock) => {
                let text = format!("{holder}, process {}", std::process::id());
                lock.sign(&text).map_err(|error| self.failed("write", STORE_LOCK, &error))?;
                Ok(Ok(lock))
            }
            None => Ok(Err(lock::signature(&self.path(STORE_LOCK)))),
        }
    }

    fn lock(&self, name: &str) -> Result<Option<FileLock>> {
        let path = self.path(name);
        let locked = FileLock::try_take(&path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => {
                atomic::make_folder(&self.folder, Some(&self.folder))?;
                FileLock::try_take(&path)
            }
            _ => Err(error),
        });
        locked.map_err(|error| self.failed("write", name, &error))
    }
}

/// The version of a file: the hash of its content.
fn version(hash: Sha256) -> ObjectVersion {
    ObjectVersion(hex::encode(hash.finalize()))
}

/// `error` in plain words, for operators.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotADirectory => "a part of the path is a file, not a folder".to_owned(),
        ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
        ErrorKind::StorageFull => "the disk is full".to_owned(),
        ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_errors_are_described_in_plain_words() {
        let files = StoreFolder {
            folder: PathBuf::from("/var/lib/basewatch"),
            limit: ObjectSizeLimit::default(),
            swept: Mutex::default(),
        };
        let failed = |kind: ErrorKind| files.failed("write", "ledger.json", &kind.into());
        let table = [
            (ErrorKind::StorageFull, false, "cannot write /var/lib/basewatch/ledger.json: the disk is full"),
            (ErrorKind::QuotaExceeded, false, "the disk quota is used up"),
            (ErrorKind::ReadOnlyFilesystem, true, "the file system is read-only"),
            (ErrorKind::PermissionDenied, true, "permission denied"),
            (ErrorKind::IsADirectory, false, "it is a folder"),
        ];
        for (kind, is_denied, expected) in table {
            let error = failed(kind);
            assert_eq!(matches!(error, Error::Denied { .. }), is_denied, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
