//! Requests and their responses.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use chrono::Utc;
use reqwest::{
    Method, StatusCode, Url,
    header::{AsHeaderName, HeaderMap},
};

use super::{RedirectRule, RequestKind, ResponseBody, TimeBudget, retry};

/// One request. `Debug` shows its name only, because URL and body may have a secret.
#[derive(Clone)]
pub(crate) struct HttpRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// What it counts as.
    pub(crate) kind: RequestKind,
    /// The name of the content in errors.
    pub(crate) what: String,
    /// The `Accept` header.
    pub(crate) accept: &'static str,
    /// The bytes to send.
    pub(crate) body: Option<RequestBody>,
    /// The longest body of a success, in bytes.
    pub(crate) limit_bytes: u64,
    /// Whether a longer body is cut instead of being an error.
    pub(crate) cut_at_limit: bool,
    /// Which redirects are followed.
    pub(crate) redirects: RedirectRule,
    /// Whether the request may be processed twice. Otherwise it is not retried once it may have arrived.
    pub(crate) may_repeat: bool,
    /// The time budget that it shares with others.
    pub(crate) budget: Option<Arc<TimeBudget>>,
}

impl HttpRequest {
    /// A `GET` of `url`, without redirects; no bytes of its response are accepted yet.
    pub(crate) fn get(url: Url, kind: RequestKind, what: String) -> Self {
        Self {
            method: Method::GET,
            url,
            kind,
            what,
            accept: "*/*",
            body: None,
            limit_bytes: 0,
            cut_at_limit: false,
            redirects: RedirectRule::Never,
            may_repeat: true,
            budget: None,
        }
    }
}

/// The body of a request.
#[derive(Clone)]
pub(crate) struct RequestBody {
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) bytes: Arc<[u8]>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRequest({})", self.what)
    }
}

/// A complete response. `Debug` shows the status only, because headers and body may have a token.
pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ResponseBody,
    /// Whether the requested host sent it, not a redirect target.
    pub(crate) is_from_origin: bool,
}

impl HttpResponse {
    /// A header as text.
    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The wait that the host requests.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry::requested_wait(|name| self.header(name), Utc::now())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({})", self.status)
    }
}
