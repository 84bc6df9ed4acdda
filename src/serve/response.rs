//! HTTP responses: JSON, problem details (RFC 9457) and conditional requests.

use std::{
    io::{Cursor, Read as _},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use futures::stream;
use schemars::JsonSchema;
use serde::Serialize;

use crate::dashboard;

/// Size of a piece of a decompressed body, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// Problem details (<https://www.rfc-editor.org/rfc/rfc9457>).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct HttpProblem {
    /// The HTTP status code.
    status: u16,
    /// The reason phrase of the status code.
    title: String,
    /// The problem and how to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The value of `Retry-After`, in seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl HttpProblem {
    /// Problem details for `status`.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        Self { status: status.as_u16(), title, detail: Some(detail.into()), retry_after: None }
    }

    /// Adds a `Retry-After` header.
    pub(super) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait.as_secs().max(1)), ..self }
    }

    /// The response before the first run ends.
    pub(super) fn no_report() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no report yet: the first run has not finished")
            .after(Duration::from_secs(10))
    }
}

impl IntoResponse for HttpProblem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A response that depends only on the last report and `resource`, with an `ETag`; 304 if it matches.
pub(super) fn cached(
    request_headers: &HeaderMap,
    run_id: &str,
    resource: &str,
    media_type: &'static str,
    body: impl FnOnce() -> Body,
) -> Response {
    let tag = tag(run_id, resource);
    let headers = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::VARY, HeaderValue::from_static("accept-encoding, authorization")),
    ];
    if has(request_headers, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, media_type)], body()).into_response()
}

/// As [`cached`], with a JSON body.
pub(super) fn cached_json<T: Serialize>(
    request_headers: &HeaderMap,
    run_id: &str,
    resource: &str,
    value: &T,
) -> Response {
    cached(request_headers, run_id, resource, JSON, || Body::from(serde_json::to_vec(value).unwrap_or_default()))
}

/// The `ETag` of the response for `resource` of a run. Weak, because it is the same for compressed responses.
/// Includes the version of basewatch, which may change the response.
fn tag(run_id: &str, resource: &str) -> HeaderValue {
    let of = format!("{} {run_id} {resource}", env!("CARGO_PKG_VERSION"));
    let digest = crate::image::Digest::sha256(of.as_bytes()).to_string();
    let short = digest.split_once(':').map_or("", |(_, hex)| &hex[..32]);
    HeaderValue::from_str(&format!("W/\"{short}\"")).expect("hexadecimal digits are a header")
}

fn has(request_headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let strong = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let Ok(tag) = tag.to_str() else { return false };
    request_headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|known| known.trim() == "*" || strong(known) == strong(tag)))
}

/// Sets the body, which is `gzip` decompressed unless the client accepts gzip.
pub(super) fn encoded(response: Response, request_headers: &HeaderMap, gzip: &Bytes) -> Response {
    if response.status() == StatusCode::NOT_MODIFIED {
        return response;
    }
    let accepted =
        request_headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    if !accepts_gzip(accepted) {
        return Response::from_parts(parts, decompressed(gzip.clone()));
    }
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(parts, Body::from(gzip.clone()))
}

/// The body that `gzip` decompresses to, a piece at a time.
fn decompressed(gzip: Bytes) -> Body {
    let mut decoder = GzDecoder::new(Cursor::new(gzip));
    let pieces = std::iter::from_fn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        let read = decoder.read(&mut piece).map(|length| {
            piece.truncate(length);
            piece
        });
        Some(read).filter(|read| !matches!(read, Ok(piece) if piece.is_empty()))
    });
    Body::from_stream(stream::iter(pieces))
}

fn accepts_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = parameters.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
        matches!(name.trim(), "gzip" | "*") && !is_refused
    })
}

/// Security headers of every response.
pub(super) const SECURITY: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(dashboard::POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_if_accepted() {
        for (accepted, expected) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("*", true),
            ("", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
        ] {
            assert_eq!(accepts_gzip(accepted), expected, "{accepted:?}");
        }
    }

    #[test]
    fn an_etag_depends_on_the_run_and_the_query() {
        let known = |value: &str| HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
        let tag = tag("01A", "/x");
        assert_ne!(tag, super::tag("01B", "/x"));
        assert_ne!(tag, super::tag("01A", "/y"));
        let text = tag.to_str().unwrap();
        for value in [text, "*", &format!("\"other\", {text}"), text.trim_start_matches("W/")] {
            assert!(has(&known(value), &tag), "{value}");
        }
        assert!(!has(&known("\"other\""), &tag) && !has(&HeaderMap::new(), &tag));
    }
}
