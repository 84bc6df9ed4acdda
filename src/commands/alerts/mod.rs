//! `basewatch alerts`: list, show, snooze and resend alerts.

mod listing;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use chrono::Utc;

pub use self::listing::{ALERTS_SCHEMA, AlertList, AlertRow, ChannelRow};
use crate::{
    app::{Console, ExitStatus, LOCK_WAIT, OutboundClients, latest_report, open_store, output},
    cli::{AlertArgs, AlertsCommand, AlertsListArgs, AlertsSnoozeArgs, OutputFormat},
    config::Settings,
    notify::{self, AlertKey, Ledger, LedgerSession, Snooze, select},
    report::{format, json},
    store::Store,
};

/// Runs `command` on the alerts in the store.
///
/// # Errors
///
/// When there is no store, the ledger cannot be read or written, or no alert has that id.
pub async fn run(settings: &Settings, command: &AlertsCommand, console: Console) -> Result<ExitStatus> {
    let (store, outbound) = open_store(settings)?;
    match command {
        AlertsCommand::List(args) => list(&*store, args, console).await,
        AlertsCommand::Show(args) => show(&*store, args, console).await,
        AlertsCommand::Snooze(args) => snooze(&store, args).await,
        AlertsCommand::Resend(args) => {
            let session = open_session(&store, "alerts resend").await?;
            let sent = resend(settings, &*store, &outbound, args, &session).await;
            session.close().await;
            sent
        }
    }
}

async fn list(store: &dyn Store, args: &AlertsListArgs, console: Console) -> Result<ExitStatus> {
    let ledger = ledger(store).await?;
    let mut list = AlertList::from_ledger(&ledger);
    let is_selected = |owner: Option<&str>| {
        args.owner.is_empty() || owner.is_some_and(|owner| args.owner.iter().any(|glob| glob.matches(owner)))
    };
    list.alerts.retain(|alert| (args.all || alert.is_open()) && is_selected(alert.subject.owner.as_deref()));
    output::print(&match args.format {
        OutputFormat::Json => json::render(&list),
        OutputFormat::Table => listing::table(&list, &console.style()),
    })?;
    Ok(ExitStatus::Clean)
}

async fn show(store: &dyn Store, args: &AlertArgs, console: Console) -> Result<ExitStatus> {
    let ledger = ledger(store).await?;
    let key = find(&ledger, &args.id)?;
    let mut list = AlertList::from_ledger(&ledger);
    list.alerts.retain(|alert| alert.finding == key.finding && alert.about == key.about);
    output::print(&match args.format {
        OutputFormat::Json => json::render(&list),
        OutputFormat::Table => list.alerts.iter().map(|alert| listing::details(alert, &console.style())).collect(),
    })?;
    Ok(ExitStatus::Clean)
}

async fn snooze(store: &Arc<dyn Store>, args: &AlertsSnoozeArgs) -> Result<ExitStatus> {
    let session = open_session(store, "alerts snooze").await?;
    let key = session.look(|ledger| find(ledger, &args.id)).await?;
    let now = Utc::now();
    let until = Some(args.until).filter(|until| *until > now);
    let changed = session
        .change(|ledger| {
            let snooze = until.map(|until| Snooze::new(until, now, None, None));
            let keys = select::snooze(ledger, std::slice::from_ref(&key), snooze);
            (keys, ledger.alerts.get(&key).map(|alert| alert.subject.name.clone()))
        })
        .await;
    session.close().await;
    let (keys, name) = changed.context("the ledger cannot be written")?;
    let name = name.unwrap_or_default();
    let others = match keys.len() {
        0 | 1 => String::new(),
        count => format!(" and {} of the same image", format::count(count as u64 - 1, "tag")),
    };
    let alert = format!("the alert about the {} of {name}{others}", key.about.as_str());
    output::print_stderr(&match until {
        Some(until) => format!("{alert} is snoozed until {}, unless it gets worse", format::instant(until)),
        None => format!("{alert} is no longer snoozed"),
    });
    Ok(ExitStatus::Clean)
}

async fn resend(
    settings: &Settings,
    store: &dyn Store,
    outbound: &OutboundClients,
    args: &AlertArgs,
    session: &LedgerSession,
) -> Result<ExitStatus> {
    let key = session.look(|ledger| find(ledger, &args.id)).await?;
    let report = latest_report(store).await.context("the last report cannot be read")?;
    let now = Utc::now();
    let due = session
        .change(|ledger| select::resend(ledger, std::slice::from_ref(&key), report.as_ref(), &settings.notify, now))
        .await?;
    if due == 0 {
        let AlertKey { finding, about } = &key;
        bail!(
            "no channel has an open alert about the {} of {finding}: it was resolved, or its channels are no longer configured",
            about.as_str()
        );
    }
    let delivered = notify::deliver(session, &outbound.notifiers, &settings.notify, now).await?;
    for delivery in &delivered.tried {
        match &delivery.outcome {
            Ok(_) => output::print_stderr(&format!("notified {}", delivery.target)),
            Err(error) => {
                let why = &error.why;
                output::print_stderr(&format!("cannot notify {}: {why}; the next run retries", delivery.target));
            }
        }
    }
    Ok(if delivered.tried.iter().all(|delivery| delivery.outcome.is_ok()) {
        ExitStatus::Clean
    } else {
        ExitStatus::Incomplete
    })
}

async fn open_session(store: &Arc<dyn Store>, holder: &str) -> Result<LedgerSession> {
    let lock = store.lock(holder, LOCK_WAIT).await.context("the store cannot be used")?;
    LedgerSession::open(Arc::clone(store), lock).await.context("the ledger cannot be used")
}

async fn ledger(store: &dyn Store) -> Result<Ledger> {
    notify::read(store).await.context("the ledger cannot be used")
}

/// The key of the alert with the id `id`, a prefix of it, or the id of its finding.
fn find(ledger: &Ledger, id: &str) -> Result<AlertKey> {
    let named: Vec<_> = ledger
        .alerts
        .iter()
        .filter(|(key, alert)| key.finding == id || (!id.is_empty() && alert.id.starts_with(id)))
        .map(|(key, alert)| (key, alert.id.as_str()))
        .collect();
    match named.as_slice() {
        [(key, _)] => Ok((*key).clone()),
        [] => bail!("no alert has the id {id:?}: see `basewatch alerts list --all`"),
        several if several.iter().all(|(key, _)| key.finding == id) => {
            let ids: Vec<_> =
                several.iter().map(|(key, alert)| format!("{alert} about the {}", key.about.as_str())).collect();
            bail!("the finding {id:?} has {} alerts: specify {}", several.len(), ids.join(" or "))
        }
        several => {
            let ids: Vec<_> = several.iter().take(5).map(|(_, id)| *id).collect();
            bail!("{id:?} is ambiguous: it is a prefix of {} ids, such as {}", several.len(), ids.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_is_found_by_its_id_or_by_a_finding_with_a_single_alert() {
        let alert = |id: &str| {
            json!({
                "id": id, "seen_at": "2026-11-20T06:00:00Z",
                "subject": {
                    "name": "orders", "kind": "lambda", "image": "orders:1", "repository": "orders", "verdict": "stale",
                    "severity": "high", "action": "rebuild",
                },
            })
        };
        let ledger = json!({ "alerts": {
            "lambda:a": alert("11aa"), "lambda:b": alert("22bb"), "workload:lambda:b": alert("22cc"),
        } });
        let ledger: Ledger = serde_json::from_value(ledger).unwrap();
        let found = |id: &str| find(&ledger, id).map(|key| key.to_string()).map_err(|error| error.to_string());
        for (id, key) in
            [("11", "lambda:a"), ("lambda:a", "lambda:a"), ("22b", "lambda:b"), ("22cc", "workload:lambda:b")]
        {
            assert_eq!(found(id).as_deref(), Ok(key), "{id}");
        }
        let both = found("lambda:b").unwrap_err();
        assert_eq!(
            both,
            "the finding \"lambda:b\" has 2 alerts: specify 22bb about the base or 22cc about the workload"
        );
        assert!(found("22").unwrap_err().contains("a prefix of 2 ids"));
        assert!(found("").unwrap_err().contains("no alert has the id"));
    }
}
