//! One host: sends requests to it within limits, counts and retries them, and follows allowed redirects.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Method, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    Error, HostResolver, HttpRequest, HttpResponse, RedirectRule, RequestCounter, ResponseBody,
    circuit_breaker::CircuitBreaker,
    error::AttemptError,
    memory_budget::{FREE_BYTES, MemoryShare},
    proxy::WANTS_LOGIN,
    rate_limiter::{RateLimiter, RatePermit},
    redirect, retry,
};

/// The longest body of an error response that is read, in bytes.
const ERROR_BODY_BYTES: usize = 16 * 1024;
/// The longest wait for the body of an error response, whose status is what counts.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// The limits of the requests to one host.
#[derive(Clone, Debug)]
pub(crate) struct HostLimits {
    /// The timeout of one attempt, including the body.
    pub(crate) request_timeout: Duration,
    /// The number of retries after a transient failure.
    pub(crate) retries: u32,
    /// The longest wait between attempts.
    pub(crate) retry_wait: Duration,
    /// Whether a later run sends a failed request again. Then a host that requests a longer wait is left alone until
    /// its end; otherwise requests are retried after the longest wait.
    pub(crate) is_deferrable: bool,
    /// Requests per second; `None` is unlimited.
    pub(crate) rate: Option<f64>,
    /// The most concurrent requests.
    pub(crate) connections: usize,
    /// After this number of failed requests in a row, further ones fail at once.
    pub(crate) failures_to_open: u32,
    /// Whether an error response means throttling, besides status 429.
    pub(crate) is_throttled: fn(&HttpResponse) -> bool,
}

/// The requests to one host. Its state is shared by all of them.
#[derive(Debug)]
pub(crate) struct HttpHost {
    /// Its name in the counts of requests.
    pub(super) name: Arc<str>,
    pub(super) http: reqwest::Client,
    /// What `http` resolves names with.
    pub(crate) resolver: Arc<HostResolver>,
    pub(super) requests: Arc<RequestCounter>,
    /// How much of its responses may be in memory.
    pub(super) share: MemoryShare,
    pub(super) connections: Semaphore,
    pub(crate) rate_limiter: RateLimiter,
    pub(super) circuit_breaker: CircuitBreaker,
    pub(super) limits: HostLimits,
}

/// The attempts of one request.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    host: &'a HttpHost,
    request: &'a HttpRequest,
    begun: Instant,
    tries: u32,
    /// The wait before the next attempt.
    wait: Option<Duration>,
    /// Whether the host throttled the last attempt.
    pub(crate) is_throttled: bool,
}

impl Attempts<'_> {
    /// The response to one more attempt with `headers`, which only the requested origin receives; `None` if it failed
    /// and there is another attempt; an error if retrying would not help, or attempts or time are used up. A response
    /// is a failure only if its status may pass.
    pub(crate) async fn next(&mut self, headers: &HeaderMap) -> Result<Option<HttpResponse>, Error> {
        self.ready().await;
        match self.host.attempt(self.request, headers).await {
            Ok(response) => Ok(Some(response)),
            Err(failure) => self.plan_retry(failure).map(|()| None),
        }
    }

    /// Waits until the next attempt may be made.
    pub(crate) async fn ready(&mut self) {
        let Some(wait) = self.wait.take() else { return };
        tokio::time::sleep(wait).await;
        if let Some(budget) = &self.request.budget {
            budget.spend(wait);
        }
    }

    /// Plans the next attempt after `failure`; returns the error if there is none.
    fn plan_retry(&mut self, failure: AttemptError) -> Result<(), Error> {
        let (host, limits) = (self.host, &self.host.limits);
        self.is_throttled = failure.is_throttled;
        if !failure.is_transient {
            return Err(failure.error);
        }
        // A hanging host costs two timeouts, not one for each attempt.
        let is_last = self.tries >= limits.retries || self.begun.elapsed() >= limits.request_timeout * 2;
        let requested = failure.error.retry_after();
        let is_deferred = limits.is_deferrable && requested.is_some_and(|wait| wait > limits.retry_wait);
        if is_last || is_deferred || !(self.request.may_repeat || failure.is_undone()) {
            let rest = requested.filter(|_| limits.is_deferrable);
            host.circuit_breaker.record_failure(self.begun, &failure.error, rest);
            return Err(failure.error);
        }
        let wait = retry::wait(self.tries, requested, limits.retry_wait);
        if failure.is_throttled {
            host.rate_limiter.pause(wait);
        }
        tracing::debug!(host = %host.name, error = %failure.error, ?wait, "trying again");
        self.wait = Some(wait);
        self.tries += 1;
        Ok(())
    }
}

impl HttpHost {
    /// The attempts of `request`, none of which is made yet.
    pub(crate) fn attempts<'a>(&'a self, request: &'a HttpRequest) -> Attempts<'a> {
        Attempts { host: self, request, begun: Instant::now(), tries: 0, wait: None, is_throttled: false }
    }

    async fn attempt(&self, request: &HttpRequest, headers: &HeaderMap) -> Result<HttpResponse, AttemptError> {
        let _connection = self.connections.acquire().await.expect("the semaphore is never closed");
        let permit = self.rate_limiter.acquire().await;
        // Checked last: the circuit may have opened while this request waited.
        self.circuit_breaker.check().map_err(AttemptError::lasting)?;
        self.requests.count(&self.name, request.kind);
        let limit = self.limits.request_timeout;
        let limit = request.budget.as_ref().map_or(limit, |budget| budget.left().min(limit));
        let begun = Instant::now();
        let mut deadline = begun + limit;
        let response = self.exchange(request, headers, permit, &mut deadline).await;
        if let Some(budget) = &request.budget {
            let waited = deadline.duration_since(begun + limit);
            budget.spend(begun.elapsed().saturating_sub(waited));
        }
        let response = response?;
        if response.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(AttemptError::lasting(Error::Unreachable(WANTS_LOGIN.to_owned())));
        }
        let is_throttled = response.status == StatusCode::TOO_MANY_REQUESTS
            || (!response.status.is_success() && (self.limits.is_throttled)(&response));
        if is_throttled || retry::is_transient_status(response.status.as_u16()) {
            let error = Error::Refused(Arc::new(response));
            return Err(AttemptError { is_throttled, ..AttemptError::transient(error) });
        }
        self.circuit_breaker.record_success();
        Ok(response)
    }

    /// The response to `request`, complete by `deadline`, which is extended while waiting for memory.
    async fn exchange(
        &self,
        request: &HttpRequest,
        headers: &HeaderMap,
        permit: RatePermit<'_>,
        deadline: &mut Instant,
    ) -> Result<HttpResponse, AttemptError> {
        let travelled = timeout_at(*deadline, self.travel(request, headers, permit)).await;
        let (mut response, is_from_origin) = travelled.unwrap_or_else(|_| Err(self.late(request)))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = if request.method == Method::HEAD {
            Vec::new().into()
        } else if status.is_success() {
            self.body(request, response, &headers, deadline).await?
        } else {
            error_body(response, *deadline).await.into()
        };
        Ok(HttpResponse { status, headers, body, is_from_origin })
    }

    /// The response after redirects, and whether the requested origin sent it.
    async fn travel(
        &self,
        request: &HttpRequest,
        headers: &HeaderMap,
        permit: RatePermit<'_>,
    ) -> Result<(Response, bool), AttemptError> {
        let mut permit = Some(permit);
        let mut url = request.url.clone();
        let mut is_home = true;
        let redirected = |why: String| AttemptError::lasting(Error::Redirected(why));
        for _ in 0..=redirect::MAX_HOPS {
            self.resolver.check(&url).map_err(|forbidden| AttemptError::lasting(Error::Forbidden(forbidden)))?;
            let response = self.start(request, &url, is_home.then_some(headers)).await?;
            if let Some(permit) = permit.take() {
                permit.answered();
            }
            // Without the path, which may be a secret.
            tracing::debug!(
                method = %request.method,
                host = url.host_str(),
                what = request.what,
                status = response.status().as_u16(),
                "asked"
            );
            let Some(location) = location_of(&response).filter(|_| !matches!(request.redirects, RedirectRule::Never))
            else {
                return Ok((response, is_home));
            };
            let next = redirect::next(&request.url, &url, &location, request.redirects);
            let (to, trust) = next.map_err(redirected)?;
            self.resolver.trust(to.host_str().unwrap_or_default(), trust);
            url = to;
            // After a redirect away from the origin, credentials are never sent again.
            is_home = is_home && url.origin() == request.url.origin();
        }
        Err(redirected("too many redirects".to_owned()))
    }

    async fn start(
        &self,
        request: &HttpRequest,
        url: &Url,
        headers: Option<&HeaderMap>,
    ) -> Result<Response, AttemptError> {
        let mut builder = self.http.request(request.method.clone(), url.clone()).header(ACCEPT, request.accept);
        if let Some(headers) = headers {
            builder = builder.headers(headers.clone());
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, &*body.content_type).body(body.bytes.to_vec());
        }
        Ok(builder.send().await?)
    }

    /// The body of a success. Time spent waiting for memory does not count.
    async fn body(
        &self,
        request: &HttpRequest,
        mut response: Response,
        headers: &HeaderMap,
        deadline: &mut Instant,
    ) -> Result<ResponseBody, AttemptError> {
        let limit_bytes = request.limit_bytes;
        let too_large = || Err(AttemptError::lasting(Error::TooLarge(limit_bytes)));
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if !request.cut_at_limit && announced.is_some_and(|bytes| bytes > limit_bytes) {
            return too_large();
        }
        let most_bytes = announced.map_or(limit_bytes, |bytes| bytes.min(limit_bytes));
        let mut body = Vec::new();
        let mut reserved = None;
        loop {
            let chunk = timeout_at(*deadline, response.chunk()).await.map_err(|_| self.late(request))?;
            let Some(chunk) = chunk? else { break };
            let room = usize::try_from(limit_bytes).unwrap_or(usize::MAX) - body.len();
            if chunk.len() > room && !request.cut_at_limit {
                return too_large();
            }
            if (body.len() + chunk.len()) as u64 > FREE_BYTES && reserved.is_none() {
                let waiting = Instant::now();
                reserved = self.share.reserve(most_bytes).await;
                *deadline += waiting.elapsed();
                // Reserved once instead of growing, which would exceed the reservation.
                body.reserve_exact(usize::try_from(most_bytes).unwrap_or_default().saturating_sub(body.len()));
            }
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if request.cut_at_limit && chunk.len() >= room {
                break;
            }
        }
        Ok(ResponseBody::new(body, reserved))
    }

    /// A timeout.
    fn late(&self, request: &HttpRequest) -> AttemptError {
        let limit = self.limits.request_timeout;
        match &request.budget {
            Some(budget) if budget.left() <= limit => AttemptError::lasting(Error::TimedOut(budget.total())),
            _ => AttemptError::transient(Error::TimedOut(limit)),
        }
    }
}

/// As much of the body of an error response as arrives in time.
async fn error_body(mut response: Response, deadline: Instant) -> Vec<u8> {
    let deadline = deadline.min(Instant::now() + ERROR_BODY_TIMEOUT);
    let mut body = Vec::new();
    while body.len() < ERROR_BODY_BYTES
        && let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(ERROR_BODY_BYTES);
    body
}

fn location_of(response: &Response) -> Option<String> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    location.to_str().ok().map(str::to_owned)
}
