//! Atomic file replacement: readers see the old file or the new one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::Path,
    time::{Duration, SystemTime},
};

/// Suffix of unfinished files, whose names begin with a dot.
const UNFINISHED: &str = ".unfinished";

/// Age after which an unfinished file counts as left by a killed run: no write takes this long.
const LEFT_OVER_AFTER: Duration = Duration::from_hours(1);

/// Durability of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Survives the process.
    Process,
    /// Survives a power failure: file and folder are flushed to the disk.
    Power,
}

/// Writes a temporary file beside `file` and renames it. Creates the folder if needed, like [`make_folder`].
pub(super) fn replace(file: &Path, bytes: &[u8], outlives: Durability, store: Option<&Path>) -> io::Result<()> {
    let folder = file.parent().ok_or(ErrorKind::InvalidInput)?;
    let beside = folder.join(format!(".{}.{}{UNFINISHED}", std::process::id(), fastrand::u64(..)));
    let written = match write_new(&beside, bytes, outlives) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_folder(folder, store).and_then(|()| write_new(&beside, bytes, outlives))
        }
        written => written,
    };
    let renamed = written.and_then(|()| fs::rename(&beside, file));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
        return renamed;
    }
    if outlives == Durability::Power { flush_folder(folder) } else { Ok(()) }
}

/// The same for a file outside of a store. Survives a power failure.
pub(crate) fn replace_file(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // The parent of a bare name is empty.
    let is_bare = file.parent().is_some_and(|folder| folder.as_os_str().is_empty());
    let file = if is_bare { Path::new(".").join(file) } else { file.to_owned() };
    replace(&file, bytes, Durability::Power, None)
}

fn write_new(file: &Path, bytes: &[u8], outlives: Durability) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).open(file)?;
    opened.write_all(bytes)?;
    if outlives == Durability::Power { opened.sync_all() } else { Ok(()) }
}

/// Permissions of a created folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FolderAccess {
    /// As the umask of the process allows.
    AsElsewhere,
    /// The owner only.
    Owner,
}

/// Creates `folder` and its missing parents. The folder of the `store` is accessible to its owner only.
pub(super) fn make_folder(folder: &Path, store: Option<&Path>) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.is_dir();
    let missing: Vec<_> = folder.ancestors().take_while(is_missing).collect();
    for path in missing.into_iter().rev() {
        let access = if Some(path) == store { FolderAccess::Owner } else { FolderAccess::AsElsewhere };
        match builder(access).create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Another run has just created it, unless it is a file.
                if !path.is_dir() {
                    return Err(ErrorKind::NotADirectory.into());
                }
            }
            made => made?,
        }
        flush_folder(path.parent().unwrap_or(path))?;
    }
    Ok(())
}

#[cfg(unix)]
fn builder(access: FolderAccess) -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    if access == FolderAccess::Owner {
        builder.mode(0o700);
    }
    builder
}

#[cfg(not(unix))]
fn builder(_: FolderAccess) -> DirBuilder {
    DirBuilder::new()
}

/// Flushes the directory entries of `folder`.
#[cfg(unix)]
pub(super) fn flush_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match File::open(folder).and_then(|opened| opened.sync_all()) {
        // Some file systems flush directories themselves and reject the call, and a folder without read permission cannot
        // be opened.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        flushed => flushed,
    }
}

/// Folders cannot be opened on this platform.
#[cfg(not(unix))]
pub(super) fn flush_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes unfinished files of killed runs from `folder`. Failures are ignored.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let now = SystemTime::now();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_unfinished = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(UNFINISHED));
        let changed_at = || entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let is_old = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age > LEFT_OVER_AFTER);
        if is_unfinished && changed_at().is_some_and(is_old) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::create_dir(&file).unwrap();
        fs::write(file.join("b"), "").unwrap();
        assert!(replace(&file, b"x", Durability::Power, None).is_err(), "a folder is not replaced by a file");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_of_the_store_is_always_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let above = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let other = above.path().join("other");
        make_folder(&other, None).unwrap();
        let store = above.path().join("a/store");
        replace(&store.join("catalog/v3/x.json"), b"x", Durability::Process, Some(&store)).unwrap();
        assert_eq!(mode(&store), 0o700);
        for open in [store.join("catalog"), store.join("catalog/v3"), above.path().join("a")] {
            assert_eq!(mode(&open), mode(&other), "{}", open.display());
        }
    }

    #[test]
    fn only_old_unfinished_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - LEFT_OVER_AFTER - Duration::from_mins(1);
        for (name, is_old) in [(".1.2.unfinished", true), (".1.3.unfinished", false), ("ledger.json", true)] {
            let file = File::create(folder.path().join(name)).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        sweep(folder.path());
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".1.3.unfinished", "ledger.json"]);
    }
}
