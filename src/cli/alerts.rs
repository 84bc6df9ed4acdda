//! The arguments of `alerts` and `notify`.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::{OutputFormat, instant};
use crate::glob::Glob;

const ALERTS_EXAMPLES: &str = "\
Examples:
  basewatch alerts list --owner payments
  basewatch alerts show 5f3a9c0b12de
  basewatch alerts snooze 5f3a9c0b12de --until 2026-12-01
  basewatch alerts resend 5f3a9c0b12de";

/// The subcommands of `alerts`.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = ALERTS_EXAMPLES)]
pub enum AlertsCommand {
    /// List open alerts
    List(AlertsListArgs),
    /// Show an alert and the notifications sent for it
    Show(AlertArgs),
    /// Mute an alert until a time, unless its severity rises
    Snooze(AlertsSnoozeArgs),
    /// Send an alert again to all channels that were notified
    Resend(AlertArgs),
}

/// The arguments of `alerts list`.
#[derive(Clone, Debug, Args)]
pub struct AlertsListArgs {
    /// Include resolved alerts
    #[arg(long)]
    pub all: bool,
    /// Only alerts of these owners (comma-separated patterns)
    #[arg(long, value_name = "OWNER", value_delimiter = ',')]
    pub owner: Vec<Glob>,
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
}

/// The arguments of `alerts show` and `alerts resend`.
#[derive(Clone, Debug, Args)]
pub struct AlertArgs {
    /// ID of the alert or a unique prefix, or ID of the finding
    #[arg(value_name = "ID")]
    pub id: String,
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
}

/// The arguments of `alerts snooze`.
#[derive(Clone, Debug, Args)]
pub struct AlertsSnoozeArgs {
    /// ID of the alert or a unique prefix, or ID of the finding
    #[arg(value_name = "ID")]
    pub id: String,
    /// End of the snooze: RFC 3339, or YYYY-MM-DD for midnight UTC; a time in the past ends it now
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: DateTime<Utc>,
}

/// The subcommands of `notify`.
#[derive(Clone, Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message to all configured channels, or to the given ones
    Test(NotifyTestArgs),
}

/// The arguments of `notify test`.
#[derive(Clone, Debug, Args)]
pub struct NotifyTestArgs {
    /// Only these channels, by name or topic ARN
    #[arg(value_name = "CHANNEL")]
    pub channels: Vec<String>,
}
