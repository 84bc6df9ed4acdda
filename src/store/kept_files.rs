//! Files in the catalog's folder that are no facts: copies of what others publish, which would be fetched again.

use std::{fs::File, io::Read as _, path::PathBuf};

use super::{
    Catalog,
    atomic::{Outlives, replace},
    catalog::Keeping,
};

impl Catalog {
    /// The copy that was kept as `name`, if there is one of at most `most_bytes`. A catalog without a folder keeps none.
    #[must_use]
    pub fn kept_file(&self, name: &str, most_bytes: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.kept_path(name)?).ok()?.take(most_bytes + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= most_bytes).then_some(bytes)
    }

    /// Keeps `bytes` as `name`, and says whether it does: not in a catalog that has no folder, or only reads.
    pub fn keep_file(&self, name: &str, bytes: &[u8]) -> bool {
        let (Some(path), Keeping::Folder(_)) = (self.kept_path(name), &self.keeping) else { return false };
        let store = self.segments.as_ref().and_then(|segments| segments.store.as_deref());
        let written = replace(&path, bytes, Outlives::Process, store);
        written.inspect_err(|error| tracing::debug!("{} is not kept: {error}", path.display())).is_ok()
    }

    fn kept_path(&self, name: &str) -> Option<PathBuf> {
        Some(self.segments.as_ref()?.folder.join("files").join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_kept_by_a_catalog_that_writes_to_a_folder() {
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
