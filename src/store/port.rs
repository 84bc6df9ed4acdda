//! The `Store` trait: objects by name with versions and conditional writes, and a lock.

use std::{fmt, time::Duration};

use futures::future::BoxFuture;

/// Maximum wait for the lock.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Default size limit of objects. A report of half that size is one object, another document or a part of a quarter.
pub(super) const MOST_BYTES: u64 = 32 << 20;

/// An error of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another process changed the object since it was read.
    #[error("{name} was changed by another process in the meantime")]
    Conflict {
        /// The name of the object.
        name: String,
    },
    /// Another process holds the lock and did not release it in time.
    #[error("the store is locked by another run: waited {waited:?}{holder}")]
    Busy {
        /// How long this process waited.
        waited: Duration,
        /// The holder of the lock as ` (…)`, if known.
        holder: String,
    },
    /// Access was denied.
    #[error("{what}: {why}")]
    Denied {
        /// The operation.
        what: String,
        /// The reason.
        why: String,
    },
    /// It cannot be read or written now: no answer, no space, no such folder.
    #[error("{what}: {why}")]
    Unavailable {
        /// The operation.
        what: String,
        /// The reason.
        why: String,
    },
    /// The object exceeds the size limit of the store.
    #[error("{what}: larger than {}", ByteCount(*most_bytes))]
    TooLarge {
        /// The operation.
        what: String,
        /// The limit.
        most_bytes: u64,
    },
    /// The object does not have the expected format.
    #[error("{location} cannot be parsed: {why}; it was not changed")]
    Unreadable {
        /// The location of the object.
        location: String,
        /// The reason.
        why: String,
    },
    /// A newer basewatch wrote it.
    #[error("{location} was written by a newer basewatch: its format is {found}, expected {known}; it was not changed")]
    Newer {
        /// The location of the object.
        location: String,
        /// Its format.
        found: String,
        /// The supported format.
        known: String,
    },
}

/// A number of bytes, displayed in MiB if whole.
struct ByteCount(u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 >> 20, self.0 % (1 << 20)) {
            (mebibytes, 0) => write!(f, "{mebibytes} MiB"),
            _ => write!(f, "{} bytes", self.0),
        }
    }
}

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The version of an object. Opaque: comparable only within its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion(pub(super) String);

impl ObjectVersion {
    /// The version that the store identifies as `name`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The identifier of the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their version.
    pub version: ObjectVersion,
}

/// Condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteCondition {
    /// Unconditional.
    Always,
    /// Only if the object does not exist.
    Absent,
    /// Only if the object still has this version.
    Unchanged(ObjectVersion),
}

/// A store: `FolderStore` or `S3Store`.
///
/// Names are segments separated by `/`, of ASCII letters, digits, `.`, `-`, `_`. Writes are atomic, and durable once they
/// return.
pub trait Store: fmt::Debug + Send + Sync {
    /// The location as configured: `./basewatch-store`, `s3://bucket/prefix`.
    fn location(&self) -> String;

    /// The object `name`; `None` if it does not exist.
    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>>>;

    /// Maximum size of an object, in bytes. Larger documents are stored in parts.
    fn most_bytes(&self) -> u64 {
        MOST_BYTES
    }

    /// Writes `bytes` to the object `name` and returns the version. Fails without a change with [`Error::Conflict`] if
    /// `only_if` does not hold, and with [`Error::TooLarge`] if the object could not be read again.
    ///
    /// A write that fails with [`Error::Unavailable`] may have happened nonetheless. So may, in a bucket, one that fails
    /// with [`Error::Conflict`], if its answer was lost and another process has overwritten it since. Read before you
    /// write again.
    fn write<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
        only_if: WriteCondition,
    ) -> BoxFuture<'a, Result<ObjectVersion>>;

    /// The names with `prefix`, sorted.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>>;

    /// Removes the object `name`, if it exists.
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Waits at most `wait` for the lock of the store, and takes it. `holder` is shown to processes that wait. The lock of
    /// a killed process is released: at once in a folder, after a minute in S3.
    fn lock<'a>(&'a self, holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn StoreLock>>>;
}

/// The exclusive lock of a store. Released when dropped at the latest.
pub trait StoreLock: fmt::Debug + Send + Sync {
    /// Whether it is still held. A lock that was not renewed in time, because the machine slept, may have passed to another
    /// process.
    fn is_held(&self) -> bool;

    /// Releases it.
    fn release(self: Box<Self>) -> BoxFuture<'static, ()>;
}
