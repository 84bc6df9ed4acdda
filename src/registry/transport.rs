//! Sends single requests to a registry, within limits for time, size, rate and connections; counts them, and follows
//! allowed redirects.
//!
//! It sends the given authorization to its origin only.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{Error, artifact::UploadBody, circuit_breaker::CircuitBreaker, redirect};
use crate::{
    http::{
        FREE_BYTES, ForbiddenAddress, HostResolver, MemoryShare, RateLimiter, RatePermit, RequestCounter, RequestKind,
        ResponseBody, TimeBudget, WANTS_LOGIN, proxy_failure, retry,
    },
    secret::Secret,
};

/// The longest body of an error response that is read, in bytes.
const ERROR_BODY_BYTES: u64 = 16 * 1024;

/// The prefix of rustls errors about a certificate.
const BAD_CERTIFICATE: &str = "invalid peer certificate:";
/// The rustls error for a response that is not TLS.
const NO_TLS: &str = "corrupt message of type InvalidContentType";

/// The transport of one registry, shared by all requests.
#[derive(Debug)]
pub(super) struct RegistryTransport {
    /// The host that references name.
    pub(super) host: Arc<str>,
    pub(super) http: reqwest::Client,
    /// What `http` resolves names with.
    pub(super) resolver: Arc<HostResolver>,
    pub(super) rate_limiter: RateLimiter,
    pub(super) connections: Semaphore,
    pub(super) requests: Arc<RequestCounter>,
    pub(super) retry_policy: RetryPolicy,
    /// How much of its answers may be in memory.
    pub(super) share: MemoryShare,
    /// Whether the registry is reachable.
    pub(super) circuit_breaker: CircuitBreaker,
}

/// Timeout and retries of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryPolicy {
    /// The timeout of one attempt, including the body.
    pub(super) request_timeout: Duration,
    /// The number of retries after a transient failure.
    pub(super) retries: u32,
    /// The longest wait between attempts.
    pub(super) retry_wait: Duration,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct RegistryRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) kind: RequestKind,
    /// The name of the content in errors.
    pub(super) what: String,
    /// The longest body of a success, in bytes.
    pub(super) limit_bytes: u64,
    /// The `Accept` header.
    pub(super) accept: &'static str,
    /// A form to send; it may have a refresh token.
    pub(super) form: Option<Secret>,
    /// Bytes to send.
    pub(super) upload: Option<UploadBody>,
    /// The time budget that this request shares with others.
    pub(super) budget: Option<Arc<TimeBudget>>,
}

/// A complete response. It must not be logged, because it may have a token.
pub(super) struct RegistryResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body, for digests.
    pub(super) body: ResponseBody,
    /// The body with credentials redacted; `None` if it contains none.
    pub(super) redacted: Option<Vec<u8>>,
    /// Whether the requested host sent it, not a redirect target.
    pub(super) is_from_registry: bool,
}

/// A failed attempt.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) error: Error,
    pub(super) retry_after: Option<Duration>,
    /// Whether a retry would not help although the error is of a transient kind.
    pub(super) is_lasting: bool,
}

impl AttemptError {
    /// A failure that is not retried.
    fn lasting(error: Error) -> Self {
        Self { error, retry_after: None, is_lasting: true }
    }
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self { error, retry_after: None, is_lasting: false }
    }
}

impl RegistryTransport {
    /// One attempt of `request`: any response counts as a success here, whatever its status.
    pub(super) async fn exchange(
        &self,
        request: &RegistryRequest,
        authorization: Option<&HeaderValue>,
    ) -> Result<RegistryResponse, AttemptError> {
        let _connection = self.connections.acquire().await.map_err(|_| self.unreachable("it is shut down"))?;
        let permit = self.rate_limiter.acquire().await;
        // Checked last: the circuit may have opened while this request waited.
        self.circuit_breaker.check().map_err(AttemptError::lasting)?;
        self.requests.count(&self.host, request.kind);
        let limit = self.retry_policy.request_timeout;
        let limit = request.budget.as_ref().map_or(limit, |budget| budget.left().min(limit));
        let begun = Instant::now();
        let mut deadline = begun + limit;
        let response = self.attempt(request, authorization, permit, &mut deadline).await;
        if let Some(budget) = &request.budget {
            let waited = deadline.duration_since(begun + limit);
            budget.spend(begun.elapsed().saturating_sub(waited));
        }
        let response = response?;
        if !response.status.is_server_error() && response.status != StatusCode::TOO_MANY_REQUESTS {
            self.circuit_breaker.record_success();
        }
        Ok(response)
    }

    /// Waits before a retry; returns the error if retrying would not help, or attempts or time are used up. `begun` is
    /// when the first attempt began.
    pub(super) async fn wait_after(
        &self,
        request: &RegistryRequest,
        failure: AttemptError,
        tries: u32,
        begun: Instant,
    ) -> Result<(), Error> {
        if failure.is_lasting || !failure.error.is_transient() {
            return Err(failure.error);
        }
        // A hanging registry costs two timeouts, not one for each attempt.
        let is_last = tries >= self.retry_policy.retries || begun.elapsed() >= self.retry_policy.request_timeout * 2;
        if is_last {
            self.circuit_breaker.record_failure(begun, &failure.error);
            return Err(failure.error);
        }
        let wait = retry::wait(tries, failure.retry_after, self.retry_policy.retry_wait);
        if matches!(failure.error, Error::RateLimited { .. }) {
            self.rate_limiter.pause(wait);
        }
        tracing::debug!(host = %self.host, error = %failure.error, ?wait, "trying again");
        tokio::time::sleep(wait).await;
        if let Some(budget) = &request.budget {
            budget.spend(wait);
        }
        Ok(())
    }

    /// The response to `request`, complete by `deadline`, which is extended while waiting for memory.
    async fn attempt(
        &self,
        request: &RegistryRequest,
        authorization: Option<&HeaderValue>,
        permit: RatePermit<'_>,
        deadline: &mut Instant,
    ) -> Result<RegistryResponse, AttemptError> {
        let response = timeout_at(*deadline, self.travel(request, authorization, permit)).await;
        let (response, is_from_registry) = response.unwrap_or_else(|_| Err(self.late(request)))?;
        self.read(request, response, is_from_registry, deadline).await
    }

    /// The response after redirects, and whether the requested host sent it.
    async fn travel(
        &self,
        request: &RegistryRequest,
        authorization: Option<&HeaderValue>,
        permit: RatePermit<'_>,
    ) -> Result<(Response, bool), AttemptError> {
        let mut permit = Some(permit);
        let mut url = request.url.clone();
        let mut is_home = true;
        for _ in 0..=redirect::MAX_HOPS {
            self.resolver.check(&url).map_err(|rejected| self.rejected(&rejected))?;
            let response = self.start(request, &url, authorization.filter(|_| is_home)).await?;
            if let Some(permit) = permit.take() {
                permit.answered();
            }
            tracing::debug!(
                method = %request.method,
                host = url.host_str(),
                path = url.path(),
                status = response.status().as_u16(),
                "asked"
            );
            let Some(location) = location_of(&response) else { return Ok((response, is_home)) };
            let may_leave = request.kind == RequestKind::Blob && request.method == Method::GET;
            let redirected = |why| self.redirected(request, why);
            let (to, trust) = redirect::next(&request.url, &url, &location, may_leave).map_err(redirected)?;
            self.resolver.trust(to.host_str().unwrap_or_default(), trust);
            url = to;
            // After a redirect away from the origin, credentials are never sent again.
            is_home = is_home && url.origin() == request.url.origin();
        }
        Err(self.redirected(request, "too many redirects".to_owned()).into())
    }

    async fn start(
        &self,
        request: &RegistryRequest,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, AttemptError> {
        let mut builder = self.http.request(request.method.clone(), url.clone()).header(ACCEPT, request.accept);
        if let Some(authorization) = authorization {
            builder = builder.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(form) = &request.form {
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.reveal().to_owned());
        }
        if let Some(upload) = &request.upload {
            builder = builder.header(CONTENT_TYPE, upload.content_type).body(upload.bytes.to_vec());
        }
        builder.send().await.map_err(|error| self.transport_failure(error))
    }

    /// Reads `response` completely. Time spent waiting for memory does not count.
    async fn read(
        &self,
        request: &RegistryRequest,
        mut response: Response,
        is_from_registry: bool,
        deadline: &mut Instant,
    ) -> Result<RegistryResponse, AttemptError> {
        let status = response.status();
        let limit_bytes = if status.is_success() { request.limit_bytes } else { ERROR_BODY_BYTES };
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        if request.method == Method::HEAD {
            return Ok(RegistryResponse { status, headers, body: body.into(), redacted: None, is_from_registry });
        }
        let too_large = || Error::TooLarge { what: request.what.clone(), limit_bytes };
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if status.is_success() && announced.is_some_and(|bytes| bytes > limit_bytes) {
            return Err(too_large().into());
        }
        let most_bytes = announced.map_or(limit_bytes, |bytes| bytes.min(limit_bytes));
        let mut reserved = None;
        loop {
            let chunk = timeout_at(*deadline, response.chunk()).await.map_err(|_| self.late(request))?;
            let chunk = match chunk {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // The body of an error response is optional.
                Err(_) if !status.is_success() => break,
                Err(error) => return Err(self.transport_failure(error)),
            };
            let bytes = (body.len() + chunk.len()) as u64;
            if bytes > limit_bytes && status.is_success() {
                return Err(too_large().into());
            }
            if bytes > FREE_BYTES && reserved.is_none() {
                let waiting = Instant::now();
                reserved = self.share.reserve(most_bytes).await;
                *deadline += waiting.elapsed();
                // Reserved once instead of growing, which would exceed the reservation.
                body.reserve_exact(usize::try_from(most_bytes).unwrap_or_default().saturating_sub(body.len()));
            }
            body.extend_from_slice(&chunk);
            if bytes > limit_bytes {
                body.truncate(usize::try_from(limit_bytes).unwrap_or(usize::MAX));
                break;
            }
        }
        Ok(RegistryResponse {
            status,
            headers,
            body: ResponseBody::new(body, reserved),
            redacted: None,
            is_from_registry,
        })
    }

    /// A timeout.
    fn late(&self, request: &RegistryRequest) -> AttemptError {
        let limit = self.retry_policy.request_timeout;
        match &request.budget {
            Some(budget) if budget.left() <= limit => {
                let why = format!("{} was not complete within {:?}", request.what, budget.total());
                AttemptError::lasting(self.unreachable(why))
            }
            _ => self.unreachable(format!("no complete response within {limit:?}")).into(),
        }
    }

    fn redirected(&self, request: &RegistryRequest, why: String) -> Error {
        Error::Redirected { registry: self.host.to_string(), what: request.what.clone(), why }
    }

    fn unreachable(&self, why: impl Into<String>) -> Error {
        Error::Unreachable { registry: self.host.to_string(), why: why.into() }
    }

    /// The failure for a host that must not be contacted.
    fn rejected(&self, rejected: &ForbiddenAddress) -> AttemptError {
        let hint = if rejected.is_private() { "; add the host to network.allow if it is yours" } else { "" };
        AttemptError::lasting(self.unreachable(format!("{rejected}{hint}")))
    }

    fn transport_failure(&self, error: reqwest::Error) -> AttemptError {
        let is_timeout = error.is_timeout();
        let is_connect = error.is_connect();
        // The causes without the URL, which may be presigned.
        let error = error.without_url();
        if let Some(why) = proxy_failure(&error) {
            let is_lasting = why == WANTS_LOGIN;
            return AttemptError { error: self.unreachable(why), retry_after: None, is_lasting };
        }
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        if let Some(rejected) = cause.downcast_ref::<ForbiddenAddress>() {
            return self.rejected(rejected);
        }
        let cause = cause.to_string();
        let is_lasting = cause.starts_with(BAD_CERTIFICATE) || cause.contains(NO_TLS);
        let why = match (is_timeout, is_connect) {
            (true, true) => "connection timed out".to_owned(),
            (true, false) => "no response in time".to_owned(),
            _ => tls_trouble(&cause).unwrap_or(cause),
        };
        AttemptError { error: self.unreachable(why), retry_after: None, is_lasting }
    }
}

impl RegistryResponse {
    /// The body, with credentials redacted.
    pub(super) fn document(&self) -> &[u8] {
        self.redacted.as_deref().unwrap_or(&self.body)
    }

    /// A header as text.
    pub(super) fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The wait that the registry requests.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER).and_then(|value| retry::retry_after(value, Utc::now()))
    }
}

/// The TLS problem of a registry, from the error text `cause` of the library.
fn tls_trouble(cause: &str) -> Option<String> {
    if cause.contains(NO_TLS) {
        return Some(
            "it does not use TLS at this port; should its endpoint be http:// instead of https://?".to_owned(),
        );
    }
    let why = cause.strip_prefix(BAD_CERTIFICATE)?.trim();
    Some(match why {
        "UnknownIssuer" => "its certificate is from an unknown authority: set ca_file".to_owned(),
        "Expired" => "its certificate has expired".to_owned(),
        why if why.contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority, which a server must not use".to_owned()
        }
        // Text for people, unlike type names.
        why if why.contains(' ') && !why.contains('(') => format!("its certificate is not accepted: {why}"),
        why => format!("its certificate is not accepted ({why})"),
    })
}

fn location_of(response: &Response) -> Option<String> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    location.to_str().ok().map(str::to_owned)
}
