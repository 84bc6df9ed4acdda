//! An SDK interceptor that counts transmitted attempts, including retries.

use std::sync::Arc;

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use crate::http::{RequestCounter, RequestKind};

/// Counts the requests of one service's client.
#[derive(Debug)]
pub(super) struct CountingInterceptor {
    service: &'static str,
    requests: Arc<RequestCounter>,
}

impl CountingInterceptor {
    pub(super) fn new(service: &'static str, requests: Arc<RequestCounter>) -> Self {
        Self { service, requests }
    }
}

#[dyn_dispatch_hint]
impl Intercept for CountingInterceptor {
    fn name(&self) -> &'static str {
        "Counting"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_token = config.load::<Metadata>().is_some_and(|call| call.name() == "GetAuthorizationToken");
        self.requests.count(self.service, if is_token { RequestKind::Token } else { RequestKind::Api });
        Ok(())
    }
}
