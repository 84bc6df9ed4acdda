//! Parses requests of the SDK: caller, service, region and operation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reply::{CallOutcome, CallRefusal, Reply};

/// A request as it arrives, from the transport or from the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming<'a> {
    pub(super) host: &'a str,
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) path: &'a str,
    pub(super) authorization: Option<&'a str>,
    /// `X-Amz-Target`.
    pub(super) target: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// How a service is spoken to (<https://smithy.io/2.0/aws/protocols/index.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// The operation is the method and the path; responses are JSON.
    Rest,
    /// The operation is a header, the rest is JSON.
    Json,
    /// The operation and its parameters are a form; responses are XML.
    Query,
}

/// A request, read.
#[derive(Clone, Debug)]
pub(super) struct CallRequest {
    pub(super) key_id: String,
    pub(super) region: String,
    pub(super) service: String,
    /// `ListFunctions`.
    pub(super) operation: String,
    pub(super) protocol: Protocol,
    /// The parts of the path behind the API's version, decoded.
    pub(super) segments: Vec<String>,
    /// The parameters of the query, or of the form.
    pub(super) parameters: BTreeMap<String, String>,
    /// The JSON body; null without one.
    pub(super) body: Value,
}

impl CallRequest {
    /// Parses `incoming`, or returns the response for it.
    pub(super) fn read(incoming: &Incoming<'_>) -> Result<Self, CallOutcome> {
        // There is no instance or container metadata, and the SDK stops looking without a response.
        if incoming.host.starts_with("169.254.") {
            return Err(CallOutcome::NoConnection);
        }
        let unsigned = || CallOutcome::Reply(Reply::refusal(Protocol::Json, &CallRefusal::unsigned()));
        let [key_id, region, service] = scope(incoming.authorization.unwrap_or_default()).ok_or_else(unsigned)?;
        let (path, query) = incoming.path.split_once('?').unwrap_or((incoming.path, ""));
        let segments: Vec<_> =
            path.split('/').filter(|part| !part.is_empty()).map(|part| decoded(part, false)).collect();
        let protocol = match (incoming.target, service.as_str()) {
            (Some(_), _) => Protocol::Json,
            (None, "sts") => Protocol::Query,
            (None, _) => Protocol::Rest,
        };
        let form =
            if protocol == Protocol::Query { std::str::from_utf8(incoming.body).unwrap_or_default() } else { query };
        let parameters = pairs(form);
        let operation = match (protocol, incoming.target) {
            (Protocol::Json, target) => {
                target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned()
            }
            (Protocol::Query, _) => parameters.get("Action").cloned().unwrap_or_default(),
            (Protocol::Rest, _) => rest_operation(incoming.method, &segments).to_owned(),
        };
        let body = serde_json::from_slice(incoming.body).unwrap_or(Value::Null);
        Ok(Self { key_id, region, service, operation, protocol, segments, parameters, body })
    }

    /// Whether the service is one of a region, where an account may not have enabled it.
    pub(super) fn is_regional(&self) -> bool {
        matches!(self.service.as_str(), "lambda" | "ecr" | "ecs")
    }

    /// `lambda:ListFunctions`.
    pub(super) fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// A text of the JSON body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    /// The texts of a list in the JSON body.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        self.body.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// Key, region and service of `AWS4-HMAC-SHA256 Credential=KEY/20261120/eu-west-1/lambda/aws4_request, …`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
fn scope(authorization: &str) -> Option<[String; 3]> {
    let (_, rest) = authorization.split_once("Credential=")?;
    let credential = rest.split(',').next()?.trim();
    let mut parts = credential.split('/');
    let (key, _date, region, service) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some([key, region, service].map(str::to_owned))
}

/// The operation of a REST request; empty if unknown.
fn rest_operation(method: &str, segments: &[String]) -> &'static str {
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    match (method, segments.as_slice()) {
        ("GET", ["2015-03-31", "functions"]) => "ListFunctions",
        ("GET", ["2015-03-31", "functions", _]) => "GetFunction",
        ("GET", ["2015-03-31", "functions", _, "aliases"]) => "ListAliases",
        ("POST", ["listRegions"]) => "ListRegions",
        _ => "",
    }
}

fn pairs(form: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name, true), decoded(value, true))
    };
    form.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// `text` without percent-encoding; invalid encodings are left as they are.
fn decoded(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match (first, after.get(..2).and_then(hex)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) if plus_is_space => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_scope_has_key_region_and_service() {
        let header =
            "AWS4-HMAC-SHA256 Credential=AKID/20261120/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(scope(header), Some(["AKID", "eu-west-1", "lambda"].map(str::to_owned)));
        assert_eq!(scope("Bearer x"), None);
        assert_eq!(scope("AWS4-HMAC-SHA256 Credential=AKID/2026"), None);
    }

    #[test]
    fn encoded_text_is_decoded_and_broken_encodings_stay() {
        for (text, plain) in [("arn%3Aaws%3Alambda", "arn:aws:lambda"), ("a%2", "a%2"), ("%zz", "%zz"), ("%C3%A9", "é")]
        {
            assert_eq!(decoded(text, false), plain);
        }
        assert_eq!(decoded("a+b", true), "a b");
        assert_eq!(decoded("a+b", false), "a+b");
    }
}
