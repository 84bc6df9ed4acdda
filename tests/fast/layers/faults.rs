//! Registry failures during a search: the result stays open and is never wrong.

use basewatch::{
    identify::{PrefixCheck, SearchCompletion},
    registry::{Error, MissingContent},
};

use crate::layers::environment::{Build, JAVA, PYTHON, SearchEnvironment, assert_base, build, layers, prefixes};
use testbed::world::Lists;

fn unreachable() -> Error {
    Error::Unreachable { registry: "public.ecr.aws".to_owned(), why: "connection refused".to_owned() }
}

fn assert_failed(search: &SearchCompletion, why: &str) {
    assert!(matches!(search, SearchCompletion::Failed { why: said } if said.contains(why)), "{search:?}");
}

#[tokio::test]
async fn a_failing_registry_is_tried_once_a_run() {
    let env = SearchEnvironment::new(9);
    let image = build("3.12", 5, 9).image();
    env.compare_one(&build("21", 9, 9).image()).await;
    env.requests();
    env.registry.break_with(Some(unreachable()));
    let evidence = env.compare_one(&image).await;
    assert_failed(&evidence.search, "connection refused");
    assert_eq!(prefixes(&evidence), []);
    assert_eq!(env.requests().len(), 1);
    env.registry.break_with(None);
    assert_base(&env.compare_one(&image).await, "python:3.12.2026.08.05.13");
}

#[tokio::test]
async fn tags_that_cannot_be_listed_prove_no_absence() {
    let provided =
        Build { layers: [layers("al2023", 9), vec!["bootstrap".to_owned()]].concat(), ..build("al2023", 9, 9) };
    for (lists, why) in [
        (Lists::Failing(unreachable()), "connection refused"),
        (Lists::Cut(7), "only a part of the tags"),
        (Lists::Empty, "only a part of the tags"),
    ] {
        let env = SearchEnvironment::new(9);
        env.registry.answer_lists(lists);
        // Known by its digest, without a list.
        let (_, manifest) = env.registry.publish(
            "public.ecr.aws/lambda/provided",
            "al2023",
            "2026-08-09T13:00:00Z",
            &layers("al2023", 9).iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let base = format!("public.ecr.aws/lambda/provided:al2023.2026.08.09.13@{manifest}");
        env.compare_one(&provided.clone().labelled(base).image()).await;
        let evidence = env.compare_one(&provided.image()).await;
        assert_eq!(prefixes(&evidence).len(), 1);
        assert_failed(&evidence.search, why);
        let named = build("3.12", 5, 9).labelled(format!("{JAVA}:17")).without_sign().image();
        assert_eq!(env.compare_one(&named).await.checks.get(&0), Some(&PrefixCheck::Unread));
    }
}

#[tokio::test]
async fn the_list_of_a_cache_proves_no_absence() {
    let env = SearchEnvironment::new(9);
    let tag = "21.2026.08.08.13-arm64";
    env.registry.answer_as_cache("123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public", JAVA, &[tag]);
    let named = |family, base| build(family, base, 9).labelled(format!("{JAVA}:21")).without_sign().image();
    let evidence = env.compare_one(&named("3.12", 5)).await;
    assert_failed(&evidence.search, "only a part of the tags");
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Unread));
    let evidence = env.compare_one(&named("21", 8)).await;
    assert_base(&evidence, "java:21.2026.08.08.13");
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Prefix { layer_count: 6 }));
}

#[tokio::test]
async fn an_unreadable_release_leaves_the_search_incomplete_but_not_stopped() {
    let env = SearchEnvironment::new(9);
    let repository = PYTHON.parse().expect("a repository");
    let missing = MissingContent::Tag("3.13.2026.08.09.13-arm64".to_owned());
    env.registry.refuse("3.13.2026.08.09.13-arm64", Some(Error::NotFound { repository, missing, cache: None }));
    assert_base(&env.compare_one(&build("3.12", 9, 9).image()).await, "python:3.12.2026.08.09.13");
    let evidence = env.compare_one(&build("3.13", 9, 9).image()).await;
    assert_failed(&evidence.search, "3.13.2026.08.09.13-arm64");
    assert!(prefixes(&evidence).iter().all(|(_, name)| name.starts_with("provided")), "{evidence:?}");
    env.registry.refuse_nothing();
    assert_base(&env.compare_one(&build("3.13", 9, 9).image()).await, "python:3.13.2026.08.09.13");
}
