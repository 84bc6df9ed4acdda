//! `[serve]`: when `basewatch serve` runs, and who may read what it found.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    notify::time_zone,
    secret::{RawSecretSource, source},
    tree::KeyPath,
    values::DurationText,
};
use crate::{schedule::Timetable, secret::SecretSource};

/// When `basewatch serve` runs, and who may read what it found.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServe {
    /// When a run is due, as in crontab: minute, hour, day of the month, month, day of the week; six fields begin
    /// with seconds.
    #[schemars(extend("default" = "0 6 * * *"))]
    schedule: Option<String>,
    /// Where the clock hangs that the schedule means, as the tz database has it.
    #[schemars(extend("default" = "UTC"), example = &"Europe/Berlin")]
    time_zone: Option<String>,
    /// How much later a run may begin, at random, so that not everybody asks at the same moment.
    #[schemars(extend("default" = "0s"), example = &"5m")]
    jitter: Option<DurationText>,
    /// Where to listen. What is no loopback address needs `token` or `proxy`.
    #[schemars(extend("default" = "127.0.0.1:8080"), example = &"0.0.0.0:8080")]
    listen: Option<String>,
    /// What readers have to know: as `Authorization: Bearer …`, or as the password a browser asks for.
    token: Option<RawSecretSource>,
    /// A proxy that knows readers itself.
    proxy: Option<RawProxy>,
    /// How long the end may take: what is under way is ended in order when a SIGTERM comes.
    #[schemars(extend("default" = "25s"))]
    stop_within: Option<DurationText>,
}

/// A proxy that knows readers itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawProxy {
    /// The header in which it names the reader. It must take away what others send in it.
    #[schemars(required, example = &"X-Auth-Request-User")]
    header: Option<String>,
    /// The addresses it calls from: a header of anybody else is worth nothing.
    #[schemars(required, example = ["10.0.0.0/16"])]
    from: Option<Vec<String>>,
}

/// When `basewatch serve` runs, and who may read what it found.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// When runs are due.
    pub timetable: Timetable,
    /// Where to listen.
    pub listen: SocketAddr,
    /// What readers have to know.
    pub token: Option<SecretSource>,
    /// A proxy that knows readers itself.
    pub proxy: Option<ProxySettings>,
    /// How long the end may take.
    pub stop_within: Duration,
}

/// A proxy that knows readers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// The header in which it names the reader, in small letters.
    pub header: String,
    /// The networks it calls from.
    pub from: Vec<IpNet>,
}

const SCHEDULE: &str = "0 6 * * *";
const STOP_WITHIN: Duration = Duration::from_secs(25);
/// A run that begins a day late is none of that day.
const LONGEST_JITTER: Duration = Duration::from_hours(24);

impl Default for ServeSettings {
    fn default() -> Self {
        let timetable = Timetable::new(SCHEDULE, chrono_tz::Tz::UTC, Duration::ZERO).expect("six in the morning comes");
        Self {
            timetable,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            token: None,
            proxy: None,
            stop_within: STOP_WITHIN,
        }
    }
}

pub(super) fn validate(raw: &RawServe, at: &KeyPath, check: &mut Check<'_>) -> ServeSettings {
    let standard = ServeSettings::default();
    let zone = raw.time_zone.as_deref().unwrap_or("UTC");
    let zone = check.accept(&at.key("time_zone"), time_zone(zone)).unwrap_or_default();
    let jitter = check.duration(&at.key("jitter"), raw.jitter.as_ref(), Duration::ZERO).unwrap_or_default();
    if jitter > LONGEST_JITTER {
        check.refuse(&at.key("jitter"), "is too long: at the most 24h");
    }
    let expression = raw.schedule.as_deref().unwrap_or(SCHEDULE);
    let timetable = check.accept(&at.key("schedule"), Timetable::new(expression, zone, jitter));
    let listen = raw.listen.as_deref().and_then(|text| check.accept(&at.key("listen"), address(text)));
    let settings = ServeSettings {
        timetable: timetable.unwrap_or(standard.timetable),
        listen: listen.unwrap_or(standard.listen),
        token: raw.token.as_ref().and_then(|token| source(token, &at.key("token"), check)),
        proxy: raw.proxy.as_ref().and_then(|raw| proxy(raw, &at.key("proxy"), check)),
        stop_within: check
            .duration(&at.key("stop_within"), raw.stop_within.as_ref(), Duration::from_secs(1))
            .unwrap_or(standard.stop_within),
    };
    if !settings.listen.ip().is_loopback() && raw.token.is_none() && raw.proxy.is_none() {
        check.refuse(
            &at.key("listen"),
            format!(
                "{} can be reached from other machines: set token, or a proxy that knows its readers, or listen on \
                 127.0.0.1",
                settings.listen
            ),
        );
    }
    settings
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address: write one with its port, as in \"127.0.0.1:8080\""))
}

fn proxy(raw: &RawProxy, at: &KeyPath, check: &mut Check<'_>) -> Option<ProxySettings> {
    let is_token = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let header = raw.header.as_deref().filter(is_token).map(str::to_lowercase);
    let header = check.accept(&at.key("header"), header.ok_or("name the header, as in \"X-Auth-Request-User\""));
    let from = raw.from.as_deref().unwrap_or_default();
    if from.is_empty() {
        check.refuse(&at.key("from"), "name the networks that the proxy calls from, as in [\"10.0.0.0/16\"]");
    }
    let from = check.each(&at.key("from"), from, network);
    Some(ProxySettings { header: header?, from })
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address)).ok();
    text.parse().ok().or_else(single).ok_or_else(|| format!("{text:?} is no network: write one as in \"10.0.0.0/16\""))
}
