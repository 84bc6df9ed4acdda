//! The scope and the requests of searches.

use std::sync::Arc;

use basewatch::identify::{LayerEvidence, SearchCompletion};
use proptest::{prelude::*, sample::subsequence};

use crate::layers::environment::{
    Build, JAVA, LINE_COUNT, PYTHON, SearchEnvironment, assert_base, build, layers, prefixes,
};

#[tokio::test]
async fn an_image_on_the_release_of_its_day_costs_one_request_for_each_line() {
    let env = SearchEnvironment::new(20);
    let evidence = env.compare_one(&build("3.13", 10, 10).image()).await;
    assert_base(&evidence, "python:3.13.2026.08.10.13");
    assert_eq!(evidence.search, SearchCompletion::Idle);
    let requests = env.requests();
    assert!(requests.len() <= LINE_COUNT, "{requests:#?}");
    assert_eq!(evidence.request_count, requests.len());
    assert!(requests.iter().all(|request| request.starts_with("GET") && request.ends_with("-arm64")), "{requests:#?}");
}

#[tokio::test]
async fn an_image_on_an_older_release_is_found_through_the_day_of_its_operating_system() {
    let env = SearchEnvironment::new(20);
    let evidence = env.compare_one(&build("22", 4, 17).image()).await;
    assert_base(&evidence, "nodejs:22.2026.08.04.13");
    let requests = env.requests();
    // The newest of each line, provided until its operating system is that of the image, and the lines of that day and
    // the days beside it.
    assert!(requests.len() <= LINE_COUNT + 13 + 3 * LINE_COUNT, "{}: {requests:#?}", requests.len());
}

#[tokio::test]
async fn an_operating_system_shared_by_many_runs_does_not_take_precedence_over_dates() {
    let env = SearchEnvironment::new(0);
    for day in 1..=20 {
        env.publish_on_system(day, "the same");
    }
    let on_system = |family: &str, base: u32, built: u32| {
        let mut build = build(family, base, built);
        build.layers[0] = "os the same".to_owned();
        build
    };
    // Days far apart: each finds its base on its own day, without a walk from a known day.
    for (family, day) in [("21", 19), ("3.12", 2), ("22", 11)] {
        let evidence = env.compare_one(&on_system(family, day, day).image()).await;
        let prefixes = prefixes(&evidence);
        assert!(prefixes[0].1.ends_with(&format!(":{family}.2026.08.{day:02}.13")), "{prefixes:?}");
        let requests = env.requests();
        assert!(requests.len() <= 4 * LINE_COUNT, "{family}: {}: {requests:#?}", requests.len());
    }
    // A line that it names comes before all others, whatever is known of its operating system.
    let named = Build { repository: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/named", ..on_system("3.13", 7, 7) };
    let evidence = env.compare_one(&named.labelled(format!("{PYTHON}:3.13")).image()).await;
    assert_eq!(prefixes(&evidence)[0].1, "python:3.13.2026.08.07.13");
    assert_eq!(env.requests(), ["GET lambda/python:3.13.2026.08.07.13-arm64"]);
}

#[tokio::test]
async fn a_known_operating_system_limits_the_search_to_the_lines_of_its_day() {
    let env = SearchEnvironment::new(20);
    env.compare_one(&build("3.12", 4, 4).image()).await;
    env.requests();
    env.compare_one(&build("21", 4, 18).image()).await;
    let requests = env.requests();
    assert!(requests.len() < LINE_COUNT, "{requests:#?}");
}

#[tokio::test]
async fn an_image_on_a_known_base_and_a_second_run_cost_no_requests() {
    let env = SearchEnvironment::new(20);
    let image = build("3.12", 4, 4).image();
    env.compare_one(&image).await;
    env.registry.requests();
    let sibling = Build { layers: [layers("3.12", 4), vec!["other".to_owned()]].concat(), ..build("3.12", 4, 12) };
    for image in [&sibling.image(), &image] {
        let evidence = env.compare_one(image).await;
        assert_base(&evidence, "python:3.12.2026.08.04.13");
        assert_eq!((&evidence.search, evidence.request_count), (&SearchCompletion::Idle, 0));
    }
    assert_eq!(env.registry.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn images_of_one_repository_are_searched_once() {
    let env = SearchEnvironment::new(20);
    let images: Vec<_> = (5..=12).map(|day| build("3.12", 5, day).image()).collect();
    for evidence in env.compare(&images).await {
        assert_base(&evidence, "python:3.12.2026.08.05.13");
    }
    let alone = env.requests().len();
    assert!(alone <= LINE_COUNT, "{alone}");
}

#[tokio::test]
async fn nothing_is_searched_for_an_image_without_a_sign_of_a_base() {
    let env = SearchEnvironment::new(3);
    let evidence = env.compare_one(&build("3.12", 2, 2).without_sign().image()).await;
    assert_eq!((prefixes(&evidence), &evidence.search), (vec![], &SearchCompletion::Idle));
    assert_eq!(env.registry.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_release_younger_than_the_image_is_never_read() {
    let env = SearchEnvironment::new(20);
    let image = Build { layers: vec!["other".to_owned(); 9], created_at: None, ..build("3.12", 5, 5) };
    let evidence = env.compare_one(&image.image()).await;
    assert!(
        matches!(&evidence.search, SearchCompletion::Complete { lines } if lines.len() == LINE_COUNT),
        "{evidence:?}"
    );
    let requests = env.requests();
    assert!(requests.iter().all(|request| !request.contains("08.06.13")), "{requests:#?}");
}

#[tokio::test]
async fn clamped_or_misplaced_dates_only_change_the_order() {
    for created_at in [None, Some("1970-01-01T00:00:00Z"), Some("2026-08-02T00:00:00Z"), Some("2026-08-19T00:00:00Z")] {
        let env = SearchEnvironment::new(20);
        let created_at = created_at.map(testbed::world::at);
        let evidence = env.compare_one(&Build { created_at, ..build("3.12", 9, 11) }.image()).await;
        assert_base(&evidence, "python:3.12.2026.08.09.13");
    }
}

#[tokio::test]
async fn a_provided_release_is_not_final_while_the_lines_of_its_day_are_unsearched() {
    let env = SearchEnvironment::new(20);
    let provided =
        Build { layers: [layers("al2023", 9), vec!["bootstrap".to_owned()]].concat(), ..build("al2023", 9, 9) };
    let known = env.compare_one(&provided.image()).await;
    assert_eq!(prefixes(&known), [(4, "provided:al2023.2026.08.09.13".to_owned())]);
    // The lines of the day and of the days beside it, each of which could be built from it.
    assert!(
        matches!(&known.search, SearchCompletion::Complete { lines } if lines.len() == LINE_COUNT - 1),
        "{known:?}"
    );
    // Nothing shows that this image is built on a Lambda base but the layers of provided.
    let java = build("21", 9, 9).without_sign().image();
    let evidence = env.compare_one(&java).await;
    assert_eq!(
        prefixes(&evidence),
        [(6, "java:21.2026.08.09.13".to_owned()), (4, "provided:al2023.2026.08.09.13".to_owned())]
    );

    let env = SearchEnvironment::new(20);
    let named = provided.labelled("public.ecr.aws/lambda/provided:al2023").image();
    env.compare_one(&named).await;
    let env = env.within(0);
    let evidence = env.compare_one(&java).await;
    assert_eq!(prefixes(&evidence).len(), 1);
    assert!(
        matches!(evidence.search, SearchCompletion::Failed { .. }),
        "a search that is not made proves nothing: {evidence:?}"
    );
}

#[tokio::test]
async fn lines_republished_on_a_provided_release_are_searched_until_it_is_replaced() {
    let env = SearchEnvironment::new(1);
    let again = [&layers("3.12", 1)[..5], &["client3.12 fixed".to_owned()]].concat();
    let names: Vec<_> = again.iter().map(String::as_str).collect();
    env.registry.publish(PYTHON, "3.12", "2026-08-04T13:00:00Z", &names);
    env.publish(9);
    // `provided` is known, and was published three days before.
    env.compare_one(&build("al2023", 1, 2).image()).await;
    let image = Build { layers: [again, vec!["own".to_owned()]].concat(), ..build("3.12", 1, 20) };
    let evidence = env.compare_one(&image.image()).await;
    assert_eq!(prefixes(&evidence)[0], (6, "python:3.12.2026.08.04.13".to_owned()), "{evidence:?}");
}

#[tokio::test]
async fn an_image_that_is_provided_itself_needs_no_search() {
    let env = SearchEnvironment::new(20);
    let image = Build { layers: layers("al2023", 9), ..build("al2023", 9, 9) }.image();
    let evidence = env.compare_one(&image).await;
    assert_base(&evidence, "provided:al2023.2026.08.09.13");
    assert_eq!(evidence.search, SearchCompletion::Idle);
}

#[tokio::test]
async fn a_squashed_image_ends_with_the_newest_of_each_line() {
    let env = SearchEnvironment::new(20);
    let image = Build { layers: vec!["all".to_owned()], ..build("3.12", 9, 9) }.image();
    let evidence = env.compare_one(&image).await;
    assert!(
        prefixes(&evidence).is_empty() && matches!(evidence.search, SearchCompletion::Complete { .. }),
        "{evidence:?}"
    );
    assert_eq!(env.requests().len(), LINE_COUNT);
    env.compare_one(&image).await;
    assert_eq!(env.registry.requests(), Vec::<String>::new(), "until there are new tags");
}

#[tokio::test]
async fn a_recompressed_image_is_found_by_the_configurations_of_the_likely_releases() {
    let env = SearchEnvironment::new(20);
    let image = Build { compression: "zstd", ..build("3.12", 9, 9) }.image();
    let evidence = env.compare_one(&image).await;
    assert_base(&evidence, "python:3.12.2026.08.09.13");
    let requests = env.requests();
    let configurations = requests.iter().filter(|request| request.starts_with("BLOB")).count();
    assert!(configurations <= LINE_COUNT && requests.len() <= 20 + 2 * LINE_COUNT, "{requests:#?}");
}

#[tokio::test]
async fn an_image_that_was_not_recompressed_needs_no_configuration() {
    let env = SearchEnvironment::new(6);
    let mut layers = layers("3.12", 4);
    layers.truncate(5);
    layers.extend(["own".to_owned(), "more".to_owned()]);
    let evidence = env.compare_one(&Build { layers, ..build("3.12", 4, 6) }.image()).await;
    // All of python but its last layer.
    assert_eq!(prefixes(&evidence), [(4, "provided:al2023.2026.08.04.13".to_owned())]);
    assert!(env.requests().iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn a_difficult_search_leaves_requests_for_others() {
    let env = SearchEnvironment::new(28).within(30);
    let hopeless = |name: &str| Build {
        repository: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hopeless",
        layers: (0..9).map(|layer| format!("{name} {layer}")).collect(),
        ..build("3.12", 28, 28)
    };
    let images = [hopeless("a").image(), hopeless("b").image(), build("21", 14, 14).image()];
    let evidence = env.compare(&images).await;
    assert_base(&evidence[2], "java:21.2026.08.14.13");
    assert!(matches!(evidence[0].search, SearchCompletion::Unfinished { .. }), "{:?}", evidence[0]);
    assert_eq!(env.requests().len(), 30);
}

#[tokio::test]
async fn all_releases_of_equal_content_are_named() {
    let env = SearchEnvironment::new(3);
    let base = layers("3.12", 2);
    let base: Vec<_> = base.iter().map(String::as_str).collect();
    env.registry.publish(PYTHON, "3.12", "2026-08-02T19:00:00Z", &base);
    env.compare_one(&build("3.12", 2, 3).labelled("public.ecr.aws/lambda/python:3.12.2026.08.02.13").image()).await;
    let image = build("3.12", 2, 3).labelled("public.ecr.aws/lambda/python:3.12.2026.08.02.19").image();
    let evidence = env.compare_one(&image).await;
    assert_eq!(prefixes(&evidence), [(6, "python:3.12.2026.08.02.13 python:3.12.2026.08.02.19".to_owned())]);
}

#[tokio::test]
async fn releases_of_another_publisher_do_not_count() {
    let env = SearchEnvironment::new(3);
    let theirs = [layers("3.12", 2), vec!["theirs".to_owned()]].concat();
    let borrowed: Vec<_> = theirs.iter().map(String::as_str).collect();
    let (index, _) = env.registry.publish("public.ecr.aws/another/app", "1", "2026-08-02T14:00:00Z", &borrowed);
    let on_theirs = Build { layers: [theirs, vec!["own".to_owned()]].concat(), ..build("3.12", 2, 3) };
    let labelled = on_theirs.clone().labelled(format!("public.ecr.aws/another/app@{index}"));
    let evidence = env.compare_one(&labelled.image()).await;
    assert_eq!(prefixes(&evidence), []);
    let evidence = env.compare_one(&on_theirs.image()).await;
    assert_base(&evidence, "python:3.12.2026.08.02.13");
}

#[tokio::test]
async fn a_plain_tag_returns_its_index_first() {
    let env = SearchEnvironment::new(2);
    for family in ["3.12", "3.13"] {
        env.registry.untag(PYTHON, &format!("{family}.2026.08.02.13-arm64"));
    }
    let evidence = env.compare_one(&build("3.12", 2, 2).image()).await;
    assert_base(&evidence, "python:3.12.2026.08.02.13");
    assert!(env.requests().contains(&"GET lambda/python:3.12.2026.08.02.13".to_owned()));
}

/// The images of the property, on bases of several kinds.
fn fleet() -> Vec<Build> {
    let on_provided = [layers("al2023", 3), vec!["bootstrap".to_owned()]].concat();
    vec![
        build("3.12", 3, 3),
        build("21", 2, 4),
        build("22", 1, 4),
        Build { layers: on_provided, ..build("al2023", 3, 3) },
        Build { compression: "zstd", ..build("3.13", 2, 3) },
        Build { layers: vec!["all".to_owned()], ..build("3.12", 3, 3) },
        build("21", 4, 4).labelled(format!("{JAVA}:21")),
        build("21", 3, 4).labelled(format!("{PYTHON}:3.12")).without_sign(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_discovery_makes_no_difference(
        order in Just((0..fleet().len()).collect::<Vec<_>>()).prop_shuffle(),
        known in subsequence((0..fleet().len()).collect::<Vec<_>>(), 0..5),
        requests in 2_usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let images: Vec<_> = fleet().iter().map(Build::image).collect();
            let expected = SearchEnvironment::new(4).compare(&images).await;
            let env = SearchEnvironment::new(4).within(requests);
            for position in known {
                env.compare_one(&images[position]).await;
            }
            let shuffled: Vec<_> = order.iter().map(|position| images[*position].clone()).collect();
            let is_unfinished = |it: &Arc<LayerEvidence>| matches!(it.search, SearchCompletion::Unfinished { .. });
            let mut evidence = env.compare(&shuffled).await;
            // Each run reads at least one more of twenty releases, some with their configurations.
            for _ in 0..40 {
                if evidence.iter().any(is_unfinished) {
                    evidence = env.compare(&shuffled).await;
                }
            }
            for (position, evidence) in order.iter().zip(evidence) {
                assert_eq!(prefixes(&evidence).first(), prefixes(&expected[*position]).first(), "{position}");
                assert_eq!(evidence.checks, expected[*position].checks, "{position}");
                assert!(!matches!(evidence.search, SearchCompletion::Unfinished { .. } | SearchCompletion::Failed { .. }), "{evidence:?}");
            }
        });
    }
}
