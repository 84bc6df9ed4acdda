//! Adapter: signed webhook calls within limits of time, size and rate. Knows no stage.

mod client;
mod failure;
mod hidden;
mod signature;
pub mod template;

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};

pub use client::{WebhookClient, WebhookClientSettings, check_header};
#[cfg(test)]
pub(crate) use failure::quoted as quoted_refusal;

use crate::secret::Secret;

/// How a call is authenticated with the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureScheme {
    /// The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of <https://www.standardwebhooks.com>.
    #[default]
    StandardWebhooks,
    /// The header `X-Hub-Signature-256` of GitHub's webhooks.
    GitHub,
    /// The secret itself, as `Authorization: Bearer`.
    Bearer,
}

/// One call: a `POST`, or a `GET` by [`WebhookClient::get`]. `Debug` shows no body, which may hold a token.
#[derive(Clone)]
pub struct WebhookCall {
    /// The destination. A secret, because many webhooks are authenticated by their URL alone.
    pub url: Secret,
    /// Headers in addition to those of the signature.
    pub headers: Vec<(String, Secret)>,
    /// The media type of the body.
    pub content_type: String,
    /// The body that is signed and sent.
    pub body: Vec<u8>,
    /// The `webhook-id`, identical in every attempt.
    pub id: String,
    /// When the call was made. The `webhook-timestamp` of an attempt adds the time since.
    pub at: DateTime<Utc>,
    /// The scheme and the secret, if it is signed.
    pub signing: Option<(SignatureScheme, Secret)>,
    /// Whether the service drops repeats by their id. Then the call is also repeated if it may have arrived.
    pub may_repeat: bool,
}

impl fmt::Debug for WebhookCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

/// A response with a 2xx status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookResponse {
    /// The status.
    pub status: u16,
    /// The body, up to the limit.
    pub body: Vec<u8>,
    /// The request id in its headers, to find the call in the logs of the service: `webhook-id`, or else `x-request-id`.
    pub request_id: Option<String>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookError {
    /// The host and its response, for people. Contains no secret and no other part of the URL.
    pub why: String,
    /// Minimum wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// Whether the failure concerns this call alone, so that other calls may succeed.
    pub is_about_call: bool,
    /// Whether the call may have arrived nonetheless: the connection was cut, or no response came in time.
    pub may_have_arrived: bool,
}
