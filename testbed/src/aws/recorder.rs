//! The calls in full, on demand, and answers that a test gives instead of the cloud.

use std::{collections::HashMap, fmt, sync::Arc};

use serde_json::{Value, json};

use super::{
    Cloud, lock,
    reply::{CallOutcome, Reply},
    request::Call,
};

/// An answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A status and a body in JSON.
    Http(u16, Value),
    /// A status and a body in XML.
    Xml(u16, String),
    /// No connection.
    Refused,
}

impl Answer {
    /// Success.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self::Http(200, body)
    }

    /// An error of a service that speaks JSON.
    #[must_use]
    pub fn error(code: &str, message: &str) -> Self {
        Self::Http(400, json!({ "__type": code, "message": message }))
    }
}

impl From<Answer> for CallOutcome {
    fn from(answer: Answer) -> Self {
        let (status, content_type, body) = match answer {
            Answer::Http(status, body) => (status, "application/json", body.to_string()),
            Answer::Xml(status, body) => (status, "text/xml", body),
            Answer::Refused => return Self::NoConnection,
        };
        Self::Reply(Reply { status, content_type, error_type: None, body: body.into_bytes() })
    }
}

type Intercept = Arc<dyn Fn(&Call) -> Option<Answer> + Send + Sync>;
type Revise = Arc<dyn Fn(&Call, &mut Value) + Send + Sync>;

/// The recorded calls, and what a test does with calls.
#[derive(Default)]
pub(super) struct Recorder {
    calls: Option<Vec<Call>>,
    /// How often each call was made.
    counts: HashMap<String, usize>,
    page_size: Option<usize>,
    pub(super) intercept: Option<Intercept>,
    pub(super) revise: Option<Revise>,
}

impl Recorder {
    /// `call` with its number, recorded if calls are.
    pub(super) fn record(&mut self, mut call: Call) -> Call {
        call.page_size = self.page_size;
        if let Some(calls) = &mut self.calls {
            let Call { access_key, host, operation, segments, parameters, body, .. } = &call;
            let count = self
                .counts
                .entry(format!("{access_key} {host} {operation} {segments:?} {parameters:?} {body}"))
                .or_default();
            call.nth = *count;
            *count += 1;
            calls.push(call.clone());
        }
        call
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Cloud {
    /// A cloud in which `answer` answers every call. The calls are recorded.
    #[must_use]
    pub fn answering(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let cloud = Self::new("123456789012");
        cloud.record();
        cloud.intercept(move |call| Some(answer(call)));
        cloud
    }

    /// Records all calls from now on, in full.
    pub fn record(&self) {
        lock(&self.0.recorder).calls.get_or_insert_default();
    }

    /// The recorded calls, oldest first.
    #[must_use]
    pub fn recorded(&self) -> Vec<Call> {
        lock(&self.0.recorder).calls.clone().unwrap_or_default()
    }

    /// The recorded calls of `operation`, oldest first.
    #[must_use]
    pub fn recorded_calls(&self, operation: &str) -> Vec<Call> {
        let mut calls = self.recorded();
        calls.retain(|call| call.operation == operation);
        calls
    }

    /// Asks `intercept` first for the answer to each call; the cloud answers if it returns `None`. Replaces the one
    /// before.
    pub fn intercept(&self, intercept: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) {
        lock(&self.0.recorder).intercept = Some(Arc::new(intercept));
    }

    /// Lets `revise` change the JSON body of each response of the cloud. Replaces the one before.
    pub fn revise(&self, revise: impl Fn(&Call, &mut Value) + Send + Sync + 'static) {
        lock(&self.0.recorder).revise = Some(Arc::new(revise));
    }

    /// Limits pages to so many entries, whatever a call requests.
    pub fn limit_pages(&self, page_size: usize) {
        lock(&self.0.recorder).page_size = Some(page_size);
    }
}
