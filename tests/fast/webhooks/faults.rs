//! The same fault means the same to registries and webhooks: both send through one adapter.

use std::{sync::Arc, time::Duration};

use basewatch::{
    http::RequestCounter,
    registry::{DistributionClient, NetworkSettings, Registry as _},
    webhook::WebhookClientSettings,
};

use crate::webhooks::calls::{call, error_of, quick, webhooks};
use testbed::toxic::{Reply, Toxic};

const RETRIES: u32 = 2;
const RETRY_WAIT: Duration = Duration::from_millis(20);

/// How many requests a registry that always replies `fault` receives for one manifest.
async fn requests_to_registry(fault: Reply) -> usize {
    let server = Toxic::start(move |_| fault.clone());
    let allow = vec![server.host()];
    let settings = NetworkSettings { allow, retries: RETRIES, retry_wait: RETRY_WAIT, ..NetworkSettings::default() };
    let client = DistributionClient::new(settings, None, Arc::new(RequestCounter::default())).unwrap();
    let reference = format!("{}/x:1", server.host()).parse().unwrap();
    client.manifest(&reference).await.expect_err("the request fails");
    server.log().len()
}

/// How many requests a webhook that always replies `fault` receives for one call.
async fn requests_to_webhook(fault: Reply) -> usize {
    let server = Toxic::start(move |_| fault.clone());
    let settings = WebhookClientSettings { retries: RETRIES, retry_wait: RETRY_WAIT, ..quick() };
    error_of(webhooks(settings).call(&call(&server.endpoint())).await);
    server.log().len()
}

#[tokio::test]
async fn a_fault_takes_the_same_number_of_attempts_at_a_registry_and_a_webhook() {
    let transient = [408, 425, 429, 500, 502, 503, 504].map(|status| (Reply::new(status, "later"), 3));
    let lasting = [400, 401, 403, 404, 407, 410, 501].map(|status| (Reply::new(status, "no"), 1));
    let cut = [Reply::new(200, "a whole answer").cut_after(3), Reply::new(200, "").cut_head()].map(|reply| (reply, 3));
    let slow_error = [(Reply::new(404, vec![b'x'; 1000]).dripping(Duration::from_millis(50)), 1)];
    for (number, (fault, expected)) in transient.into_iter().chain(lasting).chain(cut).chain(slow_error).enumerate() {
        let found = tokio::join!(requests_to_registry(fault.clone()), requests_to_webhook(fault));
        assert_eq!(found, (expected, expected), "fault {number}");
    }
}
