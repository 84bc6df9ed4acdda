//! Adapter: how is a webhook called? One request, signed, within limits, and never to a host too often.
//!
//! Knows no stage.

mod client;
mod failure;
mod hidden;
mod signature;
pub mod template;

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};

pub use client::{Settings, Webhooks, check_header};
#[cfg(test)]
pub(crate) use failure::quoted as quoted_refusal;

use crate::secret::Secret;

/// How a body is signed with the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    /// The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of <https://www.standardwebhooks.com>.
    #[default]
    StandardWebhooks,
    /// The header `X-Hub-Signature-256` of GitHub's webhooks.
    GitHub,
    /// The secret itself, as `Authorization: Bearer`.
    Bearer,
}

/// One call: a `POST`, unless it is [`Webhooks::get`]'s. Not to be shown: its body may hold a token.
#[derive(Clone)]
pub struct Call {
    /// Where it goes. A secret, as many webhooks are known by nothing but their URL.
    pub url: Secret,
    /// Headers besides those of the signature.
    pub headers: Vec<(String, Secret)>,
    /// The media type of the body.
    pub content_type: String,
    /// The body, as it is signed.
    pub body: Vec<u8>,
    /// The same for every repeat of this call: the `webhook-id`.
    pub id: String,
    /// When it is made; the `webhook-timestamp` of a later try is later by as much.
    pub at: DateTime<Utc>,
    /// How it is signed, and with what.
    pub signing: Option<(Signature, Secret)>,
    /// Whether doing it twice does no harm, as the receiver knows repeats by their id: then it is also repeated when
    /// it is not known whether it has arrived.
    pub may_repeat: bool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

/// What was answered with a status of 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, as far as the limit goes.
    pub body: Vec<u8>,
    /// What its headers call the request: `webhook-id`, else `x-request-id`. For the logs of whoever answered.
    pub request_id: Option<String>,
}

/// Why a call was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was called and what it said, for people; no secret, and of the URL no more than the host.
    pub why: String,
    /// Not to be called again before that has passed.
    pub retry_after: Option<Duration>,
    /// Whether it was about this call alone, so that another one is still worth a try.
    pub is_about_call: bool,
    /// Whether it may have arrived all the same: the connection was cut, or no answer came in time.
    pub may_have_arrived: bool,
}
