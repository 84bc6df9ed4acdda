//! A process that is killed while it writes the catalog loses neither its own writes nor those of others.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use basewatch::{
    image::{Digest, DigestContent, ImageIndex, Repository},
    store::{Catalog, TagObservation},
};
use chrono::DateTime;

/// The folder of the catalog and the first number to write.
const ORDERS: &str = "BASEWATCH_TEST_CATALOG";
/// Prefix of each printed number, which is already written.
const LEARNED: &str = "learned ";
/// Maximum number of writes of a process.
const MOST: u32 = 100_000;

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
    catalog.put_note("last", &of);
    let observation = TagObservation::new(digest(of), None, DateTime::UNIX_EPOCH);
    catalog.update_repository(&java(), |memory| drop(memory.carried.insert(of.to_string(), observation)));
}

#[test]
#[ignore = "the process that the next test kills"]
fn a_process_that_writes_until_it_is_killed() {
    let Ok(instructions) = env::var(ORDERS) else { return };
    let (first, folder) = instructions.split_once(' ').unwrap();
    let first: u32 = first.parse().unwrap();
    let catalog = Catalog::in_folder(Path::new(folder));
    for of in first..first + MOST {
        learn(&catalog, of);
        println!("{LEARNED}{of}");
    }
}

/// The numbers that a process beginning with `first` wrote before it was killed after `count`.
fn killed_after(count: usize, first: u32, folder: &Path) -> Vec<u32> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "catalog::a_process_that_writes_until_it_is_killed"])
        .env(ORDERS, format!("{first} {}", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: String| line.strip_prefix(LEARNED).and_then(|number| number.parse().ok());
    let mut learned: Vec<u32> = output.by_ref().filter_map(number).take(count).collect();
    child.kill().unwrap();
    // The last line may be cut.
    learned.extend(output.filter_map(number));
    child.wait().unwrap();
    learned.retain(|of| (first..first + MOST).contains(of));
    learned
}

#[test]
fn a_process_killed_while_writing_the_catalog_loses_at_most_the_last_second() {
    let folder = tempfile::tempdir().unwrap();
    let mut learned = Vec::new();
    for nth in 0..8 {
        let count = fastrand::usize(1..400);
        let first = nth * MOST;
        let killed = killed_after(count, first, folder.path());
        assert!(killed.len() >= count);
        learned.extend(killed);
        let catalog = Catalog::in_folder(folder.path());
        for of in &learned {
            assert!(catalog.content(&digest(*of)).is_some(), "{of} of {}", learned.len());
        }
        let last: u32 = catalog.get_note("last").unwrap();
        assert!(learned.iter().max().is_none_or(|of| last >= *of), "{last}");
        let carried = catalog.read_repository(&java(), |memory| memory.carried.contains_key(&first.to_string()));
        assert!(carried, "the first note is written at once");
        // A run that completes, besides the killed ones.
        learn(&catalog, first + MOST - 1);
        learned.push(first + MOST - 1);
    }
}
