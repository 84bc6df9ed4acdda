//! Audits of private ECR from end to end: the built binary, moto and two registries.

use crate::{
    account::password,
    environment::{ACCOUNT, AwsEnvironment, BASE, ECR, NOW, RELEASES, built_on, built_on_arm64},
};
use testbed::{
    peers::{Access, Registry},
    program::{codes, finding, findings},
    seed::{Image, Recipe, Target},
};

#[tokio::test]
async fn an_audit_of_ecr_judges_every_image_by_the_line_of_its_base() {
    let (environment, releases) = AwsEnvironment::published().await;
    for (name, release) in ["stale", "stale-too", "out-of-date", "superseded", "fresh"].iter().zip(&releases) {
        environment.own.push(name, "1", &built_on(release, name).build()).await;
    }
    let (code, report) = environment.program("").audit(NOW, &[]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["complete"], true, "{report:#}");
    for (repository, verdict) in [
        ("stale", "stale"),
        ("stale-too", "stale"),
        ("out-of-date", "out-of-date"),
        ("superseded", "superseded"),
        ("fresh", "fresh"),
    ] {
        let finding = finding(&report, &format!("{repository}:1"));
        assert_eq!(finding["verdict"], verdict, "{repository}: {finding:#}");
        assert_eq!(finding["base"]["identified_by"], "label");
        assert_eq!(finding["base"]["line"], format!("{BASE}:21"));
        assert_eq!(finding["current"]["digest"], releases[4].index.digest);
        assert_eq!(finding["current"]["release"], format!("21.{}", RELEASES[4]));
        assert_eq!(finding["deployment"]["account"], ACCOUNT);
        assert_eq!(finding["image"]["reference"], format!("{ECR}/{repository}:1"));
    }
    let stale = finding(&report, "stale:1");
    assert_eq!(stale["base"]["release"], format!("21.{}", RELEASES[0]));
    assert_eq!(stale["base"]["published_at"], "2026-08-22T00:00:00Z");
    assert_eq!(stale["base"]["published_source"], "dated-tag");
    assert_eq!(stale["base"]["age_days"], 90);
    assert_eq!(stale["behind"]["since"], "2026-08-23T12:00:00Z");
    assert_eq!(stale["behind"]["releases"], 4);
    assert_eq!(stale["action"], "rebuild");
    assert_eq!(report["authentication"][ECR], "ecr");
}

#[tokio::test]
async fn a_second_audit_sends_one_head_for_the_line_to_public_ecr() {
    let (environment, releases) = AwsEnvironment::published().await;
    for (index, release) in releases.iter().enumerate() {
        environment.own.push(&format!("orders-{index}"), "1", &built_on(release, "orders").build()).await;
    }
    let program = environment.program("");
    let (_, cold) = program.audit(NOW, &[]);
    let (public, private) = (environment.public.mark(), environment.own.registry.mark());
    let (_, warm) = program.audit(NOW, &[]);
    assert_eq!(environment.public.requests_since(public), ["HEAD /v2/lambda/java/manifests/21 200"]);
    assert_eq!(environment.own.registry.requests_since(private), Vec::<String>::new(), "configurations are cached");
    assert_eq!(cold["findings"], warm["findings"]);
    assert_eq!(warm["requests"]["public.ecr.aws"], 1);
}

#[tokio::test]
async fn a_moved_line_is_noticed_by_the_next_audit() {
    let (environment, releases) = AwsEnvironment::published().await;
    environment.own.push("orders", "1", &built_on(&releases[4], "orders").build()).await;
    let program = environment.program("");
    let (_, before) = program.audit(NOW, &[]);
    assert_eq!(finding(&before, "orders:1")["verdict"], "fresh", "{before:#}");
    let public = Target::open(environment.public.http());
    let newer = Recipe::new("2026-11-20T05:00:00Z", &["al2023 amd64", "java 21 of tomorrow"]).docker();
    let index = Image::index(&[newer.build()]);
    for tag in ["21", "21.2026.11.20.05"] {
        index.push(&public, "lambda/java", Some(tag)).await;
    }
    let (_, after) = program.audit(NOW, &[]);
    let finding = finding(&after, "orders:1");
    assert_eq!(finding["verdict"], "superseded", "{finding:#}");
    assert_eq!(finding["current"]["digest"], index.digest);
}

#[tokio::test]
async fn an_undecidable_image_is_unknown_with_the_reason() {
    let (environment, releases) = AwsEnvironment::published().await;
    environment.own.push("bare", "1", &Recipe::new("2026-11-19T20:00:00Z", &["x"]).build()).await;
    let latest = Recipe::new("2026-11-19T20:00:00Z", &["y"]).label("sdkBaseVersion", "latest");
    environment.own.push("garbage", "1", &latest.build()).await;
    let hostile = Recipe::new("2026-11-19T20:00:00Z", &["z"]).label("sdkBaseVersion", "evil.example.com/base:1");
    environment.own.push("hostile", "1", &hostile.build()).await;
    environment.own.push("good", "1", &built_on(&releases[4], "good").build()).await;
    let (code, report) = environment.program("").audit(NOW, &[]);
    for (repository, reason) in
        [("bare", "base-unidentified"), ("garbage", "label-malformed"), ("hostile", "registry-not-allowed")]
    {
        let finding = finding(&report, &format!("{repository}:1"));
        assert_eq!(finding["verdict"], "unknown", "{finding:#}");
        assert!(codes(finding).contains(&reason), "{finding:#}");
        assert_eq!(finding["action"], "investigate");
    }
    assert_eq!(finding(&report, "good:1")["verdict"], "fresh");
    assert!(code == 0 || code == 3, "nothing to fail on, whether or not that is complete: {code}");
}

#[tokio::test]
async fn every_platform_of_an_index_has_a_finding() {
    let (environment, releases) = AwsEnvironment::published().await;
    let amd64 = built_on(&releases[0], "amd64").build();
    let arm64 = built_on_arm64(&releases[4], "arm64").build();
    environment.own.push("multi", "2", &Image::index(&[amd64.clone(), arm64.clone()])).await;
    let (_, report) = environment.program("").audit(NOW, &[]);
    let mut deployments: Vec<_> = findings(&report)
        .iter()
        .map(|finding| {
            let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
            let image = &finding["image"];
            (text(&image["platform"]), text(&image["digest"]), text(&finding["verdict"]))
        })
        .collect();
    deployments.sort();
    assert_eq!(
        deployments,
        [
            ("linux/amd64".to_owned(), amd64.digest, "stale".to_owned()),
            ("linux/arm64".to_owned(), arm64.digest, "fresh".to_owned()),
        ],
        "{report:#}"
    );
}

#[tokio::test]
async fn a_wrong_ecr_login_is_reported_without_ending_the_audit() {
    let (environment, releases) = AwsEnvironment::published().await;
    environment.own.push("orders", "1", &built_on(&releases[0], "orders").build()).await;
    let wrong = Registry { access: Access::Basic("AWS", "another-password"), ..Default::default() }.start();
    let program = environment.program("");
    let config = std::fs::read_to_string(program.home().join("basewatch.toml")).expect("the configuration");
    std::fs::write(
        program.home().join("basewatch.toml"),
        config.replace(&environment.own.registry.address, &wrong.address),
    )
    .expect("the configuration changed");
    let (code, report) = program.audit(NOW, &[]);
    let finding = finding(&report, "orders:1");
    assert_eq!(finding["verdict"], "unknown", "{finding:#}");
    assert!(codes(finding).contains(&"registry-denied"), "{finding:#}");
    assert_eq!(report["complete"], false);
    assert_eq!(code, 3);
    assert!(!report.to_string().contains(&password(ACCOUNT)), "the password is in the report");
}

#[tokio::test]
async fn an_unlabelled_image_is_built_on_an_older_release_of_a_base_in_private_ecr() {
    let (environment, _) = AwsEnvironment::published().await;
    let recipe = |layers: &[&str]| Recipe::new("2026-08-22T00:00:00Z", layers).build();
    let first = recipe(&["company os", "company jdk of August"]);
    environment.own.push("base/java", "21", &first).await;
    environment.own.push("orders", "1", &recipe(&["company os", "company jdk of August", "orders"])).await;
    environment.own.push("base/java", "21", &recipe(&["company os", "company jdk of November"])).await;
    let base = format!("{ECR}/base/java");
    let program = environment.program(&format!("[[identify.base]]\nrepository = \"{base}\"\ndefault_tag = \"21\"\n"));
    let mark = environment.own.registry.mark();
    // After all that was pushed now.
    let (_, report) = program.audit("2036-01-01T00:00:00Z", &["--fail-on", "never"]);
    let orders = finding(&report, "orders:1");
    assert_eq!(orders["base"]["identified_by"], "layers", "{orders:#}");
    assert_eq!(orders["base"]["confidence"], "confirmed");
    assert_eq!(orders["base"]["reference"], format!("{base}@{}", first.digest));
    assert_eq!((&orders["behind"]["releases"], &orders["behind"]["exact"]), (&1.into(), &false.into()), "{orders:#}");
    assert!(orders["behind"]["since"].is_string(), "{orders:#}");
    let request = environment.own.registry.requests_since(mark);
    let manifests: Vec<_> = request.iter().filter(|line| line.contains("base/java/manifests/sha256")).collect();
    assert_eq!(manifests, Vec::<&String>::new(), "manifests come from ECR's API");
}
