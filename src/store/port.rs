//! Where things are kept between runs: a folder, or an S3 prefix.

use std::{fmt, time::Duration};

use futures::future::BoxFuture;

/// The longest that anybody waits for a turn, whatever was asked for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What went wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Somebody else changed it since it was read.
    #[error("{name} was changed by somebody else in the meantime")]
    Conflict {
        /// What was to be written.
        name: String,
    },
    /// Another run has its turn, and did not end it in time.
    #[error("another run has been busy with the store for longer than {waited:?}{holder}")]
    Busy {
        /// How long was waited.
        waited: Duration,
        /// Who is busy, as ` (…)`, where that is known.
        holder: String,
    },
    /// It may not be read or written.
    #[error("{what}: {why}")]
    Denied {
        /// What was tried.
        what: String,
        /// What was said to it.
        why: String,
    },
    /// It cannot be read or written now: no answer, no space, no such folder.
    #[error("{what}: {why}")]
    Unavailable {
        /// What was tried.
        what: String,
        /// What was said to it.
        why: String,
    },
    /// It is larger than what a store reads and writes.
    #[error("{what}: it is larger than {}", Size(*most_bytes))]
    TooLarge {
        /// What was tried.
        what: String,
        /// The limit.
        most_bytes: u64,
    },
    /// What is kept there is not what was written there.
    #[error("{place} cannot be understood: {why}; it was left as it is")]
    Unreadable {
        /// What was read.
        place: String,
        /// Why it makes no sense.
        why: String,
    },
    /// A newer basewatch wrote it.
    #[error("{place} is of a newer basewatch: its format is {found}, this one knows {known}; it was left as it is")]
    Newer {
        /// What was read.
        place: String,
        /// Its format.
        found: String,
        /// The format that is known.
        known: String,
    },
}

/// A number of bytes in words.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 >> 20, self.0 % (1 << 20)) {
            (mebibytes, 0) => write!(f, "{mebibytes} MiB"),
            _ => write!(f, "{} bytes", self.0),
        }
    }
}

/// What reading and writing comes to.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which state of an object this is; opaque, and only good for being compared by the store it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub(super) String);

impl Version {
    /// The version that a store calls `name`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// What the store calls it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their version.
    pub version: Version,
}

/// When a write may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnlyIf {
    /// In any case.
    Always,
    /// If there is nothing yet.
    Absent,
    /// If it is still this version.
    Unchanged(Version),
}

/// A place to keep things in: `FolderStore` or `S3Store`.
///
/// Names are words separated by `/`, of ASCII letters, digits, `.`, `-`, `_`. A write is whole or did not
/// happen, and once it has returned it outlives the machine's power.
pub trait Store: fmt::Debug + Send + Sync {
    /// The place as people wrote it: `./basewatch-store`, `s3://bucket/prefix`.
    fn place(&self) -> String;

    /// What is kept under `name`; `None` if nothing is.
    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>>>;

    /// The same for JSON, with texts of more than a few kilobytes cut while they are read: so a document can be read
    /// although it is larger than [`Store::read`] allows.
    fn read_clipped<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>>> {
        self.read(name)
    }

    /// Keeps `bytes` under `name`, and says their version. Fails, and changes nothing, with [`Error::Conflict`] if
    /// `only_if` does not hold, and with [`Error::TooLarge`] if they could not be read again.
    ///
    /// A write that fails with [`Error::Unavailable`] may have happened nonetheless. So may, in a bucket, one that
    /// fails with [`Error::Conflict`], if its answer was lost and another run wrote over it before it was looked
    /// for. Whoever writes again reads first, and does not do twice what is already there.
    fn write<'a>(&'a self, name: &'a str, bytes: Vec<u8>, only_if: OnlyIf) -> BoxFuture<'a, Result<Version>>;

    /// The names that begin with `prefix`, in order.
    fn names<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>>;

    /// Forgets what is kept under `name`; nothing is fine.
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Waits, at most so long, until no other run has its turn with this store, and takes the next. `holder` is
    /// shown to those who wait. The turn of a process that was killed does not last: at once for a folder, after
    /// a minute for S3.
    fn turn<'a>(&'a self, holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn Turn>>>;
}

/// A run's turn with a store: nobody else has one. Ends when dropped at the latest.
pub trait Turn: fmt::Debug + Send + Sync {
    /// Whether it still lasts. One that was not renewed in time, as the machine slept, may have gone to another.
    fn is_held(&self) -> bool;

    /// Ends it, so that the next one need not wait.
    fn end(self: Box<Self>) -> BoxFuture<'static, ()>;
}
