//! The dashboard: the pages of `crate::dashboard` with the last report.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, Query as Parameters, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{ServeState, response::HttpProblem, snapshot::ReportSnapshot, state::ServeStatus};
use crate::{
    dashboard::{self, DashboardView, FailedRun, PageMode, ServerActivity, TrendDay},
    report::FindingQuery,
    store::HistoryDay,
};

const HTML: &str = "text/html; charset=utf-8";
/// The number of days of history on the dashboard.
const DAYS: usize = 90;
/// `Cache-Control` of assets, whose names contain a hash of their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Returns the dashboard with the findings that match the parameters.
pub(super) async fn dashboard(
    Shared(state): Shared<Arc<ServeState>>,
    Parameters(parameters): Parameters<Vec<(String, String)>>,
) -> Response {
    let status = state.status();
    let served =
        ServerActivity { running_since: status.running.as_ref().map(|run| run.since), failed_run: failed(&status) };
    let now = state.clock.now();
    let query = match FindingQuery::parse(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
        Ok(query) => query,
        Err(error) => return page(StatusCode::BAD_REQUEST, dashboard::bad_request(&error)),
    };
    let Some(snapshot) = state.snapshot() else {
        return page(StatusCode::OK, dashboard::waiting(served, now, status.next_run_at));
    };
    let trend = trend(&snapshot, &state);
    let view = DashboardView {
        report: &snapshot.report,
        trend: &trend,
        query: &query,
        now,
        next_run_at: status.next_run_at,
        mode: PageMode::Served(served),
    };
    page(StatusCode::OK, dashboard::page(&view))
}

fn page(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, HTML), (header::CACHE_CONTROL, "private, no-cache")], text).into_response()
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
