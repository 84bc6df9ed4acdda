//! `[serve]`: schedule, address and access control of `basewatch serve`.

use std::net::SocketAddr;

use chrono_tz::Tz;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::ConfigValidator,
    secret::{RawSecretSource, source},
    tree::KeyPath,
    values::endpoint,
};
use crate::{schedule::Timetable, secret::SecretSource};

/// Schedule, address and access control of `basewatch serve`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServe {
    /// Cron expression: minute, hour, day of the month, month, day of the week. Six fields start with seconds.
    #[schemars(extend("default" = "0 6 * * *"))]
    schedule: Option<String>,
    /// Address to listen on. Addresses other than loopback require `token` or `proxy`.
    #[schemars(extend("default" = "127.0.0.1:8080"), example = &"0.0.0.0:8080")]
    listen: Option<String>,
    /// Token that clients send as a bearer token, or as the password of HTTP basic authentication.
    token: Option<RawSecretSource>,
    /// A reverse proxy that authenticates users.
    proxy: Option<RawProxy>,
    /// Token for starting runs and snoozing alerts on the dashboard, and for `POST /api/v1/audit`. It also grants what
    /// `token` does. Without it, the dashboard is read-only.
    write_token: Option<RawSecretSource>,
    /// Address of the dashboard for people. If set, each message links to its page there.
    #[schemars(example = &"https://basewatch.example.com")]
    public_url: Option<String>,
}

/// A reverse proxy that authenticates users.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawProxy {
    /// Request header with the user name. The proxy must remove this header from incoming requests.
    #[schemars(required, example = &"X-Auth-Request-User")]
    header: Option<String>,
    /// Networks of the proxy. The header is ignored in requests from other addresses.
    #[schemars(required, example = ["10.0.0.0/16"])]
    from: Option<Vec<String>>,
}

/// Schedule, address and access control of `basewatch serve`.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// The schedule of runs.
    pub timetable: Timetable,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The token that clients must send.
    pub token: Option<SecretSource>,
    /// A reverse proxy that authenticates users.
    pub proxy: Option<ProxySettings>,
    /// The token for writing; `None` if the dashboard is read-only.
    pub write_token: Option<SecretSource>,
    /// The URL of the dashboard for people, without a slash at the end.
    pub public_url: Option<String>,
}

/// A reverse proxy that authenticates users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// The header with the user name, in lower case.
    pub header: String,
    /// The networks of the proxy.
    pub from: Vec<IpNet>,
}

const SCHEDULE: &str = "0 6 * * *";

impl Default for ServeSettings {
    fn default() -> Self {
        let timetable = Timetable::new(SCHEDULE, Tz::UTC).expect("six in the morning comes");
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self { timetable, listen, token: None, proxy: None, write_token: None, public_url: None }
    }
}

pub(super) fn validate(raw: &RawServe, zone: Tz, at: &KeyPath, check: &mut ConfigValidator<'_>) -> ServeSettings {
    let standard = ServeSettings::default();
    let expression = raw.schedule.as_deref().unwrap_or(SCHEDULE);
    let timetable = check.accept(&at.key("schedule"), Timetable::new(expression, zone));
    let listen = raw.listen.as_deref().and_then(|text| check.accept(&at.key("listen"), address(text)));
    let settings = ServeSettings {
        timetable: timetable.unwrap_or(standard.timetable),
        listen: listen.unwrap_or(standard.listen),
        token: raw.token.as_ref().and_then(|token| source(token, &at.key("token"), check)),
        proxy: raw.proxy.as_ref().and_then(|raw| proxy(raw, &at.key("proxy"), check)),
        write_token: raw.write_token.as_ref().and_then(|token| source(token, &at.key("write_token"), check)),
        public_url: raw.public_url.as_deref().and_then(|text| check.accept(&at.key("public_url"), public_url(text))),
    };
    if !settings.listen.ip().is_loopback() && raw.token.is_none() && raw.proxy.is_none() {
        check.refuse(
            &at.key("listen"),
            format!("{} is reachable from other hosts: set token or proxy, or listen on 127.0.0.1", settings.listen),
        );
    }
    settings
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address with a port: write it as in \"127.0.0.1:8080\""))
}

/// A URL that paths can be appended to. The error does not quote the text, which may contain a password.
fn public_url(text: &str) -> Result<String, &'static str> {
    endpoint(text, true).map_err(|_| {
        "is not the address of a dashboard: write it as in \"https://basewatch.example.com\", without user, query and \
         fragment"
    })
}

fn proxy(raw: &RawProxy, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<ProxySettings> {
    let is_token = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let header = raw.header.as_deref().filter(is_token).map(str::to_lowercase);
    let header =
        check.accept(&at.key("header"), header.ok_or("is not a header name: write it as in \"X-Auth-Request-User\""));
    let from = raw.from.as_deref().unwrap_or_default();
    if from.is_empty() {
        check.refuse(&at.key("from"), "is empty: list the networks of the proxy, as in [\"10.0.0.0/16\"]");
    }
    let from = check.each(&at.key("from"), from, network);
    Some(ProxySettings { header: header?, from })
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address)).ok();
    text.parse()
        .ok()
        .or_else(single)
        .ok_or_else(|| format!("{text:?} is not a network: write it as in \"10.0.0.0/16\""))
}
