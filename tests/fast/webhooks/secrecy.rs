//! Signing secrets and URLs never appear in errors.

use basewatch::{
    secret::Secret,
    webhook::{SignatureScheme, WebhookCall},
};
use chrono::Utc;

use crate::webhooks::calls::{quick, webhooks};
use testbed::toxic::{Reply, Toxic};

/// Texts that must not appear.
const SECRETS: [&str; 4] = ["hunter2", "hush-hush", "T0K3N", "s3cret-path"];

fn call(url: &str, signature: SignatureScheme) -> WebhookCall {
    WebhookCall {
        url: Secret::new(format!("{url}/s3cret-path?key=hunter2")),
        headers: vec![("authorization".to_owned(), Secret::new("Bearer T0K3N".to_owned()))],
        content_type: "application/json".to_owned(),
        body: b"token=T0K3N".to_vec(),
        id: "msg-1".to_owned(),
        at: Utc::now(),
        signing: Some((signature, Secret::new("hush-hush".to_owned()))),
        may_repeat: true,
    }
}

#[tokio::test]
async fn errors_and_debug_output_show_no_url_secret_or_body() {
    let server = Toxic::start(|_| Reply::new(400, "no"));
    let redirect = Toxic::start(|_| Reply::redirect("https://elsewhere.example.com/x"));
    let closed = "http://127.0.0.1:1".to_owned();
    let garbage = "http://127.0.0.1:nine".to_owned();
    let webhooks = webhooks(quick());
    for url in [server.endpoint(), redirect.endpoint(), closed, garbage] {
        for signature in [SignatureScheme::StandardWebhooks, SignatureScheme::GitHub, SignatureScheme::Bearer] {
            let call = call(&url, signature);
            let error = webhooks.call(&call).await.unwrap_err();
            let shown = format!("{} {error:?} {call:?} {webhooks:?}", error.why);
            assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
        }
    }
}

#[tokio::test]
async fn an_echoing_service_reveals_no_secret() {
    let server = Toxic::start(|request| {
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        Reply::new(400, format!("Cannot POST {} with {} and {}", request.path, headers.join(", "), request.body))
    });
    let echoed = async |of: WebhookCall| webhooks(quick()).call(&of).await.unwrap_err().why;
    for signature in [SignatureScheme::StandardWebhooks, SignatureScheme::GitHub, SignatureScheme::Bearer] {
        let signed = echoed(call(&server.endpoint(), signature)).await;
        assert!(signed.contains("answered 400: Cannot POST … with"), "{signed}");
        assert!(SECRETS.iter().all(|secret| !signed.contains(secret)), "{signed}");
    }
    // The body repeats the token, so that the quoted part of the response contains it.
    let form = Toxic::start(|request| Reply::new(400, format!("bad: {} {}", request.body, request.path)));
    let content_type = "application/x-www-form-urlencoded".to_owned();
    let of_form = WebhookCall { content_type, signing: None, ..call(&form.endpoint(), SignatureScheme::Bearer) };
    assert!(echoed(of_form).await.ends_with("answered 400: bad: token=… …"));
}
