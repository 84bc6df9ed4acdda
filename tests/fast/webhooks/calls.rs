//! Sequential calls: which failures are retried within the run, and which in a later one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use basewatch::{
    http::RequestCounter,
    secret::Secret,
    webhook::{SignatureScheme, WebhookCall, WebhookClient, WebhookClientSettings, WebhookError, WebhookResponse},
};
use chrono::Utc;

use testbed::toxic::{Reply, Toxic};

/// Settings with short waits.
pub(crate) fn quick() -> WebhookClientSettings {
    WebhookClientSettings {
        request_timeout: Duration::from_secs(2),
        retry_wait: Duration::from_millis(1200),
        rate: 1000.0,
        ..WebhookClientSettings::default()
    }
}

pub(crate) fn webhooks(settings: WebhookClientSettings) -> WebhookClient {
    WebhookClient::new(settings, Arc::new(RequestCounter::default())).unwrap()
}

pub(crate) fn call(url: &str) -> WebhookCall {
    WebhookCall {
        url: Secret::new(format!("{url}/in/5f3a?token=hunter2")),
        headers: vec![("x-team".to_owned(), Secret::new("payments".to_owned()))],
        content_type: "application/json".to_owned(),
        body: b"{}".to_vec(),
        id: "msg-1".to_owned(),
        at: Utc::now(),
        signing: Some((SignatureScheme::StandardWebhooks, Secret::new("hush".to_owned()))),
        may_repeat: true,
    }
}

async fn made(server: &Toxic) -> Result<WebhookResponse, WebhookError> {
    webhooks(quick()).call(&call(&server.endpoint())).await
}

pub(crate) fn error_of(response: Result<WebhookResponse, WebhookError>) -> WebhookError {
    response.expect_err("the call fails")
}

#[tokio::test]
async fn a_retry_repeats_the_call_exactly() {
    let server = Toxic::start(|request| Reply::new(if request.nth < 2 { 503 } else { 202 }, "ok"));
    let response = made(&server).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (202, &b"ok"[..]));
    let log = server.log();
    assert_eq!(log.len(), 3);
    for request in &log {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in/5f3a?token=hunter2"));
        assert_eq!((request.header("webhook-id"), request.header("x-team")), (Some("msg-1"), Some("payments")));
        assert!(request.header("user-agent").unwrap().starts_with("basewatch/"));
        assert!(request.header("webhook-signature").unwrap().starts_with("v1,"));
        assert_eq!(request.body, "{}");
    }
}

#[tokio::test]
async fn a_throttling_host_is_not_called_before_retry_after() {
    let server = Toxic::start(|request| match request.nth {
        0 => Reply::new(429, "").header("retry-after", "1"),
        _ => Reply::new(200, ""),
    });
    let begun = Instant::now();
    made(&server).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));

    // Longer than a run waits: a later run retries.
    let server = Toxic::start(|_| Reply::new(429, "slow down").header("retry-after", "3600"));
    let error = error_of(made(&server).await);
    assert_eq!((error.retry_after, server.log().len()), (Some(Duration::from_hours(1)), 1));
    assert!(error.why.ends_with("answered 429: slow down") && !error.is_about_call, "{}", error.why);

    let until = (Utc::now() + chrono::TimeDelta::minutes(10)).to_rfc2822().replace("+0000", "GMT");
    let server = Toxic::start(move |_| Reply::new(503, "").header("retry-after", &until));
    let request = error_of(made(&server).await).retry_after.unwrap();
    assert!((590..=600).contains(&request.as_secs()), "{request:?}");

    // GitHub throttles with 403.
    let server = Toxic::start(|_| Reply::new(403, "").header("x-ratelimit-remaining", "0").header("retry-after", "60"));
    assert_eq!(error_of(made(&server).await).retry_after, Some(Duration::from_mins(1)));
}

#[tokio::test]
async fn errors_of_the_call_are_distinguished_from_errors_of_the_host() {
    let table: [(u16, bool, usize); 9] = [
        (400, true, 1),
        (413, true, 1),
        (422, true, 1),
        (401, false, 1),
        (403, false, 1),
        (404, false, 1),
        (410, false, 1),
        (500, false, 4),
        (503, false, 4),
    ];
    for (status, is_about_call, tries) in table {
        let server = Toxic::start(move |_| Reply::new(status, "no"));
        let error = error_of(made(&server).await);
        assert_eq!((error.is_about_call, server.log().len()), (is_about_call, tries), "{status}");
        assert!(!error.may_have_arrived, "{status}");
    }
}

#[tokio::test]
async fn a_response_cut_midway_is_a_failure() {
    for cut in [Reply::new(200, "a whole answer").cut_after(3), Reply::new(200, "").cut_head()] {
        let server = Toxic::start(move |_| cut.clone());
        let error = error_of(made(&server).await);
        assert!(error.may_have_arrived && !error.is_about_call, "{}", error.why);
        assert_eq!(server.log().len(), 4);

        // A call that may have arrived is not repeated.
        let once = WebhookCall { may_repeat: false, ..call(&server.endpoint()) };
        let error = error_of(webhooks(quick()).call(&once).await);
        assert!(error.may_have_arrived);
        assert_eq!(server.log().len(), 5);
    }
}

#[tokio::test]
async fn a_call_ends_at_its_timeout() {
    let hasty = WebhookClientSettings { request_timeout: Duration::from_millis(300), retries: 1, ..quick() };
    for slow in [Reply::hang(), Reply::new(200, vec![b'x'; 100]).dripping(Duration::from_millis(50))] {
        let server = Toxic::start(move |_| slow.clone());
        let begun = Instant::now();
        let error = error_of(webhooks(hasty.clone()).call(&call(&server.endpoint())).await);
        assert!(error.why.contains("no complete answer within 300ms") && error.may_have_arrived, "{}", error.why);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_hanging_host_costs_two_timeouts() {
    let server = Toxic::start(|_| Reply::hang());
    let hasty = WebhookClientSettings { request_timeout: Duration::from_millis(300), retries: 10, ..quick() };
    error_of(webhooks(hasty).call(&call(&server.endpoint())).await);
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn an_error_counts_by_its_status_even_if_its_body_is_slow() {
    let server = Toxic::start(|_| Reply::new(422, vec![b'x'; 1000]).dripping(Duration::from_millis(50)));
    let patient = WebhookClientSettings { request_timeout: Duration::from_secs(10), ..quick() };
    let begun = Instant::now();
    let error = error_of(webhooks(patient).call(&call(&server.endpoint())).await);
    assert!(error.is_about_call && error.why.contains("answered 422: xxx"), "{}", error.why);
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn plain_http_and_reserved_headers_are_refused() {
    let far = error_of(webhooks(quick()).call(&call("http://hooks.example.com")).await);
    assert_eq!((far.why.as_str(), far.is_about_call), ("hooks.example.com is not called: https is required", false));
    let server = Toxic::start(|_| Reply::new(200, ""));
    for name in ["Host", "content-length", "Transfer-Encoding", "webhook-signature", "two words"] {
        let headers = vec![(name.to_owned(), Secret::new("hunter2".to_owned()))];
        let error = error_of(webhooks(quick()).call(&WebhookCall { headers, ..call(&server.endpoint()) }).await);
        assert!(error.is_about_call && !error.why.contains("hunter2"), "{name}: {}", error.why);
    }
    assert_eq!(server.log().len(), 0);
}

#[tokio::test]
async fn an_endless_response_is_read_up_to_the_limit() {
    let server = Toxic::start(|_| Reply::endless(200));
    let response = made(&server).await.unwrap();
    assert_eq!(response.body.len(), 64 * 1024);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Toxic::start(|_| Reply::new(200, ""));
    let there = elsewhere.endpoint();
    let server = Toxic::start(move |_| Reply::redirect(&there));
    let error = error_of(made(&server).await);
    assert!(error.why.contains("redirects are not followed"), "{}", error.why);
    assert_eq!((server.log().len(), elsewhere.log().len()), (1, 0));
}

#[tokio::test]
async fn a_host_that_is_down_is_called_at_most_twice_in_a_run() {
    let server = Toxic::start(|_| Reply::new(503, ""));
    let this_run = webhooks(quick());
    for _ in 0..5 {
        error_of(this_run.call(&call(&server.endpoint())).await);
    }
    assert_eq!(server.log().len(), 8);
    let error = error_of(this_run.call(&call(&server.endpoint())).await);
    assert!(error.why.contains("failed repeatedly in this run"), "{}", error.why);
    // The next run retries.
    error_of(webhooks(quick()).call(&call(&server.endpoint())).await);
    assert_eq!(server.log().len(), 12);
}

#[tokio::test]
async fn calls_to_a_host_are_sequential_and_rate_limited() {
    let server = Toxic::start(|_| Reply::new(200, ""));
    let webhooks = webhooks(WebhookClientSettings { rate: 20.0, ..quick() });
    let call = call(&server.endpoint());
    let begun = Instant::now();
    let calls = (0..6).map(|_| webhooks.call(&call));
    for response in futures::future::join_all(calls).await {
        response.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}
