//! Checks whether the recorded base is a prefix of the image.

use basewatch::{
    identify::{PrefixCheck, SearchCompletion},
    image::Digest,
};

use crate::layers::environment::{
    Build, COMPANY, JAVA, LINE_COUNT, PYTHON, SearchEnvironment, assert_base, build, day, layers, prefixes,
};

const PREFIX: Option<&PrefixCheck> = Some(&PrefixCheck::Prefix { layer_count: 6 });

#[tokio::test]
async fn bases_recorded_by_any_digest_or_dated_tag_are_read_once_ever() {
    for kind in ["index", "manifest", "configuration", "tag"] {
        let env = SearchEnvironment::new(4);
        let names = layers("3.12", 2);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let (index, manifest) = env.registry.publish(PYTHON, "3.12", "2026-08-02T13:00:00Z", &names);
        let base = match kind {
            "index" => format!("{PYTHON}@{index}"),
            "manifest" => format!("{PYTHON}:3.12@{manifest}"),
            "configuration" => format!("{PYTHON}@{}", env.registry.config_of(&manifest)),
            _ => format!("{PYTHON}:3.12.2026.08.02.13"),
        };
        let images =
            [build("3.12", 2, 3).labelled(&base).image(), build("21", 2, 3).labelled(&base).without_sign().image()];
        let evidence = env.compare(&images).await;
        assert_eq!(evidence[0].checks.get(&0), PREFIX, "{kind}");
        assert_eq!(evidence[1].checks.get(&0), Some(&PrefixCheck::Different), "{kind}");
        assert_eq!((&evidence[0].search, evidence[0].request_count), (&SearchCompletion::Idle, 0), "{kind}");
        let cold = env.registry.requests();
        assert!(cold.len() <= 4, "{kind}: {cold:#?}");
        let warm = env.compare(&images).await;
        assert_eq!(warm[0].checks, evidence[0].checks);
        assert_eq!(env.registry.requests(), Vec::<String>::new(), "{kind}");
    }
}

#[tokio::test]
async fn a_checked_base_is_a_known_release_for_images_that_record_nothing() {
    let env = SearchEnvironment::new(4);
    env.compare_one(&build("3.12", 2, 3).labelled(format!("{PYTHON}:3.12.2026.08.02.13")).image()).await;
    env.registry.requests();
    let evidence = env.compare_one(&build("3.12", 2, 4).without_sign().image()).await;
    assert_base(&evidence, "python:3.12.2026.08.02.13");
    assert_eq!(env.registry.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_base_or_one_with_more_layers_than_the_image_proves_nothing() {
    let env = SearchEnvironment::new(4);
    let gone = format!("{PYTHON}@{}", Digest::sha256(b"gone"));
    let evidence = env.compare_one(&build("3.12", 2, 3).labelled(gone).without_sign().image()).await;
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Unread));
    let squashed = Build { layers: vec!["all".to_owned()], ..build("3.12", 2, 3) };
    let dated = squashed.clone().labelled(format!("{PYTHON}:3.12.2026.08.02.13")).image();
    let line = squashed.labelled(format!("{PYTHON}:3.12")).without_sign().image();
    for image in [dated, line] {
        env.requests();
        let evidence = env.compare_one(&image).await;
        assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Fewer), "{evidence:?}");
        // Where it is in its index, and its configuration.
        assert!(env.requests().len() <= 4);
    }
}

#[tokio::test]
async fn a_label_with_a_line_limits_the_search_to_that_line() {
    let env = SearchEnvironment::new(20);
    let image = build("21", 8, 12).labelled(format!("{JAVA}:21")).without_sign().image();
    let evidence = env.compare_one(&image).await;
    assert_base(&evidence, "java:21.2026.08.08.13");
    assert_eq!(evidence.checks.get(&0), PREFIX);
    let requests = env.requests();
    assert!(requests.len() <= 5 && requests.iter().all(|request| request.contains("java:21.")), "{requests:#?}");
}

#[tokio::test]
async fn a_line_is_contradicted_after_all_its_releases_were_compared() {
    let image = build("3.12", 8, 12).labelled(format!("{JAVA}:21")).without_sign().image();
    let env = SearchEnvironment::new(20);
    let evidence = env.compare_one(&image).await;
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Different), "{evidence:?}");
    assert_eq!(evidence.search, SearchCompletion::Complete { lines: vec![format!("{JAVA}:21")] });
    let env = SearchEnvironment::new(20).within(3);
    let evidence = env.compare_one(&image).await;
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Unread));
    assert_eq!(evidence.search, SearchCompletion::Unfinished { compared_count: 3, left_count: 9 });
}

#[tokio::test]
async fn after_a_contradicted_label_the_search_uses_the_signs_of_the_image() {
    let env = SearchEnvironment::new(20);
    let image = build("3.12", 8, 8).labelled(format!("{JAVA}:21.2026.08.08.13")).image();
    let evidence = env.compare_one(&image).await;
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Different));
    assert_eq!(prefixes(&evidence)[0].1, "python:3.12.2026.08.08.13");
}

#[tokio::test]
async fn a_company_base_is_found_by_the_observed_digests_of_its_tag() {
    let mut env = SearchEnvironment::new(9);
    env.followed = vec!["1".to_owned()];
    let company = |build: u32| [layers("3.12", 3), vec![format!("company {build}")]].concat();
    let publish = |build: u32| {
        let layers = company(build);
        let layers: Vec<_> = layers.iter().map(String::as_str).collect();
        let image = env.registry.layered(&format!("company {build}"), "arm64", &layers, "gzip");
        env.registry.tag(COMPANY, "1", &image);
    };
    let on = |build| Build { layers: [company(build), vec!["own".to_owned()]].concat(), ..build_on_company() };
    publish(1);
    // Every run reads the tag, whatever its images.
    env.compare_one(&build("21", 9, 9).image()).await;
    publish(2);
    for build in [1, 2] {
        let evidence = env.compare_one(&on(build).image()).await;
        let found = prefixes(&evidence);
        assert_eq!(found[0], (7, "python:1".to_owned()), "{found:?}");
        // The base of the company's base.
        assert_eq!(found[1], (6, "python:3.12.2026.08.03.13".to_owned()), "{found:?}");
    }
    // A label with only the tag: any release that it pointed at.
    let labelled = |build| on(build).labelled(format!("{COMPANY}:1")).without_sign().image();
    let evidence = env.compare_one(&labelled(1)).await;
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Prefix { layer_count: 7 }));
    let evidence = env.compare_one(&labelled(3)).await;
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Unread), "its earlier digests are unknown: {evidence:?}");
    env.registry.requests();
    env.compare_one(&on(1).image()).await;
    assert_eq!(env.registry.requests(), ["HEAD base/python:1"]);
}

#[tokio::test]
async fn a_confirmed_company_base_leaves_its_own_base_to_be_searched() {
    let env = SearchEnvironment::new(9);
    let company = [layers("3.12", 3), vec!["company".to_owned()]].concat();
    let names: Vec<_> = company.iter().map(String::as_str).collect();
    let base = env.registry.layered("company", "arm64", &names, "gzip");
    let image = Build { layers: [company, vec!["own".to_owned()]].concat(), ..build_on_company() };
    let evidence = env.compare_one(&image.labelled(format!("{COMPANY}@{base}")).image()).await;
    assert_eq!(evidence.checks.get(&0), Some(&PrefixCheck::Prefix { layer_count: 7 }));
    assert_eq!(prefixes(&evidence)[1], (6, "python:3.12.2026.08.03.13".to_owned()));
}

#[tokio::test]
async fn the_base_of_a_company_base_is_searched_from_the_build_date_of_the_company_base() {
    let env = SearchEnvironment::new(20);
    let company = [layers("3.12", 3), vec!["company".to_owned()]].concat();
    let names: Vec<_> = company.iter().map(String::as_str).collect();
    let base = env.registry.layered_at("company", "arm64", Some(day(3)), &names, "gzip");
    let image = Build { layers: [company, vec!["own".to_owned()]].concat(), ..build("3.12", 3, 18) };
    let evidence = env.compare_one(&image.labelled(format!("{COMPANY}@{base}")).image()).await;
    assert_eq!(prefixes(&evidence)[1], (6, "python:3.12.2026.08.03.13".to_owned()));
    // The company base itself, and of each line the newest release of that day.
    let requests = env.requests();
    assert!(requests.len() <= 2 + LINE_COUNT, "{requests:#?}");
    assert!(requests.iter().all(|request| !request.contains("2026") || request.contains(".08.03.13")), "{requests:#?}");
}

#[tokio::test]
async fn a_company_base_with_dated_tags_is_searched_on_top_of_a_known_base() {
    let mut env = SearchEnvironment::new(9);
    env.has_dated_company = true;
    let company = |day: u32| [layers("3.12", 3), vec![format!("company {day}")]].concat();
    for day in [2, 5, 7] {
        let layers = company(day);
        let layers: Vec<_> = layers.iter().map(String::as_str).collect();
        env.registry.publish(COMPANY, "1", &format!("2026-08-{day:02}T10:00:00Z"), &layers);
    }
    let on = |day| Build { layers: [company(day), vec!["own".to_owned()]].concat(), ..build("3.12", 3, 8) };
    // Its releases are unknown, and the AWS base below is known.
    env.compare_one(&build("3.12", 3, 4).image()).await;
    env.requests();
    let evidence = env.compare_one(&on(5).image()).await;
    assert_eq!(
        prefixes(&evidence)[..2],
        [(7, "python:1.2026.08.05.10".to_owned()), (6, "python:3.12.2026.08.03.13".to_owned())]
    );
    // One that was built before the base below it cannot be built on that.
    assert!(env.requests().iter().all(|request| !request.contains("1.2026.08.02.10")));
    // An image counts as built on AWS's base alone only after all company releases were compared.
    let evidence = env.compare_one(&build("3.12", 3, 8).image()).await;
    assert!(matches!(evidence.search, SearchCompletion::Complete { .. }), "{evidence:?}");
    env.requests();
    for image in [on(5).image(), build("3.12", 3, 8).image()] {
        env.compare_one(&image).await;
    }
    assert_eq!(env.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_base_is_not_final_while_company_bases_above_it_are_unread() {
    let mut env = SearchEnvironment::new(9);
    let company = [layers("3.12", 3), vec!["company".to_owned()]].concat();
    let names: Vec<_> = company.iter().map(String::as_str).collect();
    env.registry.publish(COMPANY, "1", "2026-08-04T10:00:00Z", &names);
    env.compare_one(&build("3.12", 3, 4).image()).await;
    env.has_dated_company = true;
    env.limits.request_count = 0;
    let image = Build { layers: [company, vec!["own".to_owned()]].concat(), ..build("3.12", 3, 8) };
    let evidence = env.compare_one(&image.image()).await;
    assert!(matches!(evidence.search, SearchCompletion::Failed { .. }), "{evidence:?}");
}

fn build_on_company() -> Build {
    build("3.12", 3, 4)
}
