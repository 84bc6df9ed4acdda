//! OpenTelemetry: exports traces of runs, and the figures of each run as metrics, over OTLP (HTTP, protobuf).
//!
//! Configured by the variables of the OpenTelemetry specification
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>); without an endpoint nothing is exported.

use std::{env, future::Future, pin::Pin, sync::OnceLock, time::Duration};

use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    trace::{SdkTracerProvider, Tracer},
};
use tokio::{runtime::Handle, task::spawn_blocking, time::timeout};

use super::RunMeasurements;

/// The variables that name a collector.
const ENDPOINTS: [&str; 3] =
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"];
/// Set to `true` to export nothing.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// The variables that choose a protocol.
const PROTOCOLS: [&str; 3] =
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"];
/// The only one that is built in; the SDK would ignore others.
const PROTOCOL: &str = "http/protobuf";
/// Names the service; the default is `basewatch`.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// Maximum duration of a flush. A collector that is down must not delay the end of a run.
const FLUSH_WAIT: Duration = Duration::from_secs(5);
/// Maximum size of a response in bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The name of tracer and meter.
const SCOPE: &str = "basewatch";

static EXPORTER: OnceLock<OtlpExporter> = OnceLock::new();

/// Exports what was recorded in this process.
struct OtlpExporter {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// Starts exporting to the collector that the environment names, and returns the source of spans; `None` without one.
/// Needs a Tokio runtime.
pub(super) fn start() -> Result<Option<Tracer>, ExporterBuildError> {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_disabled = env::var(DISABLED).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if is_disabled || !ENDPOINTS.iter().any(|name| is_set(name)) {
        return Ok(None);
    }
    for name in PROTOCOLS {
        if let Some(value) = env::var(name).ok().filter(|value| !value.is_empty() && value != PROTOCOL) {
            let why = format!("{name} is {value:?}, and only {PROTOCOL} is supported");
            return Err(ExporterBuildError::InternalFailure(why));
        }
    }
    let transport = OtlpTransport::new()?;
    let resource = Resource::builder();
    // The SDK reads `OTEL_SERVICE_NAME` itself, but its own default names the program `unknown_service`.
    let resource = if is_set(SERVICE_NAME) { resource } else { resource.with_service_name(SCOPE) };
    let resource = resource.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build();
    let spans = SpanExporter::builder().with_http().with_http_client(transport.clone()).build()?;
    let figures = MetricExporter::builder().with_http().with_http_client(transport).build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource.clone()).build();
    let metrics = SdkMeterProvider::builder().with_periodic_exporter(figures).with_resource(resource).build();
    let tracer = provider.tracer(SCOPE);
    global::set_meter_provider(metrics.clone());
    // Set once a process, like the subscriber.
    let _ = EXPORTER.set(OtlpExporter { traces: provider, metrics });
    Ok(Some(tracer))
}

/// Sends everything recorded so far, within [`FLUSH_WAIT`].
///
/// # Errors
///
/// Why it could not be sent.
pub(super) async fn flush() -> Result<(), String> {
    let Some(exporter) = EXPORTER.get() else { return Ok(()) };
    let flushing = spawn_blocking(|| {
        let traces = exporter.traces.force_flush();
        exporter.metrics.force_flush().and(traces)
    });
    match timeout(FLUSH_WAIT, flushing).await {
        Ok(Ok(outcome)) => outcome.map_err(|error| error.to_string()),
        Ok(Err(_)) | Err(_) => Err(format!("the collector did not answer within {} s", FLUSH_WAIT.as_secs())),
    }
}

/// Records the figures of a run; they are exported with the next flush.
pub(super) fn record(run: &RunMeasurements<'_>) {
    if EXPORTER.get().is_none() {
        return;
    }
    let meter = global::meter(SCOPE);
    let outcome = KeyValue::new("outcome", run.outcome);
    meter.u64_counter("basewatch.runs").with_description("Runs by outcome").build().add(1, &[outcome]);
    let took = meter.f64_gauge("basewatch.run.duration").with_unit("s").with_description("Duration of the last run");
    took.build().record(run.took.as_secs_f64(), &[]);
    let deployments =
        meter.u64_gauge("basewatch.deployments").with_description("Deployments by verdict in the last report").build();
    for (verdict, count) in &run.deployments {
        deployments.record(*count, &[KeyValue::new("verdict", *verdict)]);
    }
    let findings =
        meter.u64_gauge("basewatch.findings").with_description("Findings by severity in the last report").build();
    for (severity, count) in &run.findings {
        findings.record(*count, &[KeyValue::new("severity", *severity)]);
    }
    let ages = meter.u64_gauge("basewatch.base.age").with_unit("d").with_description("Age of the bases in use").build();
    for (quantile, days) in &run.base_age_days {
        ages.record(*days, &[KeyValue::new("quantile", *quantile)]);
    }
    let messages = meter.u64_counter("basewatch.messages").with_description("Notification messages by outcome").build();
    for (outcome, count) in [("sent", run.messages_sent), ("failed", run.messages_failed)] {
        messages.add(count, &[KeyValue::new("outcome", outcome)]);
    }
    let requests = meter
        .u64_counter("basewatch.upstream.requests")
        .with_description("Requests to registries and AWS services")
        .build();
    for (service, count) in &run.requests {
        requests.add(*count, &[KeyValue::new("service", (*service).to_owned())]);
    }
}

/// Sends exports. The SDK exports from a thread of its own, outside of the runtime that requests need.
#[derive(Clone, Debug)]
struct OtlpTransport {
    client: reqwest::Client,
    runtime: Handle,
}

impl OtlpTransport {
    fn new() -> Result<Self, ExporterBuildError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("basewatch/", env!("CARGO_PKG_VERSION")))
            // Headers may hold credentials of the collector.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(FLUSH_WAIT)
            .build()
            .map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?;
        Ok(Self { client, runtime: Handle::current() })
    }
}

impl HttpClient for OtlpTransport {
    fn send_bytes<'a, 'sent>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sent>>
    where
        'a: 'sent,
        Self: 'sent,
    {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let mut response = client.execute(request.try_into()?).await?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                headers.clone_from(response.headers());
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                    return Err("the response of the collector is too large".into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(answer.body(Bytes::from(body))?)
        });
        Box::pin(async move { sending.await? })
    }
}
