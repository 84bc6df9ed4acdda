//! GitLab preset `POST /projects/{id}/trigger/pipeline` with a trigger token
//! (<https://docs.gitlab.com/api/pipeline_triggers/#trigger-a-pipeline-with-a-token>).

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::{RuleProblem, header, variables};
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
    // GitLab accepts a trigger token only in the body.
    let token = secret.ok_or("the preset needs a secret")?.reveal();
    let git_ref = rule.git_ref.as_deref().ok_or("ref is missing")?;
    let variables: Vec<(String, String)> = if rule.inputs.is_empty() {
        variables(request).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    } else {
        template::all(&rule.inputs, &request.fields())?.into_iter().collect()
    };
    let mut body = format!("token={}&ref={}", encoded(token), encoded(git_ref));
    for (name, value) in variables {
        let _ = write!(body, "&variables{}={}", encoded(&format!("[{name}]")), encoded(&value));
    }
    Ok(WebhookCall {
        url: rule.url.clone(),
        headers: vec![header("Accept", "application/json")],
        content_type: "application/x-www-form-urlencoded".to_owned(),
        body: body.into_bytes(),
        id: request.dedup_key.clone(),
        at,
        signing: None,
        may_repeat: false,
    })
}

pub(super) fn check(rule: &RebuildRule, problems: &mut Vec<RuleProblem>) {
    if rule.git_ref.is_none() {
        problems.push(("ref", "required: the branch or tag that the pipeline runs for".to_owned()));
    }
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    for name in rule.inputs.keys().filter(|name| !is_name(name)) {
        problems.push(("inputs", format!("{name:?} is not a variable name: use letters, digits and _")));
    }
}

/// `text` as form data (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => encoded.push(char::from(byte)),
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_data_encodes_every_character() {
        assert_eq!(encoded("a b&c=d[é]*~"), "a+b%26c%3Dd%5B%C3%A9%5D*%7E");
    }
}
