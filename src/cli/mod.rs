//! The command line: commands, arguments and help texts.

#![expect(
    rustdoc::broken_intra_doc_links,
    reason = "doc comments here are help texts, in which brackets mean optional"
)]

mod alerts;
mod catalog;
mod choices;
mod demo;
mod lookup;
mod report;
mod stamp;
mod values;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub use alerts::{AlertArgs, AlertsCommand, AlertsListArgs, AlertsSnoozeArgs, NotifyCommand, NotifyTestArgs};
pub use catalog::{
    CatalogBuildArgs, CatalogCommand, CatalogExportArgs, CatalogImportArgs, CatalogKeygenArgs, CatalogStatsArgs,
    CatalogUpdateArgs, CatalogVerifyArgs, CrawledLines,
};
pub use choices::{ColorWhen, DeploymentKindArg, FailOn, IamDocument, OutputFormat, ReportFormat, ReportOutput};
pub use demo::DemoArgs;
pub use lookup::{BaseArgs, ExplainArgs, ExplainTarget};
pub use report::{ConvertArgs, VersionArgs};
pub use stamp::{StampArgs, StampFormat, StampTask};
pub use values::{instant, invalid_layout, named_image};

use crate::{
    glob::Glob,
    inventory::{DeploymentKind, ImageSource, InventoryFilter},
};

const EXAMPLES: &str = "\
Examples:
  basewatch demo                                     audit bundled images, no account needed
  basewatch audit public.ecr.aws/lambda/python:3.12  audit an image
  basewatch config init                              write a configuration file

Exit codes:
  0  no finding at or above --fail-on
  1  at least one finding at or above --fail-on
  2  cannot start: invalid usage or configuration, or no credentials
  3  no finding at or above --fail-on, but the audit is incomplete or most of the fleet is unknown";

const AUDIT_EXAMPLES: &str = "\
Examples:
  basewatch audit
  basewatch audit --kind lambda --owner payments --region 'eu-*'
  basewatch audit 123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421
  basewatch audit oci:./layout:v1 -o - -o report.json
  basewatch audit -f markdown >> $GITHUB_STEP_SUMMARY
  basewatch audit --as-of 2026-12-24 --fail-on stale";

const RUN_EXAMPLES: &str = "\
Examples:
  basewatch run --dry-run                       show the notifications that would be sent
  basewatch run                                 for cron or a scheduled task
  basewatch run -o report.json                  also write the report to a file";

const SERVE_EXAMPLES: &str = "\
Examples:
  basewatch serve                               with the settings of [serve]
  basewatch serve --listen 127.0.0.1:9000 --schedule '*/30 * * * *'
  curl -X POST http://127.0.0.1:8080/api/v1/audit   start a run now";

const IAM_EXAMPLES: &str = "\
What to print:
  policy    permissions to audit an account (default)
  runner    additional permissions of basewatch's own role, with [accounts]
  trust     trust policy of the role in each account
  commands  AWS CLI commands that create the role and exclude it from pull time updates

Examples:
  basewatch config iam > policy.json
  basewatch config iam trust --principal arn:aws:iam::111111111111:role/basewatch > trust.json
  basewatch config iam commands --principal arn:aws:iam::111111111111:role/basewatch";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  basewatch completions bash > ~/.local/share/bash-completion/completions/basewatch
  basewatch completions zsh > ~/.zfunc/_basewatch";

/// Find deployed container images that are built on outdated base images, and what to do about each one.
#[derive(Debug, Parser)]
#[command(name = "basewatch", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// The global options.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Configuration file or s3://BUCKET/KEY [env: BASEWATCH_CONFIG] [default: ./basewatch.toml, else the user's]
    // Not read by clap, so that tests do not depend on the process environment.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// When to use colors: auto, always, never
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true, hide_possible_values = true)]
    pub color: ColorWhen,
    /// Log more; repeat for debug (-vv) and trace (-vvv) output
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Log only errors, and hide progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Audit the configured inventory or the given images, and print a report
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(AuditArgs),
    /// Audit once, store the report, send alerts and request rebuilds
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Run on a schedule, and serve a dashboard, a JSON API and metrics over HTTP
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Handle AWS Lambda invocations; the default in the Lambda runtime
    Lambda,
    /// List, show, snooze and resend alerts
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Test notification channels
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Show the current digests, publish date and line of a base image
    #[command(after_help = lookup::BASE_EXAMPLES)]
    Base(BaseArgs),
    /// Print build options that pin and record a base, or check Dockerfiles
    #[command(after_help = stamp::EXAMPLES)]
    Stamp(StampArgs),
    /// Show how the base of a deployment or an image was identified and dated, step by step
    #[command(after_help = lookup::EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Crawl, sign and publish base image releases for use by many accounts
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Audit bundled images in an in-process registry, without account or network
    #[command(after_help = demo::EXAMPLES)]
    Demo(DemoArgs),
    /// Write a saved report in another format
    #[command(after_help = report::CONVERT_EXAMPLES)]
    Convert(ConvertArgs),
    /// Check or create a configuration, or print its IAM permissions
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print shell completions
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print or write manual pages
    Man(ManArgs),
    /// Print the version, commit and target of this build
    Version(VersionArgs),
}

/// The arguments of `audit`.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// Images to audit instead of the configured inventory: references with a tag or digest, or oci:DIR[:TAG]
    #[arg(value_name = "IMAGE")]
    pub images: Vec<ImageSource>,
    /// Report format: table, json, markdown, html, csv, sarif
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: ReportFormat,
    /// Write the report to FILE, in the format of its extension: .json, .md, .html, .csv, .sarif, .txt, .table;
    /// - for standard output; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Vec<ReportOutput>,
    /// Exit with 1 if a finding has this verdict or a worse one: never, fresh, superseded, unknown, out-of-date, stale,
    /// deprecated. Findings without a possible action count at most as unknown; exempted findings do not count
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t, hide_possible_values = true)]
    pub fail_on: FailOn,
    /// Audit as of this time: RFC 3339, or YYYY-MM-DD for midnight UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Maximum age of a base, such as 45d or 6w; overrides policy.max_age
    #[arg(long, value_name = "DURATION")]
    pub max_age: Option<String>,
    /// How long an image may be behind, such as 14d or 36h; overrides policy.grace
    #[arg(long, value_name = "DURATION")]
    pub grace: Option<String>,
    /// Do not read or write the catalog
    #[arg(long)]
    pub no_catalog: bool,
    /// The filters of the inventory.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// The arguments of `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on, such as 127.0.0.1:8080; overrides serve.listen
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Cron expression with five or six fields; overrides serve.schedule
    #[arg(long, value_name = "CRON")]
    pub schedule: Option<String>,
}

/// The arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Show what would be sent, without storing or sending anything
    #[arg(long)]
    pub dry_run: bool,
    /// Audit as of this time: RFC 3339, or YYYY-MM-DD for midnight UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
    /// Write the report to FILE, in the format of its extension: .json, .md, .html, .csv, .sarif, .txt, .table;
    /// repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Vec<ReportOutput>,
    /// Exit with 1 if a finding has this verdict or a worse one: never, fresh, superseded, out-of-date,
    /// stale, deprecated, unknown
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Never, hide_possible_values = true)]
    pub fail_on: FailOn,
}

/// Filters of the configured inventory.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Filters of the configured inventory (comma-separated patterns)")]
pub struct FilterArgs {
    /// Only these owners
    #[arg(long, value_name = "OWNER", value_delimiter = ',', conflicts_with = "images")]
    pub owner: Vec<Glob>,
    /// Only these regions; other regions are not queried
    #[arg(long, value_name = "REGION", value_delimiter = ',', conflicts_with = "images")]
    pub region: Vec<Glob>,
    /// Only these accounts
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',', conflicts_with = "images")]
    pub account: Vec<Glob>,
    /// Only these kinds of deployments: lambda, ecs, ecr, image, layout
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        value_delimiter = ',',
        hide_possible_values = true,
        conflicts_with = "images"
    )]
    pub kind: Vec<DeploymentKindArg>,
}

impl From<&FilterArgs> for InventoryFilter {
    fn from(left: &FilterArgs) -> Self {
        Self {
            owners: left.owner.clone(),
            regions: left.region.clone(),
            accounts: left.account.clone(),
            kinds: left.kind.iter().copied().map(DeploymentKind::from).collect(),
        }
    }
}

/// The subcommands of `config`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Report all errors of a configuration, or what it would audit
    Check(ConfigCheckArgs),
    /// Write a commented example configuration
    Init(ConfigInitArgs),
    /// Print the minimal IAM permissions for a configuration
    #[command(after_help = IAM_EXAMPLES)]
    Iam(ConfigIamArgs),
}

/// The arguments of `config check`.
#[derive(Clone, Debug, Args)]
pub struct ConfigCheckArgs {
    /// Configuration file, as with --config
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub file: Option<PathBuf>,
    /// Also try credentials, roles, inventories, registries, the store, topics, secrets and webhook hosts; sends nothing
    #[arg(long)]
    pub online: bool,
}

/// The arguments of `config init`.
#[derive(Clone, Debug, Args)]
pub struct ConfigInitArgs {
    /// File to write; - for standard output
    #[arg(value_name = "FILE", default_value = "basewatch.toml")]
    pub file: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}

/// The arguments of `config iam`.
#[derive(Clone, Debug, Args)]
pub struct ConfigIamArgs {
    /// What to print: policy, runner, trust, commands
    #[arg(value_enum, value_name = "WHAT", default_value_t, hide_possible_values = true)]
    pub what: IamDocument,
    /// ARN of basewatch's own role, which may assume the audit role; for trust and commands
    #[arg(long, value_name = "ARN")]
    pub principal: Option<String>,
}

/// The arguments of `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// The arguments of `man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write the manual pages of all commands to this folder
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_date_is_parsed_as_midnight_utc() {
        assert_eq!(instant("2026-11-20"), instant("2026-11-20T00:00:00Z"));
        assert_eq!(instant("2026-11-20T01:00:00+01:00"), instant("2026-11-20"));
        for invalid in ["", "now", "2026-13-01", "+262142-12-31", "-0001-01-01", "2026-11-20 06:00", "20.11.2026"] {
            assert!(instant(invalid).is_err(), "{invalid}");
        }
    }
}
