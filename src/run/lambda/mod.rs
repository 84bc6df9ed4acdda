//! `basewatch lambda`: the same as `run`, for each invocation of a Lambda function; images that are pushed are looked at
//! at once, and reports given on request.
//!
//! Standard output is metrics and nothing else, standard error the log. See `docs/lambda.md`.

mod deadline;
mod direct;
mod event;
mod failure;
mod handler;
mod metrics;
mod pushed;
mod surroundings;

use std::{path::Path, sync::Arc};

use anyhow::{Result, anyhow};
use chrono::Utc;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::Value;
use tokio::time::timeout;
use tower::util::MapRequestLayer;

/// For the fuzz targets.
#[cfg(test)]
pub(crate) use self::event::Event;
pub use self::surroundings::RUNTIME_API;
use self::{
    failure::{Failure, Kind},
    handler::{Handled, Handler, START_WAIT},
    surroundings::Surroundings,
};
use super::{Exit, print};
use crate::config::{Environment, Flags};

/// Serves invocations until the runtime ends the process.
///
/// # Errors
///
/// When this process was not started by the Lambda runtime, or the configuration does not hold, which the runtime is
/// told as well; and when the runtime can no longer be reached.
pub async fn run(flags: Flags, environment: &Environment, here: &Path) -> Result<Exit> {
    let surroundings = Surroundings::of(environment)?;
    let started = timeout(START_WAIT, Handler::start(flags, environment, here.to_owned())).await;
    let late = || Failure::new(Kind::Configuration, format!("the configuration was not there within {START_WAIT:?}"));
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
        async move { answer(&handler, &function, event).await }
    });
    let served = Runtime::new(invoked).layer(MapRequestLayer::new(with_json)).run().await;
    served.map_err(|error| anyhow!("the Lambda runtime cannot be reached any more: {error}"))?;
    Ok(Exit::Clean)
}

/// The same invocation, with an event that is no JSON as a JSON text: it is then answered as any other event that is not
/// understood, and not with an error that is named after a type of the runtime's library.
fn with_json(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<Value>(&invocation.body).is_err() {
        let start = &invocation.body[..invocation.body.len().min(QUOTED_BYTES)];
        let text = String::from_utf8_lossy(start).into_owned();
        invocation.body = Value::String(text).to_string().into();
    }
    invocation
}

/// How much is kept of an event that is no JSON; less is shown.
const QUOTED_BYTES: usize = 1024;

/// The answer to one invocation, whose metrics are written.
async fn answer(handler: &Handler, function: &str, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let Handled { answer, metrics } = Box::pin(handler.handle(&event.payload, event.context.deadline)).await;
    if let Some(line) = metrics.line(function, Utc::now().timestamp_millis())
        && let Err(error) = print(&line)
    {
        tracing::warn!("the metrics were not written: {error:#}");
    }
    answer.map_err(Diagnostic::from)
}
