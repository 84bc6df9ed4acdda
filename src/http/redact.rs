//! Redaction of secrets in texts from services: many repeat the request when they reject it.
//!
//! Used for registries and webhooks. It covers the forms in which a secret is sent, and parts of them, but not other
//! encodings.

use std::collections::HashSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// Shorter texts do not count as secrets, because hiding them would break words.
const MIN_BYTES: usize = 4;
/// The shortest part of a secret that is hidden as well, because a service may quote it cut or in pieces.
const PART_BYTES: usize = 12;
/// Shorter secrets are not searched in documents: a common word may be a password, and hiding it would change the
/// document.
const MIN_DOCUMENT_BYTES: usize = 12;
/// The replacement of a secret.
const MASK: &str = "…";

/// Secrets in use, in every form in which they are sent. Case-insensitive, because hosts of URLs are lower-cased.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// Texts hidden as a whole only, in lower case.
    texts: Vec<String>,
    /// Secrets hidden in parts as well, in lower case.
    secrets: Vec<String>,
}

impl Redactor {
    /// Hides `text` as a whole.
    pub(crate) fn hide(&mut self, text: &str) {
        insert(&mut self.texts, text);
    }

    /// Hides `secret` in plain text, URL-encoded, in base64 and JSON-escaped; and longer parts of these.
    pub(crate) fn hide_secret(&mut self, secret: &str) {
        if secret.len() < MIN_BYTES {
            return;
        }
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = serde_json::to_string(secret).unwrap_or_default();
        for encoded in [
            secret,
            &form.replace('+', "%20"),
            &form,
            &STANDARD_NO_PAD.encode(secret),
            &URL_SAFE_NO_PAD.encode(secret),
            json.trim_matches('"'),
        ] {
            insert(&mut self.secrets, encoded);
        }
    }

    /// Hides `password`, and both together as in HTTP Basic authentication. The user name alone is not a secret.
    pub(crate) fn hide_login(&mut self, username: &str, password: &str) {
        self.hide_secret(password);
        self.hide_secret(&format!("{username}:{password}"));
    }

    /// `text` without the secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let mut hidden = HiddenRanges::new(text);
        self.texts.iter().chain(&self.secrets).for_each(|secret| hidden.hide(&lower, secret));
        let quoted: HashSet<_> = lower.as_bytes().windows(PART_BYTES).collect();
        let parts = self.secrets.iter().flat_map(|secret| secret.as_bytes().windows(PART_BYTES));
        let found: HashSet<_> = parts.filter(|part| quoted.contains(part)).collect();
        if !found.is_empty() {
            let quoted = lower.as_bytes().windows(PART_BYTES).enumerate();
            quoted.filter(|(_, part)| found.contains(part)).for_each(|(at, _)| hidden.add(at, PART_BYTES));
        }
        hidden.masked().unwrap_or_else(|| text.to_owned())
    }

    /// `document`, a text such as JSON, without the whole secrets that it contains; `None` if it contains none.
    pub(crate) fn redact_document(&self, document: &[u8]) -> Option<Vec<u8>> {
        // A document that is not UTF-8 is not JSON.
        let text = str::from_utf8(document).ok().filter(|_| !self.secrets.is_empty())?;
        let lower = text.to_ascii_lowercase();
        let mut hidden = HiddenRanges::new(text);
        let is_long = |secret: &&String| (MIN_DOCUMENT_BYTES..=text.len()).contains(&secret.len());
        self.secrets.iter().filter(is_long).for_each(|secret| hidden.hide(&lower, secret));
        hidden.masked().map(String::into_bytes)
    }
}

fn insert(known: &mut Vec<String>, text: &str) {
    let text = text.to_ascii_lowercase();
    if text.len() >= MIN_BYTES && !known.contains(&text) {
        known.push(text);
    }
}

/// The parts of a text to hide.
struct HiddenRanges<'a> {
    text: &'a str,
    /// Begin and length, in bytes.
    parts: Vec<(usize, usize)>,
}

impl<'a> HiddenRanges<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, parts: Vec::new() }
    }

    fn add(&mut self, at: usize, length: usize) {
        self.parts.push((at, length));
    }

    /// Hides each `secret` in the text, which is `lower` in lower case.
    fn hide(&mut self, lower: &str, secret: &str) {
        self.parts.extend(lower.match_indices(secret).map(|(at, found)| (at, found.len())));
    }

    /// The text with a mark in place of each hidden part; `None` if nothing is hidden.
    fn masked(mut self) -> Option<String> {
        if self.parts.is_empty() {
            return None;
        }
        self.parts.sort_unstable();
        let (mut masked, mut end) = (String::new(), 0);
        for (at, length) in self.parts {
            // A part may begin or end inside a character.
            let (begin, until) = (self.text.floor_char_boundary(at), self.text.ceil_char_boundary(at + length));
            if begin > end || end == 0 {
                masked.push_str(&self.text[end..begin]);
                masked.push_str(MASK);
            }
            end = end.max(until);
        }
        masked.push_str(&self.text[end..]);
        Some(masked)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const PASSWORD: &str = "hunter2/Ü+very \"secret\" 0123456789";

    fn redactor() -> Redactor {
        let mut redactor = Redactor::default();
        redactor.hide_login("auditor", PASSWORD);
        redactor
    }

    #[test]
    fn a_secret_is_hidden_in_every_encoding() {
        let url = form_urlencoded::byte_serialize(PASSWORD.as_bytes()).collect::<String>();
        let login = format!("auditor:{PASSWORD}");
        for form in [
            PASSWORD.to_owned(),
            url.to_ascii_lowercase(),
            url.replace('+', "%20"),
            url,
            login.clone(),
            STANDARD.encode(&login),
            URL_SAFE.encode(&login),
            STANDARD.encode(PASSWORD),
            serde_json::to_string(PASSWORD).expect("JSON"),
        ] {
            let redacted = redactor().redact(&format!("access denied for {form}, try again"));
            assert!(redacted.starts_with("access denied for ") && redacted.ends_with(", try again"), "{redacted}");
            assert!(redacted.contains(MASK), "{redacted}");
            for part in ["hunter2", "very", "secret", "0123456789", &STANDARD.encode(&login)[..12]] {
                assert!(!redacted.contains(part), "{form}: {redacted}");
            }
        }
    }

    #[test]
    fn a_part_of_a_secret_is_hidden_as_well() {
        let mut redactor = Redactor::default();
        redactor.hide_secret("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhdWRpdG9yIn0.c2lnbmF0dXJl");
        assert_eq!(redactor.redact("bad header eyJhbGciOiJSUzI1NiJ9"), "bad header …");
        assert_eq!(redactor.redact("é eyJzdWIiOiJhdWRpdG9y é"), "é … é");
        assert_eq!(redactor.redact("cut off: eyJhbGciOiJSUzI1Ni…"), "cut off: ……");
        assert_eq!(redactor.redact("eyjhbgcioijsuzi1nij9.eyjzdwiioijhdwrpdg9yin0.example.com"), "…example.com");
        assert_eq!(redactor.redact("eyJ is how tokens begin"), "eyJ is how tokens begin");
    }

    #[test]
    fn words_that_are_not_secrets_stay() {
        let mut redactor = redactor();
        redactor.hide("/services/T0/B0");
        redactor.hide_secret("abc");
        assert_eq!(redactor.redact("auditor may not read team/x: abc"), "auditor may not read team/x: abc");
        assert_eq!(redactor.redact("no /services/T0/B0 here, nor /services/T0"), "no … here, nor /services/T0");
        assert_eq!(Redactor::default().redact("as it is"), "as it is");
    }

    #[test]
    fn a_document_keeps_its_shape_without_its_secrets() {
        let mut redactor = redactor();
        redactor.hide_secret("created");
        let document = serde_json::json!({ "created": "x", "labels": { "a": PASSWORD, "b": "hunter2" } }).to_string();
        let redacted = redactor.redact_document(document.as_bytes()).expect("it repeats the password");
        let read: serde_json::Value = serde_json::from_slice(&redacted).expect("still JSON");
        assert_eq!(read, serde_json::json!({ "created": "x", "labels": { "a": MASK, "b": "hunter2" } }));
        assert_eq!(redactor.redact_document(b"{\"created\":1}"), None);
        assert_eq!(redactor.redact_document(&[0xff, 0xfe]), None);
    }

    proptest! {
        #[test]
        fn no_secret_survives_in_any_context(
            secret in "[!-~é]{8,40}", before in ".{0,30}", after in ".{0,30}",
        ) {
            let mut redactor = Redactor::default();
            redactor.hide_secret(&secret);
            let redacted = redactor.redact(&format!("{before}{secret}{after}"));
            prop_assert!(!redacted.contains(&secret), "{redacted}");
        }
    }
}
