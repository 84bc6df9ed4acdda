//! Parsers of durations, hosts, endpoints and patterns.

use std::{net::Ipv6Addr, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    glob::Glob,
    http::AddressScope,
    image::{Repository, normalize_host, normalize_pattern},
    schedule::LastDay,
    secret::Secret,
};

/// The maximum duration: a hundred years.
const LONGEST: Duration = Duration::from_secs(36_500 * DAY);
const DAY: u64 = 24 * 60 * 60;

/// A duration: an integer and `s`, `m`, `h`, `d` or `w`, as in `"14d"`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(title = "a duration such as \"14d\"", extend("pattern" = "^[0-9]+[smhdw]$"))]
pub(super) struct DurationText(pub(super) String);

/// Parses `14d`, `36h`, `90m`, `30s` or `2w`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", DAY), ("w", 7 * DAY)];
    let refusal = || {
        let hint = if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            format!("write \"{text}d\" for days, or use s, m, h or w")
        } else {
            "write an integer and s, m, h, d or w, as in \"14d\"".to_owned()
        };
        format!("{text:?} is not a duration: {hint}")
    };
    let (number, seconds) = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .filter(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(refusal)?;
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .map(Duration::from_secs)
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| format!("{text:?} is too long: the maximum is 36500d"))
}

/// Parses the name of a time zone.
pub(super) fn time_zone(text: &str) -> Result<chrono_tz::Tz, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a time zone of the tz database: write one as in \"Europe/Berlin\""))
}

/// Parses a registry host with an optional port, and normalizes aliases of the same registry.
pub(super) fn registry_host(text: &str) -> Result<String, String> {
    host(text).map(|host| normalize_host(&host))
}

/// Parses a host with an optional port as in image references, in lower case.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_host = !text.contains('/') && format!("{text}/x").parse::<Repository>().is_ok();
    is_host.then(|| text.to_ascii_lowercase()).ok_or_else(|| {
        format!("{text:?} is not a registry host: write it as in image references, public.ecr.aws or 127.0.0.1:5000")
    })
}

/// Parses a host pattern, in lower case. `*` matches one or more characters.
pub(super) fn host_pattern(text: &str) -> Result<String, String> {
    if text == "*" {
        return Err("\"*\" would let any image label choose where requests are sent: list registries, \
                    with * for a part of the name, as in \"*.dkr.ecr.eu-west-1.amazonaws.com\""
            .to_owned());
    }
    let pattern = if text.contains('*') { text.to_ascii_lowercase() } else { normalize_host(text) };
    host(&text.replace('*', "x")).map(|_| pattern).map_err(|_| {
        format!("{text:?} is not a registry host: write it as in image references, with * for one or more characters")
    })
}

/// Parses a pattern of repositories or lines including the registry, and normalizes it.
pub(super) fn repository_pattern(text: &str) -> Result<Glob, String> {
    normalize_pattern(text).parse()
}

/// Parses a pattern of base repositories including the registry. Also returns the repository if the pattern names one.
pub(super) fn base_pattern(text: &str) -> Result<(Glob, Option<Repository>), String> {
    let is_wild = |text: &str| text.contains(['*', '?', '[', '{']);
    match text.parse::<Repository>() {
        Ok(repository) => Ok((repository.to_string().parse()?, Some(repository))),
        Err(error) if !is_wild(text) => Err(format!("{text:?}: {error}")),
        Err(_) => {
            let (host, name) = text.split_once('/').unwrap_or((text, ""));
            if !is_wild(host) && registry_host(host).is_err() {
                return Err(format!("{text:?} has no registry: write it first, as in \"public.ecr.aws/lambda/*\""));
            }
            if name.contains([':', '@']) {
                return Err(format!("{text:?} is not a repository pattern: remove the tag or digest"));
            }
            Ok((repository_pattern(text)?, None))
        }
    }
}

/// Parses an endpoint: an `https` URL, or `http` to loopback or with `plain_http`. Removes a trailing slash.
pub(super) fn endpoint(text: &str, plain_http: bool) -> Result<String, String> {
    let refusal = |why: &str| {
        format!(
            "{text:?} is not an endpoint: {why}; write it as in \"https://mirror.example.com\" or \"http://127.0.0.1:5000\""
        )
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(|| refusal("it has no http:// or https://"))?;
    if !matches!(scheme, "http" | "https") {
        return Err(refusal("only http and https are supported"));
    }
    if rest.contains(['?', '#']) {
        return Err(refusal("it must not have a query or fragment"));
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(refusal("it contains white space"));
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') {
        // The message does not quote the text, which may contain a password.
        return Err("an endpoint must not contain credentials: use username and password of this table".to_owned());
    }
    let host = authority_host(authority).ok_or_else(|| refusal("its host or port is malformed"))?;
    if scheme == "http" && !plain_http && !is_loopback(host) {
        return Err(format!("{text:?} uses plain http: use https, or set plain_http = true for this registry"));
    }
    let path = path.trim_end_matches('/');
    Ok(if path.is_empty() { format!("{scheme}://{authority}") } else { format!("{scheme}://{authority}/{path}") })
}

/// Parses the URL of a webhook: `https`, or `http` to loopback. Also returns its host. Errors do not quote the URL,
/// which may be a secret.
pub(super) fn webhook_url(text: &str) -> Result<(String, Secret), String> {
    let (before, _) = text.split_once(['?', '#']).unwrap_or((text, ""));
    let address =
        endpoint(before, false).ok().filter(|_| !text.contains(|c: char| c.is_whitespace() || c.is_control()));
    let address = address.ok_or(
        "is not a webhook URL: write https://HOST/PATH; plain http is allowed only for loopback addresses, and \
         user names and passwords are not allowed",
    )?;
    let authority = address.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    Ok((authority.to_owned(), Secret::new(text.to_owned())))
}

/// The host of `host[:port]` or `[v6]:port`; `None` if malformed.
fn authority_host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_named = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'))
        && (authority.starts_with('[') || !host.contains(':'));
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (is_named && has_port).then_some(host)
}

/// Whether `host` is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    AddressScope::from_host(host) == AddressScope::Loopback
}

/// A date such as `2027-01-31`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(title = "a day such as \"2027-01-31\"", extend("format" = "date"))]
pub(super) struct DayText(String);

impl DayText {
    pub(super) fn parse(&self) -> Result<LastDay, String> {
        self.0.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_needs_a_unit() {
        for (text, seconds) in
            [("30s", 30), ("90m", 5400), ("36h", 129_600), ("14d", 1_209_600), ("2w", 1_209_600), ("0d", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for garbage in ["", "14", "d", "-1d", "1.5d", "14 d", "14D", "1d12h", "٣d", "14days", "36501d"] {
            assert!(duration(garbage).is_err(), "{garbage}");
        }
        assert!(duration("14").expect_err("no unit").contains("\"14d\""));
        assert!(duration("99999999999999999999w").expect_err("too long").contains("too long"));
    }

    #[test]
    fn plain_http_is_allowed_only_to_loopback_by_default() {
        for (text, expected) in [
            ("https://mirror.example.com/", "https://mirror.example.com"),
            ("https://mirror.example.com/proxy/ecr/", "https://mirror.example.com/proxy/ecr"),
            ("http://127.0.0.1:5001", "http://127.0.0.1:5001"),
            ("http://localhost:5000", "http://localhost:5000"),
            ("http://[::1]:5000", "http://[::1]:5000"),
        ] {
            assert_eq!(endpoint(text, false).as_deref(), Ok(expected));
        }
        assert!(endpoint("http://mirror.example.com", false).is_err());
        assert!(endpoint("http://mirror.example.com", true).is_ok());
        assert!(endpoint("http://127.0.0.1.example.com", false).is_err());
    }

    #[test]
    fn malformed_endpoints_are_rejected_without_quoting_credentials() {
        for garbage in [
            "",
            "mirror.example.com",
            "ftp://mirror.example.com",
            "https://",
            "https:///v2",
            "https://a b",
            "https://host:0",
            "https://host:99999",
            "https://host?x=1",
            "https://host/#x",
            "https://[::1",
            "https://::1",
        ] {
            assert!(endpoint(garbage, true).is_err(), "{garbage}");
        }
        let with_password = endpoint("https://user:hunter2@host", true).expect_err("credentials");
        assert!(!with_password.contains("hunter2"), "{with_password}");
    }

    #[test]
    fn hosts_are_parsed_as_in_image_references() {
        assert_eq!(host("Public.ECR.aws").as_deref(), Ok("public.ecr.aws"));
        assert_eq!(host("127.0.0.1:5000").as_deref(), Ok("127.0.0.1:5000"));
        for garbage in ["", "https://public.ecr.aws", "public.ecr.aws/lambda", "ubuntu", "a.b:99999"] {
            assert!(host(garbage).is_err(), "{garbage}");
        }
        assert!(host_pattern("*.dkr.ecr.eu-west-1.amazonaws.com").is_ok());
        assert!(host_pattern("*").is_err() && host_pattern("a/*").is_err());
        for spelling in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert_eq!(registry_host(spelling).as_deref(), Ok("docker.io"));
            assert_eq!(host_pattern(spelling).as_deref(), Ok("docker.io"));
        }
        // `token_hosts` are exact hosts and not aliases.
        assert_eq!(host("index.docker.io").as_deref(), Ok("index.docker.io"));
    }

    #[test]
    fn a_base_pattern_needs_a_registry_and_must_not_have_a_tag() {
        for (text, is_exact, matched) in [
            ("public.ecr.aws/lambda/java", true, "public.ecr.aws/lambda/java"),
            ("index.docker.io/python", true, "docker.io/library/python"),
            ("Public.ECR.aws/lambda/*", false, "public.ecr.aws/lambda/java"),
            ("*/lambda/*", false, "127.0.0.1:5000/lambda/java"),
            ("*.dkr.ecr.*.amazonaws.com/base/{java,node}", false, "1.dkr.ecr.eu-west-1.amazonaws.com/base/node"),
            ("*", false, "ghcr.io/acme/base"),
        ] {
            let (pattern, exact) = base_pattern(text).expect(text);
            assert_eq!(exact.is_some(), is_exact, "{text}");
            assert!(pattern.matches(matched), "{text}: {matched}");
        }
        for garbage in
            ["", "lambda/java", "team/*", "ubuntu", "public.ecr.aws/lambda/*:21", "*/java@sha256:*", "a.b/[", "a.b/x:1"]
        {
            assert!(base_pattern(garbage).is_err(), "{garbage}");
        }
    }

    proptest! {
        #[test]
        fn parsers_do_not_panic(text in ".{0,40}") {
            let _ = (duration(&text), host(&text), host_pattern(&text), endpoint(&text, true), base_pattern(&text));
        }
    }
}
