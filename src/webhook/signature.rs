//! Signatures of calls: headers computed from body and secret.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

use super::{SignatureScheme, WebhookCall};
use crate::secret::Secret;

/// Prefix of secrets in the Standard Webhooks specification; the rest is base64.
const WHSEC: &str = "whsec_";

/// Adds the headers that sign `call` in an attempt at `at`. Id and timestamp are always set.
///
/// # Errors
///
/// When the secret is not valid in a header.
pub(super) fn sign(call: &WebhookCall, at: DateTime<Utc>, headers: &mut HeaderMap) -> Result<(), String> {
    let timestamp = at.timestamp().to_string();
    put(headers, "webhook-id", &call.id)?;
    put(headers, "webhook-timestamp", &timestamp)?;
    let Some((signature, secret)) = &call.signing else { return Ok(()) };
    match signature {
        SignatureScheme::StandardWebhooks => {
            // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
            let key = standard_key(secret);
            let parts = [call.id.as_bytes(), b".", timestamp.as_bytes(), b".", &call.body];
            put(headers, "webhook-signature", &format!("v1,{}", STANDARD.encode(hmac(&key, &parts))))
        }
        SignatureScheme::GitHub => {
            // https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
            let mac = hmac(secret.reveal().as_bytes(), &[&call.body]);
            put(headers, "x-hub-signature-256", &format!("sha256={}", hex::encode(mac)))
        }
        SignatureScheme::Bearer => put(headers, "authorization", &format!("Bearer {}", secret.reveal())),
    }
}

/// The key: decoded if it has the form of the specification, else the text itself.
fn standard_key(secret: &Secret) -> Vec<u8> {
    let text = secret.reveal();
    let encoded = text.strip_prefix(WHSEC);
    let decoded = encoded.and_then(|encoded| {
        let encoded = encoded.trim_end_matches('=');
        STANDARD_NO_PAD.decode(encoded).ok()
    });
    decoded.unwrap_or_else(|| text.as_bytes().to_vec())
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), String> {
    let mut value = HeaderValue::from_str(value).map_err(|_| format!("the value of {name} has invalid characters"))?;
    value.set_sensitive(true);
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(signature: SignatureScheme, secret: &str, body: &str) -> HeaderMap {
        let call = WebhookCall {
            url: Secret::new("https://hooks.example.com".into()),
            headers: Vec::new(),
            content_type: "application/json".into(),
            body: body.as_bytes().to_vec(),
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            at: chrono::DateTime::from_timestamp(1_614_265_330, 0).expect("valid"),
            signing: Some((signature, Secret::new(secret.into()))),
            may_repeat: true,
        };
        let mut headers = HeaderMap::new();
        sign(&call, call.at, &mut headers).expect("signed");
        headers
    }

    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let headers = headers(
            SignatureScheme::StandardWebhooks,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-id"], "msg_p5jXN8AQM9LWM0D4loKWxJek");
    }

    #[test]
    fn the_example_of_github_has_its_signature() {
        let headers = headers(SignatureScheme::GitHub, "It's a Secret to Everybody", "Hello, World!");
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(headers["x-hub-signature-256"], expected);
    }

    #[test]
    fn a_secret_that_is_not_encoded_is_used_unchanged() {
        assert_eq!(standard_key(&Secret::new("hush".into())), b"hush");
        assert_eq!(standard_key(&Secret::new("whsec_aHVzaA==".into())), b"hush");
        assert_eq!(standard_key(&Secret::new("whsec_!".into())), b"whsec_!");
    }

    #[test]
    fn a_bearer_token_is_never_shown() {
        let headers = headers(SignatureScheme::Bearer, "hunter2", "");
        assert_eq!(headers["authorization"], "Bearer hunter2");
        assert!(!format!("{headers:?}").contains("hunter2"));
    }
}
