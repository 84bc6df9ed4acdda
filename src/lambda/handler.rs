//! The invocation handler.
//!
//! Invocations share only AWS clients and credentials. Each reloads the configuration and has its own request counters.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use serde_json::Value;

use super::{
    context::open,
    deadline::TimeLeft,
    direct,
    event::InvocationEvent,
    failure::{InvocationFailure, InvocationFailureKind, InvocationResult},
    image_push,
    metrics::{LambdaMetrics, RunEnding},
};
use crate::{
    app::{RunInstants, audit::nothing_to_audit, loaded_as},
    aws::Aws,
    config::{CliOverrides, EnvironmentVariables, Settings},
    http::RequestCounter,
    run::{self, CompletedRun, Deadlines, RunFailure},
};

/// The state that invocations share.
pub(super) struct InvocationHandler {
    flags: CliOverrides,
    environment: EnvironmentVariables,
    here: PathBuf,
    aws: Aws,
}

/// The result of an invocation.
pub(super) struct InvocationOutcome {
    /// The response.
    pub(super) response: Result<Value, InvocationFailure>,
    /// Its metrics.
    pub(super) metrics: LambdaMetrics,
}

impl InvocationHandler {
    /// Creates a handler, and validates the configuration.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be read or is invalid.
    pub(super) async fn start(
        flags: CliOverrides,
        environment: &EnvironmentVariables,
        here: PathBuf,
    ) -> Result<Self, InvocationFailure> {
        let aws = Aws::new(Arc::new(RequestCounter::default()));
        let handler = Self { flags, environment: environment.clone(), here, aws };
        handler.settings(&handler.flags).await?;
        Ok(handler)
    }

    /// Handles `payload` before `deadline_ms`, in milliseconds since the Unix epoch.
    pub(super) async fn handle(&self, payload: &Value, deadline_ms: u64) -> InvocationOutcome {
        let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
        let deadlines = TimeLeft::new(deadline_ms, now_ms).deadlines(tokio::time::Instant::now());
        let mut metrics = LambdaMetrics::default();
        let response = match InvocationEvent::read(payload) {
            Err(why) => Err(InvocationFailure::new(InvocationFailureKind::UnknownEvent, why)),
            Ok(InvocationEvent::Ignored(why)) => {
                tracing::info!("ignored: {why}");
                Ok(serde_json::json!({ "ignored": why }))
            }
            Ok(InvocationEvent::Run) => self.run(deadlines, &mut metrics).await,
            Ok(InvocationEvent::Pushed(push)) => match self.settings(&self.flags).await {
                Ok(settings) => image_push::audit(&settings, &self.aws, push, deadlines, &mut metrics).await,
                Err(failure) => Err(failure),
            },
            Ok(InvocationEvent::Direct(direct)) => {
                let flags = CliOverrides { images: direct.images.clone(), ..self.flags.clone() };
                match self.settings(&flags).await {
                    Ok(settings) => direct::report(&settings, &self.aws, &direct, deadlines, &mut metrics).await,
                    Err(failure) => Err(failure),
                }
            }
        };
        if let Err(failure) = &response {
            tracing::error!("{}", failure.message);
        }
        InvocationOutcome { response, metrics }
    }

    async fn settings(&self, flags: &CliOverrides) -> Result<Settings, InvocationFailure> {
        let aws = Arc::new(self.aws.for_another_run(Arc::new(RequestCounter::default())).await);
        let loaded = loaded_as(&aws, flags, &self.environment, &self.here).await;
        loaded
            .map(|loaded| loaded.settings)
            .map_err(|error| InvocationFailure::from_error(InvocationFailureKind::Configuration, &error))
    }

    /// Performs a run.
    async fn run(&self, deadlines: Deadlines, metrics: &mut LambdaMetrics) -> InvocationResult {
        let begun = Instant::now();
        let done = self.run_once(deadlines, metrics).await;
        let ended = match &done {
            Ok(_) => RunEnding::Succeeded,
            Err(failure) if failure.kind == InvocationFailureKind::Unfinished => RunEnding::Unfinished,
            Err(_) => RunEnding::Failed,
        };
        metrics.run(ended, begun.elapsed());
        done
    }

    async fn run_once(&self, deadlines: Deadlines, metrics: &mut LambdaMetrics) -> InvocationResult {
        let begun = Instant::now();
        let settings = self.settings(&self.flags).await?;
        if let Some(why) = nothing_to_audit(&settings) {
            return Err(InvocationFailure::new(InvocationFailureKind::Configuration, why));
        }
        let context = open(&settings, &self.aws, deadlines).await?;
        // Boxed, because the future of a run is large.
        let run = Box::pin(run::once(&settings, &context, RunInstants::new(None), deadlines, &|_| ())).await;
        metrics.count("Requests", context.clients.requests.total());
        let run = run.map_err(|failure| match failure {
            RunFailure::AuditTimedOut => InvocationFailure::timed_out("the audit was complete"),
            RunFailure::NotifyingTimedOut => InvocationFailure::timed_out("all notifications were sent"),
            RunFailure::Failed(error) => InvocationFailure::from_error(InvocationFailureKind::Failed, &error),
        })?;
        run::log_completed(&run, begun.elapsed());
        metrics.completed(&run);
        Ok(response(&run))
    }
}

/// The response of a run, truncated to the response limit.
fn response(CompletedRun { outcome, .. }: &CompletedRun) -> Value {
    let mut response = serde_json::to_value(outcome).unwrap_or_default();
    if direct::is_too_large(&response) {
        // The complete result is in the store.
        let why = "the response is truncated to the limit of Lambda";
        response = serde_json::json!({
            "schema": outcome.schema, "run_id": outcome.run_id, "at": outcome.at, "store": outcome.store,
            "complete": outcome.complete, "summary": outcome.summary, "problems": [why],
        });
    }
    response
}

/// The time limit of the initialization, for which Lambda allows 10 seconds.
pub(super) const START_WAIT: Duration = Duration::from_secs(8);
