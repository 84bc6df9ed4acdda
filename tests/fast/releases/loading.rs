//! Loading of release catalogs before identification: the published one if accepted, else the last accepted one.

use std::{fs, path::Path};

use basewatch::{
    app::{AppClients, releases},
    aws::Aws,
    config::{ReleaseCatalogSettings, Settings},
    release_catalog::{CatalogSource, PublicKey, ReleaseCatalog, SigningKey},
    store::Catalog,
};
use chrono::TimeDelta;

use testbed::release_history::{NOW, at, catalog, repository};

/// A machine that loads a file.
struct Machine {
    folder: tempfile::TempDir,
    key: SigningKey,
    settings: Settings,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let mut settings = Settings::default();
        let source = Some(CatalogSource::File(folder.path().join("releases.bin")));
        settings.releases = ReleaseCatalogSettings { source, public_key: Some(key.public_key().unwrap()) };
        Self { folder, key, settings }
    }

    fn publish(&self, bytes: &[u8]) {
        self.publish_as(bytes, Some(&self.key));
    }

    fn publish_as(&self, bytes: &[u8], key: Option<&SigningKey>) {
        let file = self.folder.path().join("releases.bin");
        fs::write(&file, bytes).unwrap();
        let signature = CatalogSource::signature_file(&file);
        match key {
            Some(key) => fs::write(signature, key.sign(bytes, "").unwrap()).unwrap(),
            None => drop(fs::remove_file(signature)),
        }
    }

    /// The catalog that a separate run loads, and its notes.
    async fn load(&self) -> (usize, Vec<(String, String)>) {
        self.load_with(Catalog::in_folder(&self.folder.path().join("catalog"))).await
    }

    async fn load_with(&self, catalog: Catalog) -> (usize, Vec<(String, String)>) {
        let ports = AppClients::with(self.settings.network.clone(), catalog, |aws: Aws| aws).unwrap();
        let notes = releases::load(&self.settings, &ports).await;
        let loaded = ports.images.catalog().external_releases().len();
        (loaded, notes.into_iter().map(|note| (note.code, note.message)).collect())
    }
}

fn newer(count: usize, by: i64) -> Vec<u8> {
    catalog(count).with_built_at(at(NOW) + TimeDelta::seconds(by)).encode()
}

#[tokio::test]
async fn a_run_loads_the_published_catalog_and_the_next_one_a_newer_catalog() {
    let machine = Machine::new();
    machine.publish(&newer(3, 0));
    assert_eq!(machine.load().await, (6, Vec::new()));
    machine.publish(&newer(4, 60));
    assert_eq!(machine.load().await, (8, Vec::new()));
    let in_memory = machine.load_with(Catalog::in_memory()).await;
    assert_eq!(in_memory, (8, Vec::new()), "nothing is kept, and all is loaded");
}

#[tokio::test]
async fn a_rejected_catalog_is_noted_and_the_last_accepted_one_is_used() {
    let machine = Machine::new();
    let refused = |(loaded, notes): (usize, Vec<(String, String)>), words: &str| {
        assert_eq!(loaded, 6, "{notes:?}");
        let [(code, message)] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!(code, "release-catalog-refused");
        assert!(
            message.contains(words) && message.contains("using the catalog built at 2026-11-20T06:00:00Z"),
            "{message}"
        );
    };
    machine.publish(&newer(3, 0));
    machine.load().await;
    machine.publish(&newer(1, -1));
    refused(machine.load().await, "was accepted before");
    machine.publish_as(&newer(1, 60), None);
    refused(machine.load().await, "it is not signed");
    machine.publish_as(&newer(1, 60), Some(&SigningKey::generate().unwrap()));
    refused(machine.load().await, "another key");
    machine.publish(b"basewatch.releases/v7\n");
    refused(machine.load().await, "its format is basewatch.releases/v7");
    machine.publish(&newer(1, 60));
    fs::write(machine.folder.path().join("releases.bin"), newer(2, 60)).unwrap();
    refused(machine.load().await, "changed after it was signed");
}

#[tokio::test]
async fn an_unreadable_catalog_is_noted_and_the_last_accepted_one_is_used() {
    let machine = Machine::new();
    machine.publish(&newer(3, 0));
    machine.load().await;
    fs::remove_file(machine.folder.path().join("releases.bin")).unwrap();
    let (loaded, notes) = machine.load().await;
    assert_eq!((loaded, notes.len(), notes[0].0.as_str()), (6, 1, "release-catalog-unavailable"), "{notes:?}");
    let (loaded, notes) = machine.load_with(Catalog::in_memory()).await;
    assert_eq!(loaded, 0);
    assert!(notes[0].1.ends_with("no release catalog is used"), "{notes:?}");
}

#[tokio::test]
async fn a_modified_local_copy_is_not_used_and_an_older_catalog_is_still_rejected() {
    let machine = Machine::new();
    machine.publish(&newer(3, 0));
    machine.load().await;
    let copy = find(&machine.folder.path().join("catalog"), "releases.bin");
    fs::write(copy, b"x").unwrap();
    machine.publish(&newer(1, -1));
    let (loaded, notes) = machine.load().await;
    assert_eq!((loaded, notes[0].0.as_str()), (0, "release-catalog-refused"));
    machine.publish(&newer(3, 0));
    assert_eq!(machine.load().await, (6, Vec::new()));
}

#[tokio::test]
async fn a_new_key_resets_the_accepted_catalog() {
    let mut machine = Machine::new();
    machine.publish(&newer(3, 0));
    machine.load().await;
    machine.key = SigningKey::generate().unwrap();
    machine.settings.releases.public_key = Some(machine.key.public_key().unwrap());
    machine.publish(&newer(2, -100));
    assert_eq!(machine.load().await, (4, Vec::new()));
}

#[tokio::test]
async fn without_a_configured_or_imported_catalog_nothing_is_loaded() {
    let mut machine = Machine::new();
    machine.publish(&newer(3, 0));
    machine.settings.releases = ReleaseCatalogSettings::default();
    assert_eq!(machine.load().await, (0, Vec::new()));
    let key: PublicKey = machine.key.public_key().unwrap();
    machine.settings.releases.public_key = Some(key);
    assert_eq!(machine.load().await, (0, Vec::new()));
}

#[test]
fn loaded_releases_are_not_stored_in_the_catalog() {
    let folder = tempfile::tempdir().unwrap();
    {
        let catalog = Catalog::in_folder(folder.path());
        catalog.set_external_releases(testbed::release_history::catalog(2).into_releases());
        assert_eq!(catalog.external_releases().len(), 4);
    }
    let catalog = Catalog::in_folder(folder.path());
    assert!(catalog.external_releases().is_empty());
    assert!(catalog.read_repository(&repository("java"), |record| record.releases.is_empty()));
    assert_eq!(ReleaseCatalog::new(at(NOW)).into_releases(), Vec::new());
}

/// The file `name` somewhere below `folder`.
fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == name {
                return entry.path();
            }
        }
    }
    panic!("there is no {name}")
}
