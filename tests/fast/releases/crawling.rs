//! Crawls through the `Registry` port: their results, their requests, and their continuation after a stop.

use std::{fs, path::Path, sync::Mutex};

use basewatch::{
    image::{Digest, LambdaArch, LambdaTag, ReleaseIndex},
    release_catalog::{
        CrawlError, CrawlJournal, CrawlProgress, CrawlResult, CrawlScope, JournalError, ReleaseCatalog, crawl,
    },
};
use chrono::DateTime;
use futures::executor::block_on;

use testbed::release_history::{HistoricRegistry, LAYERS, NOW, at, repository};

fn scope() -> CrawlScope {
    let repositories = ["java", "python", "nodejs", "ruby", "dotnet", "provided"].map(repository).to_vec();
    CrawlScope { repositories, lines: Vec::new(), since: None }
}

fn nothing() -> ReleaseCatalog {
    ReleaseCatalog::new(DateTime::UNIX_EPOCH)
}

/// Crawls with the journal in `file`, which is removed if the crawl ends.
fn run(
    registry: &HistoricRegistry,
    scope: &CrawlScope,
    known: ReleaseCatalog,
    file: &Path,
) -> Result<CrawlResult, CrawlError> {
    let mut journal = CrawlJournal::open(file, &scope.describe(), registry.now())?;
    let crawled = block_on(crawl(registry, scope, known, &mut journal, &|| at(NOW), &|_| {}))?;
    journal.remove()?;
    Ok(crawled)
}

#[test]
fn twenty_thousand_releases_cost_at_most_five_requests_each() {
    let registry = HistoricRegistry::new(20_000, 4);
    let folder = tempfile::tempdir().unwrap();
    let reported = Mutex::new(Vec::new());
    let mut journal = CrawlJournal::open(&folder.path().join("x"), "all", registry.now()).unwrap();
    let progress = |progress| reported.lock().unwrap().push(progress);
    let crawled = block_on(crawl(&registry, &scope(), nothing(), &mut journal, &|| at(NOW), &progress)).unwrap();
    assert_eq!((crawled.catalog.release_count(), crawled.added, crawled.skipped.len()), (40_000, 40_000, 0));
    // 6 tag lists, 20,000 indexes by HEAD, 40,000 manifests, and the configuration of three in four.
    assert_eq!(registry.requests(), 6 + 20_000 + 40_000 + 30_000);
    let hours = (registry.now() - at(NOW)).num_minutes();
    assert!((120..180).contains(&hours), "{hours} minutes at ten requests a second");
    let reported = reported.into_inner().unwrap();
    assert_eq!(reported.first(), Some(&CrawlProgress::Lists { done: 0, total: 6 }));
    assert_eq!(reported.last(), Some(&CrawlProgress::Releases { done: 100_000, total: 100_000 }));
    assert!(crawled.catalog.encode().len() < 8_000_000);
}

#[test]
fn a_crawl_stopped_ten_times_gives_the_same_file_for_few_more_requests() {
    let registry = HistoricRegistry::new(500, 5);
    let folder = tempfile::tempdir().unwrap();
    let whole = run(&registry, &scope(), nothing(), &folder.path().join("whole")).unwrap();
    let cost = registry.requests();
    assert_eq!(whole.catalog.release_count(), 1_000);

    let registry = HistoricRegistry::new(500, 5);
    let file = folder.path().join("stopped");
    for _ in 0..10 {
        registry.fail_after(Some(cost / 12));
        let error = run(&registry, &scope(), nothing(), &file).unwrap_err();
        assert!(matches!(error, CrawlError::Registry { .. }), "{error}");
        // A kill in the middle of a write.
        let written = fs::read(&file).unwrap();
        fs::write(&file, &written[..written.len() - 3]).unwrap();
    }
    registry.fail_after(None);
    let stopped = run(&registry, &scope(), nothing(), &file).unwrap();
    assert_eq!(stopped.catalog.encode(), whole.catalog.encode());
    // What was under way each time: 16 releases of up to 5 requests, the one that was refused, and the line that was cut.
    assert!(registry.requests() <= cost + 10 * (17 * 5 + 16), "{} instead of {cost}", registry.requests());
    assert!(!file.exists());
}

#[test]
fn crawled_releases_prove_the_base_of_images_with_and_without_recompression() {
    let registry = HistoricRegistry::new(40, 1_000);
    let folder = tempfile::tempdir().unwrap();
    let crawled = run(&registry, &scope(), nothing(), &folder.path().join("x")).unwrap();
    let (java, release) = crawled.catalog.iter().find(|(name, _)| **name == repository("java")).unwrap();
    assert!(release.index.is_some() && release.layers.is_some() && release.diff_ids.is_some());
    assert_eq!((release.layer_count, release.tags.len()), (LAYERS, 1));
    assert_eq!(release.first_seen, at(NOW), "the tag list named it then");
    let (java, tag) = (java.clone(), release.tags.first().unwrap().clone());
    let arch = LambdaArch::from_oci(release.platform.architecture()).unwrap();
    let (mut layers, mut diff_ids) = registry.layers(&format!("{java}:{tag}-{arch}"));
    layers.push(Digest::sha256(b"own.gz"));
    diff_ids.push(Digest::sha256(b"own"));
    let mut index = ReleaseIndex::default();
    for (repository, release) in crawled.catalog.into_releases() {
        index.add(&repository, release);
    }
    let recompressed = vec![Digest::sha256(b"other"); LAYERS + 1];
    for (diff_ids, layers) in [(&diff_ids, &recompressed), (&Vec::new(), &layers), (&diff_ids, &layers)] {
        let found = index.prefixes(diff_ids, layers);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].layer_count, found[0].releases.len()), (LAYERS, 1));
        assert_eq!((&found[0].releases[0].repository, found[0].releases[0].release.tags.first()), (&java, Some(&tag)));
    }
    assert!(
        index.prefixes(&diff_ids[..LAYERS - 1], &layers[..LAYERS - 1]).is_empty(),
        "a part of a release proves nothing"
    );
}

#[test]
fn an_update_reads_new_releases_only_and_is_newer_than_its_source() {
    let mut registry = HistoricRegistry::new(30, 1_000);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let first = run(&registry, &scope(), nothing(), &file).unwrap().catalog;
    let before = registry.requests();
    let same = run(&registry, &scope(), first.clone(), &file).unwrap();
    assert_eq!((same.added, registry.requests() - before), (0, 6), "only the tag lists");
    registry.publish(&repository("java"), &LambdaTag::parse("21.2026.11.19.13").unwrap(), 99);
    let before = registry.requests();
    let update = run(&registry, &scope(), first.clone(), &file).unwrap();
    assert_eq!((update.added, registry.requests() - before), (2, 6 + 5));
    assert!(update.catalog.built_at() > first.built_at());
    // It is newer even if the clock was set back.
    let late = first.with_built_at(at("2027-01-01T00:00:00Z"));
    let update = run(&registry, &scope(), late.clone(), &file).unwrap();
    assert!(update.catalog.built_at() > late.built_at());
}

#[test]
fn a_listed_but_missing_release_is_left_out_and_reported() {
    let mut registry = HistoricRegistry::new(10, 1_000);
    registry.list_only(&repository("java"), "21.2026.11.19.13-arm64");
    let folder = tempfile::tempdir().unwrap();
    let scope = CrawlScope { repositories: vec![repository("java"), repository("go")], ..scope() };
    let crawled = run(&registry, &scope, nothing(), &folder.path().join("x")).unwrap();
    assert_eq!(crawled.catalog.release_count(), 6);
    assert_eq!(crawled.skipped.len(), 2, "{:?}", crawled.skipped);
    assert!(crawled.skipped[0].contains("lambda/go") && crawled.skipped[1].contains("21.2026.11.19.13"));
}

#[test]
fn a_journal_belongs_to_one_crawl_and_one_process() {
    let registry = HistoricRegistry::new(20, 1_000);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    registry.fail_after(Some(40));
    run(&registry, &scope(), nothing(), &file).unwrap_err();
    let other = CrawlScope { lines: vec!["*:21".parse().unwrap()], ..scope() };
    let error = CrawlJournal::open(&file, &other.describe(), at(NOW)).unwrap_err();
    assert!(matches!(error, JournalError::OtherScope { .. }), "{error}");
    let held = CrawlJournal::open(&file, &scope().describe(), at(NOW)).unwrap();
    assert!(!held.is_empty());
    let error = CrawlJournal::open(&file, &scope().describe(), at(NOW)).unwrap_err();
    assert!(matches!(error, JournalError::Busy { .. }), "{error}");
    let foreign = folder.path().join("notes.txt");
    fs::write(&foreign, "my notes\n").unwrap();
    let error = CrawlJournal::open(&foreign, "all", at(NOW)).unwrap_err();
    assert!(matches!(error, JournalError::Unusable { .. }), "{error}");
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "my notes\n");
}
