//! The calls of each preset, and the problems of invalid rules.

use serde_json::{Value, json};

use super::*;
use crate::webhook::{WebhookCall, WebhookResponse};

fn call(rule: &RebuildRule, request: &RebuildRequest) -> WebhookCall {
    presets::call(rule, request, Some(&Secret::new("s3cret".to_owned())), at(7)).unwrap()
}

fn body(call: &WebhookCall) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

fn headers(call: &WebhookCall) -> Vec<String> {
    call.headers.iter().map(|(name, value)| format!("{name}: {}", value.reveal())).collect()
}

fn inputs(inputs: &[(&str, &str)]) -> BTreeMap<String, String> {
    inputs.iter().map(|(name, template)| ((*name).to_owned(), (*template).to_owned())).collect()
}

const GITHUB_HEADERS: [&str; 3] =
    ["Accept: application/vnd.github+json", "X-GitHub-Api-Version: 2022-11-28", "User-Agent: basewatch"];

#[test]
fn a_repository_dispatch_has_the_form_of_github() {
    let request = presets::sample();
    let mut rule = rule(RebuildPreset::GitHubRepositoryDispatch);
    let made = call(&rule, &request);
    assert_eq!(headers(&made), GITHUB_HEADERS);
    assert_eq!((made.content_type.as_str(), &made.id, made.at), ("application/json", &request.dedup_key, at(7)));
    assert_eq!(made.signing, Some((SignatureScheme::Bearer, Secret::new("s3cret".to_owned()))));
    let sent = body(&made);
    assert_eq!(sent["event_type"], "basewatch-rebuild");
    assert_eq!(sent["client_payload"]["base"], request.base);
    assert_eq!(sent["client_payload"]["request"], serde_json::to_value(&request).unwrap());
    assert!(sent["client_payload"].as_object().unwrap().len() <= 10);
    rule.inputs = inputs(&[("image", "{{ base }}"), ("key", "{{ dedup_key }}")]);
    let sent = body(&call(&rule, &request));
    assert_eq!(sent["client_payload"], json!({ "image": request.base, "key": request.dedup_key }));
}

#[test]
fn a_repository_dispatch_that_is_too_large_omits_names() {
    let mut request = presets::sample();
    request.deployments = (0..100).map(|number| format!("{number:03}{}", "x".repeat(500))).collect();
    request.owners = (0..100).map(|number| format!("{number:03}{}", "y".repeat(300))).collect();
    let rule = rule(RebuildPreset::GitHubRepositoryDispatch);
    let sent = body(&call(&rule, &request))["client_payload"].clone();
    assert!(sent.to_string().len() < 65_535);
    assert_eq!((&sent["request"]["deployments"], &sent["request"]["deployment_count"]), (&Value::Null, &json!(1)));
    assert_eq!(sent["request"]["owners"].as_array().unwrap().len(), 100);
    request.line = "x".repeat(70_000);
    let secret = Secret::new("s3cret".to_owned());
    let error = presets::call(&rule, &request, Some(&secret), at(0)).unwrap_err();
    assert!(error.contains("GitHub accepts fewer than 65535"), "{error}");
}

#[test]
fn a_workflow_dispatch_sends_the_configured_inputs_and_no_others() {
    let request = presets::sample();
    let mut rule = rule(RebuildPreset::GitHubWorkflowDispatch);
    rule.inputs = inputs(&[("base", "{{ base }}"), ("count", "{{ deployment_count }}")]);
    let made = call(&rule, &request);
    assert_eq!(headers(&made), GITHUB_HEADERS);
    let sent = json!({
        "ref": "main", "inputs": { "base": request.base, "count": "1" }, "return_run_details": true,
    });
    assert_eq!(body(&made), sent);
    let enterprise = "https://github.example.com/api/v3/repos/acme/orders/actions/workflows/1/dispatches";
    rule.url = Secret::new(enterprise.to_owned());
    assert_eq!(body(&call(&rule, &request)).get("return_run_details"), None);
}

#[test]
fn gitlab_is_sent_a_form() {
    let mut rule = rule(RebuildPreset::GitLab);
    rule.inputs = inputs(&[("BASE", "{{ base }}"), ("NOTE", "a&b {{ owners | join('+') }}")]);
    let made = call(&rule, &presets::sample());
    assert_eq!((made.content_type.as_str(), &made.signing), ("application/x-www-form-urlencoded", &None));
    let digest = format!("sha256%3A{}", "ab".repeat(32));
    let expected = format!(
        "token=s3cret&ref=main&variables%5BBASE%5D=public.ecr.aws%2Flambda%2Fjava%40{digest}\
         &variables%5BNOTE%5D=a%26b+payments"
    );
    assert_eq!(String::from_utf8(made.body).unwrap(), expected);
    rule.inputs.clear();
    let sent = String::from_utf8(call(&rule, &presets::sample()).body).unwrap();
    assert!(sent.contains("&variables%5BBASEWATCH_BASE_RELEASE%5D=21.2026.11.19.13&"), "{sent}");
}

#[test]
fn teamcity_is_sent_a_build() {
    let mut rule = rule(RebuildPreset::TeamCity);
    let made = call(&rule, &presets::sample());
    assert_eq!(headers(&made), ["Accept: application/json"]);
    let sent = body(&made);
    assert_eq!(sent["buildType"], json!({ "id": "Shop_Orders" }));
    assert_eq!(sent.get("branchName"), None);
    let properties = sent["properties"]["property"].as_array().unwrap();
    assert!(properties.contains(&json!({ "name": "env.BASEWATCH_REPOSITORY", "value": "orders" })));
    (rule.git_ref, rule.inputs) = (Some("main".to_owned()), inputs(&[("base", "{{ base_release }}")]));
    let sent = body(&call(&rule, &presets::sample()));
    assert_eq!(
        (&sent["branchName"], &sent["properties"]["property"]),
        (&json!("main"), &json!([{ "name": "base", "value": "21.2026.11.19.13" }]))
    );
}

#[test]
fn a_repeated_cloud_event_is_identical() {
    let request = presets::sample();
    let mut rule = rule(RebuildPreset::CloudEvents);
    let made = call(&rule, &request);
    assert_eq!(made.content_type, "application/cloudevents+json; charset=utf-8");
    assert_eq!(made.signing, Some((SignatureScheme::StandardWebhooks, Secret::new("s3cret".to_owned()))));
    let expected = json!({
        "specversion": "1.0",
        "id": request.dedup_key,
        "source": "urn:basewatch",
        "type": "io.basewatch.rebuild.v1",
        "subject": "orders",
        "time": "1970-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "data": request,
    });
    assert_eq!(body(&made), expected);
    rule.template = Some(r#"{"text": {{ repository }}, "base": {{ base }}}"#.to_owned());
    let made = call(&rule, &request);
    assert_eq!(made.content_type, "application/json");
    assert_eq!(body(&made), json!({ "text": "orders", "base": request.base }));
    (rule.template, rule.secret) = (None, None);
    let unsigned = presets::call(&rule, &request, None, at(0)).unwrap();
    assert_eq!(unsigned.signing, None);
}

#[test]
fn a_call_without_its_required_keys_is_not_made() {
    let request = presets::sample();
    for preset in RebuildPreset::ALL {
        let mut bare = rule(preset);
        assert!(presets::call(&bare, &request, None, at(0)).is_err(), "{preset:?} without its secret");
        (bare.git_ref, bare.build_type) = (None, None);
        let made = presets::call(&bare, &request, Some(&Secret::new("x".to_owned())), at(0));
        let needs_more =
            matches!(preset, RebuildPreset::GitHubWorkflowDispatch | RebuildPreset::GitLab | RebuildPreset::TeamCity);
        assert_eq!(made.is_err(), needs_more, "{preset:?}");
        bare = rule(preset);
        bare.inputs = inputs(&[("x", "{{ nonsense }}")]);
        assert!(presets::call(&bare, &request, Some(&Secret::new("x".to_owned())), at(0)).is_err(), "{preset:?}");
    }
}

#[test]
fn the_id_of_the_build_is_read_out_of_the_answer() {
    let response = |body: &str| WebhookResponse { status: 200, body: body.as_bytes().to_vec(), request_id: None };
    let table = [
        (RebuildPreset::GitHubRepositoryDispatch, "", None),
        (RebuildPreset::GitHubWorkflowDispatch, "", None),
        (
            RebuildPreset::GitHubWorkflowDispatch,
            r#"{"workflow_run_id": 7, "run_url": "x", "html_url": "https://github.com/acme/orders/actions/runs/7"}"#,
            Some("https://github.com/acme/orders/actions/runs/7"),
        ),
        (
            RebuildPreset::GitLab,
            r#"{"id": 46, "web_url": "https://gitlab.com/a/b/-/pipelines/46"}"#,
            Some("https://gitlab.com/a/b/-/pipelines/46"),
        ),
        (RebuildPreset::GitLab, r#"{"id": 46, "web_url": "https://x/\u001b[31m"}"#, Some("46")),
        (RebuildPreset::TeamCity, r#"{"id": 12, "webUrl": null}"#, Some("12")),
        (RebuildPreset::CloudEvents, r#"{"id": "abc"}"#, Some("abc")),
        (RebuildPreset::CloudEvents, "ok", None),
        (RebuildPreset::CloudEvents, r#"{"id": {"a": 1}}"#, None),
        (RebuildPreset::CloudEvents, r#"["id"]"#, None),
    ];
    for (preset, body, id) in table {
        assert_eq!(presets::read(preset, &response(body)).as_deref(), id, "{preset:?} {body}");
    }
    let long = format!(r#"{{"id": "{}"}}"#, "x".repeat(501));
    assert_eq!(presets::read(RebuildPreset::CloudEvents, &response(&long)), None);
}

#[test]
fn the_problems_of_a_rule_say_what_is_expected() {
    for preset in RebuildPreset::ALL {
        assert_eq!(presets::check(&rule(preset)), [], "{preset:?}");
    }
    let keys = |rule: &RebuildRule| presets::check(rule).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let bare = |preset| RebuildRule {
        url: Secret::new("https://example.com/".to_owned()),
        secret: None,
        git_ref: None,
        build_type: None,
        ..rule(preset)
    };
    assert_eq!(keys(&bare(RebuildPreset::GitHubRepositoryDispatch)), ["url", "secret"]);
    assert_eq!(keys(&bare(RebuildPreset::GitHubWorkflowDispatch)), ["url", "secret", "ref"]);
    assert_eq!(keys(&bare(RebuildPreset::GitLab)), ["url", "secret", "ref"]);
    assert_eq!(keys(&bare(RebuildPreset::TeamCity)), ["url", "secret", "build_type"]);
    assert_eq!(keys(&bare(RebuildPreset::CloudEvents)), Vec::<&str>::new());
    let full = |preset| RebuildRule {
        git_ref: Some("main".to_owned()),
        build_type: Some("x".to_owned()),
        template: Some("{}".to_owned()),
        inputs: inputs(&[("a-b", "{{ nonsense }}")]),
        ..rule(preset)
    };
    assert_eq!(keys(&full(RebuildPreset::GitHubRepositoryDispatch)), ["ref", "build_type", "template", "inputs"]);
    assert_eq!(keys(&full(RebuildPreset::GitHubWorkflowDispatch)), ["build_type", "template", "inputs"]);
    assert_eq!(keys(&full(RebuildPreset::GitLab)), ["build_type", "template", "inputs", "inputs"]);
    assert_eq!(keys(&full(RebuildPreset::TeamCity)), ["template", "inputs"]);
    assert_eq!(keys(&full(RebuildPreset::CloudEvents)), ["ref", "build_type", "inputs", "inputs"]);
    let many = |preset, count: usize| RebuildRule {
        inputs: (0..count).map(|number| (format!("i{number}"), "x".to_owned())).collect(),
        ..rule(preset)
    };
    assert_eq!(keys(&many(RebuildPreset::GitHubRepositoryDispatch, 10)), Vec::<&str>::new());
    assert_eq!(keys(&many(RebuildPreset::GitHubRepositoryDispatch, 11)), ["inputs"]);
    assert_eq!(keys(&many(RebuildPreset::GitHubWorkflowDispatch, 25)), Vec::<&str>::new());
    assert_eq!(keys(&many(RebuildPreset::GitHubWorkflowDispatch, 26)), ["inputs"]);
    let broken = RebuildRule { template: Some("{{ repository }".to_owned()), ..rule(RebuildPreset::CloudEvents) };
    assert_eq!(keys(&broken), ["template"]);
}

#[test]
fn no_call_shows_its_secret() {
    for preset in RebuildPreset::ALL {
        let mut shown = call(&rule(preset), &presets::sample());
        // The token of GitLab is in the form itself.
        shown.body.clear();
        assert!(!format!("{shown:?}").contains("s3cret"), "{preset:?}");
    }
}
