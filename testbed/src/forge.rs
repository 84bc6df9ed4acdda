//! A build service on loopback: the rebuild APIs of GitHub and GitLab, TeamCity, and a CloudEvents endpoint, each with
//! the checks and responses of the real one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value, json};

/// The token that every service here takes.
pub const TOKEN: &str = "t0ken-of-the-forge";

/// The inputs that the workflow declares; the first is required.
const INPUTS: [&str; 3] = ["base", "repository", "dedup_key"];

/// The one branch.
const BRANCH: &str = "main";

/// A build that was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    pub path: String,
    /// The parsed request: the payload, inputs, variables or properties, or the event.
    pub given: Value,
}

/// A fault of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    #[default]
    None,
    /// It responds with 503 to everything.
    Down,
    /// GitHub's primary rate limit: 403, nothing remaining.
    RateLimited,
    /// 429 with `Retry-After` in seconds.
    TooMany(u64),
    /// The build is started, but a gateway responds with 502.
    Unheard,
}

#[derive(Debug, Default)]
struct Inside {
    builds: Mutex<Vec<Build>>,
    refused: Mutex<Vec<(u16, String)>>,
    trouble: Mutex<Trouble>,
}

/// The running service; it ends with the runtime of the test.
#[derive(Debug)]
pub struct Forge {
    endpoint: String,
    inside: Arc<Inside>,
}

type Shared = State<Arc<Inside>>;

impl Forge {
    pub async fn start() -> Self {
        let inside = Arc::<Inside>::default();
        let router = Router::new()
            .route("/repos/{owner}/{repository}/dispatches", post(repository_dispatch))
            .route("/repos/{owner}/{repository}/actions/workflows/{file}/dispatches", post(workflow_dispatch))
            .route("/api/v4/projects/{project}/trigger/pipeline", post(pipeline))
            .route("/app/rest/buildQueue", post(build_queue))
            .route("/events", post(event))
            .with_state(Arc::clone(&inside));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, inside }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint)
    }

    pub fn has(&self, trouble: Trouble) {
        *self.inside.trouble.lock().unwrap() = trouble;
    }

    /// The builds that were started, oldest first.
    pub fn builds(&self) -> Vec<Build> {
        self.inside.builds.lock().unwrap().clone()
    }

    /// Rejected requests, with status and message.
    pub fn refused(&self) -> Vec<(u16, String)> {
        self.inside.refused.lock().unwrap().clone()
    }
}

impl Inside {
    /// Responds with the fault, with a refusal, or with a started build.
    fn answer(&self, path: &str, read: Result<(Value, Response), (u16, String)>) -> Response {
        let trouble = self.trouble.lock().unwrap().clone();
        let refuse = |status: u16, message: &str, more: &[(&str, String)]| {
            self.refused.lock().unwrap().push((status, message.to_owned()));
            let status = StatusCode::from_u16(status).unwrap();
            let mut response = (status, axum::Json(json!({ "message": message }))).into_response();
            for (name, value) in more {
                let name: header::HeaderName = name.parse().unwrap();
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        };
        match trouble {
            Trouble::Down => return refuse(503, "Service Unavailable", &[]),
            Trouble::TooMany(seconds) => {
                return refuse(429, "Too Many Requests", &[("retry-after", seconds.to_string())]);
            }
            Trouble::RateLimited => {
                let more = [("x-ratelimit-remaining", "0".to_owned()), ("retry-after", "3600".to_owned())];
                return refuse(403, "API rate limit exceeded", &more);
            }
            Trouble::None | Trouble::Unheard => {}
        }
        let (given, response) = match read {
            Ok(read) => read,
            Err((status, message)) => return refuse(status, &message, &[]),
        };
        self.builds.lock().unwrap().push(Build { path: path.to_owned(), given });
        if trouble == Trouble::Unheard { refuse(502, "Bad Gateway", &[]) } else { response }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn has_bearer(headers: &HeaderMap) -> bool {
    text(headers, "authorization") == format!("Bearer {TOKEN}")
}

type Refusal = (u16, String);

fn refusal<T>(status: u16, message: impl Into<String>) -> Result<T, Refusal> {
    Err((status, message.into()))
}

/// The checks of GitHub for every request.
fn github(headers: &HeaderMap, body: &[u8], permitted: &[&str]) -> Result<Value, Refusal> {
    if text(headers, "user-agent").is_empty() {
        return refusal(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        );
    }
    match text(headers, "authorization") {
        // Without a token, a private repository is not found.
        "" => return refusal(404, "Not Found"),
        _ if !has_bearer(headers) => return refusal(401, "Bad credentials"),
        _ => {}
    }
    if !matches!(text(headers, "x-github-api-version"), "2022-11-28" | "2026-03-10") {
        return refusal(400, "The version that was asked for is not supported");
    }
    if !text(headers, "accept").contains("application/vnd.github+json") {
        return refusal(415, "Unsupported 'Accept' header");
    }
    if !text(headers, "content-type").starts_with("application/json") {
        return refusal(415, "Unsupported 'Content-Type' header");
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return refusal(400, "Problems parsing JSON") };
    if let Some(key) = body.keys().find(|key| !permitted.contains(&key.as_str())) {
        return refusal(422, format!("Invalid request. \"{key}\" is not a permitted key."));
    }
    Ok(Value::Object(body))
}

async fn repository_dispatch(
    State(inside): Shared,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = || {
        let body = github(&headers, &body, &["event_type", "client_payload"])?;
        let Some(event_type) = body["event_type"].as_str() else {
            return refusal(422, "Invalid request. \"event_type\" wasn't supplied.");
        };
        if event_type.len() > 100 {
            return refusal(422, format!("Only 100 characters are allowed; {} were supplied.", event_type.len()));
        }
        let Some(payload) = body["client_payload"].as_object() else {
            return refusal(422, "Invalid request. client_payload is not an object.");
        };
        if payload.len() > 10 {
            return refusal(422, format!("No more than 10 properties are allowed; {} were supplied", payload.len()));
        }
        if body["client_payload"].to_string().len() > 65_535 {
            return refusal(422, "client_payload is too large.");
        }
        Ok((body["client_payload"].clone(), StatusCode::NO_CONTENT.into_response()))
    };
    inside.answer(&format!("{owner}/{name} {}", event_type(&body)), read())
}

fn event_type(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["event_type"].as_str().unwrap_or_default().to_owned()
}

async fn workflow_dispatch(
    State(inside): Shared,
    Path((owner, name, file)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = || {
        let body = github(&headers, &body, &["ref", "inputs", "return_run_details"])?;
        let Some(git_ref) = body["ref"].as_str() else {
            return refusal(422, "Invalid request. \"ref\" wasn't supplied.");
        };
        if git_ref != BRANCH {
            return refusal(422, format!("No ref found for: {git_ref}"));
        }
        let inputs = body["inputs"].as_object().cloned().unwrap_or_default();
        let unexpected: Vec<_> = inputs.keys().filter(|key| !INPUTS.contains(&key.as_str())).collect();
        if !unexpected.is_empty() {
            return refusal(422, format!("Unexpected inputs provided: {unexpected:?}"));
        }
        if !inputs.contains_key(INPUTS[0]) {
            return refusal(422, format!("Required input '{}' not provided", INPUTS[0]));
        }
        if let Some((key, _)) = inputs.iter().find(|(_, value)| !value.is_string()) {
            return refusal(422, format!("Invalid value for input '{key}'"));
        }
        let response = if body["return_run_details"] == true {
            axum::Json(json!({ "workflow_run_id": 7, "html_url": "https://github.com/acme/orders/actions/runs/7" }))
                .into_response()
        } else {
            StatusCode::NO_CONTENT.into_response()
        };
        Ok((Value::Object(inputs), response))
    };
    inside.answer(&format!("{owner}/{name} {file}"), read())
}

async fn pipeline(State(inside): Shared, Path(project): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let read = || {
        if text(&headers, "content-type") != "application/x-www-form-urlencoded" {
            return refusal(400, "token is missing");
        }
        let form = reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(&body))).unwrap();
        let form: Vec<(String, String)> = form.query_pairs().into_owned().collect();
        let one = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (one("token"), one("ref")) {
            (None, _) => return refusal(400, "token is missing"),
            (_, None) => return refusal(400, "ref is missing"),
            // A wrong token belongs to no project.
            (Some(token), _) if token != TOKEN => return refusal(404, "404 Not Found"),
            (_, Some(git_ref)) if git_ref != BRANCH => return refusal(400, "Reference not found"),
            _ => {}
        }
        let name = |key: &str| key.strip_prefix("variables[")?.strip_suffix(']').map(str::to_owned);
        let variables = form.iter().filter_map(|(key, value)| Some((name(key)?, json!(value)))).collect();
        let web_url = "https://gitlab.example.com/acme/orders/-/pipelines/46";
        let created = json!({ "id": 46, "iid": 11, "status": "created", "web_url": web_url });
        Ok((Value::Object(variables), (StatusCode::CREATED, axum::Json(created)).into_response()))
    };
    inside.answer(&format!("project {project}"), read())
}

async fn build_queue(State(inside): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let read = || {
        if !has_bearer(&headers) {
            return refusal(401, "Incorrect username or password.");
        }
        if !text(&headers, "content-type").starts_with("application/json") {
            return refusal(415, "Unsupported Media Type");
        }
        let Ok(body) = serde_json::from_slice::<Value>(&body) else { return refusal(400, "Bad Request") };
        match body["buildType"]["id"].as_str() {
            None => return refusal(400, "Build type is not specified."),
            Some("Shop_Orders") => {}
            Some(other) => return refusal(404, format!("No build type nor template is found by id '{other}'.")),
        }
        let properties = body["properties"]["property"].as_array().cloned().unwrap_or_default();
        let pair = |property: &Value| Some((property["name"].as_str()?.to_owned(), property["value"].clone()));
        let given = Value::Object(properties.iter().filter_map(pair).collect());
        let response = if text(&headers, "accept") == "application/json" {
            axum::Json(json!({ "id": 12, "state": "queued", "webUrl": "https://teamcity.example.com/build/12" }))
                .into_response()
        } else {
            "<build id=\"12\"/>".into_response()
        };
        Ok((given, response))
    };
    inside.answer("buildQueue", read())
}

async fn event(State(inside): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let read = || {
        if !text(&headers, "content-type").starts_with("application/cloudevents+json") {
            return refusal(415, "no event in structured mode");
        }
        let Ok(event) = serde_json::from_slice::<Value>(&body) else { return refusal(400, "no JSON") };
        Ok((event, StatusCode::ACCEPTED.into_response()))
    };
    inside.answer("event", read())
}
