//! The catalog in both kinds of store: later runs have every record that a run has written, even if it was killed.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use basewatch::{
    image::{Digest, DigestContent, ImageIndex, Repository},
    store::{Catalog, FolderStore, Store, TagObservation, WriteCondition},
};
use chrono::DateTime;
use futures::future::join_all;

use crate::store::contract::Shared;

const SEGMENTS: &str = "catalog/v1/segments/";

impl Shared {
    /// The catalog, loaded as by a separate run.
    async fn catalog(&self) -> Catalog {
        match self {
            Self::Folder(folder) => in_folder(&folder.path().join("store")),
            Self::Bucket(_) => Catalog::load(&*self.store()).await,
        }
    }

    /// Ends a run that has `catalog`.
    async fn end(&self, catalog: Catalog) {
        if let Self::Bucket(_) = self {
            catalog.save(&*self.store()).await.unwrap();
        }
        drop(catalog);
    }
}

fn in_folder(store: &Path) -> Catalog {
    Catalog::in_folder(&store.join("catalog")).in_store(store)
}

fn digest(of: u32) -> Digest {
    Digest::sha256(&of.to_le_bytes())
}

fn java() -> Repository {
    "public.ecr.aws/lambda/java".parse().unwrap()
}

fn learn(catalog: &Catalog, of: u32) {
    catalog.insert_content(
        &digest(of),
        DigestContent::Index(ImageIndex { children: Vec::new(), annotations: BTreeMap::new() }),
    );
    catalog.put_note(&format!("place/{of}"), &of);
    let observation = TagObservation::new(digest(of), None, DateTime::from_timestamp(of.into(), 0).unwrap());
    catalog.update_repository(&java(), |memory| memory.moving.entry("21".to_owned()).or_default().push(observation));
}

/// The facts of `0..count` in the catalog, and the number of them that the record of the repository lists.
fn known(catalog: &Catalog, count: u32) -> (Vec<u32>, usize) {
    let is_known = |of: &u32| {
        let is_known = catalog.content(&digest(*of)).is_some();
        assert!(!is_known || catalog.get_note(&format!("place/{of}")).is_none_or(|stored: u32| stored == *of));
        is_known
    };
    let remembered = catalog.read_repository(&java(), |memory| memory.moving.get("21").map_or(0, Vec::len));
    ((0..count).filter(is_known).collect(), remembered)
}

#[tokio::test]
async fn the_next_run_knows_the_records_of_all_runs_before() {
    for shared in Shared::both() {
        for of in 0..40 {
            let catalog = shared.catalog().await;
            assert_eq!(known(&catalog, 40), ((0..of).collect(), of as usize), "{:?}", shared.store());
            learn(&catalog, of);
            shared.end(catalog).await;
        }
        let names = shared.store().list(SEGMENTS).await.unwrap();
        assert!(names.len() <= 17, "segments are merged: {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_runs_and_merges_lose_no_record() {
    const ROUND: u32 = 12;
    for shared in Shared::both() {
        let shared = Arc::new(shared);
        // Enough that several runs merge segments in the second round.
        for round in 0..3 {
            let runs = (0..ROUND).map(|nth| {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let catalog = shared.catalog().await;
                    learn(&catalog, round * ROUND + nth);
                    shared.end(catalog).await;
                })
            });
            join_all(runs).await.into_iter().for_each(|ended| ended.unwrap());
        }
        let count = 3 * ROUND;
        assert_eq!(known(&shared.catalog().await, count), ((0..count).collect(), count as usize));
    }
}

#[tokio::test]
async fn a_truncated_segment_loses_only_its_last_records() {
    for shared in Shared::both() {
        let catalog = shared.catalog().await;
        (0..3).for_each(|of| learn(&catalog, of));
        shared.end(catalog).await;
        let store = shared.store();
        let name = store.list(SEGMENTS).await.unwrap().remove(0);
        let whole = store.read(&name).await.unwrap().unwrap().bytes;
        let mut before = Vec::new();
        for length in (0..whole.len()).step_by(if matches!(shared, Shared::Folder(_)) { 1 } else { 13 }) {
            store.write(&name, whole[..length].to_vec(), WriteCondition::Always).await.unwrap();
            let catalog = shared.catalog().await;
            let (known, _) = known(&catalog, 3);
            assert!(before.iter().all(|of| known.contains(of)), "{store:?} {length}: {known:?}");
            before = known;
        }
        assert_eq!(before, [0, 1, 2]);
    }
}

#[tokio::test]
async fn a_folder_that_is_copied_into_a_bucket_is_the_same_catalog() {
    let [folder, bucket] = Shared::both();
    for of in 0..3 {
        let catalog = folder.catalog().await;
        learn(&catalog, of);
        folder.end(catalog).await;
    }
    let (from, to) = (folder.store(), bucket.store());
    for name in from.list("").await.unwrap() {
        let bytes = from.read(&name).await.unwrap().unwrap().bytes;
        to.write(&name, bytes, WriteCondition::Absent).await.unwrap();
    }
    assert_eq!(known(&bucket.catalog().await, 3), ((0..3).collect(), 3));
}

#[tokio::test]
async fn records_of_several_saves_to_a_bucket_are_known() {
    let shared = &Shared::both()[1];
    let catalog = shared.catalog().await;
    for of in 0..3 {
        learn(&catalog, of);
        catalog.save(&*shared.store()).await.unwrap();
    }
    // Only what this run has not saved is lost.
    learn(&catalog, 3);
    assert_eq!(known(&shared.catalog().await, 4), ((0..3).collect(), 3));
}

/// Sets the folder of the catalog for the child process below.
const FULL: &str = "BASEWATCH_TEST_FULL_FOLDER";
/// The number of facts that it writes.
const FACTS: u32 = 400;

#[tokio::test]
#[ignore = "the process whose files may not grow, which the next test starts"]
async fn a_process_that_writes_beyond_its_file_size_limit() {
    let Some(folder) = env::var_os(FULL) else { return };
    let catalog = in_folder(Path::new(&folder));
    (0..FACTS).for_each(|of| learn(&catalog, of));
    assert_eq!(known(&catalog, FACTS).0.len(), FACTS as usize, "facts that were not written are still in memory");
}

#[tokio::test]
async fn a_full_disk_loses_only_what_did_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    // A limit on the file size stands for a full disk: the write fails after a part of it.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "store::catalog::a_process_that_writes_beyond_its_file_size_limit"])
        .env(FULL, folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let written = FolderStore::new(folder.path().to_owned());
    let name = written.list(SEGMENTS).await.unwrap().remove(0);
    assert!(written.read(&name).await.unwrap().unwrap().bytes.len() <= 16 * 1024);
    let (before, _) = known(&in_folder(folder.path()), FACTS);
    assert!(before.len() > 20 && before.len() < FACTS as usize && before[..20] == (0..20).collect::<Vec<_>>());
    // Space is available again.
    let catalog = in_folder(folder.path());
    learn(&catalog, FACTS);
    drop(catalog);
    let (after, _) = known(&in_folder(folder.path()), FACTS + 1);
    assert_eq!(after, [before, vec![FACTS]].concat());
}
