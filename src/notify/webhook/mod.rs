//! The webhook channel: one call per message.

mod preset;

use std::sync::Arc;

use chrono::Utc;
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;

use super::{Message, MessagePreview, Notifier, WebhookBody, WebhookSettings, body};
use crate::{
    aws::{Aws, AwsError},
    outbox::{DeliveryError, DeliveryOutcome, DeliveryReceipt, DeliveryTarget},
    report::sanitize,
    secret::Secret,
    webhook::{WebhookCall, WebhookClient, WebhookError, WebhookResponse, template},
};

/// Maximum length of a stored message id, in characters.
const ID_CHARS: usize = 100;

/// Client of a webhook channel.
#[derive(Debug)]
pub struct WebhookNotifier {
    id: String,
    settings: WebhookSettings,
    webhooks: Arc<WebhookClient>,
    aws: Arc<Aws>,
}

impl WebhookNotifier {
    /// The channel with the ledger id `id`. A secret in Secrets Manager is fetched with the first message.
    #[must_use]
    pub fn new(id: String, settings: WebhookSettings, webhooks: Arc<WebhookClient>, aws: Arc<Aws>) -> Self {
        Self { id, settings, webhooks, aws }
    }

    async fn one(&self, message: &Message) -> DeliveryOutcome {
        let call = self.call(message).await?;
        let response = self.webhooks.call(&call).await?;
        let refusal = match self.settings.body {
            WebhookBody::Preset(preset) => preset::refusal(preset, &response),
            WebhookBody::Format(_) | WebhookBody::Template(_) => None,
        };
        match refusal {
            Some(why) => Err(DeliveryError::for_target(format!("{} {why}", self.id))),
            None => Ok(receipt(&response)),
        }
    }

    async fn call(&self, message: &Message) -> Result<WebhookCall, DeliveryError> {
        let url = self.aws.secret(&self.settings.url).await?;
        let secret = match &self.settings.secret {
            Some(source) => Some(self.aws.secret(source).await?),
            None => None,
        };
        let (content_type, body) = self.body(message, secret.as_ref()).map_err(DeliveryError::for_entry)?;
        let headers = self.settings.headers.iter();
        let (url, signing) = match self.settings.body {
            WebhookBody::Preset(preset) => {
                (preset::address(preset, url), secret.filter(|_| !preset::is_key_in_body(preset)))
            }
            WebhookBody::Format(_) | WebhookBody::Template(_) => (url, secret),
        };
        let signing = signing.map(|secret| (self.settings.signature, secret));
        Ok(WebhookCall {
            url,
            headers: headers.map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect(),
            content_type: content_type.to_owned(),
            body: body.into_bytes(),
            id: message.dedup_key.clone(),
            at: Utc::now(),
            signing,
            // The receiving service drops repeats by their id.
            may_repeat: true,
        })
    }

    /// The media type and the body, which may contain `secret`.
    fn body(&self, message: &Message, secret: Option<&Secret>) -> Result<(&'static str, String), String> {
        match &self.settings.body {
            WebhookBody::Format(format) => Ok((body::content_type(*format), body::render(message, *format))),
            WebhookBody::Template(text) => {
                let body = filled(text, message).map_err(|why| format!("the template of {}: {why}", self.id))?;
                Ok(("application/json", body))
            }
            WebhookBody::Preset(preset) => {
                Ok((preset::CONTENT_TYPE, preset::body(*preset, message, &self.id, secret.map(Secret::reveal))))
            }
        }
    }
}

/// `template` rendered over `message`, with fewer items if the body is too large.
fn filled(template: &str, message: &Message) -> Result<String, String> {
    let mut shown = message.clone();
    loop {
        if let Some(body) = template::json_within(template, &shown.fields(), body::MOST_BYTES)? {
            return Ok(body.to_string());
        }
        if shown.items.is_empty() {
            return Err(format!("the body exceeds {} bytes even without findings", body::MOST_BYTES));
        }
        let kept = shown.items.len() / 2;
        shown.left_out += (shown.items.len() - kept) as u64;
        shown.items.truncate(kept);
    }
}

impl DeliveryTarget<Message> for WebhookNotifier {
    fn deliver<'a>(&'a self, messages: &'a [&'a Message]) -> BoxFuture<'a, Vec<DeliveryOutcome>> {
        async move {
            let mut outcomes = Vec::new();
            for message in messages {
                outcomes.push(self.one(message).await);
            }
            outcomes
        }
        .boxed()
    }
}

impl Notifier for WebhookNotifier {
    fn preview(&self, message: &Message) -> MessagePreview {
        let body = self.body(message, None).map_or_else(|why| why, |(_, body)| body);
        MessagePreview { to: format!("webhook {}", self.id), subject: None, body }
    }
}

/// The message id in the JSON response, or else the request id of the response.
fn receipt(response: &WebhookResponse) -> DeliveryReceipt {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |id: &Value| match id {
        Value::String(id) if !id.trim().is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    };
    let given = ["id", "message_id", "messageId", "dedup_key"].iter().find_map(|name| text(body.get(name)?));
    let id = given.or_else(|| response.request_id.clone());
    DeliveryReceipt { message_id: id.map(|id| sanitize(&id).chars().take(ID_CHARS).collect()) }
}

impl From<AwsError> for DeliveryError {
    fn from(error: AwsError) -> Self {
        Self::for_target(error.message)
    }
}

impl From<WebhookError> for DeliveryError {
    fn from(error: WebhookError) -> Self {
        Self {
            why: sanitize(&error.why).into_owned(),
            retry_after: error.retry_after,
            is_about_entry: error.is_about_call,
            may_have_arrived: error.may_have_arrived,
        }
    }
}
