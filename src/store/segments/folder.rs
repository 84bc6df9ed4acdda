//! Segments in a folder, which several machines can share without a lock, even over NFS: each run writes its own files.
//!
//! A run appends to its segment without flushing; records lost in a power failure are fetched again. A merged segment is
//! complete and flushed before its parts are removed.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    LISTINGS, MOST_SMALL, PART_BYTES, Records, SegmentMerge, is_segment, is_small, new_name,
    record::{self, ParsedSegment},
};
use crate::store::atomic::{self, Durability};

/// Time without a write after which an unfinished segment counts as that of a killed run.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);
/// Time without a record after which a run starts a new segment, long before others consider the current one abandoned.
const PAUSE: Duration = Duration::from_hours(1);
/// Maximum size of a segment that is read, in bytes.
const MOST_READ_BYTES: u64 = 256 << 20;

/// Maximum size of segments in memory, in bytes: the facts of over ten thousand images. Further facts are read from their
/// files when needed.
const MOST_IN_MEMORY_BYTES: usize = 32 << 20;
/// Maximum size of a segment that is always kept in memory, in bytes, to limit the number of open files.
const SMALL_BYTES: usize = 256 << 10;

/// The folder of a catalog.
#[derive(Debug)]
pub(in crate::store) struct SegmentFolder {
    /// The folder of this version.
    pub(in crate::store) folder: PathBuf,
    /// The folder of the store that contains it.
    pub(in crate::store) store: Option<Arc<Path>>,
}

impl SegmentFolder {
    /// Segments below `folder`. Does no I/O yet.
    pub(in crate::store) fn new(folder: PathBuf) -> Self {
        Self { folder, store: None }
    }

    fn segments(&self) -> PathBuf {
        self.folder.join("segments")
    }

    /// The records of all segments. Unreadable segments are skipped, and their records fetched again.
    pub(in crate::store) fn read(&self) -> Records {
        self.read_with(MOST_IN_MEMORY_BYTES)
    }

    fn read_with(&self, most_in_memory_bytes: usize) -> Records {
        let mut reading = LoadedSegments { left_bytes: most_in_memory_bytes, ..LoadedSegments::default() };
        for _ in 0..LISTINGS {
            if !self.read_new(&mut reading) {
                break;
            }
        }
        reading.records
    }

    /// Reads unknown segments, newest first. Returns whether some vanished in the meantime.
    fn read_new(&self, reading: &mut LoadedSegments) -> bool {
        let mut has_vanished = false;
        for name in self.names(is_segment).into_iter().rev() {
            if reading.known.contains(&name) {
                continue;
            }
            match read(&self.segments().join(&name)) {
                // Over NFS, a file that another machine removed may still be listed.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::StaleNetworkFileHandle) => {
                    has_vanished = true;
                    continue;
                }
                Err(error) => tracing::debug!("cannot read the catalog segment {name}: {error}"),
                Ok((bytes, file)) => {
                    if let Some(segment) = record::parse(&bytes) {
                        reading.add(&segment, &bytes, &file);
                    } else {
                        tracing::debug!("the catalog file {name} is not a segment of this version");
                    }
                }
            }
            reading.known.insert(name);
        }
        has_vanished
    }

    /// The names in the folder for which `is_wanted` holds, sorted.
    fn names(&self, is_selected: fn(&str) -> bool) -> Vec<String> {
        let entries = fs::read_dir(self.segments()).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| is_selected(name));
        names.sort_unstable();
        names
    }

    /// Merges small segments if there are many, and removes them once the merged segment is written.
    fn compact(&self, now: SystemTime) -> io::Result<()> {
        let names = self.names(is_small);
        if names.len() <= MOST_SMALL {
            return Ok(());
        }
        let folder = self.segments();
        let mut merge = SegmentMerge::default();
        for name in names {
            let path = folder.join(&name);
            // Before reading: later records must not count as read.
            let changed_at = fs::metadata(&path).and_then(|metadata| metadata.modified());
            // Another run may be merging it too.
            let (Ok(changed_at), Ok((bytes, _))) = (changed_at, read(&path)) else { continue };
            let is_abandoned = now.duration_since(changed_at).is_ok_and(|age| age > ABANDONED_AFTER);
            if !merge.add(name, &bytes, is_abandoned) {
                break;
            }
        }
        if !merge.is_worthwhile() {
            return Ok(());
        }
        for segment in merge.records.into_segments() {
            let path = folder.join(new_name(segment.len()));
            atomic::replace(&path, &segment, Durability::Power, self.store.as_deref())?;
        }
        for name in merge.names {
            match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        atomic::sweep(&folder);
        Ok(())
    }
}

/// State of loading.
#[derive(Debug, Default)]
struct LoadedSegments {
    records: Records,
    /// The names of the loaded segments.
    known: HashSet<String>,
    /// Remaining bytes of segments to keep in memory.
    left_bytes: usize,
}

impl LoadedSegments {
    fn add(&mut self, segment: &ParsedSegment<'_>, bytes: &[u8], file: &Arc<File>) {
        if bytes.len() > SMALL_BYTES.max(self.left_bytes) {
            self.records.add_from_file(segment, bytes, file);
        } else {
            self.left_bytes = self.left_bytes.saturating_sub(bytes.len());
            segment.bodies.iter().for_each(|body| self.records.add(body));
        }
    }
}

/// The content of the file at `path`.
fn read(path: &Path) -> io::Result<(Vec<u8>, Arc<File>)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > MOST_READ_BYTES {
        return Err(io::Error::other("not a file, or larger than a segment"));
    }
    let file = File::open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    (&file).take(MOST_READ_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, Arc::new(file)))
}

/// Writer of the segments of one run.
#[derive(Debug, Default)]
pub(in crate::store) struct Appender {
    current: Option<OpenSegment>,
    has_written: bool,
    has_warned: bool,
}

/// The segment that is being written.
#[derive(Debug)]
struct OpenSegment {
    file: File,
    /// Length of its complete records, in bytes.
    bytes: u64,
    written_at: SystemTime,
}

impl Appender {
    /// Appends a framed record. Returns whether it was written.
    pub(in crate::store) fn append(&mut self, frame: &[u8], folder: &SegmentFolder) -> bool {
        let written = self.try_append(frame, folder, SystemTime::now());
        if let Err(error) = &written {
            // Logged once: a full disk must not fill the log.
            if !std::mem::replace(&mut self.has_warned, true) {
                tracing::warn!(
                    "cannot write the catalog, so the next run repeats its requests: {}: {error}",
                    folder.folder.display()
                );
            }
        }
        written.is_ok()
    }

    fn try_append(&mut self, frame: &[u8], folder: &SegmentFolder, now: SystemTime) -> io::Result<()> {
        // If the clock was set back, the pause is unknown.
        let has_paused = |open: &OpenSegment| now.duration_since(open.written_at).map_or(true, |pause| pause > PAUSE);
        if self.current.as_ref().is_some_and(has_paused) {
            self.current = None;
        }
        if self.current.as_ref().is_some_and(|open| open.bytes + frame.len() as u64 > PART_BYTES as u64) {
            self.end();
        }
        let open = match &mut self.current {
            Some(open) => open,
            none => none.insert(OpenSegment::create(folder, now)?),
        };
        if let Err(error) = open.write(frame, now) {
            // Records after an incomplete one would not be read.
            if open.cut().is_err() {
                self.current = None;
            }
            return Err(error);
        }
        self.has_written = true;
        Ok(())
    }

    /// Finishes the current segment, and merges segments if there are many.
    pub(in crate::store) fn finish(&mut self, folder: &SegmentFolder) {
        self.end();
        if std::mem::take(&mut self.has_written)
            && let Err(error) = folder.compact(SystemTime::now())
        {
            tracing::debug!("cannot compact the catalog in {}: {error}", folder.folder.display());
        }
    }

    fn end(&mut self) {
        if let Some(mut open) = self.current.take()
            && let Err(error) = open.write(&record::end(), SystemTime::now())
        {
            tracing::debug!("cannot finish a catalog segment: {error}");
        }
    }
}

impl OpenSegment {
    fn create(folder: &SegmentFolder, now: SystemTime) -> io::Result<Self> {
        let segments = folder.segments();
        let path = segments.join(new_name(0));
        let create = || OpenOptions::new().write(true).create_new(true).open(&path);
        let file = match create() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                atomic::make_folder(&segments, folder.store.as_deref())?;
                create()?
            }
            created => created?,
        };
        let mut open = Self { file, bytes: 0, written_at: now };
        if let Err(error) = open.write(record::header(), now) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(open)
    }

    fn write(&mut self, bytes: &[u8], now: SystemTime) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        self.written_at = now;
        Ok(())
    }

    /// Removes an incomplete record.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        image::Digest,
        store::segments::{Record, RecordKind, StoredFact, StoredNote},
    };

    struct Rig {
        _folder: tempfile::TempDir,
        folder: SegmentFolder,
    }

    impl Rig {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let segments = SegmentFolder::new(folder.path().join("v1"));
            Self { _folder: folder, folder: segments }
        }

        /// Keeps the notes `names`, each under its name, in a segment that stays open.
        fn begin(&self, names: impl IntoIterator<Item = u32>) -> Appender {
            let mut appender = Appender::default();
            for name in names {
                assert!(appender.append(&note(name), &self.folder));
            }
            appender
        }

        fn run(&self, name: u32) {
            self.begin([name]).finish(&self.folder);
        }

        /// The names that are known.
        fn known(&self) -> Vec<u32> {
            let mut known: Vec<u32> = self.folder.read().notes.keys().map(|name| name.parse().unwrap()).collect();
            known.sort_unstable();
            known
        }

        fn names(&self) -> Vec<String> {
            self.folder.names(|_| true)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.segments().join(name)
        }
    }

    fn note(name: u32) -> Vec<u8> {
        let value = StoredNote::new(b"1".to_vec(), chrono::DateTime::UNIX_EPOCH, None).to_value();
        Record { kind: RecordKind::Note, key: &name.to_string(), value: &value }.frame().unwrap()
    }

    #[test]
    fn records_are_readable_while_their_run_is_writing() {
        let rig = Rig::new();
        let mut appender = rig.begin(0..3);
        assert_eq!((rig.known(), rig.names().len()), (vec![0, 1, 2], 1));
        assert!(appender.append(&note(3), &rig.folder));
        assert_eq!((rig.known(), rig.names().len()), (vec![0, 1, 2, 3], 1));
    }

    #[test]
    fn a_truncated_segment_loses_its_last_records_and_affects_no_other_segment() {
        // Segments of one millisecond are in no order.
        let rig = Rig::new();
        let added = |before: &[String]| rig.names().into_iter().find(|name| !before.contains(name)).unwrap();
        rig.run(7);
        let whole = rig.names();
        drop(rig.begin(0..3));
        let path = rig.path(&added(&whole));
        let bytes = fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let known = rig.known();
            assert!(known.ends_with(&[7]) && [0, 1, 2].starts_with(&known[..known.len() - 1]), "{length}: {known:?}");
            let before = rig.names();
            rig.begin([8]).finish(&rig.folder);
            assert!(rig.known().ends_with(&[7, 8]), "{length}");
            fs::remove_file(rig.path(&added(&before))).unwrap();
        }
    }

    #[test]
    fn many_segments_are_merged_and_unfinished_ones_of_other_runs_stay() {
        let rig = Rig::new();
        let mut open = rig.begin([0]);
        (1..=40).for_each(|name| rig.run(name));
        assert!(rig.names().len() <= MOST_SMALL + 1, "{:?}", rig.names());
        assert_eq!(rig.known(), (0..=40).collect::<Vec<_>>());
        assert!(open.append(&note(41), &rig.folder));
        open.finish(&rig.folder);
        assert_eq!(rig.known(), (0..=41).collect::<Vec<_>>());
    }

    #[test]
    fn segments_of_killed_runs_are_merged_after_a_day() {
        let rig = Rig::new();
        (0..30).for_each(|name| drop(rig.begin([name])));
        rig.folder.compact(SystemTime::now()).unwrap();
        assert_eq!(rig.names().len(), 30, "they may go on");
        let tomorrow = SystemTime::now() + ABANDONED_AFTER + Duration::from_mins(1);
        rig.folder.compact(tomorrow).unwrap();
        assert_eq!((rig.known(), rig.names().len()), ((0..30).collect(), 1));
    }

    #[test]
    fn a_run_starts_a_new_segment_after_a_pause() {
        let rig = Rig::new();
        let mut appender = rig.begin([0]);
        let later = SystemTime::now() + PAUSE + Duration::from_mins(1);
        appender.try_append(&note(1), &rig.folder, later).unwrap();
        assert_eq!((rig.known(), rig.names().len()), (vec![0, 1], 2));
    }

    #[test]
    fn other_files_are_ignored_and_kept() {
        let rig = Rig::new();
        rig.run(0);
        let strange: [(&str, &[u8]); 4] = [
            ("00.segment", b"garbage"),
            ("01.segment", b"basewatch.catalog/v99\n"),
            ("02.txt", b"x"),
            (".1.2.unfinished", b"basewatch.catalog/v1\n"),
        ];
        for (name, bytes) in strange {
            fs::write(rig.path(name), bytes).unwrap();
        }
        fs::create_dir(rig.path("03.segment")).unwrap();
        (1..40).for_each(|name| rig.run(name));
        assert_eq!(rig.known(), (0..40).collect::<Vec<_>>());
        for (name, bytes) in strange {
            assert_eq!(fs::read(rig.path(name)).unwrap(), bytes, "{name}");
        }
    }

    #[test]
    fn a_large_segment_is_not_merged_again() {
        let rig = Rig::new();
        let mut appender = Appender::default();
        let value = [&[0; 8][..], &vec![b'1'; 3 << 20]].concat();
        for name in 0..12 {
            let frame = Record { kind: RecordKind::Note, key: &name.to_string(), value: &value }.frame().unwrap();
            assert!(appender.append(&frame, &rig.folder));
        }
        appender.finish(&rig.folder);
        (12..40).for_each(|name| rig.run(name));
        assert!(rig.names().iter().any(|name| name.ends_with(super::super::LARGE_SUFFIX)), "{:?}", rig.names());
        let large: Vec<_> = rig.names().into_iter().filter(|name| !is_small(name)).collect();
        (40..80).for_each(|name| rig.run(name));
        assert!(large.iter().all(|name| rig.path(name).exists()));
        assert_eq!(rig.known(), (0..80).collect::<Vec<_>>());
    }

    #[test]
    fn facts_in_a_large_segment_are_readable_after_it_was_merged_and_removed() {
        let rig = Rig::new();
        let mut appender = Appender::default();
        let facts: Vec<_> = (0..40_u8).map(|of| (Digest::sha256(&[of]), vec![b'0' + of; SMALL_BYTES / 20])).collect();
        for (digest, json) in &facts {
            let record = Record { kind: RecordKind::Content, key: digest.as_str(), value: json };
            assert!(appender.append(&record.frame().unwrap(), &rig.folder));
        }
        appender.finish(&rig.folder);
        let records = rig.folder.read_with(0);
        fs::remove_dir_all(&rig.folder.folder).unwrap();
        for (digest, json) in &facts {
            let fact = &records.contents[digest];
            assert!(matches!(fact, StoredFact::InFile { .. }));
            assert_eq!(&fact.json().unwrap(), json);
        }
    }

    #[test]
    fn concurrent_runs_merges_and_reads_lose_no_record() {
        let rig = Rig::new();
        let first: Vec<_> = (0..16).collect();
        for name in &first {
            rig.run(*name);
        }
        let (rig, first) = (&rig, &first);
        thread::scope(|scope| {
            for nth in 1..=4 {
                scope.spawn(move || (0..20).for_each(|name| rig.run(nth * 100 + name)));
            }
            for _ in 0..2 {
                scope.spawn(move || {
                    for _ in 0..20 {
                        let known = rig.known();
                        assert!(first.iter().all(|name| known.contains(name)), "{known:?}");
                    }
                });
            }
        });
        let expected = (1..=4).flat_map(|nth| (0..20).map(move |name| nth * 100 + name));
        assert_eq!(rig.known(), first.iter().copied().chain(expected).collect::<Vec<_>>());
        assert!(rig.names().len() <= 2 * MOST_SMALL, "{:?}", rig.names());
    }

    /// What may happen to a folder that four runs share.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Append(usize),
        Finish(usize),
        Kill(usize),
        Merge,
        MergeTomorrow,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            8 => (0..4_usize).prop_map(Event::Append),
            4 => (0..4_usize).prop_map(Event::Finish),
            2 => (0..4_usize).prop_map(Event::Kill),
            1 => Just(Event::Merge),
            1 => Just(Event::MergeTomorrow),
        ];
        vec(event, 0..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_sequence_of_runs_and_merges_keeps_all_records(events in events()) {
            let rig = Rig::new();
            let mut runs: [Appender; 4] = Default::default();
            let mut expected = Vec::new();
            for (event, name) in events.into_iter().zip(0..) {
                match event {
                    Event::Append(run) => {
                        prop_assert!(runs[run].append(&note(name), &rig.folder));
                        expected.push(name);
                    }
                    Event::Finish(run) => runs[run].finish(&rig.folder),
                    Event::Kill(run) => runs[run] = Appender::default(),
                    Event::Merge => rig.folder.compact(SystemTime::now()).unwrap(),
                    Event::MergeTomorrow => {
                        // All that are being written have ended by then.
                        runs = Default::default();
                        rig.folder.compact(SystemTime::now() + 2 * ABANDONED_AFTER).unwrap();
                    }
                }
            }
            prop_assert_eq!(rig.known(), expected);
        }
    }
}
