//! Lambda: pages, versions, aliases, and what a list leaves out.

use std::collections::BTreeSet;

use aws_sdk_lambda::types::{FunctionVersion, PackageType, State, StateReasonCode};
use basewatch::image::LambdaArch;
use testbed::aws::{Cloud, CloudFunction, CloudVersion, FunctionState};

use crate::aws_loopback::rig::{OTHER, OWN, REGION, at, both_ways, digest, refusal};

const URI: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421";

fn orders() -> CloudFunction {
    let latest = CloudVersion {
        memory_mb: 512,
        last_modified: at("2026-08-22T10:00:00Z"),
        ..CloudVersion::image(URI, &digest("new"))
    };
    CloudFunction::new("orders", latest.on(LambdaArch::Arm64).running(&["app.handler"]))
        .publishing(CloudVersion::image(URI, &digest("old")))
        .publishing(CloudVersion::image(URI, &digest("newer")))
        .alias("live", 1)
        .weighted_alias("canary", 1, 2, 0.25)
        .tag("team", "payments")
}

#[tokio::test]
async fn functions_come_in_pages_of_at_most_fifty() {
    let cloud = Cloud::new(OWN);
    for number in 0..120 {
        let function = CloudFunction::new(&format!("f{number:03}"), CloudVersion::image(URI, &digest("x")));
        cloud.function(OWN, REGION, function.publishing(CloudVersion::image(URI, &digest("y"))));
    }
    for way in both_ways(&cloud) {
        for (all, entries, pages) in [(None, 120, 3), (Some(FunctionVersion::All), 240, 5)] {
            cloud.forget_calls();
            let lambda = way.lambda();
            let call = lambda.list_functions().set_function_version(all).max_items(1000);
            let mut seen = BTreeSet::new();
            let mut paginator = call.into_paginator().send();
            while let Some(page) = paginator.next().await {
                let page = page.unwrap();
                assert!(page.functions().len() <= 50);
                for function in page.functions() {
                    let entry = (function.function_name().unwrap().to_owned(), function.version().unwrap().to_owned());
                    assert!(seen.insert(entry), "each once");
                }
            }
            assert_eq!(seen.len(), entries);
            assert_eq!(cloud.calls().tally("lambda:ListFunctions").calls, pages);
        }
        let few = way.lambda().list_functions().max_items(7).send().await.unwrap();
        assert_eq!(few.functions().len(), 7);
        assert!(few.next_marker().is_some());
    }
}

#[tokio::test]
async fn a_list_stays_complete_while_functions_are_created_and_deleted() {
    let cloud = Cloud::new(OWN);
    for number in 0..60 {
        cloud.function(OWN, REGION, CloudFunction::new(&format!("f{number:02}"), CloudVersion::default()));
    }
    let [way, _] = both_ways(&cloud);
    let first = way.lambda().list_functions().send().await.unwrap();
    assert!(cloud.remove_function(OWN, REGION, "f00"));
    assert!(cloud.remove_function(OWN, REGION, "f50"));
    cloud.function(OWN, REGION, CloudFunction::new("a", CloudVersion::default()));
    let rest = way.lambda().list_functions().marker(first.next_marker().unwrap()).send().await.unwrap();
    let names: Vec<_> = rest.functions().iter().filter_map(|function| function.function_name()).collect();
    assert_eq!(names, (51..60).map(|number| format!("f{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_list_has_neither_state_nor_image_and_get_function_has_both() {
    let cloud = Cloud::new(OWN);
    let state = FunctionState::new("Failed", "ImageDeleted", "The image was deleted.");
    cloud.function(OWN, REGION, CloudFunction { latest: orders().latest.being(state), ..orders() });
    for way in both_ways(&cloud) {
        let list = way.lambda().list_functions().send().await.unwrap();
        let [listed] = list.functions() else { panic!("one function: {list:?}") };
        assert!(listed.state().is_none() && listed.state_reason().is_none() && listed.state_reason_code().is_none());
        assert!(listed.last_update_status().is_none() && listed.image_config_response().is_none());
        assert_eq!(listed.package_type(), Some(&PackageType::Image));
        assert!(listed.runtime().is_none() && listed.handler().is_none());
        assert_eq!(listed.architectures(), [aws_sdk_lambda::types::Architecture::Arm64]);
        assert_eq!(listed.memory_size(), Some(512));
        assert_eq!(listed.last_modified(), Some("2026-08-22T10:00:00.000+0000"));
        assert_eq!(listed.code_sha256(), Some(digest("new").hex()));
        assert_eq!(listed.function_arn(), Some("arn:aws:lambda:eu-west-1:123456789012:function:orders"));

        let whole = way.lambda().get_function().function_name("orders").send().await.unwrap();
        let configuration = whole.configuration().unwrap();
        assert_eq!(configuration.state(), Some(&State::Failed));
        assert_eq!(configuration.state_reason_code(), Some(&StateReasonCode::ImageDeleted));
        assert_eq!(configuration.state_reason(), Some("The image was deleted."));
        assert_eq!(configuration.revision_id(), listed.revision_id());
        assert_eq!(configuration.code_sha256(), listed.code_sha256());
        let image_config = configuration.image_config_response().unwrap().image_config().unwrap();
        assert_eq!(image_config.command(), ["app.handler"]);
        let code = whole.code().unwrap();
        assert_eq!((code.repository_type(), code.image_uri()), (Some("ECR"), Some(URI)));
        let resolved = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders@{}", digest("new"));
        assert_eq!(code.resolved_image_uri(), Some(resolved.as_str()));
        assert_eq!(whole.tags().unwrap()["team"], "payments");
    }
}

#[tokio::test]
async fn a_version_is_found_by_number_by_alias_and_by_arn() {
    let cloud = Cloud::new(OWN);
    cloud.function(OWN, REGION, orders());
    for way in both_ways(&cloud) {
        let lambda = way.lambda();
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
        for (name, qualifier, version, content) in [
            ("orders", None, "$LATEST", "new"),
            ("orders", Some("$LATEST"), "$LATEST", "new"),
            ("orders", Some("2"), "2", "newer"),
            ("orders", Some("live"), "1", "old"),
            (arn, Some("live"), "1", "old"),
            ("orders:live", None, "1", "old"),
        ] {
            let call = lambda.get_function().function_name(name).set_qualifier(qualifier.map(str::to_owned));
            let found = call.send().await.unwrap();
            let configuration = found.configuration().unwrap();
            assert_eq!(configuration.version(), Some(version), "{name} {qualifier:?}");
            assert!(found.code().unwrap().resolved_image_uri().unwrap().ends_with(digest(content).as_str()));
        }
        for (name, qualifier) in [("orders", "3"), ("orders", "dead"), ("unknown", "$LATEST")] {
            let missing = lambda.get_function().function_name(name).qualifier(qualifier).send().await;
            assert_eq!(refusal(missing), ("ResourceNotFoundException".to_owned(), 404), "{name} {qualifier}");
        }
        let foreign = arn.replace(OWN, OTHER);
        let denied = lambda.get_function().function_name(foreign).send().await;
        assert_eq!(refusal(denied), ("AccessDeniedException".to_owned(), 403));
    }
}

#[tokio::test]
async fn aliases_name_their_versions_and_weights() {
    let cloud = Cloud::new(OWN);
    let many = (0..60).fold(orders(), |function, number| function.alias(&format!("a{number}"), 2));
    cloud.function(OWN, REGION, many);
    for way in both_ways(&cloud) {
        let list = way.lambda().list_aliases().function_name("orders").send().await.unwrap();
        assert_eq!(list.aliases().len(), 50);
        let [live, canary, ..] = list.aliases() else { panic!("{list:?}") };
        assert_eq!((live.name(), live.function_version()), (Some("live"), Some("1")));
        assert!(live.routing_config().is_none());
        let weights = canary.routing_config().unwrap().additional_version_weights().unwrap();
        assert!((weights["2"] - 0.25).abs() < f64::EPSILON);
        let marker = list.next_marker().unwrap();
        let rest = way.lambda().list_aliases().function_name("orders").marker(marker).send().await.unwrap();
        assert_eq!((rest.aliases().len(), rest.next_marker()), (12, None));
        let of_one = way.lambda().list_aliases().function_name("orders").function_version("1").send().await.unwrap();
        assert_eq!(of_one.aliases().len(), 2);
        let missing = way.lambda().list_aliases().function_name("unknown").send().await;
        assert_eq!(refusal(missing).0, "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn a_deployment_changes_revision_and_code_hash_but_time_does_not() {
    let cloud = Cloud::new(OWN);
    cloud.function(OWN, REGION, orders());
    let [way, _] = both_ways(&cloud);
    let look = async || {
        let all = way.lambda().list_functions().function_version(FunctionVersion::All).send().await.unwrap();
        let entry = |function: &aws_sdk_lambda::types::FunctionConfiguration| {
            [function.revision_id(), function.code_sha256()].map(|text| text.unwrap().to_owned())
        };
        all.functions().iter().map(entry).collect::<Vec<_>>()
    };
    let before = look().await;
    assert_eq!(before.iter().map(|[revision, _]| revision).collect::<BTreeSet<_>>().len(), 3, "each its own");

    let idle = FunctionState::new("Inactive", "Idle", "The function is idle.");
    assert!(cloud.change_function(OWN, REGION, "orders", |function| function.latest.state = idle));
    assert_eq!(look().await, before);

    assert!(cloud.update_function(OWN, REGION, "orders", |_| {}));
    let again = look().await;
    assert_ne!(again[0][0], before[0][0], "the same image deployed again is a revision");
    assert_eq!(again[0][1], before[0][1]);

    assert!(cloud.update_function(OWN, REGION, "orders", |function| {
        function.latest =
            CloudVersion { revision: function.latest.revision, ..CloudVersion::image(URI, &digest("newest")) };
    }));
    let after = look().await;
    assert!(after[0][0] != again[0][0] && after[0][1] != again[0][1]);
    assert_eq!(after[1..], before[1..], "published versions stay");
    assert!(!cloud.update_function(OWN, REGION, "unknown", |_| {}));
}

#[tokio::test]
async fn archives_have_a_runtime_and_no_image() {
    let cloud = Cloud::new(OWN);
    cloud.function(OWN, REGION, CloudFunction::new("zip", CloudVersion::zip("java21")));
    let [way, _] = both_ways(&cloud);
    let found = way.lambda().get_function().function_name("zip").send().await.unwrap();
    let configuration = found.configuration().unwrap();
    assert_eq!(configuration.package_type(), Some(&PackageType::Zip));
    assert_eq!(configuration.runtime().map(aws_sdk_lambda::types::Runtime::as_str), Some("java21"));
    assert_eq!(found.code().unwrap().repository_type(), Some("S3"));
    assert!(found.code().unwrap().image_uri().is_none());
}

#[tokio::test]
async fn wrong_parameters_are_rejected() {
    let cloud = Cloud::new(OWN);
    for way in both_ways(&cloud) {
        let lambda = way.lambda();
        let invalid = ("InvalidParameterValueException".to_owned(), 400);
        assert_eq!(refusal(lambda.list_functions().max_items(0).send().await), invalid);
        assert_eq!(refusal(lambda.list_functions().marker("made up").send().await), invalid);
        let odd = lambda.list_functions().function_version(FunctionVersion::from("SOME")).send().await;
        assert_eq!(refusal(odd), invalid);
    }
}
