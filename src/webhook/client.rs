//! The webhook client: one call at a time for each host, signed anew in each attempt.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use reqwest::{
    Method, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::{
    WebhookCall, WebhookError, WebhookResponse,
    failure::{failed, is_limited, refused, unsent},
    hidden::secrets_of,
    signature::sign,
};
use crate::{
    http::{
        AddressScope, HostLimits, HostResolver, HostTrust, HttpClient, HttpHost, HttpRequest, RequestBody,
        RequestCounter, RequestKind,
    },
    secret::Secret,
};

/// Maximum size of a response that is read, in bytes.
const ANSWER_BYTES: u64 = 64 * 1024;
/// Number of failed calls in a row after which further calls to a host fail at once.
const MAX_FAILURES: u32 = 2;

/// Headers of the connection, the body and the signature, which callers cannot set.
const RESERVED_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-hub-signature-256",
];

/// Limits of webhook calls.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookClientSettings {
    /// Timeout of opening a connection.
    pub connect_timeout: Duration,
    /// Timeout of one attempt, including the response.
    pub request_timeout: Duration,
    /// Maximum number of retries after a transient failure.
    pub retries: u32,
    /// Maximum wait between attempts. If the service requests more, a later run calls again.
    pub retry_wait: Duration,
    /// Calls per second to one host. Chat services allow one per second and webhook, with short bursts
    /// (<https://docs.slack.dev/apis/web-api/rate-limits>).
    pub rate: f64,
}

impl Default for WebhookClientSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            retries: 3,
            retry_wait: Duration::from_secs(10),
            rate: 1.0,
        }
    }
}

/// Client of webhooks for one run.
#[derive(Debug)]
pub struct WebhookClient {
    settings: WebhookClientSettings,
    http: HttpClient,
    hosts: Mutex<HashMap<String, Arc<WebhookHost>>>,
}

/// One host.
#[derive(Debug)]
struct WebhookHost {
    name: String,
    http: HttpHost,
    /// Held during a call: further ones wait until it is known whether the host is up.
    calls: tokio::sync::Mutex<()>,
}

impl WebhookClient {
    /// A client with `settings`, counting into `requests`.
    ///
    /// # Errors
    ///
    /// When this machine has no TLS.
    pub fn new(settings: WebhookClientSettings, requests: Arc<RequestCounter>) -> Result<Self, String> {
        // Only the configuration names webhooks.
        let http = HttpClient::new(settings.connect_timeout, HostResolver::new(HostTrust::Loopback), requests);
        http.client(None, false).map_err(|error| format!("webhooks cannot be called: {error}"))?;
        Ok(Self { settings, http, hosts: Mutex::default() })
    }

    /// Makes `call`, with retries.
    ///
    /// # Errors
    ///
    /// When it was not accepted: the failure of the last attempt.
    pub async fn call(&self, call: &WebhookCall) -> Result<WebhookResponse, WebhookError> {
        self.send(Method::POST, call).await
    }

    /// Sends a `GET` to `url`, as a heartbeat.
    ///
    /// # Errors
    ///
    /// As [`WebhookClient::call`].
    pub async fn get(&self, url: &Secret) -> Result<WebhookResponse, WebhookError> {
        let call = WebhookCall {
            url: url.clone(),
            headers: Vec::new(),
            content_type: String::new(),
            body: Vec::new(),
            id: String::new(),
            at: Utc::now(),
            signing: None,
            may_repeat: true,
        };
        self.send(Method::GET, &call).await
    }

    async fn send(&self, method: Method, call: &WebhookCall) -> Result<WebhookResponse, WebhookError> {
        let url = address(call).map_err(unsent)?;
        let host = self.host(&url).map_err(unsent)?;
        let hidden = secrets_of(call, &url);
        let is_post = method == Method::POST;
        let body = RequestBody { content_type: call.content_type.clone().into(), bytes: call.body.as_slice().into() };
        let request = HttpRequest {
            method,
            body: is_post.then_some(body),
            limit_bytes: ANSWER_BYTES,
            cut_at_limit: true,
            may_repeat: call.may_repeat,
            ..HttpRequest::get(url, RequestKind::Api, "a webhook call".to_owned())
        };
        let started = Instant::now();
        let _call = host.calls.lock().await;
        let mut attempts = host.http.attempts(&request);
        loop {
            attempts.ready().await;
            let headers = if is_post { headers(call, started.elapsed()) } else { Ok(HeaderMap::new()) };
            let headers = headers
                .map_err(|why| WebhookError { is_about_call: true, ..unsent(format!("{}: {why}", host.name)) })?;
            let attempt = attempts.next(&headers).await;
            match attempt.map_err(|error| failed(&host.name, &error, &hidden))? {
                Some(response) if response.status.is_success() => {
                    let header = |name| response.header(name).map(str::to_owned);
                    let request_id = header("webhook-id").or_else(|| header("x-request-id"));
                    let status = response.status.as_u16();
                    return Ok(WebhookResponse { status, body: response.body.to_vec(), request_id });
                }
                Some(response) => return Err(refused(&host.name, &response, &hidden)),
                None => {}
            }
        }
    }

    fn host(&self, url: &Url) -> Result<Arc<WebhookHost>, String> {
        let name = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&name) {
            return Ok(Arc::clone(host));
        }
        let limits = HostLimits {
            request_timeout: self.settings.request_timeout,
            retries: self.settings.retries,
            retry_wait: self.settings.retry_wait,
            is_deferrable: true,
            rate: Some(self.settings.rate),
            connections: 1,
            failures_to_open: MAX_FAILURES,
            is_throttled: is_limited,
        };
        let http = self.http.host(format!("webhook {name}").into(), url, None, limits);
        let http = http.map_err(|error| format!("{name} cannot be called: {error}"))?;
        let host = Arc::new(WebhookHost { name: name.clone(), http, calls: tokio::sync::Mutex::default() });
        hosts.insert(name, Arc::clone(&host));
        Ok(host)
    }
}

/// The URL of `call`. Plain HTTP is allowed to loopback only.
fn address(call: &WebhookCall) -> Result<Url, String> {
    let url = Url::parse(call.url.reveal()).map_err(|_| "its URL is invalid".to_owned())?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if AddressScope::from_url(&url) == AddressScope::Loopback => Ok(url),
        _ => Err(format!("{} is not called: https is required", url.host_str().unwrap_or("its URL"))),
    }
}

/// Checks that a call may have the additional header `name` with `value`.
///
/// # Errors
///
/// When it is invalid or reserved. The error does not contain the value.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    header(name, value).map(drop)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a header name"))?;
    if RESERVED_HEADERS.contains(&name.as_str()) {
        return Err(format!("the header {name} is set by basewatch itself"));
    }
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| format!("the value of the header {name} has invalid characters"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The headers of an attempt, `after` the call was made.
fn headers(call: &WebhookCall, after: Duration) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let (name, value) = header(name, value.reveal())?;
        headers.insert(name, value);
    }
    // Services reject calls older than a few minutes: each attempt has its own timestamp.
    let at = TimeDelta::from_std(after).ok().and_then(|after| call.at.checked_add_signed(after)).unwrap_or(call.at);
    sign(call, at, &mut headers)?;
    Ok(headers)
}
