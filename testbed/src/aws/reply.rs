//! Responses and error responses in the format of each protocol.

use serde_json::{Value, json};

use super::{
    Fields,
    log::Ending,
    request::{Call, Protocol},
    sessions::Caller,
};

/// The outcome of a request.
#[derive(Debug)]
pub(super) enum CallOutcome {
    Reply(Reply),
    /// The connection is refused, or closes without a response.
    NoConnection,
}

/// An HTTP response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// `x-amzn-errortype`, where the protocol has it.
    pub(super) error_type: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(request: &Call, body: &Value) -> Self {
        let content_type =
            if request.protocol == Protocol::Json { "application/x-amz-json-1.1" } else { "application/json" };
        Self { status: 200, content_type, error_type: None, body: body.to_string().into_bytes() }
    }

    pub(super) fn xml(body: String) -> Self {
        Self { status: 200, content_type: "text/xml", error_type: None, body: body.into_bytes() }
    }

    /// Changes the body, if it is JSON.
    pub(super) fn revise(&mut self, revise: impl FnOnce(&mut Value)) {
        if let Ok(mut body) = serde_json::from_slice(&self.body) {
            revise(&mut body);
            self.body = body.to_string().into_bytes();
        }
    }

    pub(super) fn refusal(protocol: Protocol, refusal: &CallRefusal) -> Self {
        let CallRefusal { status, code, message, .. } = refusal;
        match protocol {
            Protocol::Rest => {
                let mut body = json!({ "message": message, "Message": message, "Type": "User" });
                if *status == 429 {
                    body["Reason"] = "CallerRateLimitExceeded".into();
                }
                Self {
                    status: *status,
                    content_type: "application/json",
                    error_type: Some(code),
                    body: body.to_string().into_bytes(),
                }
            }
            // JSON services answer every client error with 400.
            Protocol::Json => Self {
                status: 400,
                content_type: "application/x-amz-json-1.1",
                error_type: None,
                body: json!({ "__type": code, "message": message }).to_string().into_bytes(),
            },
            Protocol::Query => Self {
                status: *status,
                content_type: "text/xml",
                error_type: None,
                body: format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                     <Code>{code}</Code><Message>{}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>",
                    escaped(message)
                )
                .into_bytes(),
            },
        }
    }
}

/// The request id of every response.
pub(super) const REQUEST_ID: &str = "req-1";

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallRefusal {
    /// The HTTP status, if the protocol distinguishes errors by it.
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl CallRefusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The parameters break a rule of the operation.
    pub(super) fn invalid(request: &Call, message: impl Into<String>) -> Self {
        let code = match request.service.as_str() {
            "lambda" => "InvalidParameterValueException",
            "organizations" => "InvalidInputException",
            "sts" | "account" => "ValidationError",
            _ => "InvalidParameterException",
        };
        Self::new(400, code, message)
    }

    /// `caller` may not do that to `resource`.
    pub(super) fn denied(request: &Call, caller: &Caller, resource: &str) -> Self {
        let (action, arn) = (request.action(), &caller.arn);
        let why = format!("because no identity-based policy allows the {action} action");
        let message = format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {why}");
        let code = if request.protocol == Protocol::Query { "AccessDenied" } else { "AccessDeniedException" };
        Self::new(403, code, message)
    }

    /// The caller exceeds its quota.
    pub(super) fn throttled(request: &Call) -> Self {
        let (status, code) = match request.service.as_str() {
            "lambda" | "account" => (429, "TooManyRequestsException"),
            "organizations" => (400, "TooManyRequestsException"),
            "sts" => (400, "Throttling"),
            _ => (400, "ThrottlingException"),
        };
        Self::new(status, code, "Rate exceeded")
    }

    /// The session has expired.
    pub(super) fn expired(request: &Call) -> Self {
        let code = if request.protocol == Protocol::Query { "ExpiredToken" } else { "ExpiredTokenException" };
        Self::new(403, code, "The security token included in the request is expired")
    }

    /// The key is unknown, or unknown in that region: a region that is not enabled does not have the account's keys
    /// (<https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>).
    pub(super) fn unknown_key(request: &Call) -> Self {
        let is_query = request.protocol == Protocol::Query;
        let code = if is_query { "InvalidClientTokenId" } else { "UnrecognizedClientException" };
        Self::new(403, code, "The security token included in the request is invalid.")
    }

    pub(super) fn unsigned() -> Self {
        Self::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    }

    pub(super) fn unknown_operation(request: &Call) -> Self {
        Self::new(404, "UnknownOperationException", format!("there is no {} here", request.action()))
    }

    /// How the log counts it.
    pub(super) fn ending(&self) -> Ending {
        if matches!(self.code, "TooManyRequestsException" | "ThrottlingException" | "Throttling") {
            Ending::Throttled
        } else {
            Ending::Refused
        }
    }
}

/// Replaces `fields` of `document`; null leaves one out.
pub(super) fn replace_fields(document: &mut Value, fields: &Fields) {
    for (name, value) in fields {
        document[name] = value.clone();
    }
}

/// `text` as the content of an XML element.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
