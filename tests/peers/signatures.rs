//! Verification of webhook signatures with the code in `docs/webhooks.md`.

use std::{fs, sync::Arc};

use basewatch::{
    http::RequestCounter,
    secret::Secret,
    webhook::{self, SignatureScheme, WebhookCall, WebhookClient},
};
use chrono::{TimeDelta, Utc};
use serde_json::json;

use testbed::{
    peers,
    toxic::{Asked, Reply, Toxic},
};

const PAGE: &str = include_str!("../../docs/webhooks.md");

const ASK_IN_PYTHON: &str = "
import json, sys
asked = json.load(open(sys.argv[1]))
print(is_from_basewatch(asked['headers'], asked['body'].encode(), asked['secret'].encode()))
";

fn python_of_the_page() -> &'static str {
    PAGE.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("Python in the page")
}

/// Whether the documented code accepts `asked`.
fn is_ours(request: &Asked, secret: &str) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (program, given) = (folder.path().join("receiver.py"), folder.path().join("asked.json"));
    fs::write(&program, format!("{}\n{ASK_IN_PYTHON}", python_of_the_page())).expect("a file in a new folder");
    let what = json!({ "headers": request.headers, "body": request.body, "secret": secret });
    fs::write(&given, what.to_string()).expect("a file in a new folder");
    match peers::run_python(&[&program, &given]).trim() {
        "True" => true,
        "False" => false,
        other => panic!("the receiver says {other:?}"),
    }
}

#[tokio::test]
async fn the_documented_code_accepts_our_signatures_only() {
    let server = Toxic::start(|_| Reply::new(204, ""));
    let webhooks = WebhookClient::new(webhook::WebhookClientSettings::default(), Arc::new(RequestCounter::default()))
        .expect("TLS");
    let call = |secret: &str| WebhookCall {
        url: Secret::new(server.endpoint()),
        headers: Vec::new(),
        content_type: "application/json".to_owned(),
        body: "{\"name\":\"Zürich, 100 % \\n\"}".into(),
        id: "ab".repeat(32),
        at: Utc::now(),
        signing: Some((SignatureScheme::StandardWebhooks, Secret::new(secret.to_owned()))),
        may_repeat: true,
    };
    webhooks.call(&call("hush")).await.expect("accepted");
    // base64 of `hush`, as the specification writes secrets.
    webhooks.call(&call("whsec_aHVzaA==")).await.expect("accepted");
    let old = WebhookCall { at: Utc::now() - TimeDelta::minutes(10), ..call("hush") };
    webhooks.call(&old).await.expect("accepted");
    let log = server.log();
    assert!(is_ours(&log[0], "hush") && is_ours(&log[1], "hush"));
    assert!(!is_ours(&log[0], "another"));
    assert!(!is_ours(&log[2], "hush"), "one that was heard on the way cannot be sent again later");
    let mut forged = log[0].clone();
    forged.body = forged.body.replace("100", "101");
    assert!(!is_ours(&forged, "hush"));
}
