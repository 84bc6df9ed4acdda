//! The store of a fortnight: a folder or a bucket that can be restored from a snapshot.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use basewatch::store::{FolderStore, Store};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use testbed::bucket::{self, BUCKET, Bucket, PREFIX};

/// The kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Bucket,
}

/// All objects by name.
pub(crate) type Snapshot = BTreeMap<String, Vec<u8>>;

/// The address of a store for another process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum StoreAddress {
    Folder(String),
    Bucket { endpoint: String, bucket: String, prefix: String, lease: Option<Duration> },
}

impl StoreAddress {
    pub(crate) fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Folder(folder) => Arc::new(FolderStore::new(folder.into())),
            Self::Bucket { endpoint, bucket, prefix, lease } => {
                let store = bucket::store_at(endpoint, bucket, prefix);
                Arc::new(if let Some(lasts) = lease { store.with_lease(*lasts) } else { store })
            }
        }
    }
}

/// A folder or a bucket.
pub(crate) enum TestStore {
    Folder(TempDir),
    Bucket(Bucket),
    /// A bucket of another server, with its own clock.
    #[cfg(feature = "peers")]
    Elsewhere(StoreAddress),
}

impl TestStore {
    pub(crate) fn new(kind: Kind, snapshot: &Snapshot) -> Self {
        match kind {
            Kind::Folder => {
                let folder = folder();
                for (name, bytes) in snapshot {
                    let file = folder.path().join(name);
                    fs::create_dir_all(file.parent().unwrap()).unwrap();
                    fs::write(file, bytes).unwrap();
                }
                Self::Folder(folder)
            }
            Kind::Bucket => {
                let bucket = Bucket::start();
                for (key, bytes) in snapshot {
                    bucket.put(key, std::str::from_utf8(bytes).unwrap());
                }
                Self::Bucket(bucket)
            }
        }
    }

    pub(crate) fn address(&self) -> StoreAddress {
        match self {
            Self::Folder(folder) => StoreAddress::Folder(folder.path().to_str().unwrap().to_owned()),
            Self::Bucket(bucket) => StoreAddress::Bucket {
                endpoint: bucket.endpoint(),
                bucket: BUCKET.to_owned(),
                prefix: PREFIX.to_owned(),
                lease: None,
            },
            #[cfg(feature = "peers")]
            Self::Elsewhere(address) => address.clone(),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        match self {
            Self::Folder(folder) => {
                let mut files = Snapshot::new();
                read(folder.path(), "", &mut files);
                files
            }
            Self::Bucket(bucket) => bucket.objects().into_iter().map(|(key, text)| (key, text.into_bytes())).collect(),
            #[cfg(feature = "peers")]
            Self::Elsewhere(_) => Snapshot::new(),
        }
    }

    /// Advances the clock of a bucket, by which leases expire.
    pub(crate) fn advance(&self, by: Duration) {
        if let Self::Bucket(bucket) = self {
            bucket.advance(by);
        }
    }

    /// Incomplete files.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        match self {
            Self::Folder(_) => self.snapshot().into_keys().filter(|name| name.ends_with(".unfinished")).collect(),
            _ => Vec::new(),
        }
    }
}

/// In memory if possible: no test cuts the power, and flushing to disk takes longer than the rest of a write.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = tempfile::tempdir_in(memory);
    in_memory.unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn read(folder: &Path, above: &str, files: &mut Snapshot) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{above}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}
