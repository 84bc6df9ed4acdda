//! `explain`: placeholder.

use chrono::{DateTime, Utc};

use super::{Console, Exit};
use crate::{cli::ExplainArgs, config::Settings};

/// Placeholder.
#[expect(clippy::unused_async, reason = "placeholder")]
pub async fn run(_: Settings, _: ExplainArgs, _: Console, _: DateTime<Utc>) -> anyhow::Result<Exit> {
    anyhow::bail!("not merged yet")
}
