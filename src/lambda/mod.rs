//! `basewatch lambda`: a Lambda function that performs a run for scheduled events, audits pushed images and returns
//! reports on request.
//!
//! Writes only metrics to standard output, and logs to standard error. See `docs/lambda.md`.

mod context;
mod deadline;
mod direct;
mod event;
mod failure;
mod handler;
mod image_push;
mod lambda_environment;
mod metrics;

use std::{path::Path, sync::Arc};

use anyhow::{Result, anyhow};
use chrono::Utc;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::Value;
use tokio::time::timeout;
use tower::util::MapRequestLayer;

/// For the fuzz targets.
#[cfg(test)]
pub(crate) use self::event::InvocationEvent;
pub use self::lambda_environment::RUNTIME_API;
use self::{
    failure::{InvocationFailure, InvocationFailureKind},
    handler::{InvocationHandler, InvocationOutcome, START_WAIT},
    lambda_environment::LambdaEnvironment,
};
use crate::{
    app::{ExitStatus, output::print},
    config::{CliOverrides, EnvironmentVariables},
};

/// Handles invocations until the runtime ends the process.
///
/// # Errors
///
/// When the Lambda runtime did not start this process, the configuration is invalid (which is also reported to the
/// runtime), or the runtime is no longer reachable.
pub async fn run(flags: CliOverrides, environment: &EnvironmentVariables, here: &Path) -> Result<ExitStatus> {
    let surroundings = LambdaEnvironment::from_environment(environment)?;
    let started = timeout(START_WAIT, InvocationHandler::start(flags, environment, here.to_owned())).await;
    let late = || {
        InvocationFailure::new(
            InvocationFailureKind::Configuration,
            format!("loading the configuration took longer than {START_WAIT:?}"),
        )
    };
    let handler = match started.unwrap_or_else(|_| Err(late())) {
        Ok(handler) => Arc::new(handler),
        Err(failure) => {
            let diagnostic = Diagnostic::from(failure);
            surroundings.init_failed(&diagnostic.error_type, &diagnostic.error_message).await;
            return Err(anyhow!(diagnostic.error_message));
        }
    };
    let function: Arc<str> = surroundings.function.into();
    let invoked = service_fn(move |event: LambdaEvent<Value>| {
        let (handler, function) = (Arc::clone(&handler), Arc::clone(&function));
        async move { response(&handler, &function, event).await }
    });
    let served = Runtime::new(invoked).layer(MapRequestLayer::new(with_json)).run().await;
    served.map_err(|error| anyhow!("the Lambda runtime is no longer reachable: {error}"))?;
    Ok(ExitStatus::Clean)
}

/// Wraps an event that is not JSON in a JSON string, so that it fails with our error and not with one of the runtime
/// library.
fn with_json(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<Value>(&invocation.body).is_err() {
        let start = &invocation.body[..invocation.body.len().min(QUOTED_BYTES)];
        let text = String::from_utf8_lossy(start).into_owned();
        invocation.body = Value::String(text).to_string().into();
    }
    invocation
}

/// The maximum length of an event that is not JSON, in bytes.
const QUOTED_BYTES: usize = 1024;

/// Handles one invocation and writes its metrics.
async fn response(handler: &InvocationHandler, function: &str, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let InvocationOutcome { response, metrics } =
        Box::pin(handler.handle(&event.payload, event.context.deadline)).await;
    if let Some(line) = metrics.line(function, Utc::now().timestamp_millis())
        && let Err(error) = print(&line)
    {
        tracing::warn!("cannot write metrics: {error:#}");
    }
    response.map_err(Diagnostic::from)
}
