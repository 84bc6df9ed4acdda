//! Replayed AWS: a transport below the SDK that passes each call to a function and records it.

use std::{
    collections::{BTreeMap, HashMap},
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

use crate::allowed::assert_allowed;

/// A call as it was sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// The host it went to.
    pub host: String,
    /// The operation: `DescribeImages`, `AssumeRole`; of a REST service method and path,
    /// `GET /2015-03-31/functions`.
    pub operation: String,
    /// The parameters of the URL, decoded.
    pub query: BTreeMap<String, String>,
    /// The body: JSON, or the fields of a form as an object of strings.
    pub body: Value,
    /// The id of the access key it was signed with.
    pub access_key: String,
    /// The number of equal earlier calls.
    pub nth: usize,
    /// The `User-Agent`.
    pub user_agent: String,
}

impl Call {
    /// The IAM action: `ecr:DescribeImages`; `None` for calls without permission, such as instance metadata.
    fn action(&self) -> Option<String> {
        let service = self.host.strip_prefix("api.").unwrap_or(&self.host).split('.').next()?;
        let operation = match self.operation.split_once(' ') {
            // No action of its own (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html).
            None if self.operation == "PublishBatch" => "Publish",
            None => self.operation.as_str(),
            Some((_, path)) if service == "lambda" && path.ends_with("/aliases") => "ListAliases",
            Some((_, path)) if service == "lambda" && path.trim_end_matches('/').ends_with("/functions") => {
                "ListFunctions"
            }
            Some(_) if service == "lambda" => "GetFunction",
            Some((_, "/listRegions")) => "ListRegions",
            Some(_) => return None,
        };
        Some(format!("{service}:{operation}"))
    }
}

/// A response of AWS.
pub enum Answer {
    /// An HTTP response.
    Http(u16, Value),
    /// An HTTP response of a service that uses XML.
    Xml(u16, String),
    /// No connection.
    Refused,
}

impl Answer {
    /// Success.
    pub fn ok(body: Value) -> Self {
        Self::Http(200, body)
    }

    /// An error of the service.
    pub fn error(code: &str, message: &str) -> Self {
        Self::Http(400, json!({ "__type": code, "message": message }))
    }
}

type Answers = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

/// The transport.
#[derive(Clone)]
pub struct AwsReplay {
    answers: Answers,
    calls: Arc<Mutex<Vec<Call>>>,
    seen: Arc<Mutex<HashMap<String, usize>>>,
}

impl AwsReplay {
    /// Responds to each call with `answers`.
    pub fn new(answers: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        Self { answers: Arc::new(answers), calls: Arc::default(), seen: Arc::default() }
    }

    /// The calls of `operation` so far.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        self.all_calls().into_iter().filter(|call| call.operation == operation).collect()
    }

    /// All calls so far.
    pub fn all_calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn receive(&self, request: &HttpRequest) -> Call {
        let header = |name| request.headers().get(name).unwrap_or_default();
        let mut after_scheme = request.uri().splitn(4, '/').skip(2);
        let host = after_scheme.next().unwrap_or_default().to_owned();
        let path = format!("/{}", after_scheme.next().unwrap_or_default());
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let body = body(request.body().bytes().unwrap_or_default());
        let target = header("x-amz-target").rsplit('.').next().unwrap_or_default();
        let operation = match (target, body["Action"].as_str()) {
            ("", None) => format!("{} {}", request.method(), decoded(path)),
            ("", Some(action)) => action.to_owned(),
            (target, _) => target.to_owned(),
        };
        let credential = header("authorization").split_once("Credential=").map_or("", |(_, rest)| rest);
        let access_key = credential.split('/').next().unwrap_or_default().to_owned();
        let mut seen = self.seen.lock().unwrap();
        let nth = seen.entry(format!("{access_key} {host} {operation} {query} {body}")).or_default();
        let user_agent = header("user-agent").to_owned();
        let query = pairs(query);
        let call = Call { host, operation, query, body, access_key, nth: *nth, user_agent };
        call.action().iter().for_each(|action| assert_allowed(action));
        *nth += 1;
        self.calls.lock().unwrap().push(call.clone());
        call
    }
}

fn body(bytes: &[u8]) -> Value {
    let form = || pairs(&String::from_utf8_lossy(bytes)).into_iter().map(|(key, value)| (key, value.into())).collect();
    serde_json::from_slice(bytes).unwrap_or_else(|_| if bytes.is_empty() { Value::Null } else { Value::Object(form()) })
}

/// The fields of a query or a form.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

/// `text` without its percent encoding.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

impl fmt::Debug for AwsReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsReplay")
    }
}

impl HttpConnector for AwsReplay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = self.receive(&request);
        let (status, body) = match (self.answers)(&call) {
            Answer::Http(status, body) => (status, body.to_string()),
            Answer::Xml(status, body) => (status, body),
            Answer::Refused => {
                return HttpConnectorFuture::ready(Err(ConnectorError::io("connection refused".into())));
            }
        };
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        response.headers_mut().insert("x-amzn-requestid", "req-1");
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for AwsReplay {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
