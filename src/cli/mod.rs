//! The command line: which commands and flags there are, and what each takes. No logic.

#![expect(
    rustdoc::broken_intra_doc_links,
    reason = "doc comments here are help texts, in which brackets mean optional"
)]

mod alerts;
mod catalog;
mod choices;
mod stamp;
mod values;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

pub use alerts::{AlertArgs, AlertsCommand, AlertsListArgs, AlertsSnoozeArgs, NotifyCommand, NotifyTestArgs};
pub use catalog::{
    CatalogBuildArgs, CatalogCommand, CatalogExportArgs, CatalogImportArgs, CatalogKeygenArgs, CatalogStatsArgs,
    CatalogUpdateArgs, CatalogVerifyArgs, CrawledLines,
};
pub use choices::{ColorWhen, FailOn, Format, IamDocument, Kind, Output, ReportFormat};
pub use stamp::{StampArgs, StampFormat, StampTask};
pub use values::{instant, named_image};

use crate::{
    glob::Glob,
    image::{Platform, Reference},
    inventory::{DeploymentKind, Filter, ImageSource},
};

const EXAMPLES: &str = "\
Examples:
  basewatch demo                                     see a report, without account or network
  basewatch audit public.ecr.aws/lambda/python:3.12  audit an image
  basewatch config init                              begin a configuration for your own account

Exit codes:
  0  nothing at or above --fail-on
  1  something is
  2  could not start: usage, configuration, credentials
  3  nothing to fail on, but the audit is incomplete or most of the fleet is unknown";

const AUDIT_EXAMPLES: &str = "\
Examples:
  basewatch audit
  basewatch audit --kind lambda --owner payments --region 'eu-*'
  basewatch audit 123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421
  basewatch audit oci:./layout:v1 --output - --output report.json
  basewatch audit --format markdown >> $GITHUB_STEP_SUMMARY
  basewatch audit --as-of 2026-12-24 --fail-on stale";

const RUN_EXAMPLES: &str = "\
Examples:
  basewatch run --dry-run                       who would be told what
  basewatch run                                 for cron, or a scheduled task
  basewatch run --output report.json            keep the report as well";

const SERVE_EXAMPLES: &str = "\
Examples:
  basewatch serve                               as [serve] of the configuration says
  basewatch serve --listen 127.0.0.1:9000 --schedule '*/30 * * * *'
  curl -X POST http://127.0.0.1:8080/api/v1/audit   ask for a run now";

const IAM_EXAMPLES: &str = "\
What to print:
  policy    what reading an account takes (default)
  runner    what basewatch's own role needs besides, with [accounts]
  trust     who may assume the role in each account
  commands  the commands of the AWS CLI that set it up, and keep audits out of pull times

Examples:
  basewatch config iam > policy.json
  basewatch config iam trust --principal arn:aws:iam::111111111111:role/basewatch > trust.json
  basewatch config iam commands --principal arn:aws:iam::111111111111:role/basewatch";

const BASE_EXAMPLES: &str = "\
Examples:
  basewatch base public.ecr.aws/lambda/java:21
  basewatch base public.ecr.aws/lambda/java:21 --history";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  basewatch explain 123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421
  basewatch explain oci:./layout --platform linux/arm64";

const DEMO_EXAMPLES: &str = "\
Examples:
  basewatch demo
  basewatch demo orders:421";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  basewatch completions bash > ~/.local/share/bash-completion/completions/basewatch
  basewatch completions zsh > ~/.zfunc/_basewatch";

/// Tells which deployed container images stand on an old base image, and what to do about each one.
#[derive(Debug, Parser)]
#[command(name = "basewatch", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The configuration file, or s3://BUCKET/KEY [env: BASEWATCH_CONFIG] [default: ./basewatch.toml, else
    /// the user's]
    // `BASEWATCH_CONFIG` is read with the rest of the environment, so that tests need no process environment.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// When to use colours: auto, always, never
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true, hide_possible_values = true)]
    pub color: ColorWhen,
    /// Say more on standard error; twice for debugging, three times for everything
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say only errors on standard error, and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What basewatch can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Audit what the configuration names, or the images given, and print a report
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(AuditArgs),
    /// Audit, record what was found, tell who has to know and ask for rebuilds: one cycle
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Run on a schedule, and show what was found over HTTP: a dashboard, JSON, metrics
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Answer invocations of AWS Lambda; the default where its runtime starts the program
    Lambda,
    /// List, show, snooze or send again what people are told about
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Try whether messages arrive
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Show what a base image is now: its digests, publish date and line
    #[command(after_help = BASE_EXAMPLES)]
    Base(BaseArgs),
    /// Print what pins and records a base in a build, or check whether Dockerfiles do
    #[command(after_help = stamp::EXAMPLES)]
    Stamp(StampArgs),
    /// Show how the base of an image was identified and dated, step by step
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Crawl, sign and publish a record of base releases, which serves all accounts
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Audit bundled images from a registry inside this process: no account, no network
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Check a configuration, or write a commented one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print shell completions
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// What `audit` takes.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// Images to audit instead of those of the configuration: references with a tag or digest, or
    /// oci:DIR[:TAG]
    #[arg(value_name = "IMAGE")]
    pub images: Vec<ImageSource>,
    /// The format of the report on standard output: table, json, markdown, html, csv,
    /// sarif
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: ReportFormat,
    /// Write the report to FILE instead, in the format of its name: .json, .md, .html, .csv, .sarif,
    /// .txt or .table; - is standard output; may be repeated
    #[arg(long, value_name = "FILE")]
    pub output: Vec<Output>,
    /// Exit with 1 if a finding has this verdict or a worse one: never, fresh, superseded, unknown,
    /// out-of-date, stale, deprecated. Where nothing can be done, it counts as unknown at the most;
    /// where it is exempted, not at all
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t, hide_possible_values = true)]
    pub fail_on: FailOn,
    /// Take this instant for now: RFC 3339, or YYYY-MM-DD for its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// The age over which a base is stale, instead of policy.max_age: 45d, 6w
    #[arg(long, value_name = "DURATION")]
    pub max_age: Option<String>,
    /// How long an image may be behind, instead of policy.grace: 14d, 36h
    #[arg(long, value_name = "DURATION")]
    pub grace: Option<String>,
    /// Remember nothing, and use nothing remembered
    #[arg(long)]
    pub no_catalog: bool,
    /// What is left of the configured inventory.
    #[command(flatten)]
    pub left: Left,
}

/// What `serve` takes.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Where to listen, instead of serve.listen: 127.0.0.1:8080
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// When to run, instead of serve.schedule: five or six fields, as in crontab
    #[arg(long, value_name = "CRON")]
    pub schedule: Option<String>,
}

/// What `run` takes.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Show what would be sent to whom; write nothing, send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take this instant for now: RFC 3339, or YYYY-MM-DD for its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// The format on standard output of what was done: table, json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
    /// Write the report to FILE, in the format of its name: .json, .md, .html, .csv, .sarif, .txt or
    /// .table; may be repeated
    #[arg(long, value_name = "FILE")]
    pub output: Vec<Output>,
    /// Exit with 1 if a finding has this verdict or a worse one: never, fresh, superseded, out-of-date,
    /// stale, deprecated, unknown
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Never, hide_possible_values = true)]
    pub fail_on: FailOn,
}

/// What is left of the configured inventory.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "A part of the configured inventory (patterns, several with commas)")]
pub struct Left {
    /// Only deployments of these owners
    #[arg(long, value_name = "OWNER", value_delimiter = ',', conflicts_with = "images")]
    pub owner: Vec<Glob>,
    /// Only in these regions; nothing is asked of the others
    #[arg(long, value_name = "REGION", value_delimiter = ',', conflicts_with = "images")]
    pub region: Vec<Glob>,
    /// Only in these accounts
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',', conflicts_with = "images")]
    pub account: Vec<Glob>,
    /// Only deployments of these kinds: lambda, ecs, ecr, image, layout
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        value_delimiter = ',',
        hide_possible_values = true,
        conflicts_with = "images"
    )]
    pub kind: Vec<Kind>,
}

impl From<&Left> for Filter {
    fn from(left: &Left) -> Self {
        Self {
            owners: left.owner.clone(),
            regions: left.region.clone(),
            accounts: left.account.clone(),
            kinds: left.kind.iter().copied().map(DeploymentKind::from).collect(),
        }
    }
}

/// What `base` takes.
#[derive(Clone, Debug, Args)]
pub struct BaseArgs {
    /// The base image, with a tag or a digest: public.ecr.aws/lambda/java:21
    #[arg(value_name = "REF", value_parser = named_image)]
    pub reference: Reference,
    /// List the releases of its line
    #[arg(long)]
    pub history: bool,
    /// Only this platform, as in linux/arm64
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// The format on standard output: table, json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
    /// Take this instant for now: RFC 3339, or YYYY-MM-DD for its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Remember nothing, and use nothing remembered
    #[arg(long)]
    pub no_catalog: bool,
}

/// What `explain` takes.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The image: a reference with a tag or digest, or oci:DIR[:TAG]
    #[arg(value_name = "IMAGE")]
    pub image: ImageSource,
    /// Only this platform, as in linux/arm64
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// The format on standard output: table, json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
    /// Take this instant for now: RFC 3339, or YYYY-MM-DD for its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Remember nothing, and use nothing remembered
    #[arg(long)]
    pub no_catalog: bool,
}

/// What `demo` takes.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Explain this image of the demo instead: orders:421
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,
    /// The format of the report on standard output: table, json, markdown, html, csv,
    /// sarif
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: ReportFormat,
    /// Exit with 1 if a finding has this verdict or a worse one: never, fresh, superseded, unknown,
    /// out-of-date, stale, deprecated. Where nothing can be done, it counts as unknown at the most;
    /// where it is exempted, not at all
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Never, hide_possible_values = true)]
    pub fail_on: FailOn,
}

/// What `config` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say all that is wrong with a configuration, or what would be audited
    Check(ConfigCheckArgs),
    /// Write a configuration in which every key is explained
    Init(ConfigInitArgs),
    /// Print the AWS permissions that a configuration needs, and no more
    #[command(after_help = IAM_EXAMPLES)]
    Iam(ConfigIamArgs),
}

/// What `config check` takes.
#[derive(Clone, Debug, Args)]
pub struct ConfigCheckArgs {
    /// The file, as with --config
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub file: Option<PathBuf>,
}

/// What `config init` takes.
#[derive(Clone, Debug, Args)]
pub struct ConfigInitArgs {
    /// The file to write; - is standard output
    #[arg(value_name = "FILE", default_value = "basewatch.toml")]
    pub file: PathBuf,
    /// Overwrite the file if it exists
    #[arg(long)]
    pub force: bool,
}

/// What `config iam` takes.
#[derive(Clone, Debug, Args)]
pub struct ConfigIamArgs {
    /// What to print: policy, runner, trust, commands
    #[arg(value_enum, value_name = "WHAT", default_value_t, hide_possible_values = true)]
    pub what: IamDocument,
    /// Who may assume the role, for trust and commands: the ARN of basewatch's own role
    #[arg(long, value_name = "ARN")]
    pub principal: Option<String>,
}

/// What `completions` takes.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// What `man` takes.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write the pages of all commands into this folder instead
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
    fn a_day_is_its_midnight_in_utc() {
        assert_eq!(instant("2026-11-20"), instant("2026-11-20T00:00:00Z"));
        assert_eq!(instant("2026-11-20T01:00:00+01:00"), instant("2026-11-20"));
        for garbage in ["", "now", "2026-13-01", "+262142-12-31", "-0001-01-01", "2026-11-20 06:00", "20.11.2026"] {
            assert!(instant(garbage).is_err(), "{garbage}");
        }
    }
}
