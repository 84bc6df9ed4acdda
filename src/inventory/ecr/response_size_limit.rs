//! A size limit for responses of ECR: a hundred manifests of the maximum size have four hundred megabytes, and the SDK
//! reads a response into memory without a limit.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextMut, dyn_dispatch_hint},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};

/// An interceptor that does not read a response whose `Content-Length` exceeds `most_bytes`. A response without one is
/// read.
#[derive(Clone, Debug)]
pub(super) struct ResponseSizeLimit {
    most_bytes: u64,
    was_larger: Arc<AtomicBool>,
}

impl ResponseSizeLimit {
    pub(super) fn new(most_bytes: u64) -> Self {
        Self { most_bytes, was_larger: Arc::default() }
    }

    /// Whether the response was not read, so that the result of the call is empty.
    pub(super) fn was_larger(&self) -> bool {
        self.was_larger.load(Ordering::Acquire)
    }
}

#[dyn_dispatch_hint]
impl Intercept for ResponseSizeLimit {
    fn name(&self) -> &'static str {
        "SizeLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let is_larger = body.content_length().is_some_and(|bytes| bytes > self.most_bytes);
        self.was_larger.store(is_larger, Ordering::Release);
        if is_larger {
            // Not an error, which the SDK would retry.
            *body = SdkBody::from("{}");
        }
        Ok(())
    }
}
