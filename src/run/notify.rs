//! `basewatch notify test`: do messages arrive?

use std::sync::Arc;

use anyhow::{Result, bail};
use chrono::Utc;

use super::{Exit, Receivers, output};
use crate::{
    aws::Aws,
    cli::NotifyTestArgs,
    config::Settings,
    notify::{Receiver, select::test_message},
    registry::Requests,
};

/// Sends a test message to the receivers that `args` name, or to all; the ledger knows nothing of it.
///
/// # Errors
///
/// When nobody is configured, or nobody of that name.
pub async fn test(settings: &Settings, args: &NotifyTestArgs) -> Result<Exit> {
    let requests = Arc::new(Requests::default());
    let receivers = Receivers::open(settings, &Arc::new(Aws::new(Arc::clone(&requests))), &requests)?;
    let mut exit = Exit::Clean;
    for receiver in wanted(settings, args)? {
        let Some(notifier) = receivers.notifiers.get(&receiver.id) else { continue };
        let message = test_message(receiver, &ulid::Ulid::generate().to_string(), Utc::now());
        match notifier.deliver(&[&message]).await.pop() {
            Some(Ok(receipt)) => {
                let id = receipt.message_id.map(|id| format!(", as {id}")).unwrap_or_default();
                output::say(&format!("{} acknowledged a test message{id}", receiver.id));
            }
            Some(Err(undelivered)) => {
                output::say(&format!("{} was not reached: {}", receiver.id, undelivered.why));
                exit = Exit::Failed;
            }
            None => {}
        }
    }
    Ok(exit)
}

fn wanted<'a>(settings: &'a Settings, args: &NotifyTestArgs) -> Result<Vec<&'a Receiver>> {
    let receivers = &settings.notify.receivers;
    if receivers.is_empty() {
        bail!("nobody is told: the configuration has no [[notify.sns]] and no [[notify.webhook]]");
    }
    let known = || receivers.iter().map(|receiver| receiver.id.as_str()).collect::<Vec<_>>().join(", ");
    for name in &args.receivers {
        if !receivers.iter().any(|receiver| receiver.id == *name) {
            bail!("no receiver is called {name:?}: there are {}", known());
        }
    }
    let is_wanted = |receiver: &&Receiver| args.receivers.is_empty() || args.receivers.contains(&receiver.id);
    Ok(receivers.iter().filter(is_wanted).collect())
}
