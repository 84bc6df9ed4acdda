//! The forms of the dashboard: signing in, starting runs and snoozing alerts.
//!
//! Each but the first needs a session, and the token of its forms against requests that another site forges. Access
//! control has already rejected requests from other origins.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::{ConnectInfo, Path, State as Shared},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::TimeDelta;

use super::{
    ServeState,
    pages::{PageContext, page, redirect},
    session::WriteSession,
    state::RunRequestRefusal,
};
use crate::{
    dashboard::{self, SNOOZE_DAYS},
    notify::{LedgerSession, Snooze, select},
    report::page_path::alert_page,
    store,
};

/// How long a form waits for the store: a run that sends notifications has its lock.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Returns the form to sign in.
pub(super) async fn sign_in_form(
    Shared(state): Shared<Arc<ServeState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request_headers: HeaderMap,
) -> Response {
    let context = PageContext::new(&state, &request_headers).await;
    if !state.access.has_writers() {
        let why = "The dashboard is read-only: no serve.write_token is configured.";
        return page(StatusCode::NOT_FOUND, dashboard::message_page(context.activity(), "Read-only", why));
    }
    let name = state.access.user(&request_headers, peer).unwrap_or_default();
    page(StatusCode::OK, dashboard::sign_in_page(context.activity(), name, false))
}

/// Starts a session, if the token is right.
pub(super) async fn sign_in(
    Shared(state): Shared<Arc<ServeState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request_headers: HeaderMap,
    body: String,
) -> Response {
    // The proxy knows who it is.
    let user = state.access.user(&request_headers, peer).map(str::to_owned);
    let name = user.or_else(|| field(&body, "name")).unwrap_or_default();
    let token = field(&body, "token").unwrap_or_default();
    if name.trim().is_empty() || !state.access.may_write(token.trim()) {
        let context = PageContext::new(&state, &request_headers).await;
        tracing::warn!(%peer, "a sign-in failed");
        return page(StatusCode::FORBIDDEN, dashboard::sign_in_page(context.activity(), &name, true));
    }
    with_cookie(redirect("/"), &state.sessions.sign_in(&name, state.clock.now()))
}

/// Ends the session.
pub(super) async fn sign_out(
    Shared(state): Shared<Arc<ServeState>>,
    request_headers: HeaderMap,
    body: String,
) -> Response {
    match writer(&state, &request_headers, &body).await {
        Ok(_) => with_cookie(redirect("/"), &state.sessions.sign_out()),
        Err(denied) => *denied,
    }
}

/// Requests a run.
pub(super) async fn start_run(
    Shared(state): Shared<Arc<ServeState>>,
    request_headers: HeaderMap,
    body: String,
) -> Response {
    let session = match writer(&state, &request_headers, &body).await {
        Ok(session) => session,
        Err(denied) => return *denied,
    };
    let (status, why) = match state.request_run() {
        Ok(()) => {
            tracing::info!(by = session.name, "a run was requested");
            return redirect("/");
        }
        Err(RunRequestRefusal::Running) => (StatusCode::CONFLICT, "A run is already in progress.".to_owned()),
        Err(RunRequestRefusal::TooSoon(wait)) => {
            let why = format!("A run has just finished. Try again in {} seconds.", wait.as_secs().max(1));
            (StatusCode::TOO_MANY_REQUESTS, why)
        }
    };
    message(&state, &request_headers, status, "No run was started", &why).await
}

/// Snoozes an alert for the given number of days.
pub(super) async fn snooze(
    Shared(state): Shared<Arc<ServeState>>,
    Path(id): Path<String>,
    request_headers: HeaderMap,
    body: String,
) -> Response {
    let session = match writer(&state, &request_headers, &body).await {
        Ok(session) => session,
        Err(denied) => return *denied,
    };
    let days = field(&body, "days").and_then(|days| days.parse().ok()).filter(|days| SNOOZE_DAYS.contains(days));
    let days = days.and_then(|days| TimeDelta::try_days(i64::try_from(days).ok()?));
    let (Some(days), Some(reason)) = (days, field(&body, "reason").filter(|reason| !reason.trim().is_empty())) else {
        let why = "A snooze needs a number of days from the list, and a reason.";
        return message(&state, &request_headers, StatusCode::BAD_REQUEST, "Not snoozed", why).await;
    };
    let now = state.clock.now();
    let snooze = Snooze::new(now + days, now, Some(&session.name), Some(&reason));
    change(state, &request_headers, id, Some(snooze)).await
}

/// Ends the snooze of an alert.
pub(super) async fn unsnooze(
    Shared(state): Shared<Arc<ServeState>>,
    Path(id): Path<String>,
    request_headers: HeaderMap,
    body: String,
) -> Response {
    match writer(&state, &request_headers, &body).await {
        Ok(_) => change(state, &request_headers, id, None).await,
        Err(denied) => *denied,
    }
}

/// Sets or ends the snooze of the alert `id`.
async fn change(state: Arc<ServeState>, request_headers: &HeaderMap, id: String, snooze: Option<Snooze>) -> Response {
    let (changing, changed) = (Arc::clone(&state), id.clone());
    // A task of its own: the lock is released even if the client does not wait.
    let result = tokio::spawn(async move { recorded(&changing, &changed, snooze).await }).await;
    let (status, why) = match result {
        Ok(Ok(true)) => {
            state.forget_alerts().await;
            return redirect(&alert_page(&id));
        }
        Ok(Ok(false)) => (StatusCode::NOT_FOUND, "There is no alert with this ID.".to_owned()),
        Ok(Err(error)) => {
            tracing::warn!("cannot change the snooze of an alert: {error}");
            let why = format!("The store cannot be used now; a run may be sending notifications. Try again. ({error})");
            (StatusCode::SERVICE_UNAVAILABLE, why)
        }
        Err(error) => {
            tracing::error!("cannot change the snooze of an alert: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "Internal error.".to_owned())
        }
    };
    message(&state, request_headers, status, "Nothing was changed", &why).await
}

/// Records the snooze in the ledger; false if there is no such alert.
async fn recorded(state: &ServeState, id: &str, snooze: Option<Snooze>) -> store::Result<bool> {
    let lock = state.store.lock("serve", LOCK_WAIT).await?;
    let session = LedgerSession::open(Arc::clone(&state.store), lock).await?;
    let changed = session
        .change(|ledger| {
            let key = ledger.alerts.iter().find(|(_, alert)| alert.id == id).map(|(key, _)| key.clone());
            key.is_some_and(|key| !select::snooze(ledger, &[key], snooze).is_empty())
        })
        .await;
    session.close().await;
    changed
}

/// The session of a form, if its token is that of the session.
async fn writer(state: &ServeState, request_headers: &HeaderMap, body: &str) -> Result<WriteSession, Box<Response>> {
    let session = state.sessions.session(request_headers, state.clock.now());
    let session = session.filter(|_| state.access.has_writers());
    if let Some(session) = session.filter(|session| session.has(&field(body, "csrf").unwrap_or_default())) {
        return Ok(session);
    }
    let why = "Your session has ended, or the form is not from this dashboard. Sign in and try again.";
    Err(Box::new(message(state, request_headers, StatusCode::FORBIDDEN, "Not allowed", why).await))
}

/// The field `name` of a form.
fn field(body: &str, name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(body.as_bytes());
    fields.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

async fn message(
    state: &ServeState,
    request_headers: &HeaderMap,
    status: StatusCode,
    title: &str,
    why: &str,
) -> Response {
    let context = PageContext::new(state, request_headers).await;
    page(status, dashboard::message_page(context.activity(), title, why))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
