//! Fuzz targets: parsers of external text, on edited copies of real inputs.
//!
//! `fuzz/corpus/TARGET/` holds the seeds. Each seed is checked unchanged, then with edits: for a few seconds in `cargo
//! test`, for ten minutes in `scripts/fuzz`. A failing input becomes a permanent seed.
//!
//! They are unit tests of the crate: half of the parsers are private, and the dependencies are not built twice.

mod edit;
mod targets;

use std::{
    env, fs,
    panic::RefUnwindSafe,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bolero::generator::{ValueGenerator as _, produce};

use self::edit::{EditedSeed, Input};

/// The default duration of a target; `BOLERO_RANDOM_TEST_TIME_MS` overrides it.
const TEST_TIME: Duration = Duration::from_secs(3);

/// Names the folder where each target writes its current input: a stack overflow ends the process without a report.
const KEEP_IN: &str = "FUZZ_KEEP_IN";

/// Checks `property` on each seed of `target`, then on edited copies of them.
fn fuzz(target: &str, property: impl Fn(&[u8]) + RefUnwindSafe) {
    let seeds: Vec<_> = seeds(target)
        .into_iter()
        .map(|(name, seed)| {
            eprintln!("{target}: seed {name}");
            property(&seed);
            seed
        })
        .collect();
    let count = AtomicU64::new(0);
    let kept_in = env::var_os(KEEP_IN).map(|folder| Path::new(&folder).join(target));
    bolero::check!()
        .with_test_time(TEST_TIME)
        .with_generator(produce::<EditedSeed>().map_gen(|edited| edited.apply(&seeds)))
        .for_each(|Input(input)| {
            count.fetch_add(1, Ordering::Relaxed);
            if let Some(file) = &kept_in {
                fs::write(file, input).expect("a writable folder");
            }
            property(input);
        });
    eprintln!("{target}: {} inputs", count.into_inner());
}

/// The seeds of `target`, by their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<_> = files
        .map(|file| {
            let file = file.expect("a readable folder");
            (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).expect("a readable seed"))
        })
        .collect();
    assert!(!seeds.is_empty(), "{} holds no seed", folder.display());
    seeds.sort();
    seeds
}
