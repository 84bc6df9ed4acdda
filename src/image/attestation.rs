//! Attestations of an image: the envelopes of statements.
//!
//! Signatures are not verified, because attestations are not trusted: an image that they name counts only after its
//! layers were compared.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;

use super::{InvalidDocument, QUOTED_BYTES, clip, lenient};

/// The payload type of an in-toto statement (in-toto attestation framework, envelope.md).
const STATEMENT: &str = "application/vnd.in-toto+json";
/// Padding is optional.
const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Whether layers and artifacts of this media type hold an in-toto statement in a DSSE envelope or a Sigstore bundle.
#[must_use]
pub(super) fn is_envelope(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.dsse.envelope.")
        || media_type.starts_with("application/vnd.dev.sigstore.bundle")
        || (media_type.starts_with("application/vnd.in-toto") && media_type.ends_with("+dsse"))
}

/// The in-toto statement in `body`: itself, or the payload of an envelope. `None` if it is neither.
///
/// # Errors
///
/// [`InvalidDocument::Json`] if it does not parse.
pub(super) fn statement(body: &[u8]) -> Result<Option<Cow<'_, [u8]>>, InvalidDocument> {
    let outline: AttestationProbe<'_> = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
    if outline.is_statement {
        return Ok(Some(Cow::Borrowed(body)));
    }
    let envelope = outline
        .bundled
        .or(outline.payload.map(|payload| DsseEnvelope { payload: Some(payload), payload_type: outline.payload_type }));
    let Some(envelope) = envelope else { return Ok(None) };
    if envelope.payload_type.as_deref() != Some(STATEMENT) {
        let payload_type = clip(envelope.payload_type.unwrap_or_default(), QUOTED_BYTES);
        return Err(InvalidDocument::json(format!(
            "its envelope holds {payload_type:?} instead of an in-toto statement"
        )));
    }
    let payload = envelope.payload.unwrap_or_default();
    // Both base64 alphabets are allowed (DSSE, protocol.md).
    let is_url_safe = payload.contains(['-', '_']);
    let alphabet = if is_url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let decoded = GeneralPurpose::new(alphabet, BASE64).decode(payload.as_bytes());
    decoded
        .map(|payload| Some(Cow::Owned(payload)))
        .map_err(|error| InvalidDocument::json(format!("the payload of its envelope is not base64: {error}")))
}

/// The fields that distinguish a statement, an envelope and a bundle.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttestationProbe<'a> {
    #[serde(default, rename = "predicateType", deserialize_with = "lenient::is_there")]
    is_statement: bool,
    #[serde(default, borrow)]
    payload: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    payload_type: Option<Cow<'a, str>>,
    /// The envelope of a Sigstore bundle (sigstore/protobuf-specs, `sigstore_bundle.proto`).
    #[serde(default, rename = "dsseEnvelope", borrow)]
    bundled: Option<DsseEnvelope<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseEnvelope<'a> {
    #[serde(default, borrow)]
    payload: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    payload_type: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<Option<Vec<u8>>, String> {
        let body = body.to_string();
        statement(body.as_bytes()).map(|found| found.map(Cow::into_owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_statement_is_found_in_every_kind_of_envelope() {
        // With a character that the two alphabets write in different ways.
        let inner = json!({ "predicateType": "https://slsa.dev/provenance/v1", "x": "\u{3ff}\u{fff}?>" }).to_string();
        let envelope = |payload: String| json!({ "payloadType": STATEMENT, "payload": payload, "signatures": [] });
        let bundle = |envelope: Value| {
            json!({ "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "verificationMaterial": {}, "dsseEnvelope": envelope })
        };
        let found = Ok(Some(inner.clone().into_bytes()));
        assert_eq!(read(&serde_json::from_str(&inner).unwrap()), Ok(Some(inner.clone().into_bytes())));
        for payload in [STANDARD.encode(&inner), URL_SAFE_NO_PAD.encode(&inner)] {
            assert_eq!(read(&envelope(payload.clone())), found);
            assert_eq!(read(&bundle(envelope(payload))), found);
        }
        let escaped = envelope(STANDARD.encode(&inner)).to_string().replace('/', "\\/");
        assert_eq!(statement(escaped.as_bytes()).unwrap().unwrap(), inner.as_bytes());
    }

    #[test]
    fn a_body_without_a_statement_is_an_error() {
        for (body, why) in [
            (json!({ "payloadType": STATEMENT, "payload": "!" }), "the payload of its envelope is not base64"),
            (json!({ "payloadType": "text/plain", "payload": "e30=" }), "its envelope holds \"text/plain\""),
            (json!({ "payload": "e30=" }), "its envelope holds \"\""),
            (json!({ "payloadType": STATEMENT, "payload": 7 }), "it does not parse"),
            (json!({ "dsseEnvelope": { "payload": [] } }), "it does not parse"),
        ] {
            let error = read(&body).unwrap_err();
            assert!(error.contains(why), "{body}: {error}");
        }
        // A signature of something else is a bundle as well.
        for body in [json!({}), json!({ "messageSignature": {} }), json!({ "dsseEnvelope": null })] {
            assert_eq!(read(&body), Ok(None), "{body}");
        }
        assert!(statement(b"<html>").is_err() && statement(b"").is_err());
    }

    #[test]
    fn envelopes_are_recognized_by_their_media_types() {
        for (media_type, is_one) in [
            ("application/vnd.dsse.envelope.v1+json", true),
            ("application/vnd.dev.sigstore.bundle.v0.3+json", true),
            ("application/vnd.dev.sigstore.bundle+json;version=0.2", true),
            ("application/vnd.in-toto.provenance+dsse", true),
            ("application/vnd.in-toto+json", false),
            ("application/vnd.dev.cosign.simplesigning.v1+json", false),
            ("application/vnd.oci.image.layer.v1.tar+gzip", false),
        ] {
            assert_eq!(is_envelope(media_type), is_one, "{media_type}");
        }
    }
}
