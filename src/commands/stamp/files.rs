//! Finding, reading and atomically writing Dockerfiles.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use globset::{GlobBuilder, GlobMatcher};

use crate::{dockerfile::MOST_BYTES, store::replace_file};

/// The maximum number of directory entries per pattern.
const MOST_ENTRIES: usize = 200_000;

/// A file to check.
pub(super) struct SourceFile {
    /// The path as given or found.
    pub(super) path: String,
    /// The content, or an error if it is not UTF-8.
    pub(super) text: Result<String, String>,
}

impl SourceFile {
    /// Whether this is standard input.
    pub(super) fn is_stdin(&self) -> bool {
        self.path == "-"
    }

    /// Replaces the content of the file. Keeps permissions and symbolic links.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        let failed = || format!("cannot write {}", self.path);
        let path = fs::canonicalize(&self.path).with_context(failed)?;
        let permissions = fs::metadata(&path).with_context(failed)?.permissions();
        if permissions.readonly() {
            bail!("cannot write {}: read-only", self.path);
        }
        replace_file(&path, text.as_bytes()).with_context(failed)?;
        fs::set_permissions(&path, permissions).with_context(failed)
    }
}

/// Reads the files of `subjects`, each once, in order.
pub(super) fn read(subjects: &[String]) -> Result<Vec<SourceFile>> {
    let mut paths: Vec<String> = Vec::new();
    for subject in subjects {
        let found = if subject == "-" || !is_pattern(subject) { vec![subject.clone()] } else { matching(subject)? };
        for path in found {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths.into_iter().map(read_file).collect()
}

fn read_file(path: String) -> Result<SourceFile> {
    let mut bytes = Vec::new();
    let limit = MOST_BYTES as u64 + 1;
    if path == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        if Path::new(&path).is_dir() {
            bail!("cannot read {path}: is a folder; give a Dockerfile or a pattern such as '{path}/**'");
        }
        let file = fs::File::open(&path).with_context(|| format!("cannot read {path}"))?;
        file.take(limit).read_to_end(&mut bytes).with_context(|| format!("cannot read {path}"))?;
    }
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned());
    Ok(SourceFile { path, text })
}

/// Whether `subject` is a pattern and not an existing file.
fn is_pattern(subject: &str) -> bool {
    subject.contains(['*', '?', '[', '{']) && !Path::new(subject).exists()
}

/// The files that match `pattern`, sorted by name. Skips hidden folders.
fn matching(pattern: &str) -> Result<Vec<String>> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = glob.with_context(|| format!("{pattern:?} is not a pattern"))?.compile_matcher();
    let mut found = Vec::new();
    let mut left = MOST_ENTRIES;
    walk(&fixed_folder(pattern), &glob, &mut found, &mut left)?;
    if found.is_empty() {
        bail!("no file matches {pattern:?}");
    }
    found.sort();
    Ok(found)
}

/// The longest folder prefix of a pattern without wildcards.
fn fixed_folder(pattern: &str) -> PathBuf {
    let fixed = &pattern[..pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len())];
    match fixed.rfind('/') {
        Some(0) => PathBuf::from("/"),
        Some(slash) => PathBuf::from(&fixed[..slash]),
        None => PathBuf::new(),
    }
}

fn walk(folder: &Path, glob: &GlobMatcher, found: &mut Vec<String>, left: &mut usize) -> Result<()> {
    let opened = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(opened).with_context(|| format!("cannot read {}", opened.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", opened.display()))?;
        *left = left.checked_sub(1).with_context(|| format!("more than {MOST_ENTRIES} directory entries"))?;
        let path = folder.join(entry.file_name());
        // Symbolic links to folders may form cycles, and are not followed.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        match path.to_str() {
            _ if is_folder && !is_hidden => walk(&path, glob, found, left)?,
            Some(name) if !is_folder && glob.is_match(name) => found.push(name.to_owned()),
            _ => {}
        }
    }
    Ok(())
}
