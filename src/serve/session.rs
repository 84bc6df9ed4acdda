//! Sessions of readers who signed in with the token for writing, and protection against forged requests.
//!
//! A session is a signed cookie, so that nothing is kept per session. The key of the signatures is random and ends with
//! the process. Each form carries a token that is derived from the session, which other sites cannot read.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use ulid::Ulid;

use crate::dashboard::LONGEST_NAME;

/// How long a session lasts.
const LASTS: TimeDelta = TimeDelta::hours(12);

/// A reader who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WriteSession {
    /// The name that the reader gave.
    pub(super) name: String,
    /// The token that forms must send.
    pub(super) csrf: String,
}

/// Signs and verifies sessions.
pub(super) struct SessionSigner {
    key: [u8; 32],
    /// Whether browsers reach the service by HTTPS, so that the cookie must not be sent without it.
    is_https: bool,
}

impl SessionSigner {
    /// A signer with a new key.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub(super) fn new(is_https: bool) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { key, is_https })
    }

    /// The value of `Set-Cookie` for a new session of `name`.
    pub(super) fn sign_in(&self, name: &str, now: DateTime<Utc>) -> String {
        let name: String = name.trim().chars().take(LONGEST_NAME).collect();
        let name = BASE64_URL_SAFE_NO_PAD.encode(name);
        let content = format!("{name}.{}.{}", (now + LASTS).timestamp(), Ulid::generate());
        let value = format!("{content}.{}", self.mac("session", &content));
        self.cookie(&value, LASTS.num_seconds())
    }

    /// The value of `Set-Cookie` that ends a session.
    pub(super) fn sign_out(&self) -> String {
        self.cookie("", 0)
    }

    fn cookie(&self, value: &str, seconds: i64) -> String {
        let secure = if self.is_https { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", self.cookie_name())
    }

    /// With HTTPS, browsers accept the cookie only from this host.
    fn cookie_name(&self) -> &'static str {
        if self.is_https { "__Host-basewatch" } else { "basewatch" }
    }

    /// The session of a request; `None` without a valid one.
    pub(super) fn session(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<WriteSession> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = cookies.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        let mut values = cookies.filter(|(name, _)| *name == self.cookie_name()).map(|(_, value)| value);
        values.find_map(|value| self.verified(value, now))
    }

    fn verified(&self, value: &str, now: DateTime<Utc>) -> Option<WriteSession> {
        let (content, mac) = value.rsplit_once('.')?;
        if !is_equal(mac, &self.mac("session", content)) {
            return None;
        }
        let mut parts = content.split('.');
        let name = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let ends_at: i64 = parts.next()?.parse().ok()?;
        (now.timestamp() < ends_at).then(|| WriteSession { name, csrf: self.mac("form", content) })
    }

    fn mac(&self, purpose: &str, content: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.update(b" ");
        mac.update(content.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

impl WriteSession {
    /// Whether `token` is that of the forms of this session.
    pub(super) fn has(&self, token: &str) -> bool {
        is_equal(token, &self.csrf)
    }
}

fn is_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn request(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, format!("other=1; {pair}").parse().unwrap())])
    }

    #[test]
    fn a_session_is_valid_for_twelve_hours_and_only_as_it_was_signed() {
        let signer = SessionSigner::new(false).unwrap();
        let cookie = signer.sign_in(" Ada é; ", at("2026-11-20T06:00:00Z"));
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains("Secure"));
        let session = signer.session(&request(&cookie), at("2026-11-20T17:59:00Z")).unwrap();
        assert_eq!(session.name, "Ada é;");
        assert!(session.has(&session.csrf) && !session.has("") && !session.has(&"0".repeat(64)));
        assert_eq!(signer.session(&request(&cookie), at("2026-11-20T18:00:00Z")), None, "it has ended");
        let forged = cookie.replacen("basewatch=", "basewatch=R", 1);
        assert_eq!(signer.session(&request(&forged), at("2026-11-20T07:00:00Z")), None);
        let other = SessionSigner::new(false).unwrap();
        assert_eq!(other.session(&request(&cookie), at("2026-11-20T07:00:00Z")), None, "another process");
        assert_eq!(signer.session(&HeaderMap::new(), at("2026-11-20T07:00:00Z")), None);
        assert_eq!(signer.session(&request(&signer.sign_out()), at("2026-11-20T07:00:00Z")), None);
    }

    #[test]
    fn two_sessions_have_different_form_tokens() {
        let signer = SessionSigner::new(true).unwrap();
        let now = at("2026-11-20T06:00:00Z");
        let sessions = [(); 2].map(|()| signer.session(&request(&signer.sign_in("ada", now)), now).unwrap());
        assert_ne!(sessions[0].csrf, sessions[1].csrf);
        let cookie = signer.sign_in("ada", now);
        assert!(cookie.starts_with("__Host-basewatch=") && cookie.ends_with("; Secure"), "{cookie}");
    }
}
