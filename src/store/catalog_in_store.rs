//! The catalog in a bucket: loaded before a run, and saved in segments during it.

use super::{
    Catalog, Error, Result, Store,
    catalog::{CatalogBackend, NewRecord},
    segments::{self, PART_BYTES},
};

impl Catalog {
    /// The catalog of `store`, loaded into memory. [`Catalog::save`] writes new records. For buckets; in a folder, records are
    /// written at once.
    ///
    /// Unreadable parts are logged and fetched again.
    pub async fn load(store: &dyn Store) -> Self {
        let catalog = Self::new(None, CatalogBackend::Store);
        let (records, read) = segments::read(store).await;
        if let Err(error) = read {
            tracing::warn!("cannot read the catalog, so requests to registries are repeated: {error}");
        }
        catalog.learn(records);
        catalog
    }

    /// Writes new records to `store`. May be called while more are added, and may be cancelled.
    ///
    /// # Errors
    ///
    /// Those of the store. The next call writes the remaining records.
    pub async fn save(&self, store: &dyn Store) -> Result<()> {
        let records = self.new_records();
        if records.is_empty() {
            return Ok(());
        }
        for part in segments::parts(records, |record| record.frame.len(), PART_BYTES) {
            let segment = segments::segment_of(part.iter().map(|record: &NewRecord| record.frame.as_slice()));
            match segments::write(store, segment).await {
                Err(error @ Error::TooLarge { .. }) => tracing::warn!("a part of the catalog is not saved: {error}"),
                written => written?,
            }
            for record in part {
                self.mark_saved(record);
            }
        }
        if let Err(error) = segments::compact(store).await {
            tracing::debug!("cannot compact the catalog of {}: {error}", store.location());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::*;
    use crate::{
        image::{Digest, DigestContent, ImageIndex, Repository},
        store::{FolderStore, TagObservation, WriteCondition},
    };

    const SEGMENTS: &str = "catalog/v1/segments/";

    fn content() -> DigestContent {
        DigestContent::Index(ImageIndex { children: Vec::new(), annotations: BTreeMap::new() })
    }

    fn digest(of: u8) -> Digest {
        Digest::sha256(&[of])
    }

    fn observation(of: u8, at: i64) -> TagObservation {
        TagObservation::new(digest(of), None, DateTime::from_timestamp(at, 0).unwrap())
    }

    fn until(mut observation: TagObservation, last: i64) -> TagObservation {
        observation.extend_to(DateTime::from_timestamp(last, 0).unwrap());
        observation
    }

    fn java() -> Repository {
        "public.ecr.aws/lambda/java".parse().unwrap()
    }

    fn store() -> (tempfile::TempDir, FolderStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path().to_owned());
        (folder, store)
    }

    fn moved(catalog: &Catalog, observation: TagObservation) {
        catalog.update_repository(&java(), |record| record.moving.entry("21".into()).or_default().push(observation));
    }

    async fn names(store: &FolderStore) -> Vec<String> {
        store.list(SEGMENTS).await.unwrap()
    }

    #[tokio::test]
    async fn the_next_run_knows_saved_records_and_does_not_write_them_again() {
        let (_folder, store) = store();
        let catalog = Catalog::load(&store).await;
        catalog.insert_content(&digest(1), content());
        moved(&catalog, observation(1, 10));
        catalog.put_note("lambda/eu-west-1", &["orders"]);
        catalog.save(&store).await.unwrap();
        catalog.save(&store).await.unwrap();

        let catalog = Catalog::load(&store).await;
        assert_eq!(*catalog.content(&digest(1)).unwrap(), content());
        assert_eq!(catalog.read_repository(&java(), |record| record.moving["21"].clone()), [observation(1, 10)]);
        assert_eq!(catalog.get_note::<Vec<String>>("lambda/eu-west-1").unwrap(), ["orders"]);
        catalog.put_note("lambda/eu-west-1", &["orders"]);
        catalog.update_repository(&java(), |_| ());
        catalog.save(&store).await.unwrap();
        assert_eq!(names(&store).await.len(), 1, "nothing new, nothing written");
    }

    #[tokio::test]
    async fn a_segment_has_only_new_records() {
        let (_folder, store) = store();
        for of in 1..=2 {
            let catalog = Catalog::load(&store).await;
            catalog.insert_content(&digest(of), content());
            catalog.update_repository(&java(), |record| {
                drop(record.carried.insert(format!("21.{of}"), observation(of, 1)));
            });
            catalog.save(&store).await.unwrap();
        }
        let names = names(&store).await;
        assert_eq!(names.len(), 2);
        store.remove(&names[0]).await.unwrap();
        let second = Catalog::load(&store).await;
        assert!(second.content(&digest(1)).is_none() && second.content(&digest(2)).is_some());
        assert_eq!(
            second.read_repository(&java(), |record| record.carried.clone().into_keys().collect::<Vec<_>>()),
            ["21.2"]
        );
    }

    #[tokio::test]
    async fn many_segments_are_merged_without_loss() {
        let (_folder, store) = store();
        for of in 0..40 {
            let catalog = Catalog::load(&store).await;
            catalog.insert_content(&digest(of), content());
            moved(&catalog, observation(of, of.into()));
            catalog.put_note("same", &of);
            catalog.save(&store).await.unwrap();
        }
        assert!(names(&store).await.len() <= 17);
        let catalog = Catalog::load(&store).await;
        assert!((0..40).all(|of| catalog.content(&digest(of)).is_some()));
        assert_eq!(catalog.read_repository(&java(), |record| record.moving["21"].len()), 40);
        assert_eq!(catalog.get_note::<u8>("same"), Some(39));
    }

    #[tokio::test]
    async fn unreadable_objects_are_skipped_and_kept() {
        let (_folder, store) = store();
        for (name, bytes) in [("00", &b"garbage"[..]), ("01", b"basewatch.catalog/v99\n")] {
            let name = format!("{SEGMENTS}{name}.segment");
            store.write(&name, bytes.to_vec(), WriteCondition::Absent).await.unwrap();
        }
        for of in 1..40 {
            let catalog = Catalog::load(&store).await;
            catalog.insert_content(&digest(of), content());
            catalog.save(&store).await.unwrap();
        }
        let catalog = Catalog::load(&store).await;
        assert!((1..40).all(|of| catalog.content(&digest(of)).is_some()));
        let names = names(&store).await;
        assert!(names.len() <= 19 && names[0].ends_with("/00.segment") && names[1].ends_with("/01.segment"));
    }

    #[tokio::test]
    async fn records_of_a_cancelled_or_failed_save_are_written_by_the_next_one() {
        let (folder, store) = store();
        let catalog = Catalog::load(&store).await;
        catalog.insert_content(&digest(1), content());
        moved(&catalog, observation(1, 10));
        catalog.put_note("a", &1);
        drop(catalog.save(&store));
        assert!(futures::FutureExt::now_or_never(catalog.save(&store)).is_none());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let broken = FolderStore::new(file);
        assert!(matches!(catalog.save(&broken).await, Err(Error::Unavailable { .. })));
        catalog.put_note("a", &2);
        catalog.save(&store).await.unwrap();
        let next = Catalog::load(&store).await;
        assert!(next.content(&digest(1)).is_some());
        assert_eq!((next.get_note("a"), next.read_repository(&java(), |record| record.moving.len())), (Some(2), 1));
    }

    #[tokio::test]
    async fn an_unavailable_store_loads_an_empty_catalog() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = FolderStore::new(file.path().to_owned());
        let catalog = Catalog::load(&store).await;
        catalog.insert_content(&digest(1), content());
        assert!(catalog.content(&digest(1)).is_some());
        assert!(matches!(catalog.save(&store).await, Err(Error::Unavailable { .. })));
    }

    #[tokio::test]
    async fn only_an_oversized_record_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::limited(folder.path().to_owned(), 2 * PART_BYTES as u64);
        let catalog = Catalog::load(&store).await;
        catalog.put_note("large", &"x".repeat(3 * PART_BYTES));
        catalog.put_note("small", &1);
        catalog.save(&store).await.unwrap();
        let next = Catalog::load(&store).await;
        assert_eq!((next.get_note::<String>("large"), next.get_note("small")), (None, Some(1)));
    }

    #[tokio::test]
    async fn the_last_sighting_of_a_tag_is_stored() {
        let (_folder, store) = store();
        for (first, last) in [(10, 30), (10, 20), (40, 45)] {
            let catalog = Catalog::load(&store).await;
            moved(&catalog, until(observation(1, first), last));
            catalog.save(&store).await.unwrap();
        }
        let catalog = Catalog::load(&store).await;
        let history = catalog.read_repository(&java(), |record| record.moving["21"].clone());
        assert_eq!(history, [until(observation(1, 10), 45)]);
    }
}
