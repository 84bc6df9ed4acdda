//! Retries: when they are allowed, and their signatures.

use std::{
    io::{Read as _, Write as _},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use basewatch::{
    secret::Secret,
    webhook::{SignatureScheme, WebhookCall},
};
use sha2::{Digest as _, Sha256};

use crate::webhooks::calls::{call, error_of, quick, webhooks};
use testbed::toxic::{Asked, Reply, Toxic};

/// HMAC by its definition (RFC 2104, section 2), for keys no longer than a block.
fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| -> Vec<u8> {
        let mut pad = key.to_vec();
        pad.resize(64, 0);
        pad.iter().map(|of_key| of_key ^ byte).collect()
    };
    let inner = Sha256::digest([pad(0x36).as_slice(), text].concat());
    Sha256::digest([pad(0x5c).as_slice(), &inner].concat()).to_vec()
}

/// Verifies a request as <https://www.standardwebhooks.com> requires. Returns its timestamp.
fn checked(request: &Asked, key: &[u8]) -> i64 {
    let header = |name: &str| request.header(name).unwrap();
    let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), request.body);
    let expected = format!("v1,{}", STANDARD.encode(hmac_sha256(key, signed.as_bytes())));
    assert_eq!(header("webhook-signature"), expected);
    header("webhook-timestamp").parse().unwrap()
}

#[tokio::test]
async fn each_attempt_is_signed_with_its_own_timestamp() {
    let server = Toxic::start(|request| match request.nth {
        0 | 1 => Reply::new(429, "").header("retry-after", "1"),
        _ => Reply::new(200, ""),
    });
    let secret = format!("whsec_{}", STANDARD.encode(b"a key of 24 bytes, as it"));
    let signing = Some((SignatureScheme::StandardWebhooks, Secret::new(secret)));
    let call = WebhookCall { signing, body: "{\"q\":\"ü.\"}".into(), ..call(&server.endpoint()) };
    webhooks(quick()).call(&call).await.unwrap();
    let log = server.log();
    let times: Vec<_> = log.iter().map(|request| checked(request, b"a key of 24 bytes, as it")).collect();
    assert_eq!(times.len(), 3);
    assert!(times[2] - times[0] >= 2, "{times:?}");
    assert!(log.iter().all(|request| request.header("webhook-id") == Some("msg-1")));
}

#[tokio::test]
async fn a_call_that_must_not_repeat_is_retried_only_after_a_refusal_before_processing() {
    for (status, tries) in [(500, 1), (502, 1), (504, 1), (503, 4), (429, 4), (408, 4)] {
        let server = Toxic::start(move |_| Reply::new(status, ""));
        let once = WebhookCall { may_repeat: false, ..call(&server.endpoint()) };
        error_of(webhooks(quick()).call(&once).await);
        assert_eq!(server.log().len(), tries, "{status}");
    }
}

#[tokio::test]
async fn retry_after_holds_for_the_rest_of_the_run() {
    let server = Toxic::start(|_| Reply::new(429, "").header("retry-after", "3600"));
    let other = Toxic::start(|_| Reply::new(200, ""));
    let this_run = webhooks(quick());
    for _ in 0..3 {
        let error = error_of(this_run.call(&call(&server.endpoint())).await);
        let rest = error.retry_after.unwrap().as_secs();
        assert!((3590..=3600).contains(&rest) && !error.is_about_call, "{rest}");
    }
    assert_eq!(server.log().len(), 1);
    this_run.call(&call(&other.endpoint())).await.unwrap();
    // The ledger records when the next call is allowed, for later runs.
    error_of(webhooks(quick()).call(&call(&server.endpoint())).await);
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn a_host_that_recovers_gets_the_remaining_calls() {
    let server = Toxic::start(|request| Reply::new(if request.nth < 4 { 503 } else { 200 }, ""));
    let webhooks = webhooks(quick());
    error_of(webhooks.call(&call(&server.endpoint())).await);
    for _ in 0..5 {
        webhooks.call(&call(&server.endpoint())).await.unwrap();
    }
    assert_eq!(server.log().len(), 9);
}

#[tokio::test]
async fn a_refused_connection_is_named_and_fails_fast() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let begun = Instant::now();
    let error = error_of(webhooks(quick()).call(&call(&format!("http://{address}"))).await);
    assert!(error.why.starts_with(&format!("{address} cannot be reached: ")), "{}", error.why);
    assert!(!error.may_have_arrived && !error.is_about_call);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_host_without_tls_is_called_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A second connection is refused.
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let error = error_of(webhooks(quick()).call(&call(&format!("https://{address}"))).await);
    server.join().unwrap();
    assert!(error.why.contains("it does not use TLS at this port"), "{}", error.why);
    assert!(!error.may_have_arrived && !error.is_about_call);
}
