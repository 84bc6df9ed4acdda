//! CloudEvents preset: a CloudEvent 1.0 in structured mode
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>), or a body from a
//! template.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::RuleProblem;
use crate::{
    rebuild::{RebuildRequest, RebuildRule},
    secret::Secret,
    webhook::{WebhookCall, template},
};

/// The `type` of the event.
const TYPE: &str = "io.basewatch.rebuild.v1";

/// The `source` of the event, a URI reference. Source and id together identify the event.
const SOURCE: &str = "urn:basewatch";

pub(super) fn call(
    rule: &RebuildRule,
    request: &RebuildRequest,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
) -> Result<WebhookCall, String> {
    if rule.secret.is_some() && secret.is_none() {
        return Err("the secret is missing".to_owned());
    }
    let event = match &rule.template {
        Some(template) => template::json(template, &request.fields())?,
        None => event(rule, request)?,
    };
    let content_type = match event.get("specversion") {
        Some(_) => "application/cloudevents+json; charset=utf-8",
        None => "application/json",
    };
    Ok(WebhookCall {
        url: rule.url.clone(),
        headers: Vec::new(),
        content_type: content_type.to_owned(),
        body: event.to_string().into_bytes(),
        id: request.dedup_key.clone(),
        at,
        signing: secret.map(|secret| (rule.signature, secret.clone())),
        may_repeat: false,
    })
}

/// The event. Repeats are byte for byte identical.
fn event(rule: &RebuildRule, request: &RebuildRequest) -> Result<Value, String> {
    let mut data = serde_json::to_value(request).map_err(|error| error.to_string())?;
    if !rule.inputs.is_empty() {
        data["inputs"] = json!(template::all(&rule.inputs, &request.fields())?);
    }
    Ok(json!({
        "specversion": "1.0",
        "id": request.dedup_key,
        "source": SOURCE,
        "type": TYPE,
        "subject": request.repository,
        "time": request.at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "datacontenttype": "application/json",
        "data": data,
    }))
}

pub(super) fn check(rule: &RebuildRule, problems: &mut Vec<RuleProblem>) {
    let Some(given) = &rule.template else { return };
    if let Err(why) = template::json(given, &super::sample().fields()) {
        problems.push(("template", format!("not a valid template: {why}")));
    }
    if !rule.inputs.is_empty() {
        problems.push(("inputs", "inputs cannot be combined with template: remove inputs".to_owned()));
    }
}
