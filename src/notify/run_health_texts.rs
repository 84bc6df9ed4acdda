//! Texts of self-monitoring alerts: what failed, since when, the impact and what to do. The same in mail and chat; text
//! from outside goes through the formatter of each.

use super::{
    EventKind, SelfMonitorFields, TextFormatter,
    run_health::{PUSH, RUN, RunError, RunHealth},
};
use crate::{image::ErrorCode, report::format};

/// Maximum number of scopes named under `impact`.
const MAX_SCOPES: usize = 3;

/// The title of the entry that says what to do.
pub(super) const ACTION: &str = "action";

/// The alert in a few words: `basewatch run failed (3 runs in a row)`.
pub(super) fn headline(fields: &SelfMonitorFields) -> String {
    let streak = if fields.runs > 1 { format!(" ({} runs in a row)", fields.runs) } else { String::new() };
    let is_still = fields.event == EventKind::Reminded;
    let what = match (fields.event, fields.trouble) {
        (EventKind::Resolved, _) => return "basewatch has recovered".to_owned(),
        (EventKind::Triggered, RunHealth::Failed) if is_push(fields) => "could not audit a pushed image",
        (_, RunHealth::Failed) if is_still => "is still failing",
        (_, RunHealth::Failed) => "run failed",
        (_, RunHealth::Empty) if is_still => "still finds no deployments",
        (_, RunHealth::Empty) => "found no deployments",
        (_, RunHealth::Blind) if is_still => "still cannot judge most of the fleet",
        (_, RunHealth::Blind) => "could not judge most of the fleet",
        (_, RunHealth::Incomplete) if is_read(fields) && is_still => "still cannot record or notify everything",
        (_, RunHealth::Incomplete) if is_read(fields) => "could not record or notify everything",
        (_, RunHealth::Incomplete) if is_still => "audit is still incomplete",
        (_, RunHealth::Incomplete) => "audit is incomplete",
    };
    format!("basewatch {what}{streak}")
}

/// Whether the last failure is the audit of a pushed image, and not a run.
fn is_push(fields: &SelfMonitorFields) -> bool {
    !fields.errors.is_empty() && fields.errors.iter().all(|error| error.scope.starts_with(PUSH))
}

/// Whether the inventory was read completely: all errors are about recording and notifying.
fn is_read(fields: &SelfMonitorFields) -> bool {
    !fields.errors.is_empty() && fields.errors_left_out == 0 && fields.errors.iter().all(|error| error.scope == RUN)
}

/// The entries of the message in order, each with a short title. `prose` formats text from outside, `copyable` text to be
/// copied.
pub(super) fn entries(
    fields: &SelfMonitorFields,
    prose: TextFormatter,
    copyable: TextFormatter,
) -> Vec<(&'static str, String)> {
    if fields.event == EventKind::Resolved {
        let runs = format::count(fields.runs.into(), "run");
        let ended = format!("{runs} affected since {}; the latest run is complete", format::instant(fields.since));
        return vec![("ended", ended)];
    }
    let mut entries = vec![("status", status(fields))];
    entries.extend(fields.errors.iter().map(|error| ("error", error_line(error, prose))));
    if fields.errors_left_out > 0 {
        entries.push(("error", format!("and {} more, see the report", fields.errors_left_out)));
    }
    entries.push(("impact", impact(fields, prose)));
    entries.push((ACTION, advice(fields, copyable)));
    let healthy = fields
        .last_good_at
        .map_or_else(|| "none so far".to_owned(), |at| format!("the run of {}", format::instant(at)));
    entries.push(("last ok", healthy));
    if fields.event != EventKind::Triggered
        && let Some(first) = fields.first_notified_at
    {
        entries.push(("since", format!("{} (first notification)", first.format("%F"))));
    }
    entries
}

fn status(fields: &SelfMonitorFields) -> String {
    let since = format::instant(fields.since);
    let runs = match fields.runs {
        1 => format!("the run of {since}"),
        runs => format!("the last {runs} runs, since {since},"),
    };
    match fields.trouble {
        RunHealth::Failed if is_push(fields) => "an image was pushed and could not be audited".to_owned(),
        RunHealth::Failed => format!("{runs} failed"),
        RunHealth::Empty => format!("{runs} found no deployments, although an inventory is configured"),
        RunHealth::Blind => format!("{runs} judged a smaller share of the fleet than policy.min_known requires"),
        RunHealth::Incomplete => format!("{runs} could not read, record or notify everything"),
    }
}

fn error_line(error: &RunError, prose: TextFormatter) -> String {
    let about = if error.scope == RUN { String::new() } else { format!("{}: ", prose(&error.scope)) };
    format!("{about}{} (since {})", prose(&error.message), error.since.format("%F"))
}

fn impact(fields: &SelfMonitorFields, prose: TextFormatter) -> String {
    match (fields.trouble, fields.last_report_at) {
        (RunHealth::Failed, _) if is_push(fields) => {
            "whether the image is built on an outdated base is unknown; the next run audits it if an inventory includes \
             it"
            .to_owned()
        }
        (RunHealth::Failed, Some(at)) => format!(
            "no deployment has been audited since {}; bases that became outdated since then raise no alerts",
            format::instant(at)
        ),
        (RunHealth::Failed, None) => "no deployment has been audited yet: no run has found one".to_owned(),
        (RunHealth::Empty, _) if !fields.errors.is_empty() => "no deployment could be read, so none was audited".to_owned(),
        (RunHealth::Empty, _) => {
            "either nothing is deployed any more, or basewatch reads the wrong accounts or regions or lacks permissions; \
             open alerts were resolved, and trigger again when their deployments are found"
                .to_owned()
        }
        (RunHealth::Blind, _) => {
            "the bases of most deployments are unknown; they raise no alerts when they become outdated".to_owned()
        }
        (RunHealth::Incomplete, _) => unread_scopes(fields, prose),
    }
}

fn unread_scopes(fields: &SelfMonitorFields, prose: TextFormatter) -> String {
    let mut scopes: Vec<(&str, _)> = Vec::new();
    for error in fields.errors.iter().filter(|error| error.scope != RUN) {
        if !scopes.iter().any(|(known, _)| *known == error.scope) {
            scopes.push((&error.scope, error.since));
        }
    }
    if scopes.is_empty() {
        return "results may not have been recorded, or some notifications not sent".to_owned();
    }
    let more = if scopes.len() > MAX_SCOPES || fields.errors_left_out > 0 { " and others" } else { "" };
    let scopes = scopes.into_iter().take(MAX_SCOPES);
    let scopes: Vec<_> =
        scopes.map(|(scope, since)| format!("{} (since {})", prose(scope), format::instant(since))).collect();
    format!("not fully read: {}{more}; outdated bases there raise no alerts", scopes.join(", "))
}

/// What to do about it.
pub(super) fn advice(fields: &SelfMonitorFields, copyable: TextFormatter) -> String {
    let is_denied = fields.errors.iter().any(|error| error.code == ErrorCode::AccessDenied.as_str());
    let permissions = || format!("compare the permissions with {}", copyable("basewatch config iam"));
    match fields.trouble {
        _ if is_denied => format!("{}; then run basewatch again", permissions()),
        RunHealth::Failed => {
            format!("fix the error, then check where basewatch is deployed: {}", copyable("basewatch run --dry-run"))
        }
        RunHealth::Empty => format!(
            "check accounts, regions and patterns with {}, and {}",
            copyable("basewatch config check"),
            permissions()
        ),
        RunHealth::Blind => format!(
            "find the reasons with {}, or with {} for one image; policy.min_known sets the required share",
            copyable("basewatch audit"),
            copyable("basewatch explain IMAGE")
        ),
        RunHealth::Incomplete => format!(
            "fix the errors and check with {}; remove from the configuration what basewatch is not allowed to read",
            copyable("basewatch audit")
        ),
    }
}
