//! The dashboard in a real browser: Chromium, driven by playwright-core, checked by axe-core.
//!
//! Run by `scripts/test`, which installs them; without the feature `peers` there is nothing here. What is checked
//! is in `check.mjs`. The pictures it takes are left in the folder of the build.
#![cfg(feature = "peers")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test reports where it stops, and prints its measurements"
)]

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use testbed::{company_report, hostile_report, sample};

use axum::{
    Router,
    extract::{Query as Parameters, State},
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use basewatch::{
    dashboard::{
        self, AlertView, ChannelView, DashboardView, NotifiedEvent, PageMode, PageScope, ServerActivity, SnoozeView,
        TrendDay, WriteAccess,
    },
    judge::{Severity, Verdict},
    report::{Finding, FindingQuery, Report, ReportOutline},
};
use tempfile::TempDir;

/// How long one round of looking may take; two cores are shared by all tests.
const WITHIN: Duration = Duration::from_secs(220);

/// Where pictures go: below the folder of the build, never into the tree.
fn pictures(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Checks the page at `url`, or only its `part`.
fn check(url: &str, kind: &str, name: &str, part: Option<&str>) {
    let peers = env::var("PEERS_BROWSER").expect("the tests are run with scripts/test, which sets PEERS_BROWSER");
    let log = TempDir::new().unwrap();
    let log = log.path().join("log");
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/check.mjs")).args([url, kind]);
    command.arg(pictures(name)).env("PEERS_BROWSER", peers).envs(part.map(|part| ("BROWSER_PART", part)));
    let file = File::create(&log).unwrap();
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    let mut child = command.spawn().expect("node: run the tests with scripts/test");
    let deadline = Instant::now() + WITHIN;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let output = fs::read_to_string(&log).unwrap();
    println!("{name}\n{output}");
    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{output}");
}

/// `report` as a file beside its pictures, and its address.
fn file(name: &str, report: &Report) -> String {
    let path = pictures(name).join("report.html");
    let page = dashboard::render(report);
    println!("{} findings: {} bytes", report.findings.len(), page.len());
    fs::write(&path, page).unwrap();
    format!("file://{}", path.display())
}

#[test]
fn a_file_works_in_a_browser() {
    let url = file("file", &company_report::report(sample::now(), 120));
    check(&url, "file", "file", None);
}

#[test]
fn a_compact_file_works_in_a_browser() {
    let url = file("compact-file", &company_report::report(sample::now(), 510));
    check(&url, "file", "compact-file", None);
}

#[test]
fn a_file_of_ten_thousand_findings_works_in_a_browser() {
    let url = file("large-file", &company_report::report(sample::now(), 10_000));
    check(&url, "file", "large-file", None);
}

#[test]
fn the_sample_renders_correctly_in_a_browser() {
    let url = file("sample", &sample::report());
    check(&url, "file", "sample", Some("looks"));
}

#[test]
fn hostile_text_is_inert_in_a_browser() {
    let url = file("hostile", &hostile_report::report());
    check(&url, "file", "hostile", Some("looks"));
}

#[test]
fn a_served_page_works_in_a_browser() {
    let report = company_report::report(sample::now(), 1200);
    let trend = company_report::trend(&report);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let past = vec![Arc::new(earlier(&report))];
    let shared = Arc::new(SharedPages { alerts: alerts(&report), report, trend, past });
    let router = Router::new().route("/assets/{name}", get(asset)).fallback(page).with_state(shared);
    runtime.spawn(async move { axum::serve(listener, router).await });
    check(&url, "served", "served", None);
}

/// What the pages show.
struct SharedPages {
    report: Report,
    trend: Vec<TrendDay>,
    past: Vec<Arc<ReportOutline>>,
    alerts: Vec<AlertView>,
}

/// The outline of the day before: every seventh finding was fresh.
fn earlier(report: &Report) -> ReportOutline {
    let mut outline = ReportOutline::from(report);
    outline.generated_at -= chrono::TimeDelta::days(1);
    for finding in outline.findings.values_mut().step_by(7) {
        (finding.verdict, finding.severity) = (Verdict::Fresh, Severity::None);
    }
    outline
}

/// Open alerts of the worst findings, one of them snoozed.
fn alerts(report: &Report) -> Vec<AlertView> {
    let alert = |(number, finding): (usize, &Finding)| AlertView {
        id: format!("{number:012x}"),
        finding: finding.id.clone(),
        about: "base",
        name: finding.deployment.name.clone(),
        owner: finding.deployment.owner.clone(),
        verdict: finding.verdict,
        severity: finding.severity,
        is_open: true,
        since: Some(report.generated_at),
        snooze: (number == 1).then(|| SnoozeView {
            until: report.generated_at + chrono::TimeDelta::days(7),
            by: Some("Ada".to_owned()),
            reason: Some("waits for the vendor".to_owned()),
        }),
        channels: vec![ChannelView {
            channel: "on-call".to_owned(),
            events: vec![NotifiedEvent {
                kind: "triggered",
                severity: finding.severity,
                due_at: report.generated_at,
                sent_at: Some(report.generated_at),
            }],
            last_error: None,
        }],
    };
    report.findings.iter().take(40).enumerate().map(alert).collect()
}

/// As `serve` does: the page under its policy.
async fn page(
    State(shared): State<Arc<SharedPages>>,
    uri: Uri,
    Parameters(parameters): Parameters<Vec<(String, String)>>,
) -> Response {
    let parameters = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let policy = [(header::CONTENT_SECURITY_POLICY, dashboard::POLICY)];
    match FindingQuery::parse(parameters) {
        Ok(query) => {
            let SharedPages { report, trend, past, alerts } = &*shared;
            let now = report.generated_at + chrono::TimeDelta::hours(5);
            let next_run_at = Some(report.generated_at + chrono::TimeDelta::days(1));
            let access = WriteAccess::SignedIn { name: "Ada", csrf: "0123" };
            let served = ServerActivity { past: Some(past), alerts, access, ..ServerActivity::default() };
            let mode = PageMode::Served(served);
            let view = DashboardView { report, trend, query: &query, now, next_run_at, mode };
            let path = form_urlencoded::parse(format!("p={}", uri.path()).as_bytes()).next().unwrap().1.into_owned();
            let (_, rest) = path[1..].split_once('/').unwrap_or_default();
            let text = match path.split('/').nth(1) {
                Some("") => Some(dashboard::page(&view)),
                Some("owners") => dashboard::scoped_page(&view, PageScope::Owner(rest)),
                Some("lines") => dashboard::scoped_page(&view, PageScope::Line(rest)),
                Some("deployments") => dashboard::deployment_page(&view, rest),
                Some("changes") => dashboard::changes_page(&view, PageScope::Fleet, rest.parse().unwrap()),
                Some("alerts") if rest.is_empty() => Some(dashboard::alerts_page(served, None)),
                Some("alerts") => dashboard::alert_page(served, rest),
                Some("docs") => Some(dashboard::documentation_page(served)),
                Some("sign-in") => Some(dashboard::sign_in_page(served, "", true)),
                _ => None,
            };
            match text {
                Some(text) => (policy, Html(text)).into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
        Err(error) => (StatusCode::BAD_REQUEST, policy, Html(dashboard::bad_request(&error))).into_response(),
    }
}

async fn asset(uri: axum::http::Uri) -> Response {
    match dashboard::assets().iter().find(|asset| asset.path == uri.path()) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.content_type)], asset.bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
