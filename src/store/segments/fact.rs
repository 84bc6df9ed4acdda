//! The facts of a digest as they stand in a segment. Of a large catalog in a folder, some are left there until somebody asks
//! for them: it may hold the facts of many years, and a run asks for few.

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
    /// In a segment that stays open: so they can be read when the segment was merged into another one and removed.
    InFile {
        /// The segment.
        file: Arc<File>,
        /// Where in it.
        at: u64,
        /// How many bytes.
        length: u32,
    },
}

impl StoredFact {
    /// The JSON. To be asked for by one thread at a time, for the position in the file is shared.
    ///
    /// # Errors
    ///
    /// When the file cannot be read any more, as one that another machine has removed over NFS.
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
