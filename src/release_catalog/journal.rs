//! The journal of an unfinished crawl, next to its output file, from which an interrupted crawl continues.
//!
//! One JSON document a line, appended as soon as it is read. A truncated last line is dropped, and its data read again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};

use super::LineListing;
use crate::image::{PlatformRelease, Repository};

/// The longest journal that is read: five times that of everything AWS has ever published.
const MOST_BYTES: u64 = 256 << 20;

/// The format of a journal.
const FORMAT: u32 = 1;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("cannot use {}: {why}", .file.display())]
    Unusable {
        /// The journal.
        file: PathBuf,
        /// The error of the system.
        why: String,
    },
    /// Another process is crawling.
    #[error("another process is writing {}: wait until it ends", .file.display())]
    Busy {
        /// The journal.
        file: PathBuf,
    },
    /// It belongs to another crawl.
    #[error(
        "{} belongs to an unfinished crawl with another scope ({found}): continue that crawl, or remove the file to start over",
        .file.display()
    )]
    OtherScope {
        /// The journal.
        file: PathBuf,
        /// The scope of that crawl.
        found: String,
    },
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JournalEntry {
    /// The first line: the scope of the crawl.
    Begun { format: u32, scope: String, began_at: DateTime<Utc> },
    /// A tag list.
    Listed { repository: Repository, listed_at: DateTime<Utc>, is_complete: bool, tags: Vec<String> },
    /// A release, on all its platforms.
    Read { repository: Repository, tag: String, releases: Vec<PlatformRelease> },
}

/// The journal of one crawl.
#[derive(Debug)]
pub struct CrawlJournal {
    path: PathBuf,
    file: File,
    began_at: DateTime<Utc>,
    listings: BTreeMap<Repository, LineListing>,
    read: BTreeSet<(Repository, String)>,
    releases: Vec<(Repository, PlatformRelease)>,
}

impl CrawlJournal {
    /// Opens the journal `path` of the crawl with `scope`, or creates one that begins `now`.
    ///
    /// # Errors
    ///
    /// If it cannot be used, another process uses it, or it belongs to another crawl.
    pub fn open(path: &Path, scope: &str, now: DateTime<Utc>) -> Result<Self, JournalError> {
        let unusable = |why: String| JournalError::Unusable { file: path.to_owned(), why };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| unusable(error.to_string()))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy { file: path.to_owned() }),
            // Some network file systems have no locks; there the user has to prevent concurrent crawls.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut journal = Self {
            path: path.to_owned(),
            file,
            began_at: now.trunc_subsecs(0),
            listings: BTreeMap::new(),
            read: BTreeSet::new(),
            releases: Vec::new(),
        };
        match journal.recover().map_err(|error| unusable(error.to_string()))? {
            Some(found) if found == scope => Ok(journal),
            Some(found) => Err(JournalError::OtherScope { file: path.to_owned(), found }),
            None => {
                let began_at = journal.began_at;
                journal.append(&JournalEntry::Begun { format: FORMAT, scope: scope.to_owned(), began_at })?;
                Ok(journal)
            }
        }
    }

    /// When the crawl began.
    #[must_use]
    pub fn began_at(&self) -> DateTime<Utc> {
        self.began_at
    }

    /// The number of releases, each platform counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.releases.len()
    }

    /// Whether nothing was read yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.releases.is_empty()
    }

    /// All releases that were read.
    pub(super) fn releases(&self) -> &[(Repository, PlatformRelease)] {
        &self.releases
    }

    /// The tag list of `repository`, if it was read.
    pub(super) fn listing(&self, repository: &Repository) -> Option<&LineListing> {
        self.listings.get(repository)
    }

    /// Whether the release `tag` was read.
    pub(super) fn has_read(&self, repository: &Repository, tag: &str) -> bool {
        self.read.contains(&(repository.clone(), tag.to_owned()))
    }

    /// Appends a tag list.
    pub(super) fn add_listing(&mut self, listing: LineListing) -> Result<(), JournalError> {
        let LineListing { repository, listed_at, tags, is_complete } = listing;
        self.add(JournalEntry::Listed { repository, listed_at, is_complete, tags })
    }

    /// Appends a release.
    pub(super) fn add_release(
        &mut self,
        repository: &Repository,
        tag: String,
        releases: Vec<PlatformRelease>,
    ) -> Result<(), JournalError> {
        self.add(JournalEntry::Read { repository: repository.clone(), tag, releases })
    }

    /// Removes the journal after the output file was written.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove(self) -> Result<(), JournalError> {
        std::fs::remove_file(&self.path)
            .map_err(|error| JournalError::Unusable { file: self.path.clone(), why: error.to_string() })
    }

    fn add(&mut self, entry: JournalEntry) -> Result<(), JournalError> {
        self.append(&entry)?;
        self.learn(entry);
        Ok(())
    }

    fn append(&mut self, entry: &JournalEntry) -> Result<(), JournalError> {
        let written = serde_json::to_vec(entry).map_err(io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)
        });
        written.map_err(|error| JournalError::Unusable { file: self.path.clone(), why: error.to_string() })
    }

    /// Reads the complete lines, truncates the rest, and returns the scope of the crawl.
    fn recover(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        (&self.file).take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(io::Error::other("it is too large for a journal"));
        }
        let mut scope = None;
        let mut end = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let entry = line.ends_with(b"\n").then(|| serde_json::from_slice(line).ok()).flatten();
            match entry {
                Some(JournalEntry::Begun { format: FORMAT, scope: found, began_at }) if scope.is_none() => {
                    self.began_at = began_at;
                    scope = Some(found);
                }
                Some(entry @ (JournalEntry::Listed { .. } | JournalEntry::Read { .. })) if scope.is_some() => {
                    self.learn(entry);
                }
                _ => break,
            }
            end += line.len();
        }
        // A file that is not a journal is left alone; a truncated first line is one of ours.
        if scope.is_none() && bytes.contains(&b'\n') {
            return Err(io::Error::other("it is not the journal of a crawl"));
        }
        self.file.set_len(end as u64)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(scope)
    }

    fn learn(&mut self, entry: JournalEntry) {
        match entry {
            JournalEntry::Begun { .. } => {}
            JournalEntry::Listed { repository, listed_at, is_complete, tags } => {
                let listing = LineListing { repository: repository.clone(), listed_at, tags, is_complete };
                self.listings.insert(repository, listing);
            }
            JournalEntry::Read { repository, tag, releases } => {
                self.releases.extend(releases.into_iter().map(|release| (repository.clone(), release)));
                self.read.insert((repository, tag));
            }
        }
    }
}
