//! GitHub preset `POST /repos/{owner}/{repo}/actions/workflows/{id}/dispatches`: a
//! `workflow_dispatch` event
//! (<https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event>).

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{RuleProblem, bearer_call, github_headers};
use crate::{
    rebuild::{RebuildRequest, RebuildRule},
    secret::Secret,
    webhook::{WebhookCall, template},
};

/// Maximum number of inputs of a workflow
/// (<https://github.blog/changelog/2025-12-04-actions-workflow-dispatch-workflows-now-support-25-inputs/>).
const MAX_INPUTS: usize = 25;

/// Maximum size of all inputs, in bytes.
const MAX_INPUTS_BYTES: usize = 65_535;

pub(super) fn call(
    rule: &RebuildRule,
    request: &RebuildRequest,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
) -> Result<WebhookCall, String> {
    let git_ref = rule.git_ref.as_deref().ok_or("ref is missing")?;
    // Only configured inputs: GitHub answers 422 to undeclared ones.
    let inputs = template::all(&rule.inputs, &request.fields())?;
    let bytes = json!(inputs).to_string().len();
    if bytes > MAX_INPUTS_BYTES {
        return Err(format!("the inputs have {bytes} bytes; GitHub accepts at most {MAX_INPUTS_BYTES}"));
    }
    let mut body = json!({ "ref": git_ref, "inputs": inputs });
    // Older Enterprise Servers reject this field
    // (https://github.blog/changelog/2026-02-19-workflow-dispatch-api-now-returns-run-ids/).
    if rule.url.reveal().starts_with("https://api.github.com/") {
        body["return_run_details"] = json!(true);
    }
    Ok(WebhookCall { headers: github_headers(), ..bearer_call(rule, request, secret, at, &body)? })
}

pub(super) fn check(rule: &RebuildRule, problems: &mut Vec<RuleProblem>) {
    if rule.git_ref.is_none() {
        problems.push(("ref", "required: the branch or tag whose workflow runs".to_owned()));
    }
    if rule.inputs.len() > MAX_INPUTS {
        problems.push(("inputs", format!("{} inputs; GitHub accepts at most {MAX_INPUTS}", rule.inputs.len())));
    }
}
