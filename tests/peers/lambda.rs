//! Audits of Lambda from end to end: the running images, independent of moved tags.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    account::{Account, Function, owner},
    environment::{ACCOUNT, AwsEnvironment, BASE, ECR, NOW, RELEASES, Release, built_on},
};
use testbed::{
    program::{codes, finding, findings, with_id},
    seed::Recipe,
};

const INVENTORY: &str = r#"
    [[inventory.lambda]]
    regions = ["us-east-1"]
"#;

fn id(rest: &str) -> String {
    format!("lambda:us-east-1:{ACCOUNT}:{rest}")
}

/// A published line, and an account that can have functions.
async fn with_functions() -> (AwsEnvironment, Vec<Release>) {
    let (environment, releases) = AwsEnvironment::published().await;
    environment.own.prepare_functions().await;
    (environment, releases)
}

#[tokio::test]
async fn a_function_stays_on_its_image_when_the_tag_moves_on() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    let (old, new) = (built_on(&releases[0], "old").build(), built_on(&releases[4], "new").build());
    own.push("orders", "1", &old).await;
    own.function(&Function::new("orders", own.image("orders:1"))).await;
    own.push("orders", "1", &new).await;
    let (code, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["complete"], true, "{report:#}");
    let finding = finding(&report, "orders");
    assert_eq!(finding["id"], id("orders:$LATEST"));
    let deployment = &finding["deployment"];
    for (field, expected) in [
        ("kind", "lambda"),
        ("qualifier", "$LATEST"),
        ("account", ACCOUNT),
        ("region", "us-east-1"),
        ("state", "Active"),
        ("architecture", "x86_64"),
    ] {
        assert_eq!(deployment[field], expected, "{field}: {finding:#}");
    }
    assert_eq!(deployment["memory_mb"], 512);
    assert_eq!(finding["image"]["reference"], format!("{ECR}/orders:1"));
    assert_eq!(finding["image"]["digest"], old.digest);
    assert_eq!(finding["verdict"], "stale");
    assert_eq!(finding["base"]["release"], format!("21.{}", RELEASES[0]));
    assert_eq!(finding["action"], "redeploy", "{finding:#}");
    assert!(codes(finding).contains(&"not-deployed"), "{finding:#}");
    let replacement = &finding["replacement"];
    assert_eq!(replacement["digest"], new.digest);
    assert_eq!(replacement["reference"], format!("{ECR}/orders:1"));
    assert_eq!(replacement["base_release"], format!("21.{}", RELEASES[4]));
    assert_eq!(replacement["verdict"], "fresh");
}

#[tokio::test]
async fn without_a_better_image_a_rebuild_is_needed() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    own.push("orders", "1", &built_on(&releases[0], "running").build()).await;
    own.function(&Function::new("orders", own.image("orders:1"))).await;
    // Newer, and on the same base.
    own.push("orders", "2", &built_on(&releases[0], "newer").build()).await;
    let (_, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    let finding = finding(&report, "orders");
    assert_eq!((&finding["verdict"], &finding["action"]), (&json!("stale"), &json!("rebuild")), "{finding:#}");
    assert!(!codes(finding).contains(&"not-deployed") && finding["replacement"].is_null(), "{finding:#}");
}

#[tokio::test]
async fn a_function_deployed_by_digest_runs_an_image_that_has_no_tag() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    let (old, new) = (built_on(&releases[0], "old").build(), built_on(&releases[4], "new").build());
    own.push("orders", "1", &old).await;
    own.push("orders", "1", &new).await;
    let pinned = own.image(&format!("orders@{}", old.digest));
    own.function(&Function::new("orders", pinned.clone())).await;
    let (_, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    let finding = finding(&report, "orders");
    assert_eq!(finding["image"]["reference"], pinned);
    assert_eq!(finding["image"]["holding"], "held");
    // Without a tag, it is unknown whether the newer image belongs to the same series.
    assert_eq!((&finding["verdict"], &finding["action"]), (&json!("stale"), &json!("rebuild")), "{finding:#}");
}

#[tokio::test]
async fn a_deleted_or_archived_image_is_to_be_restored() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    for name in ["deleted", "failed", "archived", "held", "orphaned"] {
        let image = built_on(&releases[4], name).build();
        own.push(name, "1", &image).await;
        own.function(&Function::new(name, own.image(&format!("{name}:1")))).await;
        match name {
            "held" => {}
            "archived" => own.archive(name, &image).await,
            "orphaned" => own.delete_repository(name).await,
            _ => own.delete(name, &image).await,
        }
    }
    let state = json!({
        "State": "Failed",
        "StateReasonCode": "ImageDeleted",
        "StateReason": "The image was deleted from its repository.",
    });
    own.bring_into("failed", state).await;
    let (_, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    assert_eq!(report["errors"], json!([]), "a deleted image is a finding, not an error: {report:#}");
    for (name, holding, reason) in [
        ("deleted", "gone", "image-missing"),
        ("failed", "gone", "image-missing"),
        ("orphaned", "gone", "image-missing"),
        ("archived", "archived", "image-archived"),
    ] {
        let finding = finding(&report, name);
        assert_eq!(finding["action"], "restore", "{finding:#}");
        assert_eq!(finding["image"]["holding"], holding, "{finding:#}");
        assert!(codes(finding).contains(&reason), "{finding:#}");
    }
    let failed = &finding(&report, "failed")["deployment"];
    assert_eq!((&failed["state"], &failed["state_reason_code"]), (&json!("Failed"), &json!("ImageDeleted")));
    let held = finding(&report, "held");
    assert_eq!((&held["verdict"], &held["action"]), (&json!("fresh"), &json!("none")), "{held:#}");
}

#[tokio::test]
async fn every_version_that_an_alias_points_to_runs() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    own.push("orders", "1", &built_on(&releases[0], "1").build()).await;
    own.push("orders", "2", &built_on(&releases[2], "2").build()).await;
    own.push("orders", "3", &built_on(&releases[4], "3").build()).await;
    own.function(&Function::new("orders", own.image("orders:1"))).await;
    assert_eq!(own.publish("orders").await, "1");
    own.update("orders", &own.image("orders:2")).await;
    assert_eq!(own.publish("orders").await, "2");
    own.update("orders", &own.image("orders:3")).await;
    assert_eq!(own.publish("orders").await, "3");
    own.alias("orders", "live", "1", Some(("2", 0.1))).await;
    own.function(&Function { image: None, ..Function::new("archive", String::new()) }).await;
    let (_, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    let deployments: Vec<_> = findings(&report)
        .iter()
        .map(|finding| (&finding["id"], &finding["deployment"]["version"], &finding["verdict"]))
        .collect();
    let [latest, live, canary] = ["orders:$LATEST", "orders:live", "orders:live/2"].map(|it| json!(id(it)));
    let [one, two, stale, late, fresh] = ["1", "2", "stale", "out-of-date", "fresh"].map(|it| json!(it));
    for expected in [(&latest, &Value::Null, &fresh), (&live, &one, &stale), (&canary, &two, &late)] {
        assert!(deployments.contains(&expected), "{expected:?} is not in {deployments:#?}");
    }
    assert_eq!(deployments.len(), 3, "neither a version without an alias nor a zip archive: {deployments:#?}");
    assert_eq!(with_id(&report, &id("orders:live"))["action"], "redeploy");
}

#[tokio::test]
async fn many_functions_on_one_image_are_read_once_and_then_only_listed() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    own.push("workers", "7", &built_on(&releases[0], "workers").build()).await;
    let names: Vec<_> = (0..60).map(|number| format!("worker-{number}")).collect();
    for name in &names {
        own.function(&Function { command: Some(name), ..Function::new(name, own.image("workers:7")) }).await;
    }
    let program = environment.audits(INVENTORY, &[]);
    let (_, cold) = program.audit(NOW, &[]);
    assert_eq!(cold["summary"]["deployments"], 60);
    assert_eq!(cold["summary"]["images"], 1);
    let commands: BTreeSet<_> =
        findings(&cold).iter().map(|it| it["deployment"]["command"][0].as_str().expect("a command")).collect();
    assert_eq!(commands.len(), 60, "each function has its own command");
    // Two pages, and each function.
    assert_eq!(cold["requests"]["lambda"], 2 + 60, "{}", cold["requests"]);
    let (moto, private, public) = (environment.moto.mark(), own.registry.mark(), environment.public.mark());
    let (_, warm) = program.audit(NOW, &[]);
    assert_eq!(cold["findings"], warm["findings"]);
    assert_eq!(warm["requests"]["lambda"], 2, "{}", warm["requests"]);
    let calls = environment.moto.calls_since(moto);
    let calls: Vec<_> = calls.iter().filter(|call| !call.starts_with("sts ")).collect();
    assert_eq!(calls, ["lambda ListFunctions", "lambda ListFunctions", "ecr DescribeImages"]);
    assert_eq!(own.registry.requests_since(private), Vec::<String>::new());
    assert_eq!(environment.public.requests_since(public), ["HEAD /v2/lambda/java/manifests/21 200"]);

    own.update("worker-5", &own.image("workers:7")).await;
    let (_, changed) = program.audit(NOW, &[]);
    assert_eq!(changed["requests"]["lambda"], 2 + 1, "only changed functions are requested: {}", changed["requests"]);
}

#[tokio::test]
async fn the_owner_of_a_function_comes_from_its_tags_or_its_name() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    own.create("tagged-repository", &[("owner", "warehouse")]).await;
    own.push("orders", "1", &built_on(&releases[0], "orders").build()).await;
    own.push("tagged-repository", "1", &built_on(&releases[0], "warehouse").build()).await;
    let on = |name, repository: &str| Function::new(name, own.image(&format!("{repository}:1")));
    own.function(&Function { tags: &[("owner", "second"), ("team", "first")], ..on("tagged", "orders") }).await;
    own.function(&on("payments-api", "orders")).await;
    own.function(&on("of-the-repository", "tagged-repository")).await;
    own.function(&on("nobodys", "orders")).await;
    own.function(&on("sandbox-1", "orders")).await;
    let program = environment.audits(
        r#"
        [[inventory.lambda]]
        regions = ["us-east-1"]
        exclude = ["sandbox-*"]

        [owners]
        tags = ["team", "owner"]
        rules = [{ match = "payments-*", owner = "payments" }, { match = "*", owner = "platform" }]
        "#,
        &[],
    );
    let (_, report) = program.audit(NOW, &[]);
    let owners: Vec<_> = findings(&report)
        .iter()
        .map(|finding| (finding["deployment"]["name"].as_str(), finding["deployment"]["owner"].as_str()))
        .collect();
    assert_eq!(
        owners.into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([
            (Some("nobodys"), Some("platform")),
            (Some("of-the-repository"), Some("warehouse")),
            (Some("payments-api"), Some("payments")),
            (Some("tagged"), Some("first")),
        ]),
        "{report:#}"
    );
    let (_, report) = program.audit(NOW, &["--owner", "payments", "--owner", "fir*"]);
    let names: BTreeSet<_> = findings(&report).iter().map(|it| it["deployment"]["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from([Some("payments-api"), Some("tagged")]));
}

#[tokio::test]
async fn a_base_from_a_pull_through_cache_has_its_upstream_name() {
    let (environment, releases) = with_functions().await;
    let own = &environment.own;
    own.cache("ecr-public", "public.ecr.aws").await;
    let recipe = built_on(&releases[0], "orders");
    let cache = format!("{ECR}/ecr-public/lambda/java");
    let cached = format!("{cache}@{}", releases[0].index.digest);
    own.push("orders", "1", &Recipe { labels: Vec::new(), ..recipe }.label("sdkBaseVersion", &cached).build()).await;
    own.function(&Function::new("orders", own.image("orders:1"))).await;
    let (_, report) = environment.audits(INVENTORY, &[]).audit(NOW, &[]);
    let finding = finding(&report, "orders");
    assert_eq!((&finding["verdict"], &finding["base"]["mirror"]), (&json!("stale"), &json!(cache)), "{finding:#}");
    assert_eq!(finding["base"]["line"], format!("{BASE}:21"));
}

#[tokio::test]
async fn all_enabled_regions_of_an_account_are_read() {
    let (environment, releases) = with_functions().await;
    let europe = Account::of(&environment.moto, ACCOUNT, "eu-west-1", owner());
    for (account, name) in [(&environment.own, "orders"), (&europe, "bestellungen")] {
        account.push(name, "1", &built_on(&releases[0], name).build()).await;
        account.function(&Function::new(name, account.image(&format!("{name}:1")))).await;
    }
    let (_, report) = environment.audits("[[inventory.lambda]]\nregions = [\"*\"]\n", &[&europe]).audit(NOW, &[]);
    assert_eq!(report["complete"], true, "{report:#}");
    for (name, region) in [("orders", "us-east-1"), ("bestellungen", "eu-west-1")] {
        let finding = finding(&report, name);
        assert_eq!((&finding["deployment"]["region"], &finding["verdict"]), (&json!(region), &json!("stale")));
    }
    let program = environment.audits("[[inventory.lambda]]\nregions = [\"*\"]\n", &[&europe]);
    let (_, report) = program.audit(NOW, &["--region", "eu-*"]);
    assert_eq!(findings(&report).len(), 1, "{report:#}");
}
