//! `basewatch notify test`: sends test messages.

use std::sync::Arc;

use anyhow::{Result, bail};
use chrono::Utc;

use crate::{
    app::{ExitStatus, OutboundClients, output},
    aws::Aws,
    cli::NotifyTestArgs,
    config::Settings,
    http::RequestCounter,
    notify::{NotificationChannel, select::test_message},
};

/// Sends a test message to the channels that `args` name, or to all. The ledger is not changed.
///
/// # Errors
///
/// When no channel is configured, or none of that name.
pub async fn test(settings: &Settings, args: &NotifyTestArgs) -> Result<ExitStatus> {
    let requests = Arc::new(RequestCounter::default());
    let outbound = OutboundClients::open(settings, &Arc::new(Aws::new(Arc::clone(&requests))), &requests)?;
    let mut exit = ExitStatus::Clean;
    for channel in selected(settings, args)? {
        let Some(notifier) = outbound.notifiers.get(&channel.id) else { continue };
        let message = test_message(channel, &ulid::Ulid::generate().to_string(), Utc::now());
        match notifier.deliver(&[&message]).await.pop() {
            Some(Ok(receipt)) => {
                let id = receipt.message_id.map(|id| format!(", as {id}")).unwrap_or_default();
                output::print_stderr(&format!("{} acknowledged a test message{id}", channel.id));
            }
            Some(Err(error)) => {
                output::print_stderr(&format!("the test message to {} failed: {}", channel.id, error.why));
                exit = ExitStatus::Failed;
            }
            None => {}
        }
    }
    Ok(exit)
}

fn selected<'a>(settings: &'a Settings, args: &NotifyTestArgs) -> Result<Vec<&'a NotificationChannel>> {
    let channels = &settings.notify.channels;
    if channels.is_empty() {
        bail!("no notification channel is configured: add [[notify.email]], [[notify.webhook]] or [[notify.sns]]");
    }
    let known = || channels.iter().map(|channel| channel.id.as_str()).collect::<Vec<_>>().join(", ");
    for name in &args.channels {
        if !channels.iter().any(|channel| channel.id == *name) {
            bail!("no channel is named {name:?}; configured: {}", known());
        }
    }
    let is_selected = |channel: &&NotificationChannel| args.channels.is_empty() || args.channels.contains(&channel.id);
    Ok(channels.iter().filter(is_selected).collect())
}
