//! GitHub preset `POST /repos/{owner}/{repo}/dispatches`: a `repository_dispatch` event, which triggers workflows on the
//! default branch
//! (<https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event>).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{RuleProblem, bearer_call, github_headers};
use crate::{
    rebuild::{RebuildRequest, RebuildRule},
    secret::Secret,
    webhook::{WebhookCall, template},
};

/// The `event_type`, which workflows list under `types`. At most 100 characters.
pub(super) const EVENT_TYPE: &str = "basewatch-rebuild";

/// Maximum number of properties of `client_payload`; with more, GitHub answers 422.
const MAX_PROPERTIES: usize = 10;

/// The size of `client_payload` from which GitHub answers 422, `client_payload is too large`.
const MAX_PAYLOAD_BYTES: usize = 65_535;

pub(super) fn call(
    rule: &RebuildRule,
    request: &RebuildRequest,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
) -> Result<WebhookCall, String> {
    let payload =
        if rule.inputs.is_empty() { payload(request)? } else { json!(template::all(&rule.inputs, &request.fields())?) };
    let bytes = payload.to_string().len();
    if bytes >= MAX_PAYLOAD_BYTES {
        return Err(format!("client_payload has {bytes} bytes; GitHub accepts fewer than {MAX_PAYLOAD_BYTES}"));
    }
    let body = json!({ "event_type": EVENT_TYPE, "client_payload": payload });
    Ok(WebhookCall { headers: github_headers(), ..bearer_call(rule, request, secret, at, &body)? })
}

/// The common fields, and the whole request as far as it fits.
fn payload(request: &RebuildRequest) -> Result<Value, String> {
    let mut whole = serde_json::to_value(request).map_err(|error| error.to_string())?;
    let RebuildRequest { dedup_key, registry, repository, line, base, base_digest, base_release, .. } = request;
    let with = |whole: &Value| {
        json!({
            "dedup_key": dedup_key,
            "registry": registry,
            "repository": repository,
            "line": line,
            "base": base,
            "base_digest": base_digest,
            "base_release": base_release,
            "request": whole,
        })
    };
    // Drops the longest lists first. `deployment_count` stays.
    for list in ["deployments", "from", "owners"] {
        if with(&whole).to_string().len() < MAX_PAYLOAD_BYTES {
            break;
        }
        whole.as_object_mut().and_then(|whole: &mut Map<_, _>| whole.remove(list));
    }
    Ok(with(&whole))
}

pub(super) fn check(rule: &RebuildRule, problems: &mut Vec<RuleProblem>) {
    if rule.inputs.len() > MAX_PROPERTIES {
        problems.push(("inputs", format!("{} inputs; GitHub accepts at most {MAX_PROPERTIES}", rule.inputs.len())));
    }
}
