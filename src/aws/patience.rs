//! Is a refused call worth another try? What the SDK's own classifiers miss.

use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    retries::classifiers::{ClassifyRetry, RetryAction},
};

/// Takes HTTP status 429 for throttling, whatever the code of the error says: that of SNS is `Throttled`
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>), which the SDK does not know and gives up at.
#[derive(Debug)]
pub(super) struct TooManyRequests;

impl ClassifyRetry for TooManyRequests {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(429) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "HTTP status 429"
    }
}
