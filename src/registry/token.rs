//! Bearer tokens: challenges, allowed token servers, and lifetimes.

use std::time::Duration;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chrono::{DateTime, Utc};
use reqwest::Url;
use serde::Deserialize;

use super::challenge::AuthChallenge;
use crate::http::{AddressScope, HostTrust, trust_between};

/// The default lifetime of a token (Docker registry token specification).
const DEFAULT_LIFETIME: Duration = Duration::from_mins(1);

/// A Bearer challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BearerChallenge {
    /// The token server.
    pub(super) realm: Url,
    pub(super) service: Option<String>,
    pub(super) scope: Option<String>,
}

impl BearerChallenge {
    /// Parses a Bearer challenge; an error is text for people.
    pub(super) fn read(challenge: &AuthChallenge) -> Result<Self, String> {
        let realm = challenge.parameter("realm").ok_or("its challenge names no realm")?;
        let realm = realm.parse::<Url>().map_err(|_| "the realm of its challenge is not a URL")?;
        if !matches!(realm.scheme(), "http" | "https") || !realm.has_host() || !realm.username().is_empty() {
            return Err("the realm of its challenge is not an HTTP URL".to_owned());
        }
        let owned = |name| challenge.parameter(name).filter(|value| !value.is_empty()).map(str::to_owned);
        Ok(Self { realm, service: owned("service"), scope: owned("scope") })
    }

    /// Whether each repository needs its own token.
    pub(super) fn is_per_repository(&self) -> bool {
        self.scope.as_deref().is_some_and(|scope| scope.starts_with("repository:"))
    }

    /// The query of a token request, or its form: `service`, `scope` and `more`.
    pub(super) fn parameters<'a>(
        &'a self,
        scope: Option<&'a str>,
        more: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let service = self.service.as_deref().map(|value| ("service", value));
        service.into_iter().chain(scope.map(|value| ("scope", value))).chain(more)
    }
}

/// The token servers that a registry's credentials may be sent to.
#[derive(Clone, Debug)]
pub(super) struct TokenRules {
    /// The endpoint of the registry.
    pub(super) base: Url,
    /// Further hosts that credentials may go to.
    pub(super) token_hosts: Vec<String>,
}

impl TokenRules {
    /// Whether tokens may be requested from `realm`, and the trust of its host; the caller still has to check the host
    /// itself. An error is text for people.
    pub(super) fn check(&self, realm: &Url, has_credentials: bool) -> Result<HostTrust, String> {
        let host = realm.host_str().unwrap_or_default();
        let is_same_host = realm.host_str() == self.base.host_str();
        let trust = trust_between(&self.base, realm);
        let is_both_loopback = trust == Some(HostTrust::Loopback);
        // A registry with plain HTTP allowed may issue tokens itself the same way.
        let is_like_base = realm.origin() == self.base.origin();
        if realm.scheme() != "https" && !is_both_loopback && !is_like_base {
            return Err(format!("its tokens come from {host} over plain HTTP"));
        }
        if AddressScope::from_host(host) != AddressScope::Forbidden && (is_same_host || self.is_listed(realm)) {
            // Its trust stays unchanged: a registry cannot raise its own trust.
            return Ok(trust.unwrap_or(HostTrust::Public));
        }
        if has_credentials && !is_both_loopback && !self.is_known_pair(host) {
            return Err(format!("its token server is {host}; add that host to token_hosts to allow it"));
        }
        trust.ok_or_else(|| format!("its tokens come from the internal address {host}"))
    }

    /// Registries with a known token server at another host.
    fn is_known_pair(&self, realm_host: &str) -> bool {
        matches!(
            (self.base.host_str().unwrap_or_default(), realm_host),
            ("registry-1.docker.io", "auth.docker.io") | ("registry.gitlab.com", "gitlab.com")
        )
    }

    fn is_listed(&self, realm: &Url) -> bool {
        let host = realm.host_str().unwrap_or_default();
        let with_port = realm.port().map(|port| format!("{host}:{port}"));
        self.token_hosts.iter().any(|listed| {
            listed.eq_ignore_ascii_case(host)
                || with_port.as_ref().is_some_and(|name| listed.eq_ignore_ascii_case(name))
        })
    }
}

/// The response of a token server (Docker registry token specification).
#[derive(Deserialize)]
pub(super) struct TokenResponse {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<f64>,
    issued_at: Option<String>,
}

impl TokenResponse {
    /// The token.
    pub(super) fn token(&self) -> Option<&str> {
        [&self.token, &self.access_token].into_iter().flatten().map(String::as_str).find(|token| !token.is_empty())
    }

    /// Its lifetime from `now`.
    pub(super) fn lifetime(&self, now: DateTime<Utc>) -> Duration {
        let stated = self.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let Some(stated) = stated.filter(|span| !span.is_zero()) else {
            return self.token().and_then(expiration_inside).and_then(|at| until(at, now)).unwrap_or(DEFAULT_LIFETIME);
        };
        let issued_at = self.issued_at.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let left = issued_at
            .zip(chrono::Duration::from_std(stated).ok())
            .and_then(|(at, span)| at.to_utc().checked_add_signed(span))
            .and_then(|ends_at| until(ends_at, now));
        // A different clock must not extend the lifetime of a token or end it before it began.
        left.map_or(stated, |left| left.min(stated))
    }
}

fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Duration> {
    at.signed_duration_since(now).to_std().ok().filter(|left| !left.is_zero())
}

/// The `expiration` in an ECR Public token, which is base64 of JSON (oras-project/oras-go#1227).
fn expiration_inside(token: &str) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct TokenClaims {
        expiration: i64,
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let json = GeneralPurpose::new(&alphabet::STANDARD, config).decode(token).ok()?;
    DateTime::from_timestamp(serde_json::from_slice::<TokenClaims>(&json).ok()?.expiration, 0)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::{super::challenge, *};

    fn rules(base: &str) -> TokenRules {
        TokenRules { base: base.parse().expect("a URL"), token_hosts: vec!["auth.corp".into(), "sso.corp:8443".into()] }
    }

    fn check(base: &str, realm: &str, has_credentials: bool) -> Result<HostTrust, String> {
        rules(base).check(&realm.parse().expect("a URL"), has_credentials)
    }

    #[test]
    fn credentials_go_only_to_token_servers_that_belong_to_the_registry() {
        for (base, realm) in [
            ("https://r.io", "https://r.io/token"),
            ("https://r.io:5000", "https://r.io/token"),
            ("https://registry-1.docker.io", "https://auth.docker.io/token"),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"),
            ("https://r.io", "https://auth.corp/token"),
            ("https://r.io", "https://sso.corp:8443/token"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"),
            ("http://127.0.0.1:5000", "http://localhost:5001/token"),
            ("http://10.0.0.5:5000", "http://10.0.0.5:5000/token"),
        ] {
            assert!(check(base, realm, true).is_ok(), "{base} {realm}");
        }
        for (base, realm) in [
            ("https://r.io", "https://evil.io/token"),
            ("https://r.io", "https://auth.docker.io/token"),
            ("https://r.io", "https://r.io.evil.io/token"),
            ("https://r.io", "http://r.io/token"),
            ("https://r.io", "http://auth.corp/token"),
            ("https://r.io", "https://sso.corp/token"),
            ("https://r.io", "https://127.0.0.1/token"),
            ("https://169.254.169.254", "https://169.254.169.254/latest/api/token"),
            ("http://127.0.0.1:5000", "https://evil.io/token"),
            ("http://10.0.0.5:5000", "http://10.0.0.6:5000/token"),
        ] {
            assert!(check(base, realm, true).is_err(), "{base} {realm}");
        }
    }

    #[test]
    fn anonymous_tokens_come_over_https_and_never_from_this_machine_or_a_metadata_service() {
        for (base, realm, trust) in [
            ("https://r.io", "https://auth.io/token", HostTrust::Public),
            ("https://r.io", "https://10.0.0.1/token", HostTrust::Public),
            ("http://127.0.0.1:5000", "https://auth.io/token", HostTrust::Public),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", HostTrust::Loopback),
        ] {
            assert_eq!(check(base, realm, false), Ok(trust), "{base} {realm}");
        }
        for realm in [
            "http://auth.io/token",
            "https://127.0.0.1/token",
            "https://169.254.169.254/latest/api/token",
            "https://[::1]/token",
            "https://localhost/token",
            "https://localhost./token",
            "https://ip6-localhost/token",
            "https://metadata.google.internal/token",
            "https://[64:ff9b::7f00:1]/token",
            "https://240.0.0.1/token",
        ] {
            assert!(check("https://r.io", realm, false).is_err(), "{realm}");
            assert!(check("https://r.io", realm, true).is_err(), "{realm}");
        }
        for realm in ["http://169.254.169.254/latest/api/token", "https://169.254.169.254/latest/api/token"] {
            assert!(check("http://127.0.0.1:5000", realm, false).is_err(), "{realm}");
        }
    }

    #[test]
    fn a_registry_that_is_its_own_token_server_keeps_its_trust() {
        for realm in ["https://r.io/token", "https://r.io:8443/token", "https://auth.corp/token"] {
            assert_eq!(check("https://r.io", realm, true), Ok(HostTrust::Public), "{realm}");
        }
    }

    #[test]
    fn a_challenge_parses_or_is_rejected_with_the_cause() {
        let read = |header| BearerChallenge::read(&challenge::parse([header])[0]);
        let aws = read(r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#).unwrap();
        assert_eq!((aws.service.as_deref(), aws.scope.as_deref()), (Some("public.ecr.aws"), Some("aws")));
        assert!(!aws.is_per_repository());
        assert!(read(r#"Bearer realm="https://a.io/t",scope="repository:x:pull""#).unwrap().is_per_repository());
        assert!(!read(r#"Bearer realm="https://a.io/t",scope="""#).unwrap().is_per_repository());
        for header in
            ["Bearer x=y", "Bearer realm=\"/token\"", "Bearer realm=\"file:///x\"", "Bearer realm=\"https://u:p@a.io\""]
        {
            assert!(read(header).is_err(), "{header}");
        }
    }

    #[test]
    fn the_lifetime_of_a_token_comes_from_the_best_source_there_is() {
        let now: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("valid");
        let lifetime = |json: serde_json::Value| {
            serde_json::from_value::<TokenResponse>(json).expect("an answer").lifetime(now).as_secs()
        };
        let token = |expiration: i64| STANDARD.encode(format!(r#"{{"payload":"x","expiration":{expiration}}}"#));
        let in_an_hour = token(now.timestamp() + 3600);
        assert_eq!(lifetime(serde_json::json!({"token":"t"})), 60);
        assert_eq!(lifetime(serde_json::json!({"token":"t","expires_in":300})), 300);
        assert_eq!(lifetime(serde_json::json!({"token":"t","expires_in":300,"issued_at":"2026-11-20T05:59:00Z"})), 240);
        assert_eq!(lifetime(serde_json::json!({"token":"t","expires_in":300,"issued_at":"2026-11-20T09:00:00Z"})), 300);
        assert_eq!(lifetime(serde_json::json!({"token":"t","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"})), 300);
        assert_eq!(lifetime(serde_json::json!({"token":"t","expires_in":300,"issued_at":"garbage"})), 300);
        assert_eq!(lifetime(serde_json::json!({"token":"t","expires_in":-5})), 60);
        assert_eq!(lifetime(serde_json::json!({"token":in_an_hour})), 3600);
        assert_eq!(lifetime(serde_json::json!({"token":in_an_hour.trim_end_matches('='),"expires_in":120})), 120);
        assert_eq!(lifetime(serde_json::json!({"token":token(0)})), 60);
        assert_eq!(lifetime(serde_json::json!({"token":token(i64::MAX)})), 60);
    }

    #[test]
    fn both_field_names_of_a_token_are_accepted() {
        let token = |json| serde_json::from_str::<TokenResponse>(json).expect("an answer").token().map(str::to_owned);
        assert_eq!(token(r#"{"token":"a"}"#), Some("a".into()));
        assert_eq!(token(r#"{"access_token":"b"}"#), Some("b".into()));
        assert_eq!(token(r#"{"token":"","access_token":"b"}"#), Some("b".into()));
        assert_eq!(token("{}"), None);
    }
}
