//! The context of an invocation.

use super::failure::{InvocationFailure, InvocationFailureKind};
use crate::{
    app::AppContext,
    aws::Aws,
    config::Settings,
    run::{Deadlines, within},
};

/// Creates the context of one invocation.
pub(super) async fn open(
    settings: &Settings,
    aws: &Aws,
    deadlines: Deadlines,
) -> Result<AppContext, InvocationFailure> {
    match within(deadlines.audit, AppContext::open_as(settings, aws)).await {
        Some(context) => {
            context.map_err(|error| InvocationFailure::from_error(InvocationFailureKind::Configuration, &error))
        }
        None => Err(InvocationFailure::timed_out("the store was read")),
    }
}
