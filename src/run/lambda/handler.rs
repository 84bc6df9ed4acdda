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
    deadline::TimeLeft,
    direct,
    event::Event,
    failure::{Failure, Kind},
    metrics::{Ended, Metrics},
    pushed,
};
use crate::{
    aws::Aws,
    config::{Environment, Flags, Settings},
    registry::Requests,
    run::{
        Instants, World,
        audit::nothing_to_audit,
        configured::loaded_as,
        cycle::{self, Cycle, Unfinished, Until, within},
    },
};

/// The state that invocations share.
pub(super) struct Handler {
    flags: Flags,
    environment: Environment,
    here: PathBuf,
    aws: Aws,
}

/// The result of an invocation.
pub(super) struct Handled {
    /// The response.
    pub(super) answer: Result<Value, Failure>,
    /// Its metrics.
    pub(super) metrics: Metrics,
}

/// The response of an invocation.
pub(super) type Done = Result<Value, Failure>;

impl Handler {
    /// Creates a handler, and validates the configuration.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be read or is invalid.
    pub(super) async fn start(flags: Flags, environment: &Environment, here: PathBuf) -> Result<Self, Failure> {
        let aws = Aws::new(Arc::new(Requests::default()));
        let handler = Self { flags, environment: environment.clone(), here, aws };
        handler.settings(&handler.flags).await?;
        Ok(handler)
    }

    /// Handles `payload` before `deadline_ms`, in milliseconds since the Unix epoch.
    pub(super) async fn handle(&self, payload: &Value, deadline_ms: u64) -> Handled {
        let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
        let until = TimeLeft::until(deadline_ms, now_ms).from(tokio::time::Instant::now());
        let mut metrics = Metrics::default();
        let answer = match Event::read(payload) {
            Err(why) => Err(Failure::new(Kind::UnknownEvent, why)),
            Ok(Event::Ignored(why)) => {
                tracing::info!("ignored: {why}");
                Ok(serde_json::json!({ "ignored": why }))
            }
            Ok(Event::Run) => self.run(until, &mut metrics).await,
            Ok(Event::Pushed(push)) => match self.settings(&self.flags).await {
                Ok(settings) => pushed::audit(&settings, &self.aws, push, until, &mut metrics).await,
                Err(failure) => Err(failure),
            },
            Ok(Event::Direct(direct)) => {
                let flags = Flags { images: direct.images.clone(), ..self.flags.clone() };
                match self.settings(&flags).await {
                    Ok(settings) => direct::report(&settings, &self.aws, &direct, until, &mut metrics).await,
                    Err(failure) => Err(failure),
                }
            }
        };
        if let Err(failure) = &answer {
            tracing::error!("{}", failure.message);
        }
        Handled { answer, metrics }
    }

    async fn settings(&self, flags: &Flags) -> Result<Settings, Failure> {
        let aws = Arc::new(self.aws.for_another_run(Arc::new(Requests::default())).await);
        let loaded = loaded_as(&aws, flags, &self.environment, &self.here).await;
        loaded.map(|loaded| loaded.settings).map_err(|error| Failure::of(Kind::Configuration, &error))
    }

    /// Performs a run.
    async fn run(&self, until: Until, metrics: &mut Metrics) -> Done {
        let begun = Instant::now();
        let done = self.cycle(until, metrics).await;
        let ended = match &done {
            Ok(_) => Ended::Succeeded,
            Err(failure) if failure.kind == Kind::Unfinished => Ended::Unfinished,
            Err(_) => Ended::Failed,
        };
        metrics.run(ended, begun.elapsed());
        done
    }

    async fn cycle(&self, until: Until, metrics: &mut Metrics) -> Done {
        let settings = self.settings(&self.flags).await?;
        if let Some(why) = nothing_to_audit(&settings) {
            return Err(Failure::new(Kind::Configuration, why));
        }
        let world = open(&settings, &self.aws, until).await?;
        // Boxed, because the future of a run is large.
        let cycle = Box::pin(cycle::once_until(&settings, &world, Instants::new(None), until)).await;
        metrics.count("Requests", world.ports.requests.total());
        match cycle.map_err(|error| Failure::of(Kind::Failed, &error))? {
            Err(Unfinished::Audit) => Err(Failure::unfinished("the audit was complete")),
            Err(Unfinished::Notifying(_)) => Err(Failure::unfinished("all notifications were sent")),
            Ok(cycle) => {
                metrics.cycle(&cycle);
                Ok(answer(&cycle))
            }
        }
    }
}

/// Creates the context of one invocation.
pub(super) async fn open(settings: &Settings, aws: &Aws, until: Until) -> Result<World, Failure> {
    match within(until.audit, World::open_as(settings, aws)).await {
        Some(world) => world.map_err(|error| Failure::of(Kind::Configuration, &error)),
        None => Err(Failure::unfinished("the store was read")),
    }
}

/// The response of a run, truncated to the response limit.
fn answer(Cycle { report, outcome }: &Cycle) -> Value {
    if let Some(note) = report.most_unknown() {
        tracing::warn!("most of the fleet is unknown: {}", note.message);
    }
    for problem in &outcome.problems {
        tracing::warn!("{problem}");
    }
    let sent = outcome.messages.iter().filter(|message| message.sent).count();
    tracing::info!(
        "run {}: {} deployments, {} messages sent, complete: {}",
        report.run_id,
        report.summary.deployments,
        sent,
        report.complete
    );
    let mut answer = serde_json::to_value(outcome).unwrap_or_default();
    if direct::is_too_large(&answer) {
        // The complete result is in the store.
        let why = "the response is truncated to the limit of Lambda";
        answer = serde_json::json!({
            "schema": outcome.schema, "run_id": outcome.run_id, "at": outcome.at, "store": outcome.store,
            "complete": outcome.complete, "summary": outcome.summary, "problems": [why],
        });
    }
    answer
}

/// The time limit of the initialization, for which Lambda allows 10 seconds.
pub(super) const START_WAIT: Duration = Duration::from_secs(8);
