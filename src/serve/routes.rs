//! Routes, and what applies to all of them: access control, timeouts, size limits and security headers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, MatchedPath, Request, State as Shared},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer,
};

use super::{
    ServeState,
    access::AccessDenied,
    api, openapi, pages,
    response::{HttpProblem, SECURITY},
    writing,
};

/// The timeout of a response.
const LONGEST: Duration = Duration::from_secs(20);
/// The size limit of a request body. Only forms have one.
const LARGEST: usize = 16 * 1024;

/// The liveness and readiness checks.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// The router, with access control.
pub(super) fn router(state: Arc<ServeState>) -> Router {
    let guarded = Router::new()
        .route("/", get(pages::dashboard))
        .route("/assets/{name}", get(pages::asset))
        .route("/owners/{*owner}", get(pages::owner))
        .route("/lines/{*line}", get(pages::line))
        .route("/deployments/{*finding}", get(pages::deployment))
        .route("/changes/{date}", get(pages::changes))
        .route("/alerts", get(pages::alerts))
        .route("/alerts/{id}", get(pages::alert))
        .route("/alerts/{id}/snooze", post(writing::snooze))
        .route("/alerts/{id}/unsnooze", post(writing::unsnooze))
        .route("/runs", post(writing::start_run))
        .route("/sign-in", get(writing::sign_in_form).post(writing::sign_in))
        .route("/sign-out", post(writing::sign_out))
        .route("/docs/verdicts", get(pages::documentation))
        .route("/api/v1/report", get(api::report))
        .route("/api/v1/findings", get(api::findings))
        .route("/api/v1/bases", get(api::bases))
        .route("/api/v1/history", get(api::history))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/audit", post(api::audit))
        .route("/api/v1/openapi.json", get(openapi::get_document))
        .route("/metrics", get(api::metrics))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), admit));
    let open = Router::new().route(HEALTH[0], get(api::healthz)).route(HEALTH[1], get(api::readyz));
    guarded
        .merge(open)
        .layer(CompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(LARGEST))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST))
        .layer(CatchPanicLayer::custom(|_| {
            HttpProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error").into_response()
        }))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), watch))
        .with_state(state)
}

/// Whether `path` is a health check, which needs no access rights and no slot.
pub(super) fn is_health(path: &str) -> bool {
    HEALTH.contains(&path)
}

/// Enforces access control.
async fn admit(
    Shared(state): Shared<Arc<ServeState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let checked = state.access.check(request.method(), request.uri().path(), request.headers(), peer);
    let detail = match checked {
        Ok(()) => return next.run(request).await,
        Err(AccessDenied::Token) => {
            let detail =
                "send the token as \"Authorization: Bearer TOKEN\", or as the password of HTTP basic authentication";
            let mut response = HttpProblem::new(StatusCode::UNAUTHORIZED, detail).into_response();
            for how in ["Bearer realm=\"basewatch\"", "Basic realm=\"basewatch\", charset=\"UTF-8\""] {
                response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(how));
            }
            return response;
        }
        Err(AccessDenied::Proxy) => "send the request through the configured proxy",
        Err(AccessDenied::Host) => "without a token, use localhost or 127.0.0.1",
        Err(AccessDenied::Origin) => "cross-origin requests are not allowed",
        Err(AccessDenied::WriteToken) => "send the token for writing, serve.write_token",
    };
    HttpProblem::new(StatusCode::FORBIDDEN, detail).into_response()
}

/// Counts the response and adds security headers.
async fn watch(Shared(state): Shared<Arc<ServeState>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let mut response = next.run(request).await;
    state.metrics.record_response(&route, response.status().as_u16());
    for (name, value) in SECURITY {
        response.headers_mut().insert(name, value);
    }
    response
}

async fn nowhere() -> HttpProblem {
    HttpProblem::new(StatusCode::NOT_FOUND, "no such path; see /api/v1/openapi.json")
}

async fn not_so() -> HttpProblem {
    HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed for this path; see /api/v1/openapi.json")
}
