//! Lambda's side of a function: the runtime API on loopback
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), and the program as its function.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path as UrlPath, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

/// How long any invocation may take; more than any deadline here.
const PATIENCE: Duration = Duration::from_mins(1);
/// The response limit of Lambda
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// The name of the function.
pub const FUNCTION: &str = "base-watch";

/// The runtime API; it stops when dropped.
pub struct RuntimeApi {
    /// `127.0.0.1:PORT`.
    pub address: String,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Invocation>,
    _stop: oneshot::Sender<()>,
}

struct Shared {
    invocations: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    under_way: Mutex<HashMap<String, oneshot::Sender<Answered>>>,
    init_errors: Mutex<Vec<Answered>>,
    count: AtomicUsize,
}

struct Invocation {
    payload: Vec<u8>,
    time: Duration,
    answer: oneshot::Sender<Answered>,
}

/// The result of an invocation.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The header that names the type of an error; none for a response.
    pub error_type: Option<String>,
    /// The response, or the error's document.
    pub body: Value,
}

impl Answered {
    /// The response.
    #[track_caller]
    pub fn response(self) -> Value {
        assert_eq!(self.error_type, None, "{:#}", self.body);
        self.body
    }

    /// The type and the message of the error.
    #[track_caller]
    pub fn error(self) -> (String, String) {
        // The header of the runtime library marks every error as unhandled.
        assert!(self.error_type.is_some(), "no error: {:#}", self.body);
        let kind = self.body["errorType"].as_str().expect("a type").to_owned();
        (kind, self.body["errorMessage"].as_str().expect("a message").to_owned())
    }
}

impl RuntimeApi {
    /// Serves a function, within the running tokio runtime.
    pub async fn start() -> Self {
        let (queue, invocations) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            invocations: tokio::sync::Mutex::new(invocations),
            under_way: Mutex::default(),
            init_errors: Mutex::default(),
            count: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(ANSWER_BYTES))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let until_dropped = async { drop(stopped.await) };
            axum::serve(listener, router).with_graceful_shutdown(until_dropped).await.expect("a server");
        });
        Self { address, shared, queue, _stop: stop }
    }

    /// Invokes the function with a timeout.
    pub async fn invoke(&self, payload: Value, time: Duration) -> Answered {
        self.invoke_with(payload.to_string().into_bytes(), time).await
    }

    /// The same with an event of any bytes.
    pub async fn invoke_with(&self, payload: Vec<u8>, time: Duration) -> Answered {
        let (answer, answered) = oneshot::channel();
        assert!(self.queue.send(Invocation { payload, time, answer }).is_ok(), "the API serves");
        tokio::time::timeout(PATIENCE, answered).await.expect("a response in time").expect("a response")
    }

    /// The errors at start that were reported.
    pub fn init_errors(&self) -> Vec<Answered> {
        self.shared.init_errors.lock().expect("no panic").clone()
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let invocation = shared.invocations.lock().await.recv().await;
    let Some(Invocation { payload, time, answer }) = invocation else {
        return (StatusCode::GONE, HeaderMap::new(), Vec::new());
    };
    let id = format!("request-{}", shared.count.fetch_add(1, Ordering::SeqCst));
    shared.under_way.lock().expect("no panic").insert(id.clone(), answer);
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + time;
    let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{FUNCTION}");
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let headers =
        headers.into_iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
    (StatusCode::OK, headers.collect(), payload)
}

fn answered(headers: &HeaderMap, body: &Bytes, is_error: bool) -> Answered {
    let kind = headers.get("lambda-runtime-function-error-type").map(|kind| kind.to_str().expect("ASCII").to_owned());
    assert_eq!(kind.is_some(), is_error, "only errors have a type");
    Answered { error_type: kind, body: serde_json::from_slice(body).expect("JSON") }
}

fn settle(shared: &Shared, id: &str, answer: Answered) -> StatusCode {
    let waiting = shared.under_way.lock().expect("no panic").remove(id);
    // The caller may have given up.
    drop(waiting.expect("an invocation under way").send(answer));
    StatusCode::ACCEPTED
}

async fn response(
    State(shared): State<Arc<Shared>>,
    UrlPath(id): UrlPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    settle(&shared, &id, answered(&headers, &body, false))
}

async fn error(
    State(shared): State<Arc<Shared>>,
    UrlPath(id): UrlPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    settle(&shared, &id, answered(&headers, &body, true))
}

async fn init_error(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    shared.init_errors.lock().expect("no panic").push(answered(&headers, &body, true));
    StatusCode::ACCEPTED
}

/// The program as a function. Dropping it, also by a panic, ends the process.
pub struct Function {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Function {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The environment of a function whose runtime API is at `api`.
pub fn as_function<'a>(command: &'a mut Command, api: &str) -> &'a mut Command {
    command
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/base-watch")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]0")
}

impl Function {
    /// Starts `command` as a function of the runtime API at `api`.
    pub fn start(mut command: Command, api: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let child = as_function(&mut command, api).stdout(file("stdout")).stderr(file("stderr")).spawn();
        Self { child: child.expect("the program starts"), folder }
    }

    fn printed(&self, name: &str) -> String {
        fs::read_to_string(Path::new(self.folder.path()).join(name)).expect("UTF-8")
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.printed("stderr")
    }

    /// The lines of metrics so far, the only standard output.
    pub fn metrics(&self) -> Vec<Value> {
        let lines = self.printed("stdout");
        assert!(lines.is_empty() || lines.ends_with('\n'), "whole lines: {lines:?}");
        lines.lines().map(metrics_of).collect()
    }

    /// Waits for its end, for a bounded time.
    pub async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of a process") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The values of a line of metrics, which has to follow the specification of the embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
pub fn metrics_of(line: &str) -> Value {
    assert!(line.len() < 1_000_000, "one event of CloudWatch Logs");
    let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let root = line.as_object().expect("an object");
    let at = root["_aws"]["Timestamp"].as_u64().expect("milliseconds since 1970");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    assert!(now.abs_diff(at.into()) < 120_000, "CloudWatch accepts data at most two hours ahead and two weeks old");
    let directives = root["_aws"]["CloudWatchMetrics"].as_array().expect("directives");
    let [directive] = directives.as_slice() else { panic!("one directive: {directives:?}") };
    assert_eq!(directive["Namespace"], "basewatch");
    assert_eq!(directive["Dimensions"], serde_json::json!([["FunctionName"]]));
    let metrics = directive["Metrics"].as_array().expect("metrics");
    assert!((1..=100).contains(&metrics.len()), "{} metrics", metrics.len());
    let units = ["Count", "Milliseconds", "None"];
    let mut names = Vec::new();
    for metric in metrics {
        let name = metric["Name"].as_str().expect("a name");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !names.contains(&name), "{name}");
        assert!(units.contains(&metric["Unit"].as_str().expect("a unit")), "{metric}");
        assert!(root[name].is_u64(), "{name} has a value at the root: {}", root[name]);
        names.push(name);
    }
    let others: Vec<_> = root.keys().filter(|key| !names.contains(&key.as_str())).map(String::as_str).collect();
    let others: BTreeSet<_> = others.into_iter().collect();
    assert_eq!(others, BTreeSet::from(["FunctionName", "_aws"]), "nothing else is at the root");
    line
}
