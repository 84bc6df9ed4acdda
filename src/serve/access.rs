//! Access control: by token, by proxy, or without either for loopback only.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};
use axum::http::{HeaderMap, Method, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config::{ProxySettings, ServeSettings};

/// The minimum length of a token in characters, against guessing.
const LEAST: usize = 16;

/// The access rules.
#[derive(Clone, Debug)]
pub(super) struct AccessControl {
    /// The hash of the token, for comparison in constant time.
    token: Option<[u8; 32]>,
    /// The hash of the token for writing.
    write_token: Option<[u8; 32]>,
    proxy: Option<ProxySettings>,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccessDenied {
    /// The token is missing or wrong.
    Token,
    /// The request did not come through the proxy, or has no user name.
    Proxy,
    /// The `Host` header is not a loopback name, which may be DNS rebinding.
    Host,
    /// A cross-origin request with side effects.
    Origin,
    /// A request of the API with side effects, without the token for writing.
    WriteToken,
}

impl AccessControl {
    /// The rules of `settings`, with the values of the tokens.
    pub(super) fn new(settings: &ServeSettings, token: Option<String>, write_token: Option<String>) -> Result<Self> {
        for (name, token) in [("token", &token), ("write_token", &write_token)] {
            if token.as_ref().is_some_and(|token| token.len() < LEAST) {
                bail!(
                    "serve.{name} is too short: use at least {LEAST} characters, for example from `openssl rand -hex 32`"
                );
            }
        }
        let hash = |token: String| Sha256::digest(token.as_bytes()).into();
        Ok(Self { token: token.map(hash), write_token: write_token.map(hash), proxy: settings.proxy.clone() })
    }

    /// Whether a token for writing is configured.
    pub(super) fn has_writers(&self) -> bool {
        self.write_token.is_some()
    }

    /// Whether `given` is the token for writing.
    pub(super) fn may_write(&self, given: &str) -> bool {
        self.write_token.as_ref().is_some_and(|token| is_same(token, given))
    }

    /// The user that the proxy names, if the request came through it.
    pub(super) fn user<'a>(&self, headers: &'a HeaderMap, peer: SocketAddr) -> Option<&'a str> {
        let proxy = self.proxy.as_ref().filter(|proxy| is_of(proxy, headers, peer.ip()))?;
        headers.get(&proxy.header)?.to_str().ok()
    }

    /// Checks a request from `peer`. Forms of the dashboard are checked further by their session.
    pub(super) fn check(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<(), AccessDenied> {
        let given = presented(headers);
        let is_writer = given.as_ref().is_some_and(|given| self.may_write(given));
        let is_reader = |token| is_writer || given.as_ref().is_some_and(|given| is_same(token, given));
        let by_token = self.token.as_ref().map(is_reader);
        let by_proxy = self.proxy.as_ref().map(|proxy| is_of(proxy, headers, peer.ip()));
        match (by_token, by_proxy) {
            (None, None) if !is_local_name(headers) => return Err(AccessDenied::Host),
            (None, None) | (Some(true), _) | (_, Some(true)) => {}
            (Some(false), _) => return Err(AccessDenied::Token),
            (None, Some(false)) => return Err(AccessDenied::Proxy),
        }
        if method.is_safe() {
            return Ok(());
        }
        if !is_same_origin(headers) {
            return Err(AccessDenied::Origin);
        }
        let needs_token = self.has_writers() && path.starts_with("/api/");
        if needs_token && !is_writer { Err(AccessDenied::WriteToken) } else { Ok(()) }
    }
}

/// The token in `Authorization`: a bearer token, or the password of basic authentication.
fn presented(headers: &HeaderMap) -> Option<String> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
    credentials.split_once(':').map(|(_, password)| password.to_owned())
}

fn is_same(token: &[u8; 32], given: &str) -> bool {
    let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
    token.ct_eq(&given).into()
}

fn is_of(proxy: &ProxySettings, headers: &HeaderMap, peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    let is_there = proxy.from.iter().any(|network| network.contains(&peer));
    is_there && headers.get(&proxy.header).is_some_and(|reader| !reader.as_bytes().trim_ascii().is_empty())
}

/// Whether the `Host` header is a loopback name. Protects against DNS rebinding.
fn is_local_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let name = bare.filter(|address| address.contains(':')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether the request is not from a browser, or has the same origin.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn access(token: Option<&str>, proxy: bool) -> AccessControl {
        let proxy = proxy.then(|| ProxySettings {
            header: "x-auth-request-user".to_owned(),
            from: vec!["10.0.0.0/16".parse().unwrap()],
        });
        let settings = ServeSettings { proxy, ..ServeSettings::default() };
        AccessControl::new(&settings, token.map(str::to_owned), None).unwrap()
    }

    fn check(
        access: &AccessControl,
        method: &Method,
        peer: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(), AccessDenied> {
        let header = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        access.check(
            method,
            "/api/v1/audit",
            &headers.iter().map(header).collect(),
            SocketAddr::new(peer.parse().unwrap(), 1),
        )
    }

    #[test]
    fn a_token_is_a_bearer_token_or_a_basic_password() {
        let access = access(Some(TOKEN), false);
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        let table = [
            (format!("Bearer {TOKEN}"), Ok(())),
            (format!("bearer {TOKEN}"), Ok(())),
            (basic(&format!("me:{TOKEN}")), Ok(())),
            (basic(&format!(":{TOKEN}")), Ok(())),
            (basic(TOKEN), Err(AccessDenied::Token)),
            (format!("Bearer {TOKEN}x"), Err(AccessDenied::Token)),
            ("Bearer ".to_owned(), Err(AccessDenied::Token)),
            (format!("Digest {TOKEN}"), Err(AccessDenied::Token)),
            ("Basic !".to_owned(), Err(AccessDenied::Token)),
            (String::new(), Err(AccessDenied::Token)),
        ];
        for (value, expected) in table {
            let headers = [("authorization", value.as_str()), ("host", "anything.example")];
            assert_eq!(check(&access, &Method::GET, "203.0.113.9", &headers), expected, "{value}");
        }
    }

    #[test]
    fn the_proxy_header_is_trusted_only_from_the_proxy() {
        let access = access(None, true);
        let named = [("x-auth-request-user", "ada"), ("host", "basewatch.example")];
        assert_eq!(check(&access, &Method::GET, "10.0.3.4", &named), Ok(()));
        assert_eq!(check(&access, &Method::GET, "::ffff:10.0.3.4", &named), Ok(()));
        assert_eq!(check(&access, &Method::GET, "10.1.0.1", &named), Err(AccessDenied::Proxy));
        assert_eq!(check(&access, &Method::GET, "10.0.3.4", &[("x-auth-request-user", " ")]), Err(AccessDenied::Proxy));
        assert_eq!(check(&access, &Method::GET, "10.0.3.4", &[]), Err(AccessDenied::Proxy));
        assert_eq!(check(&access, &Method::GET, "127.0.0.1", &[("host", "localhost")]), Err(AccessDenied::Proxy));
    }

    #[test]
    fn without_token_and_proxy_only_loopback_hosts_are_accepted() {
        let access = access(None, false);
        let table = [
            ("localhost:8080", Ok(())),
            ("127.0.0.1:8080", Ok(())),
            ("[::1]:8080", Ok(())),
            ("[::1]", Ok(())),
            ("LOCALHOST", Ok(())),
            ("[::1].evil.example", Err(AccessDenied::Host)),
            ("[::1].evil.example:8080", Err(AccessDenied::Host)),
            ("[::1]evil.example:80", Err(AccessDenied::Host)),
            ("x[::1]", Err(AccessDenied::Host)),
            ("[localhost]", Err(AccessDenied::Host)),
            ("[127.0.0.1].evil.example", Err(AccessDenied::Host)),
            ("localhost:x.evil.example", Err(AccessDenied::Host)),
            ("127.0.0.1:80.evil.example", Err(AccessDenied::Host)),
            ("localhost:80:evil.example", Err(AccessDenied::Host)),
            ("", Err(AccessDenied::Host)),
            ("rebound.example:8080", Err(AccessDenied::Host)),
            ("localhost.example", Err(AccessDenied::Host)),
            ("10.0.0.1:8080", Err(AccessDenied::Host)),
        ];
        for (host, expected) in table {
            assert_eq!(check(&access, &Method::GET, "127.0.0.1", &[("host", host)]), expected, "{host}");
        }
    }

    #[test]
    fn cross_origin_requests_with_side_effects_are_rejected() {
        let access = access(Some(TOKEN), false);
        let bearer = format!("Bearer {TOKEN}");
        let table: [(&[(&'static str, &str)], _); 6] = [
            (&[], Ok(())),
            (&[("sec-fetch-site", "same-origin")], Ok(())),
            (&[("sec-fetch-site", "cross-site")], Err(AccessDenied::Origin)),
            (&[("origin", "https://basewatch.example")], Ok(())),
            (&[("origin", "https://evil.example")], Err(AccessDenied::Origin)),
            (&[("origin", "null")], Err(AccessDenied::Origin)),
        ];
        for (further, expected) in table {
            let mut headers = vec![("authorization", bearer.as_str()), ("host", "basewatch.example")];
            headers.extend_from_slice(further);
            assert_eq!(check(&access, &Method::POST, "10.0.0.1", &headers), expected, "{further:?}");
            assert_eq!(check(&access, &Method::GET, "10.0.0.1", &headers), Ok(()), "{further:?}");
        }
    }

    #[test]
    fn only_the_token_for_writing_allows_requests_of_the_api_with_side_effects() {
        const WRITER: &str = "fedcba9876543210fedcba9876543210";
        let settings = ServeSettings::default();
        let access = AccessControl::new(&settings, Some(TOKEN.to_owned()), Some(WRITER.to_owned())).unwrap();
        let (reader, writer) = (format!("Bearer {TOKEN}"), format!("Bearer {WRITER}"));
        for (method, value, expected) in [
            (Method::GET, &reader, Ok(())),
            (Method::GET, &writer, Ok(())),
            (Method::POST, &writer, Ok(())),
            (Method::POST, &reader, Err(AccessDenied::WriteToken)),
        ] {
            assert_eq!(check(&access, &method, "10.0.0.1", &[("authorization", value)]), expected, "{method} {value}");
        }
        let open = AccessControl::new(&settings, None, Some(WRITER.to_owned())).unwrap();
        let local = [("host", "localhost")];
        assert_eq!(check(&open, &Method::GET, "127.0.0.1", &local), Ok(()));
        assert_eq!(check(&open, &Method::POST, "127.0.0.1", &local), Err(AccessDenied::WriteToken));
    }

    #[test]
    fn a_short_token_is_rejected_and_not_shown() {
        let short = || Some("hunter2".to_owned());
        for (token, write_token) in [(short(), None), (None, short())] {
            let error = AccessControl::new(&ServeSettings::default(), token, write_token).unwrap_err().to_string();
            assert!(error.contains("16 characters") && !error.contains("hunter2"), "{error}");
        }
    }
}
