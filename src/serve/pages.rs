//! The dashboard: the pages of `crate::dashboard` with the last report.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, Query as Parameters, State as Shared},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{
    ServeState, api::path, response::HttpProblem, session::WriteSession, snapshot::ReportSnapshot, state::ServeStatus,
};
use crate::{
    dashboard::{
        self, AlertView, DashboardView, FailedRun, PageMode, PageScope, ServerActivity, TrendDay, WriteAccess,
    },
    report::{FindingQuery, ReportOutline, page_path::alert_page},
    store::HistoryDay,
};

const HTML: &str = "text/html; charset=utf-8";
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// The number of days of history on the dashboard.
const DAYS: usize = 90;
/// `Cache-Control` of assets, whose names contain a hash of their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The parameters of a page.
type PageParameters = Parameters<Vec<(String, String)>>;

/// What pages show besides the report.
pub(super) struct PageContext {
    status: ServeStatus,
    past: Option<Vec<Arc<ReportOutline>>>,
    alerts: Arc<[AlertView]>,
    session: Option<WriteSession>,
    has_writers: bool,
}

impl PageContext {
    /// The context of a request.
    pub(super) async fn new(state: &ServeState, request_headers: &HeaderMap) -> Self {
        let has_writers = state.access.has_writers();
        let session = state.sessions.session(request_headers, state.clock.now()).filter(|_| has_writers);
        let past = state.past.outlines();
        Self { status: state.status(), past, alerts: state.alerts().await, session, has_writers }
    }

    /// The activity of the service, for pages.
    pub(super) fn activity(&self) -> ServerActivity<'_> {
        ServerActivity {
            running_since: self.status.running.as_ref().map(|run| run.since),
            failed_run: failed(&self.status),
            past: self.past.as_deref(),
            alerts: &self.alerts,
            access: match &self.session {
                Some(WriteSession { name, csrf }) => WriteAccess::SignedIn { name, csrf },
                None if self.has_writers => WriteAccess::SignedOut,
                None => WriteAccess::ReadOnly,
            },
        }
    }
}

/// Returns the dashboard with the findings that match the parameters.
pub(super) async fn dashboard(
    Shared(state): Shared<Arc<ServeState>>,
    uri: Uri,
    parameters: PageParameters,
    request_headers: HeaderMap,
) -> Response {
    report_page(&state, &uri, parameters, &request_headers, |view| Some(dashboard::page(view))).await
}

/// Returns the dashboard of an owner.
pub(super) async fn owner(
    Shared(state): Shared<Arc<ServeState>>,
    Path(owner): Path<String>,
    uri: Uri,
    parameters: PageParameters,
    request_headers: HeaderMap,
) -> Response {
    let render = |view: &DashboardView<'_>| dashboard::scoped_page(view, PageScope::Owner(&owner));
    report_page(&state, &uri, parameters, &request_headers, render).await
}

/// Returns the dashboard of a release line.
pub(super) async fn line(
    Shared(state): Shared<Arc<ServeState>>,
    Path(line): Path<String>,
    uri: Uri,
    parameters: PageParameters,
    request_headers: HeaderMap,
) -> Response {
    let render = |view: &DashboardView<'_>| dashboard::scoped_page(view, PageScope::Line(&line));
    report_page(&state, &uri, parameters, &request_headers, render).await
}

/// Returns the page of a deployment. One that is not in the last report, such as a pushed image that no inventory lists,
/// has the page of its alert.
pub(super) async fn deployment(
    Shared(state): Shared<Arc<ServeState>>,
    Path(finding): Path<String>,
    uri: Uri,
    parameters: PageParameters,
    request_headers: HeaderMap,
) -> Response {
    let is_reported = |snapshot: Arc<ReportSnapshot>| snapshot.report.findings.iter().any(|known| known.id == finding);
    if !state.snapshot().is_some_and(is_reported)
        && let Some(alert) = state.alerts().await.iter().find(|alert| alert.finding == finding)
    {
        return redirect(&alert_page(&alert.id));
    }
    let render = |view: &DashboardView<'_>| dashboard::deployment_page(view, &finding);
    report_page(&state, &uri, parameters, &request_headers, render).await
}

/// Returns what changed since a day, of all deployments, an owner or a release line.
pub(super) async fn changes(
    Shared(state): Shared<Arc<ServeState>>,
    Path(date): Path<String>,
    uri: Uri,
    parameters: PageParameters,
    request_headers: HeaderMap,
) -> Response {
    let (owner, line) = (parameter(&parameters, "owner"), parameter(&parameters, "line"));
    let scope = match (&owner, &line) {
        (Some(owner), _) => PageScope::Owner(owner),
        (None, Some(line)) => PageScope::Line(line),
        (None, None) => PageScope::Fleet,
    };
    let render = |view: &DashboardView<'_>| dashboard::changes_page(view, scope, date.parse().ok()?);
    report_page(&state, &uri, parameters, &request_headers, render).await
}

/// Returns the open and snoozed alerts, of all owners or of one.
pub(super) async fn alerts(
    Shared(state): Shared<Arc<ServeState>>,
    parameters: PageParameters,
    request_headers: HeaderMap,
) -> Response {
    let context = PageContext::new(&state, &request_headers).await;
    let owner = parameter(&parameters, "owner");
    page(StatusCode::OK, dashboard::alerts_page(context.activity(), owner.as_deref()))
}

/// Returns the page of an alert.
pub(super) async fn alert(
    Shared(state): Shared<Arc<ServeState>>,
    Path(id): Path<String>,
    request_headers: HeaderMap,
) -> Response {
    let context = PageContext::new(&state, &request_headers).await;
    match dashboard::alert_page(context.activity(), &id) {
        Some(text) => page(StatusCode::OK, text),
        None => nothing(&context, "There is no alert with this ID. It may have been resolved long ago."),
    }
}

/// Returns the documentation of verdicts, actions and reasons.
pub(super) async fn documentation(Shared(state): Shared<Arc<ServeState>>, request_headers: HeaderMap) -> Response {
    let context = PageContext::new(&state, &request_headers).await;
    page(StatusCode::OK, dashboard::documentation_page(context.activity()))
}

/// The value of a parameter; `None` if absent or empty.
fn parameter(Parameters(parameters): &PageParameters, name: &str) -> Option<String> {
    let found = parameters.iter().find(|(other, value)| other == name && !value.is_empty());
    found.map(|(_, value)| value.clone())
}

/// A page of the last report. `render` returns `None` if what the page is about does not exist.
async fn report_page(
    state: &ServeState,
    uri: &Uri,
    Parameters(parameters): PageParameters,
    request_headers: &HeaderMap,
    render: impl Fn(&DashboardView<'_>) -> Option<String>,
) -> Response {
    let query = match FindingQuery::parse(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
        Ok(query) => query,
        Err(error) => return page(StatusCode::BAD_REQUEST, dashboard::bad_request(&error)),
    };
    // Forms without a script send empty fields.
    if parameters.iter().any(|(_, value)| value.trim().is_empty()) {
        return redirect(&path(uri.path(), &query));
    }
    let context = PageContext::new(state, request_headers).await;
    let now = state.clock.now();
    let Some(snapshot) = state.snapshot() else {
        return page(StatusCode::OK, dashboard::waiting(context.activity(), now, context.status.next_run_at));
    };
    let view = DashboardView {
        report: &snapshot.report,
        trend: &trend(&snapshot, state),
        query: &query,
        now,
        next_run_at: context.status.next_run_at,
        mode: PageMode::Served(context.activity()),
    };
    match render(&view) {
        Some(text) => page(StatusCode::OK, text),
        None => nothing(&context, "The last report has nothing of this name. It may have been deleted or renamed."),
    }
}

/// A redirection to `location` after a form.
pub(super) fn redirect(location: &str) -> Response {
    let location = HeaderValue::try_from(location).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, PRIVATE)]).into_response()
}

fn nothing(context: &PageContext, why: &str) -> Response {
    page(StatusCode::NOT_FOUND, dashboard::message_page(context.activity(), "Not found", why))
}

/// A page.
pub(super) fn page(status: StatusCode, text: String) -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(HTML)), (header::CACHE_CONTROL, PRIVATE)];
    (status, headers, text).into_response()
}

/// The last run, if it failed.
fn failed(status: &ServeStatus) -> Option<FailedRun<'_>> {
    let run = status.last_run.as_ref().filter(|run| !run.succeeded)?;
    let message = run.problems.first().map_or("the run failed", String::as_str);
    Some(FailedRun { at: run.ended_at, message })
}

fn trend(snapshot: &ReportSnapshot, state: &ServeState) -> Vec<TrendDay> {
    let days = snapshot.last_days(DAYS, state.clock.now());
    days.iter().map(trend_day).collect()
}

fn trend_day(day: &HistoryDay) -> TrendDay {
    let verdict = |(word, count): (&String, &u64)| Some((word.parse().ok()?, *count));
    TrendDay {
        date: day.date,
        complete: day.complete,
        deployments: day.deployments,
        by_verdict: day.by_verdict.iter().filter_map(verdict).collect::<BTreeMap<_, _>>(),
        age_p50_days: day.age_days.map(|ages| ages.p50),
        age_p90_days: day.age_days.map(|ages| ages.p90),
        alerts_sent: day.alerts_sent,
    }
}

/// Returns a style sheet, script or icon of the dashboard.
pub(super) async fn asset(Path(name): Path<String>, request_headers: HeaderMap) -> Response {
    let path = format!("/assets/{name}");
    let Some(asset) = dashboard::assets().iter().find(|asset| asset.path == path) else {
        return HttpProblem::new(StatusCode::NOT_FOUND, "no such asset").into_response();
    };
    let headers = [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, FOR_EVER)];
    if request_headers.contains_key(header::IF_NONE_MATCH) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, asset.bytes).into_response()
}
