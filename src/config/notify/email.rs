//! `[[notify.email]]`: mail over SMTP.

use chrono_tz::Tz;
use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        check::ConfigValidator,
        policy::RawSeverity,
        secret::{RawSecretSource, source},
        tree::KeyPath,
        values::is_loopback,
    },
    channel::{ChannelKeys, RawSummary},
};
use crate::notify::{ChannelKind, EmailSettings, NotificationChannel, SmtpEncryption, SmtpLogin};

/// Mail over SMTP as a notification channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEmail {
    /// Name of the channel. Defaults to the recipients.
    #[schemars(example = &"payments by mail")]
    name: Option<String>,
    /// Host name of the mail server.
    #[schemars(required, example = &"email-smtp.eu-west-1.amazonaws.com")]
    host: Option<String>,
    /// Port of the mail server. Defaults to 587; with `encryption = "tls"` to 465, without encryption to 25.
    #[schemars(range(min = 1, max = 65535))]
    port: Option<i64>,
    /// How the connection is encrypted. `none` is for a mail server on the same machine.
    #[schemars(extend("default" = "starttls"))]
    encryption: Option<RawSmtpEncryption>,
    /// User name, if the server requires a login.
    #[schemars(example = &"AKIAIOSFODNN7EXAMPLE")]
    user: Option<String>,
    /// Password of the user.
    password: Option<RawSecretSource>,
    /// Sender.
    #[schemars(required, example = &"basewatch <basewatch@example.com>")]
    from: Option<String>,
    /// Recipients.
    #[schemars(required, example = ["payments@example.com"])]
    to: Option<Vec<String>>,
    /// As for `[[notify.sns]]`.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// As for `[[notify.sns]]`.
    threshold: Option<RawSeverity>,
    /// As for `[[notify.sns]]`.
    #[schemars(extend("default" = true))]
    resolved: Option<bool>,
    /// As for `[[notify.sns]]`.
    #[schemars(extend("default" = false))]
    summary: Option<RawSummary>,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "an encryption such as \"starttls\"")]
enum RawSmtpEncryption {
    /// TLS after the greeting, with `STARTTLS`. A server that does not offer it is not used.
    Starttls,
    /// TLS from the start.
    Tls,
    /// No encryption.
    None,
}

pub(super) fn validate(
    raw: &RawEmail,
    zone: Tz,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> Option<NotificationChannel> {
    let host = raw.host.as_ref().and_then(|text| check.accept(&at.key("host"), host(text)));
    let encryption = match raw.encryption.unwrap_or(RawSmtpEncryption::Starttls) {
        RawSmtpEncryption::Starttls => SmtpEncryption::StartTls,
        RawSmtpEncryption::Tls => SmtpEncryption::Tls,
        RawSmtpEncryption::None => SmtpEncryption::None,
    };
    if encryption == SmtpEncryption::None && host.as_deref().is_some_and(|host| !is_loopback(host)) {
        check.refuse(&at.key("encryption"), "none is allowed only for a mail server on the same machine: use starttls");
    }
    let from = raw.from.as_ref().and_then(|text| check.accept(&at.key("from"), mailbox(text)));
    let texts = raw.to.as_deref().unwrap_or_default();
    if raw.to.is_some() && texts.is_empty() {
        check.refuse(&at.key("to"), "is empty: write the recipients, as in [\"payments@example.com\"]");
    }
    let to = check.each(&at.key("to"), texts, mailbox);
    let login = login(raw, at, check);
    let port = raw.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(match encryption {
        SmtpEncryption::StartTls => 587,
        SmtpEncryption::Tls => 465,
        SmtpEncryption::None => 25,
    });
    let settings = EmailSettings { host: host?, port, encryption, login, from: from?, to };
    let recipients = settings.to.iter().map(|to| to.email.to_string()).collect::<Vec<_>>().join(", ");
    let RawEmail { name, owners, threshold, resolved, summary, .. } = raw;
    let keys = ChannelKeys { name, owners, threshold: *threshold, resolved: *resolved, summary: summary.as_ref() };
    keys.channel(Some(recipients), ChannelKind::Email(settings), zone, at, check)
}

fn login(raw: &RawEmail, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<SmtpLogin> {
    let password = raw.password.as_ref().and_then(|raw| source(raw, &at.key("password"), check));
    match (&raw.user, &raw.password) {
        (Some(_), None) => check.refuse(&at.key("user"), "requires a password: set password as well"),
        (None, Some(_)) => check.refuse(&at.key("password"), "requires a user: set user as well"),
        _ => {}
    }
    Some(SmtpLogin { user: raw.user.clone()?, password: password? })
}

fn host(text: &str) -> Result<String, String> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    if text.is_empty() || !text.bytes().all(is_host) {
        return Err(format!("{text:?} is not a host name: write it as in \"smtp.example.com\", the port in port"));
    }
    Ok(text.to_owned())
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    let how = "write it as in \"payments@example.com\" or \"basewatch <basewatch@example.com>\"";
    text.parse().map_err(|_| format!("{text:?} is not a mail address: {how}"))
}
