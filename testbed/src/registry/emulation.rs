//! The emulated behaviour of a registry: authentication, throttling, pagination.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use serde_json::json;

use super::{refuse, stock::Stock};
use basewatch::image::Digest;

/// The largest page that ECR gives.
const MAX_PAGE: usize = 1000;
const SECOND: Duration = Duration::from_secs(1);

/// How a loopback registry behaves; by default it is open, unlimited and helpful.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a manner of its own")]
pub struct Behaviour {
    /// Whether a Bearer token with `scope="aws"` is needed for everything, and a wrong one is answered
    /// with 400 `DENIED`.
    pub wants_token: bool,
    /// Whether only the response to a `HEAD` names the digest.
    pub digest_by_head_only: bool,
    /// Whether a `HEAD` of a blob is refused.
    pub denies_blob_head: bool,
    /// How many requests are served in any second; more get 429 `TOOMANYREQUESTS`.
    pub rate: Option<usize>,
    /// Whether it has the referrers API of version 1.1 of the OCI distribution specification.
    pub has_referrers: bool,
}

impl Behaviour {
    /// The manners of public.ecr.aws towards those without credentials.
    #[must_use]
    pub fn ecr_public() -> Self {
        Self { wants_token: true, digest_by_head_only: true, denies_blob_head: true, rate: Some(1), ..Self::default() }
    }
}

/// A behaviour with its memory.
#[derive(Debug)]
pub(super) struct Manners {
    behaviour: Behaviour,
    endpoint: String,
    tokens: Mutex<Tokens>,
    served: Mutex<VecDeque<Instant>>,
}

#[derive(Debug, Default)]
struct Tokens {
    issued: u64,
    valid: BTreeSet<String>,
}

impl Manners {
    pub(super) fn new(behaviour: Behaviour, endpoint: String) -> Self {
        Self { behaviour, endpoint, tokens: Mutex::default(), served: Mutex::default() }
    }

    pub(super) fn expire_tokens(&self) {
        lock(&self.tokens).valid.clear();
    }

    pub(super) fn has_referrers(&self) -> bool {
        self.behaviour.has_referrers
    }

    pub(super) fn names_digest(&self, method: &Method) -> bool {
        method == Method::HEAD || !self.behaviour.digest_by_head_only
    }

    pub(super) fn denies_blob(&self, method: &Method) -> bool {
        method == Method::HEAD && self.behaviour.denies_blob_head
    }

    /// A new token, if `path` is where tokens are.
    pub(super) fn token(&self, path: &str) -> Option<Response> {
        if !self.behaviour.wants_token || !matches!(path, "/token" | "/token/") {
            return None;
        }
        let mut tokens = lock(&self.tokens);
        tokens.issued += 1;
        // ECR Public has the expiry inside the token (oras-project/oras-go#1227).
        let inside = json!({ "payload": tokens.issued.to_string(), "expiration": Utc::now().timestamp() + 3600 });
        let token = STANDARD.encode(inside.to_string());
        tokens.valid.insert(token.clone());
        Some(axum::Json(json!({ "token": token })).into_response())
    }

    /// The refusal, if the request is one too many or lacks a valid token.
    pub(super) fn turn_away(&self, authorization: Option<&str>) -> Option<Response> {
        if !self.has_room() {
            return Some(refuse(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "Rate exceeded"));
        }
        if !self.behaviour.wants_token {
            return None;
        }
        let Some(authorization) = authorization else {
            let challenge =
                format!("Bearer realm=\"{}/token/\",service=\"public.ecr.aws\",scope=\"aws\"", self.endpoint);
            let mut response = refuse(StatusCode::UNAUTHORIZED, "DENIED", "Not Authorized");
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            return Some(response);
        };
        let is_valid =
            authorization.strip_prefix("Bearer ").is_some_and(|token| lock(&self.tokens).valid.contains(token));
        // aws/containers-roadmap#2835: an expired token is answered with 400 and no challenge.
        (!is_valid).then(|| refuse(StatusCode::BAD_REQUEST, "DENIED", "Your Authorization Token is invalid."))
    }

    fn has_room(&self) -> bool {
        let Some(rate) = self.behaviour.rate else { return true };
        let mut served = lock(&self.served);
        let now = Instant::now();
        while served.front().is_some_and(|at| now.duration_since(*at) >= SECOND) {
            served.pop_front();
        }
        let has_room = served.len() < rate;
        if has_room {
            served.push_back(now);
        }
        has_room
    }
}

/// A page of the tags of `repository`. The cursor of the next one is opaque, as at ECR: one that is made
/// up from a tag is refused (gardener/cc-utils#1325).
pub(super) fn tags(stock: &Stock, repository: &str, query: &str) -> Response {
    let parameter = |name: &str| {
        query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
    };
    let unsupported = |message| refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message);
    let Some(tags) = stock.tags(repository) else {
        return refuse(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "there is no such repository");
    };
    let size = match parameter("n").map(str::parse::<usize>) {
        None => MAX_PAGE,
        Some(Ok(size)) if (1..=MAX_PAGE).contains(&size) => size,
        Some(_) => return unsupported("Invalid parameter at 'maxResults'"),
    };
    let start = match parameter("last") {
        None => 0,
        Some(cursor) => match tags.iter().position(|tag| cursor_at(tag) == cursor) {
            Some(index) => index,
            None => return unsupported("Invalid parameter at 'NextToken'"),
        },
    };
    let end = tags.len().min(start.saturating_add(size));
    let page = json!({ "name": repository, "tags": tags.get(start..end) });
    let mut response = axum::Json(page).into_response();
    if let Some(tag) = tags.get(end) {
        let link = format!("</v2/{repository}/tags/list?n={size}&last={}>; rel=\"next\"", cursor_at(tag));
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    response
}

fn cursor_at(tag: &str) -> String {
    Digest::sha256(format!("cursor {tag}").as_bytes()).short().to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
