//! A Lambda client within the quotas of the control plane for an account and region.

use std::{sync::Arc, time::Duration};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef, dyn_dispatch_hint},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use crate::pace::Pace;

/// Requests a second: `GetFunction` 100 (L-37540937), and 15 for all else but `GetPolicy` together (L-B2AA0F47),
/// neither adjustable (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>). Slightly less, so
/// that deployments by others succeed meanwhile.
const GET_FUNCTION_RATE: f64 = 98.5;
const OTHER_RATE: f64 = 14.8;

/// How long new calls wait after one was throttled, because others use the quota as well.
const EASE: Duration = Duration::from_millis(500);

/// Lambda in one region of one account.
#[derive(Clone, Debug)]
pub(crate) struct Lambda {
    client: aws_sdk_lambda::Client,
    quotas: Arc<Quotas>,
}

/// The rate limiters of one region of one account.
#[derive(Debug)]
pub(super) struct Quotas {
    get_function: Pace,
    others: Pace,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { get_function: Pace::new(Some(GET_FUNCTION_RATE)), others: Pace::new(Some(OTHER_RATE)) }
    }
}

impl Lambda {
    pub(super) fn new(client: aws_sdk_lambda::Client, quotas: Arc<Quotas>) -> Self {
        Self { client, quotas }
    }

    /// The client, after waiting until the next `GetFunction` may be sent.
    pub(crate) async fn for_get_function(&self) -> &aws_sdk_lambda::Client {
        self.quotas.get_function.turn().await.answered();
        &self.client
    }

    /// The client, after waiting until the next call of another operation may be sent.
    pub(crate) async fn for_others(&self) -> &aws_sdk_lambda::Client {
        self.quotas.others.turn().await.answered();
        &self.client
    }
}

/// Delays new calls while Lambda throttles; the SDK retries the throttled ones.
#[derive(Debug)]
pub(super) struct Easing(Arc<Quotas>);

impl Easing {
    pub(super) fn new(quotas: &Arc<Quotas>) -> Self {
        Self(Arc::clone(quotas))
    }
}

#[dyn_dispatch_hint]
impl Intercept for Easing {
    fn name(&self) -> &'static str {
        "Easing"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().status().as_u16() == 429 {
            let is_get_function = config.load::<Metadata>().is_some_and(|call| call.name() == "GetFunction");
            let pace = if is_get_function { &self.0.get_function } else { &self.0.others };
            pace.pause(EASE);
        }
        Ok(())
    }
}
