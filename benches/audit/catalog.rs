//! The time to read the catalog entries of 10,000 digests.

use std::{fs, path::Path, time::Instant};

use basewatch::{
    image::{Digest, DigestContent, ImageFacts, ImageManifest, ReleaseIndex},
    release_catalog::ReleaseCatalog,
    store::Catalog,
};

use crate::measure::{self, megabytes, row};
use testbed::release_history;

const DIGESTS: usize = 10_000;
const LAYERS: usize = 12;
/// The number of base layers, and the number of bases.
const BASE: (usize, usize) = (6, 40);
const READS: usize = 5;
/// About as many as all of AWS's lines have published.
const PLATFORM_RELEASES: usize = 25_000;

/// Writes them once, and reads them several times.
pub fn read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!("catalog: the facts of {DIGESTS} digests with {LAYERS} layers each, in a folder");
    let facts: Vec<_> = (0..DIGESTS).map(|nth| (digest("image", nth), facts(nth))).collect();
    let begun = Instant::now();
    let catalog = Catalog::in_folder(folder.path());
    for (digest, content) in &facts {
        catalog.insert_content(digest, content.clone());
    }
    drop(catalog);
    row("written", format!("{:.2?}, {} MB", begun.elapsed(), megabytes(size(folder.path()))));
    let mut reads = Vec::new();
    for _ in 0..READS {
        let begun = Instant::now();
        let catalog = Catalog::reading(folder.path());
        let known = facts.iter().filter(|(digest, _)| catalog.content(digest).is_some()).count();
        reads.push(begun.elapsed());
        assert_eq!(known, DIGESTS);
    }
    row("read and decoded  (at most 150 ms)", format!("{:.2?}", measure::median(reads)));
    load_releases();
}

/// Decodes and indexes a release catalog of 25,000 platform releases.
fn load_releases() {
    let bytes = release_history::catalog(PLATFORM_RELEASES / 2).encode();
    let load = |_| {
        let begun = Instant::now();
        let mut index = ReleaseIndex::default();
        let releases = ReleaseCatalog::decode(&bytes).expect("a catalog").into_releases();
        assert_eq!(releases.len(), PLATFORM_RELEASES);
        for (repository, release) in releases {
            index.add(&repository, release);
        }
        begun.elapsed()
    };
    let loads: Vec<_> = (0..READS).map(load).collect();
    println!("catalog: a release catalog of {PLATFORM_RELEASES} platform releases");
    row("size  (at most 5,000 kB)", format!("{} kB", bytes.len() / 1000));
    row("loaded and indexed  (at most 100 ms)", format!("{:.2?}", measure::median(loads)));
}

fn digest(of: &str, nth: usize) -> Digest {
    Digest::sha256(format!("{of} {nth}").as_bytes())
}

fn facts(nth: usize) -> DigestContent {
    let layers = |of: &str| -> Vec<_> {
        let owner = |layer| if layer < BASE.0 { nth % BASE.1 } else { nth };
        (0..LAYERS).map(|layer| digest(&format!("{of} {layer}"), owner(layer))).collect()
    };
    let config = serde_json::json!({
        "os": "linux", "architecture": "arm64", "created": "2026-08-01T00:00:00Z",
        "config": {
            "Labels": {
                "org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567",
                "org.opencontainers.image.source": format!("https://git.example.com/team/service-{nth}"),
                "org.opencontainers.image.version": "1.2.3",
            },
            "Env": ["LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime"],
        },
        "rootfs": { "type": "layers", "diff_ids": layers("diff_id") },
    });
    let manifest = ImageManifest { layers: layers("layer"), ..ImageManifest::new(digest("configuration", nth), None) };
    DigestContent::Image(ImageFacts::read(manifest, config.to_string().as_bytes()).expect("a configuration"))
}

/// The total size of all files below `folder`.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let of = |entry: fs::DirEntry| match entry.metadata().expect("of a file") {
        metadata if metadata.is_dir() => size(&entry.path()),
        metadata => metadata.len(),
    };
    entries.map(of).sum()
}
