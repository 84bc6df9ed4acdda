//! Cached files in the folder of the catalog: copies of published files.

use std::{fs::File, io::Read as _, path::PathBuf};

use super::{
    Catalog,
    atomic::{Durability, replace},
    catalog::CatalogBackend,
};

impl Catalog {
    /// The cached file `name`, if it has at most `most_bytes`. A catalog without a folder has none.
    #[must_use]
    pub fn kept_file(&self, name: &str, most_bytes: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.kept_path(name)?).ok()?.take(most_bytes + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= most_bytes).then_some(bytes)
    }

    /// Caches `bytes` as `name`. Returns `false` in a catalog without a folder or opened for reading.
    pub fn keep_file(&self, name: &str, bytes: &[u8]) -> bool {
        let (Some(path), CatalogBackend::Folder(_)) = (self.kept_path(name), &self.keeping) else { return false };
        let store = self.segments.as_ref().and_then(|segments| segments.store.as_deref());
        let written = replace(&path, bytes, Durability::Process, store);
        written.inspect_err(|error| tracing::debug!("cannot cache {}: {error}", path.display())).is_ok()
    }

    fn kept_path(&self, name: &str) -> Option<PathBuf> {
        Some(self.segments.as_ref()?.folder.join("files").join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_catalog_that_writes_to_a_folder_caches_files() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::in_folder(folder.path());
        assert_eq!(catalog.kept_file("x.bin", 10), None);
        assert!(catalog.keep_file("x.bin", b"12345"));
        assert_eq!(catalog.kept_file("x.bin", 5), Some(b"12345".to_vec()));
        assert_eq!(catalog.kept_file("x.bin", 4), None, "it is larger");
        let reading = Catalog::reading(folder.path());
        assert!(!reading.keep_file("x.bin", b"") && reading.kept_file("x.bin", 5).is_some());
        assert!(!Catalog::in_memory().keep_file("x.bin", b""));
    }
}
