//! The JSON API: the last report, findings, release lines, history, status and run requests.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Query as Parameters, RawQuery, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ServeState, response,
    response::HttpProblem,
    snapshot::ReportSnapshot,
    state::{RunRequestRefusal, ServeStatus},
};
use crate::{
    report::{Finding, FindingQuery, LineFields, csv},
    store::HistoryDay,
};

/// The value of `schema` in responses of `/api/v1/findings`.
const FINDINGS: &str = "basewatch.findings/v1";
/// The value of `schema` in responses of `/api/v1/bases`.
const BASES: &str = "basewatch.bases/v1";
/// The value of `schema` in responses of `/api/v1/history`.
const HISTORY: &str = "basewatch.trend/v1";
/// The default number of days of history.
const USUAL_DAYS: usize = 90;
/// The maximum number of days of history.
const MOST_DAYS: usize = 400;

type ApiResult<T> = std::result::Result<T, HttpProblem>;

/// A page of findings.
#[derive(Serialize, JsonSchema)]
pub(super) struct FindingsResponse<'a> {
    /// Always `basewatch.findings/v1`.
    schema: &'static str,
    /// The ID of the run.
    run_id: &'a str,
    /// The time of the report.
    generated_at: DateTime<Utc>,
    /// Whether the whole inventory was read.
    complete: bool,
    /// The number of findings that match the filters, on all pages.
    total: usize,
    /// The number of findings before this page.
    offset: usize,
    /// The maximum number of findings per page.
    limit: usize,
    /// The path of the next page; null on the last one.
    next: Option<String>,
    /// The findings.
    findings: &'a [&'a Finding],
}

/// The release lines in use.
#[derive(Serialize, JsonSchema)]
pub(super) struct BasesResponse<'a> {
    /// Always `basewatch.bases/v1`.
    schema: &'static str,
    /// The ID of the run.
    run_id: &'a str,
    /// The time of the report.
    generated_at: DateTime<Utc>,
    /// The lines by name, with the releases and the number of deployments on each.
    lines: &'a [LineFields],
}

/// Daily results of runs.
#[derive(Serialize, JsonSchema)]
pub(super) struct HistoryResponse<'a> {
    /// Always `basewatch.trend/v1`.
    schema: &'static str,
    /// The days with a run, oldest first.
    days: &'a [HistoryDay],
}

fn shown(state: &ServeState) -> ApiResult<Arc<ReportSnapshot>> {
    state.snapshot().ok_or_else(HttpProblem::no_report)
}

fn bad(error: &impl ToString) -> HttpProblem {
    HttpProblem::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// Returns the last report.
pub(super) async fn report(Shared(state): Shared<Arc<ServeState>>, request_headers: HeaderMap) -> ApiResult<Response> {
    let snapshot = shown(&state)?;
    let response = response::cached(&request_headers, &snapshot.report.run_id, "report", response::JSON, Body::empty);
    Ok(response::encoded(response, &request_headers, &snapshot.gzip))
}

/// Returns a page of the matching findings as JSON, or all of them as CSV.
pub(super) async fn findings(
    Shared(state): Shared<Arc<ServeState>>,
    RawQuery(raw): RawQuery,
    Parameters(parameters): Parameters<Vec<(String, String)>>,
    request_headers: HeaderMap,
) -> ApiResult<Response> {
    let is_format = |(name, _): &&(String, String)| name == "format";
    let format = parameters.iter().rfind(is_format).map_or("json", |(_, format)| format.as_str());
    let others = parameters.iter().filter(|parameter| !is_format(parameter));
    let query = FindingQuery::parse(others.map(|(name, value)| (name.as_str(), value.as_str())))
        .map_err(|error| bad(&error))?;
    if !matches!(format, "json" | "csv") {
        return Err(bad(&format!("format must be json or csv, not {format:?}")));
    }
    let snapshot = shown(&state)?;
    let report = &snapshot.report;
    let selected = query.select(&report.findings);
    let resource = format!("findings {}", raw.unwrap_or_default());
    if format == "csv" {
        let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"basewatch-findings.csv\"");
        let body = || Body::from(csv::render_findings(report, selected.iter().copied()));
        return Ok(([name], response::cached(&request_headers, &report.run_id, &resource, CSV, body)).into_response());
    }
    let page = query.page(&selected);
    let end = query.offset + page.len();
    let next = (end < selected.len()).then(|| path("/api/v1/findings", &FindingQuery { offset: end, ..query.clone() }));
    let findings = FindingsResponse {
        schema: FINDINGS,
        run_id: &report.run_id,
        generated_at: report.generated_at,
        complete: report.complete,
        total: selected.len(),
        offset: query.offset,
        limit: query.page_size(),
        next,
        findings: page,
    };
    Ok(response::cached_json(&request_headers, &report.run_id, &resource, &findings))
}

const CSV: &str = "text/csv; charset=utf-8; header=present";

/// `base` with the parameters of `query`.
pub(super) fn path(base: &str, query: &FindingQuery) -> String {
    let parameters = form_urlencoded::Serializer::new(String::new()).extend_pairs(query.parameters()).finish();
    if parameters.is_empty() { base.to_owned() } else { format!("{base}?{parameters}") }
}

/// Returns the release lines in use.
pub(super) async fn bases(Shared(state): Shared<Arc<ServeState>>, request_headers: HeaderMap) -> ApiResult<Response> {
    let snapshot = shown(&state)?;
    let report = &snapshot.report;
    let bases = BasesResponse {
        schema: BASES,
        run_id: &report.run_id,
        generated_at: report.generated_at,
        lines: &report.lines,
    };
    Ok(response::cached_json(&request_headers, &report.run_id, "bases", &bases))
}

/// Returns the last days of the history.
pub(super) async fn history(
    Shared(state): Shared<Arc<ServeState>>,
    Parameters(parameters): Parameters<Vec<(String, String)>>,
    request_headers: HeaderMap,
) -> ApiResult<Response> {
    let mut requested_days = USUAL_DAYS;
    for (name, value) in &parameters {
        let days = value.parse().ok().filter(|days| (1..=MOST_DAYS).contains(days));
        requested_days = match (name.as_str(), days) {
            ("days", Some(days)) => days,
            ("days", None) => {
                return Err(bad(&format!("days must be an integer from 1 to {MOST_DAYS}, not {value:?}")));
            }
            _ => return Err(bad(&format!("unknown parameter {name:?}; use days"))),
        };
    }
    let snapshot = shown(&state)?;
    let run_id = &snapshot.report.run_id;
    let days = snapshot.last_days(requested_days, state.clock.now());
    Ok(response::cached_json(
        &request_headers,
        run_id,
        &format!("history {requested_days} {}", days.len()),
        &HistoryResponse { schema: HISTORY, days },
    ))
}

/// Returns the status of runs.
pub(super) async fn status(Shared(state): Shared<Arc<ServeState>>) -> axum::Json<ServeStatus> {
    axum::Json(state.status())
}

/// Requests a run.
pub(super) async fn audit(Shared(state): Shared<Arc<ServeState>>) -> ApiResult<Response> {
    match state.request_run() {
        Ok(()) => Ok((StatusCode::ACCEPTED, axum::Json(state.status())).into_response()),
        Err(RunRequestRefusal::Running) => Err(HttpProblem::new(StatusCode::CONFLICT, "a run is already in progress")),
        Err(RunRequestRefusal::TooSoon(wait)) => {
            let detail = "a run has just finished";
            Err(HttpProblem::new(StatusCode::TOO_MANY_REQUESTS, detail).after(wait))
        }
    }
}

/// Liveness check.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Readiness check: ready with a report, a run in progress or a planned run.
pub(super) async fn readyz(Shared(state): Shared<Arc<ServeState>>) -> ApiResult<&'static str> {
    let status = state.status();
    let is_ready = state.snapshot().is_some() || status.running.is_some() || status.next_run_at.is_some();
    let detail = "the last report is being loaded";
    if is_ready { Ok("ready\n") } else { Err(HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, detail)) }
}

/// Returns the metrics for Prometheus.
pub(super) async fn metrics(Shared(state): Shared<Arc<ServeState>>) -> Response {
    let text = state.metrics.text();
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}
