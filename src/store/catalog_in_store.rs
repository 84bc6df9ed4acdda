//! The catalog in a store that is no folder: read as a whole before a run, and written in segments while it goes on.

use super::{
    Catalog, Error, Result, Store,
    catalog::{Keeping, NewRecord},
    segments::{self, PART_BYTES},
};

impl Catalog {
    /// The catalog of `store`, read into memory; [`Catalog::save`] writes what is new in it. For stores that are no
    /// folder: in one, it is written as it is learned.
    ///
    /// What cannot be read is asked for again, and logged: it costs speed, and never a run.
    pub async fn load(store: &dyn Store) -> Self {
        let catalog = Self::new(None, Keeping::Store);
        let (records, read) = segments::read(store).await;
        if let Err(error) = read {
            tracing::warn!("the catalog cannot be read, so that registries are asked again: {error}");
        }
        catalog.learn(records);
        catalog
    }

    /// Writes to `store` what it does not have yet. May be called while more is learned, and dropped before it is done.
    ///
    /// # Errors
    ///
    /// Those of the store; the next call writes what this one did not.
    pub async fn save(&self, store: &dyn Store) -> Result<()> {
        let records = self.new_records();
        if records.is_empty() {
            return Ok(());
        }
        for part in segments::parts(records, |record| record.frame.len(), PART_BYTES) {
            let segment = segments::segment_of(part.iter().map(|record: &NewRecord| record.frame.as_slice()));
            match segments::write(store, segment).await {
                Err(error @ Error::TooLarge { .. }) => tracing::warn!("a part of the catalog is not kept: {error}"),
                written => written?,
            }
            for record in part {
                self.mark_saved(record);
            }
        }
        if let Err(error) = segments::compact(store).await {
            tracing::debug!("the catalog of {} stays in many segments: {error}", store.place());
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
        image::{Content, Digest, Index, Repository},
        store::{FolderStore, OnlyIf, Seen},
    };

    const SEGMENTS: &str = "catalog/v4/segments/";

    fn content() -> Content {
        Content::Index(Index { children: Vec::new(), annotations: BTreeMap::new() })
    }

    fn digest(of: u8) -> Digest {
        Digest::of(&[of])
    }

    fn seen(of: u8, at: i64) -> Seen {
        Seen::new(digest(of), None, DateTime::from_timestamp(at, 0).unwrap())
    }

    fn until(mut seen: Seen, last: i64) -> Seen {
        seen.see_again(DateTime::from_timestamp(last, 0).unwrap());
        seen
    }

    fn java() -> Repository {
        "public.ecr.aws/lambda/java".parse().unwrap()
    }

    fn store() -> (tempfile::TempDir, FolderStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path().to_owned());
        (folder, store)
    }

    fn moved(catalog: &Catalog, seen: Seen) {
        catalog.note(&java(), |memory| memory.moving.entry("21".into()).or_default().push(seen));
    }

    async fn names(store: &FolderStore) -> Vec<String> {
        store.names(SEGMENTS).await.unwrap()
    }

    #[tokio::test]
    async fn what_one_run_learned_the_next_one_knows_and_does_not_write_again() {
        let (_folder, store) = store();
        let catalog = Catalog::load(&store).await;
        catalog.remember(&digest(1), content());
        moved(&catalog, seen(1, 10));
        catalog.keep("lambda/eu-west-1", &["orders"]);
        catalog.save(&store).await.unwrap();
        catalog.save(&store).await.unwrap();

        let catalog = Catalog::load(&store).await;
        assert_eq!(*catalog.content(&digest(1)).unwrap(), content());
        assert_eq!(catalog.recall(&java(), |memory| memory.moving["21"].clone()), [seen(1, 10)]);
        assert_eq!(catalog.kept::<Vec<String>>("lambda/eu-west-1").unwrap(), ["orders"]);
        catalog.keep("lambda/eu-west-1", &["orders"]);
        catalog.note(&java(), |_| ());
        catalog.save(&store).await.unwrap();
        assert_eq!(names(&store).await.len(), 1, "nothing new, nothing written");
    }

    #[tokio::test]
    async fn a_segment_holds_only_what_is_new() {
        let (_folder, store) = store();
        for of in 1..=2 {
            let catalog = Catalog::load(&store).await;
            catalog.remember(&digest(of), content());
            catalog.note(&java(), |memory| drop(memory.carried.insert(format!("21.{of}"), seen(of, 1))));
            catalog.save(&store).await.unwrap();
        }
        let names = names(&store).await;
        assert_eq!(names.len(), 2);
        store.remove(&names[0]).await.unwrap();
        let second = Catalog::load(&store).await;
        assert!(second.content(&digest(1)).is_none() && second.content(&digest(2)).is_some());
        assert_eq!(second.recall(&java(), |memory| memory.carried.clone().into_keys().collect::<Vec<_>>()), ["21.2"]);
    }

    #[tokio::test]
    async fn many_segments_become_one_and_nothing_is_forgotten() {
        let (_folder, store) = store();
        for of in 0..40 {
            let catalog = Catalog::load(&store).await;
            catalog.remember(&digest(of), content());
            moved(&catalog, seen(of, of.into()));
            catalog.keep("same", &of);
            catalog.save(&store).await.unwrap();
        }
        assert!(names(&store).await.len() <= 17);
        let catalog = Catalog::load(&store).await;
        assert!((0..40).all(|of| catalog.content(&digest(of)).is_some()));
        assert_eq!(catalog.recall(&java(), |memory| memory.moving["21"].len()), 40);
        assert_eq!(catalog.kept::<u8>("same"), Some(39));
    }

    #[tokio::test]
    async fn what_cannot_be_read_costs_speed_and_stays() {
        let (_folder, store) = store();
        for (name, bytes) in [("00", &b"garbage"[..]), ("01", b"basewatch.catalog/v99\n")] {
            let name = format!("{SEGMENTS}{name}.segment");
            store.write(&name, bytes.to_vec(), OnlyIf::Absent).await.unwrap();
        }
        for of in 1..40 {
            let catalog = Catalog::load(&store).await;
            catalog.remember(&digest(of), content());
            catalog.save(&store).await.unwrap();
        }
        let catalog = Catalog::load(&store).await;
        assert!((1..40).all(|of| catalog.content(&digest(of)).is_some()));
        let names = names(&store).await;
        assert!(names.len() <= 19 && names[0].ends_with("/00.segment") && names[1].ends_with("/01.segment"));
    }

    #[tokio::test]
    async fn what_is_learned_while_a_save_is_cut_short_or_fails_is_written_by_the_next_one() {
        let (folder, store) = store();
        let catalog = Catalog::load(&store).await;
        catalog.remember(&digest(1), content());
        moved(&catalog, seen(1, 10));
        catalog.keep("a", &1);
        drop(catalog.save(&store));
        assert!(futures::FutureExt::now_or_never(catalog.save(&store)).is_none());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let broken = FolderStore::new(file);
        assert!(matches!(catalog.save(&broken).await, Err(Error::Unavailable { .. })));
        catalog.keep("a", &2);
        catalog.save(&store).await.unwrap();
        let next = Catalog::load(&store).await;
        assert!(next.content(&digest(1)).is_some());
        assert_eq!((next.kept("a"), next.recall(&java(), |memory| memory.moving.len())), (Some(2), 1));
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_costs_speed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = FolderStore::new(file.path().to_owned());
        let catalog = Catalog::load(&store).await;
        catalog.remember(&digest(1), content());
        assert!(catalog.content(&digest(1)).is_some());
        assert!(matches!(catalog.save(&store).await, Err(Error::Unavailable { .. })));
    }

    #[tokio::test]
    async fn an_entry_that_is_too_large_is_left_out_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::limited(folder.path().to_owned(), 2 * PART_BYTES as u64);
        let catalog = Catalog::load(&store).await;
        catalog.keep("large", &"x".repeat(3 * PART_BYTES));
        catalog.keep("small", &1);
        catalog.save(&store).await.unwrap();
        let next = Catalog::load(&store).await;
        assert_eq!((next.kept::<String>("large"), next.kept("small")), (None, Some(1)));
    }

    #[tokio::test]
    async fn when_a_tag_was_last_seen_somewhere_is_remembered() {
        let (_folder, store) = store();
        for (first, last) in [(10, 30), (10, 20), (40, 45)] {
            let catalog = Catalog::load(&store).await;
            moved(&catalog, until(seen(1, first), last));
            catalog.save(&store).await.unwrap();
        }
        let catalog = Catalog::load(&store).await;
        let history = catalog.recall(&java(), |memory| memory.moving["21"].clone());
        assert_eq!(history, [until(seen(1, 10), 45)]);
    }
}
