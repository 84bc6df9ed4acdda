//! Parses requests of the SDK: caller, service, region and operation.

use std::collections::BTreeMap;

use serde_json::Value;

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
    pub(super) user_agent: Option<&'a str>,
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

/// A call, as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// The host it went to.
    pub host: String,
    /// The id of the access key it was signed with; empty if it was not signed.
    pub access_key: String,
    /// The region it was signed for.
    pub region: String,
    /// The service it was signed for: `ecr`, `lambda`.
    pub service: String,
    /// `ListFunctions`.
    pub operation: String,
    /// The parts of the path, decoded: `2015-03-31`, `functions`, `orders`.
    pub segments: Vec<String>,
    /// The parameters of the query, or of the form.
    pub parameters: BTreeMap<String, String>,
    /// The JSON body, or the form as an object of strings; null without one.
    pub body: Value,
    /// `User-Agent`.
    pub user_agent: String,
    /// The number of equal earlier calls, if calls are recorded.
    pub nth: usize,
    pub(super) protocol: Protocol,
    /// The largest page, if it is not that of the service.
    pub(super) page_size: Option<usize>,
}

impl Call {
    pub(super) fn read(incoming: &Incoming<'_>) -> Self {
        let [access_key, region, service] = scope(incoming.authorization.unwrap_or_default()).unwrap_or_default();
        let (path, query) = incoming.path.split_once('?').unwrap_or((incoming.path, ""));
        let segments: Vec<_> =
            path.split('/').filter(|part| !part.is_empty()).map(|part| decoded(part, false)).collect();
        let protocol = match (incoming.target, service.as_str()) {
            (Some(_), _) => Protocol::Json,
            (None, "sts" | "sns") => Protocol::Query,
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
        let body = match protocol {
            Protocol::Query => {
                parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
            }
            Protocol::Json | Protocol::Rest => serde_json::from_slice(incoming.body).unwrap_or_default(),
        };
        let (host, user_agent) = (incoming.host.to_owned(), incoming.user_agent.unwrap_or_default().to_owned());
        Self {
            host,
            access_key,
            region,
            service,
            operation,
            segments,
            parameters,
            body,
            user_agent,
            nth: 0,
            protocol,
            page_size: None,
        }
    }

    /// The IAM action that permits it, such as `lambda:ListFunctions`; `None` if it was not signed.
    #[must_use]
    pub fn permission(&self) -> Option<String> {
        // Two operations have no action of their own
        // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html,
        // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html).
        let operation = match self.operation.as_str() {
            "PublishBatch" => "Publish",
            "ListImageReferrers" => "BatchGetImage",
            own => own,
        };
        (!self.service.is_empty()).then(|| format!("{}:{operation}", self.service))
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
