//! `demo`: placeholder.

use chrono::{DateTime, Utc};

use super::{Console, Exit};
use crate::cli::DemoArgs;

/// Placeholder.
#[expect(clippy::unused_async, reason = "placeholder")]
pub async fn run(_: DemoArgs, _: Console, _: DateTime<Utc>) -> anyhow::Result<Exit> {
    anyhow::bail!("not merged yet")
}
