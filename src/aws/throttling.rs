//! A retry classifier for throttling errors that the SDK does not recognize.

use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    retries::classifiers::{ClassifyRetry, RetryAction},
};

/// Classifies HTTP status 429 as throttling, whatever the error code: that of SNS is `Throttled`
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>), which the SDK does not retry.
#[derive(Debug)]
pub(super) struct ThrottleClassifier;

impl ClassifyRetry for ThrottleClassifier {
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
