//! The command line of what people are told: `alerts` and `notify`.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::{Format, instant};
use crate::glob::Glob;

const ALERTS_EXAMPLES: &str = "\
Examples:
  basewatch alerts list --owner payments
  basewatch alerts show 5f3a9c0b12de
  basewatch alerts snooze 5f3a9c0b12de --until 2026-12-01
  basewatch alerts resend 5f3a9c0b12de";

/// What `alerts` can do.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = ALERTS_EXAMPLES)]
pub enum AlertsCommand {
    /// List what somebody was told about and has not ended
    List(AlertsListArgs),
    /// Show an alert: what was told to whom, and when
    Show(AlertArgs),
    /// Tell nobody of an alert for a while, unless it gets worse
    Snooze(AlertsSnoozeArgs),
    /// Send an alert again to all who were told of it
    Resend(AlertArgs),
}

/// What `alerts list` takes.
#[derive(Clone, Debug, Args)]
pub struct AlertsListArgs {
    /// List what has ended as well
    #[arg(long)]
    pub all: bool,
    /// Only alerts of these owners (patterns, several with commas)
    #[arg(long, value_name = "OWNER", value_delimiter = ',')]
    pub owner: Vec<Glob>,
    /// The format on standard output: table, json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// What `alerts show` and `alerts resend` take.
#[derive(Clone, Debug, Args)]
pub struct AlertArgs {
    /// The id of the alert, or the start of it; or the id of the finding
    #[arg(value_name = "ID")]
    pub id: String,
    /// The format on standard output: table, json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// What `alerts snooze` takes.
#[derive(Clone, Debug, Args)]
pub struct AlertsSnoozeArgs {
    /// The id of the alert, or the start of it; or the id of the finding
    #[arg(value_name = "ID")]
    pub id: String,
    /// Until when: RFC 3339, or YYYY-MM-DD for its midnight in UTC; an instant that has passed ends the snooze
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: DateTime<Utc>,
}

/// What `notify` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message to every receiver of the configuration, or to those named
    Test(NotifyTestArgs),
}

/// What `notify test` takes.
#[derive(Clone, Debug, Args)]
pub struct NotifyTestArgs {
    /// Only to these receivers: a name, or the ARN of a topic
    #[arg(value_name = "RECEIVER")]
    pub receivers: Vec<String>,
}
