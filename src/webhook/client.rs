//! How does a call get to a webhook and its answer back? Within time, bytes and rate; tried again only where that
//! can help; never redirected.

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
    Answer, Call, Refused,
    failure::{Failure, innermost},
    hidden::secrets_of,
    signature::sign,
};
use crate::{
    address::{Reach, Resolver, Trust},
    pace::Pace,
    redact::Redactor,
    registry::{RequestKind, Requests},
    retry,
    secret::Secret,
};

/// How much of an answer is read.
const ANSWER_BYTES: usize = 64 * 1024;
/// How long the words of a refusal are waited for: its status is what counts.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(3);
/// So many calls in a row that no try got through to a host, and the others of this run are spared the wait.
const MOST_FAILURES: u32 = 2;

/// Headers that belong to the connection, to the body and to its signature.
const OWN_HEADERS: [&str; 12] = [
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

/// How webhooks are called.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long one try may take, the answer included.
    pub request_timeout: Duration,
    /// Further tries after a failure that may pass.
    pub retries: u32,
    /// The longest wait between tries; who asks for more is called again by a later run.
    pub retry_wait: Duration,
    /// Calls a second to one host. Chat services take one a second for each webhook, with a few at once
    /// (<https://docs.slack.dev/apis/web-api/rate-limits>).
    pub rate: f64,
}

impl Default for Settings {
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

/// Calls webhooks, for one run.
#[derive(Debug)]
pub struct Webhooks {
    settings: Settings,
    requests: Arc<Requests>,
    /// For hosts of this machine no proxy is asked.
    here: Client,
    elsewhere: Client,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// What is known of one host.
#[derive(Debug)]
struct Host {
    name: String,
    pace: Pace,
    /// Held while it is called: one call at a time, as a receiver that can take no more is not helped by more at once.
    health: tokio::sync::Mutex<Health>,
}

/// How a host does.
#[derive(Debug, Default)]
struct Health {
    /// How many calls in a row failed.
    failures: u32,
    /// It asked to be left alone until then.
    not_before: Option<Instant>,
}

impl Webhooks {
    /// Calls as `settings` say, counting into `requests`.
    ///
    /// # Errors
    ///
    /// When this machine has no TLS.
    pub fn new(settings: Settings, requests: Arc<Requests>) -> Result<Self, String> {
        // The configuration names every webhook.
        let resolver = Arc::new(Resolver::new(Trust::Loopback));
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

    /// The same for another run, which gives every host another chance.
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

    /// Makes `call`, several times if it takes that.
    ///
    /// # Errors
    ///
    /// When it was not accepted: what the last try came to.
    pub async fn call(&self, call: &Call) -> Result<Answer, Refused> {
        self.made(Method::POST, call).await
    }

    /// Asks for what is at `url`, with no more in it than the URL: that somebody asks is all there is to say.
    ///
    /// # Errors
    ///
    /// As [`Webhooks::call`].
    pub async fn get(&self, url: &Secret) -> Result<Answer, Refused> {
        let call = Call {
            url: url.clone(),
            headers: Vec::new(),
            content_type: String::new(),
            body: Vec::new(),
            id: String::new(),
            at: Utc::now(),
            signing: None,
            may_repeat: true,
        };
        self.made(Method::GET, &call).await
    }

    async fn made(&self, method: Method, call: &Call) -> Result<Answer, Refused> {
        let url = address(call).map_err(lasting)?;
        let host = self.host(&url);
        let begun = Instant::now();
        let mut health = host.health.lock().await;
        health.allow(&host.name)?;
        let mut tries = 0;
        loop {
            let turn = host.pace.turn().await;
            self.requests.count(&format!("webhook {}", host.name), RequestKind::Api);
            let answer = self.travel(&host, &method, &url, call, begun.elapsed()).await;
            turn.answered();
            let failure = match answer {
                Ok(answer) => {
                    *health = Health::default();
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let asked = failure.refused.retry_after;
            let is_worth_it = failure.is_transient
                && tries < self.settings.retries
                && asked.is_none_or(|asked| asked <= self.settings.retry_wait)
                && (call.may_repeat || failure.is_undone);
            if !is_worth_it {
                health.note(&failure);
                return Err(failure.refused);
            }
            tracing::debug!(host = %host.name, why = %failure.refused.why, "calling again");
            tokio::time::sleep(retry::wait(tries, asked, self.settings.retry_wait)).await;
            tries += 1;
        }
    }

    fn host(&self, url: &Url) -> Arc<Host> {
        let name = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let pace = Pace::new(Some(self.settings.rate));
            Arc::new(Host { name: name.clone(), pace, health: tokio::sync::Mutex::default() })
        };
        Arc::clone(hosts.entry(name.clone()).or_insert_with(new))
    }

    /// One try, so long after the call was made.
    async fn travel(
        &self,
        host: &Host,
        method: &Method,
        url: &Url,
        call: &Call,
        after: Duration,
    ) -> Result<Answer, Failure> {
        let http = if is_here(url) { &self.here } else { &self.elsewhere };
        let limit = self.settings.request_timeout;
        let mut request = http.request(method.clone(), url.clone());
        if *method == Method::POST {
            let headers = headers(call, after).map_err(|why| Failure::of_call(format!("{}: {why}", host.name)))?;
            request = request.headers(headers).body(call.body.clone());
        }
        let exchange = async {
            let response = request.send().await.map_err(|error| Failure::of_transport(&host.name, &error))?;
            read(&host.name, response, &secrets_of(call, url)).await
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(Failure::of_silence(&host.name, limit)))
    }
}

impl Health {
    /// Whether the host may be called.
    fn allow(&self, host: &str) -> Result<(), Refused> {
        let rest = self.not_before.and_then(|at| at.checked_duration_since(Instant::now()));
        if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
            let why = format!("{host} asked to be left alone for another {} s", rest.as_secs() + 1);
            return Err(Refused { retry_after: Some(rest), ..lasting(why) });
        }
        if self.failures >= MOST_FAILURES {
            return Err(lasting(format!("{host} did not work a moment ago")));
        }
        Ok(())
    }

    /// Takes note of a call that was given up.
    fn note(&mut self, failure: &Failure) {
        self.failures = if failure.is_about_host { self.failures + 1 } else { 0 };
        self.not_before = failure.refused.retry_after.and_then(|asked| Instant::now().checked_add(asked));
    }
}

/// What has nothing to do with one call alone.
fn lasting(why: String) -> Refused {
    Refused { why, retry_after: None, is_about_call: false, may_have_arrived: false }
}

/// Where `call` goes. Nothing is sent in the clear, but to this machine.
fn address(call: &Call) -> Result<Url, String> {
    let url = Url::parse(call.url.reveal()).map_err(|_| "its URL cannot be understood".to_owned())?;
    match url.scheme() {
        _ if reach(&url) == Reach::Forbidden => Err("its URL leads to an address that is never called".to_owned()),
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        _ => Err(format!("{} is not called: only https is spoken", url.host_str().unwrap_or("its URL"))),
    }
}

fn is_here(url: &Url) -> bool {
    reach(url) == Reach::Loopback
}

fn reach(url: &Url) -> Reach {
    Reach::from_host(url.host_str().unwrap_or_default())
}

/// Whether a call may have the header `name` with `value` besides those that every call has.
///
/// # Errors
///
/// When it is no header, or one that basewatch sets itself. No error holds the value.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    header(name, value).map(drop)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no name of a header"))?;
    if OWN_HEADERS.contains(&name.as_str()) {
        return Err(format!("the header {name} is set by basewatch itself"));
    }
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| format!("the header {name} would hold what no header may hold"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn headers(call: &Call, after: Duration) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let (name, value) = header(name, value.reveal())?;
        headers.insert(name, value);
    }
    let content_type = HeaderValue::from_str(&call.content_type).map_err(|_| "its media type is none".to_owned())?;
    headers.insert(CONTENT_TYPE, content_type);
    // A receiver turns away what is older than a few minutes: each try says when it was made.
    let at = TimeDelta::from_std(after).ok().and_then(|after| call.at.checked_add_signed(after)).unwrap_or(call.at);
    sign(call, at, &mut headers)?;
    Ok(headers)
}

/// Reads an answer. That of a receiver that accepts the call counts only when it is whole.
async fn read(host: &str, mut response: Response, hidden: &Redactor) -> Result<Answer, Failure> {
    let status = response.status();
    let mut body = Vec::new();
    if status.is_success() {
        fill(&mut body, &mut response).await.map_err(|error| Failure::of_transport(host, &error))?;
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let request_id = ["webhook-id", "x-request-id"].iter().find_map(|name| header(name));
        return Ok(Answer { status: status.as_u16(), body, request_id });
    }
    // As far as it comes in time.
    let _ = tokio::time::timeout(REFUSAL_PATIENCE, fill(&mut body, &mut response)).await;
    Err(Failure::of_status(host, status, response.headers(), &body, hidden))
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
