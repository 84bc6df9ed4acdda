//! The secrets of a call, which are redacted from errors.

use reqwest::Url;
use serde_json::Value;

use super::WebhookCall;
use crate::http::Redactor;

/// Path segments of at least this length count as secrets.
const LONG_SEGMENT: usize = 16;
/// Headers whose values are not secret.
const PLAIN_HEADERS: [&str; 4] = ["accept", "content-type", "user-agent", "x-github-api-version"];

/// The secrets in `call`, which goes to `url`: its path and query, the values of its headers, what it is signed with,
/// and the token in the body.
pub(super) fn secrets_of(call: &WebhookCall, url: &Url) -> Redactor {
    let mut redactor = Redactor::default();
    if let Some((_, secret)) = &call.signing {
        redactor.hide_secret(secret.reveal());
    }
    for (name, value) in &call.headers {
        if !PLAIN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            redactor.hide_secret(value.reveal());
            // `Bearer TOKEN`
            value.reveal().split_whitespace().skip(1).for_each(|word| redactor.hide_secret(word));
        }
    }
    // Path segments are common words: the path is hidden as a whole.
    if let Some(query) = url.query() {
        redactor.hide(&format!("{}?{query}", url.path()));
    }
    redactor.hide(url.path().trim_matches('/'));
    url.path().split('/').filter(|segment| segment.len() >= LONG_SEGMENT).for_each(|part| redactor.hide(part));
    redactor.hide(url.query().unwrap_or_default());
    url.query_pairs().for_each(|(_, value)| redactor.hide(&value));
    if call.content_type.starts_with("application/x-www-form-urlencoded") {
        hide_token(&mut redactor, &call.body);
    }
    hide_routing_key(&mut redactor, &call.body);
    redactor
}

/// GitLab expects the trigger token in the form.
fn hide_token(redactor: &mut Redactor, form: &[u8]) {
    let pairs = form_urlencoded::parse(form).filter(|(name, _)| name == "token");
    pairs.for_each(|(_, value)| redactor.hide_secret(&value));
}

/// PagerDuty expects the integration key in the event.
fn hide_routing_key(redactor: &mut Redactor, body: &[u8]) {
    const ROUTING_KEY: &str = "routing_key";
    let is_there = body.windows(ROUTING_KEY.len()).any(|window| window == ROUTING_KEY.as_bytes());
    let event: Option<Value> = is_there.then(|| serde_json::from_slice(body).ok()).flatten();
    event.iter().filter_map(|event| event[ROUTING_KEY].as_str()).for_each(|key| redactor.hide_secret(key));
}
