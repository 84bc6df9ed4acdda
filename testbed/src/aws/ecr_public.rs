//! ECR Public: authorization tokens.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::{
    faults::Faults,
    reply::{CallRefusal, Reply},
    request::Call,
    sessions::Caller,
};

pub(super) fn respond(faults: &Faults, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    match request.operation.as_str() {
        "GetAuthorizationToken" if !faults.has_ecr_public => Err(CallRefusal::denied(request, caller, "*")),
        "GetAuthorizationToken" => {
            let expires_at = Utc::now() + TimeDelta::hours(12);
            let token = STANDARD.encode(format!("AWS:loopback-public-{}", caller.account));
            let issued = json!({ "authorizationToken": token, "expiresAt": expires_at.timestamp() });
            Ok(Reply::json(request, &json!({ "authorizationData": issued })))
        }
        _ => Err(CallRefusal::unknown_operation(request)),
    }
}
