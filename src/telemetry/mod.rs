//! Logging to standard error, as text or JSON, and OpenTelemetry. Standard output is reserved for reports.

#[cfg(feature = "otlp")]
mod otlp;

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{Directive, FilterExt as _, LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Libraries that log credentials at debug and trace level.
const CAPPED: [&str; 9] = [
    "aws_config=info",
    "aws_runtime=info",
    "aws_sigv4=info",
    "aws_smithy_http_client=info",
    "aws_smithy_runtime=info",
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
];

/// The verbosity flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbosity {
    /// The number of `--verbose` flags.
    pub verbose: u8,
    /// Whether `--quiet` was given.
    pub is_quiet: bool,
}

impl Verbosity {
    /// The filter: from the flags, else `configured` (`BASEWATCH_LOG`), else warnings of basewatch.
    fn filter(self, configured: Option<&str>) -> &str {
        match (self.is_quiet, self.verbose) {
            (true, _) => "error",
            // Warnings of libraries also surface as errors of basewatch.
            (false, 0) => configured.unwrap_or("error,basewatch=warn"),
            (false, 1) => "error,basewatch=info",
            (false, 2) => "info,basewatch=debug",
            (false, _) => "debug,basewatch=trace",
        }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; without times, which journald, Docker and CloudWatch Logs add.
    #[default]
    Text,
    /// One JSON object per line: `timestamp` (RFC 3339), `level`, `message`, `target` and the fields of the event.
    Json,
}

impl FromStr for LogFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error::Format(text.to_owned())),
        }
    }
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `BASEWATCH_LOG` is malformed.
    #[error(
        "BASEWATCH_LOG: {0:?} is not a log filter: write a level (error, warn, info, debug, trace), as in \"info\" or \"warn,basewatch=debug\""
    )]
    Filter(String),
    /// `BASEWATCH_LOG_FORMAT` is unknown.
    #[error("BASEWATCH_LOG_FORMAT: {0:?} is not a log format: write text or json")]
    Format(String),
    /// A subscriber is already set.
    #[error("logging is already set up")]
    Twice,
}

/// Starts logging to standard error and, if built with the feature `otlp` and a collector is configured, exporting.
/// Needs a Tokio runtime.
///
/// `configured` is the filter of `BASEWATCH_LOG`; flags override it. Libraries that log credentials stay at `info`.
///
/// # Errors
///
/// When the filter is malformed, or logging is already set up.
pub fn init(verbosity: Verbosity, configured: Option<&str>, format: LogFormat, is_colored: bool) -> Result<(), Error> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // Do not fail when standard error is closed.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(is_colored).with_target(verbosity.verbose > 1).without_time().boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    // Spans are for traces only.
    let lines = lines.with_filter(
        filter(verbosity, configured)?.and(filter_fn(|metadata: &tracing::Metadata<'_>| metadata.is_event())),
    );
    let subscriber = tracing_subscriber::registry().with(lines);
    #[cfg(feature = "otlp")]
    let (subscriber, failure) = {
        let (tracer, failure) = match otlp::start() {
            Ok(tracer) => (tracer, None),
            Err(error) => (None, Some(error)),
        };
        let is_traced =
            |metadata: &tracing::Metadata<'_>| metadata.is_span() && metadata.target().starts_with("basewatch");
        let layer = tracer.map(|tracer| tracing_opentelemetry::layer().with_tracer(tracer));
        (subscriber.with(layer.with_filter(filter_fn(is_traced))), failure)
    };
    subscriber.try_init().map_err(|_| Error::Twice)?;
    // An audit is worth more than its traces.
    #[cfg(feature = "otlp")]
    if let Some(failure) = failure {
        tracing::warn!("telemetry is not exported: {failure}");
    }
    Ok(())
}

/// The figures of a run for metrics.
#[derive(Clone, Debug)]
pub struct RunMeasurements<'a> {
    /// `complete`, `incomplete` or `failed`.
    pub outcome: &'static str,
    /// The duration.
    pub took: Duration,
    /// Number of deployments by verdict.
    pub deployments: BTreeMap<&'static str, u64>,
    /// Number of findings by severity.
    pub findings: BTreeMap<&'static str, u64>,
    /// Ages of the bases in use in days, by quantile.
    pub base_age_days: BTreeMap<&'static str, u64>,
    /// Number of acknowledged messages.
    pub messages_sent: u64,
    /// Number of messages that were not acknowledged.
    pub messages_failed: u64,
    /// Number of requests by service.
    pub requests: BTreeMap<&'a str, u64>,
}

/// Records the figures of a run, and exports everything recorded so far. Without the feature `otlp` or a collector,
/// nothing happens.
#[cfg_attr(not(feature = "otlp"), expect(clippy::unused_async, reason = "exporting awaits the collector"))]
pub async fn export(run: &RunMeasurements<'_>) {
    #[cfg(feature = "otlp")]
    {
        otlp::record(run);
        if let Err(why) = otlp::flush().await {
            tracing::warn!("cannot export telemetry: {why}");
        }
    }
    #[cfg(not(feature = "otlp"))]
    let _ = run;
}

/// Exports everything recorded so far, at the end of the process.
#[cfg_attr(not(feature = "otlp"), expect(clippy::unused_async, reason = "exporting awaits the collector"))]
pub async fn flush() {
    #[cfg(feature = "otlp")]
    if let Err(why) = otlp::flush().await {
        // The export of the last run has warned of it.
        tracing::debug!("cannot export telemetry: {why}");
    }
}

fn filter(verbosity: Verbosity, configured: Option<&str>) -> Result<EnvFilter, Error> {
    let text = verbosity.filter(configured);
    let filter = EnvFilter::try_new(text).map_err(|_| Error::Filter(text.to_owned()))?;
    if let Some(word) = text.split(',').map(str::trim).find(|word| is_mistyped(word)) {
        return Err(Error::Filter(word.to_owned()));
    }
    // A cap must not enable more than the filter does.
    if filter.max_level_hint().is_some_and(|level| level <= LevelFilter::WARN) || !asks_for_libraries(text) {
        return Ok(filter);
    }
    let capped = CAPPED.iter().map(|text| text.parse::<Directive>().expect("a valid directive"));
    Ok(capped.fold(filter, EnvFilter::add_directive))
}

/// Whether `word` is a misspelled level. The filter would treat it as a module name and drop all other events.
fn is_mistyped(word: &str) -> bool {
    let is_bare = word.chars().all(|c| c.is_ascii_alphabetic());
    is_bare && !word.is_empty() && word != "basewatch" && word.parse::<LevelFilter>().is_err()
}

/// Whether `text` enables more than warnings of libraries.
fn asks_for_libraries(text: &str) -> bool {
    text.split(',').map(str::trim).any(|word| {
        let level = word.rsplit('=').next().unwrap_or(word);
        !word.starts_with("basewatch") && level.parse::<LevelFilter>().map_or(true, |level| level > LevelFilter::WARN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Verbosity = Verbosity { verbose: 0, is_quiet: false };

    #[test]
    fn flags_override_the_variable() {
        assert_eq!(PLAIN.filter(None), "error,basewatch=warn");
        assert_eq!(PLAIN.filter(Some("debug")), "debug");
        assert_eq!(Verbosity { verbose: 1, ..PLAIN }.filter(Some("trace")), "error,basewatch=info");
        assert_eq!(Verbosity { is_quiet: true, ..PLAIN }.filter(Some("trace")), "error");
    }

    #[test]
    fn libraries_that_log_credentials_stay_at_info() {
        for asked in ["trace", "h2=trace,hyper=debug"] {
            let filter = filter(PLAIN, Some(asked)).expect("a valid filter").to_string();
            assert!(filter.contains("h2=info") && !filter.contains("h2=trace"), "{filter}");
            assert!(filter.contains("hyper=info") && !filter.contains("hyper=debug"), "{filter}");
        }
    }

    #[test]
    fn libraries_log_only_errors_by_default() {
        for verbose in [0, 1] {
            let filter = filter(Verbosity { verbose, ..PLAIN }, None).expect("a valid filter").to_string();
            assert!(!filter.contains("aws_config"), "{filter}");
        }
    }

    #[test]
    fn a_malformed_filter_is_quoted_in_the_error() {
        let error = filter(PLAIN, Some("inof")).expect_err("no level").to_string();
        assert!(error.starts_with("BASEWATCH_LOG: \"inof\""), "{error}");
        let error = filter(PLAIN, Some("basewatch=loud")).expect_err("no level").to_string();
        assert!(error.starts_with("BASEWATCH_LOG: \"basewatch=loud\""), "{error}");
    }
}
