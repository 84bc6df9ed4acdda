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

use crate::http::RateLimiter;

/// Requests a second: `GetFunction` 100 (L-37540937), and 15 for all else but `GetPolicy` together (L-B2AA0F47),
/// neither adjustable (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>). Slightly less, so
/// that deployments by others succeed meanwhile.
const GET_FUNCTION_RATE: f64 = 98.5;
const OTHER_RATE: f64 = 14.8;

/// How long new calls wait after one was throttled, because others use the quota as well.
const EASE: Duration = Duration::from_millis(500);

/// Lambda in one region of one account.
#[derive(Clone, Debug)]
pub(crate) struct LambdaClient {
    client: aws_sdk_lambda::Client,
    quotas: Arc<LambdaQuotas>,
}

/// The rate limiters of one region of one account.
#[derive(Debug)]
pub(super) struct LambdaQuotas {
    get_function: RateLimiter,
    others: RateLimiter,
}

impl Default for LambdaQuotas {
    fn default() -> Self {
        Self { get_function: RateLimiter::new(Some(GET_FUNCTION_RATE)), others: RateLimiter::new(Some(OTHER_RATE)) }
    }
}

impl LambdaClient {
    pub(super) fn new(client: aws_sdk_lambda::Client, quotas: Arc<LambdaQuotas>) -> Self {
        Self { client, quotas }
    }

    /// The client, after waiting until the next `GetFunction` may be sent.
    pub(crate) async fn for_get_function(&self) -> &aws_sdk_lambda::Client {
        self.quotas.get_function.acquire().await.answered();
        &self.client
    }

    /// The client, after waiting until the next call of another operation may be sent.
    pub(crate) async fn for_others(&self) -> &aws_sdk_lambda::Client {
        self.quotas.others.acquire().await.answered();
        &self.client
    }
}

/// Delays new calls while Lambda throttles; the SDK retries the throttled ones.
#[derive(Debug)]
pub(super) struct ThrottleInterceptor(Arc<LambdaQuotas>);

impl ThrottleInterceptor {
    pub(super) fn new(quotas: &Arc<LambdaQuotas>) -> Self {
        Self(Arc::clone(quotas))
    }
}

#[dyn_dispatch_hint]
impl Intercept for ThrottleInterceptor {
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
            let limiter = if is_get_function { &self.0.get_function } else { &self.0.others };
            limiter.pause(EASE);
        }
        Ok(())
    }
}
