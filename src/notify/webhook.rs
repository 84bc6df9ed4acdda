//! The webhook channel: one call per message.

use std::sync::Arc;

use chrono::Utc;
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;

use super::{DeliveryError, DeliveryReceipt, Message, MessagePreview, Notifier, WebhookBody, WebhookSettings, body};
use crate::{
    aws::Aws,
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

    async fn one(&self, message: &Message) -> Result<DeliveryReceipt, DeliveryError> {
        let call = self.call(message).await?;
        self.webhooks.call(&call).await.map(|response| receipt(&response)).map_err(DeliveryError::from)
    }

    async fn call(&self, message: &Message) -> Result<WebhookCall, DeliveryError> {
        let signing = match &self.settings.secret {
            Some(source) => {
                let secret =
                    self.aws.secret(source).await.map_err(|failure| DeliveryError::for_channel(failure.message))?;
                Some((self.settings.signature, secret))
            }
            None => None,
        };
        let (content_type, body) = self.body(message).map_err(DeliveryError::for_message)?;
        let headers = self.settings.headers.iter();
        Ok(WebhookCall {
            url: self.settings.url.clone(),
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

    fn body(&self, message: &Message) -> Result<(&'static str, String), String> {
        match &self.settings.body {
            WebhookBody::Format(format) => Ok((body::content_type(*format), body::render(message, *format))),
            WebhookBody::Template(text) => {
                let body = filled(text, message).map_err(|why| format!("the template of {}: {why}", self.id))?;
                Ok(("application/json", body))
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

impl Notifier for WebhookNotifier {
    fn channel(&self) -> &str {
        &self.id
    }

    fn deliver<'a>(
        &'a self,
        messages: &'a [&'a Message],
    ) -> BoxFuture<'a, Vec<Result<DeliveryReceipt, DeliveryError>>> {
        async move {
            let mut outcomes: Vec<Result<DeliveryReceipt, DeliveryError>> = Vec::new();
            for message in messages {
                let down = match outcomes.last() {
                    Some(Err(failure)) if !failure.is_about_message => Some(failure.clone()),
                    _ => None,
                };
                outcomes.push(match down {
                    Some(failure) => Err(failure),
                    None => self.one(message).await,
                });
            }
            outcomes
        }
        .boxed()
    }

    fn preview(&self, message: &Message) -> MessagePreview {
        let body = self.body(message).map_or_else(|why| why, |(_, body)| body);
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
    let given = ["id", "message_id", "messageId"].iter().find_map(|name| text(body.get(name)?));
    let id = given.or_else(|| response.request_id.clone());
    DeliveryReceipt { message_id: id.map(|id| sanitize(&id).chars().take(ID_CHARS).collect()) }
}

impl From<WebhookError> for DeliveryError {
    fn from(error: WebhookError) -> Self {
        Self {
            why: sanitize(&error.why).into_owned(),
            retry_after: error.retry_after,
            is_about_message: error.is_about_call,
        }
    }
}

impl DeliveryError {
    /// The channel cannot be reached.
    pub(super) fn for_channel(why: String) -> Self {
        Self { why, retry_after: None, is_about_message: false }
    }

    /// This message cannot be delivered.
    pub(super) fn for_message(why: String) -> Self {
        Self { why, retry_after: None, is_about_message: true }
    }
}
