//! How is a workflow of GitHub started? `POST /repos/{owner}/{repo}/actions/workflows/{id}/dispatches`: a
//! `workflow_dispatch` event
//! (<https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event>).

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Problem, bearer_call, github_headers};
use crate::{
    rebuild::{Request, Rule},
    secret::Secret,
    webhook::{Call, template},
};

/// How many inputs a workflow may have
/// (<https://github.blog/changelog/2025-12-04-actions-workflow-dispatch-workflows-now-support-25-inputs/>).
const MAX_INPUTS: usize = 25;

/// The size of all inputs that GitHub takes.
const MAX_INPUTS_BYTES: usize = 65_535;

pub(super) fn call(rule: &Rule, request: &Request, secret: Option<&Secret>, at: DateTime<Utc>) -> Result<Call, String> {
    let git_ref = rule.git_ref.as_deref().ok_or("ref is missing")?;
    // Only what is configured: GitHub answers 422 to an input that the workflow does not declare.
    let inputs = template::all(&rule.inputs, &request.fields())?;
    let bytes = json!(inputs).to_string().len();
    if bytes > MAX_INPUTS_BYTES {
        return Err(format!("the inputs have {bytes} bytes, GitHub takes {MAX_INPUTS_BYTES}"));
    }
    let mut body = json!({ "ref": git_ref, "inputs": inputs });
    // An Enterprise Server that is older than this field would refuse it
    // (https://github.blog/changelog/2026-02-19-workflow-dispatch-api-now-returns-run-ids/).
    if rule.url.reveal().starts_with("https://api.github.com/") {
        body["return_run_details"] = json!(true);
    }
    Ok(Call { headers: github_headers(), ..bearer_call(rule, request, secret, at, &body)? })
}

pub(super) fn check(rule: &Rule, problems: &mut Vec<Problem>) {
    if rule.git_ref.is_none() {
        problems.push(("ref", "GitHub needs the branch or tag whose workflow runs".to_owned()));
    }
    if rule.inputs.len() > MAX_INPUTS {
        problems.push(("inputs", format!("GitHub takes {MAX_INPUTS}, here are {}", rule.inputs.len())));
    }
}
