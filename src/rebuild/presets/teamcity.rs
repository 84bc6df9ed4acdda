//! TeamCity preset `POST /app/rest/buildQueue`
//! (<https://www.jetbrains.com/help/teamcity/rest/start-and-cancel-builds.html>).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{RuleProblem, bearer_call, header, variables};
use crate::{
    rebuild::{RebuildRequest, RebuildRule},
    secret::Secret,
    webhook::{WebhookCall, template},
};

pub(super) fn call(
    rule: &RebuildRule,
    request: &RebuildRequest,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
) -> Result<WebhookCall, String> {
    let build_type = rule.build_type.as_deref().ok_or("build_type is missing")?;
    let properties: Vec<Value> = if rule.inputs.is_empty() {
        // Parameters prefixed with `env.` are environment variables of the build.
        variables(request).iter().map(|(name, value)| property(&format!("env.{name}"), value)).collect()
    } else {
        template::all(&rule.inputs, &request.fields())?.iter().map(|(name, value)| property(name, value)).collect()
    };
    let comment = format!("basewatch: {} on {}", request.repository, request.base);
    let mut body = json!({
        "buildType": { "id": build_type },
        "comment": { "text": comment },
        "properties": { "property": properties },
    });
    if let Some(git_ref) = &rule.git_ref {
        body["branchName"] = json!(git_ref);
    }
    let call = bearer_call(rule, request, secret, at, &body)?;
    // The default is XML.
    Ok(WebhookCall { headers: vec![header("Accept", "application/json")], ..call })
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

pub(super) fn check(rule: &RebuildRule, problems: &mut Vec<RuleProblem>) {
    if rule.build_type.is_none() {
        problems
            .push(("build_type", "required: the id of the build configuration, such as Shop_Orders_Image".to_owned()));
    }
    if rule.inputs.keys().any(String::is_empty) {
        problems.push(("inputs", "a parameter needs a name".to_owned()));
    }
}
