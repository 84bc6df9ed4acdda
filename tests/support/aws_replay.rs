//! AWS as answers: a transport below the SDK that hands each call to a function and keeps what was asked.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

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
use serde_json::{Value, json};

/// A call as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The host it went to.
    pub(crate) host: String,
    /// The operation: `DescribeImages`. Empty for what is no JSON call, such as instance metadata.
    pub(crate) operation: String,
    /// The body.
    pub(crate) body: Value,
    /// How many equal calls came before.
    pub(crate) nth: usize,
    /// The `User-Agent`.
    pub(crate) user_agent: String,
}

/// What AWS answers.
pub(crate) enum Answer {
    /// An HTTP answer.
    Http(u16, Value),
    /// No connection.
    Refused,
}

impl Answer {
    /// Success.
    pub(crate) fn ok(body: Value) -> Self {
        Self::Http(200, body)
    }

    /// An error of the service.
    pub(crate) fn error(code: &str, message: &str) -> Self {
        Self::Http(400, json!({ "__type": code, "message": message }))
    }
}

type Answers = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

/// The transport.
#[derive(Clone)]
pub(crate) struct AwsReplay {
    answers: Answers,
    calls: Arc<Mutex<Vec<Call>>>,
    seen: Arc<Mutex<HashMap<String, usize>>>,
}

impl AwsReplay {
    /// Answers each call by `answers`.
    pub(crate) fn new(answers: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        Self { answers: Arc::new(answers), calls: Arc::default(), seen: Arc::default() }
    }

    /// The calls of `operation` so far.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Call> {
        self.all_calls().into_iter().filter(|call| call.operation == operation).collect()
    }

    /// All calls so far.
    pub(crate) fn all_calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn receive(&self, request: &HttpRequest) -> Call {
        let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or(Value::Null);
        let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
        let operation = header("x-amz-target").rsplit('.').next().unwrap_or_default().to_owned();
        let mut seen = self.seen.lock().unwrap();
        let nth = seen.entry(format!("{host} {operation} {body}")).or_default();
        let call = Call { host, operation, body, nth: *nth, user_agent: header("user-agent") };
        *nth += 1;
        self.calls.lock().unwrap().push(call.clone());
        call
    }
}

impl fmt::Debug for AwsReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsReplay")
    }
}

impl HttpConnector for AwsReplay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = self.receive(&request);
        HttpConnectorFuture::ready(match (self.answers)(&call) {
            Answer::Http(status, body) => {
                let status = StatusCode::try_from(status).unwrap();
                let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
                response.headers_mut().insert("x-amzn-requestid", "req-1");
                Ok(response)
            }
            Answer::Refused => Err(ConnectorError::io("connection refused".into())),
        })
    }
}

impl HttpClient for AwsReplay {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
