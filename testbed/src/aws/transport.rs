//! The cloud below the SDK: every request is answered in this process, without a socket.

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

use super::{
    Cloud,
    reply::{CallOutcome, REQUEST_ID},
    request::Incoming,
};

/// A transport for the SDK whose other end is a [`Cloud`].
#[derive(Clone, Debug)]
pub struct CloudTransport(Cloud);

impl CloudTransport {
    pub(super) fn new(cloud: Cloud) -> Self {
        Self(cloud)
    }

    fn response(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let header = |name| request.headers().get(name);
        let uri = request.uri();
        let behind_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        let host_end = behind_scheme.find(['/', '?']).unwrap_or(behind_scheme.len());
        let (host, path) = behind_scheme.split_at(host_end);
        let response = self.0.handle(&Incoming {
            host,
            method: request.method(),
            path,
            authorization: header("authorization"),
            target: header("x-amz-target"),
            user_agent: header("user-agent"),
            body: request.body().bytes().unwrap_or_default(),
        });
        let CallOutcome::Reply(reply) = response else {
            return Err(ConnectorError::io("connection refused".into()));
        };
        let status = StatusCode::try_from(reply.status).map_err(|error| ConnectorError::other(error.into(), None))?;
        let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
        let headers = response.headers_mut();
        headers.insert("content-type", reply.content_type);
        headers.insert("x-amzn-requestid", REQUEST_ID);
        if let Some(error_type) = reply.error_type {
            headers.insert("x-amzn-errortype", error_type);
        }
        Ok(response)
    }
}

impl HttpConnector for CloudTransport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let response = self.response(&request);
        HttpConnectorFuture::new(async {
            // As with a network, other tasks run before the response arrives.
            tokio::task::yield_now().await;
            response
        })
    }
}

impl HttpClient for CloudTransport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
