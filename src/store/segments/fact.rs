//! Facts of a digest in a segment. In a large catalog in a folder they stay in the file until they are needed, because a run
//! needs few.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::Arc,
};

/// The facts of a digest, as JSON.
#[derive(Clone, Debug)]
pub(in crate::store) enum StoredFact {
    /// In memory.
    Here(Box<[u8]>),
    /// In an open segment file, which can be read even after the segment was merged and removed.
    InFile {
        /// The segment.
        file: Arc<File>,
        /// Offset in bytes.
        at: u64,
        /// Length in bytes.
        length: u32,
    },
}

impl StoredFact {
    /// The JSON. Not for concurrent use: the file position is shared.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, for example because another machine removed it over NFS.
    pub(in crate::store) fn json(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Here(json) => Ok(Cow::Borrowed(json)),
            Self::InFile { file, at, length } => {
                let mut json = vec![0; usize::try_from(*length).map_err(io::Error::other)?];
                let mut file = &**file;
                file.seek(SeekFrom::Start(*at))?;
                file.read_exact(&mut json)?;
                Ok(Cow::Owned(json))
            }
        }
    }
}

#[cfg(test)]
impl PartialEq for StoredFact {
    fn eq(&self, other: &Self) -> bool {
        self.json().unwrap() == other.json().unwrap()
    }
}
