//! `base`: placeholder.

use chrono::{DateTime, Utc};

use super::{Console, Exit};
use crate::{cli::BaseArgs, config::Settings};

/// Placeholder.
#[expect(clippy::unused_async, reason = "placeholder")]
pub async fn run(_: Settings, _: BaseArgs, _: Console, _: DateTime<Utc>) -> anyhow::Result<Exit> {
    anyhow::bail!("not merged yet")
}
