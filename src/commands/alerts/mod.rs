//! `basewatch alerts`: list, show, snooze and resend alerts.

mod listing;
mod snooze;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use chrono::Utc;

pub use self::listing::{ALERTS_SCHEMA, AlertList, AlertRow, ChannelRow};
use crate::{
    app::{Console, ExitStatus, LOCK_WAIT, OutboundClients, latest_report, open_store, output},
    cli::{AlertArgs, AlertsCommand, AlertsListArgs, OutputFormat},
    config::Settings,
    notify::{self, Ledger, LedgerSession, select},
    report::json,
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
        AlertsCommand::Snooze(args) => snooze::snooze(&store, args).await,
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
    let keys = notify::find(&ledger, &args.alert)?;
    let mut list = AlertList::select(&ledger, |key, _| keys.contains(key));
    match latest_report(store).await {
        Ok(Some(report)) => list.add_details(&report),
        Ok(None) => {}
        Err(error) => output::print_stderr(&format!("the last report cannot be read: {error}")),
    }
    output::print(&match args.format {
        OutputFormat::Json => json::render(&list),
        OutputFormat::Table => listing::details(&list, &console.style()),
    })?;
    Ok(ExitStatus::Clean)
}

async fn resend(
    settings: &Settings,
    store: &dyn Store,
    outbound: &OutboundClients,
    args: &AlertArgs,
    session: &LedgerSession,
) -> Result<ExitStatus> {
    let keys = session.look(|ledger| notify::find(ledger, &args.alert)).await?;
    let report = latest_report(store).await.context("the last report cannot be read")?;
    let now = Utc::now();
    let due = session.change(|ledger| select::resend(ledger, &keys, report.as_ref(), &settings.notify, now)).await?;
    if due == 0 {
        bail!(
            "no channel has an open alert {:?}: it was resolved, or its channels are no longer configured",
            args.alert
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
