//! CloudEvents of rebuild requests, parsed by the SDK of the specification's project.

use std::collections::{BTreeMap, BTreeSet};

use basewatch::{
    rebuild::{RebuildPreset, RebuildRequest, RebuildRule, presets},
    secret::Secret,
    webhook::SignatureScheme,
};
use serde_json::{Value, json};

use testbed::peers;

fn request() -> RebuildRequest {
    let names = |text: &str| BTreeSet::from([text.to_owned()]);
    RebuildRequest {
        dedup_key: "9f".repeat(32),
        run_id: "01JCZZZZZZZZZZZZZZZZZZZZZZ".to_owned(),
        at: "2026-11-20T06:00:00.123Z".parse().expect("an instant"),
        registry: "123456789012.dkr.ecr.eu-west-1.amazonaws.com".to_owned(),
        repository: "team-a/orders".to_owned(),
        line: "public.ecr.aws/lambda/java:21".to_owned(),
        base: format!("public.ecr.aws/lambda/java@sha256:{}", "ab".repeat(32)),
        base_digest: format!("sha256:{}", "ab".repeat(32)),
        base_release: None,
        from: names("21.2026.08.22.00"),
        deployments: names("orders \u{1F4A5} \"quoted\"\n:live"),
        deployment_count: 1,
        owners: names("payments"),
        account: Some("123456789012".to_owned()),
        region: None,
    }
}

#[test]
fn the_sdk_parses_the_event_of_a_rebuild_request() {
    let rule = RebuildRule {
        name: "events".to_owned(),
        repositories: Vec::new(),
        preset: RebuildPreset::CloudEvents,
        url: Secret::new("https://builds.example.com/".to_owned()),
        secret: None,
        signature: SignatureScheme::default(),
        git_ref: None,
        build_type: None,
        inputs: BTreeMap::new(),
        template: None,
    };
    let request = request();
    let call = presets::call(&rule, &request, None, request.at).expect("a call");
    let event: Value = serde_json::from_str(&peers::read_event(&call.content_type, &call.body)).expect("JSON");
    let attributes = json!({
        "specversion": "1.0",
        "id": request.dedup_key,
        "source": "urn:basewatch",
        "type": "io.basewatch.rebuild.v1",
        "subject": "team-a/orders",
        "time": "2026-11-20T06:00:00+00:00",
        "datacontenttype": "application/json",
    });
    assert_eq!(event["attributes"], attributes);
    assert_eq!(event["data"], serde_json::to_value(&request).expect("JSON"));
}
