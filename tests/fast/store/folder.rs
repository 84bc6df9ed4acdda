//! Folders that are missing, not writable, shared with other files, or left by a killed run.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use basewatch::{
    image::{Annotations, Digest, DigestContent, ImageIndex},
    store::{Catalog, Error, FolderStore, Store, WriteCondition},
};

fn store(folder: &Path) -> FolderStore {
    FolderStore::new(folder.to_owned())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_folder_is_created_by_the_first_write() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("a/b");
    let store = store(&folder);
    assert_eq!(store.read("ledger.json").await.unwrap(), None);
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
    store.remove("ledger.json").await.unwrap();
    assert!(!above.path().join("a").exists());
    store.write("reports/latest.json", b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    assert_eq!(mode(&folder), 0o700, "its contents are private");
}

#[tokio::test]
async fn the_folder_is_private_even_if_the_catalog_creates_it() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("a/store");
    {
        let catalog = Catalog::in_folder(&folder.join("catalog")).in_store(&folder);
        let index = ImageIndex { children: Vec::new(), annotations: Annotations::new() };
        catalog.insert_content(&Digest::sha256(b"x"), DigestContent::Index(index));
    }
    assert!(folder.join("catalog").is_dir());
    assert_eq!(mode(&folder), 0o700);
    store(&folder).write("ledger.json", b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    assert_eq!(mode(&folder), 0o700);
}

#[tokio::test]
async fn an_existing_folder_keeps_its_permissions() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    store(folder.path()).write("ledger.json", b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    assert_eq!(mode(folder.path()), 0o755);
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = store(file.path());
    let errors = [
        store.read("ledger.json").await.unwrap_err(),
        store.write("ledger.json", Vec::new(), WriteCondition::Always).await.unwrap_err(),
        store.list("").await.unwrap_err(),
        store.remove("ledger.json").await.unwrap_err(),
        store.lock("x", Duration::ZERO).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("not a folder"), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error() {
    // Even root cannot create a folder there.
    let store = store(Path::new("/sys/basewatch"));
    assert_eq!(store.read("ledger.json").await.unwrap(), None);
    let error = store.write("ledger.json", Vec::new(), WriteCondition::Always).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot write /sys/basewatch"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_far_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("ledger.json")).unwrap();
    file.set_len((32 << 20) + 1).unwrap();
    let error = store(folder.path()).read("ledger.json").await.unwrap_err();
    assert!(error.to_string().contains("larger than 32 MiB"), "{error}");
}

#[tokio::test]
async fn unfinished_files_of_killed_runs_are_ignored_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join(".7.1.unfinished"), folder.path().join(".7.2.unfinished"));
    for path in [&old, &new] {
        fs::write(path, "{\"half").unwrap();
    }
    let yesterday = SystemTime::now() - Duration::from_hours(24);
    fs::File::options().write(true).open(&old).unwrap().set_modified(yesterday).unwrap();
    let store = store(folder.path());
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
    store.write("ledger.json", b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    assert!(!old.exists() && new.exists(), "another run may be writing the new one");
}

#[tokio::test]
async fn removing_objects_removes_their_empty_folders() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let name = "reports/2026/11/21/x.json";
    store.write(name, b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    store.write("reports/2026/latest.json", b"x".to_vec(), WriteCondition::Absent).await.unwrap();
    store.remove(name).await.unwrap();
    assert!(!folder.path().join("reports/2026/11").exists());
    assert!(folder.path().join("reports/2026").exists());
    store.remove("reports/2026/latest.json").await.unwrap();
    assert!(folder.path().exists() && !folder.path().join("reports").exists());
}

#[tokio::test]
async fn the_lock_of_a_removed_folder_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let lock = store.lock("one", Duration::ZERO).await.unwrap();
    fs::remove_file(folder.path().join(".run.lock")).unwrap();
    assert!(!lock.is_held());
    let next = store.lock("another", Duration::ZERO).await.unwrap();
    assert!(next.is_held() && !lock.is_held());
}

/// Sets the folder whose lock the child process below holds.
const HELD: &str = "BASEWATCH_TEST_HELD_FOLDER";

#[tokio::test]
#[ignore = "the process that the next test kills"]
async fn a_process_that_holds_the_lock_until_it_is_killed() {
    let Some(folder) = env::var_os(HELD) else { return };
    let _lock = store(Path::new(&folder)).lock("run 01J", Duration::ZERO).await.unwrap();
    println!("it has its turn");
    tokio::time::sleep(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn the_lock_of_a_killed_process_is_free_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "store::folder::a_process_that_holds_the_lock_until_it_is_killed",
        ])
        .env(HELD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let has_turn = output.lines().map_while(Result::ok).any(|line| line.contains("it has its turn"));
    let store = store(folder.path());
    let busy = store.lock("next", Duration::ZERO).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has_turn);
    let error = busy.unwrap_err().to_string();
    assert!(error.contains(&format!("run 01J, process {}", child.id())), "{error}");
    store.lock("next", Duration::ZERO).await.unwrap().release().await;
}
