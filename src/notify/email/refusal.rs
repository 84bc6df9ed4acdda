//! What a failed SMTP session means for a mail.

use lettre::transport::smtp::Error;

use crate::{outbox::DeliveryError, report::sanitize, secret::Secret};

/// Replies that concern the mail or its recipients, and not the server or the login
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>).
const ABOUT_MAIL: [u16; 5] = [550, 551, 552, 553, 554];

/// Why `server` did not take a mail. Quotes its reply without `password`.
pub(super) fn of_mail(server: &str, error: &Error, password: Option<&Secret>) -> DeliveryError {
    let status = error.status().map(u16::from);
    let mut why = reason(error);
    if let Some(password) = password {
        why = why.replace(password.reveal(), "…");
    }
    let why = match status {
        Some(status) => format!("{server} answered {status}: {why}"),
        None => format!("{server}: {why}"),
    };
    DeliveryError {
        why: sanitize(&why).into_owned(),
        retry_after: None,
        is_about_entry: status.is_some_and(|status| ABOUT_MAIL.contains(&status)),
        may_have_arrived: error.is_timeout(),
    }
}

/// The reply of the server, or the innermost cause of a failed connection.
fn reason(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let why = innermost.to_string();
    why.split_whitespace().collect::<Vec<_>>().join(" ")
}
