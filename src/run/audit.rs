//! `audit`: placeholder.

use chrono::{DateTime, Utc};

use super::{Console, Exit};
use crate::{cli::AuditArgs, config::Settings};

/// Placeholder.
#[expect(clippy::unused_async, reason = "placeholder")]
pub async fn run(_: Settings, _: AuditArgs, _: Console, _: DateTime<Utc>) -> anyhow::Result<Exit> {
    anyhow::bail!("not merged yet")
}
