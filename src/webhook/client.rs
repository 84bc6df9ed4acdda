//! The webhook client: limits of time, size and rate, retries, and no redirects.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use reqwest::{
    Client, Method, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

use super::{
    WebhookCall, WebhookError, WebhookResponse,
    failure::{CallFailure, innermost},
    hidden::secrets_of,
    signature::sign,
};
use crate::{
    http::{AddressScope, HostResolver, HostTrust, RateLimiter, Redactor, RequestCounter, RequestKind, retry},
    secret::Secret,
};

/// Maximum size of a response that is read, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;
/// Maximum wait for the body of an error response, whose status is what counts.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// Number of failed calls in a row after which further calls to a host fail at once, within a run.
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
    requests: Arc<RequestCounter>,
    /// Client without proxy, for loopback.
    here: Client,
    elsewhere: Client,
    hosts: Mutex<HashMap<String, Arc<WebhookHost>>>,
}

/// State of one host.
#[derive(Debug)]
struct WebhookHost {
    name: String,
    limiter: RateLimiter,
    /// Locked during a call: one call at a time per host.
    health: tokio::sync::Mutex<HostHealth>,
}

/// Availability of a host.
#[derive(Debug, Default)]
struct HostHealth {
    /// Number of failed calls in a row.
    failures: u32,
    /// The end of the wait that it requested.
    not_before: Option<Instant>,
}

impl WebhookClient {
    /// A client with `settings`, counting into `requests`.
    ///
    /// # Errors
    ///
    /// When this machine has no TLS.
    pub fn new(settings: WebhookClientSettings, requests: Arc<RequestCounter>) -> Result<Self, String> {
        // Only the configuration names webhooks.
        let resolver = Arc::new(HostResolver::new(HostTrust::Loopback));
        let client = |is_here: bool| {
            let mut builder = Client::builder()
                .user_agent(concat!("basewatch/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(settings.connect_timeout)
                .dns_resolver(Arc::clone(&resolver))
                .redirect(reqwest::redirect::Policy::none());
            if is_here {
                builder = builder.no_proxy();
            }
            builder.build().map_err(|error| format!("webhooks cannot be called: {}", innermost(&error)))
        };
        let (here, elsewhere) = (client(true)?, client(false)?);
        Ok(Self { settings, requests, here, elsewhere, hosts: Mutex::default() })
    }

    /// A client for another run, without the state of hosts.
    #[must_use]
    pub fn for_another_run(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            requests: Arc::clone(&self.requests),
            here: self.here.clone(),
            elsewhere: self.elsewhere.clone(),
            hosts: Mutex::default(),
        }
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
        let url = address(call).map_err(lasting)?;
        let host = self.host(&url);
        let started = Instant::now();
        let mut health = host.health.lock().await;
        health.allow(&host.name)?;
        let mut retries = 0;
        loop {
            let permit = host.limiter.acquire().await;
            self.requests.count(&format!("webhook {}", host.name), RequestKind::Api);
            let response = self.attempt(&host, &method, &url, call, started.elapsed()).await;
            permit.answered();
            let failure = match response {
                Ok(response) => {
                    *health = HostHealth::default();
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            let requested = failure.error.retry_after;
            let is_retried = failure.is_transient
                && retries < self.settings.retries
                && requested.is_none_or(|wait| wait <= self.settings.retry_wait)
                && (call.may_repeat || failure.is_undone);
            if !is_retried {
                health.note(&failure);
                return Err(failure.error);
            }
            tracing::debug!(host = %host.name, why = %failure.error.why, "retrying");
            tokio::time::sleep(retry::wait(retries, requested, self.settings.retry_wait)).await;
            retries += 1;
        }
    }

    fn host(&self, url: &Url) -> Arc<WebhookHost> {
        let name = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let limiter = RateLimiter::new(Some(self.settings.rate));
            Arc::new(WebhookHost { name: name.clone(), limiter, health: tokio::sync::Mutex::default() })
        };
        Arc::clone(hosts.entry(name.clone()).or_insert_with(new))
    }

    /// One attempt, `after` the call was made.
    async fn attempt(
        &self,
        host: &WebhookHost,
        method: &Method,
        url: &Url,
        call: &WebhookCall,
        after: Duration,
    ) -> Result<WebhookResponse, CallFailure> {
        let http = if is_here(url) { &self.here } else { &self.elsewhere };
        let limit = self.settings.request_timeout;
        let mut request = http.request(method.clone(), url.clone());
        if *method == Method::POST {
            let headers = headers(call, after).map_err(|why| CallFailure::of_call(format!("{}: {why}", host.name)))?;
            request = request.headers(headers).body(call.body.clone());
        }
        let exchange = async {
            let response = request.send().await.map_err(|error| CallFailure::of_transport(&host.name, &error))?;
            read(&host.name, response, &secrets_of(call, url)).await
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(CallFailure::of_silence(&host.name, limit)))
    }
}

impl HostHealth {
    /// Fails if the host is not to be called now.
    fn allow(&self, host: &str) -> Result<(), WebhookError> {
        let rest = self.not_before.and_then(|at| at.checked_duration_since(Instant::now()));
        if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
            let why = format!("{host} requested a wait of another {} s", rest.as_secs() + 1);
            return Err(WebhookError { retry_after: Some(rest), ..lasting(why) });
        }
        if self.failures >= MAX_FAILURES {
            return Err(lasting(format!("{host} failed repeatedly in this run")));
        }
        Ok(())
    }

    /// Records a failed call.
    fn note(&mut self, failure: &CallFailure) {
        self.failures = if failure.is_about_host { self.failures + 1 } else { 0 };
        self.not_before = failure.error.retry_after.and_then(|wait| Instant::now().checked_add(wait));
    }
}

/// A failure that does not concern one call alone.
fn lasting(why: String) -> WebhookError {
    WebhookError { why, retry_after: None, is_about_call: false, may_have_arrived: false }
}

/// The URL of `call`. Plain HTTP is allowed to loopback only.
fn address(call: &WebhookCall) -> Result<Url, String> {
    let url = Url::parse(call.url.reveal()).map_err(|_| "its URL is invalid".to_owned())?;
    match url.scheme() {
        _ if reach(&url) == AddressScope::Forbidden => Err("its URL has a forbidden address".to_owned()),
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        _ => Err(format!("{} is not called: https is required", url.host_str().unwrap_or("its URL"))),
    }
}

fn is_here(url: &Url) -> bool {
    reach(url) == AddressScope::Loopback
}

fn reach(url: &Url) -> AddressScope {
    AddressScope::from_host(url.host_str().unwrap_or_default())
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

fn headers(call: &WebhookCall, after: Duration) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let (name, value) = header(name, value.reveal())?;
        headers.insert(name, value);
    }
    let content_type = HeaderValue::from_str(&call.content_type).map_err(|_| "its media type is invalid".to_owned())?;
    headers.insert(CONTENT_TYPE, content_type);
    // Services reject calls older than a few minutes: each attempt has its own timestamp.
    let at = TimeDelta::from_std(after).ok().and_then(|after| call.at.checked_add_signed(after)).unwrap_or(call.at);
    sign(call, at, &mut headers)?;
    Ok(headers)
}

/// Reads a response. A successful one must be complete.
async fn read(host: &str, mut response: Response, hidden: &Redactor) -> Result<WebhookResponse, CallFailure> {
    let status = response.status();
    let mut body = Vec::new();
    if status.is_success() {
        fill(&mut body, &mut response).await.map_err(|error| CallFailure::of_transport(host, &error))?;
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let request_id = ["webhook-id", "x-request-id"].iter().find_map(|name| header(name));
        return Ok(WebhookResponse { status: status.as_u16(), body, request_id });
    }
    // As much as arrives in time.
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, fill(&mut body, &mut response)).await;
    Err(CallFailure::of_status(host, status, response.headers(), &body, hidden))
}

async fn fill(body: &mut Vec<u8>, response: &mut Response) -> reqwest::Result<()> {
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= ANSWER_BYTES {
            body.truncate(ANSWER_BYTES);
            break;
        }
    }
    Ok(())
}
