//! What somebody reads at nine in the morning of whom basewatch depends: what went wrong, since when, what that means
//! and what to do. The same in mail and in chat; what is from outside goes through the means of each.

use super::{PUSH, RUN, RunError, Trouble, WatchFields};
use crate::{image::ErrorCode, notify::EventKind, report::words};

/// So many of what cannot be seen are named in what it means.
const SCOPES: usize = 3;

/// How text from outside is shown.
pub(in crate::notify) type Shown = fn(&str) -> String;

/// It in a few words: `basewatch has failed 3 times in a row`.
pub(in crate::notify) fn headline(watch: &WatchFields) -> String {
    let row = if watch.runs > 1 { format!(" {} times in a row", watch.runs) } else { String::new() };
    let is_still = watch.event == EventKind::Reminded;
    let what = match (watch.event, watch.trouble) {
        (EventKind::Resolved, _) => return "basewatch works again".to_owned(),
        (EventKind::Triggered, Trouble::Failed) if is_push(watch) => "could not audit an image that was pushed",
        (_, Trouble::Failed) if is_still => "still fails",
        (_, Trouble::Failed) => "has failed",
        (_, Trouble::Empty) if is_still => "still finds nothing at all",
        (_, Trouble::Empty) => "has found nothing at all",
        (_, Trouble::Blind) if is_still => "still cannot judge most of the fleet",
        (_, Trouble::Blind) => "could not judge most of the fleet",
        (_, Trouble::Incomplete) if sees_everything(watch) && is_still => "still does not record or tell everything",
        (_, Trouble::Incomplete) if sees_everything(watch) => "has not recorded or told everything",
        (_, Trouble::Incomplete) if is_still => "still does not see everything",
        (_, Trouble::Incomplete) => "has not seen everything",
    };
    let now = if is_still && watch.runs > 1 { ", now" } else { "" };
    format!("basewatch {what}{now}{row}")
}

/// Whether the last thing that failed is the audit of an image that was pushed, and not a run.
fn is_push(watch: &WatchFields) -> bool {
    !watch.errors.is_empty() && watch.errors.iter().all(|error| error.scope.starts_with(PUSH))
}

/// Whether nothing went wrong but with what was to be done about what was seen.
fn sees_everything(watch: &WatchFields) -> bool {
    !watch.errors.is_empty() && watch.errors_left_out == 0 && watch.errors.iter().all(|error| error.scope == RUN)
}

/// What there is to say, in order, each under a short title. `said` shows prose, `copyable` what is there to be copied.
pub(in crate::notify) fn entries(watch: &WatchFields, said: Shown, copyable: Shown) -> Vec<(&'static str, String)> {
    if watch.event == EventKind::Resolved {
        let runs = words::count(watch.runs.into(), "run");
        let was =
            format!("{runs} went wrong, from that of {} on; the last one is complete", words::instant(watch.since));
        return vec![("was", was)];
    }
    let mut entries = vec![("is", is(watch))];
    entries.extend(watch.errors.iter().map(|error| ("error", told(error, said))));
    if watch.errors_left_out > 0 {
        entries.push(("error", format!("and {} more, in the report", watch.errors_left_out)));
    }
    entries.push(("means", means(watch, said)));
    entries.push(("do", advice(watch, copyable)));
    let good = watch.last_good_at.map_or_else(
        || "there was no run yet with which nothing was wrong".to_owned(),
        |at| format!("the run of {} was the last with which nothing was wrong", words::instant(at)),
    );
    entries.push(("good", good));
    if watch.event != EventKind::Triggered
        && let Some(since) = watch.told_since
    {
        entries.push(("since", format!("{}, when you were first told", since.format("%F"))));
    }
    entries
}

fn is(watch: &WatchFields) -> String {
    let since = words::instant(watch.since);
    let runs = match watch.runs {
        1 => format!("the run of {since}"),
        runs => format!("the last {runs} runs, from that of {since} on,"),
    };
    match watch.trouble {
        Trouble::Failed if is_push(watch) => "an image was pushed and could not be audited".to_owned(),
        Trouble::Failed => format!("{runs} failed"),
        Trouble::Empty => format!("{runs} found no deployment at all, although something is to be audited"),
        Trouble::Blind => format!("{runs} could judge less of the fleet than policy.min_known requires"),
        Trouble::Incomplete => format!("{runs} could not see, record or tell everything"),
    }
}

fn told(error: &RunError, said: Shown) -> String {
    let about = if error.scope == RUN { String::new() } else { format!("{}: ", said(&error.scope)) };
    format!("{about}{} (since {})", said(&error.message), error.since.format("%F"))
}

fn means(watch: &WatchFields, said: Shown) -> String {
    match (watch.trouble, watch.last_report_at) {
        (Trouble::Failed, _) if is_push(watch) => {
            "whether it was built on an outdated base is not known; the next run audits it if the inventory includes it"
                .to_owned()
        }
        (Trouble::Failed, Some(at)) => format!(
            "nothing is known of any deployment since {}; nobody is told what has become old since then",
            words::instant(at)
        ),
        (Trouble::Failed, None) => "nothing is known of any deployment: no run has ever found one".to_owned(),
        (Trouble::Empty, _) if !watch.errors.is_empty() => {
            "nothing is known of any deployment, as none could be seen".to_owned()
        }
        (Trouble::Empty, _) => {
            "either nothing runs any more, or basewatch looks in the wrong place or is not allowed to \
                                see it; alerts that were open have ended, and what is found again is told anew"
                .to_owned()
        }
        (Trouble::Blind, _) => {
            "the bases of most deployments are unknown: nobody is notified when they become outdated".to_owned()
        }
        (Trouble::Incomplete, _) => unseen(watch, said),
    }
}

fn unseen(watch: &WatchFields, said: Shown) -> String {
    let mut scopes: Vec<(&str, _)> = Vec::new();
    for error in watch.errors.iter().filter(|error| error.scope != RUN) {
        if !scopes.iter().any(|(known, _)| *known == error.scope) {
            scopes.push((&error.scope, error.since));
        }
    }
    if scopes.is_empty() {
        return "what was found may not have been recorded, or not everybody told".to_owned();
    }
    let more = if scopes.len() > SCOPES || watch.errors_left_out > 0 { ", and of more than that" } else { "" };
    let scopes = scopes.into_iter().take(SCOPES);
    let scopes: Vec<_> =
        scopes.map(|(scope, since)| format!("of {} since {}", said(scope), words::instant(since))).collect();
    format!("not everything is known {}{more}: nobody is told what becomes old there", scopes.join(", "))
}

/// What to do about it.
pub(in crate::notify) fn advice(watch: &WatchFields, copyable: Shown) -> String {
    let is_denied = watch.errors.iter().any(|error| error.code == ErrorCode::AccessDenied.as_str());
    let permissions = || format!("compare the permissions with {}", copyable("basewatch config iam"));
    match watch.trouble {
        _ if is_denied => format!("{}; then run basewatch again", permissions()),
        Trouble::Failed => format!(
            "mend what the error names, then see whether it helped where basewatch runs: {}",
            copyable("basewatch run --dry-run")
        ),
        Trouble::Empty => format!(
            "see whether accounts, regions and patterns are right in {}, and {}",
            copyable("basewatch config check"),
            permissions()
        ),
        Trouble::Blind => format!(
            "see why with {}, and with {} for one of the images; policy.min_known sets how much has to be judged",
            copyable("basewatch audit"),
            copyable("basewatch explain IMAGE")
        ),
        Trouble::Incomplete => format!(
            "mend what the errors name, and see what {} says; what is never to be seen belongs out of the configuration",
            copyable("basewatch audit")
        ),
    }
}
