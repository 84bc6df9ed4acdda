//! What services tell their operators: log lines, the last run after a restart, and OpenTelemetry.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so where it is")]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
};

use axum::{Router, body::Bytes, extract::State, http::Uri};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value as AnyValue},
    metrics::v1::{metric::Data, number_data_point::Value as Number},
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::Value;
use testbed::{
    bare::{basewatch, stderr},
    java_fleet::JavaFleet,
    serve_rig::{PATIENCE, Served},
    toxic::{Reply, Toxic},
};

const NOW: &str = "2025-11-20T06:00:00Z";

/// A folder with a configuration of three images, two of which are out of date, and a webhook.
struct Rig {
    folder: tempfile::TempDir,
    _fleet: JavaFleet,
    _hook: Toxic,
}

impl Rig {
    fn new() -> Self {
        let fleet = JavaFleet::start().with_old(&["orders", "billing"]).with_new(&["fresh"]);
        let hook = Toxic::start(|_| Reply::new(200, "{}"));
        let folder = tempfile::tempdir().unwrap();
        let images = fleet.references(&["orders", "billing", "fresh"]);
        let config = format!(
            "store = \"store\"\n[inventory]\nimages = [{{ references = {images} }}]\n[owners]\nrules = [{{ match = \
             \"*\", owner = \"payments\" }}]\n[[notify.webhook]]\nname = \"chat\"\nurl = \"{}/in\"\n",
            hook.endpoint()
        );
        std::fs::write(folder.path().join("basewatch.toml"), config).unwrap();
        Self { folder, _fleet: fleet, _hook: hook }
    }
}

/// `basewatch serve`, with the lines of its log.
struct Service {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Service {
    fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = basewatch(folder);
        command.args(["serve", "--listen", "127.0.0.1:0"]).envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The lines up to one that contains `end`.
    fn lines_until(&self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.contains(end)) {
            lines.push(self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {end:?} in {lines:#?}")));
        }
        lines
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_logs_the_end_of_a_run_with_its_counts_and_channels() {
    let rig = Rig::new();
    let service = Service::start(rig.folder.path(), &[]);
    let lines = service.lines_until("run complete");
    assert!(lines[0].contains("INFO listening on http://127.0.0.1:"), "{lines:#?}");
    let end = lines.last().unwrap();
    for figure in ["deployments=3", "stale=3", "messages_sent=1", "messages_failed=0", "notified=\"chat\"", "errors=0"]
    {
        assert!(end.contains(figure), "{figure} in {end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_json_on_request() {
    let rig = Rig::new();
    let service = Service::start(rig.folder.path(), &[("BASEWATCH_LOG_FORMAT", "json")]);
    let lines = service.lines_until("run complete");
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(timestamp).is_ok(), "{timestamp}");
        assert_eq!(line["level"], "INFO", "{line}");
    }
    let end = lines.last().unwrap();
    assert_eq!(
        (&end["message"], &end["deployments"], &end["notified"]),
        (&"run complete".into(), &3.into(), &"chat".into())
    );
}

#[test]
fn errors_of_the_program_are_json_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let failing = |format| basewatch(folder.path()).arg("run").env("BASEWATCH_LOG_FORMAT", format).output().unwrap();
    let output = failing("json");
    assert_eq!(output.status.code(), Some(2));
    let line: Value = serde_json::from_str(stderr(&output).trim()).unwrap();
    assert_eq!(line["level"], "ERROR");
    let output = failing("yaml");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).trim(), "error: BASEWATCH_LOG_FORMAT: \"yaml\" is not a log format: write text or json");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_run_is_known_after_a_restart() {
    let mut served = Served::start(NOW, "").await;
    served.wait(async || served.json("/api/v1/status").await["last_run"]["succeeded"] == true, "a run").await;
    let before = served.json("/api/v1/status").await["last_run"].clone();
    served.stop().await;
    served.clock.set(chrono::TimeDelta::minutes(5));
    served.run().await;
    served.wait(async || served.client.get(served.url("/healthz")).send().await.is_ok(), "a listener").await;
    assert_eq!(served.json("/api/v1/status").await["last_run"], before);
    let metrics = served.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("basewatch_last_run_success 1"), "{metrics}");
    assert!(metrics.contains("basewatch_last_run_timestamp_seconds 1763618400"), "{metrics}");
    assert_eq!(served.runs().len(), 1, "no run was due");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_is_still_failed_after_a_restart() {
    let mut served = Served::start(NOW, "").await;
    let ledger = served.folder.path().join("store/ledger.json");
    let kept = std::fs::read(&ledger).unwrap();
    std::fs::write(&ledger, "{ no ledger").unwrap();
    served.clock.set(chrono::TimeDelta::minutes(5));
    assert_eq!(served.client.post(served.url("/api/v1/audit")).send().await.unwrap().status(), 202);
    served.wait(async || served.json("/api/v1/status").await["last_run"]["succeeded"] == false, "a failure").await;
    let before = served.json("/api/v1/status").await["last_run"].clone();
    served.stop().await;
    std::fs::write(&ledger, kept).unwrap();
    served.run().await;
    served.wait(async || served.client.get(served.url("/healthz")).send().await.is_ok(), "a listener").await;
    assert_eq!(served.json("/api/v1/status").await["last_run"], before);
    let metrics = served.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("basewatch_last_run_success 0"), "{metrics}");
    let page = served.get("/").await.text().await.unwrap();
    assert!(page.contains("ledger"), "the dashboard shows why");
}

/// A collector that records what it receives, by path.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Bytes)>>>);

impl Collector {
    /// Starts it and returns its URL.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let record = |State(Self(log)): State<Self>, uri: Uri, body: Bytes| async move {
            log.lock().unwrap().push((uri.path().to_owned(), body));
        };
        let router = Router::new().fallback(record).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn received<T>(&self, path: &str, decode: impl Fn(Bytes) -> T) -> Vec<T> {
        let log = self.0.lock().unwrap();
        log.iter().filter(|(at, _)| at == path).map(|(_, body)| decode(body.clone())).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let traces = self.received("/v1/traces", |body| ExportTraceServiceRequest::decode(body).unwrap());
        let scopes = traces.into_iter().flat_map(|it| it.resource_spans).flat_map(|it| it.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// The last value of each metric with its attributes: `basewatch.deployments{verdict=fresh} 1`.
    fn metrics(&self) -> Vec<String> {
        let exports = self.received("/v1/metrics", |body| ExportMetricsServiceRequest::decode(body).unwrap());
        let scopes = exports.into_iter().flat_map(|it| it.resource_metrics).flat_map(|it| it.scope_metrics);
        let mut lines = Vec::new();
        for metric in scopes.flat_map(|scope| scope.metrics) {
            let points = match metric.data {
                Some(Data::Gauge(gauge)) => gauge.data_points,
                Some(Data::Sum(sum)) => sum.data_points,
                other => panic!("{other:?}"),
            };
            for point in points {
                let labels: Vec<_> = point.attributes.iter().map(label).collect();
                let value = match point.value.unwrap() {
                    Number::AsInt(value) => value.to_string(),
                    Number::AsDouble(value) => value.to_string(),
                };
                lines.push(format!("{}{{{}}} {value}", metric.name, labels.join(",")));
            }
        }
        lines
    }
}

fn label(KeyValue { key, value, .. }: &KeyValue) -> String {
    match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => format!("{key}={text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_exported_as_a_trace_and_metrics() {
    let (rig, collector) = (Rig::new(), Collector::default());
    let url = collector.start().await;
    let run = move || {
        let mut command = basewatch(rig.folder.path());
        command.arg("run").env("OTEL_EXPORTER_OTLP_ENDPOINT", url).env("OTEL_METRIC_EXPORT_INTERVAL", "600000");
        command.output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));

    let spans = collector.spans();
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    assert!(named("run").parent_span_id.is_empty());
    for (child, parent) in [("audit", "run"), ("inventory", "audit"), ("resolve", "audit"), ("notify", "run")] {
        assert_eq!(named(child).parent_span_id, named(parent).span_id, "{child} in {parent}");
    }
    let metrics = collector.metrics();
    for line in [
        "basewatch.runs{outcome=complete} 1",
        "basewatch.deployments{verdict=stale} 3",
        "basewatch.messages{outcome=sent} 1",
        "basewatch.messages{outcome=failed} 0",
    ] {
        assert!(metrics.iter().any(|metric| metric == line), "{line} in {metrics:#?}");
    }
    let resources = collector.received("/v1/metrics", |body| ExportMetricsServiceRequest::decode(body).unwrap());
    let resource = resources[0].resource_metrics[0].resource.as_ref().unwrap();
    assert!(
        resource
            .attributes
            .iter()
            .any(|attribute| attribute.key == "service.name" && label(attribute) == "service.name=basewatch")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_does_not_fail_a_run() {
    let rig = Rig::new();
    // Nothing listens on a port that was just freed.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = basewatch(rig.folder.path());
    command.arg("run").env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output).matches("cannot export telemetry").count(), 1, "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_that_is_not_supported_is_reported_and_the_run_goes_on() {
    let rig = Rig::new();
    let mut command = basewatch(rig.folder.path());
    command.arg("run").env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let output = command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("telemetry is not exported"), "{}", stderr(&output));
}
