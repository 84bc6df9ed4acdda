//! The arguments of `alerts` and `notify`.

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::{
    OutputFormat,
    values::{instant, reason, snooze_length},
};
use crate::glob::Glob;

const ALERTS_EXAMPLES: &str = "\
Examples:
  basewatch alerts list --owner payments
  basewatch alerts show orders
  basewatch alerts snooze 5f3a9c0b12de --for 7d --reason 'new base image on Monday'
  basewatch alerts snooze --owner payments --until 2026-12-01
  basewatch alerts resend 5f3a9c0b12de";

/// The subcommands of `alerts`.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = ALERTS_EXAMPLES)]
pub enum AlertsCommand {
    /// List open alerts
    List(AlertsListArgs),
    /// Show alerts with reasons, what to do and the notifications sent for them
    Show(AlertArgs),
    /// Mute alerts for a while, unless their severity rises
    Snooze(AlertsSnoozeArgs),
    /// Send alerts again to all channels that were notified
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
    /// ID from a message or a unique prefix, ID of a finding, or name of a deployment
    #[arg(value_name = "ALERT")]
    pub alert: String,
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
}

/// The arguments of `alerts snooze`.
#[derive(Clone, Debug, Args)]
pub struct AlertsSnoozeArgs {
    /// IDs from messages or unique prefixes, IDs of findings, or names of deployments
    #[arg(value_name = "ALERT", required_unless_present_any = ["owner", "repository"])]
    pub alerts: Vec<String>,
    /// Open alerts of these owners instead (comma-separated patterns)
    #[arg(long, value_name = "OWNER", value_delimiter = ',', conflicts_with = "alerts")]
    pub owner: Vec<Glob>,
    /// Open alerts about images in these repositories instead (comma-separated patterns)
    #[arg(long, value_name = "REPOSITORY", value_delimiter = ',', conflicts_with = "alerts")]
    pub repository: Vec<Glob>,
    /// Length of the snooze, such as 7d, 12h or 6w
    #[arg(long = "for", value_name = "DURATION", value_parser = snooze_length, required_unless_present = "until")]
    pub length: Option<TimeDelta>,
    /// End of the snooze: RFC 3339, or YYYY-MM-DD for midnight UTC; a time in the past ends it now
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with = "length")]
    pub until: Option<DateTime<Utc>>,
    /// Why, for others to read
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    /// Who snoozes, for others to read [default: the user name]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Show which alerts would be snoozed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
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
