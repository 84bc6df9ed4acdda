//! Where a fortnight is kept: a folder or a bucket, which can be set back to how it was after a certain day.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use basewatch::store::{FolderStore, Store};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::bucket::{self, BUCKET, Bucket, PREFIX};

/// Which sort of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Bucket,
}

/// All that is kept, by name.
pub(crate) type Snapshot = BTreeMap<String, Vec<u8>>;

/// Where another process finds a store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Place {
    Folder(String),
    Bucket { endpoint: String, bucket: String, prefix: String, lease: Option<Duration> },
}

impl Place {
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
pub(crate) enum Ground {
    Folder(TempDir),
    Bucket(Bucket),
    /// A bucket of another server, with its own clock.
    #[cfg(feature = "peers")]
    Elsewhere(Place),
}

impl Ground {
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

    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Folder(folder) => Place::Folder(folder.path().to_str().unwrap().to_owned()),
            Self::Bucket(bucket) => Place::Bucket {
                endpoint: bucket.endpoint(),
                bucket: BUCKET.to_owned(),
                prefix: PREFIX.to_owned(),
                lease: None,
            },
            #[cfg(feature = "peers")]
            Self::Elsewhere(place) => place.clone(),
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

    /// Lets so much time pass, as far as the store has a clock: a lease ends by it.
    pub(crate) fn advance(&self, by: Duration) {
        if let Self::Bucket(bucket) = self {
            bucket.advance(by);
        }
    }

    /// The files that are not whole.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        match self {
            Self::Folder(_) => self.snapshot().into_keys().filter(|name| name.ends_with(".unfinished")).collect(),
            _ => Vec::new(),
        }
    }
}

/// In memory where there is such a folder: the machine keeps its power in here, and to flush a file to a disk takes
/// longer than all the rest of a write.
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
