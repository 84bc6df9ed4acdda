//! The state of searches between runs.

use std::{sync::Arc, time::Duration};

use basewatch::{identify::SearchCompletion, store::Catalog};

use crate::layers::environment::{Build, LINE_COUNT, PYTHON, SearchEnvironment, assert_base, build, layers, limits};
use testbed::world::at;

fn hopeless() -> Build {
    Build { layers: (0..9).map(|layer| format!("other {layer}")).collect(), ..build("3.12", 9, 9) }
}

#[tokio::test]
async fn a_search_out_of_requests_continues_in_the_next_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut env = SearchEnvironment::new(20).within(4);
    let image = build("22", 3, 9).image();
    let mut all_requests = Vec::new();
    for run in 1.. {
        // A new process each time.
        env.catalog = Arc::new(Catalog::in_folder(folder.path()));
        let evidence = env.compare_one(&image).await;
        let requests = env.requests();
        assert!(requests.len() <= 4, "{requests:#?}");
        all_requests.extend(requests);
        if evidence.search == SearchCompletion::Idle {
            assert_base(&evidence, "nodejs:22.2026.08.03.13");
            break;
        }
        assert!(
            matches!(evidence.search, SearchCompletion::Unfinished { left_count, .. } if left_count > 0),
            "{evidence:?}"
        );
        assert!(run < 20, "{all_requests:#?}");
        env.catalog = Arc::new(Catalog::in_memory());
    }
    let distinct: std::collections::BTreeSet<_> = all_requests.iter().collect();
    assert_eq!(distinct.len(), all_requests.len(), "nothing is requested twice: {all_requests:#?}");
}

#[tokio::test]
async fn a_stopped_run_keeps_everything_that_it_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut env = SearchEnvironment::new(9);
    env.catalog = Arc::new(Catalog::in_folder(folder.path()));
    env.registry.refuse("3.13.2026.08.09.13-arm64", None);
    let image = hopeless().image();
    let stopped = tokio::time::timeout(Duration::from_millis(200), env.compare_one(&image)).await;
    assert!(stopped.is_err(), "{stopped:?}");
    let first = env.requests();
    assert!(!first.is_empty());
    env.catalog = Arc::new(Catalog::in_memory());
    env.registry.refuse_nothing();
    env.catalog = Arc::new(Catalog::in_folder(folder.path()));
    let evidence = env.compare_one(&image).await;
    assert!(matches!(evidence.search, SearchCompletion::Complete { .. }), "{evidence:?}");
    let second = env.requests();
    let again: Vec<_> = second.iter().filter(|request| first.contains(request)).collect();
    assert_eq!(again, ["GET lambda/python:3.13.2026.08.09.13-arm64"]);
}

#[tokio::test]
async fn an_unsuccessful_search_is_repeated_for_new_tags_only() {
    let mut env = SearchEnvironment::new(9);
    let unbounded = Build { existed_at: None, ..hopeless() }.image();
    for image in [&hopeless().image(), &unbounded] {
        let evidence = env.compare_one(image).await;
        assert!(matches!(evidence.search, SearchCompletion::Complete { .. }), "{evidence:?}");
    }
    env.registry.requests();
    // No release of a later day can be the base of an image that was searched before.
    env.publish(10);
    env.now = at("2026-09-03T06:00:00Z");
    for image in [&hopeless().image(), &unbounded] {
        let evidence = env.compare_one(image).await;
        assert!(matches!(evidence.search, SearchCompletion::Complete { .. }), "{evidence:?}");
        assert_eq!(env.registry.requests(), Vec::<String>::new());
    }
    let later = Build { existed_at: Some(at("2026-09-02T06:00:00Z")), ..build("3.12", 10, 10) }.image();
    assert_base(&env.compare_one(&later).await, "python:3.12.2026.08.10.13");
    assert!(env.requests().len() <= LINE_COUNT);
}

#[tokio::test]
async fn a_search_ends_at_its_time_limit_if_the_registry_hangs() {
    let mut env = SearchEnvironment::new(9);
    env.limits = limits(300, Duration::from_millis(150));
    env.registry.refuse("3.13.2026.08.09.13-arm64", None);
    let image = build("3.13", 9, 9).image();
    let evidence = env.compare_one(&image).await;
    assert!(matches!(evidence.search, SearchCompletion::Unfinished { .. }), "{evidence:?}");
    env.registry.refuse_nothing();
    assert_base(&env.compare_one(&image).await, "python:3.13.2026.08.09.13");
}

#[tokio::test]
async fn a_disabled_search_sends_no_requests() {
    for limits in [limits(0, Duration::from_mins(5)), limits(300, Duration::ZERO)] {
        let mut env = SearchEnvironment::new(9);
        env.limits = limits;
        let evidence = env.compare_one(&build("3.12", 9, 9).image()).await;
        assert_eq!(env.registry.requests(), Vec::<String>::new(), "not even lists of tags");
        assert!(
            matches!(&evidence.search, SearchCompletion::Failed { why } if why.contains("search_requests")),
            "{evidence:?}"
        );
        // Known releases are still used.
        env.limits = SearchEnvironment::new(0).limits;
        assert_base(&env.compare_one(&build("3.12", 9, 9).image()).await, "python:3.12.2026.08.09.13");
        env.limits = limits;
        env.registry.requests();
        assert_base(&env.compare_one(&build("3.12", 9, 9).image()).await, "python:3.12.2026.08.09.13");
        assert_eq!(env.registry.requests(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_budget_of_one_request_still_completes_a_release_that_needs_two() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut env = SearchEnvironment::new(2).within(1);
    let image = Build { compression: "zstd", ..build("3.12", 2, 2) }.image();
    for run in 1.. {
        env.catalog = Arc::new(Catalog::in_folder(folder.path()));
        let evidence = env.compare_one(&image).await;
        let requests = env.requests();
        assert!(requests.len() <= 2, "{requests:#?}");
        if evidence.search == SearchCompletion::Idle {
            assert_base(&evidence, "python:3.12.2026.08.02.13");
            break;
        }
        assert!(run < 30, "{evidence:#?}");
        env.catalog = Arc::new(Catalog::in_memory());
    }
}

#[tokio::test]
async fn a_list_read_again_during_a_search_updates_the_plans_of_other_groups() {
    let mut env = SearchEnvironment::new(9);
    env.now = at("2026-08-09T20:00:00Z");
    env.compare_one(&hopeless().image()).await;
    // An older release appears late, so the positions of others change.
    env.registry.publish(PYTHON, "3.14", "2026-08-02T13:00:00Z", &["late"]);
    env.publish(10);
    env.now = at("2026-09-01T06:00:00Z");
    env.catalog = Arc::new(forgetful(&env.catalog));
    env.registry.requests();
    let provided =
        |own: &str| Build { layers: [layers("al2023", 8), vec![own.to_owned()]].concat(), ..build("al2023", 8, 9) };
    // The second one shows no base. When the search for the first has found `provided` in both, tags of a later time are
    // needed, while the third is still searched for.
    let later = Build { existed_at: Some(at("2026-08-31T06:00:00Z")), ..provided("later") };
    let other = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/other";
    let third = Build { repository: other, ..build("3.12", 3, 9) };
    let images = [provided("first").image(), later.without_sign().image(), third.image()];
    let evidence = env.compare(&images).await;
    for (evidence, base) in
        evidence.iter().zip(["provided:al2023.2026.08.08.13"; 2].iter().chain(["python:3.12.2026.08.03.13"].iter()))
    {
        assert_base(evidence, base);
    }
    let lists = env.registry.requests().into_iter().filter(|request| request.starts_with("TAGS")).count();
    assert!(lists > 0, "the lists were read anew");
}

/// The lists of tags in `catalog`, without the releases that it knows.
fn forgetful(catalog: &Catalog) -> Catalog {
    let forgotten = Catalog::in_memory();
    for repository in catalog.repositories() {
        let tags = catalog.read_repository(&repository, |record| record.tags.clone());
        forgotten.update_repository(&repository, |record| record.tags = tags);
    }
    forgotten
}
