//! `basewatch alerts snooze`: mutes alerts for a while, or ends that.

use std::{collections::HashSet, fmt::Write as _, sync::Arc};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

use super::open_session;
use crate::{
    app::{ExitStatus, output},
    cli::AlertsSnoozeArgs,
    glob::Glob,
    notify::{self, Alert, AlertKey, Ledger, Snooze, select},
    report::{format, sanitize},
    store::Store,
};

/// Maximum number of alerts that are named.
const MAX_NAMED: usize = 10;

/// Snoozes the alerts that `args` select, or shows which ones those are.
///
/// # Errors
///
/// When the ledger cannot be read or written, or one of the alerts does not exist. Nothing is changed then.
pub(super) async fn snooze(store: &Arc<dyn Store>, args: &AlertsSnoozeArgs) -> Result<ExitStatus> {
    let now = Utc::now();
    let until = args.until.or_else(|| now.checked_add_signed(args.length?)).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let by = args.by.clone().or_else(user);
    let snooze = Snooze::new(until, now, by.as_deref(), args.reason.as_deref());
    let snooze = Some(snooze).filter(|snooze| snooze.is_active(now));
    if args.dry_run {
        let ledger = notify::read(&**store).await.context("the ledger cannot be used")?;
        let keys = select::with_other_tags(&ledger, &selected(&ledger, args, snooze.as_ref(), now)?);
        output::print_stderr(&summary(&ledger, &keys, snooze.as_ref(), true));
        return Ok(ExitStatus::Clean);
    }
    let session = open_session(store, "alerts snooze").await?;
    let changed = session
        .change(|ledger| {
            let keys = selected(ledger, args, snooze.as_ref(), now)?;
            let keys = select::snooze(ledger, &keys, snooze.clone());
            Ok(summary(ledger, &keys, snooze.as_ref(), false))
        })
        .await;
    session.close().await;
    let summary: Result<String> = changed.context("the ledger cannot be written")?;
    output::print_stderr(&summary?);
    Ok(ExitStatus::Clean)
}

/// The name of the user, as the shell has it.
fn user() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
}

/// The keys of the alerts that `args` select, each once: those that are named, or the open ones that match the patterns.
/// Without a `snooze`, patterns select what is snoozed.
fn selected(
    ledger: &Ledger,
    args: &AlertsSnoozeArgs,
    snooze: Option<&Snooze>,
    now: DateTime<Utc>,
) -> Result<Vec<AlertKey>> {
    let AlertsSnoozeArgs { alerts, owner, repository, .. } = args;
    if alerts.is_empty() {
        let is_affected = |alert: &Alert| if snooze.is_some() { alert.is_open() } else { alert.is_snoozed(now) };
        let is_selected = |alert: &Alert| {
            let subject = &alert.subject;
            is_affected(alert)
                && matches(owner, subject.owner.as_deref())
                && matches(repository, Some(&subject.repository))
        };
        let keys: Vec<_> =
            ledger.alerts.iter().filter(|(_, alert)| is_selected(alert)).map(|(key, _)| key.clone()).collect();
        if keys.is_empty() {
            let what = if snooze.is_some() { "open" } else { "snoozed" };
            bail!("no {what} alert matches these patterns: see `basewatch alerts list`");
        }
        return Ok(keys);
    }
    let mut keys = Vec::new();
    for text in alerts {
        let found = notify::find(ledger, text).context("nothing was changed")?;
        let is_open = |key: &&AlertKey| ledger.alerts.get(key).is_some_and(Alert::is_open);
        let open: Vec<_> = found.iter().filter(is_open).cloned().collect();
        keys.extend(if open.is_empty() { found } else { open });
    }
    let mut known = HashSet::new();
    keys.retain(|key| known.insert(key.clone()));
    Ok(keys)
}

/// Whether `text` matches one of `patterns`, or there are none.
fn matches(patterns: &[Glob], text: Option<&str>) -> bool {
    patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|glob| glob.matches(text)))
}

/// `snoozed 2 alerts until 2026-12-01 00:00 UTC, unless their severity rises:`, and the first of them.
fn summary(ledger: &Ledger, keys: &[AlertKey], snooze: Option<&Snooze>, is_dry: bool) -> String {
    let count = format::count(keys.len() as u64, "alert");
    let mut text = match (snooze.map(|snooze| format::instant(snooze.until)), is_dry) {
        (Some(until), false) => format!("snoozed {count} until {until}, unless the severity rises:"),
        (Some(until), true) => format!("would snooze {count} until {until}, unless the severity rises:"),
        (None, false) => format!("ended the snooze of {count}:"),
        (None, true) => format!("would end the snooze of {count}:"),
    };
    // Writing to a string cannot fail.
    for key in keys.iter().take(MAX_NAMED) {
        let Some(Alert { id, subject, .. }) = ledger.alerts.get(key) else { continue };
        let owner = subject.owner.as_ref().map(|owner| format!(", {owner}")).unwrap_or_default();
        let line = format!("{} ({}, {}{owner})", subject.name, key.about.as_str(), subject.severity.as_str());
        let _ = write!(text, "\n  {id}  {}", sanitize(&line));
    }
    if keys.len() > MAX_NAMED {
        let _ = write!(text, "\n  and {} more", keys.len() - MAX_NAMED);
    }
    text
}
