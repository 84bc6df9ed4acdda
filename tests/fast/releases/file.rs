//! The catalog file: compact, deterministic, and decoded as untrusted input.

use std::{collections::BTreeSet, time::Instant};

use basewatch::{
    image::{Digest, Platform, PlatformRelease, ReleaseIndex, Repository},
    release_catalog::{DecodeError, ReleaseCatalog},
};
use chrono::DateTime;
use proptest::prelude::*;

use testbed::release_history::{NOW, at, catalog, repository};

fn digests() -> impl Strategy<Value = Digest> {
    prop_oneof![
        4 => any::<[u8; 32]>().prop_map(|bytes| Digest::from_bytes(&bytes).unwrap()),
        1 => any::<[u8; 32]>().prop_map(|half| Digest::from_bytes(&[half, half].concat()).unwrap()),
    ]
}

fn tags() -> impl Strategy<Value = BTreeSet<String>> {
    let dated = "(21|3\\.12|al2023|24-preview|8\\.al2)\\.20[0-9]{2}\\.0[1-9]\\.[01][1-8]\\.[01][0-9]";
    let other = "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}";
    proptest::collection::btree_set(prop_oneof![dated, other], 0..4)
}

fn releases() -> impl Strategy<Value = (Repository, PlatformRelease)> {
    let platforms = prop_oneof![
        Just(Platform::new("linux", "amd64", None)),
        Just(Platform::new("linux", "arm64", None)),
        Just(Platform::new("linux", "arm", Some("v7"))),
        Just(Platform::unknown()),
    ];
    let repositories =
        prop_oneof!["public\\.ecr\\.aws/lambda/(java|python)", "127\\.0\\.0\\.1:5000/[a-z]{1,8}/[a-z]{1,8}",];
    let chains = [(); 4].map(|()| proptest::option::of(digests()));
    let seconds = -62_000_000_000_i64..4_000_000_000;
    (repositories, digests(), tags(), platforms, 1_usize..=1000, chains, (seconds, 0_u32..1_000_000_000)).prop_map(
        |(
            repository,
            manifest,
            tags,
            platform,
            layer_count,
            [index, diff_ids, layers, first_layer],
            (seconds, nanos),
        )| {
            let first_seen = DateTime::from_timestamp(seconds, nanos).unwrap();
            let release = PlatformRelease {
                tags,
                platform,
                manifest,
                index,
                layer_count,
                diff_ids,
                layers,
                first_layer,
                first_seen,
            };
            (repository.parse().unwrap(), release)
        },
    )
}

fn of<'a>(releases: impl IntoIterator<Item = &'a (Repository, PlatformRelease)>) -> ReleaseCatalog {
    let mut catalog = ReleaseCatalog::new(at(NOW));
    for (repository, release) in releases {
        catalog.insert(repository, release.clone());
    }
    catalog
}

proptest! {
    #[test]
    fn a_catalog_survives_a_round_trip_whatever_the_order_of_insertion(
        releases in proptest::collection::vec(releases(), 0..12),
        again in proptest::collection::vec((any::<prop::sample::Index>(), tags(), 1_usize..1000), 0..6),
    ) {
        // The same manifests once more, with something else known of them.
        let mut all = releases.clone();
        for (index, tags, layer_count) in again.into_iter().filter(|_| !releases.is_empty()) {
            let (repository, release) = index.get(&releases).clone();
            let diff_ids = Some(Digest::sha256(&[u8::try_from(layer_count % 256).unwrap()]));
            all.push((repository, PlatformRelease { tags, layer_count, diff_ids, ..release }));
        }
        let catalog = of(&all);
        let bytes = catalog.encode();
        prop_assert_eq!(ReleaseCatalog::decode(&bytes).unwrap(), catalog.clone());
        prop_assert_eq!(of(all.iter().rev()).encode(), bytes.clone());
        let (odd, even): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(index, _)| index % 2 == 1);
        let mut merged = of(odd.into_iter().map(|(_, release)| release));
        merged.merge(of(even.into_iter().map(|(_, release)| release)));
        prop_assert_eq!(merged.encode(), bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = ReleaseCatalog::decode(&bytes);
        let _ = ReleaseCatalog::decode(&[b"basewatch.releases/v1\n".as_slice(), &bytes].concat());
    }

    #[test]
    fn a_changed_byte_is_rejected_or_gives_another_catalog(index in any::<prop::sample::Index>(), change in 1_u8..) {
        let mut bytes = catalog(3).encode();
        let index = index.index(bytes.len());
        bytes[index] ^= change;
        if let Ok(read) = ReleaseCatalog::decode(&bytes) {
            prop_assert_ne!(read, catalog(3));
        }
    }
}

#[test]
fn a_truncated_or_extended_file_is_rejected() {
    let bytes = catalog(3).encode();
    for end in 0..bytes.len() {
        assert!(ReleaseCatalog::decode(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert!(matches!(ReleaseCatalog::decode(&longer), Err(DecodeError::Damaged { .. })));
}

#[test]
fn a_file_of_another_format_is_rejected_with_its_name() {
    let bytes = catalog(1).encode();
    let newer = [b"basewatch.releases/v2".as_slice(), &bytes["basewatch.releases/v1".len()..]].concat();
    let why = ReleaseCatalog::decode(&newer).unwrap_err().to_string();
    assert_eq!(why, "its format is basewatch.releases/v2; this version of basewatch reads basewatch.releases/v1");
    for other in
        [b"".as_slice(), b"\x1f\x8b\x08", b"{\"schema\":\"basewatch.report/v1\"}\n", b"basewatch.releases/\x1b[1m\n"]
    {
        assert_eq!(ReleaseCatalog::decode(other), Err(DecodeError::NoCatalog));
    }
}

#[test]
fn counts_larger_than_the_file_allocate_nothing() {
    // A time, no names, no platforms, and four billion repositories.
    for rest in [b"\0\0\0\xff\xff\xff\xff\x0f".as_slice(), b"\0\xff\xff\xff\xff\x0f", b"\0\xff\xff\x03"] {
        let bytes = [b"basewatch.releases/v1\n".as_slice(), rest].concat();
        assert!(matches!(ReleaseCatalog::decode(&bytes), Err(DecodeError::Damaged { .. })));
    }
}

#[test]
fn releases_without_layers_or_with_malformed_names_are_left_out() {
    let (_, one) = catalog(1).iter().next().map(|(repository, release)| (repository.clone(), release.clone())).unwrap();
    let mut left = ReleaseCatalog::new(at(NOW));
    left.insert(&repository("java"), PlatformRelease { layer_count: 0, ..one.clone() });
    left.insert(&repository("java"), PlatformRelease { layer_count: 1001, ..one.clone() });
    let odd = Platform::new("linux", "a/b/c", None);
    left.insert(&repository("java"), PlatformRelease { platform: odd, ..one.clone() });
    assert_eq!(left.release_count(), 0);
    left.insert(&repository("java"), PlatformRelease { tags: ["no tag".to_owned(), "1".to_owned()].into(), ..one });
    assert_eq!(left.iter().next().unwrap().1.tags, ["1".to_owned()].into());
}

/// The memory of this process, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn twenty_five_thousand_platform_releases_are_small_and_load_fast() {
    let bytes = catalog(12_500).encode();
    assert!(bytes.len() < 5_000_000, "{}", bytes.len());
    let (before, begun) = (resident(), Instant::now());
    let releases = ReleaseCatalog::decode(&bytes).unwrap().into_releases();
    assert_eq!(releases.len(), 25_000);
    let mut index = ReleaseIndex::default();
    for (repository, release) in releases {
        index.add(&repository, release);
    }
    let (took, grown) = (begun.elapsed(), resident().saturating_sub(before));
    println!("{} bytes, loaded in {took:?}, {grown} bytes of memory", bytes.len());
    assert!(grown < 40_000_000, "{grown}");
    // Without optimization it takes twenty times as long as in a release, and other tests run meanwhile.
    assert!(took.as_secs() < 60, "{took:?}");
}
